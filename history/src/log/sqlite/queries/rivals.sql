-- Other open runs of an id and kind: there must be none.
SELECT run FROM runs
WHERE namespace = ?1 AND kind = ?2 AND workflow_id = ?3 AND close_time IS NULL AND run <> ?4
ORDER BY run LIMIT ?5
