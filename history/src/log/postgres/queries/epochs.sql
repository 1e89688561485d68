-- The epochs of shards: a proof that answers from memory were true when it was begun.
SELECT shard, epoch FROM shards WHERE shard = ANY($1)
