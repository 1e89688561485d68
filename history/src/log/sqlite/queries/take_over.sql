-- A takeover: whoever still holds the epoch before can commit no more.
UPDATE shards SET epoch = epoch + 1, owner = ?2 WHERE shard = ?1 RETURNING epoch
