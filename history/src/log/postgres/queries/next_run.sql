-- The first run behind $1 that any table names.
SELECT run FROM (
    (SELECT run FROM runs WHERE run > $1 ORDER BY run LIMIT 1)
    UNION ALL (SELECT run FROM log WHERE run > $1 ORDER BY run LIMIT 1)
    UNION ALL (SELECT run FROM snapshots WHERE run > $1 ORDER BY run LIMIT 1)
    UNION ALL (SELECT run FROM heartbeats WHERE run > $1 ORDER BY run LIMIT 1)
    UNION ALL (SELECT run FROM search WHERE run > $1 ORDER BY run LIMIT 1)
    UNION ALL (SELECT run FROM parked WHERE run > $1 ORDER BY run LIMIT 1)
) AS named
ORDER BY run LIMIT 1
