-- Parks an offer. Two tasks of a run that differ in nothing a queue looks at are one row: it is only where to look.
INSERT OR IGNORE INTO parked (shard, namespace, queue, work, sticky, sticky_of, priority, pass, time, run)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
