//! Workflow updates: a client asks, a worker accepts or rejects, and the workflow completes what was accepted.
//!
//! | in              | what happens                    | becomes   | who waits is told              |
//! |-----------------|---------------------------------|-----------|--------------------------------|
//! | –               | a client asks                   | admitted  | –                              |
//! | admitted        | a worker takes a workflow task  | sent      | –                              |
//! | admitted, sent  | `UpdateAccepted`                | accepted  | so, if that was waited for     |
//! | admitted, sent  | a rejection                     | –         | the rejection                  |
//! | sent            | the task completes without it   | –         | that the worker has no updates |
//! | sent            | the task fails or times out     | admitted  | –                              |
//! | sent            | the answer to the task is bad   | –         | that the workflow is not ready |
//! | admitted        | the run is paused               | –         | that it is paused              |
//! | admitted, sent  | the run closes                  | –         | that it was closing            |
//! | accepted        | `UpdateCompleted`               | completed | the outcome                    |
//! | accepted        | the run closes                  | accepted  | that there will be no outcome  |
//!
//! What was accepted behind the point of a reset is admitted again, by an event (`UpdateAdmitted`): a worker reads of it in the history, without a message, and
//! answers as usual. Rejected, or not spoken of by the next workflow task that completes, it is over by the change `UpdateRejected`. Before a failed task it stays.
//!
//! Otherwise admitted and sent are volatile (`registry`): nobody was promised anything yet, and a client that lost its answer asks again
//! under the same id. Accepted and completed are events (`part`). Deliberately absent: the workflow task that carries an update
//! to its worker (`workflow_task`, where there is none because of anything else: `workflow_task/speculative`).

use cairn_proto::temporal::api::enums::v1::{
    UpdateWorkflowExecutionLifecycleStage as Lifecycle, WorkflowExecutionStatus as Status,
};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::update::v1::{Outcome as Ended, Request, outcome};

use super::state::State;
use super::{
    Answer, Limits, Outcome, PollUpdate, Refusal, Run, Stage, Started, Step, Update, Updated,
    Volatile, Workflow, answer_now, pause, refuse, step_of, workflow_task,
};
use crate::id::{RunId, Ticket, Time};
use crate::kind::{Context, Stop};
use crate::planted::{Fault, planted};

mod answered;
mod message;
mod part;
mod registry;
mod with_start;

pub(crate) use answered::{Answering, by_command, leftovers, unmentioned};
pub use message::{Body, Message};
pub(crate) use part::Part;
use part::Standing;
pub(crate) use registry::{Ignored, Registry};
pub(crate) use with_start::with_start;

/// A workflow task that has failed so often takes no update.
const FAILED_ATTEMPTS: i32 = 3;

/// Near so much of its updates a run is told to continue as new.
const SUGGEST: f64 = 0.9;

pub(crate) fn update(
    events: &[HistoryEvent],
    run: Run<'_>,
    question: &Update,
    context: &mut Context<'_>,
) -> Outcome {
    let state = run.state;
    if question
        .first_run
        .is_some_and(|first| first != state.origin.first_run)
    {
        return refuse(Refusal::NoSuchWorkflow(
            "workflow execution not found".to_owned(),
        ));
    }
    enter(events, run, question, None, context)
}

/// An update comes to a run: to the one of its id that is there, or as a new one. `with_start`: what became of the start that
/// came with it.
fn enter(
    events: &[HistoryEvent],
    run: Run<'_>,
    question: &Update,
    with_start: Option<Box<Started>>,
    context: &mut Context<'_>,
) -> Outcome {
    let (id, until) = (question.update_id(), question.until);
    if run.state.is_paused() {
        return refuse(refused_with(pause::no_updates(), with_start.as_deref()));
    }
    if let Some(updated) = recorded(run.state, run.id, id, events)? {
        let updated = Updated {
            with_start,
            ..updated
        };
        return answer_or_wait(run, updated, until, context.ticket);
    }
    if !run.volatile.updates.holds(id) {
        let registry = &run.volatile.updates;
        if let Err(refusal) = may_come_in(run.state, registry, question, context.limits) {
            return refuse(refused_with(refusal, with_start.as_deref()));
        }
        run.volatile.updates.admit(question.request.clone());
    }
    let admitted = Updated {
        with_start,
        ..Updated::at(run.id, id, Stage::Admitted)
    };
    answer_or_wait(run, admitted, until, context.ticket)
}

/// What is said of both operations where the update is refused.
fn refused_with(why: Refusal, with_start: Option<&Started>) -> Refusal {
    match with_start {
        None => why,
        Some(started) => Refusal::OfUpdate {
            why: Box::new(why),
            begun: started.started,
        },
    }
}

/// Looks at an update, and waits for its stage if one is named.
pub(crate) fn poll(
    events: &[HistoryEvent],
    run: Run<'_>,
    question: &PollUpdate,
    context: &mut Context<'_>,
) -> Outcome {
    let id = &question.update_id;
    match recorded(run.state, run.id, id, events)? {
        Some(updated) => answer_or_wait(run, updated, question.until, context.ticket),
        None if run.volatile.updates.holds(id) => {
            let admitted = Updated::at(run.id, id, Stage::Admitted);
            answer_or_wait(run, admitted, question.until, context.ticket)
        }
        None => refuse(Refusal::NoSuchUpdate(id.clone())),
    }
}

/// Whoever waited with this ticket waits no longer, and is told the stage; `Done` if the answer has left already.
pub(crate) fn stop_waiting(
    events: &[HistoryEvent],
    run: Run<'_>,
    ticket: Ticket,
    context: &mut Context<'_>,
) -> Outcome {
    let Some(id) = run.volatile.updates.waits_for(ticket) else {
        return answer_now(context.ticket, Answer::Done);
    };
    let recorded = recorded(run.state, run.id, &id, events)?;
    let updated = Updated {
        with_start: run.volatile.updates.stop(ticket),
        ..recorded.unwrap_or_else(|| Updated::at(run.id, &id, Stage::Admitted))
    };
    answer_now(context.ticket, Answer::Updated(Box::new(updated)))
}

fn answer_or_wait(run: Run<'_>, updated: Updated, until: Option<Stage>, ticket: Ticket) -> Outcome {
    match until {
        Some(until) if until > updated.stage => {
            let Updated {
                update_id,
                with_start,
                ..
            } = updated;
            run.volatile
                .updates
                .wait(update_id, ticket, until, with_start);
            Ok(step_of(None))
        }
        _ => answer_now(ticket, Answer::Updated(Box::new(updated))),
    }
}

/// What history says of an update.
fn recorded(
    state: &State,
    run: RunId,
    update_id: &str,
    events: &[HistoryEvent],
) -> Result<Option<Updated>, Stop<Refusal>> {
    let Some(standing) = state.updates.find(update_id) else {
        return Ok(None);
    };
    let outcome = match standing {
        Standing::Admitted if state.is_open() => {
            return Ok(Some(Updated::at(run, update_id, Stage::Admitted)));
        }
        Standing::Admitted => return Err(Stop::Refused(Refusal::UpdateAborted)),
        Standing::Accepted(_) if state.is_open() => {
            return Ok(Some(Updated::at(run, update_id, Stage::Accepted)));
        }
        Standing::Accepted(_) => Some(without_outcome()),
        Standing::Completed(_) if planted(Fault::UpdateOutcomeForgotten) => Some(without_outcome()),
        Standing::Completed(event_id) => {
            Some(outcome_in(events, event_id).ok_or_else(|| Stop::Needs(vec![event_id]))?)
        }
    };
    Ok(Some(Updated {
        outcome,
        ..Updated::at(run, update_id, Stage::Completed)
    }))
}

/// The outcome that an event of history holds.
fn outcome_in(events: &[HistoryEvent], event_id: i64) -> Option<Ended> {
    let event = events.iter().find(|event| event.event_id == event_id)?;
    match &event.attributes {
        Some(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(it)) => it.outcome.clone(),
        _ => None,
    }
}

/// What a step means to updates: who has waited long enough is told, and what waits has a workflow task.
pub(crate) fn settle(run: Run<'_>, seen: &State, step: &mut Step, now: Time) {
    let Volatile {
        updates,
        speculative,
        ..
    } = run.volatile;
    if let Some(transition) = &step.transition {
        let head = &transition.state;
        // It was written, or is no more; unless the transition itself has made it.
        speculative.take_if(|task| task.scheduled_event_id != head.next_event_id);
        if has_failed(seen, head) {
            updates.take_back();
        }
        step.answers
            .extend(updates.reached(head, run.id, &transition.events));
        if let Some(closed) = &head.closed {
            let terminated = closed.status == i32::from(Status::Terminated);
            let continues = step.successor.is_some() && !terminated;
            step.answers.extend(updates.closed(head, continues));
        }
    }
    let head = step.transition.as_ref().map_or(run.state, |it| &it.state);
    let has_task = head.task.current.is_some() || speculative.is_some();
    let may_have = head.is_open() && !head.is_paused() && !head.as_child.waits;
    if may_have && !has_task && updates.wants_task() {
        let task = workflow_task::schedule_speculative(head, run.volatile, now);
        run.volatile.speculative = Some(task);
    }
}

/// Has the worker that had a task lost it, without having completed it?
fn has_failed(before: &State, head: &State) -> bool {
    before.task.started_task().is_some_and(|(task, started)| {
        let still = head.task.started_task();
        let still = still.is_some_and(|(now, _)| now.scheduled_event_id == task.scheduled_event_id);
        !still && head.task.previous_started_event_id != started.event_id
    })
}

/// May another update come in?
fn may_come_in(
    state: &State,
    registry: &Registry,
    question: &Update,
    limits: &Limits,
) -> Result<(), Refusal> {
    if !state.is_open() {
        return Err(Refusal::Completed);
    }
    if state.task.attempt >= FAILED_ATTEMPTS {
        return Err(Refusal::NotReady(
            "Unable to perform workflow execution update due to Workflow Task in failed state."
                .to_owned(),
        ));
    }
    if state.task.close_attempted && state.task.is_started() {
        return Err(closing());
    }
    registry.has_room(state, &question.request, limits)
}

fn closing() -> Refusal {
    Refusal::Busy("workflow operation can not be applied because workflow is closing".to_owned())
}

fn task_failed() -> Refusal {
    Refusal::NotReady(
        "Unable to perform workflow execution update due to unexpected workflow task failure."
            .to_owned(),
    )
}

/// Do so many updates suggest to continue as new?
pub(crate) fn too_many(state: &State, in_flight: usize, limits: &Limits) -> bool {
    let total = state.updates.count() + in_flight;
    #[expect(clippy::cast_precision_loss, reason = "thousands at most")]
    let near = total as f64 >= limits.updates_max as f64 * SUGGEST;
    near && total > 0
}

/// The outcome of an accepted update whose run has closed.
fn without_outcome() -> Ended {
    failed(Some(by_server(
        "Workflow Update failed because the Workflow completed before the Update completed.",
        "AcceptedUpdateCompletedWorkflow",
    )))
}

/// The outcome of an update that a worker was given and said nothing of.
fn unprocessed() -> Ended {
    failed(Some(not_processed()))
}

fn not_processed() -> Failure {
    by_server(
        "Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow Update is not supported by the \
         worker.",
        "UnprocessedUpdate",
    )
}

fn failed(failure: Option<Failure>) -> Ended {
    Ended {
        value: Some(outcome::Value::Failure(failure.unwrap_or_default())),
    }
}

fn by_server(message: &str, kind: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(
            ApplicationFailureInfo {
                r#type: kind.to_owned(),
                non_retryable: true,
                ..Default::default()
            },
        )),
        ..Default::default()
    }
}

impl Stage {
    /// The stage that a caller waits for; `None`: it does not wait.
    pub fn waited_for(lifecycle: i32) -> Option<Self> {
        match Lifecycle::try_from(lifecycle) {
            Ok(Lifecycle::Accepted) => Some(Self::Accepted),
            Ok(Lifecycle::Completed) => Some(Self::Completed),
            _ => None,
        }
    }
}

impl Update {
    fn update_id(&self) -> &str {
        id_of(&self.request)
    }
}

pub(crate) fn id_of(request: &Request) -> &str {
    request.meta.as_ref().map_or("", |meta| &meta.update_id)
}

impl Updated {
    fn at(run: RunId, update_id: &str, stage: Stage) -> Self {
        Self {
            run,
            update_id: update_id.to_owned(),
            stage,
            outcome: None,
            unexplained: false,
            with_start: None,
        }
    }
}

type Answers = Vec<(Ticket, crate::kind::Answered<Workflow>)>;
