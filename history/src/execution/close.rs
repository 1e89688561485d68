//! The close of a run by its own command or by the clock.
//!
//! Deliberately absent: the run that may follow (`successor`).

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::Payloads;
use cairn_proto::temporal::api::enums::v1::{
    RetryState, TimeoutType, WorkflowExecutionStatus as Status, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{Failure, TimeoutFailureInfo};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionCanceledEventAttributes,
    WorkflowExecutionCompletedEventAttributes, WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionTimedOutEventAttributes,
};
use serde::{Deserialize, Serialize};

use super::command::Bad;
use super::state::State;
use super::transition::Draft;
use super::workflow_task::{Completing, force_fail};
use super::{Successor, payload_size, successor};
use crate::id::Time;
use crate::kind::Context;

/// How and when a run closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closed {
    /// `temporal.api.enums.v1.WorkflowExecutionStatus`.
    pub(crate) status: i32,
    pub(crate) time: Time,
    /// Another run goes on in its place.
    pub(crate) followed: bool,
}

impl Closed {
    /// The close that an event is, if it is one.
    pub(crate) fn by(event: &Attributes, time: Time) -> Option<Self> {
        let status = match event {
            Attributes::WorkflowExecutionCompletedEventAttributes(_) => Status::Completed,
            Attributes::WorkflowExecutionFailedEventAttributes(_) => Status::Failed,
            Attributes::WorkflowExecutionTimedOutEventAttributes(_) => Status::TimedOut,
            Attributes::WorkflowExecutionCanceledEventAttributes(_) => Status::Canceled,
            Attributes::WorkflowExecutionTerminatedEventAttributes(_) => Status::Terminated,
            Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_) => Status::ContinuedAsNew,
            _ => return None,
        };
        Some(Self {
            status: status.into(),
            time,
            followed: has_successor(event),
        })
    }
}

/// The command `CompleteWorkflowExecution`.
pub(crate) fn complete(it: &mut Completing<'_, '_>, result: Option<&Payloads>) -> Result<(), Bad> {
    it.may_close()?;
    if payload_size(result) > it.draft.limits.blob_bytes_max {
        return Err(Bad::Run(
            Cause::BadScheduleActivityAttributes, // As the reference has it.
            "CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.".to_owned(),
        ));
    }
    let end = successor::End::Completed(result);
    let (_, next) = successor::after(&it.draft, it.events, &end, it.context)?;
    it.write(Attributes::WorkflowExecutionCompletedEventAttributes(
        WorkflowExecutionCompletedEventAttributes {
            result: result.cloned(),
            workflow_task_completed_event_id: it.completed_event_id,
            new_execution_run_id: successor::run_id(next.as_ref()),
        },
    ));
    it.successor = next;
    Ok(())
}

/// The command `CancelWorkflowExecution`.
pub(crate) fn cancel(it: &mut Completing<'_, '_>, details: Option<&Payloads>) -> Result<(), Bad> {
    it.may_close()?;
    it.write(Attributes::WorkflowExecutionCanceledEventAttributes(
        WorkflowExecutionCanceledEventAttributes {
            workflow_task_completed_event_id: it.completed_event_id,
            details: details.cloned(),
        },
    ));
    Ok(())
}

/// The command `FailWorkflowExecution`: another run follows if the policy says so.
pub(crate) fn fail(it: &mut Completing<'_, '_>, failure: Option<&Failure>) -> Result<(), Bad> {
    it.may_close()?;
    let failure = failure.ok_or_else(|| {
        Bad::Task(
            Cause::BadFailWorkflowExecutionAttributes,
            "Failure is not set on FailWorkflowExecutionCommand.".to_owned(),
        )
    })?;
    if failure.encoded_len() > it.draft.limits.blob_bytes_max {
        return Err(Bad::Run(
            Cause::BadFailWorkflowExecutionAttributes,
            "FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.".to_owned(),
        ));
    }
    let end = successor::End::Failed(failure);
    let (retry_state, next) = successor::after(&it.draft, it.events, &end, it.context)?;
    it.write(Attributes::WorkflowExecutionFailedEventAttributes(
        WorkflowExecutionFailedEventAttributes {
            failure: Some(failure.clone()),
            retry_state: retry_state.into(),
            workflow_task_completed_event_id: it.completed_event_id,
            new_execution_run_id: successor::run_id(next.as_ref()),
        },
    ));
    it.successor = next;
    Ok(())
}

/// The run that comes behind this one, if the event names one.
pub(crate) fn has_successor(closing: &Attributes) -> bool {
    let next = match closing {
        Attributes::WorkflowExecutionCompletedEventAttributes(it) => &it.new_execution_run_id,
        Attributes::WorkflowExecutionFailedEventAttributes(it) => &it.new_execution_run_id,
        Attributes::WorkflowExecutionTimedOutEventAttributes(it) => &it.new_execution_run_id,
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(it) => &it.new_execution_run_id,
        _ => return false,
    };
    !next.is_empty()
}

/// When a closed run goes: when its retention has passed, or at once.
pub(crate) fn gone_at(state: &State, closed: &Closed) -> Time {
    if state.delete_requested {
        closed.time
    } else {
        closed.time.after(state.origin.retention)
    }
}

/// When the run's own time, or that of its chain, is over.
pub(crate) fn deadline(state: &State) -> Option<Time> {
    let expirations = [
        state.origin.run_expiration(),
        state.origin.execution_expiration,
    ];
    expirations.into_iter().flatten().min()
}

/// Closes a run whose time is over; perhaps another one follows.
pub(crate) fn time_out(
    draft: &mut Draft<'_>,
    events: &[HistoryEvent],
    context: &mut Context<'_>,
) -> Result<Option<Successor>, Bad> {
    let expired = |time: Option<Time>| time.is_some_and(|time| time <= draft.now);
    let (retry_state, next) = if expired(draft.state.origin.execution_expiration) {
        (RetryState::Timeout, None)
    } else {
        let end = successor::End::TimedOut(&timeout_failure());
        successor::after(draft, events, &end, context)?
    };
    if draft.state.task.is_started() {
        force_fail(draft, Cause::ForceCloseCommand);
    }
    draft.flush();
    draft.write(Attributes::WorkflowExecutionTimedOutEventAttributes(
        WorkflowExecutionTimedOutEventAttributes {
            retry_state: retry_state.into(),
            new_execution_run_id: successor::run_id(next.as_ref()),
        },
    ));
    Ok(next)
}

fn timeout_failure() -> Failure {
    Failure {
        message: "workflow timeout".to_owned(),
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: TimeoutType::StartToClose.into(),
            last_heartbeat_details: None,
        })),
        ..Default::default()
    }
}
