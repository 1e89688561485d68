//! A run is paused: it hears of everything, and no worker hears of it before it goes on.
//!
//! | what           | while the run is paused                                                                                   |
//! |----------------|-----------------------------------------------------------------------------------------------------------|
//! | workflow task  | one that nobody has fails, one that a worker has may still be answered; no other follows before `Unpaused` |
//! | activity       | one that nobody has is held; one that a worker has goes on, and so do its further attempts                |
//! | signal, timer, child, request to cancel | written as ever                                                                  |
//! | update         | refused; one that was accepted, or that a worker has, goes on                                             |
//! | query          | rejected                                                                                                  |
//! | timeout        | as ever                                                                                                   |
//!
//! Both events are buffered like others while a worker has a workflow task in hand, and take effect at once. Deliberately absent: what a pause means to each of
//! these, which is said where they are. They ask [`State::is_paused`].

use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    WorkflowExecutionPausedEventAttributes, WorkflowExecutionUnpausedEventAttributes,
};
use cairn_proto::temporal::api::workflow::v1::WorkflowExecutionPauseInfo;
use serde::{Deserialize, Serialize};

use super::state::State;
use super::transition::Draft;
use super::{
    Answer, Outcome, Pause, Refusal, Run, answer_now, answer_step, refuse, wire, workflow_task,
};
use crate::id::Time;
use crate::kind::{Context, Stop};

/// Who paused the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Paused {
    time: Time,
    identity: String,
    pub(super) reason: String,
    request_id: String,
}

/// The same request may come again; another one comes too late.
pub(crate) fn pause(run: Run<'_>, question: &Pause, context: &mut Context<'_>) -> Outcome {
    let state = run.state;
    if !state.is_open() {
        return refuse(Refusal::Completed);
    }
    if let Some(paused) = &state.paused {
        return if paused.is_by(&question.request_id) {
            answer_now(context.ticket, Answer::Done)
        } else {
            refuse(precondition("workflow is already paused."))
        };
    }
    let mut draft = Draft::new(state, context.now, context.limits);
    let task = state.task.current.as_ref();
    if let Some(task) = task.filter(|task| task.started.is_none()) {
        if task.speculative {
            workflow_task::write_taken_by_nobody(&mut draft);
        }
        let cause = Cause::WorkflowPauseRequestedBeforeTaskStarted;
        workflow_task::withdraw(&mut draft, cause);
    }
    let Pause {
        identity,
        reason,
        request_id,
    } = question.clone();
    draft.happen(Attributes::WorkflowExecutionPausedEventAttributes(
        WorkflowExecutionPausedEventAttributes {
            identity,
            reason,
            request_id,
        },
    ));
    draft.show_attributes();
    let transition = draft.finish().map_err(Stop::Refused)?;
    let mut step = answer_step(transition, context.ticket, Answer::Done);
    step.answers
        .extend(run.volatile.updates.paused(&no_updates()));
    Ok(step)
}

/// There is a workflow task behind it, whether or not anything happened meanwhile.
pub(crate) fn unpause(run: Run<'_>, question: &Pause, context: &mut Context<'_>) -> Outcome {
    let state = run.state;
    if !state.is_open() {
        return refuse(Refusal::Completed);
    }
    if !state.is_paused() {
        return refuse(precondition("workflow is not paused."));
    }
    let mut draft = Draft::new(state, context.now, context.limits);
    let Pause {
        identity,
        reason,
        request_id,
    } = question.clone();
    draft.happen(Attributes::WorkflowExecutionUnpausedEventAttributes(
        WorkflowExecutionUnpausedEventAttributes {
            identity,
            reason,
            request_id,
        },
    ));
    draft.show_attributes();
    draft.want_task();
    workflow_task::end_backoff(&mut draft);
    if draft.state.cancel_requested {
        workflow_task::schedule_despite_backoff(&mut draft);
    }
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(answer_step(transition, context.ticket, Answer::Done))
}

pub(crate) fn no_updates() -> Refusal {
    precondition("Workflow is paused. Cannot update the workflow.")
}

fn precondition(text: &str) -> Refusal {
    Refusal::Precondition(text.to_owned())
}

impl State {
    pub(crate) fn is_paused(&self) -> bool {
        self.is_open() && self.paused.is_some()
    }

    pub(super) fn pause(
        &mut self,
        time: Time,
        it: &WorkflowExecutionPausedEventAttributes,
    ) -> bool {
        let paused = Paused {
            time,
            identity: it.identity.clone(),
            reason: it.reason.clone(),
            request_id: it.request_id.clone(),
        };
        self.task_mut().begin_anew();
        self.activities_mut().hold();
        self.paused.replace(paused).is_none()
    }

    pub(super) fn unpause(&mut self) -> bool {
        self.task_mut().begin_anew();
        self.activities_mut().release();
        self.paused.take().is_some()
    }
}

impl Paused {
    fn is_by(&self, request_id: &str) -> bool {
        !request_id.is_empty() && self.request_id == request_id
    }

    pub(crate) fn described(&self) -> WorkflowExecutionPauseInfo {
        WorkflowExecutionPauseInfo {
            identity: self.identity.clone(),
            paused_time: Some(wire::timestamp(self.time)),
            reason: self.reason.clone(),
        }
    }
}
