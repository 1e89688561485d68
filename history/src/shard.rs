//! The owner of many runs: a state machine of heads and frontiers. No I/O, no clock, no tasks.
//!
//! Inputs are questions, loads that came back, commits that ended, and time; outputs are in [`Output`]. The shell keeps a
//! shard behind a lock, steps it in the task that brings the input, and carries the outputs out.
//!
//! What leaves the shard (answers, refusals, reads) is bound to the number of the head it was computed from and released when
//! the durable frontier has passed it. Only offers run ahead.

use std::ops::Range;

use bytes::Bytes;

use crate::id::{Epoch, Key, RunId, ShardId, Ticket, Time};
use crate::kind::{Kind, Offer, Queue};
use crate::log::{Found, Parked, ReadError, Row, ShardBatch, Stored, WakeUp};

/// What a question is addressed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub key: Key,
    /// This run; `None`: the current run of the id.
    pub run: Option<RunId>,
    /// Set for starts: the run that this request id began, if any, is looked up too.
    pub start_request_id: Option<String>,
}

/// What the shell must do. Outputs are carried out in order.
#[derive(Debug)]
pub enum Output<K: Kind> {
    /// Durable (or refused without having changed anything): give it to who waits.
    Answer(Ticket, Released<K>),
    /// Something waits to be committed: `Shard::take` has it.
    Dirty,
    /// Matching should have these, and should drop those. Runs ahead of the commit.
    Offer {
        offered: Vec<(Key, RunId, Offer)>,
        withdrawn: Vec<(Key, RunId, Offer)>,
    },
    /// Read from the store; the answer comes back through `Shard::loaded`.
    Load(Load),
    /// Durable transitions of this run became visible (for long polls of its history).
    Moved(RunId),
    /// The run's log cannot be folded; it was set aside. For logs and metrics.
    Quarantined(RunId, String),
}

/// An answer with the events it carries.
#[derive(Debug)]
pub struct Released<K: Kind> {
    pub result: Result<K::Answer, K::Refusal>,
    pub events: Option<Slice>,
}

/// Events of a run: what is still in memory, and what the shell must read before it.
#[derive(Clone, Debug)]
pub struct Slice {
    pub run: RunId,
    /// Read these event ids from the log first (durable by now).
    pub missing: Option<Range<i64>>,
    /// Then these fragments of an encoded `History`, in order. They begin and end exactly at the asked range.
    pub fragments: Vec<Bytes>,
}

/// A read that the shard needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// `Store::find`, then `Store::load` of the current run, or of `run` if given.
    Id {
        load: u64,
        key: Key,
        run: Option<RunId>,
        start_request_id: Option<String>,
    },
    /// Single events of a run, by id (`Store::page`).
    Events {
        load: u64,
        run: RunId,
        ids: Vec<i64>,
    },
    /// `Store::wake_ups`.
    WakeUps {
        load: u64,
        horizon: Time,
        after: Option<(Time, RunId)>,
        limit: usize,
    },
    /// `Store::parked`.
    Parked {
        load: u64,
        queue: Queue,
        after: Option<Parked>,
        limit: usize,
    },
    /// `Store::parked_queues`.
    ParkedQueues { load: u64 },
}

/// What a load found.
#[derive(Debug)]
pub enum Loaded {
    Id {
        found: Found,
        stored: Option<Box<Stored>>,
    },
    Events(Vec<cairn_proto::temporal::api::history::v1::HistoryEvent>),
    WakeUps(Vec<WakeUp>),
    Parked(Vec<Parked>),
    ParkedQueues(Vec<Queue>),
    Failed(ReadError),
}
