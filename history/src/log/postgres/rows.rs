//! Rows of the tables as our types.

use bytes::Bytes;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Error, Row as _, Type};

use super::super::{Fragment, Parked, Record, Row, Snapshot, WakeUp};
use crate::id::{Epoch, NamespaceId, RunId, ShardId, Time};
use crate::kind::{Heartbeat, Queue, Work};
use crate::search_attribute::Term;

type Result<T> = std::result::Result<T, Error>;

/// How a queue is written down besides its namespace and name: work, sticky or not, and of which normal queue.
pub(super) fn queue_key(queue: &Queue) -> (i16, bool, &str) {
    let work = match queue.work {
        Work::Workflow => 1,
        Work::Activity => 2,
    };
    let of = queue.sticky_of.as_deref();
    (work, of.is_some(), of.unwrap_or_default())
}

/// The columns of a row, by position.
pub(super) struct Columns<'r>(pub(super) &'r PgRow);

/// The database holds what we did not write.
fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Decode(error.into())
}

impl<'r> Columns<'r> {
    pub(super) fn get<T: Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>>(
        &self,
        column: usize,
    ) -> Result<T> {
        self.0.try_get(column)
    }

    /// A number of another width than the database has.
    pub(super) fn number<T: TryFrom<i64, Error: Into<Box<dyn std::error::Error + Send + Sync>>>>(
        &self,
        column: usize,
    ) -> Result<T> {
        T::try_from(self.get::<i64>(column)?).map_err(corrupt)
    }

    pub(super) fn bytes(&self, column: usize) -> Result<Bytes> {
        self.get::<Vec<u8>>(column).map(Into::into)
    }

    pub(super) fn text(&self, column: usize) -> Result<String> {
        String::from_utf8(self.get(column)?).map_err(corrupt)
    }

    pub(super) fn time(&self, column: usize) -> Result<Time> {
        self.get(column).map(Time)
    }

    fn array<const N: usize>(&self, column: usize) -> Result<[u8; N]> {
        self.get::<&[u8]>(column)?.try_into().map_err(corrupt)
    }

    pub(super) fn run_id(&self, column: usize) -> Result<RunId> {
        self.array(column).map(RunId)
    }

    pub(super) fn namespace_id(&self, column: usize) -> Result<NamespaceId> {
        self.array(column).map(NamespaceId)
    }

    /// Another run, from the columns of its workflow id and its run id.
    fn relative(&self, column: usize) -> Result<Option<(String, RunId)>> {
        let absent = self.get::<Option<&[u8]>>(column)?.is_none();
        if absent {
            return Ok(None);
        }
        Ok(Some((self.text(column)?, self.run_id(column + 1)?)))
    }
}

/// A row of `runs`, in the order in which the queries name its columns.
pub(super) fn run(row: &PgRow) -> Result<Row> {
    let row = Columns(row);
    Ok(Row {
        run: row.run_id(0)?,
        namespace: row.namespace_id(1)?,
        kind: u8::try_from(row.get::<i16>(2)?).map_err(corrupt)?,
        workflow_id: row.text(3)?,
        nth: row.number(4)?,
        start_request_id: row.text(5)?,
        first_run: row.run_id(6)?,
        status: row.get(7)?,
        workflow_type: row.text(8)?,
        task_queue: row.text(9)?,
        start_time: row.time(10)?,
        execution_time: row.time(11)?,
        close_time: row.get::<Option<i64>>(12)?.map(Time),
        history_length: row.get(13)?,
        history_size_bytes: row.get(14)?,
        state_transition_count: row.get(15)?,
        parent: row.relative(16)?,
        root: row.relative(18)?,
        memo: row.bytes(20)?,
        search_attributes: row.bytes(21)?,
        workers: row.text(22)?,
    })
}

pub(super) fn record(row: &PgRow) -> Result<Record> {
    let row = Columns(row);
    Ok(Record {
        seq: row.number(0)?,
        epoch: Epoch(row.number(1)?),
        time: row.time(2)?,
        first_event_id: row.get(3)?,
        event_count: row.number(4)?,
        events: row.bytes(5)?,
        changes: row.bytes(6)?,
        chain: row.array(7)?,
    })
}

/// A snapshot, and the event id at which the records behind it begin.
pub(super) fn snapshot(row: &PgRow) -> Result<(Snapshot, i64)> {
    let row = Columns(row);
    let snapshot = Snapshot {
        seq: row.number(0)?,
        chain: row.array(1)?,
        state: row.bytes(2)?,
    };
    Ok((snapshot, row.get(3)?))
}

pub(super) fn heartbeat(row: &PgRow) -> Result<Heartbeat> {
    let row = Columns(row);
    Ok(Heartbeat {
        scheduled_event_id: row.get(0)?,
        details: row.bytes(1)?,
    })
}

pub(super) fn term(row: &PgRow) -> Result<Term> {
    let row = Columns(row);
    Ok(Term {
        attribute: row.array(0)?,
        value: row.bytes(1)?,
    })
}

pub(super) fn fragment(row: &PgRow) -> Result<Fragment> {
    let row = Columns(row);
    Ok(Fragment {
        first_event_id: row.get(0)?,
        event_count: row.number(1)?,
        events: row.bytes(2)?,
    })
}

pub(super) fn wake_up(row: &PgRow) -> Result<WakeUp> {
    let row = Columns(row);
    Ok(WakeUp {
        time: row.time(0)?,
        run: row.run_id(1)?,
        workflow_id: row.text(2)?,
        namespace: row.namespace_id(3)?,
    })
}

pub(super) fn parked(row: &PgRow, queue: &Queue) -> Result<Parked> {
    let row = Columns(row);
    Ok(Parked {
        queue: queue.clone(),
        priority: u8::try_from(row.get::<i16>(0)?).map_err(corrupt)?,
        pass: row.get(1)?,
        time: row.time(2)?,
        run: row.run_id(3)?,
    })
}

/// A queue from the columns `namespace, queue, work, sticky, sticky_of`.
fn queue(row: &Columns<'_>) -> Result<Queue> {
    Ok(Queue {
        namespace: row.namespace_id(0)?,
        name: row.text(1)?,
        work: match row.get::<i16>(2)? {
            1 => Work::Workflow,
            2 => Work::Activity,
            other => return Err(corrupt(format!("work {other}"))),
        },
        sticky_of: row.get::<bool>(3)?.then(|| row.text(4)).transpose()?,
    })
}

/// A queue, with how much is parked for it and since when.
pub(super) fn parked_queue(row: &PgRow) -> Result<(Queue, u64, Time)> {
    let row = Columns(row);
    Ok((queue(&row)?, row.number(5)?, row.time(6)?))
}

/// A parked offer with its queue in front, and its shard behind.
pub(super) fn parked_of_run(row: &PgRow) -> Result<(ShardId, Parked)> {
    let row = Columns(row);
    let parked = Parked {
        queue: queue(&row)?,
        priority: u8::try_from(row.get::<i16>(5)?).map_err(corrupt)?,
        pass: row.get(6)?,
        time: row.time(7)?,
        run: row.run_id(8)?,
    };
    Ok((ShardId(row.number(9)?), parked))
}
