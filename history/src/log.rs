//! The event log: what is stored, and the one small trait by which it is.
//!
//! The log is the truth; every other table is a reading of it. `sqlite`, `postgres` and `model` (in memory, for
//! simulation) implement [`Store`] and pass one conformance suite. Stores only store: no rule of a workflow is in here.

use async_trait::async_trait;
use bytes::Bytes;

use crate::id::{Epoch, Key, NamespaceId, RunId, ShardId, Time};
use crate::kind::{Heartbeat, Queue};
use crate::placement::{Node, View};
use crate::search_attribute::Term;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod model;
#[cfg(feature = "shell")]
pub mod postgres;
#[cfg(feature = "shell")]
pub mod sqlite;
pub mod visibility;

#[cfg(feature = "shell")]
mod net;
#[cfg(feature = "shell")]
mod open;
mod whole;

#[cfg(feature = "shell")]
pub use open::OpenError;
pub use whole::{Audit, Filed, Whole};

/// A page of a history ends with the fragment that reaches this many bytes.
const PAGE_BYTES: usize = 2 << 20;

/// One committed transition of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// 1, 2, 3 … within the run.
    pub seq: u64,
    /// The ownership under which it was committed.
    pub epoch: Epoch,
    /// Never below the time of the record before it.
    pub time: Time,
    /// The id of the first event in it, or of the next one to come if it has none.
    pub first_event_id: i64,
    pub event_count: u32,
    /// The events as a fragment of an encoded `History`: fragments concatenate.
    pub events: Bytes,
    /// What history does not hold, encoded by the kind.
    pub changes: Bytes,
    /// BLAKE3(previous chain ‖ record bytes), see [`Record::chained`].
    pub chain: [u8; 32],
}

impl Record {
    /// The chain hash of this record behind `previous` (zeros before the first). Names no run, so that a reset can copy records.
    #[must_use]
    pub fn chained(&self, previous: &[u8; 32]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(previous);
        hasher.update(&self.seq.to_le_bytes());
        hasher.update(&self.time.0.to_le_bytes());
        hasher.update(&self.first_event_id.to_le_bytes());
        hasher.update(&u64::from(self.event_count).to_le_bytes());
        for part in [&self.events, &self.changes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

/// The row of a run: *is* the visibility row, and where a shard finds what needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub run: RunId,
    pub namespace: NamespaceId,
    pub workflow_id: String,
    /// Which kind of run; 1 is a workflow.
    pub kind: u8,
    /// The n-th run of its id: the largest is the current one. Given by the shard.
    pub nth: u64,
    pub start_request_id: String,
    pub first_run: RunId,
    /// `temporal.api.enums.v1.WorkflowExecutionStatus`.
    pub status: i32,
    pub workflow_type: String,
    pub task_queue: String,
    pub start_time: Time,
    pub execution_time: Time,
    pub close_time: Option<Time>,
    pub history_length: i64,
    pub history_size_bytes: i64,
    pub state_transition_count: i64,
    pub parent: Option<(String, RunId)>,
    pub root: Option<(String, RunId)>,
    /// Encoded `temporal.api.common.v1.Memo`.
    pub memo: Bytes,
    /// Encoded `temporal.api.common.v1.SearchAttributes`.
    pub search_attributes: Bytes,
    /// Who has worked on it (`search_attribute::workers`): searched, and never read.
    pub workers: String,
}

impl Row {
    pub const RUNNING: i32 = 1;

    pub fn key(&self) -> Key {
        Key {
            namespace: self.namespace,
            workflow_id: self.workflow_id.clone(),
        }
    }

    /// Runs that wait (back-off, pause) are open too.
    pub fn is_open(&self) -> bool {
        self.close_time.is_none()
    }
}

/// One write of one run, atomic with everything in it. Writes of a batch are in the order of the heads they make.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every write is an append, the largest"
)]
pub enum Write {
    /// A transition: a record is appended, and whatever row changes with it.
    Append {
        run: RunId,
        record: Record,
        /// The row, at start, upsert and close. A row written here is hot: `wake_at` 0 while open.
        row: Option<Row>,
        /// By what the run is found beside its row, with the row: replaces what was there. `None`: as it is.
        terms: Option<Vec<Term>>,
        /// The first transition after a checkpoint makes the run hot again: `wake_at` becomes this.
        wake_at: Option<Time>,
    },
    /// The run needs nobody until `wake_at`: it left the cache or went quiet.
    Checkpoint {
        run: RunId,
        /// `None`: nothing will wake it but a question.
        wake_at: Option<Time>,
        snapshot: Option<Snapshot>,
        /// Offers that it still owes; replaces what was parked for the run.
        parked: Vec<Parked>,
    },
    /// A look found these parked offers stale.
    Unpark { stale: Vec<Parked> },
    /// The register of an activity is replaced.
    Heartbeat { run: RunId, heartbeat: Heartbeat },
    /// The run leaves every table (retention, deletion).
    Delete { run: RunId },
}

/// The state of a run after record `seq`: a cache, never the truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub seq: u64,
    /// The chain hash of that record.
    pub chain: [u8; 32],
    pub state: Bytes,
}

/// An owed offer of a run that is not loaded: where a backlog is found, in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parked {
    pub queue: Queue,
    pub priority: u8,
    pub pass: i64,
    pub time: Time,
    pub run: RunId,
}

/// What one shard commits in one transaction with others: all of it or nothing.
#[derive(Clone, Debug)]
pub struct ShardBatch {
    pub shard: ShardId,
    /// Proved in the same transaction. A batch without writes is the proof alone.
    pub epoch: Epoch,
    /// Items in order; the writes of one item stand or fall together.
    pub items: Vec<Vec<Write>>,
}

/// What became of a batch whose transaction committed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Committed {
    /// Shards whose epoch had passed: nothing of theirs was written.
    pub lost: Vec<ShardId>,
}

/// Why a batch was not (known to be) committed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something in the batch is at fault (a constraint, a value the store cannot hold). Nothing was written.
    #[error("the store refused the batch")]
    Refused(#[source] Cause),
    /// Nothing was written; the same batch may be tried again (busy, disk full, connection lost before COMMIT).
    #[error("the transaction was rolled back")]
    RolledBack(#[source] Cause),
    /// It may or may not have been written.
    #[error("the outcome of the commit is unknown")]
    Unknown(#[source] Cause),
    /// The disk did not take what it had promised: the process must end.
    #[error("the disk failed to sync")]
    Sync(#[source] Cause),
}

pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A read that could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the store is unavailable")]
    Unavailable(#[source] Cause),
    #[error("the store holds what cannot be: {0}")]
    Corrupt(String),
}

/// Everything that is stored about one run.
#[derive(Clone, Debug)]
pub struct Stored {
    pub row: Row,
    pub snapshot: Option<Snapshot>,
    /// The records behind the snapshot (all of them if there is none).
    pub records: Vec<Record>,
    pub heartbeats: Vec<Heartbeat>,
}

/// What is stored about an id.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The run with the largest `nth`.
    pub current: Option<Row>,
    /// The run that the start request id began, if one was asked for.
    pub repeated: Option<Row>,
}

/// A fragment of a history page.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    pub first_event_id: i64,
    pub event_count: u32,
    pub events: Bytes,
}

/// A run that somebody must look at, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WakeUp {
    pub time: Time,
    pub run: RunId,
    pub workflow_id: String,
    pub namespace: NamespaceId,
}

/// A namespace as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Namespace {
    pub id: NamespaceId,
    pub name: String,
    /// Encoded `cairn.record.v1.Namespace`.
    pub record: Bytes,
}

/// A database of runs. One writer connection per `writer`, any number of readers.
#[async_trait]
pub trait Store: Audit {
    /// How many shards this database was created with.
    fn shards(&self) -> u32;

    /// How many writer connections there are; a shard stays on one (`shard % writers`).
    fn writers(&self) -> usize;

    /// Must an answer from the head be proved by a later commit of its shard? Not where the file lock is the proof.
    fn reads_need_proof(&self) -> bool;

    /// Takes a shard: raises its epoch, which waits out or fences any stray commit of an earlier owner.
    async fn take_over(&self, shard: ShardId, owner: &str) -> Result<Epoch, Failure>;

    /// The same if its epoch still is `from`; `None`: it is another. Of several who saw the same epoch one gets the shard.
    async fn take_from(
        &self,
        shard: ShardId,
        owner: &str,
        from: Epoch,
    ) -> Result<Option<Epoch>, Failure>;

    /// The owner under this epoch is done with a shard: it is nobody's. Nothing happens if it has been taken.
    async fn release(&self, shard: ShardId, epoch: Epoch) -> Result<(), Failure>;

    /// Writes that a node lives, at the time that the database has, and shows who else does and who owns what. A node whose
    /// `started` is 0 begins now; one whose name a later process has is not written. Nodes that are long dead are forgotten.
    /// Every owner that lives is among the nodes.
    async fn beat(&self, node: &Node) -> Result<View, Failure>;

    /// Commits batches of different shards in one transaction on writer connection `writer`. Never cancelled half-way.
    async fn commit(&self, writer: usize, batches: &[ShardBatch]) -> Result<Committed, Failure>;

    /// The current run of an id, and the run that `start_request_id` began.
    async fn find(&self, key: &Key, start_request_id: Option<&str>) -> Result<Found, ReadError>;

    /// A run with all that is needed to fold it.
    async fn load(&self, run: RunId) -> Result<Option<Stored>, ReadError>;

    /// Every record of a run, in order: for a snapshot that cannot be read any more.
    async fn records(&self, run: RunId) -> Result<Vec<Record>, ReadError>;

    /// Fragments of a history from the one that holds event `from`, in order, up to event `to` (exclusive), stopping after
    /// `limit` fragments or 2 MiB. Records without events are left out.
    async fn page(
        &self,
        run: RunId,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<Fragment>, ReadError>;

    /// The same backwards: fragments that hold events below `below`, newest first.
    async fn page_reverse(
        &self,
        run: RunId,
        below: i64,
        limit: usize,
    ) -> Result<Vec<Fragment>, ReadError>;

    /// Runs of a shard with `wake_at` at or before `horizon` and after (`time`, `run`) of `after`, in order.
    async fn wake_ups(
        &self,
        shard: ShardId,
        horizon: Time,
        after: Option<(Time, RunId)>,
        limit: usize,
    ) -> Result<Vec<WakeUp>, ReadError>;

    /// Parked offers of a queue of a shard behind `after`, in order.
    async fn parked(
        &self,
        shard: ShardId,
        queue: &Queue,
        after: Option<&Parked>,
        limit: usize,
    ) -> Result<Vec<Parked>, ReadError>;

    /// The queues of a shard for which something is parked, with how much and since when.
    async fn parked_queues(&self, shard: ShardId) -> Result<Vec<(Queue, u64, Time)>, ReadError>;

    /// A page of visibility rows, open first, then by close time, start time and run, descending.
    async fn list(
        &self,
        query: &visibility::Query,
        after: Option<&visibility::Position>,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError>;

    /// How many rows match, by status if `grouped`; otherwise one entry with status 0.
    async fn count(
        &self,
        query: &visibility::Query,
        grouped: bool,
    ) -> Result<Vec<(i32, i64)>, ReadError>;

    /// All namespaces, by name.
    async fn namespaces(&self) -> Result<Vec<Namespace>, ReadError>;

    /// Inserts a namespace, or replaces the one with its id, whose record must still be `before`: `false` if it is not, and nothing
    /// was written. `Failure::Refused` if the name belongs to another.
    async fn put_namespace(
        &self,
        namespace: &Namespace,
        before: Option<&[u8]>,
    ) -> Result<bool, Failure>;

    /// A value of the database itself (cluster id, token key): stored on first use, the same for ever.
    async fn setting(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, Failure>;

    /// The database answers (for health checks).
    async fn ping(&self) -> Result<(), ReadError>;

    /// Writes back what is cheap to write back now (a WAL checkpoint), before a clean exit.
    async fn close(&self);
}
