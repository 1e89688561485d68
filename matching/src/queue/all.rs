//! Many task queues, by name: what one lock guards.
//!
//! Knows which shard speaks under which epoch, which workers are gone, and when any of the queues wants to be looked at.
//! Queues that nobody uses are forgotten, so memory follows what is in use.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::queue::Queue;
use super::{
    Description, Extras, Given, Leave, Left, Name, Offer, Out, Pairing, PollId, Poller,
    QUERY_POLLER_UNAVAILABLE, QueryId, REMEMBERED, TaskId, Time, Word,
};

const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// Workers that are remembered as gone, so that a late poll of theirs ends at once.
const GONE_MAX: usize = 10_000;

/// Why an offer or a query was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The shard has a newer owner.
    #[error("the shard has a newer owner")]
    StaleEpoch,
    /// The sticky worker has not polled lately: try the normal queue.
    #[error("the sticky worker has not polled lately")]
    StickyWorkerUnavailable,
}

/// Task queues by name.
#[derive(Debug, Default)]
pub struct Queues {
    numbers: BTreeMap<Name, u64>,
    by_number: BTreeMap<u64, Queue>,
    count: u64,
    epochs: BTreeMap<u32, u64>,
    /// Workers that said goodbye, by namespace and instance key.
    gone: BTreeMap<([u8; 16], String), Time>,
    wakes: BTreeSet<(Time, u64)>,
    wake_of: BTreeMap<u64, Time>,
    backlog: usize,
    swept: Time,
    closed: bool,
}

impl Queues {
    /// A shard owes a task. `Ok(true)`: but nobody polls for it.
    pub fn offer(
        &mut self,
        name: Name,
        offer: Offer,
        now: Time,
        out: &mut Out,
    ) -> Result<bool, Refusal> {
        self.sweep(now);
        if self.is_stale(offer.by.shard, offer.by.epoch) {
            return Err(Refusal::StaleEpoch);
        }
        self.raise(offer.by.shard, offer.by.epoch);
        if self.is_unavailable(&name, now) {
            return Err(Refusal::StickyWorkerUnavailable);
        }
        let number = self.number(name, now);
        self.step(number, |queue| {
            queue.offer(offer, now, out);
            !queue.polled_within(QUERY_POLLER_UNAVAILABLE, now)
        })
        .ok_or(Refusal::StickyWorkerUnavailable)
    }

    /// A shard owes a task no more.
    pub fn withdraw(&mut self, name: &Name, by: Word, task: TaskId) {
        if self.is_stale(by.shard, by.epoch) {
            return;
        }
        self.raise(by.shard, by.epoch);
        if let Some(number) = self.numbers.get(name).copied() {
            self.step(number, |queue| queue.withdraw(task, by.number));
        }
    }

    /// What `shard` offered under an epoch below this one is dropped.
    pub fn raise(&mut self, shard: u32, epoch: u64) {
        let known = self.epochs.insert(shard, epoch);
        match known {
            Some(known) if known == epoch => return,
            // An old owner speaks late: what is known stands.
            Some(known) if known > epoch => {
                self.epochs.insert(shard, known);
                return;
            }
            _ => {}
        }
        let numbers: Vec<u64> = self.by_number.keys().copied().collect();
        for number in numbers {
            self.step(number, |queue| queue.raise(shard, epoch));
        }
    }

    /// A worker asks for something to do.
    #[expect(
        clippy::missing_panics_doc,
        reason = "the queue is made just before it is stepped"
    )]
    pub fn poll(&mut self, name: Name, poller: Poller, now: Time, out: &mut Out) -> PollId {
        self.sweep(now);
        let ends = self.closed || self.is_gone(&name, &poller);
        if ends {
            // Number 0 is no queue: whatever else is said of this poll leads to nothing.
            let poll = PollId::default();
            out.pairings.push(Pairing {
                poll,
                given: Given::End,
            });
            return poll;
        }
        let number = self.number(name, now);
        self.step(number, |queue| queue.poll(poller, now, out))
            .expect("the queue was looked up or made just now")
    }

    /// A poll ends without a task.
    pub fn leave(&mut self, poll: PollId, how: Leave, now: Time, out: &mut Out) -> Left {
        self.step(poll.queue, |queue| queue.leave(poll.nth, how, now, out))
            .unwrap_or(Left::Gone)
    }

    /// History has started the task that this poll holds.
    pub fn started(&mut self, poll: PollId, now: Time) -> Extras {
        self.step(poll.queue, |queue| queue.started(poll.nth, now))
            .unwrap_or_default()
    }

    /// History says that the task is over; the poll waits on.
    pub fn refused(&mut self, poll: PollId, now: Time, out: &mut Out) {
        let stepped = self.step(poll.queue, |queue| queue.refused(poll.nth, now, out));
        Self::or_moved(stepped, poll, out);
    }

    /// Nobody knows whether it started; the poll waits on, and the task for its next try.
    pub fn retry(&mut self, poll: PollId, now: Time, out: &mut Out) {
        let stepped = self.step(poll.queue, |queue| queue.retry(poll.nth, now, out));
        Self::or_moved(stepped, poll, out);
    }

    /// The poll hands its query to the worker.
    pub fn query_taken(&mut self, poll: PollId, now: Time) -> Extras {
        self.step(poll.queue, |queue| queue.query_taken(poll.nth, now))
            .unwrap_or_default()
    }

    /// Whoever asked the query that this poll holds has gone; the poll waits on.
    pub fn query_gone(&mut self, poll: PollId, now: Time, out: &mut Out) {
        let stepped = self.step(poll.queue, |queue| queue.query_gone(poll.nth, now, out));
        Self::or_moved(stepped, poll, out);
    }

    /// A query wants a worker.
    pub fn query(
        &mut self,
        name: Name,
        id: u128,
        now: Time,
        out: &mut Out,
    ) -> Result<QueryId, Refusal> {
        self.sweep(now);
        if self.is_unavailable(&name, now) {
            return Err(Refusal::StickyWorkerUnavailable);
        }
        let queue = self.number(name, now);
        self.step(queue, |queue| queue.query(id, now, out));
        Ok(QueryId { queue, id })
    }

    /// Nobody waits for the answer any more.
    pub fn drop_query(&mut self, query: QueryId) {
        self.step(query.queue, |queue| queue.drop_query(query.id));
    }

    /// Has anybody polled where this query waits lately?
    pub fn has_poller_for(&self, query: QueryId, now: Time) -> bool {
        (self.by_number.get(&query.queue))
            .is_some_and(|queue| queue.polled_within(QUERY_POLLER_UNAVAILABLE, now))
    }

    /// A worker process goes away: all its polls end, now and from now on.
    pub fn worker_gone(&mut self, namespace: [u8; 16], worker: &str, now: Time, out: &mut Out) {
        if worker.is_empty() {
            return;
        }
        if self.gone.len() < GONE_MAX {
            self.gone.insert((namespace, worker.to_owned()), now);
        }
        let theirs = self
            .numbers
            .iter()
            .filter(|(name, _)| name.namespace == namespace);
        let numbers: Vec<u64> = theirs.map(|(_, number)| *number).collect();
        for number in numbers {
            self.step(number, |queue| queue.end_polls_of(worker, out));
        }
    }

    /// The worker behind a sticky queue is gone: its offers and queries are given up.
    pub fn forget_sticky(&mut self, name: &Name, out: &mut Out) {
        if let Some(number) = self.numbers.get(name).copied() {
            self.step(number, |queue| queue.forget_worker(out));
        }
    }

    /// These queues are another node's: their polls are told so, and everything else of them is forgotten.
    pub fn give_up(&mut self, moved: impl Fn(&Name) -> bool, out: &mut Out) {
        let gone = self.numbers.extract_if(.., |name, _| moved(name));
        let gone: Vec<u64> = gone.map(|(_, number)| number).collect();
        for number in gone {
            self.step(number, |queue| queue.move_away(out));
            if let Some(due) = self.wake_of.remove(&number) {
                self.wakes.remove(&(due, number));
            }
            let queue = self.by_number.remove(&number);
            self.backlog -= queue.map_or(0, |queue| queue.backlog());
        }
    }

    /// A poll whose queue is another node's by now waits for nothing here.
    fn or_moved(stepped: Option<()>, poll: PollId, out: &mut Out) {
        if stepped.is_none() {
            out.pairings.push(Pairing {
                poll,
                given: Given::Moved,
            });
        }
    }

    /// Ends all polls, now and from now on.
    pub fn close(&mut self, out: &mut Out) {
        self.closed = true;
        let numbers: Vec<u64> = self.by_number.keys().copied().collect();
        for number in numbers {
            self.step(number, |queue| queue.close(out));
        }
    }

    /// What time alone brings about.
    pub fn tick(&mut self, now: Time, out: &mut Out) {
        while let Some((due, number)) = self.wakes.first().copied() {
            if due > now {
                break;
            }
            self.wakes.pop_first();
            self.wake_of.remove(&number);
            self.step(number, |queue| queue.tick(now, out));
        }
        self.sweep(now);
    }

    /// When `tick` is due.
    pub fn next_wake(&self) -> Option<Time> {
        self.wakes.first().map(|(due, _)| *due)
    }

    /// Offers that wait, in all queues.
    pub fn backlog(&self) -> usize {
        self.backlog
    }

    /// How many queues are remembered.
    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Is no queue remembered?
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// What people see of a queue. One that nobody has used looks like an empty one.
    pub fn describe(&self, name: &Name, now: Time) -> Description {
        let queue = (self.numbers.get(name)).and_then(|number| self.by_number.get(number));
        match queue {
            Some(queue) => queue.describe(now),
            None => Queue::new(0, name.work, name.sticky, now).describe(now),
        }
    }

    /// Every change of a queue goes through here, so that sums and wake-ups follow it.
    fn step<T>(&mut self, number: u64, change: impl FnOnce(&mut Queue) -> T) -> Option<T> {
        let queue = self.by_number.get_mut(&number)?;
        let before = queue.backlog();
        let answer = change(queue);
        self.backlog = self.backlog + queue.backlog() - before;
        let wake = queue.next_wake();
        if self.wake_of.get(&number).copied() != wake {
            if let Some(old) = self.wake_of.remove(&number) {
                self.wakes.remove(&(old, number));
            }
            if let Some(due) = wake {
                self.wakes.insert((due, number));
                self.wake_of.insert(number, due);
            }
        }
        Some(answer)
    }

    fn number(&mut self, name: Name, now: Time) -> u64 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        self.count += 1;
        let queue = Queue::new(self.count, name.work, name.sticky, now);
        self.by_number.insert(self.count, queue);
        self.numbers.insert(name, self.count);
        self.count
    }

    fn is_stale(&self, shard: u32, epoch: u64) -> bool {
        self.epochs.get(&shard).is_some_and(|known| epoch < *known)
    }

    fn is_unavailable(&self, name: &Name, now: Time) -> bool {
        if !name.sticky {
            return false;
        }
        let queue = (self.numbers.get(name)).and_then(|number| self.by_number.get(number));
        queue.is_none_or(|queue| queue.is_unavailable(now))
    }

    fn is_gone(&self, name: &Name, poller: &Poller) -> bool {
        !self.gone.is_empty()
            && !poller.worker_instance_key.is_empty()
            && (self.gone).contains_key(&(name.namespace, poller.worker_instance_key.clone()))
    }

    fn sweep(&mut self, now: Time) {
        if now.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        self.gone.retain(|_, since| now.since(*since) <= REMEMBERED);
        let Self {
            numbers,
            by_number: queues,
            wakes,
            wake_of,
            ..
        } = self;
        numbers.retain(|_, number| {
            let Some(queue) = queues.get_mut(number) else {
                return false;
            };
            if !queue.sweep(now) {
                return true;
            }
            queues.remove(number);
            if let Some(due) = wake_of.remove(number) {
                wakes.remove(&(due, *number));
            }
            false
        });
    }
}
