//! The offers that a queue holds.
//!
//! | in       | input                      | becomes                                                    |
//! |----------|----------------------------|------------------------------------------------------------|
//! | –        | offered                    | waiting                                                    |
//! | waiting  | taken by a poll            | starting                                                   |
//! | starting | started                    | gone                                                       |
//! | starting | refused                    | gone; waiting if it was offered again meanwhile            |
//! | starting | retry                      | delayed; gone if withdrawn meanwhile or tried too often    |
//! | starting | released (the poll left)   | waiting; gone if withdrawn meanwhile                       |
//! | delayed  | its time has come          | waiting                                                    |
//! | any      | withdrawn, older epoch     | gone (starting: when that ends)                            |
//! | any      | withdrawn by a word older than its offer | the same: that word came late                 |
//!
//! Deliberately absent: polls. Who gets an offer is the queue's business.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Offer, Task, TaskId, Time, Word};
use std::sync::Arc;

/// Retries wait 20 ms, 40 ms … up to this: a shard that moves is back within a few seconds.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(1);
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Place in the line: priority, since when it is owed, arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: u8,
    time: Time,
    arrival: u64,
}

#[derive(Debug)]
struct Held {
    task: Arc<Task>,
    by: Word,
    rank: Rank,
    /// When matching first heard of it.
    added: Time,
    tries: u32,
    /// The poll whose start has an unknown outcome: only it may ask again and get the same task.
    tried_by: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Delayed(Time),
    Starting(Fate),
}

/// What becomes of a starting offer if it does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Back if the start is to be retried, gone if it was refused.
    Usual,
    /// It was offered again: back in any case.
    Again,
    /// Withdrawn, or its shard has a new owner: gone in any case.
    Gone,
}

/// An offer that a poll takes.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) task: Arc<Task>,
    pub(super) added: Time,
    pub(super) priority: u8,
}

#[derive(Debug, Default)]
pub(super) struct Offers {
    held: BTreeMap<TaskId, Held>,
    line: BTreeMap<Rank, TaskId>,
    delayed: BTreeSet<(Time, TaskId)>,
    arrivals: u64,
}

impl Offers {
    /// Takes an offer into the line; `false`: it was known.
    pub(super) fn offer(&mut self, offer: Offer, now: Time) -> bool {
        self.arrivals += 1;
        let id = offer.task.id;
        let rank = Rank {
            priority: offer.priority,
            time: offer.time,
            arrival: self.arrivals,
        };
        let Some(held) = self.held.get_mut(&id) else {
            self.held.insert(id, Held::new(offer, rank, now));
            self.line.insert(rank, id);
            return true;
        };
        held.by = offer.by;
        if let State::Starting(fate) = &mut held.state {
            *fate = Fate::Again;
            return false;
        }
        // Known and better placed keeps its arrival; a retry that is offered again need not wait.
        let rank = Rank {
            arrival: held.rank.arrival,
            ..rank
        };
        self.line.remove(&held.rank);
        if let State::Delayed(until) = held.state {
            self.delayed.remove(&(until, id));
            held.tries = 0;
        }
        held.rank = rank;
        held.state = State::Waiting;
        self.line.insert(rank, id);
        false
    }

    pub(super) fn withdraw(&mut self, id: TaskId, number: u64) {
        self.drop_where(Some(id), |held| held.by.number <= number);
    }

    /// Everything that `shard` has offered under an older epoch is nobody's word any more.
    pub(super) fn raise(&mut self, shard: u32, epoch: u64) {
        self.drop_where(None, |held| held.by.shard == shard && held.by.epoch < epoch);
    }

    /// Gives up everything.
    pub(super) fn clear(&mut self) {
        self.drop_where(None, |_| true);
    }

    /// The poll that the first in line wants, if it wants one; `None`: the line is empty.
    #[expect(
        clippy::option_option,
        reason = "no line, or a line whose first wants anybody: said where it is used"
    )]
    pub(super) fn first(&self) -> Option<Option<u64>> {
        let (_, id) = self.line.first_key_value()?;
        Some(self.held.get(id).and_then(|held| held.tried_by))
    }

    /// The first in line starts.
    pub(super) fn take(&mut self) -> Option<Taken> {
        let (_, id) = self.line.pop_first()?;
        let held = self.held.get_mut(&id)?;
        held.state = State::Starting(Fate::Usual);
        Some(Taken {
            task: held.task.clone(),
            added: held.added,
            priority: held.rank.priority,
        })
    }

    pub(super) fn started(&mut self, id: TaskId) {
        self.held.remove(&id);
    }

    /// History says that this task is over, or somebody else's, or waits on another queue.
    pub(super) fn refused(&mut self, id: TaskId) {
        match self.fate(id) {
            Some(Fate::Again) => self.back(id),
            Some(Fate::Usual | Fate::Gone) => {
                self.held.remove(&id);
            }
            None => {}
        }
    }

    /// The poll left before it asked history, or before it heard the answer.
    pub(super) fn released(&mut self, id: TaskId) {
        match self.fate(id) {
            Some(Fate::Again | Fate::Usual) => self.back(id),
            Some(Fate::Gone) => {
                self.held.remove(&id);
            }
            None => {}
        }
    }

    /// Nobody knows whether it started. It is never given up: the shard believes it to be here.
    pub(super) fn retry(&mut self, id: TaskId, poll: u64, now: Time) {
        match self.fate(id) {
            None => return,
            Some(Fate::Gone) => {
                self.held.remove(&id);
                return;
            }
            Some(Fate::Again) => return self.back(id),
            Some(Fate::Usual) => {}
        }
        let Some(held) = self.held.get_mut(&id) else {
            return;
        };
        let until = now.after(RETRY_DELAY_MAX.min(RETRY_DELAY * (1 << held.tries.min(16))));
        held.tries = held.tries.saturating_add(1);
        held.tried_by = Some(poll);
        held.state = State::Delayed(until);
        self.delayed.insert((until, id));
    }

    /// Those whose delay is over wait again, at their old place.
    pub(super) fn tick(&mut self, now: Time) {
        while let Some((until, id)) = self.delayed.first().copied() {
            if until > now {
                return;
            }
            self.delayed.pop_first();
            self.back(id);
        }
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        self.delayed.first().map(|(until, _)| *until)
    }

    /// Those that wait, now or after a delay; not those that start.
    pub(super) fn backlog(&self) -> usize {
        self.line.len() + self.delayed.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How long the oldest of a priority has been owed.
    pub(super) fn age(&self, priority: u8, now: Time) -> Duration {
        let lowest = Rank {
            priority,
            time: Time(i64::MIN),
            arrival: 0,
        };
        match self.line.range(lowest..).next() {
            Some((rank, _)) if rank.priority == priority => now.since(rank.time),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn count(&self, priority: u8) -> usize {
        // Only asked by people: a count per priority need not be kept.
        self.held
            .values()
            .filter(|held| held.rank.priority == priority)
            .filter(|held| !matches!(held.state, State::Starting(_)))
            .count()
    }

    fn fate(&self, id: TaskId) -> Option<Fate> {
        match self.held.get(&id)?.state {
            State::Starting(fate) => Some(fate),
            State::Waiting | State::Delayed(_) => None,
        }
    }

    fn back(&mut self, id: TaskId) {
        if let Some(held) = self.held.get_mut(&id) {
            held.state = State::Waiting;
            self.line.insert(held.rank, id);
        }
    }

    fn drop_where(&mut self, only: Option<TaskId>, falls: impl Fn(&Held) -> bool) {
        let range = match only {
            Some(id) => self.held.range_mut(id..=id),
            None => self.held.range_mut(..),
        };
        let mut gone = Vec::new();
        for (id, held) in range.filter(|(_, held)| falls(held)) {
            match &mut held.state {
                State::Starting(fate) => {
                    *fate = Fate::Gone;
                    continue;
                }
                State::Waiting => {
                    self.line.remove(&held.rank);
                }
                State::Delayed(until) => {
                    self.delayed.remove(&(*until, *id));
                }
            }
            gone.push(*id);
        }
        for id in gone {
            self.held.remove(&id);
        }
    }
}

impl Held {
    fn new(offer: Offer, rank: Rank, added: Time) -> Self {
        Self {
            task: offer.task,
            by: offer.by,
            rank,
            added,
            tries: 0,
            tried_by: None,
            state: State::Waiting,
        }
    }
}
