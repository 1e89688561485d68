//! What the runs of the shard owe to other runs, and how far it is on its way.
//!
//! What is owed is derived from states and known for as long as its run is loaded; a run that owes something stays loaded. A
//! message leaves when the item that made it owed is durable, and again until its run records what came of it: the receiver
//! knows one that it has had. Deliberately absent: what a message says (the kind), and how it gets there (the shell).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::recover::Need;
use super::turn::Turn;
use super::{Config, Output, Shard};
use crate::execution::Limits;
use crate::id::{Key, RunId, Time};
use crate::kind::{Kind, Stop};
use crate::planted::{Fault, planted};

#[derive(Debug)]
pub(super) struct Outbox<K: Kind> {
    runs: BTreeMap<RunId, Owing<K>>,
    /// What is to be sent: behind which item, and in which order.
    waiting: BTreeSet<(u64, u64, RunId, K::Effect)>,
    /// What is to be sent again.
    later: BTreeSet<(Time, RunId, K::Effect)>,
    sent: usize,
    last: u64,
    sent_max: usize,
    retry: Duration,
    retry_max: Duration,
}

#[derive(Debug)]
struct Owing<K: Kind> {
    key: Arc<Key>,
    effects: BTreeMap<K::Effect, Owed>,
}

#[derive(Clone, Copy, Debug)]
struct Owed {
    place: Place,
    /// How often it did not get there.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting(u64, u64),
    Sent,
    Later(Time),
}

impl<K: Kind> Outbox<K> {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            runs: BTreeMap::new(),
            waiting: BTreeSet::new(),
            later: BTreeSet::new(),
            sent: 0,
            last: 0,
            sent_max: config.sent_max.max(1),
            retry: config.send_retry,
            retry_max: config.send_retry_max,
        }
    }

    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    /// What is to be sent, now or again.
    pub(super) fn unsent(&self) -> usize {
        self.waiting.len() + self.later.len()
    }

    /// When something is to be sent again.
    pub(super) fn next_retry(&self) -> Option<Time> {
        self.later.first().map(|(time, ..)| *time)
    }

    pub(super) fn is_sent(&self, run: Option<RunId>, effect: &K::Effect) -> bool {
        run.is_some_and(|run| self.key(run, effect).is_some())
    }

    /// The id of the run that owes it, if it is on its way.
    fn key(&self, run: RunId, effect: &K::Effect) -> Option<&Arc<Key>> {
        let owing = self.runs.get(&run)?;
        let owed = owing.effects.get(effect)?;
        (owed.place == Place::Sent).then_some(&owing.key)
    }

    /// What a run owes now that its head is the item `behind`.
    pub(super) fn settle(
        &mut self,
        key: &Arc<Key>,
        run: RunId,
        effects: Vec<K::Effect>,
        behind: u64,
    ) {
        if effects.is_empty() {
            return self.forget(run);
        }
        let owing = self.runs.entry(run).or_insert_with(|| Owing {
            key: Arc::clone(key),
            effects: BTreeMap::new(),
        });
        let mut gone = std::mem::take(&mut owing.effects);
        for effect in effects {
            let owed = gone.remove(&effect).unwrap_or_else(|| {
                self.last += 1;
                let effect = effect.clone();
                self.waiting.insert((behind, self.last, run, effect));
                Owed {
                    place: Place::Waiting(behind, self.last),
                    failures: 0,
                }
            });
            owing.effects.insert(effect, owed);
        }
        for (effect, owed) in gone {
            self.remove(run, effect, owed);
        }
    }

    /// A run owes nothing any more, or is not here: then what it owes is derived again when it is.
    pub(super) fn forget(&mut self, run: RunId) {
        if let Some(owing) = self.runs.remove(&run) {
            for (effect, owed) in owing.effects {
                self.remove(run, effect, owed);
            }
        }
    }

    fn remove(&mut self, run: RunId, effect: K::Effect, owed: Owed) {
        match owed.place {
            Place::Waiting(number, order) => {
                self.waiting.remove(&(number, order, run, effect));
            }
            Place::Sent => self.sent -= 1,
            Place::Later(time) => {
                self.later.remove(&(time, run, effect));
            }
        }
    }

    fn owed(&mut self, run: RunId, effect: &K::Effect) -> Option<&mut Owed> {
        self.runs.get_mut(&run)?.effects.get_mut(effect)
    }

    /// The next that may be sent; it counts as sent.
    fn next(&mut self, durable: u64) -> Option<(Arc<Key>, RunId, K::Effect)> {
        let (behind, ..) = self.waiting.first()?;
        let early = *behind > durable && !planted(Fault::EffectBeforeCommit);
        if early || self.sent >= self.sent_max {
            return None;
        }
        let (_, _, run, effect) = self.waiting.pop_first()?;
        self.owed(run, &effect)?.place = Place::Sent;
        self.sent += 1;
        let key = Arc::clone(self.key(run, &effect)?);
        Some((key, run, effect))
    }

    /// What was sent did not get there.
    fn failed(&mut self, run: RunId, effect: K::Effect, now: Time) {
        let (retry, retry_max) = (self.retry, self.retry_max);
        let Some(owed) = self.owed(run, &effect) else {
            return;
        };
        if owed.place != Place::Sent {
            return;
        }
        let doubled = retry.saturating_mul(2_u32.saturating_pow(owed.failures.min(16)));
        let time = now.after(doubled.min(retry_max));
        owed.failures += 1;
        owed.place = Place::Later(time);
        self.sent -= 1;
        self.later.insert((time, run, effect));
    }

    /// What is to be sent again by now waits to be sent.
    fn due(&mut self, now: Time) {
        while let Some((time, ..)) = self.later.first()
            && *time <= now
            && let Some((_, run, effect)) = self.later.pop_first()
        {
            self.last += 1;
            let last = self.last;
            if let Some(owed) = self.owed(run, &effect) {
                owed.place = Place::Waiting(0, last);
                self.waiting.insert((0, last, run, effect));
            }
        }
    }
}

impl<K: Kind> Shard<K> {
    /// This came of what was sent.
    pub fn delivered(
        &mut self,
        run: RunId,
        effect: K::Effect,
        outcome: K::Outcome,
        now: Time,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) {
        self.advance(now);
        if !self.dropped
            && let Some(key) = self.outbox.key(run, &effect).cloned()
        {
            let turn = Turn::delivered(run, effect, outcome);
            self.enqueue(&key, turn, limits, out);
            self.evict(out);
        }
    }

    /// What was sent did not get there, or nobody knows: it is sent again after a while.
    pub fn undelivered(
        &mut self,
        run: RunId,
        effect: K::Effect,
        now: Time,
        out: &mut Vec<Output<K>>,
    ) {
        self.advance(now);
        if !self.dropped {
            self.outbox.failed(run, effect, self.now);
            self.send(out);
        }
    }

    /// Sends what is durably owed, as much as may be on its way.
    pub(super) fn send(&mut self, out: &mut Vec<Output<K>>) {
        while let Some((key, run, effect)) = self.outbox.next(self.head.durable()) {
            let turn = Turn::send(run, effect.clone());
            if let Some((turn, need)) = self.send_turn(&key, Some(run), &effect, turn, out) {
                self.send_when_read(&key, turn, need, out);
            }
        }
    }

    /// A message lacks events: it waits until they are read, behind whoever waits already.
    fn send_when_read(
        &mut self,
        key: &Arc<Key>,
        turn: Turn<K>,
        need: Need,
        out: &mut Vec<Output<K>>,
    ) {
        let durable = self.head.durable();
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let blocked = entry.is_blocked(durable);
        entry.waiting.push_back(turn);
        self.waiting += 1;
        if !blocked {
            self.begin(key, need, out);
        }
    }

    pub(super) fn send_again(&mut self, out: &mut Vec<Output<K>>) {
        self.outbox.due(self.now);
        self.send(out);
    }

    pub(super) fn send_later(&mut self, run: Option<RunId>, effect: &K::Effect) {
        if let Some(run) = run {
            self.outbox.failed(run, effect.clone(), self.now);
        }
    }

    /// Makes the message and sends it. Given back with what it lacks.
    pub(super) fn send_turn(
        &mut self,
        key: &Arc<Key>,
        address: Option<RunId>,
        effect: &K::Effect,
        mut turn: Turn<K>,
        out: &mut Vec<Output<K>>,
    ) -> Option<(Turn<K>, Need)> {
        let run = turn.run.filter(|run| Some(*run) == address)?;
        loop {
            let cached = self.entries.get(key).and_then(|entry| entry.run(run));
            let cached = cached.filter(|_| self.outbox.is_sent(Some(run), effect))?;
            match K::message(&cached.state, effect, &turn.events) {
                Ok(message) => {
                    let effect = effect.clone();
                    out.push(Output::Send {
                        run,
                        effect,
                        message,
                    });
                    return None;
                }
                Err(Stop::Needs(ids)) if turn.rounds == 0 => {
                    let ids = self.held_events(key, run, ids, &mut turn.events);
                    turn.rounds += 1;
                    if !ids.is_empty() {
                        return Some((turn, Need::Events { run, ids }));
                    }
                }
                Err(_) => {
                    self.send_later(Some(run), effect);
                    return None;
                }
            }
        }
    }
}
