-- The tables of a Cairn database, version 1.
--
-- Times are nanoseconds since the Unix epoch. Ids are 16 bytes. `log` is the truth; every other table but `shards`,
-- `namespaces` and `settings` is a reading of it.

-- Who owns which part of all runs. Rows are made once, when the database is created: their number never changes.
CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL
);

-- One row per committed transition of a run, append only. A page of a history is a range of the key.
CREATE TABLE log (
    run BLOB NOT NULL,
    first_event_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    time INTEGER NOT NULL,
    event_count INTEGER NOT NULL,
    chain BLOB NOT NULL,
    changes BLOB NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (run, first_event_id, seq)
) WITHOUT ROWID;

-- One row per run: the visibility row, and where a shard finds what needs it.
CREATE TABLE runs (
    run BLOB NOT NULL PRIMARY KEY,
    shard INTEGER NOT NULL,
    namespace BLOB NOT NULL,
    kind INTEGER NOT NULL,
    workflow_id TEXT NOT NULL,
    nth INTEGER NOT NULL,
    start_request_id TEXT NOT NULL,
    first_run BLOB NOT NULL,
    status INTEGER NOT NULL,
    workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    start_time INTEGER NOT NULL,
    execution_time INTEGER NOT NULL,
    close_time INTEGER,
    -- Where it stands in a list: an open run as if it closed last. A column, because SQLite does not seek a row value that
    -- begins with an expression.
    list_time INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(close_time, 9223372036854775807)) VIRTUAL,
    history_length INTEGER NOT NULL,
    history_size_bytes INTEGER NOT NULL,
    state_transition_count INTEGER NOT NULL,
    parent_workflow_id TEXT,
    parent_run BLOB,
    root_workflow_id TEXT,
    root_run BLOB,
    wake_at INTEGER,
    memo BLOB NOT NULL,
    search_attributes BLOB NOT NULL
) WITHOUT ROWID;

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
    run BLOB NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL,
    first_event_id INTEGER NOT NULL,
    chain BLOB NOT NULL,
    state BLOB NOT NULL
) WITHOUT ROWID;

-- The last heartbeat details of each activity: replaced, never appended.
CREATE TABLE heartbeats (
    run BLOB NOT NULL,
    scheduled_event_id INTEGER NOT NULL,
    details BLOB NOT NULL,
    PRIMARY KEY (run, scheduled_event_id)
) WITHOUT ROWID;

-- Owed offers of runs that are not loaded, in the order in which a queue wants them. `sticky` tells no normal queue
-- from one without a name.
CREATE TABLE parked (
    shard INTEGER NOT NULL,
    namespace BLOB NOT NULL,
    queue TEXT NOT NULL,
    work INTEGER NOT NULL,
    sticky INTEGER NOT NULL,
    sticky_of TEXT NOT NULL,
    priority INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    time INTEGER NOT NULL,
    run BLOB NOT NULL,
    PRIMARY KEY (shard, namespace, queue, work, sticky, sticky_of, priority, pass, time, run)
) WITHOUT ROWID;

-- A checkpoint and a deletion: what is parked for a run.
CREATE INDEX parked_run ON parked (run);

CREATE TABLE namespaces (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    record BLOB NOT NULL
) WITHOUT ROWID;

-- Values of the database itself: stored on first use, the same for ever.
CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- What the planner is to believe, instead of counting: many runs in few namespaces, few runs of an id. Otherwise it would
-- look for the runs of an id by walking through the whole list, which happens to be in the wanted order.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('runs', 'runs', '1000000 1'),
    ('runs', 'runs_nth', '1000000 100000 4 1'),
    ('runs', 'runs_start_request', '1000000 100000 4 1 1'),
    ('runs', 'runs_open', '100000 10000 10000 1'),
    ('runs', 'runs_wake', '100000 10000 2 1'),
    ('runs', 'runs_list', '1000000 100000 1000 2 1');
-- Reads them.
ANALYZE sqlite_schema;
