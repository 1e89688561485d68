//! Updates that no worker has accepted yet, and everybody who waits for one. Volatile: it goes with the memory of the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_proto::prost::{Message as _, Name};
use cairn_proto::prost_types::Any;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::protocol::v1::Message;
use cairn_proto::temporal::api::protocol::v1::message::SequencingId;
use cairn_proto::temporal::api::update::v1::{Outcome, Request};

use super::part::Standing;
use super::{
    Answering, Answers, closing, failed, id_of, outcome_in, refused_with, task_failed, unprocessed,
    without_outcome,
};
use crate::execution::state::State;
use crate::execution::{Answer, Limits, Refusal, Stage, Started, Updated, Workflow};
use crate::id::{RunId, Ticket};
use crate::kind::Answered;

/// What becomes of an update that a worker had, and of which its answer says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// It seems to know no updates.
    Rejected,
    /// It has it still, and wants more time.
    Kept,
    /// It wants another task, which whoever takes it is given with everything.
    SentAgain,
}

#[derive(Debug, Default)]
pub(crate) struct Registry {
    pending: BTreeMap<String, Pending>,
    /// How many were admitted: their order.
    admitted: u64,
    /// Who waits for an update, also for an accepted one.
    waiters: BTreeMap<String, Vec<Waiter>>,
}

/// An update that was not accepted.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) request: Arc<Request>,
    /// A worker has it.
    pub(crate) sent: bool,
    order: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    until: Stage,
    with_start: Option<Box<Started>>,
}

impl Waiter {
    fn told(self, updated: Updated) -> (Ticket, Answered<Workflow>) {
        let updated = Updated {
            with_start: self.with_start,
            ..updated
        };
        let result = Ok(Answer::Updated(Box::new(updated)));
        (self.ticket, unread(result))
    }

    fn refused(self, why: Refusal) -> (Ticket, Answered<Workflow>) {
        let refusal = refused_with(why, self.with_start.as_deref());
        (self.ticket, unread(Err(refusal)))
    }
}

fn unread(result: Result<Answer, Refusal>) -> Answered<Workflow> {
    Answered {
        result,
        reads: None,
    }
}

impl Registry {
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.pending.contains_key(id)
    }

    pub(crate) fn admit(&mut self, request: Request) {
        let id = id_of(&request).to_owned();
        self.admitted += 1;
        let pending = Pending {
            request: Arc::new(request),
            sent: false,
            order: self.admitted,
        };
        self.pending.insert(id, pending);
    }

    /// Is there room for one more?
    pub(super) fn has_room(
        &self,
        state: &State,
        request: &Request,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        let in_flight = self.pending.len() + state.updates.in_flight();
        if in_flight >= limits.updates_in_flight_max {
            return Err(Refusal::TooManyInFlight(format!(
                "limit on number of concurrent in-flight updates has been reached ({})",
                limits.updates_in_flight_max
            )));
        }
        let held = self.pending.values().map(|it| it.request.encoded_len());
        if held.sum::<usize>() + request.encoded_len() > limits.updates_bytes_max {
            return Err(Refusal::TooManyInFlight(format!(
                "limit on total payload size of in-flight updates has been reached ({} bytes)",
                limits.updates_bytes_max
            )));
        }
        if self.pending.len() + state.updates.count() >= limits.updates_max {
            return Err(Refusal::Precondition(format!(
                "The limit on the total number of distinct updates in this workflow has been reached ({}). Make sure any \
                 duplicate updates share an Update ID so the server can deduplicate them, and consider rejecting updates that \
                 you aren't going to process. You can also Continue-as-New to avoid this; we recommend you check \
                 Continue-as-New Suggested in your Workflow.",
                limits.updates_max
            )));
        }
        Ok(())
    }

    pub(super) fn wait(
        &mut self,
        id: String,
        ticket: Ticket,
        until: Stage,
        with_start: Option<Box<Started>>,
    ) {
        self.waiters.entry(id).or_default().push(Waiter {
            ticket,
            until,
            with_start,
        });
    }

    /// The update that a ticket waits for.
    pub(super) fn waits_for(&self, ticket: Ticket) -> Option<String> {
        let mut all = self.waiters.iter();
        all.find(|(_, waiters)| waiters.iter().any(|it| it.ticket == ticket))
            .map(|(id, _)| id.clone())
    }

    /// Nobody waits with this ticket any more; what became of the start that came with the update.
    pub(super) fn stop(&mut self, ticket: Ticket) -> Option<Box<Started>> {
        let mut with_start = None;
        self.waiters.retain(|_, waiters| {
            let stopped = waiters.extract_if(.., |it| it.ticket == ticket);
            with_start = stopped.last().map_or(with_start.take(), |it| it.with_start);
            !waiters.is_empty()
        });
        with_start
    }

    pub(crate) fn pending(&self) -> &BTreeMap<String, Pending> {
        &self.pending
    }

    /// Is there an update that no worker has?
    pub(crate) fn wants_task(&self) -> bool {
        self.pending.values().any(|it| !it.sent)
    }

    /// The messages for a worker that takes a workflow task: what no worker has. For one that asks again what it was told the first
    /// time: it may have heard that, and who has not heard of an update does not reject it.
    pub(crate) fn deliver(&mut self, started_event_id: i64, again: bool) -> Vec<Message> {
        let mut delivered: Vec<_> = self
            .pending
            .iter_mut()
            .filter(|(_, it)| it.sent == again)
            .collect();
        delivered.sort_by_key(|(_, it)| it.order);
        delivered
            .into_iter()
            .map(|(id, it)| {
                it.sent = true;
                Message {
                    id: message_id(id),
                    protocol_instance_id: id.clone(),
                    sequencing_id: Some(SequencingId::EventId(started_event_id - 1)),
                    body: Some(packed(&it.request)),
                }
            })
            .collect()
    }

    /// The worker that had them has failed: another one is told.
    pub(crate) fn take_back(&mut self) {
        for pending in self.pending.values_mut() {
            pending.sent = false;
        }
    }

    /// A workflow task was completed: what it accepted is history's, what it rejected is over. A run that has closed takes
    /// the others with it.
    pub(crate) fn answered(
        &mut self,
        answering: Answering<'_>,
        head: &State,
        run: RunId,
        ignored: Ignored,
    ) -> Answers {
        let mut answers = Answers::new();
        for (id, failure) in answering.rejected {
            answers.extend(self.reject(&id, run, failure));
        }
        if self.pending.is_empty() {
            return answers;
        }
        self.pending.retain(|id, _| head.updates.find(id).is_none());
        match ignored {
            Ignored::Rejected if head.is_open() => {
                let ignored = self.pending.iter().filter(|(_, it)| it.sent);
                let ignored: Vec<_> = ignored.map(|(id, _)| id.clone()).collect();
                for id in ignored {
                    answers.extend(self.end(&id, run, &unprocessed(), false));
                }
            }
            Ignored::SentAgain => self.take_back(),
            Ignored::Rejected | Ignored::Kept => {}
        }
        answers
    }

    fn reject(&mut self, id: &str, run: RunId, failure: Option<Failure>) -> Answers {
        let unexplained = failure.is_none();
        self.end(id, run, &failed(failure), unexplained)
    }

    /// An update is over without having been accepted.
    fn end(&mut self, id: &str, run: RunId, outcome: &Outcome, unexplained: bool) -> Answers {
        self.pending.remove(id);
        let waiters = self.waiters.remove(id).unwrap_or_default();
        waiters
            .into_iter()
            .map(|waiter| {
                waiter.told(Updated {
                    outcome: Some(outcome.clone()),
                    unexplained,
                    ..Updated::at(run, id, Stage::Completed)
                })
            })
            .collect()
    }

    /// The answer of the worker was bad: what it had is given up, and who waits for the outcome of an accepted update asks again.
    /// What history has admitted stays there.
    pub(crate) fn task_failed(&mut self, head: &State, run: RunId) -> Answers {
        let sent = self.pending.iter().filter(|(_, it)| it.sent);
        let sent = sent.map(|(id, _)| id).chain(head.updates.admitted());
        let sent: Vec<_> = sent.cloned().collect();
        let mut answers = Answers::new();
        for id in sent {
            answers.extend(self.give_up(&id, &task_failed()));
        }
        let pending = &self.pending;
        let accepted = self
            .waiters
            .extract_if(.., |id, _| !pending.contains_key(id));
        for (id, waiters) in accepted {
            let accepted = || Updated::at(run, &id, Stage::Accepted);
            answers.extend(waiters.into_iter().map(|waiter| waiter.told(accepted())));
        }
        answers
    }

    /// The run is paused: what no worker has is refused.
    pub(crate) fn paused(&mut self, why: &Refusal) -> Answers {
        let waiting = self.pending.iter().filter(|(_, it)| !it.sent);
        let waiting: Vec<_> = waiting.map(|(id, _)| id.clone()).collect();
        let refused = waiting.iter().flat_map(|id| self.give_up(id, why));
        refused.collect()
    }

    fn give_up(&mut self, id: &str, why: &Refusal) -> Answers {
        self.pending.remove(id);
        let waiters = self.waiters.remove(id).unwrap_or_default();
        waiters
            .into_iter()
            .map(|waiter| waiter.refused(why.clone()))
            .collect()
    }

    /// The run has closed: nothing that was not accepted will be. `continues`: another run comes behind it, and may be asked.
    pub(crate) fn closed(&mut self, head: &State, continues: bool) -> Answers {
        let why = if continues {
            closing()
        } else {
            Refusal::UpdateAborted
        };
        let ids = self.pending.keys().chain(head.updates.admitted());
        let ids: Vec<_> = ids.cloned().collect();
        ids.iter().flat_map(|id| self.give_up(id, &why)).collect()
    }

    /// Who has waited long enough, as the head is after these events.
    pub(crate) fn reached(&mut self, head: &State, run: RunId, events: &[HistoryEvent]) -> Answers {
        let mut answers = Answers::new();
        self.waiters.retain(|id, waiters| {
            let (stage, outcome) = match head.updates.find(id) {
                None | Some(Standing::Admitted) => return true,
                Some(Standing::Accepted(_)) if head.is_open() => (Stage::Accepted, None),
                Some(Standing::Accepted(_)) => (Stage::Completed, Some(without_outcome())),
                Some(Standing::Completed(event)) => (Stage::Completed, outcome_in(events, event)),
            };
            let done = waiters.extract_if(.., |waiter| waiter.until <= stage);
            answers.extend(done.map(|waiter| {
                waiter.told(Updated {
                    outcome: outcome.clone(),
                    ..Updated::at(run, id, stage)
                })
            }));
            !waiters.is_empty()
        });
        answers
    }
}

/// The id of the message that carries an update to its worker.
pub(super) fn message_id(update_id: &str) -> String {
    format!("{update_id}/request")
}

fn packed(request: &Request) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{}", Request::full_name()),
        value: request.encode_to_vec(),
    }
}
