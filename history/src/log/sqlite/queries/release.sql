-- A shard is nobody's, unless somebody has taken it.
UPDATE shards SET owner = '' WHERE shard = ?1 AND epoch = ?2
