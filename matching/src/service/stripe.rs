//! A part of all queues behind one lock, with the polls that wait for them.
//!
//! Every input goes through [`Inner::step`]: lock, step the pure queues, unlock, wake who was given something. Deliberately
//! absent: what a poll does with what it is given.

use std::collections::BTreeMap;

use cairn_proto::temporal::api::workflowservice::v1::{
    PollWorkflowTaskQueueResponse, RespondQueryTaskCompletedRequest,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Inner;
use crate::queue::{Given, Out, PollId, Queues, Time};

#[derive(Default)]
pub(super) struct Stripe {
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) queues: Queues,
    pub(super) waiting: BTreeMap<PollId, oneshot::Sender<Given>>,
    pub(super) asked: BTreeMap<u128, Asked>,
    /// When the timekeeper will come anyway.
    armed: Option<Time>,
    /// What the gauges were last told.
    shown: (usize, usize),
}

/// A query whose asker waits.
pub(super) struct Asked {
    pub(super) namespace: [u8; 16],
    pub(super) queue: String,
    /// What the worker is to get; gone once it has it.
    pub(super) task: Option<Box<PollWorkflowTaskQueueResponse>>,
    pub(super) answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
pub(super) enum Answer {
    Worker(Box<RespondQueryTaskCompletedRequest>),
    /// The sticky worker went away.
    Forsaken,
    /// The queue is another node's.
    Moved,
}

impl Stripe {
    /// Looks without changing anything.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock())
    }
}

impl State {
    pub(super) fn close(&mut self, out: &mut Out) {
        self.queues.close(out);
        // An asker whose sender is dropped hears that the server goes away.
        self.asked.retain(|_, asked| asked.task.is_none());
    }

    /// Queues that are another node's. Who asked a query there asks again, even if a worker has it: its answer will go there.
    pub(super) fn give_up(&mut self, moved: impl Fn(&[u8; 16], &str) -> bool, out: &mut Out) {
        self.queues
            .give_up(|name| moved(&name.namespace, &name.name), out);
        let theirs = |_: &u128, asked: &mut Asked| moved(&asked.namespace, &asked.queue);
        for (_, asked) in self.asked.extract_if(.., theirs) {
            // Who left needs no answer.
            let _ = asked.answer.send(Answer::Moved);
        }
    }

    /// Takes out of the step what this poll was given.
    pub(super) fn own(poll: PollId, out: &mut Out) -> Option<Given> {
        let index = out
            .pairings
            .iter()
            .position(|pairing| pairing.poll == poll)?;
        Some(out.pairings.swap_remove(index).given)
    }

    /// The poll waits for what it is given, unless it has just been given something.
    pub(super) fn wait(&mut self, poll: PollId, out: &mut Out) -> Result<Given, Waiting> {
        if let Some(given) = Self::own(poll, out) {
            return Ok(given);
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(poll, sender);
        Err(receiver)
    }
}

pub(super) type Waiting = oneshot::Receiver<Given>;

impl Inner {
    /// One step of a stripe, and what follows from it.
    pub(super) fn step<T>(
        &self,
        stripe: &Stripe,
        step: impl FnOnce(&mut State, Time, &mut Out) -> T,
    ) -> T {
        let now = self.now();
        let mut out = Out::default();
        let mut state = stripe.state.lock();
        let answer = step(&mut state, now, &mut out);
        let mut given = Vec::new();
        for pairing in out.pairings {
            if let Some(sender) = state.waiting.remove(&pairing.poll) {
                given.push((sender, pairing.given));
            }
        }
        let forsaken = out.forsaken.into_iter();
        let forsaken: Vec<_> = forsaken
            .filter_map(|query| state.asked.remove(&query.id()))
            .collect();
        self.show(&mut state);
        let wake = state.arm();
        drop(state);
        // A receiver that is gone has a guard that gives back what it would have received.
        for (sender, given) in given {
            let _ = sender.send(given);
        }
        for asked in forsaken {
            let _ = asked.answer.send(Answer::Forsaken);
        }
        if wake {
            self.timekeeper.wake();
        }
        answer
    }

    /// What time alone brings about; when this is due next.
    pub(super) fn tick(&self, stripe: &Stripe) -> Option<Time> {
        self.step(stripe, |state, now, out| {
            state.queues.tick(now, out);
            state.armed = state.queues.next_wake();
            state.armed
        })
    }

    fn show(&self, state: &mut State) {
        let (backlog, queues) = (state.queues.backlog(), state.queues.len());
        let (shown_backlog, shown_queues) = state.shown;
        if backlog != shown_backlog {
            self.meters.backlog_moved(shown_backlog, backlog);
        }
        if queues != shown_queues {
            self.meters.queues_moved(shown_queues, queues);
        }
        state.shown = (backlog, queues);
    }
}

impl State {
    /// Must the timekeeper come earlier than it knows?
    fn arm(&mut self) -> bool {
        let Some(due) = self.queues.next_wake() else {
            return false;
        };
        if self.armed.is_some_and(|armed| armed <= due) {
            return false;
        }
        self.armed = Some(due);
        true
    }
}
