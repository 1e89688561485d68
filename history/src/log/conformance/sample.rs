//! Values to store, and short ways to store them.

use bytes::Bytes;

use super::super::{Failure, Parked, Record, Row, ShardBatch, Snapshot, Store, Write, visibility};
use crate::id::{Epoch, Key, NamespaceId, RunId, ShardId, Time};
use crate::kind::{Queue, Work};

pub(crate) const SHARD: ShardId = ShardId(3);
pub(crate) const OTHER: ShardId = ShardId(4);
pub(crate) const NAMESPACE: NamespaceId = NamespaceId(*b"sixteen bytes ok");

pub(crate) fn run(number: u8) -> RunId {
    let mut id = [0; 16];
    id[0] = number;
    id[15] = !number;
    RunId(id)
}

pub(crate) fn key(workflow_id: &str) -> Key {
    Key {
        namespace: NAMESPACE,
        workflow_id: workflow_id.to_owned(),
    }
}

/// An open run, all of whose fields say something.
pub(crate) fn row(number: u8, workflow_id: &str) -> Row {
    Row {
        run: run(number),
        namespace: NAMESPACE,
        workflow_id: workflow_id.to_owned(),
        kind: 1,
        nth: number.into(),
        start_request_id: format!("request {number}"),
        first_run: run(1),
        status: Row::RUNNING,
        workflow_type: "Type".to_owned(),
        task_queue: "queue".to_owned(),
        start_time: Time(1_000 + i64::from(number)),
        execution_time: Time(2_000 + i64::from(number)),
        close_time: None,
        history_length: 5,
        history_size_bytes: 600,
        state_transition_count: 2,
        parent: Some(("parent".to_owned(), run(200))),
        root: Some(("root".to_owned(), run(201))),
        memo: Bytes::from_static(b"memo"),
        search_attributes: Bytes::from_static(b"attributes"),
        workers: "\nBuildIds=w\0\n".to_owned(),
    }
}

pub(crate) fn closed(row: Row, at: i64) -> Row {
    Row {
        status: 2,
        close_time: Some(Time(at)),
        ..row
    }
}

/// Record `seq` with `count` events from `first` on.
pub(crate) fn record(seq: u64, first: i64, count: u32) -> Record {
    let mut record = Record {
        seq,
        epoch: Epoch(1),
        time: Time(seq.cast_signed()),
        first_event_id: first,
        event_count: count,
        events: Bytes::from(format!("events {first} {count}")),
        changes: Bytes::from(format!("changes {seq}")),
        chain: [0; 32],
    };
    record.chain = record.chained(&[7; 32]);
    record
}

pub(crate) fn start(row: Row) -> Write {
    put(record(1, 1, 2), row)
}

pub(crate) fn put(record: Record, row: Row) -> Write {
    Write::Append {
        run: row.run,
        record,
        row: Some(row),
        terms: None,
        wake_at: None,
    }
}

pub(crate) fn append(number: u8, record: Record) -> Write {
    Write::Append {
        run: run(number),
        record,
        row: None,
        terms: None,
        wake_at: None,
    }
}

pub(crate) fn checkpoint(number: u8, wake_at: Option<i64>) -> Write {
    Write::Checkpoint {
        run: run(number),
        wake_at: wake_at.map(Time),
        snapshot: None,
        parked: Vec::new(),
    }
}

pub(crate) fn snapshot(number: u8, seq: u64) -> Write {
    Write::Checkpoint {
        run: run(number),
        wake_at: None,
        snapshot: Some(Snapshot {
            seq,
            chain: [9; 32],
            state: Bytes::from(format!("state {seq}")),
        }),
        parked: Vec::new(),
    }
}

pub(crate) fn park(number: u8, parked: Vec<Parked>) -> Write {
    Write::Checkpoint {
        run: run(number),
        wake_at: None,
        snapshot: None,
        parked,
    }
}

pub(crate) fn queue(name: &str) -> Queue {
    Queue {
        namespace: NAMESPACE,
        name: name.to_owned(),
        work: Work::Workflow,
        sticky_of: None,
    }
}

pub(crate) fn parked(number: u8, queue: Queue, priority: u8, pass: i64, time: i64) -> Parked {
    Parked {
        queue,
        priority,
        pass,
        time: Time(time),
        run: run(number),
    }
}

pub(crate) fn everything() -> visibility::Query {
    visibility::Query {
        namespace: NAMESPACE,
        condition: None,
    }
}

/// Takes [`SHARD`].
pub(crate) async fn own(store: &dyn Store) -> Epoch {
    store.take_over(SHARD, "conformance").await.unwrap()
}

pub(crate) fn batch(shard: ShardId, epoch: Epoch, writes: Vec<Write>) -> ShardBatch {
    ShardBatch {
        shard,
        epoch,
        items: writes.into_iter().map(|write| vec![write]).collect(),
    }
}

/// Commits to [`SHARD`], which must succeed.
pub(crate) async fn commit(store: &dyn Store, epoch: Epoch, writes: Vec<Write>) {
    let committed = try_commit(store, epoch, writes).await.unwrap();
    assert_eq!(committed.lost, []);
}

pub(crate) async fn try_commit(
    store: &dyn Store,
    epoch: Epoch,
    writes: Vec<Write>,
) -> Result<super::super::Committed, Failure> {
    let connection = SHARD.0 as usize % store.writers();
    let batches = [batch(SHARD, epoch, writes)];
    store.commit(connection, &batches).await
}

pub(crate) async fn refused(store: &dyn Store, epoch: Epoch, writes: Vec<Write>) {
    let failure = try_commit(store, epoch, writes).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
}
