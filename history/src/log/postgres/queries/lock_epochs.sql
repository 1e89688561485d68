-- The epochs of shards, held until the transaction ends: a takeover waits for it.
SELECT shard, epoch FROM shards WHERE shard = ANY($1) ORDER BY shard FOR SHARE
