//! Lies: what somebody changed in the tables by hand, and which promise that breaks.

use bytes::Bytes;
use cairn_history::id::RunId;
use cairn_history::log::Record;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::enums::v1::EventType;
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};
use rusqlite::Connection;

/// The id of runs that only a lie knows.
const NOBODY: RunId = RunId([0xee; 16]);

/// One change of the tables.
pub(crate) struct Lie {
    pub(crate) name: &'static str,
    /// Whose run is changed: the first of this id.
    pub(crate) workflow_id: &'static str,
    /// The promise that is broken, and of which runs.
    number: &'static str,
    of: Of,
    change: Change,
}

/// Whose promise is broken.
enum Of {
    Victim,
    /// The last run of the victim's id.
    Last,
    Nobody,
    Both,
}

enum Change {
    /// Statements in which `$run` is the victim, `$nobody` another.
    Sql(&'static str),
    Code(fn(&Connection, RunId)),
}

impl Lie {
    pub(crate) fn tell(&self, database: &Connection, run: RunId) {
        match self.change {
            Change::Sql(text) => {
                let text = text
                    .replace("$run", &hex(run))
                    .replace("$nobody", &hex(NOBODY));
                for statement in text.split(';').filter(|it| !it.trim().is_empty()) {
                    let changed = database.execute(statement, []).unwrap();
                    let is_schema = statement.trim_start().starts_with("DROP");
                    assert!(
                        changed > 0 || is_schema,
                        "{} changes nothing: {statement}",
                        self.name
                    );
                }
            }
            Change::Code(change) => change(database, run),
        }
    }

    /// What must be found, if the victim is the run `first` of its id, and the last one is `last`.
    pub(crate) fn wanted(&self, first: RunId, last: RunId) -> Vec<(&'static str, RunId)> {
        let runs = match self.of {
            Of::Victim => vec![first],
            Of::Last => vec![last],
            Of::Nobody => vec![NOBODY],
            Of::Both => vec![first, NOBODY],
        };
        runs.into_iter().map(|run| (self.number, run)).collect()
    }
}

fn hex(run: RunId) -> String {
    format!("X'{:032x}'", u128::from_be_bytes(run.0))
}

const fn sql(
    name: &'static str,
    workflow_id: &'static str,
    number: &'static str,
    text: &'static str,
) -> Lie {
    Lie {
        name,
        workflow_id,
        number,
        of: Of::Victim,
        change: Change::Sql(text),
    }
}

const fn code(
    name: &'static str,
    workflow_id: &'static str,
    number: &'static str,
    change: fn(&Connection, RunId),
) -> Lie {
    Lie {
        name,
        workflow_id,
        number,
        of: Of::Victim,
        change: Change::Code(change),
    }
}

const fn of(whose: Of, lie: Lie) -> Lie {
    Lie { of: whose, ..lie }
}

pub(crate) const LIES: &[Lie] = &[
    // The log by itself.
    sql(
        "a record in the middle is gone",
        "long-0",
        "I-2",
        "DELETE FROM log WHERE run = $run AND seq = 3",
    ),
    sql(
        "the first record is gone",
        "long-1",
        "I-2",
        "DELETE FROM log WHERE run = $run AND seq = 1",
    ),
    sql(
        "a record has another seq",
        "timer-0",
        "I-2",
        "UPDATE log SET seq = 77 WHERE run = $run AND seq = 2",
    ),
    sql(
        "two records have changed places",
        "long-2",
        "I-2",
        "UPDATE log SET seq = 99 WHERE run = $run AND seq = 4;
         UPDATE log SET seq = 4 WHERE run = $run AND seq = 5;
         UPDATE log SET seq = 5 WHERE run = $run AND seq = 99",
    ),
    sql(
        "a record says that it has more events",
        "completed-2",
        "I-3",
        "UPDATE log SET event_count = event_count + 1 WHERE run = $run AND seq = 1",
    ),
    code("a bit of an event has flipped", "completed-0", "I-3", |database, run| {
        flip(database, "SELECT events FROM log WHERE run = ?1 AND seq = 2", "UPDATE log SET events = ?2 WHERE run = ?1 AND seq = 2", run);
    }),
    code("a bit of a change has flipped", "waiting-0", "I-3", |database, run| {
        flip(database, "SELECT changes FROM log WHERE run = ?1 AND seq = 1", "UPDATE log SET changes = ?2 WHERE run = ?1 AND seq = 1", run);
    }),
    sql(
        "a record has another time",
        "failed-0",
        "I-3",
        "UPDATE log SET time = time + 1 WHERE run = $run AND seq = 2",
    ),
    sql(
        "a chain hash was overwritten",
        "timer-1",
        "I-3",
        "UPDATE log SET chain = zeroblob(32) WHERE run = $run AND seq = 2",
    ),
    sql(
        "the chain is of another run",
        "waiting-1",
        "I-3",
        "UPDATE log SET chain = (SELECT chain FROM log WHERE run <> $run AND seq = 1 LIMIT 1) WHERE run = $run AND seq = 1",
    ),
    // How it ends.
    sql(
        "a completed run has failed",
        "completed-1",
        "I-4",
        "UPDATE runs SET status = 3 WHERE run = $run",
    ),
    sql(
        "a closed run is open again",
        "failed-1",
        "I-4",
        "UPDATE runs SET status = 1, close_time = NULL WHERE run = $run",
    ),
    sql(
        "an open run is closed",
        "timer-2",
        "I-4",
        "UPDATE runs SET status = 2, close_time = start_time WHERE run = $run",
    ),
    sql(
        "the record that closes a run is gone",
        "terminated-0",
        "I-4",
        "DELETE FROM log WHERE run = $run AND seq = (SELECT max(seq) FROM log WHERE run = $run)",
    ),
    code("a signal came behind the close", "completed-0", "I-4", |database, run| {
        append(database, run, &[EventType::WorkflowExecutionSignaled]);
    }),
    code("a run closes twice", "failed-2", "I-4", |database, run| {
        append(database, run, &[EventType::WorkflowExecutionCompleted]);
    }),
    // Such a record is legal (what was owed has been delivered), but it moves the row.
    code("a record without events came behind the close", "terminated-1", "I-14", |database, run| {
        append(database, run, &[]);
    }),
    // Beside the log.
    of(
        Of::Both,
        sql(
            "an id has two open runs",
            "waiting-2",
            "I-7",
            "DROP INDEX runs_open;
             INSERT INTO log SELECT $nobody, first_event_id, seq, epoch, time, event_count, chain, changes, events FROM log WHERE run = $run;
             INSERT INTO parked SELECT shard, namespace, queue, work, sticky, sticky_of, priority, pass, time, $nobody FROM parked WHERE run = $run;
             INSERT INTO runs (run, shard, namespace, kind, workflow_id, nth, start_request_id, first_run, status, workflow_type,
                 task_queue, start_time, execution_time, history_length, history_size_bytes, state_transition_count,
                 root_workflow_id, root_run, wake_at, memo, search_attributes)
             SELECT $nobody, shard, namespace, kind, workflow_id, nth + 1, start_request_id, first_run, status, workflow_type,
                 task_queue, start_time, execution_time, history_length, history_size_bytes, state_transition_count,
                 root_workflow_id, $nobody, wake_at, memo, search_attributes FROM runs WHERE run = $run",
        ),
    ),
    of(
        Of::Last,
        sql(
            "an open run is not the current one",
            "continued-0",
            "I-7",
            "UPDATE runs SET nth = 50 WHERE run = $run",
        ),
    ),
    sql(
        "a timer is looked at too late",
        "timer-0",
        "I-9",
        "UPDATE runs SET wake_at = wake_at + 1000000000 WHERE run = $run",
    ),
    sql(
        "a timer is never looked at",
        "timer-1",
        "I-9",
        "UPDATE runs SET wake_at = NULL WHERE run = $run",
    ),
    sql(
        "a closed run is kept for ever",
        "completed-2",
        "I-9",
        "UPDATE runs SET wake_at = NULL WHERE run = $run",
    ),
    sql(
        "an owed activity is parked nowhere",
        "activity-0",
        "I-9",
        "DELETE FROM parked WHERE run = $run",
    ),
    sql(
        "an owed workflow task is parked for another queue",
        "waiting-0",
        "I-9",
        "UPDATE parked SET queue = 'elsewhere' WHERE run = $run",
    ),
    sql(
        "an owed activity is parked in another shard",
        "activity-1",
        "I-9",
        "UPDATE parked SET shard = (shard + 1) % 4 WHERE run = $run",
    ),
    of(
        Of::Nobody,
        sql(
            "an offer is parked for nobody",
            "activity-0",
            "I-9",
            "INSERT INTO parked SELECT shard, namespace, queue, work, sticky, sticky_of, priority, pass, time, $nobody FROM parked WHERE run = $run",
        ),
    ),
    sql(
        "an epoch fell",
        "epochs-0",
        "I-10",
        "UPDATE log SET epoch = epoch - 1 WHERE run = $run AND seq = (SELECT max(seq) FROM log WHERE run = $run);
         UPDATE log SET epoch = epoch + 1 WHERE run = $run AND seq = 1",
    ),
    sql(
        "an epoch is above its shard's",
        "epochs-1",
        "I-10",
        "UPDATE log SET epoch = 9 WHERE run = $run AND seq = (SELECT max(seq) FROM log WHERE run = $run)",
    ),
    // What it folds to.
    code("a bit of a snapshot has flipped", "long-0", "I-11", |database, run| {
        flip(database, "SELECT state FROM snapshots WHERE run = ?1", "UPDATE snapshots SET state = ?2 WHERE run = ?1", run);
    }),
    sql(
        "something stands behind a snapshot",
        "long-1",
        "I-11",
        "UPDATE snapshots SET state = CAST(state || X'00' AS BLOB) WHERE run = $run",
    ),
    sql(
        "a snapshot is of an earlier record",
        "long-1",
        "I-11",
        "UPDATE snapshots SET seq = seq - 1 WHERE run = $run",
    ),
    sql(
        "a snapshot is of a record that is not there",
        "long-2",
        "I-11",
        "UPDATE snapshots SET seq = 1000 WHERE run = $run",
    ),
    sql(
        "a snapshot has another chain hash",
        "long-2",
        "I-11",
        "UPDATE snapshots SET chain = zeroblob(32) WHERE run = $run",
    ),
    sql(
        "records behind a snapshot are not found",
        "long-0",
        "I-11",
        "UPDATE snapshots SET first_event_id = first_event_id + 1 WHERE run = $run",
    ),
    sql(
        "a column holds what it cannot",
        "beat-0",
        "I-11",
        "UPDATE runs SET first_run = X'00' WHERE run = $run",
    ),
    // What the row says.
    sql(
        "a run is of another type",
        "timer-0",
        "I-14",
        "UPDATE runs SET workflow_type = 'Other' WHERE run = $run",
    ),
    sql(
        "a closed run is of another type",
        "completed-1",
        "I-14",
        "UPDATE runs SET workflow_type = 'Other' WHERE run = $run",
    ),
    sql(
        "a memo is gone",
        "memo-0",
        "I-14",
        "UPDATE runs SET memo = X'' WHERE run = $run",
    ),
    sql(
        "a close was later",
        "completed-1",
        "I-14",
        "UPDATE runs SET close_time = close_time + 1 WHERE run = $run",
    ),
    sql(
        "a closed run is longer",
        "failed-0",
        "I-14",
        "UPDATE runs SET history_length = history_length + 1 WHERE run = $run",
    ),
    sql(
        "an open run was longer when its row was written",
        "long-0",
        "I-14",
        "UPDATE runs SET history_length = history_length + 1 WHERE run = $run",
    ),
    sql(
        "a row counts more transitions than there are",
        "timer-2",
        "I-14",
        "UPDATE runs SET state_transition_count = 500 WHERE run = $run",
    ),
    sql(
        "a row is in another shard",
        "completed-0",
        "I-14",
        "UPDATE runs SET shard = (shard + 1) % 4 WHERE run = $run",
    ),
    sql(
        "a run is not found by what it has",
        "memo-0",
        "I-14",
        "DELETE FROM search WHERE run = $run",
    ),
    sql(
        "a run is found by what it does not have",
        "timer-2",
        "I-14",
        "INSERT INTO search VALUES (zeroblob(16), X'01', $run)",
    ),
    sql(
        "a row says that another has worked on a run",
        "completed-0",
        "I-14",
        "UPDATE runs SET workers = 'nobody' WHERE run = $run",
    ),
    // What is left of nobody.
    of(
        Of::Nobody,
        sql(
            "a value that finds nobody",
            "memo-0",
            "I-18",
            "INSERT INTO search SELECT attribute, value, $nobody FROM search WHERE run = $run",
        ),
    ),
    of(
        Of::Nobody,
        sql(
            "a heartbeat of nobody",
            "beat-0",
            "I-18",
            "INSERT INTO heartbeats SELECT $nobody, scheduled_event_id, details FROM heartbeats WHERE run = $run",
        ),
    ),
    of(
        Of::Nobody,
        sql(
            "a snapshot of nobody",
            "long-0",
            "I-18",
            "INSERT INTO snapshots SELECT $nobody, seq, first_event_id, chain, state FROM snapshots WHERE run = $run",
        ),
    ),
    sql(
        "a row is gone, its records are not",
        "completed-1",
        "I-18",
        "DELETE FROM runs WHERE run = $run",
    ),
];

fn flip(database: &Connection, read: &str, write: &str, run: RunId) {
    let mut bytes: Vec<u8> = database.query_row(read, [run.0], |row| row.get(0)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert_eq!(database.execute(write, (run.0, bytes)).unwrap(), 1);
}

/// A record that is chained as it should be, and should not be there.
fn append(database: &Connection, run: RunId, events: &[EventType]) {
    let last = "SELECT seq, epoch, time, first_event_id + event_count, chain FROM log WHERE run = ?1 ORDER BY seq DESC LIMIT 1";
    let (mut record, chain) = database
        .query_row(last, [run.0], |row| {
            let (seq, epoch): (i64, i64) = (row.get(0)?, row.get(1)?);
            let record = Record {
                seq: seq.unsigned_abs() + 1,
                epoch: cairn_history::id::Epoch(epoch.unsigned_abs()),
                time: cairn_history::id::Time(row.get(2)?),
                first_event_id: row.get(3)?,
                event_count: u32::try_from(events.len()).unwrap(),
                events: Bytes::new(),
                changes: Bytes::new(),
                chain: [0; 32],
            };
            Ok((record, row.get::<_, [u8; 32]>(4)?))
        })
        .unwrap();
    let event = |(id, kind): (i64, &EventType)| HistoryEvent {
        event_id: id,
        event_type: (*kind).into(),
        ..HistoryEvent::default()
    };
    let events = (record.first_event_id..).zip(events).map(event).collect();
    record.events = History { events }.encode_to_vec().into();
    record.chain = record.chained(&chain);
    let insert = "INSERT INTO log (run, first_event_id, seq, epoch, time, event_count, chain, changes, events)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, X'', ?8)";
    let values = (
        run.0,
        record.first_event_id,
        record.seq.cast_signed(),
        record.epoch.0.cast_signed(),
        record.time.0,
        record.event_count,
        record.chain,
        &record.events[..],
    );
    assert_eq!(database.execute(insert, values).unwrap(), 1);
}
