//! One turn at a workflow id: a question, a wake-up or a look, from asking the kind to queueing what follows.
//!
//! Turns of an id go in order. One that lacks something (a run, events) waits in front until a load brings it. Deliberately
//! absent: how loads come about (`recover`), and what a kind decides.

use std::sync::Arc;

use cairn_proto::temporal::api::history::v1::HistoryEvent;

use super::entry::{Current, Entry};
use super::recover::Need;
use super::{Output, Shard, unavailable};
use crate::execution::Limits;
use crate::id::{Key, RunId, Ticket};
use crate::kind::{Asked, Context, Kind, Outcome, Run, Stop, Unavailable};
use crate::log::{Parked, Row};

/// The ticket of whatever nobody asked for.
pub(super) const NOBODY: Ticket = Ticket(u64::MAX);

/// How often a question may ask for more events.
const ROUNDS_MAX: u8 = 8;

/// Something that wants its turn at an id.
#[derive(Debug)]
pub(super) struct Turn<K: Kind> {
    pub(super) what: What<K>,
    /// `None`: the current run.
    pub(super) run: Option<RunId>,
    pub(super) start_request_id: Option<String>,
    /// A load came back for it: what is not in the entry now does not exist.
    pub(super) looked: bool,
    pub(super) repeated: Option<Row>,
    pub(super) events: Vec<HistoryEvent>,
    pub(super) rounds: u8,
}

#[derive(Debug)]
pub(super) enum What<K: Kind> {
    Question(Ticket, K::Question),
    /// The run may have something due.
    Wake,
    /// Is this parked offer still owed?
    Look(Parked),
    /// This must be sent to another run.
    Send(K::Effect),
    /// This came of what was sent.
    Delivered(K::Effect, K::Outcome),
}

impl<K: Kind> Turn<K> {
    pub(super) fn question(
        ticket: Ticket,
        run: Option<RunId>,
        start_request_id: Option<String>,
        question: K::Question,
    ) -> Self {
        Self::new(What::Question(ticket, question), run, start_request_id)
    }

    pub(super) fn wake(run: RunId) -> Self {
        Self::new(What::Wake, Some(run), None)
    }

    pub(super) fn look(parked: Parked) -> Self {
        let run = Some(parked.run);
        Self::new(What::Look(parked), run, None)
    }

    pub(super) fn send(run: RunId, effect: K::Effect) -> Self {
        Self::new(What::Send(effect), Some(run), None)
    }

    pub(super) fn delivered(run: RunId, effect: K::Effect, outcome: K::Outcome) -> Self {
        Self::new(What::Delivered(effect, outcome), Some(run), None)
    }

    fn new(what: What<K>, run: Option<RunId>, start_request_id: Option<String>) -> Self {
        Self {
            what,
            run,
            start_request_id,
            looked: false,
            repeated: None,
            events: Vec::new(),
            rounds: 0,
        }
    }

    /// Who asks.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        match self.what {
            What::Question(ticket, _) => Some(ticket),
            What::Wake | What::Look(_) | What::Send(_) | What::Delivered(..) => None,
        }
    }

    /// What must be read first if the run is not loaded.
    pub(super) fn need_id(&self) -> Need {
        Need::Id {
            run: self.run,
            start_request_id: self.start_request_id.clone(),
        }
    }
}

impl<K: Kind> Shard<K> {
    /// Takes a turn now, or behind those that wait already.
    pub(super) fn enqueue(
        &mut self,
        key: &Arc<Key>,
        turn: Turn<K>,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) {
        let durable = self.head.durable();
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.touched = self.now;
        Self::stay(entry, &mut self.cache.leaving);
        if !entry.is_blocked(durable) {
            self.run_turn(key, turn, limits, out);
            self.drop_if_bare(key);
            return;
        }
        if let Some(ticket) = turn.ticket() {
            self.askers.insert(ticket, (Arc::clone(key), None));
        }
        entry.waiting.push_back(turn);
        self.waiting += 1;
    }

    /// Takes the turns that waited, until one must wait again.
    pub(super) fn drain(&mut self, key: &Arc<Key>, limits: &Limits, out: &mut Vec<Output<K>>) {
        let durable = self.head.durable();
        while let Some(entry) = self.entries.get_mut(key)
            && entry.load.is_none()
            && entry.hold <= durable
            && let Some(turn) = entry.waiting.pop_front()
        {
            self.waiting -= 1;
            if let Some(ticket) = turn.ticket() {
                self.askers.remove(&ticket);
            }
            self.run_turn(key, turn, limits, out);
        }
        self.drop_if_bare(key);
    }

    fn run_turn(
        &mut self,
        key: &Arc<Key>,
        turn: Turn<K>,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) {
        let mut next = Some(turn);
        let (turn, need) = loop {
            let Some(turn) = next.take() else {
                return;
            };
            match self.try_turn(key, turn, limits, out) {
                None => return,
                Some((mut turn, Need::Events { run, ids })) => {
                    let ids = self.held_events(key, run, ids, &mut turn.events);
                    if !ids.is_empty() {
                        break (turn, Need::Events { run, ids });
                    }
                    next = Some(turn);
                }
                Some(other) => break other,
            }
        };
        if let Some(ticket) = turn.ticket() {
            self.askers.insert(ticket, (Arc::clone(key), None));
        }
        if let Some(entry) = self.entries.get_mut(key) {
            entry.waiting.push_front(turn);
            self.waiting += 1;
            self.begin(key, need, out);
        }
    }

    /// One turn. Given back with what it lacks if it cannot be taken yet.
    fn try_turn(
        &mut self,
        key: &Arc<Key>,
        mut turn: Turn<K>,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) -> Option<(Turn<K>, Need)> {
        let entry = self.entries.get(key)?;
        let address = match (turn.run, entry.current) {
            (Some(run), _) | (None, Current::Run(run, _)) => Some(run),
            (None, Current::None) => None,
            (None, Current::Unknown) => {
                let need = turn.need_id();
                return Some((turn, need));
            }
        };
        if address.is_some_and(|run| self.quarantined.contains(&run)) {
            self.fail_turn(turn, Unavailable::Quarantined, out);
            return None;
        }
        let absent = address.is_some_and(|run| entry.run(run).is_none());
        let repeated = turn
            .start_request_id
            .as_deref()
            .map(|id| entry.began_by(id));
        let unknown = matches!(repeated, Some(None)) && entry.has_others();
        if (absent || unknown) && !turn.looked {
            let need = turn.need_id();
            return Some((turn, need));
        }
        if absent && turn.run.is_none() {
            // The table names a run that it does not have.
            self.fail_turn(turn, Unavailable::Store, out);
            return None;
        }
        if let Some(Some(row)) = repeated {
            turn.repeated = Some(row);
        }
        let address = address.filter(|_| !absent);
        let outcome = match &turn.what {
            What::Look(parked) => {
                let parked = parked.clone();
                self.looked_at(key, &parked, out);
                return None;
            }
            What::Wake => {
                let Some(run) = address else {
                    self.gone(turn.run, out);
                    return None;
                };
                self.wake(key, run, &turn.events, limits, out)?
            }
            What::Send(effect) => {
                let effect = effect.clone();
                return self.send_turn(key, address, &effect, turn, out);
            }
            What::Delivered(effect, outcome) => {
                if !self.outbox.is_sent(turn.run, effect) {
                    return None;
                }
                let (asked, mut context) = self.asked(key, address, NOBODY, &turn, limits)?;
                K::delivered(asked, effect, outcome, &mut context)
            }
            What::Question(ticket, question) => {
                let ticket = *ticket;
                let (asked, mut context) = self.asked(key, address, ticket, &turn, limits)?;
                K::ask(asked, question, &mut context)
            }
        };
        self.conclude(key, address, turn, outcome, out)
    }

    /// What a question is asked of, and what it may know.
    fn asked<'a>(
        &'a mut self,
        key: &'a Key,
        address: Option<RunId>,
        ticket: Ticket,
        turn: &'a Turn<K>,
        limits: &'a Limits,
    ) -> Option<(Asked<'a, K>, Context<'a>)> {
        let entry = self.entries.get_mut(key)?;
        let mut now = self.now;
        let run = address.and_then(|run| entry.run_mut(run)).map(|cached| {
            now = now.max(cached.time);
            Run {
                id: cached.run,
                state: &cached.state,
                volatile: &mut cached.volatile,
            }
        });
        let asked = Asked {
            run,
            repeated: turn.repeated.as_ref(),
            events: &turn.events,
        };
        let context = Context {
            now,
            ticket,
            key,
            entropy: &mut *self.entropy,
            limits,
        };
        Some((asked, context))
    }

    /// Wakes a run if it is time. `None`: there was nothing to do.
    fn wake(
        &mut self,
        key: &Arc<Key>,
        run: RunId,
        events: &[HistoryEvent],
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) -> Option<Outcome<K>> {
        let cached = self.entries.get_mut(key)?.run_mut(run)?;
        let due = K::next_wake(&cached.state, &cached.volatile);
        if due.is_none_or(|due| due > self.now) {
            self.settle(key, run, out);
            return None;
        }
        if !cached.owes && cached.expired(self.now) {
            self.delete(key, run, out);
            return None;
        }
        let asked = Asked {
            run: Some(Run {
                id: run,
                state: &cached.state,
                volatile: &mut cached.volatile,
            }),
            repeated: None,
            events,
        };
        let mut context = Context {
            now: self.now.max(cached.time),
            ticket: NOBODY,
            key,
            entropy: &mut *self.entropy,
            limits,
        };
        Some(K::wake(asked, &mut context))
    }

    /// What follows from an outcome.
    fn conclude(
        &mut self,
        key: &Arc<Key>,
        address: Option<RunId>,
        mut turn: Turn<K>,
        outcome: Outcome<K>,
        out: &mut Vec<Output<K>>,
    ) -> Option<(Turn<K>, Need)> {
        let ticket = turn.ticket();
        match outcome {
            Ok(step) => {
                let moves = step.transition.is_some() || step.successor.is_some();
                self.perform(key, address, step, ticket, out);
                if let What::Delivered(effect, _) = &turn.what {
                    self.send_later(turn.run, effect);
                } else if ticket.is_none() && !moves {
                    self.wake_later(key, address);
                }
                None
            }
            Err(Stop::Refused(refusal)) => {
                if let Some(ticket) = ticket {
                    self.refuse(key, ticket, refusal, out);
                } else if let What::Delivered(effect, _) = &turn.what {
                    self.send_later(turn.run, effect);
                } else {
                    if let Some(run) = address {
                        self.settle(key, run, out);
                    }
                    self.wake_later(key, address);
                }
                None
            }
            Err(Stop::Needs(ids)) => {
                turn.rounds += 1;
                let Some(run) = address.filter(|_| turn.rounds <= ROUNDS_MAX) else {
                    self.wake_later(key, address);
                    self.fail_turn(turn, Unavailable::Store, out);
                    return None;
                };
                Some((turn, Need::Events { run, ids }))
            }
        }
    }

    /// Who asked gets no answer now; what is nobody's is tried again later.
    pub(super) fn fail_turn(&mut self, turn: Turn<K>, why: Unavailable, out: &mut Vec<Output<K>>) {
        match turn.what {
            What::Question(ticket, _) => out.push(unavailable(ticket, why)),
            What::Wake => {}
            What::Look(parked) => self.look_over(&parked.queue, out),
            What::Send(effect) | What::Delivered(effect, _) => self.send_later(turn.run, &effect),
        }
    }

    /// Adds what memory has of these events; the ids that the store must be asked for. It has them: they are durable.
    pub(super) fn held_events(
        &self,
        key: &Key,
        run: RunId,
        mut ids: Vec<i64>,
        events: &mut Vec<HistoryEvent>,
    ) -> Vec<i64> {
        let cached = self.entries.get(key).and_then(|entry| entry.run(run));
        ids.retain(|id| {
            let known = events.iter().any(|event| event.event_id == *id);
            let found = cached
                .filter(|_| !known)
                .and_then(|cached| cached.tail.event(*id));
            let missing = !known && found.is_none();
            events.extend(found);
            missing
        });
        ids
    }

    /// An entry that tells nothing need not be.
    pub(super) fn drop_if_bare(&mut self, key: &Arc<Key>) {
        let durable = self.head.durable();
        if let Some(entry) = self.entries.get(key)
            && entry.runs.is_empty()
            && entry.last <= durable
            && !entry.is_blocked(durable)
        {
            self.cache.unwatch(entry.due, key);
            self.entries.remove(key);
        }
    }
}

/// Turns of an entry whose memory is dropped.
pub(super) fn tickets<K: Kind>(entry: &mut Entry<K>) -> Vec<Ticket> {
    let volatile = entry
        .runs
        .iter_mut()
        .flat_map(|cached| std::mem::take(&mut cached.askers));
    volatile.collect()
}
