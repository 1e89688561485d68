-- The epoch of a shard, proved inside the transaction that writes for it.
SELECT epoch FROM shards WHERE shard = ?1
