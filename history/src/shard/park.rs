//! Parked offers: read when a queue has room, looked at run by run, and removed when nobody owes them.
//!
//! A row says where to look, never what is owed. Deliberately absent: which offer goes first (`offers`).

use std::sync::Arc;

use super::entry::Cached;
use super::recover::Loading;
use super::turn::Turn;
use super::{Load, Output, Shard};
use crate::execution::Limits;
use crate::id::{Key, RunId, Time};
use crate::kind::{Kind, Queue};
use crate::log::{Parked, Stored, Write};

impl<K: Kind> Shard<K> {
    /// Queues for which something is parked, as found at recovery.
    pub fn parked_queues(&mut self, queues: Vec<Queue>, now: Time, out: &mut Vec<Output<K>>) {
        self.advance(now);
        if self.dropped {
            return;
        }
        for queue in queues {
            self.offers.expect(queue);
        }
        self.read_parked(out);
    }

    /// Matching has not what it was told of these queues (they moved, it restarted, it was not reached): it is told again.
    pub fn offer_again(&self, which: impl Fn(&Queue) -> bool, out: &mut Vec<Output<K>>) {
        if !self.dropped {
            self.offers.told(which).put(out);
        }
    }

    /// Reads on in the parked offers of queues that have room.
    pub(super) fn read_parked(&mut self, out: &mut Vec<Output<K>>) {
        while let Some(page) = self.offers.next_page(self.now, self.config.page_max) {
            let (queue, after, limit) = page;
            let load = self.load(Loading::Parked {
                queue: queue.clone(),
                limit,
            });
            out.push(Output::Load(Load::Parked {
                load,
                queue,
                after,
                limit,
            }));
        }
    }

    pub(super) fn loaded_parked(
        &mut self,
        queue: &Queue,
        limit: usize,
        rows: Vec<Parked>,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) {
        self.offers.read(queue, limit, rows).put(out);
        self.look(limits, out);
        self.read_parked(out);
    }

    pub(super) fn failed_parked(&mut self, queue: Queue) {
        self.offers.unread(queue, self.now.after(self.config.retry));
    }

    /// When looks that waited for room can go on.
    pub(super) fn next_look(&self) -> Option<Time> {
        (self.offers.has_looks() && self.background() < self.loads_max()).then_some(self.now)
    }

    /// Looks at the runs of parked offers, a few at a time.
    pub(super) fn look(&mut self, limits: &Limits, out: &mut Vec<Output<K>>) {
        while self.background() < self.loads_max()
            && let Some(row) = self.offers.pop_look()
        {
            let run = row.run;
            if self.quarantined.contains(&run) {
                self.look_over(&row.queue, out);
            } else if let Some(key) = self.loaded.get(&run).cloned() {
                self.enqueue(&key, Turn::look(row), limits, out);
            } else {
                let load = self.load(Loading::Look { parked: row });
                out.push(Output::Load(Load::Run { load, run }));
            }
        }
    }

    /// A run that only its id was known of.
    pub(super) fn loaded_look(
        &mut self,
        row: Parked,
        stored: Option<Box<Stored>>,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) {
        let Some(stored) = stored else {
            self.look_over(&row.queue, out);
            return;
        };
        let key = stored.row.key();
        let untouched = !self.entries.contains_key(&key) && !self.cache.left_meanwhile(row.run);
        let key = self.entry(key);
        // What the table calls closed is so for ever, whatever memory has of its id: no room is taken for it.
        if !stored.row.is_open() {
            self.looked_at(&key, &row, out);
            return;
        }
        if untouched {
            // The open run of an id is its current one.
            self.found_current(&key, &stored.row);
            self.insert(&key, row.run, *stored, out);
        }
        self.enqueue(&key, Turn::look(row), limits, out);
        self.drain(&key, limits, out);
    }

    /// The run of a parked offer is loaded (or is no more): a row that is not owed goes.
    pub(super) fn looked_at(&mut self, key: &Arc<Key>, row: &Parked, out: &mut Vec<Output<K>>) {
        let cached = self
            .entries
            .get_mut(key)
            .and_then(|entry| entry.run_mut(row.run));
        // What is owed by the log alone stays parked, though the volatile part knows better: memory may be lost.
        let by_log = cached
            .as_ref()
            .is_some_and(|cached| cached.owed_by_log(self.now).any(|owed| owed == *row));
        if by_log || self.offers.owes(row) {
            if let Some(cached) = cached
                && !cached.parked.contains(row)
            {
                cached.parked.push(row.clone());
            }
        } else {
            let stale = vec![row.clone()];
            self.queue(key, vec![Write::Unpark { stale }], out);
        }
        self.look_over(&row.queue, out);
    }

    pub(super) fn look_over(&mut self, queue: &Queue, out: &mut Vec<Output<K>>) {
        self.offers.look_over(queue).put(out);
        self.read_parked(out);
    }

    /// A look failed; it is tried again after a while.
    pub(super) fn put_back(&mut self, row: &Parked, out: &mut Vec<Output<K>>) {
        self.offers.put_back(row, self.now.after(self.config.retry));
        self.look_over(&row.queue, out);
    }

    /// A run that closes owes nothing: what is known to be parked for it goes in the same item.
    pub(super) fn unpark_closed(
        &mut self,
        key: &Arc<Key>,
        address: Option<RunId>,
        writes: &mut Vec<Write>,
    ) {
        let cached = address.and_then(|run| self.entries.get_mut(key)?.run_mut(run));
        if let Some(cached) = cached
            && !cached.parked.is_empty()
            && !K::is_open(&cached.state)
        {
            let stale = std::mem::take(&mut cached.parked);
            writes.push(Write::Unpark { stale });
        }
    }
}

impl<K: Kind> Cached<K> {
    /// What the run owes once its volatile part is lost, as rows.
    pub(super) fn owed_by_log(&self, now: Time) -> impl Iterator<Item = Parked> {
        let owed = K::owe(&self.state, &K::Volatile::default(), now);
        let run = self.run;
        owed.into_iter().map(move |offer| Parked {
            queue: offer.queue,
            priority: offer.priority,
            pass: 0,
            time: offer.time,
            run,
        })
    }
}
