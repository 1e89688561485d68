//! One turn at a workflow id: a question, a wake-up or a look, from asking the kind to queueing what follows.
//!
//! Turns of an id go in order. One that lacks something (a run, events) waits in front until a load brings it. Deliberately
//! absent: how loads come about (`recover`), and what a kind decides.

use std::sync::Arc;

use cairn_proto::temporal::api::history::v1::HistoryEvent;

use super::entry::{Cached, Current, Entry};
use super::queue::Release;
use super::recover::Need;
use super::{Output, Released, Shard, Slice, unavailable};
use crate::execution::Limits;
use crate::id::{Key, RunId, Ticket};
use crate::kind::{Answered, Asked, Context, Kind, Outcome, Run, Step, Stop, Unavailable};
use crate::log::{Parked, Row, Write};
use crate::planted::{Fault, planted};

/// The ticket of whatever nobody asked for.
const NOBODY: Ticket = Ticket(u64::MAX);

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
            What::Wake | What::Look(_) => None,
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
                    let ids = self.from_tail(key, run, ids, &mut turn.events);
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
            What::Wake => match address {
                Some(run) => self.wake(key, run, &turn.events, limits, out)?,
                None => {
                    self.gone(turn.run, out);
                    return None;
                }
            },
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
        if !K::is_open(&cached.state) && K::expired(&cached.state, self.now) {
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
                if ticket.is_none() && !moves {
                    self.wake_later(key, address);
                }
                None
            }
            Err(Stop::Refused(refusal)) => {
                match ticket {
                    Some(ticket) => self.refuse(key, ticket, refusal, out),
                    None => self.wake_later(key, address),
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

    /// The step becomes the head: one item with all that it writes, and the answers that hang on it.
    fn perform(
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
        let mut touched = address;
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if let Some(cached) = address.and_then(|run| entry.run_mut(run)) {
            if let Some(transition) = step.transition {
                writes.push(cached.append(transition, epoch, number));
            }
            if let Some(heartbeat) = step.heartbeat {
                let run = cached.run;
                writes.push(Write::Heartbeat { run, heartbeat });
            }
        }
        let begun = step.successor.map(|successor| {
            let nth = entry.next_nth();
            let (run, transition) = (successor.run, successor.transition);
            let (cached, write) = Cached::begin(run, nth, transition, epoch, number);
            entry.current = Current::Run(run, nth);
            writes.push(write);
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
        touched = touched.or(begun);
        self.answer(key, touched, step.answers, ticket, moves, out);
        for run in address.into_iter().chain(begun) {
            self.settle(key, run, out);
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

    fn refuse(
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
        let Some(cached) = self
            .entries
            .get_mut(key)
            .and_then(|entry| entry.run_mut(run))
        else {
            return;
        };
        let owed = K::owe(&cached.state, &cached.volatile, self.now);
        let wake = K::next_wake(&cached.state, &cached.volatile);
        if wake != cached.wake {
            self.wakes.arm(key, run, cached.wake, wake);
            cached.wake = wake;
        }
        cached.tail.trim(self.config.tail_bytes_max, durable);
        self.cache.weigh(cached);
        let expired = !K::is_open(&cached.state) && K::expired(&cached.state, self.now);
        self.offers.settle(key, run, owed).put(out);
        if expired {
            self.delete(key, run, out);
        } else {
            self.read_parked(out);
        }
    }

    /// A wake-up that changed nothing must not come again at once.
    fn wake_later(&mut self, key: &Arc<Key>, address: Option<RunId>) {
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
            self.offers.gone(run).put(out);
        }
    }

    /// Queues the end of a closed run: from now on it does not exist.
    fn delete(&mut self, key: &Arc<Key>, run: RunId, out: &mut Vec<Output<K>>) {
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

    /// Who asked gets no answer now; what is nobody's is tried again later.
    pub(super) fn fail_turn(&mut self, turn: Turn<K>, why: Unavailable, out: &mut Vec<Output<K>>) {
        match turn.what {
            What::Question(ticket, _) => out.push(unavailable(ticket, why)),
            What::Wake => {}
            What::Look(parked) => self.look_over(&parked.queue, out),
        }
    }

    fn slice(&self, key: &Key, run: RunId, range: &std::ops::Range<i64>) -> Slice {
        let cached = self.entries.get(key).and_then(|entry| entry.run(run));
        match cached {
            Some(cached) => cached.tail.slice(run, range),
            None => super::tail::Tail::default().slice(run, range),
        }
    }

    /// Adds what memory has of these events; the ids that the store must be asked for. It has them: they are durable.
    fn from_tail(
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
