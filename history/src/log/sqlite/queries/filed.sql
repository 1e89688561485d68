-- The row of a run with what only its shard reads of it, and the epoch of that shard.
SELECT
    run, namespace, kind, workflow_id, nth, start_request_id, first_run, status, workflow_type, task_queue,
    start_time, execution_time, close_time, history_length, history_size_bytes, state_transition_count,
    parent_workflow_id, parent_run, root_workflow_id, root_run, memo, search_attributes, workers,
    runs.shard, wake_at, epoch
FROM runs LEFT JOIN shards ON shards.shard = runs.shard
WHERE run = ?1
