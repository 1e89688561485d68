-- Inserts rows of runs, or replaces what may change of them. What an index is keyed by (id, nth, request, shard) never does.
INSERT INTO runs (
    run, namespace, kind, workflow_id, nth, start_request_id, first_run, status, workflow_type, task_queue,
    start_time, execution_time, close_time, history_length, history_size_bytes, state_transition_count,
    parent_workflow_id, parent_run, root_workflow_id, root_run, memo, search_attributes, workers,
    shard, wake_at
)
SELECT * FROM unnest(
    $1::bytea[], $2::bytea[], $3::smallint[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[], $8::integer[],
    $9::bytea[], $10::bytea[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
    $17::bytea[], $18::bytea[], $19::bytea[], $20::bytea[], $21::bytea[], $22::bytea[], $23::bytea[], $24::bigint[],
    $25::bigint[]
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
