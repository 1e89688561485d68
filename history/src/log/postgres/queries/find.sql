-- The current run of an id (the one with the largest nth), and the one that a start request began, told apart by the last
-- column.
(
    SELECT
        run, namespace, kind, workflow_id, nth, start_request_id, first_run, status, workflow_type, task_queue,
    start_time, execution_time, close_time, history_length, history_size_bytes, state_transition_count,
    parent_workflow_id, parent_run, root_workflow_id, root_run, memo, search_attributes, workers, false AS repeated
    FROM runs WHERE namespace = $1 AND workflow_id = $2 ORDER BY nth DESC LIMIT 1
)
UNION ALL
(
    SELECT
        run, namespace, kind, workflow_id, nth, start_request_id, first_run, status, workflow_type, task_queue,
    start_time, execution_time, close_time, history_length, history_size_bytes, state_transition_count,
    parent_workflow_id, parent_run, root_workflow_id, root_run, memo, search_attributes, workers, true AS repeated
    FROM runs WHERE namespace = $1 AND workflow_id = $2 AND start_request_id = $3 ORDER BY nth LIMIT 1
)
