-- Runs of a shard that need somebody up to a horizon, in order, behind ($3, $4).
SELECT wake_at, run, workflow_id, namespace FROM runs
WHERE shard = $1 AND wake_at IS NOT NULL AND wake_at <= $2 AND (wake_at, run) > ($3, $4)
ORDER BY wake_at, run
LIMIT $5
