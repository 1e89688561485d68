//! What ends badly: an item that the store refuses, and the loss of the epoch.
//!
//! A refused item takes with it what was decided behind it for the same id, and nothing else. A lost epoch takes everything: what
//! is in memory was never promised to anybody.

use std::sync::Arc;

use super::entry::Current;
use super::queue::Struck;
use super::turn::tickets;
use super::{Output, Shard, unavailable};
use crate::id::{Key, Ticket, Time};
use crate::kind::{Kind, Unavailable};

/// How often the store may refuse an item of a run before the run is set aside.
const FAULTS_MAX: u32 = 2;

impl<K: Kind> Shard<K> {
    /// This item is at fault. Whoever waits for it, or for anything behind it of the same id, is told; the id is loaded anew.
    /// What remains of a batch that held it is taken again after [`Shard::rolled_back`].
    pub fn refused(&mut self, number: u64, now: Time, out: &mut Vec<Output<K>>) {
        self.advance(now);
        if self.dropped {
            return;
        }
        let Some(struck) = self.head.strike(number) else {
            return;
        };
        let Struck {
            key,
            last,
            runs,
            deleted,
            tickets,
        } = struck;
        for run in deleted {
            self.wakes.pin(&key, run, self.now);
        }
        let refused = tickets.into_iter().chain(self.forget_state(&key, last));
        let refused: Vec<_> = refused.collect();
        for ticket in refused {
            self.askers.remove(&ticket);
            out.push(unavailable(ticket, Unavailable::CommitRefused));
        }
        for run in runs {
            let faults = self.faults.entry(run).or_default();
            *faults += 1;
            if *faults >= FAULTS_MAX {
                self.quarantine(run, "the store refuses its commits".to_owned(), out);
            }
        }
        self.durable(&key, self.head.durable(), out);
    }

    /// The epoch is lost, or a commit's outcome is unknown: nothing here may be trusted. Everybody who waits is told.
    /// Offers are not withdrawn: the next owner may have made them again.
    pub fn drop_all(&mut self, out: &mut Vec<Output<K>>) {
        if std::mem::replace(&mut self.dropped, true) {
            return;
        }
        let bound = self.head.tickets();
        let elsewhere = std::mem::take(&mut self.askers).into_keys();
        out.extend(
            bound
                .into_iter()
                .chain(elsewhere)
                .map(|ticket| unavailable(ticket, Unavailable::ShardMoved)),
        );
        self.entries.clear();
        self.loaded.clear();
        self.waiting = 0;
    }

    /// Forgets the head of an id. It is read again once its item `last` is durable. Who waited in its memory is given back.
    fn forget_state(&mut self, key: &Arc<Key>, last: u64) -> Vec<Ticket> {
        let Some(entry) = self.entries.get_mut(key) else {
            return Vec::new();
        };
        Self::stay(entry, &mut self.cache.leaving);
        let waiters = tickets(entry);
        let runs = std::mem::take(&mut entry.runs);
        entry.current = Current::Unknown;
        entry.last = last;
        entry.hold = last;
        for turn in &mut entry.waiting {
            turn.looked = false;
        }
        if let Some(load) = entry.load.take() {
            self.loads.end(load);
        }
        for cached in &runs {
            self.unload(cached);
            // What it owes is derived again from what is stored, if it is stored.
            self.wakes.pin(key, cached.run, self.now);
        }
        waiters
    }
}
