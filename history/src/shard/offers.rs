//! What is offered to matching for the runs of the shard, and what waits for room.
//!
//! Owed work is derived from states; this only remembers what matching was told, so that a change can be told too. Of a queue
//! matching holds a bounded number. The rest waits here (loaded runs) or as `parked` rows (runs that left), and comes in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::recover::Loading;
use super::turn::Turn;
use super::{Load, Output, Shard};
use crate::execution::Limits;
use crate::id::{Key, RunId, Time};
use crate::kind::{Kind, Offer, Queue, Task};
use crate::log::{Parked, Stored, Write};

/// Everything owed by runs that are loaded, and everything that matching holds.
#[derive(Debug)]
pub(super) struct Offers {
    runs: BTreeMap<RunId, Owed>,
    lines: BTreeMap<Queue, Line>,
    /// Queues with room whose parked offers should be read.
    wanting: BTreeSet<Queue>,
    /// Parked offers whose runs must be looked at.
    looks: VecDeque<Parked>,
    out_max: usize,
    /// Parked offers are not read before this time.
    retry: Time,
}

#[derive(Debug)]
struct Owed {
    key: Arc<Key>,
    /// By task.
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    offer: Offer,
    /// Matching was told.
    out: bool,
}

/// The offers of one queue.
#[derive(Debug, Default)]
struct Line {
    /// How many matching was told of.
    out: usize,
    /// Offers of loaded runs that wait for room.
    overflow: BTreeSet<Place>,
    /// Behind `after` there may be parked rows that nobody here knows of.
    more: bool,
    after: Option<Parked>,
    /// A read is under way; `again`: it may miss a row that was parked meanwhile.
    reading: bool,
    again: bool,
    /// Rows that are being looked at.
    looks: usize,
}

/// The place of an offer in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    priority: u8,
    time: Time,
    run: RunId,
    task: Task,
}

/// What matching must be told.
#[derive(Debug, Default)]
pub(super) struct Changes {
    offered: Vec<(Key, RunId, Offer)>,
    withdrawn: Vec<(Key, RunId, Offer)>,
}

impl Changes {
    pub(super) fn put<K: Kind>(self, out: &mut Vec<Output<K>>) {
        let Self { offered, withdrawn } = self;
        if !offered.is_empty() || !withdrawn.is_empty() {
            out.push(Output::Offer { offered, withdrawn });
        }
    }
}

impl Line {
    /// May this one be told now? Not before what was parked in front of it.
    fn lets(&self, place: &Place) -> bool {
        !self.more
            || self
                .after
                .as_ref()
                .is_some_and(|after| (place.priority, place.time) <= (after.priority, after.time))
    }

    fn wants(&self, out_max: usize) -> bool {
        self.more && !self.reading && self.looks == 0 && self.out * 2 < out_max
    }

    fn is_bare(&self) -> bool {
        self.out == 0 && self.overflow.is_empty() && !self.more && !self.reading && self.looks == 0
    }

    /// A row was parked that nobody here knows of any more.
    fn hide(&mut self, row: &Parked) {
        self.more = true;
        self.again |= self.reading;
        if self.after.as_ref().is_some_and(|after| row <= after) {
            self.after = None;
        }
    }
}

impl Held {
    fn place(&self, run: RunId) -> Place {
        Place {
            priority: self.offer.priority,
            time: self.offer.time,
            run,
            task: self.offer.task,
        }
    }

    fn row(&self, run: RunId) -> Parked {
        Parked {
            queue: self.offer.queue.clone(),
            priority: self.offer.priority,
            pass: 0,
            time: self.offer.time,
            run,
        }
    }
}

impl Offers {
    pub(super) fn new(out_max: usize) -> Self {
        Self {
            runs: BTreeMap::new(),
            lines: BTreeMap::new(),
            wanting: BTreeSet::new(),
            looks: VecDeque::new(),
            out_max: out_max.max(1),
            retry: Time::default(),
        }
    }

    pub(super) fn offered(&self) -> usize {
        self.lines.values().map(|line| line.out).sum()
    }

    pub(super) fn overflow(&self) -> usize {
        self.lines.values().map(|line| line.overflow.len()).sum()
    }

    /// What a run owes now; what follows for matching.
    pub(super) fn settle(&mut self, key: &Arc<Key>, run: RunId, mut owed: Vec<Offer>) -> Changes {
        let mut changes = Changes::default();
        let before = match self.runs.remove(&run) {
            None if owed.is_empty() => return changes,
            None => Vec::new(),
            Some(owed) => owed.held,
        };
        owed.sort_by_key(|offer| offer.task);
        let mut queues = BTreeSet::new();
        let mut held = Vec::with_capacity(owed.len());
        let mut owed = owed.into_iter().peekable();
        for old in before {
            while let Some(offer) = owed.next_if(|offer| offer.task < old.offer.task) {
                held.push(self.place(run, offer, &mut queues));
            }
            if owed.next_if(|offer| *offer == old.offer).is_some() {
                held.push(old);
            } else {
                self.remove(key, run, old, &mut queues, &mut changes);
            }
        }
        for offer in owed {
            held.push(self.place(run, offer, &mut queues));
        }
        if !held.is_empty() {
            let key = Arc::clone(key);
            self.runs.insert(run, Owed { key, held });
        }
        for queue in &queues {
            self.advance(queue, &mut changes);
        }
        changes
    }

    /// A run is no more: nothing is owed for it.
    pub(super) fn gone(&mut self, run: RunId) -> Changes {
        match self.runs.get(&run) {
            Some(owed) => self.settle(&Arc::clone(&owed.key), run, Vec::new()),
            None => Changes::default(),
        }
    }

    /// A checkpointed run leaves memory. What matching holds stays there; what waited for room is found in `parked`.
    pub(super) fn leave(&mut self, run: RunId) {
        let Some(owed) = self.runs.get_mut(&run) else {
            return;
        };
        let hidden: Vec<Held> = owed.held.extract_if(.., |held| !held.out).collect();
        if owed.held.is_empty() {
            self.runs.remove(&run);
        }
        for held in hidden {
            let Some(line) = self.lines.get_mut(&held.offer.queue) else {
                continue;
            };
            line.overflow.remove(&held.place(run));
            line.hide(&held.row(run));
            if line.wants(self.out_max) {
                self.wanting.insert(held.offer.queue);
            }
        }
    }

    /// What is to be parked for a run: everything it owes, whether matching was told or not.
    pub(super) fn parked(&self, run: RunId) -> Vec<Parked> {
        let held = self.runs.get(&run).map_or(&[][..], |owed| &owed.held);
        let rows: BTreeSet<Parked> = held.iter().map(|held| held.row(run)).collect();
        rows.into_iter().collect()
    }

    /// Is this parked offer owed by a run that is here?
    pub(super) fn owes(&self, row: &Parked) -> bool {
        let held = self.runs.get(&row.run).map_or(&[][..], |owed| &owed.held);
        held.iter().any(|held| {
            held.row(row.run)
                == Parked {
                    pass: 0,
                    ..row.clone()
                }
        })
    }

    /// A row was looked at.
    pub(super) fn look_over(&mut self, queue: &Queue) -> Changes {
        if let Some(line) = self.lines.get_mut(queue) {
            line.looks = line.looks.saturating_sub(1);
        }
        let mut changes = Changes::default();
        self.advance(queue, &mut changes);
        changes
    }

    /// A row could not be looked at: it is read again.
    fn put_back(&mut self, row: &Parked) {
        if let Some(line) = self.lines.get_mut(&row.queue) {
            line.hide(row);
        }
    }

    /// Everything that matching was told of a queue.
    fn told(&self, queue: &Queue) -> Vec<(Key, RunId, Offer)> {
        let all = self
            .runs
            .iter()
            .flat_map(|(run, owed)| owed.held.iter().map(move |held| (run, owed, held)));
        all.filter(|(_, _, held)| held.out && held.offer.queue == *queue)
            .map(|(run, owed, held)| (Key::clone(&owed.key), *run, held.offer.clone()))
            .collect()
    }

    /// When parked offers are to be read.
    pub(super) fn next_read(&self) -> Option<Time> {
        (!self.wanting.is_empty()).then_some(self.retry)
    }

    fn place(&mut self, run: RunId, offer: Offer, queues: &mut BTreeSet<Queue>) -> Held {
        let held = Held { offer, out: false };
        let queue = &held.offer.queue;
        if !queues.contains(queue) {
            queues.insert(queue.clone());
        }
        let line = self.lines.entry(queue.clone()).or_default();
        line.overflow.insert(held.place(run));
        held
    }

    fn remove(
        &mut self,
        key: &Key,
        run: RunId,
        held: Held,
        queues: &mut BTreeSet<Queue>,
        changes: &mut Changes,
    ) {
        if let Some(line) = self.lines.get_mut(&held.offer.queue) {
            if held.out {
                line.out -= 1;
            } else {
                line.overflow.remove(&held.place(run));
            }
        }
        queues.insert(held.offer.queue.clone());
        if held.out {
            changes.withdrawn.push((key.clone(), run, held.offer));
        }
    }

    /// Tells matching of the first in the queue while there is room.
    fn advance(&mut self, queue: &Queue, changes: &mut Changes) {
        let Some(line) = self.lines.get_mut(queue) else {
            return;
        };
        while line.out < self.out_max
            && let Some(place) = line.overflow.first().copied()
            && line.lets(&place)
        {
            line.overflow.pop_first();
            let owed = self.runs.get_mut(&place.run);
            let Some((key, held)) = owed.and_then(|owed| {
                let index = owed
                    .held
                    .binary_search_by_key(&place.task, |held| held.offer.task);
                Some((&owed.key, owed.held.get_mut(index.ok()?)?))
            }) else {
                continue;
            };
            line.out += 1;
            held.out = true;
            changes
                .offered
                .push((Key::clone(key), place.run, held.offer.clone()));
        }
        if line.wants(self.out_max) {
            self.wanting.insert(queue.clone());
        }
        if line.is_bare() {
            self.lines.remove(queue);
        }
    }
}

impl<K: Kind> Shard<K> {
    /// Queues for which something is parked, as found at recovery.
    pub fn parked_queues(&mut self, queues: Vec<Queue>, now: Time, out: &mut Vec<Output<K>>) {
        self.advance(now);
        if self.dropped {
            return;
        }
        for queue in queues {
            let line = self.offers.lines.entry(queue.clone()).or_default();
            line.more = true;
            line.again |= line.reading;
            line.after = None;
            if line.wants(self.offers.out_max) {
                self.offers.wanting.insert(queue);
            }
        }
        self.read_parked(out);
    }

    /// Matching lost what it held of a queue (it moved, it restarted): everything is told again.
    pub fn offer_again(&self, queue: &Queue, out: &mut Vec<Output<K>>) {
        let offered = self.offers.told(queue);
        Changes {
            offered,
            withdrawn: Vec::new(),
        }
        .put(out);
    }

    /// Reads on in the parked offers of queues that have room.
    pub(super) fn read_parked(&mut self, out: &mut Vec<Output<K>>) {
        if self.offers.retry > self.now {
            return;
        }
        while let Some(queue) = self.offers.wanting.pop_first() {
            let out_max = self.offers.out_max;
            let Some(line) = self.offers.lines.get_mut(&queue) else {
                continue;
            };
            if !line.wants(out_max) {
                continue;
            }
            line.reading = true;
            let limit = (out_max - line.out).min(self.config.page_max).max(1);
            let after = line.after.clone();
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
        let fresh: Vec<bool> = rows.iter().map(|row| !self.offers.owes(row)).collect();
        let Some(line) = self.offers.lines.get_mut(queue) else {
            return;
        };
        line.reading = false;
        line.more = rows.len() >= limit;
        line.after = rows.last().cloned();
        if std::mem::take(&mut line.again) {
            line.more = true;
            line.after = None;
        }
        line.looks += fresh.iter().filter(|fresh| **fresh).count();
        let fresh = rows.into_iter().zip(fresh).filter(|(_, fresh)| *fresh);
        self.offers.looks.extend(fresh.map(|(row, _)| row));
        let mut changes = Changes::default();
        self.offers.advance(queue, &mut changes);
        changes.put(out);
        self.look(limits, out);
        self.read_parked(out);
    }

    pub(super) fn failed_parked(&mut self, queue: Queue) {
        self.offers.retry = self.now.after(self.config.retry);
        if let Some(line) = self.offers.lines.get_mut(&queue) {
            line.reading = false;
            self.offers.wanting.insert(queue);
        }
    }

    /// Looks at the runs of parked offers, a few at a time.
    pub(super) fn look(&mut self, limits: &Limits, out: &mut Vec<Output<K>>) {
        while self.background() < self.config.loads_max
            && let Some(row) = self.offers.looks.pop_front()
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
        if untouched && !stored.row.is_open() {
            self.looked_at(&key, &row, out);
            return;
        }
        if untouched {
            // The open run of an id is its current one.
            self.found_current(&key, &stored.row);
            self.insert(&key, row.run, *stored, out);
        }
        self.enqueue(&key, Turn::look(row), limits, out);
    }

    /// The run of a parked offer is loaded (or is no more): a row that is not owed goes.
    pub(super) fn looked_at(&mut self, key: &Arc<Key>, row: &Parked, out: &mut Vec<Output<K>>) {
        if self.offers.owes(row) {
            let cached = self
                .entries
                .get_mut(key)
                .and_then(|entry| entry.run_mut(row.run));
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
        self.offers.retry = self.now.after(self.config.retry);
        self.offers.put_back(row);
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
