//! Rows of the tables as our types.

use rusqlite::Row as SqlRow;

use super::super::{Fragment, Parked, Record, Row, Snapshot, WakeUp};
use crate::id::{Epoch, NamespaceId, RunId, ShardId, Time};
use crate::kind::{Heartbeat, Queue, Work};
use crate::search_attribute::Term;

type Result<T> = rusqlite::Result<T>;

/// How a queue is written down besides its namespace and name: work, sticky or not, and of which normal queue.
pub(super) fn queue_key(queue: &Queue) -> (u8, bool, &str) {
    let work = match queue.work {
        Work::Workflow => 1,
        Work::Activity => 2,
    };
    let of = queue.sticky_of.as_deref();
    (work, of.is_some(), of.unwrap_or_default())
}

/// A queue from the columns `namespace, queue, work, sticky, sticky_of`.
pub(super) fn queue(row: &SqlRow<'_>) -> Result<Queue> {
    let sticky: bool = row.get(3)?;
    Ok(Queue {
        namespace: NamespaceId(row.get(0)?),
        name: row.get(1)?,
        work: match row.get(2)? {
            1 => Work::Workflow,
            2 => Work::Activity,
            other => return Err(rusqlite::Error::IntegralValueOutOfRange(2, other)),
        },
        sticky_of: sticky.then(|| row.get(4)).transpose()?,
    })
}

fn unsigned(row: &SqlRow<'_>, column: usize) -> Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn bytes(row: &SqlRow<'_>, column: usize) -> Result<bytes::Bytes> {
    row.get::<_, Vec<u8>>(column).map(Into::into)
}

/// A row of `runs`, in the order in which the queries name its columns.
pub(super) fn run(row: &SqlRow<'_>) -> Result<Row> {
    Ok(Row {
        run: RunId(row.get(0)?),
        namespace: NamespaceId(row.get(1)?),
        kind: row.get(2)?,
        workflow_id: row.get(3)?,
        nth: unsigned(row, 4)?,
        start_request_id: row.get(5)?,
        first_run: RunId(row.get(6)?),
        status: row.get(7)?,
        workflow_type: row.get(8)?,
        task_queue: row.get(9)?,
        start_time: Time(row.get(10)?),
        execution_time: Time(row.get(11)?),
        close_time: row.get::<_, Option<i64>>(12)?.map(Time),
        history_length: row.get(13)?,
        history_size_bytes: row.get(14)?,
        state_transition_count: row.get(15)?,
        parent: relative(row, 16)?,
        root: relative(row, 18)?,
        memo: bytes(row, 20)?,
        search_attributes: bytes(row, 21)?,
        workers: row.get(22)?,
    })
}

/// Another run, from the columns of its workflow id and its run id.
fn relative(row: &SqlRow<'_>, column: usize) -> Result<Option<(String, RunId)>> {
    let id: Option<String> = row.get(column)?;
    let run: Option<[u8; 16]> = row.get(column + 1)?;
    Ok(id.zip(run.map(RunId)))
}

pub(super) fn record(row: &SqlRow<'_>) -> Result<Record> {
    Ok(Record {
        seq: unsigned(row, 0)?,
        epoch: Epoch(unsigned(row, 1)?),
        time: Time(row.get(2)?),
        first_event_id: row.get(3)?,
        event_count: row.get(4)?,
        events: bytes(row, 5)?,
        changes: bytes(row, 6)?,
        chain: row.get(7)?,
    })
}

/// A snapshot, and the event id at which the records behind it begin.
pub(super) fn snapshot(row: &SqlRow<'_>) -> Result<(Snapshot, i64)> {
    let snapshot = Snapshot {
        seq: unsigned(row, 0)?,
        chain: row.get(1)?,
        state: bytes(row, 2)?,
    };
    Ok((snapshot, row.get(3)?))
}

pub(super) fn heartbeat(row: &SqlRow<'_>) -> Result<Heartbeat> {
    Ok(Heartbeat {
        scheduled_event_id: row.get(0)?,
        details: bytes(row, 1)?,
    })
}

pub(super) fn term(row: &SqlRow<'_>) -> Result<Term> {
    Ok(Term {
        attribute: row.get(0)?,
        value: bytes(row, 1)?,
    })
}

pub(super) fn fragment(row: &SqlRow<'_>) -> Result<Fragment> {
    Ok(Fragment {
        first_event_id: row.get(0)?,
        event_count: row.get(1)?,
        events: bytes(row, 2)?,
    })
}

pub(super) fn wake_up(row: &SqlRow<'_>) -> Result<WakeUp> {
    Ok(WakeUp {
        time: Time(row.get(0)?),
        run: RunId(row.get(1)?),
        workflow_id: row.get(2)?,
        namespace: NamespaceId(row.get(3)?),
    })
}

pub(super) fn parked(row: &SqlRow<'_>, queue: &Queue) -> Result<Parked> {
    Ok(Parked {
        queue: queue.clone(),
        priority: row.get(0)?,
        pass: row.get(1)?,
        time: Time(row.get(2)?),
        run: RunId(row.get(3)?),
    })
}

/// A parked offer with its queue in front, and its shard behind.
pub(super) fn parked_of_run(row: &SqlRow<'_>) -> Result<(ShardId, Parked)> {
    let parked = Parked {
        queue: queue(row)?,
        priority: row.get(5)?,
        pass: row.get(6)?,
        time: Time(row.get(7)?),
        run: RunId(row.get(8)?),
    };
    Ok((ShardId(row.get(9)?), parked))
}
