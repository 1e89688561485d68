//! What follows from a step: the head moves by one item, answers hang on it, and what the run owes is derived again.
//!
//! Deliberately absent: how a step comes about (`turn`).

use std::ops::Range;
use std::sync::Arc;

use super::entry::{Cached, Current};
use super::queue::Release;
use super::tail::Tail;
use super::turn::NOBODY;
use super::{Output, Released, Shard, Slice, unavailable};
use crate::id::{Key, RunId, Ticket};
use crate::kind::{Answered, Kind, Step, Unavailable};
use crate::log::Write;
use crate::planted::{Fault, planted};

impl<K: Kind> Shard<K> {
    /// The step becomes the head: one item with all that it writes, and the answers that hang on it.
    pub(super) fn perform(
        &mut self,
        key: &Arc<Key>,
        address: Option<RunId>,
        step: Step<K>,
        ticket: Option<Ticket>,
        out: &mut Vec<Output<K>>,
    ) {
        let number = self.head.next();
        let epoch = self.epoch;
        let mut writes = Vec::with_capacity(2);
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if let Some(cached) = address.and_then(|run| entry.run_mut(run)) {
            if let Some(transition) = step.transition {
                writes.push(cached.append(transition, epoch, number));
            }
            let run = cached.run;
            let beats = step.heartbeats.into_iter();
            writes.extend(beats.map(|heartbeat| Write::Heartbeat { run, heartbeat }));
        }
        let begun = step.successor.map(|successor| {
            let nth = entry.next_nth();
            let run = successor.run;
            let cached = Cached::begin(successor, nth, epoch, number, &mut writes);
            entry.current = Current::Run(run, nth);
            self.cache.runs += 1;
            self.loaded.insert(run, Arc::clone(key));
            entry.runs.push(cached);
            run
        });
        self.unpark_closed(key, address, &mut writes);
        let moves = !writes.is_empty();
        if moves {
            self.queue(key, writes, out);
        }
        self.answer(key, begun.or(address), step.answers, ticket, moves, out);
        for run in address.into_iter().chain(begun) {
            self.settle(key, run, out);
        }
        if moves {
            self.look_sooner(key);
        }
    }

    /// Queues an item of an id.
    pub(super) fn queue(
        &mut self,
        key: &Arc<Key>,
        writes: Vec<Write>,
        out: &mut Vec<Output<K>>,
    ) -> u64 {
        let number = self.head.push(Some(key), writes);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.last = number;
        }
        out.push(Output::Dirty);
        number
    }

    /// Binds the answers of a step to its head; an asker that is not among them waits in the volatile part of `run`.
    fn answer(
        &mut self,
        key: &Arc<Key>,
        run: Option<RunId>,
        answers: Vec<(Ticket, Answered<K>)>,
        ticket: Option<Ticket>,
        moves: bool,
        out: &mut Vec<Output<K>>,
    ) {
        let waits = ticket.filter(|ticket| !answers.iter().any(|(other, _)| other == ticket));
        let mut released = Vec::with_capacity(answers.len());
        for (other, answered) in answers {
            if other == NOBODY {
                continue;
            }
            if Some(other) != ticket {
                self.forget(other);
            }
            let events = answered
                .reads
                .map(|(run, range)| self.slice(key, run, &range));
            let result = answered.result;
            released.push((other, Released { result, events }));
        }
        if let Some(ticket) = waits {
            let cached = run.and_then(|run| self.entries.get_mut(key)?.run_mut(run));
            if let (Some(cached), Some(run)) = (cached, run) {
                cached.askers.insert(ticket);
                self.askers.insert(ticket, (Arc::clone(key), Some(run)));
            } else {
                // A kind that neither answers nor keeps the asker has a bug; nobody hangs for it.
                out.push(unavailable(ticket, Unavailable::Busy));
            }
        }
        if !released.is_empty() {
            self.release(key, released, moves, out);
        }
    }

    /// Gives answers out when the head they were computed from is durable.
    fn release(
        &mut self,
        key: &Arc<Key>,
        answers: Vec<(Ticket, Released<K>)>,
        moves: bool,
        out: &mut Vec<Output<K>>,
    ) {
        let head = self.entries.get(key).map_or(0, |entry| entry.last);
        let release = Release {
            key: Arc::clone(key),
            head,
            answers,
        };
        if planted(Fault::ReplyBeforeCommit) || (!moves && planted(Fault::DedupeBeforeFrontier)) {
            return release.give(out);
        }
        // An answer with writes of its own leaves with them; their commit is its proof.
        let number = if moves {
            head
        } else {
            let waiting = self.head.len();
            let number = self.head.behind(head);
            if self.head.len() > waiting {
                out.push(Output::Dirty);
            }
            number
        };
        if let Err(release) = self.head.bind(number, release) {
            release.give(out);
        }
    }

    pub(super) fn refuse(
        &mut self,
        key: &Arc<Key>,
        ticket: Ticket,
        refusal: K::Refusal,
        out: &mut Vec<Output<K>>,
    ) {
        let released = Released {
            result: Err(refusal),
            events: None,
        };
        self.release(key, vec![(ticket, released)], false, out);
    }

    /// What a run owes and when it wakes, after its state may have changed.
    pub(super) fn settle(&mut self, key: &Arc<Key>, run: RunId, out: &mut Vec<Output<K>>) {
        let durable = self.head.durable();
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let behind = entry.last;
        let Some(cached) = entry.run_mut(run) else {
            return;
        };
        let owed = K::owe(&cached.state, &cached.volatile, self.now);
        let wake = K::next_wake(&cached.state, &cached.volatile);
        if wake != cached.wake {
            self.wakes.arm(key, run, cached.wake, wake);
            cached.wake = wake;
        }
        let effects = K::effects(&cached.state);
        cached.owes = !effects.is_empty();
        cached.tail.trim(self.config.tail_bytes_max, durable);
        self.cache.weigh(cached);
        let expired = !cached.owes && cached.expired(self.now);
        self.offers.settle(key, run, owed).put(out);
        self.outbox.settle(key, run, effects, behind);
        self.send(out);
        if expired {
            self.delete(key, run, out);
        } else {
            self.read_parked(out);
        }
    }

    /// A wake-up that changed nothing must not come again at once.
    pub(super) fn wake_later(&mut self, key: &Arc<Key>, address: Option<RunId>) {
        let later = self.now.after(self.config.retry);
        let cached = address.and_then(|run| self.entries.get_mut(key)?.run_mut(run));
        if let Some(cached) = cached
            && K::next_wake(&cached.state, &cached.volatile).is_some_and(|wake| wake <= self.now)
        {
            self.wakes.arm(key, cached.run, cached.wake, Some(later));
            cached.wake = Some(later);
        }
    }

    /// Nothing is known of this run: nobody is to be woken or paired for it.
    pub(super) fn gone(&mut self, run: Option<RunId>, out: &mut Vec<Output<K>>) {
        if let Some(run) = run {
            self.wakes.forget(run);
            self.outbox.forget(run);
            self.offers.gone(run).put(out);
        }
    }

    /// Queues the end of a closed run: from now on it does not exist.
    pub(super) fn delete(&mut self, key: &Arc<Key>, run: RunId, out: &mut Vec<Output<K>>) {
        let number = self.queue(key, vec![Write::Delete { run }], out);
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.hold = number;
        if matches!(entry.current, Current::Run(current, _) if current == run) {
            entry.current = Current::Unknown;
        }
        if let Some(index) = entry.runs.iter().position(|cached| cached.run == run) {
            let cached = entry.runs.swap_remove(index);
            self.unload(&cached);
        }
        self.gone(Some(run), out);
    }

    fn slice(&self, key: &Key, run: RunId, range: &Range<i64>) -> Slice {
        let cached = self.entries.get(key).and_then(|entry| entry.run(run));
        match cached {
            Some(cached) => cached.tail.slice(run, range),
            None => Tail::default().slice(run, range),
        }
    }
}
