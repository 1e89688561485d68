-- A takeover by one of several: of those who saw the same epoch, one.
UPDATE shards SET epoch = epoch + 1, owner = ?2 WHERE shard = ?1 AND epoch = ?3 RETURNING epoch
