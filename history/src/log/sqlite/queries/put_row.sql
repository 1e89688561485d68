-- Inserts the row of a run, or replaces what may change of it. What an index is keyed by (id, nth, request, shard) never does.
INSERT INTO runs (
    run, namespace, kind, workflow_id, nth, start_request_id, first_run, status, workflow_type, task_queue,
    start_time, execution_time, close_time, history_length, history_size_bytes, state_transition_count,
    parent_workflow_id, parent_run, root_workflow_id, root_run, memo, search_attributes, workers,
    shard, wake_at
)
VALUES (
    ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25
)
ON CONFLICT (run) DO UPDATE SET
    first_run = excluded.first_run,
    status = excluded.status,
    workflow_type = excluded.workflow_type,
    task_queue = excluded.task_queue,
    start_time = excluded.start_time,
    execution_time = excluded.execution_time,
    close_time = excluded.close_time,
    history_length = excluded.history_length,
    history_size_bytes = excluded.history_size_bytes,
    state_transition_count = excluded.state_transition_count,
    parent_workflow_id = excluded.parent_workflow_id,
    parent_run = excluded.parent_run,
    root_workflow_id = excluded.root_workflow_id,
    root_run = excluded.root_run,
    memo = excluded.memo,
    search_attributes = excluded.search_attributes,
    workers = excluded.workers,
    wake_at = excluded.wake_at
