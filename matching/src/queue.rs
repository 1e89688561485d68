//! Task queues as pure state machines: who does the next task.
//!
//! Inputs are offers, polls, queries, outcomes of starts and the time; outputs are pairings. [`Queues`] holds many queues,
//! [`queue::Queue`] is one. Deliberately absent: any clock, thread or id made from nothing, and any knowledge of what a
//! task is about. Nothing in here must last: shards offer again what was lost.

mod all;
mod held;
mod pollers;
#[expect(
    clippy::module_inception,
    reason = "the folder is about queues, the file about one"
)]
mod queue;
mod rates;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use all::{Queues, Refusal};
pub use pollers::{Poller, Seen};
pub use queue::{Description, Stats};

/// Nanoseconds since the Unix epoch, by the server's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl Time {
    /// The moment `delay` later; saturates instead of wrapping.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        let delay = i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(delay))
    }

    /// How long it is from `earlier` to here; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// What the pollers of a queue ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    Workflow,
    Activity,
}

/// The name of a logical task queue. A sticky queue belongs to one worker and shares no name space with the normal ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub namespace: [u8; 16],
    pub name: String,
    pub work: Work,
    pub sticky: bool,
}

/// One attempt at one task of one run: what is offered at most once at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId {
    pub run: [u8; 16],
    pub scheduled_event_id: i64,
    pub attempt: i32,
}

/// A task as its shard offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub id: TaskId,
    pub workflow_id: String,
}

/// Who says something of a task: its shard, under this epoch; `number` counts what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub shard: u32,
    pub epoch: u64,
    pub number: u64,
}

/// One task that a shard owes, and its place in the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub task: Arc<Task>,
    pub by: Word,
    /// 1 (first) … 5 (last).
    pub priority: u8,
    /// Since when it is owed.
    pub time: Time,
}

/// A poll that waits or has something in hand. Ordered by arrival within its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PollId {
    queue: u64,
    nth: u64,
}

/// A query on its way to a worker; named by whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryId {
    queue: u64,
    id: u128,
}

impl QueryId {
    /// What the asker named it.
    pub fn id(self) -> u128 {
        self.id
    }
}

/// What a poll is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Ask history to start it, then say how that went.
    Task(Arc<Task>),
    Query(QueryId),
    /// Nothing, now: answer empty.
    End,
    /// The queue is another node's now: poll there.
    Moved,
}

/// A poll and what it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    pub poll: PollId,
    pub given: Given,
}

/// What a step leads to: every input appends to it what has to be carried out.
#[derive(Debug, Default)]
pub struct Out {
    pub pairings: Vec<Pairing>,
    /// Queries whose sticky worker went away before it took them.
    pub forsaken: Vec<QueryId>,
}

/// How a poll ends without a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Its time is over: the worker is well and will poll again.
    Expired,
    /// The worker hung up.
    Cancelled,
}

/// What became of a poll that wanted to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Gone,
    /// Too late: it has just been given something.
    Paired,
}

/// What the queue adds to the answer of a poll that got something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    pub backlog_count: usize,
    /// By how many the worker should change its polls; 0: leave it.
    pub poll_delta: i32,
    /// A poll was waiting when the task was offered.
    pub sync: bool,
    /// From the offer to here.
    pub latency: Duration,
}

/// A sticky queue whose worker has not polled for so long refuses work.
pub const STICKY_POLLER_UNAVAILABLE: Duration = Duration::from_secs(10);
/// A query is hopeless on a queue that was not polled for so long.
pub const QUERY_POLLER_UNAVAILABLE: Duration = Duration::from_secs(20);
/// How long a poller is shown after its last poll, and an unused queue is remembered.
pub const REMEMBERED: Duration = Duration::from_mins(5);
