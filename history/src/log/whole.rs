//! What the auditor reads: run by run, everything that any table holds of it, whoever writes meanwhile.
//!
//! Apart from `Store`, because a database can also be opened for reading only, beside the process that owns it. Deliberately
//! absent: judgement (`audit`).

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Parked, ReadError, Record, Row, Snapshot};
use crate::id::{Epoch, RunId, ShardId, Time};
use crate::kind::Heartbeat;
use crate::search_attribute::Term;

/// A database that can be read run by run.
#[async_trait]
pub trait Audit: Debug + Send + Sync + 'static {
    /// The first run behind `after` that any table names.
    async fn next_run(&self, after: Option<RunId>) -> Result<Option<RunId>, ReadError>;

    /// Everything that any table holds of a run, as of one moment.
    async fn whole(&self, run: RunId) -> Result<Whole, ReadError>;
}

/// Everything that any table holds of a run. Whatever names a run that is not there is an orphan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whole {
    /// `None`: there is no row.
    pub filed: Option<Filed>,
    /// In the order of their keys: by first event, then by seq.
    pub records: Vec<Record>,
    /// With the event id at which a load begins to read the records behind it.
    pub snapshot: Option<(Snapshot, i64)>,
    pub heartbeats: Vec<Heartbeat>,
    /// In order.
    pub terms: Vec<Term>,
    /// With the shard that would find them.
    pub parked: Vec<(ShardId, Parked)>,
}

/// The row of a run with what only its shard reads of it, and what the tables say around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Filed {
    pub row: Row,
    pub shard: ShardId,
    pub wake_at: Option<Time>,
    /// The epoch of that shard; `None`: there is no such shard.
    pub epoch: Option<Epoch>,
    /// The run of its id with the largest `nth`.
    pub current: RunId,
    /// Other open runs of its id and kind, in order; those that come first, if there are many.
    pub rivals: Vec<RunId>,
}

/// More rivals than that tell nobody anything.
pub(super) const RIVALS_MAX: usize = 10;
