//! What happens, to whom, and when: the events of the simulation, and the heap that puts them in order.
//!
//! Deliberately absent: what follows from an event (`world`).

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

use cairn_history::execution::reset::Keep;
use cairn_history::execution::{Answer, Question, Refusal, TaskStarted};
use cairn_history::id::{Epoch, Key, RunId, ShardId, Ticket, Time};
use cairn_history::kind::{Offer, Queue};
use cairn_history::log::{Found, Record, ShardBatch};
use cairn_history::placement::View;
use cairn_history::shard::{Load, Loaded};
use cairn_matching::queue::{Name, PollId};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::workflowservice::v1::PollActivityTaskQueueResponse;

use crate::plan::Fault;

/// One life of a node or worker: after a death the same index comes back with another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) index: usize,
    pub(crate) generation: u64,
}

impl Stamp {
    /// The name under which the database knows a node.
    pub(crate) fn name(self) -> String {
        format!("{}.{}", self.index, self.generation)
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let (index, generation) = name.split_once('.')?;
        Some(Self {
            index: index.parse().ok()?,
            generation: generation.parse().ok()?,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Node(usize),
    Client(usize),
    Worker(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallId(pub(crate) u64);

#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) id: CallId,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// `passed_on`: by another node; it is not passed on again.
    Call {
        call: Box<Call>,
        passed_on: bool,
    },
    Reply(Box<Reply>),
}

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Ask {
        key: Key,
        run: Option<RunId>,
        start_request_id: Option<String>,
        question: Question,
    },
    /// The whole history of a run.
    Read {
        key: Key,
        run: Option<RunId>,
    },
    Reset(Box<Resetting>),
    Poll {
        name: Name,
        identity: String,
    },
    Offer {
        shard: ShardId,
        epoch: Epoch,
        number: u64,
        offered: Vec<(Key, RunId, Offer)>,
        withdrawn: Vec<(Key, RunId, Offer)>,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Answered {
        answer: Answer,
        events: Vec<HistoryEvent>,
    },
    Refused(Refusal),
    History {
        run: RunId,
        events: Vec<HistoryEvent>,
        open: bool,
    },
    /// The run that goes on.
    Reset(RunId),
    /// A poll whose time is over.
    Empty,
    WorkflowTask {
        key: Key,
        task: Box<TaskStarted>,
        events: Vec<HistoryEvent>,
    },
    ActivityTask {
        key: Key,
        run: RunId,
        task: Box<PollActivityTaskQueueResponse>,
        scheduled_event_id: i64,
        attempt: i32,
    },
    Offered {
        unavailable: Vec<(Key, RunId)>,
    },
    /// This node does not own what was asked for, or cannot say now.
    NotHere,
}

/// A reset that a client asks for.
#[derive(Clone, Debug)]
pub(crate) struct Resetting {
    pub(crate) key: Key,
    pub(crate) base: RunId,
    /// The last event that is kept.
    pub(crate) last: i64,
    pub(crate) request_id: String,
    pub(crate) keep: Keep,
}

/// A call to the database.
#[derive(Clone, Debug)]
pub(crate) struct StoreCall {
    pub(crate) node: Stamp,
    pub(crate) number: u64,
    pub(crate) op: Op,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Commit {
        batches: Vec<ShardBatch>,
    },
    TakeOver {
        shard: ShardId,
        expected: Epoch,
    },
    Release {
        shard: ShardId,
        epoch: Epoch,
    },
    Beat {
        leaving: bool,
    },
    Load {
        shard: ShardId,
        load: Load,
        /// The first half of a load by id is done.
        found: Option<Box<Found>>,
    },
    Page {
        run: RunId,
        range: Range<i64>,
    },
    Records {
        run: RunId,
    },
    ParkedQueues {
        shard: ShardId,
    },
}

/// What the database says, as the node hears it.
#[derive(Debug)]
pub(crate) enum Said {
    Committed(Result<cairn_history::log::Committed, cairn_history::log::Failure>),
    Taken(Option<Epoch>),
    Released,
    View(Option<Box<View>>),
    Loaded(u64, Box<Loaded>),
    Page(Option<Vec<HistoryEvent>>),
    Records(Option<Vec<Record>>),
    ParkedQueues(Option<Vec<Queue>>),
}

/// Somebody who may have to wait for the answer of a run.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) ticket: Ticket,
    pub(crate) key: Key,
    pub(crate) run: Option<RunId>,
}

#[derive(Debug)]
pub(crate) enum Event {
    Deliver(Box<Envelope>),
    /// A call reaches the database. The fault, if any, was drawn when it left.
    Reach(Box<StoreCall>, Option<Fault>),
    /// Its outcome reaches the node.
    Return(Box<StoreCall>, Box<Said>),
    Alarm(Stamp, ShardId),
    Write(Stamp, usize),
    Beat(Stamp),
    /// Matching looks at its queues.
    Queues(Stamp),
    PollOver(Stamp, PollId),
    /// Who waits for an update has waited long enough.
    Patience(Stamp, Box<Waiting>),
    Expire(Place, CallId),
    Client(usize),
    Chore(Stamp, u64),
    /// A worker fills its free slots with polls.
    Polls(Stamp),
    Strike,
    Restart(usize),
    WorkerBack(usize),
    /// A node that was to leave has had its time.
    Leave(Stamp),
    Heal,
    Judge,
}

#[derive(Debug)]
struct Due {
    time: Time,
    nth: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.time, self.nth) == (other.time, other.nth)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest: `BinaryHeap` gives the greatest first.
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.nth).cmp(&(self.time, self.nth))
    }
}

/// Events by time; of the same time in the order in which they were put.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    due: BinaryHeap<Due>,
    nth: u64,
}

impl Heap {
    pub(crate) fn put(&mut self, time: Time, event: Event) {
        self.nth += 1;
        let nth = self.nth;
        self.due.push(Due { time, nth, event });
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Event)> {
        self.due.pop().map(|due| (due.time, due.event))
    }
}
