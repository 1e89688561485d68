-- Who owns what.
SELECT shard, epoch, owner FROM shards ORDER BY shard
