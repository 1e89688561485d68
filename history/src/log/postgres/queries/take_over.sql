-- A takeover: waits for commits that have locked the epoch before, and fences those that come later.
UPDATE shards SET epoch = epoch + 1, owner = $2 WHERE shard = $1 RETURNING epoch
