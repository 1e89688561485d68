//! What is offered to matching for the runs of the shard, and what waits for room.
//!
//! Owed work is derived from states; this only remembers what matching was told, so that a change can be told too. Of a queue
//! matching holds a bounded number. The rest waits here (loaded runs) or as `parked` rows (runs that left), and comes in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Output;
use crate::id::{Key, RunId, Time};
use crate::kind::{Kind, Offer, Queue, Task};
use crate::log::Parked;

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
    /// A read is under way. It may miss the rows that were hidden meanwhile, and with `again` any.
    reading: bool,
    hidden: BTreeSet<Parked>,
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

    /// A row is parked that nobody here knows of any more.
    fn hide(&mut self, row: Parked) {
        self.more = true;
        if self.reading {
            self.hidden.insert(row);
        } else if self.after.as_ref().is_some_and(|after| row <= *after) {
            self.after = None;
        }
    }

    /// A page of rows was read. What it may have missed is looked for from the beginning.
    fn read(&mut self, limit: usize, mut rows: Vec<Parked>) {
        self.reading = false;
        self.more = rows.len() >= limit;
        let hidden = std::mem::take(&mut self.hidden);
        let last = rows.last().filter(|_| self.more);
        let missed = |row: &Parked| last.is_none_or(|last| row <= last) && !rows.contains(row);
        let again = std::mem::take(&mut self.again) || hidden.iter().any(missed);
        self.more |= again;
        self.after = rows.pop().filter(|_| !again);
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
            line.hide(held.row(run));
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

    /// A row could not be looked at: it is read again, not before `retry`.
    pub(super) fn put_back(&mut self, row: &Parked, retry: Time) {
        self.retry = retry;
        if let Some(line) = self.lines.get_mut(&row.queue) {
            line.hide(row.clone());
        }
    }

    /// Everything that matching was told of these queues, again.
    pub(super) fn told(&self, which: impl Fn(&Queue) -> bool) -> Changes {
        let mut changes = Changes::default();
        for (run, owed) in &self.runs {
            let told = owed
                .held
                .iter()
                .filter(|held| held.out && which(&held.offer.queue));
            let again = told.map(|held| (Key::clone(&owed.key), *run, held.offer.clone()));
            changes.offered.extend(again);
        }
        changes
    }

    /// Something is parked for a queue, and nobody here knows what.
    pub(super) fn expect(&mut self, queue: Queue) {
        let line = self.lines.entry(queue.clone()).or_default();
        line.more = true;
        line.again |= line.reading;
        line.after = None;
        if line.wants(self.out_max) {
            self.wanting.insert(queue);
        }
    }

    /// The next read of parked offers: of which queue, behind which row, how many.
    pub(super) fn next_page(
        &mut self,
        now: Time,
        page_max: usize,
    ) -> Option<(Queue, Option<Parked>, usize)> {
        if self.retry > now {
            return None;
        }
        while let Some(queue) = self.wanting.pop_first() {
            let line = self.lines.get_mut(&queue);
            if let Some(line) = line.filter(|line| line.wants(self.out_max)) {
                line.reading = true;
                let limit = (self.out_max - line.out).min(page_max).max(1);
                return Some((queue, line.after.clone(), limit));
            }
        }
        None
    }

    /// A page of parked offers. Those that no run here owes must be looked at.
    pub(super) fn read(&mut self, queue: &Queue, limit: usize, rows: Vec<Parked>) -> Changes {
        let mut changes = Changes::default();
        let fresh: Vec<Parked> = rows.iter().filter(|row| !self.owes(row)).cloned().collect();
        let Some(line) = self.lines.get_mut(queue) else {
            return changes;
        };
        line.read(limit, rows);
        line.looks += fresh.len();
        self.looks.extend(fresh);
        self.advance(queue, &mut changes);
        changes
    }

    /// A page could not be read.
    pub(super) fn unread(&mut self, queue: Queue, retry: Time) {
        self.retry = retry;
        if let Some(line) = self.lines.get_mut(&queue) {
            line.reading = false;
            for row in std::mem::take(&mut line.hidden) {
                line.hide(row);
            }
            self.wanting.insert(queue);
        }
    }

    pub(super) fn has_looks(&self) -> bool {
        !self.looks.is_empty()
    }

    pub(super) fn pop_look(&mut self) -> Option<Parked> {
        self.looks.pop_front()
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
