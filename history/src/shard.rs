//! The owner of many runs: a state machine of heads and frontiers. No I/O, no clock, no tasks.
//!
//! Inputs are questions, loads that came back, commits that ended, and time; outputs are in [`Output`]. The shell keeps a
//! shard behind a lock, steps it in the task that brings the input, and carries the outputs out.
//!
//! What leaves the shard (answers, refusals, reads, messages to other runs) is bound to the number of the head it was computed from and released when
//! the durable frontier has passed it. Only offers run ahead.

mod cache;
mod checkpoint;
mod config;
mod entry;
mod fate;
mod fold;
mod offers;
mod outbox;
mod park;
mod queue;
mod recover;
mod refuse;
mod step;
mod tail;
mod turn;
mod wake;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::execution::Limits;
use crate::id::{Entropy, Epoch, Key, RunId, ShardId, Ticket, Time};
use crate::kind::{Kind, Offer, Queue, Unavailable};
use crate::log::{Found, Parked, ReadError, ShardBatch, Stored, WakeUp};

pub use checkpoint::is_readable;
pub(crate) use checkpoint::unseal;
pub use config::Config;
pub use fate::{Fate, fate};

use entry::Entry;
use turn::Turn;

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
    /// Matching should drop the withdrawn, then have the offered. Runs ahead of the commit.
    Offer {
        offered: Vec<(Key, RunId, Offer)>,
        withdrawn: Vec<(Key, RunId, Offer)>,
    },
    /// To be delivered to another run; how that went comes back through `Shard::delivered` or `Shard::undelivered`. Durably owed.
    Send {
        run: RunId,
        effect: K::Effect,
        message: K::Message,
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
    /// `Store::load`: a run of which only the id is known (a look at a parked offer).
    Run { load: u64, run: RunId },
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
}

/// What a load found.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is nearly every one, and each lives for one call"
)]
pub enum Loaded {
    Id {
        found: Found,
        stored: Option<Box<Stored>>,
    },
    Run(Option<Box<Stored>>),
    Events(Vec<cairn_proto::temporal::api::history::v1::HistoryEvent>),
    WakeUps(Vec<WakeUp>),
    Parked(Vec<Parked>),
    Failed(ReadError),
}

/// A batch to commit and the number of its last item: what `Shard::committed` is told when it is durable.
#[derive(Debug)]
pub struct Taken {
    /// Without items it is the proof of the epoch alone, and must be committed all the same.
    pub batch: ShardBatch,
    /// The number of each of its items.
    pub numbers: Vec<u64>,
    /// The frontier behind it.
    pub through: u64,
    /// What the batch weighs, roughly.
    pub bytes: usize,
    /// Something was left for the next batch.
    pub more: bool,
}

/// What a shard holds, for metrics and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Ids with anything in memory.
    pub entries: usize,
    pub cached_runs: usize,
    pub cached_bytes: usize,
    /// Items that are not durable yet.
    pub queued_items: usize,
    pub queued_bytes: usize,
    /// Turns that wait behind loads.
    pub waiting: usize,
    /// Offers that matching was given and has not lost.
    pub offered: usize,
    /// Offers of loaded runs that wait for room.
    pub overflow: usize,
    /// Messages to other runs that are on their way, and others that are owed.
    pub sent: usize,
    pub unsent: usize,
    /// Wake-ups in memory, of loaded runs and others.
    pub wake_ups: usize,
    pub quarantined: usize,
}

/// The owner of the runs of one shard, under one epoch.
#[derive(Debug)]
pub struct Shard<K: Kind> {
    id: ShardId,
    epoch: Epoch,
    config: Config,
    entropy: Box<dyn Entropy>,
    /// The latest time that came in: a clock that steps back does not move it.
    now: Time,
    entries: BTreeMap<Arc<Key>, Box<Entry<K>>>,
    /// Where each loaded run is.
    loaded: BTreeMap<RunId, Arc<Key>>,
    head: queue::Head<K>,
    wakes: wake::Wakes,
    offers: offers::Offers,
    outbox: outbox::Outbox<K>,
    cache: cache::Cache,
    loads: recover::Loads,
    /// Turns behind loads, over all entries.
    waiting: usize,
    /// Where an asker waits that is not bound to an item: behind a load (`None`), or in a run's volatile part.
    askers: BTreeMap<Ticket, (Arc<Key>, Option<RunId>)>,
    quarantined: BTreeSet<RunId>,
    /// How often the store refused an item of a run.
    faults: BTreeMap<RunId, u32>,
    /// The epoch was lost: nothing is answered from here any more.
    dropped: bool,
}

impl<K: Kind> Shard<K> {
    /// A shard that was just taken over. The first tick begins recovery.
    pub fn new(id: ShardId, epoch: Epoch, config: Config, entropy: Box<dyn Entropy>) -> Self {
        Self {
            id,
            epoch,
            head: queue::Head::new(config.reads_need_proof),
            offers: offers::Offers::new(config.offered_max),
            outbox: outbox::Outbox::new(&config),
            wakes: wake::Wakes::new(&config),
            config,
            entropy,
            now: Time::default(),
            entries: BTreeMap::new(),
            loaded: BTreeMap::new(),
            cache: cache::Cache::default(),
            loads: recover::Loads::new(epoch),
            waiting: 0,
            askers: BTreeMap::new(),
            quarantined: BTreeSet::new(),
            faults: BTreeMap::new(),
            dropped: false,
        }
    }

    /// A question: answered at once, behind a commit, or behind a load.
    pub fn ask(
        &mut self,
        ticket: Ticket,
        target: Target,
        question: K::Question,
        now: Time,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) {
        self.advance(now);
        if let Some(why) = self.turned_away() {
            out.push(unavailable(ticket, why));
            return;
        }
        let key = self.entry(target.key);
        let turn = Turn::question(ticket, target.run, target.start_request_id, question);
        self.enqueue(&key, turn, limits, out);
        self.evict(out);
    }

    /// The asker has gone: no answer is wanted, though one may still come. What was queued stays queued.
    pub fn forget(&mut self, ticket: Ticket) {
        let Some((key, run)) = self.askers.remove(&ticket) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        if let Some(cached) = run.and_then(|run| entry.run_mut(run)) {
            cached.askers.remove(&ticket);
            return;
        }
        // The front turn may be what a load was begun for; it stays and is asked for nobody.
        let before = entry.waiting.len();
        let front = entry.waiting.pop_front();
        entry.waiting.retain(|turn| turn.ticket() != Some(ticket));
        if let Some(front) = front {
            entry.waiting.push_front(front);
        }
        self.waiting -= before - entry.waiting.len();
    }

    /// What waits to be committed, from the oldest on. Batches end in the order in which they were taken.
    pub fn take(&mut self, items_max: usize, bytes_max: usize) -> Option<Taken> {
        if self.dropped {
            return None;
        }
        let taken = self.head.take(items_max, bytes_max)?;
        Some(Taken {
            batch: ShardBatch {
                shard: self.id,
                epoch: self.epoch,
                items: taken.items,
            },
            numbers: taken.numbers,
            through: taken.through,
            bytes: taken.bytes,
            more: self.head.waits(),
        })
    }

    /// Everything up to this number is durable.
    pub fn committed(&mut self, through: u64, now: Time, out: &mut Vec<Output<K>>) {
        self.advance(now);
        if self.dropped {
            return;
        }
        let mut moved = BTreeSet::new();
        while let Some((number, item)) = self.head.commit(through) {
            for release in item.releases {
                release.give(out);
            }
            for run in item.writes.iter().filter_map(queue::appended) {
                moved.insert(run);
                self.faults.remove(&run);
            }
            if let Some(key) = item.key {
                self.durable(&key, number, out);
            }
        }
        out.extend(moved.into_iter().map(Output::Moved));
        self.send(out);
    }

    /// Nothing of what was taken was written: the same items will be taken again, in the same order.
    pub fn rolled_back(&mut self) {
        self.head.rolled_back();
    }

    /// Time has passed: what is due happens.
    pub fn tick(&mut self, now: Time, limits: &Limits, out: &mut Vec<Output<K>>) {
        self.advance(now);
        if self.dropped {
            return;
        }
        self.wake_due(limits, out);
        self.quieten(out);
        self.evict(out);
        self.read_wake_ups(out);
        self.read_parked(out);
        self.look(limits, out);
        self.send_again(out);
    }

    /// When to tick next. `None`: only after another input.
    pub fn next_tick(&self) -> Option<Time> {
        if self.dropped {
            return None;
        }
        [
            self.next_wake_up(),
            self.cache.next(),
            self.wakes.next_read(),
            self.offers.next_read(),
            self.next_look(),
            self.outbox.next_retry(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What is in memory now.
    pub fn stats(&self) -> Stats {
        Stats {
            entries: self.entries.len(),
            cached_runs: self.cache.runs,
            cached_bytes: self.cache.bytes,
            queued_items: self.head.len(),
            queued_bytes: self.head.bytes(),
            waiting: self.waiting,
            offered: self.offers.offered(),
            overflow: self.offers.overflow(),
            sent: self.outbox.sent(),
            unsent: self.outbox.unsent(),
            wake_ups: self.wakes.len(),
            quarantined: self.quarantined.len(),
        }
    }

    /// Which shard this is.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Under which ownership it acts.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn advance(&mut self, now: Time) {
        self.now = self.now.max(now);
    }

    /// Why no question is taken now.
    fn turned_away(&self) -> Option<Unavailable> {
        if self.dropped {
            Some(Unavailable::ShardMoved)
        } else if self.busy() || self.waiting >= self.config.waiting_max {
            Some(Unavailable::Busy)
        } else {
            None
        }
    }

    /// Too much waits for the disk.
    fn busy(&self) -> bool {
        self.head.bytes() > self.config.undurable_bytes_max
    }

    /// How many runs that nobody asked for may be on their way into memory. While it is full and something is about to leave it
    /// is one: a shard that commits without a pause must wake others all the same. While the disk is behind it is none.
    fn loads_max(&self) -> usize {
        let Config {
            cached_runs_max,
            cached_bytes_max,
            undurable_bytes_max,
            loads_max,
            ..
        } = self.config;
        let full = self.cache.runs + self.background() >= cached_runs_max
            || self.cache.bytes > cached_bytes_max;
        let slow = self.head.bytes() > undurable_bytes_max / 8;
        let will_change = self.head.len() > 0 || self.cache.leaving > 0;
        match (slow, full, will_change) {
            (true, ..) => 0,
            (false, false, _) => loads_max,
            (false, true, true) => 1,
            // Whatever is here may be unable to leave.
            (false, true, false) => loads_max.div_ceil(16),
        }
    }

    /// The id's entry, made if there is none.
    fn entry(&mut self, key: Key) -> Arc<Key> {
        if let Some((key, _)) = self.entries.get_key_value(&key) {
            return Arc::clone(key);
        }
        let key = Arc::new(key);
        let due = self.now.after(self.config.quiet);
        self.cache.watch(due, &key);
        let entry = Box::new(Entry::new(self.now, due));
        self.entries.insert(Arc::clone(&key), entry);
        key
    }
}

/// No answer now.
fn unavailable<K: Kind>(ticket: Ticket, why: Unavailable) -> Output<K> {
    let result = Err(K::unavailable(why));
    Output::Answer(
        ticket,
        Released {
            result,
            events: None,
        },
    )
}
