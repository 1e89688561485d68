-- Removes one parked offer that was found stale.
DELETE FROM parked
WHERE
    shard = ?1 AND namespace = ?2 AND queue = ?3 AND work = ?4 AND sticky = ?5 AND sticky_of = ?6
    AND priority = ?7 AND pass = ?8 AND time = ?9 AND run = ?10
