//! Which ids leave memory: those that were quiet for a while, and the least recently used when there are too many.
//!
//! The order is kept lazily: an id is looked at when it was due as of its last look, and put back if it was touched since. So a
//! step costs nothing here. Deliberately absent: what is written before a run may leave (`checkpoint`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::entry::{Cached, Entry};
use super::{Output, Shard};
use crate::id::{Key, RunId, Time};
use crate::kind::Kind;

/// How many ids a tick looks at.
const LOOKS_PER_TICK: usize = 256;

/// How many ids any other input looks at.
const LOOKS_PER_STEP: usize = 16;

/// What a loaded run weighs beside its tail, bytes.
const RUN_BYTES: usize = 8 << 10;

/// The order in which ids are looked at, and what they weigh.
#[derive(Debug, Default)]
pub(super) struct Cache {
    watched: BTreeSet<(Time, Arc<Key>)>,
    pub(super) runs: usize,
    pub(super) bytes: usize,
    /// Ids whose checkpoint is on its way.
    pub(super) leaving: usize,
    /// Runs that left while runs of unknown ids were being read.
    left: BTreeSet<RunId>,
}

impl Cache {
    pub(super) fn next(&self) -> Option<Time> {
        self.watched.first().map(|(due, _)| *due)
    }

    pub(super) fn watch(&mut self, due: Time, key: &Arc<Key>) {
        self.watched.insert((due, Arc::clone(key)));
    }

    pub(super) fn unwatch(&mut self, due: Time, key: &Arc<Key>) {
        self.watched.remove(&(due, Arc::clone(key)));
    }

    pub(super) fn weigh<K: Kind>(&mut self, cached: &mut Cached<K>) {
        let weight = RUN_BYTES + cached.tail.bytes();
        self.bytes = self.bytes + weight - cached.weight;
        cached.weight = weight;
    }

    pub(super) fn left_meanwhile(&self, run: RunId) -> bool {
        self.left.contains(&run)
    }

    pub(super) fn nothing_left(&mut self) {
        self.left.clear();
    }
}

/// May a run leave memory?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// Somebody waits in it, it owes something to others, or its volatile part knows of a time that the log does not.
    No,
    /// Behind a checkpoint.
    Checkpointed,
    Now,
}

fn may_leave<K: Kind>(cached: &Cached<K>) -> Leave {
    if !cached.askers.is_empty() || cached.owes {
        return Leave::No;
    }
    let fresh = K::next_wake(&cached.state, &K::Volatile::default());
    if fresh != K::next_wake(&cached.state, &cached.volatile) {
        return Leave::No;
    }
    if cached.may_go(fresh) {
        Leave::Now
    } else {
        Leave::Checkpointed
    }
}

impl<K: Kind> Shard<K> {
    /// Lets ids go that nobody touched for a while.
    pub(super) fn quieten(&mut self, out: &mut Vec<Output<K>>) {
        for _ in 0..LOOKS_PER_TICK {
            if self.cache.next().is_none_or(|due| due > self.now) {
                return;
            }
            self.look_at_oldest(false, out);
        }
    }

    /// Lets the least recently used ids go while there are too many.
    pub(super) fn evict(&mut self, out: &mut Vec<Output<K>>) {
        for _ in 0..LOOKS_PER_STEP {
            let runs = self.cache.runs.saturating_sub(self.cache.leaving);
            let bytes = self
                .cache
                .bytes
                .saturating_sub(self.cache.leaving * RUN_BYTES);
            if runs <= self.config.cached_runs_max && bytes <= self.config.cached_bytes_max {
                return;
            }
            self.look_at_oldest(true, out);
        }
    }

    fn look_at_oldest(&mut self, crowded: bool, out: &mut Vec<Output<K>>) {
        let Some((due, key)) = self.cache.watched.pop_first() else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let quiet = if entry.is_over() {
            self.config.quiet_closed
        } else {
            self.config.quiet
        };
        let touched = entry.touched.after(quiet);
        let (again, leave) = if touched > due {
            (touched, false)
        } else {
            (self.now.after(quiet), true)
        };
        entry.due = again;
        self.cache.watch(again, &key);
        if leave {
            self.retire(&key, crowded, out);
        }
    }

    /// A run of the id has closed: most are not asked for again, so the id is looked at sooner than was planned.
    pub(super) fn look_sooner(&mut self, key: &Arc<Key>) {
        let due = self.now.after(self.config.quiet_closed);
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if entry.is_over() && due < entry.due {
            self.cache.unwatch(entry.due, key);
            self.cache.watch(due, key);
            entry.due = due;
        }
    }

    /// An id that was not touched lately leaves, or queues what must be written first.
    fn retire(&mut self, key: &Arc<Key>, crowded: bool, out: &mut Vec<Output<K>>) {
        let durable = self.head.durable();
        let soon = self.now.after(self.config.quiet);
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let wakes_soon = |cached: &Cached<K>| cached.wake.is_some_and(|wake| wake <= soon);
        if entry.leaving
            || entry.is_blocked(durable)
            || entry.runs.iter().any(|run| may_leave(run) == Leave::No)
            || (!crowded && entry.runs.iter().any(wakes_soon))
        {
            return;
        }
        let unwritten = entry
            .runs
            .iter()
            .filter(|run| may_leave(run) == Leave::Checkpointed);
        let unwritten: Vec<RunId> = unwritten.map(|cached| cached.run).collect();
        if !unwritten.is_empty() {
            self.checkpoint(key, &unwritten, out);
        }
        self.leave_when_durable(key);
    }

    fn leave_when_durable(&mut self, key: &Arc<Key>) {
        let durable = self.head.durable();
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if entry.last <= durable {
            self.leave(key);
        } else {
            entry.leaving = true;
            self.cache.leaving += 1;
        }
    }

    /// Everything of the id is durable and where it can be found again: it goes without a trace.
    pub(super) fn leave(&mut self, key: &Arc<Key>) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        self.cache.unwatch(entry.due, key);
        self.cache.leaving -= usize::from(entry.leaving);
        for cached in &entry.runs {
            self.unload(cached);
            if let Some(stored) = cached.stored_wake() {
                self.wakes.sleep(key, cached.run, stored);
            }
            self.offers.leave(cached.run);
        }
    }

    /// Stops counting a run as loaded. Reads that began before know less of it than memory did.
    pub(super) fn unload(&mut self, cached: &Cached<K>) {
        if self.looks_under_way() {
            self.cache.left.insert(cached.run);
        }
        self.outbox.forget(cached.run);
        self.cache.runs -= 1;
        self.cache.bytes -= cached.weight;
        self.loaded.remove(&cached.run);
        if let Some(wake) = cached.wake {
            self.wakes.disarm(cached.run, wake);
        }
    }

    /// The id is needed again before it left.
    pub(super) fn stay(entry: &mut Entry<K>, leaving: &mut usize) {
        if std::mem::take(&mut entry.leaving) {
            *leaving -= 1;
        }
    }
}
