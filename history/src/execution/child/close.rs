//! The end of a child, which its parent hears of, and the end of a parent, which its children feel.

use cairn_proto::cairn::effect::v1::message::What;
use cairn_proto::cairn::effect::v1::outcome::Outcome as Came;
use cairn_proto::cairn::effect::v1::{ChildClosed, Message, ParentClosed};
use cairn_proto::temporal::api::common::v1::WorkflowType;
use cairn_proto::temporal::api::enums::v1::ParentClosePolicy as Policy;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    ChildWorkflowExecutionCanceledEventAttributes, ChildWorkflowExecutionCompletedEventAttributes,
    ChildWorkflowExecutionFailedEventAttributes, ChildWorkflowExecutionTerminatedEventAttributes,
    ChildWorkflowExecutionTimedOutEventAttributes, HistoryEvent,
};

use super::begin::record_started;
use super::{AsChild, Child};
use crate::execution::effect::{self, Sender};
use crate::execution::state::State;
use crate::execution::transition::{Draft, Extra};
use crate::execution::{Asked, Outcome, Run, buffer, external, terminate};
use crate::id::RunId;
use crate::kind::{Context, Stop};

/// Why a child is terminated that its parent has left behind.
pub(super) const BY_POLICY: &str = "by parent close policy";

/// What the parent is told when the last run of a child has closed with this event.
pub(crate) fn closed_message(state: &State, close: &HistoryEvent) -> Option<Message> {
    let parent = state.origin.parent.as_ref()?;
    let what = What::ChildClosed(ChildClosed {
        initiated_event_id: parent.initiated_event_id,
        first_run_id: state.origin.first_run.0.to_vec(),
        close: Some(close.clone()),
        parent_run_id: parent.run.0.to_vec(),
    });
    let run = match state.as_child {
        AsChild {
            parent_gone: true, ..
        } => Vec::new(),
        as_child => as_child.parent_moved.unwrap_or(parent.run).0.to_vec(),
    };
    Some(effect::addressed(state, &parent.workflow_id, run, what))
}

/// A child has closed.
pub(crate) fn child_closed(
    asked: Asked<'_>,
    sender: &Sender,
    message: &ChildClosed,
    context: &mut Context<'_>,
) -> Outcome {
    let initiated = message.initiated_event_id;
    let Some(run) = asked.run else {
        return effect::nothing(Came::NotFound(true), context);
    };
    if let Some(to) = run.state.reset.to {
        return effect::nothing(Came::Moved(to.0.to_vec()), context);
    }
    let (Some(first_run), true) = (run_of(&message.first_run_id), run.state.is_open()) else {
        return effect::nothing(Came::Done(true), context);
    };
    let child = run.state.children.get(initiated);
    let own = |child: &&Child| match child.run {
        Some(known) => known == first_run,
        None => run_of(&message.parent_run_id) == Some(child.begun_by.unwrap_or(run.id)),
    };
    let close = message.close.as_ref().and_then(|it| it.attributes.as_ref());
    let (Some(_), Some(close)) = (child.filter(own), close) else {
        return effect::nothing(Came::Done(true), context);
    };
    let mut draft = Draft::new(run.state, context.now, context.limits);
    record_started(&mut draft, initiated, first_run, asked.events)?;
    if let Some(child) = draft.state.children.get(initiated)
        && let Some(event) = closing(&draft.state, child, initiated, sender.run, close)
    {
        draft.happen(event);
        draft.want_task();
    }
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(effect::came(
        Some(run),
        transition,
        Came::Done(true),
        context,
    ))
}

fn run_of(bytes: &[u8]) -> Option<RunId> {
    bytes.try_into().ok().map(RunId)
}

/// The event by which a parent hears of a close.
fn closing(
    state: &State,
    child: &Child,
    initiated_event_id: i64,
    run: RunId,
    close: &Attributes,
) -> Option<Attributes> {
    let namespace = child.namespace.clone();
    let namespace_id = state.origin.namespace.to_string();
    let workflow_execution = Some(child.execution(run));
    let workflow_type = Some(WorkflowType {
        name: child.workflow_type.clone(),
    });
    let started_event_id = match child.started_event_id {
        0 => buffer::UNKNOWN,
        id => id,
    };
    Some(match close {
        Attributes::WorkflowExecutionCompletedEventAttributes(it) => {
            Attributes::ChildWorkflowExecutionCompletedEventAttributes(
                ChildWorkflowExecutionCompletedEventAttributes {
                    result: it.result.clone(),
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                },
            )
        }
        Attributes::WorkflowExecutionFailedEventAttributes(it) => {
            Attributes::ChildWorkflowExecutionFailedEventAttributes(
                ChildWorkflowExecutionFailedEventAttributes {
                    failure: it.failure.clone(),
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                    retry_state: it.retry_state,
                },
            )
        }
        Attributes::WorkflowExecutionCanceledEventAttributes(it) => {
            Attributes::ChildWorkflowExecutionCanceledEventAttributes(
                ChildWorkflowExecutionCanceledEventAttributes {
                    details: it.details.clone(),
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                },
            )
        }
        Attributes::WorkflowExecutionTimedOutEventAttributes(it) => {
            Attributes::ChildWorkflowExecutionTimedOutEventAttributes(
                ChildWorkflowExecutionTimedOutEventAttributes {
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                    retry_state: it.retry_state,
                },
            )
        }
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => {
            Attributes::ChildWorkflowExecutionTerminatedEventAttributes(
                ChildWorkflowExecutionTerminatedEventAttributes {
                    namespace,
                    namespace_id,
                    workflow_execution,
                    workflow_type,
                    initiated_event_id,
                    started_event_id,
                },
            )
        }
        _ => return None,
    })
}

/// What a child is told when its parent has closed.
pub(crate) fn parent_closed_message(state: &State, initiated_event_id: i64) -> Option<Message> {
    let child = state.children.get(initiated_event_id)?;
    let what = What::ParentClosed(ParentClosed {
        first_run_id: child.run?.0.to_vec(),
        request_cancel: child.policy == i32::from(Policy::RequestCancel),
    });
    let id = &child.workflow_id;
    Some(effect::addressed(state, id, Vec::new(), what))
}

/// The parent of this run has closed.
pub(crate) fn parent_closed(
    run: Option<Run<'_>>,
    sender: &Sender,
    message: &ParentClosed,
    context: &mut Context<'_>,
) -> Outcome {
    let first_run = message.first_run_id.as_slice().try_into().map(RunId);
    let own = |run: &Run<'_>| {
        run.state.is_open() && first_run.is_ok_and(|first| first == run.state.origin.first_run)
    };
    let Some(run) = run.filter(own) else {
        return effect::nothing(Came::Done(true), context);
    };
    if message.request_cancel {
        return external::cancel_by(run, sender, 0, "", context);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let identity = terminate::SERVER_IDENTITY;
    terminate::by(&mut draft, BY_POLICY, None, identity, Extra::default());
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(effect::came(
        Some(run),
        transition,
        Came::Done(true),
        context,
    ))
}
