//! A node: shards it owns, writers, a matching service, and the way to the other nodes. The shell of the real server, under a seed.
//!
//! Every input of a shard goes through [`World::step`]. Deliberately absent: rules; they are in the state machines that this carries.

mod effects;
mod history;
mod matching;
mod member;
mod reset;
mod route;
mod usurp;
mod wait;
mod writer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cairn_history::execution::{Effect, Workflow};
use cairn_history::id::{Epoch, Key, RunId, ShardId, Ticket, Time};
use cairn_history::kind::{Offer, Queue};
use cairn_history::placement::View;
use cairn_history::shard::Shard;
use cairn_matching::queue::{Name, PollId, Queues};

use crate::clock::Clock;
use crate::event::{CallId, Place, Stamp};

use matching::Poll;
use reset::Underway;
use writer::Writer;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) stamp: Stamp,
    pub(crate) up: bool,
    /// It was stopped, and does not know.
    pub(crate) paused_until: Option<Time>,
    /// It goes away in good order.
    pub(crate) leaving: bool,
    pub(crate) clock: Clock,
    /// Its clock is too far off: it may own nothing.
    astray: bool,
    slots: BTreeMap<ShardId, Slot>,
    writers: Vec<Writer>,
    queues: Queues,
    queues_armed: Option<Time>,
    polls: BTreeMap<PollId, Poll>,
    pending: BTreeMap<CallId, Pending>,
    resets: BTreeMap<u64, Underway>,
    view: View,
    /// The members of the view, and where they put the queues that were asked for.
    members: Vec<String>,
    homes: BTreeMap<Name, Option<Stamp>>,
    calls: BTreeMap<u64, Purpose>,
    tickets: u64,
}

/// A shard, as far as this node has to do with it.
#[derive(Debug)]
enum Slot {
    Taking,
    Here(Box<Owned>),
}

#[derive(Debug)]
struct Owned {
    shard: Shard<Workflow>,
    epoch: Epoch,
    /// Who waits for an answer, and since when.
    asked: BTreeMap<Ticket, (Asker, Time)>,
    offers: VecDeque<Batch>,
    batches: u64,
    /// Parts of the batch on its way that nobody confirmed yet.
    offering: BTreeMap<CallId, (Stamp, Batch)>,
    /// Queues that something was offered on, and to whom.
    told: BTreeMap<Queue, Option<Stamp>>,
    /// For when the next alarm is, by the clocks of the node and of the world.
    armed: Option<(Time, Time)>,
    /// Taken away when nothing waits for the disk.
    releasing: bool,
}

/// What was said to matching in one step.
#[derive(Clone, Debug, Default)]
struct Batch {
    number: u64,
    offered: Vec<(Key, RunId, Offer)>,
    withdrawn: Vec<(Key, RunId, Offer)>,
}

/// Who waits for an answer of a shard.
#[derive(Clone, Debug)]
enum Asker {
    Caller {
        to: Place,
        id: CallId,
    },
    /// Reads the history once it is known how long it is.
    Reader {
        to: Place,
        id: CallId,
        run: Option<RunId>,
    },
    /// The one with this ticket waits no longer.
    Stopper(Ticket),
    /// A reset under way.
    Reset(u64),
    Nobody,
}

/// A call of this node to another (or itself).
#[derive(Debug)]
enum Pending {
    PassedOn {
        to: Place,
        id: CallId,
    },
    Start {
        poll: PollId,
    },
    Offer {
        shard: ShardId,
    },
    Effect {
        shard: ShardId,
        epoch: Epoch,
        run: RunId,
        effect: Effect,
    },
}

/// Why the database was called.
#[derive(Debug)]
enum Purpose {
    Commit {
        writer: usize,
    },
    Take {
        shard: ShardId,
    },
    Reset(u64),
    Release,
    Beat,
    Load {
        shard: ShardId,
        epoch: Epoch,
    },
    Queues {
        shard: ShardId,
        epoch: Epoch,
    },
    /// Events that an answer or a reader waits for.
    Events {
        to: Place,
        id: CallId,
        then: Box<Then>,
    },
}

/// What the events complete.
#[derive(Debug)]
enum Then {
    Answer(
        cairn_history::execution::Answer,
        Vec<cairn_proto::temporal::api::history::v1::HistoryEvent>,
    ),
    History {
        run: RunId,
        open: bool,
    },
}

impl Node {
    pub(crate) fn new(stamp: Stamp, clock: Clock, writers: usize) -> Self {
        Self {
            stamp,
            up: true,
            paused_until: None,
            leaving: false,
            clock,
            astray: false,
            slots: BTreeMap::new(),
            writers: (0..writers).map(|_| Writer::default()).collect(),
            queues: Queues::default(),
            queues_armed: None,
            polls: BTreeMap::new(),
            pending: BTreeMap::new(),
            resets: BTreeMap::new(),
            view: View::default(),
            members: Vec::new(),
            homes: BTreeMap::new(),
            calls: BTreeMap::new(),
            tickets: 0,
        }
    }

    fn owned(&mut self, shard: ShardId) -> Option<&mut Owned> {
        match self.slots.get_mut(&shard)? {
            Slot::Here(owned) => Some(owned),
            Slot::Taking => None,
        }
    }

    /// The shards that it believes to own.
    pub(crate) fn shards(&self) -> BTreeSet<ShardId> {
        let here = self
            .slots
            .iter()
            .filter(|(_, slot)| matches!(slot, Slot::Here(_)));
        here.map(|(shard, _)| *shard).collect()
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}
