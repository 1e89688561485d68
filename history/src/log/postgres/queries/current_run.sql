-- The current run of an id: the one with the largest nth.
SELECT run FROM runs WHERE namespace = $1 AND workflow_id = $2 ORDER BY nth DESC LIMIT 1
