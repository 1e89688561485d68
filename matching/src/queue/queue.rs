//! One task queue: offers in order of (priority, time, arrival), polls in order of arrival, queries before tasks.
//!
//! | poll    | input               | becomes                                    |
//! |---------|---------------------|--------------------------------------------|
//! | –       | arrives             | waiting                                    |
//! | waiting | paired              | holding a task or a query                  |
//! | holding | started, query taken| gone, with a task                          |
//! | holding | refused, retry      | waiting, at its old place                  |
//! | waiting | expired             | gone, empty                                |
//! | any     | cancelled           | gone; what it held goes to the next        |
//! | any     | worker shut down    | gone, empty; if holding: when that is over |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::held::Offers;
use super::pollers::Pollers;
use super::rates::{Limit, Window};
use super::{
    Extras, Given, Leave, Left, Offer, Out, Pairing, PollId, Poller, QueryId, REMEMBERED,
    STICKY_POLLER_UNAVAILABLE, Seen, Task, TaskId, Time, Work,
};

/// A poll that waited so long for its task was one too many.
const POLL_IDLE: Duration = Duration::from_secs(1);
/// A backlog older than this wants more polls.
const BACKLOG_OLD: Duration = Duration::from_millis(200);
/// Tasks that come faster than this times the rate at which they go want more polls.
const ADD_RATIO: f32 = 1.2;
/// Suggestions to grow are at most so many per second and queue.
const GROW_PER_SECOND: f64 = 10.0;
/// How long people are shown that the limit held tasks back.
const LIMITED_SHOWN: Duration = Duration::from_secs(30);

/// Priorities are 1 (first) … 5 (last); nothing said means 3.
const PRIORITIES: [u8; 5] = [1, 2, 3, 4, 5];
const PRIORITY_DEFAULT: u8 = 3;

/// One task queue.
#[derive(Debug)]
pub(super) struct Queue {
    number: u64,
    sticky: bool,
    work: Work,
    offers: Offers,
    queries: VecDeque<u128>,
    polls: BTreeMap<u64, Poll>,
    waiting: BTreeSet<u64>,
    arrivals: u64,
    pollers: Pollers,
    limit: Option<Limit>,
    /// When the limit last held back a task for which a poll was waiting.
    limited_at: Option<Time>,
    growth: Limit,
    rates: BTreeMap<u8, Rates>,
    used: Time,
}

#[derive(Debug)]
struct Poll {
    since: Time,
    identity: String,
    worker: String,
    holding: Option<Holding>,
    /// Its worker shut down while it held something.
    ending: bool,
}

#[derive(Clone, Copy, Debug)]
enum Holding {
    Task {
        id: TaskId,
        priority: u8,
        added: Time,
        at: Time,
        sync: bool,
    },
    Query {
        id: u128,
        at: Time,
    },
}

#[derive(Debug)]
struct Rates {
    added: Window,
    dispatched: Window,
}

/// What people see of a queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    pub pollers: Vec<(String, Seen)>,
    pub stats: Stats,
    pub by_priority: BTreeMap<u8, Stats>,
    /// The limit that a worker asked for.
    pub limit: Option<f64>,
}

/// How full a queue is and how fast it moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    pub backlog_count: usize,
    pub backlog_age: Duration,
    pub added_per_second: f32,
    pub dispatched_per_second: f32,
    /// The limit has held tasks back in the last 30 seconds.
    pub limited: bool,
}

impl Queue {
    pub(super) fn new(number: u64, work: Work, sticky: bool, now: Time) -> Self {
        Self {
            number,
            sticky,
            work,
            offers: Offers::default(),
            queries: VecDeque::new(),
            polls: BTreeMap::new(),
            waiting: BTreeSet::new(),
            arrivals: 0,
            pollers: Pollers::default(),
            limit: None,
            limited_at: None,
            growth: Limit::new(GROW_PER_SECOND, now),
            rates: BTreeMap::new(),
            used: now,
        }
    }

    // Offers.

    pub(super) fn offer(&mut self, offer: Offer, now: Time, out: &mut Out) {
        self.used = now;
        let priority = offer.priority;
        if self.offers.offer(offer, now) {
            self.rates(priority, now).added.add(now);
        }
        self.pair(now, true, out);
    }

    pub(super) fn withdraw(&mut self, task: TaskId, number: u64) {
        self.offers.withdraw(task, number);
    }

    pub(super) fn raise(&mut self, shard: u32, epoch: u64) {
        self.offers.raise(shard, epoch);
    }

    // Polls.

    pub(super) fn poll(&mut self, mut poller: Poller, now: Time, out: &mut Out) -> PollId {
        self.used = now;
        self.pollers.arrives(&mut poller, now);
        if let (Work::Activity, Some(rate)) = (self.work, poller.max_tasks_per_second) {
            self.limit_to(rate, now);
        }
        self.arrivals += 1;
        let poll = Poll {
            since: now,
            identity: poller.identity,
            worker: poller.worker_instance_key,
            holding: None,
            ending: false,
        };
        self.polls.insert(self.arrivals, poll);
        self.waiting.insert(self.arrivals);
        let id = self.poll_id(self.arrivals);
        self.pair(now, false, out);
        id
    }

    pub(super) fn leave(&mut self, nth: u64, how: Leave, now: Time, out: &mut Out) -> Left {
        self.used = now;
        let holds = self.polls.get(&nth).is_some_and(|p| p.holding.is_some());
        if how == Leave::Expired && holds {
            return Left::Paired;
        }
        self.waiting.remove(&nth);
        let Some(poll) = self.polls.remove(&nth) else {
            return Left::Gone;
        };
        // A worker that hung up is not seen once more: what else it had may be gone, too.
        if how == Leave::Expired {
            self.pollers.touch(&poll.identity, now);
        }
        match poll.holding {
            Some(Holding::Task { id, .. }) => self.offers.released(id),
            Some(Holding::Query { id, .. }) => self.queries.push_front(id),
            None => {}
        }
        self.pair(now, false, out);
        Left::Gone
    }

    /// History has started the task that this poll holds.
    pub(super) fn started(&mut self, nth: u64, now: Time) -> Extras {
        let Some((poll, holding)) = self.finish(nth, now) else {
            return Extras::default();
        };
        let Holding::Task {
            id,
            priority,
            added,
            at,
            sync,
        } = holding
        else {
            return Extras::default();
        };
        self.offers.started(id);
        self.rates(priority, now).dispatched.add(now);
        Extras {
            backlog_count: self.offers.backlog(),
            poll_delta: self.poll_delta(at.since(poll.since), now),
            sync,
            latency: at.since(added),
        }
    }

    /// The worker has the query that this poll holds.
    pub(super) fn query_taken(&mut self, nth: u64, now: Time) -> Extras {
        let Some((poll, Holding::Query { at, .. })) = self.finish(nth, now) else {
            return Extras::default();
        };
        Extras {
            backlog_count: self.offers.backlog(),
            poll_delta: self.poll_delta(at.since(poll.since), now),
            ..Extras::default()
        }
    }

    /// The task that this poll holds is over: the poll waits on.
    pub(super) fn refused(&mut self, nth: u64, now: Time, out: &mut Out) {
        if let Some(id) = self.release(nth, out) {
            self.offers.refused(id);
            if let Some(limit) = &mut self.limit {
                limit.give_back();
            }
        }
        self.pair(now, false, out);
    }

    /// Nobody knows whether it started.
    pub(super) fn retry(&mut self, nth: u64, now: Time, out: &mut Out) {
        if let Some(id) = self.release(nth, out) {
            self.offers.retry(id, nth, now);
        }
        self.pair(now, false, out);
    }

    /// The query that this poll holds is no longer wanted: the poll waits on.
    pub(super) fn query_gone(&mut self, nth: u64, now: Time, out: &mut Out) {
        self.release(nth, out);
        self.pair(now, false, out);
    }

    // Queries.

    pub(super) fn query(&mut self, id: u128, now: Time, out: &mut Out) {
        self.used = now;
        self.queries.push_back(id);
        self.pair(now, true, out);
    }

    pub(super) fn drop_query(&mut self, id: u128) {
        self.queries.retain(|waiting| *waiting != id);
    }

    // Workers.

    /// A sticky queue whose worker is not there takes nothing.
    pub(super) fn is_unavailable(&self, now: Time) -> bool {
        self.sticky && !self.polled_within(STICKY_POLLER_UNAVAILABLE, now)
    }

    pub(super) fn polled_within(&self, window: Duration, now: Time) -> bool {
        !self.polls.is_empty()
            || (self.pollers.last()).is_some_and(|last| now.since(last) <= window)
    }

    /// Ends the polls of a worker.
    pub(super) fn end_polls_of(&mut self, worker: &str, out: &mut Out) {
        self.end_polls(|poll| poll.worker == worker, out);
    }

    /// Ends all polls: the server goes away.
    pub(super) fn close(&mut self, out: &mut Out) {
        self.end_polls(|_| true, out);
    }

    /// The queue is another node's: who waits is told so. Whoever has something in hand finds no queue any more.
    pub(super) fn move_away(&mut self, out: &mut Out) {
        for nth in std::mem::take(&mut self.waiting) {
            self.polls.remove(&nth);
            out.pairings.push(Pairing {
                poll: self.poll_id(nth),
                given: Given::Moved,
            });
        }
    }

    /// The worker of this sticky queue is gone: so are its polls, and nobody waits for it.
    pub(super) fn forget_worker(&mut self, out: &mut Out) {
        self.end_polls(|_| true, out);
        self.offers.clear();
        self.pollers = Pollers::default();
        let queries = self.queries.drain(..);
        out.forsaken.extend(queries.map(|id| QueryId {
            queue: self.number,
            id,
        }));
    }

    // Time.

    pub(super) fn tick(&mut self, now: Time, out: &mut Out) {
        self.offers.tick(now);
        self.pair(now, false, out);
    }

    /// When `tick` is due.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let delayed = self.offers.next_wake();
        if self.waiting.is_empty() || self.offers.first().is_none() {
            return delayed;
        }
        // Both wait: only the limit holds them apart.
        let ready = self.limit.as_ref().and_then(Limit::ready_at);
        delayed.into_iter().chain(ready).min()
    }

    /// Forgets old pollers; `true`: the whole queue can be forgotten.
    pub(super) fn sweep(&mut self, now: Time) -> bool {
        self.pollers.sweep(now);
        self.polls.is_empty()
            && self.offers.is_empty()
            && self.queries.is_empty()
            && now.since(self.used) > REMEMBERED
    }

    pub(super) fn backlog(&self) -> usize {
        self.offers.backlog()
    }

    pub(super) fn describe(&self, now: Time) -> Description {
        let mut by_priority = BTreeMap::new();
        for priority in PRIORITIES {
            let stats = self.stats(priority, now);
            if priority == PRIORITY_DEFAULT || stats != Stats::default() {
                by_priority.insert(priority, stats);
            }
        }
        let mut total = Stats::default();
        for stats in by_priority.values() {
            total.backlog_count += stats.backlog_count;
            total.backlog_age = total.backlog_age.max(stats.backlog_age);
            total.added_per_second += stats.added_per_second;
            total.dispatched_per_second += stats.dispatched_per_second;
        }
        let recent = |at: Time| now.since(at) <= LIMITED_SHOWN;
        total.limited = self.limited_at.is_some_and(recent);
        let pollers = self.pollers.recent(now);
        Description {
            pollers: pollers
                .map(|(id, seen)| (id.clone(), seen.clone()))
                .collect(),
            stats: total,
            by_priority,
            limit: self.limit.as_ref().map(Limit::rate),
        }
    }

    fn stats(&self, priority: u8, now: Time) -> Stats {
        let rates = self.rates.get(&priority);
        Stats {
            backlog_count: self.offers.count(priority),
            backlog_age: self.offers.age(priority, now),
            added_per_second: rates.map_or(0.0, |rates| rates.added.rate(now)),
            dispatched_per_second: rates.map_or(0.0, |rates| rates.dispatched.rate(now)),
            limited: false,
        }
    }

    /// Gives what waits to who waits. `fresh`: what waits has only just come.
    fn pair(&mut self, now: Time, fresh: bool, out: &mut Out) {
        while let Some(first) = self.waiting.first().copied() {
            if let Some(id) = self.queries.pop_front() {
                let query = QueryId {
                    queue: self.number,
                    id,
                };
                self.give(
                    first,
                    Holding::Query { id, at: now },
                    Given::Query(query),
                    out,
                );
                continue;
            }
            let Some(wanted) = self.offers.first() else {
                return;
            };
            if self
                .limit
                .as_ref()
                .is_some_and(|limit| !limit.is_ready(now))
            {
                self.limited_at = Some(now);
                return;
            }
            let nth = wanted
                .filter(|nth| self.waiting.contains(nth))
                .unwrap_or(first);
            let Some((holding, task)) = self.take(now, fresh) else {
                return;
            };
            self.give(nth, holding, Given::Task(task), out);
        }
    }

    fn take(&mut self, now: Time, sync: bool) -> Option<(Holding, Arc<Task>)> {
        let taken = self.offers.take()?;
        if let Some(limit) = &mut self.limit {
            limit.take(now);
        }
        let holding = Holding::Task {
            id: taken.task.id,
            priority: taken.priority,
            added: taken.added,
            at: now,
            sync,
        };
        Some((holding, taken.task))
    }

    fn give(&mut self, nth: u64, holding: Holding, given: Given, out: &mut Out) {
        self.waiting.remove(&nth);
        if let Some(poll) = self.polls.get_mut(&nth) {
            poll.holding = Some(holding);
        }
        out.pairings.push(Pairing {
            poll: self.poll_id(nth),
            given,
        });
    }

    /// The poll ends with what it holds.
    fn finish(&mut self, nth: u64, now: Time) -> Option<(Poll, Holding)> {
        self.used = now;
        let mut poll = self.polls.remove(&nth)?;
        self.waiting.remove(&nth);
        if !poll.ending {
            self.pollers.touch(&poll.identity, now);
        }
        let holding = poll.holding.take()?;
        Some((poll, holding))
    }

    /// The poll loses what it holds and waits on, or ends if it was to end; what task it held.
    fn release(&mut self, nth: u64, out: &mut Out) -> Option<TaskId> {
        let poll = self.polls.get_mut(&nth)?;
        let holding = poll.holding.take()?;
        if poll.ending {
            self.end(nth, out);
        } else {
            self.waiting.insert(nth);
        }
        match holding {
            Holding::Task { id, .. } => Some(id),
            Holding::Query { .. } => None,
        }
    }

    fn end_polls(&mut self, which: impl Fn(&Poll) -> bool, out: &mut Out) {
        let mut idle = Vec::new();
        for (nth, poll) in self.polls.iter_mut().filter(|(_, poll)| which(poll)) {
            poll.ending = true;
            if poll.holding.is_none() {
                idle.push(*nth);
            }
        }
        for nth in idle {
            self.end(nth, out);
        }
    }

    fn end(&mut self, nth: u64, out: &mut Out) {
        self.waiting.remove(&nth);
        self.polls.remove(&nth);
        out.pairings.push(Pairing {
            poll: self.poll_id(nth),
            given: Given::End,
        });
    }

    fn limit_to(&mut self, rate: f64, now: Time) {
        let unchanged = self
            .limit
            .as_ref()
            .is_some_and(|limit| limit.rate().total_cmp(&rate).is_eq());
        if !unchanged {
            self.limit = Some(Limit::new(rate, now));
        }
    }

    fn poll_delta(&mut self, waited: Duration, now: Time) -> i32 {
        if waited >= POLL_IDLE {
            return -1;
        }
        if !self.wants_polls(now) || !self.growth.is_ready(now) {
            return 0;
        }
        self.growth.take(now);
        1
    }

    fn wants_polls(&self, now: Time) -> bool {
        let old = |priority: &u8| self.offers.age(*priority, now) > BACKLOG_OLD;
        if PRIORITIES.iter().any(old) {
            return true;
        }
        // With nothing waiting a difference is noise: tasks on their way, or over before they started.
        if self.offers.backlog() == 0 {
            return false;
        }
        let (added, dispatched) = self.rates.values().fold((0.0, 0.0), |(a, d), rates| {
            (a + rates.added.rate(now), d + rates.dispatched.rate(now))
        });
        added > ADD_RATIO * dispatched
    }

    fn rates(&mut self, priority: u8, now: Time) -> &mut Rates {
        self.rates.entry(priority).or_insert_with(|| Rates {
            added: Window::new(now),
            dispatched: Window::new(now),
        })
    }

    fn poll_id(&self, nth: u64) -> PollId {
        PollId {
            queue: self.number,
            nth,
        }
    }
}
