-- Parked offers of a queue of a shard, in order, behind (?7, ?8, ?9, ?10).
SELECT priority, pass, time, run FROM parked
WHERE
    shard = ?1 AND namespace = ?2 AND queue = ?3 AND work = ?4 AND sticky = ?5 AND sticky_of = ?6
    AND (priority, pass, time, run) > (?7, ?8, ?9, ?10)
ORDER BY priority, pass, time, run
LIMIT ?11
