-- The tables of a Cairn database, version 1.
--
-- Times are nanoseconds since the Unix epoch. Ids are 16 bytes. What users name is bytea (UTF-8), because text cannot hold
-- U+0000: convert_from(workflow_id, 'UTF8') shows it. `log` is the truth; every other table but `shards`, `namespaces`
-- and `settings` is a reading of it.

-- Who owns which part of all runs. Rows are made once, when the database is created: their number never changes.
CREATE TABLE shards (
    shard bigint PRIMARY KEY,
    epoch bigint NOT NULL,
    owner bytea NOT NULL
);

-- One row per committed transition of a run, append only. A page of a history is a range of the key.
CREATE TABLE log (
    run bytea NOT NULL,
    first_event_id bigint NOT NULL,
    seq bigint NOT NULL,
    epoch bigint NOT NULL,
    time bigint NOT NULL,
    event_count bigint NOT NULL,
    chain bytea NOT NULL,
    changes bytea NOT NULL,
    events bytea NOT NULL,
    PRIMARY KEY (run, first_event_id, seq)
);

-- One row per run: the visibility row, and where a shard finds what needs it.
CREATE TABLE runs (
    run bytea PRIMARY KEY,
    shard bigint NOT NULL,
    namespace bytea NOT NULL,
    kind smallint NOT NULL,
    workflow_id bytea NOT NULL,
    nth bigint NOT NULL,
    start_request_id bytea NOT NULL,
    first_run bytea NOT NULL,
    status integer NOT NULL,
    workflow_type bytea NOT NULL,
    task_queue bytea NOT NULL,
    start_time bigint NOT NULL,
    execution_time bigint NOT NULL,
    close_time bigint,
    -- Where it stands in a list: an open run as if it closed last.
    list_time bigint NOT NULL GENERATED ALWAYS AS (coalesce(close_time, 9223372036854775807)) STORED,
    history_length bigint NOT NULL,
    history_size_bytes bigint NOT NULL,
    state_transition_count bigint NOT NULL,
    parent_workflow_id bytea,
    parent_run bytea,
    root_workflow_id bytea,
    root_run bytea,
    wake_at bigint,
    memo bytea NOT NULL,
    search_attributes bytea NOT NULL
);

-- No query: at most one open run of an id, whatever else goes wrong.
CREATE UNIQUE INDEX runs_open ON runs (namespace, kind, workflow_id) WHERE close_time IS NULL;
-- find: the current run of an id. list: the runs of an id.
CREATE UNIQUE INDEX runs_nth ON runs (namespace, workflow_id, nth);
-- find: the run that a start request began.
CREATE INDEX runs_start_request ON runs (namespace, workflow_id, start_request_id, nth);
-- wake_ups: who needs somebody to look at it, in order.
CREATE INDEX runs_wake ON runs (shard, wake_at, run) WHERE wake_at IS NOT NULL;
-- list: open runs first, then by close time, start time and run, descending.
CREATE INDEX runs_list ON runs (namespace, list_time, start_time, run);

-- The state of a run after record `seq`: a cache. Records behind it begin at `first_event_id`, so that a load is a range.
CREATE TABLE snapshots (
    run bytea PRIMARY KEY,
    seq bigint NOT NULL,
    first_event_id bigint NOT NULL,
    chain bytea NOT NULL,
    state bytea NOT NULL
);

-- The last heartbeat details of each activity: replaced, never appended.
CREATE TABLE heartbeats (
    run bytea NOT NULL,
    scheduled_event_id bigint NOT NULL,
    details bytea NOT NULL,
    PRIMARY KEY (run, scheduled_event_id)
);

-- Owed offers of runs that are not loaded, in the order in which a queue wants them. `sticky` tells no normal queue
-- from one without a name.
CREATE TABLE parked (
    shard bigint NOT NULL,
    namespace bytea NOT NULL,
    queue bytea NOT NULL,
    work smallint NOT NULL,
    sticky boolean NOT NULL,
    sticky_of bytea NOT NULL,
    priority smallint NOT NULL,
    pass bigint NOT NULL,
    time bigint NOT NULL,
    run bytea NOT NULL,
    PRIMARY KEY (shard, namespace, queue, work, sticky, sticky_of, priority, pass, time, run)
);

-- A checkpoint and a deletion: what is parked for a run.
CREATE INDEX parked_run ON parked (run);

CREATE TABLE namespaces (
    id bytea PRIMARY KEY,
    name bytea NOT NULL UNIQUE,
    record bytea NOT NULL
);

-- Values of the database itself: stored on first use, the same for ever.
CREATE TABLE settings (
    name bytea PRIMARY KEY,
    value bytea NOT NULL
);
