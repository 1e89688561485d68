//! The close of a run by its own command or by the clock, and the run that follows a failed one.

use std::time::Duration;

use cairn_proto::cairn::record::v1::Opened;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::Payloads;
use cairn_proto::temporal::api::enums::v1::{
    ContinueAsNewInitiator as Initiator, RetryState, TimeoutType,
    WorkflowExecutionStatus as Status, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{Failure, TimeoutFailureInfo};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionCanceledEventAttributes,
    WorkflowExecutionCompletedEventAttributes, WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionStartedEventAttributes, WorkflowExecutionTimedOutEventAttributes,
};
use serde::{Deserialize, Serialize};

use super::command::Bad;
use super::retry::{Next, Wish};
use super::state::State;
use super::transition::{Draft, Extra};
use super::workflow_task::{Completing, force_fail};
use super::{Limits, Refusal, Successor, payload_size, wire};
use crate::id::{RunId, Time};
use crate::kind::Context;

/// How and when a run closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closed {
    /// `temporal.api.enums.v1.WorkflowExecutionStatus`.
    pub(crate) status: i32,
    pub(crate) time: Time,
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
    it.write(Attributes::WorkflowExecutionCompletedEventAttributes(
        WorkflowExecutionCompletedEventAttributes {
            result: result.cloned(),
            workflow_task_completed_event_id: it.completed_event_id,
            new_execution_run_id: String::new(),
        },
    ));
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
    let retried = retry(&it.draft, it.events, failure, it.context)?;
    let (retry_state, new_execution_run_id) = retried.outcome();
    it.write(Attributes::WorkflowExecutionFailedEventAttributes(
        WorkflowExecutionFailedEventAttributes {
            failure: Some(failure.clone()),
            retry_state: retry_state.into(),
            workflow_task_completed_event_id: it.completed_event_id,
            new_execution_run_id,
        },
    ));
    it.successor = retried.successor();
    Ok(())
}

/// Is there a run behind a failed one?
pub(crate) enum Retried {
    Yes(Box<Successor>),
    No(RetryState),
}

impl Retried {
    fn outcome(&self) -> (RetryState, String) {
        match self {
            Self::Yes(successor) => (RetryState::InProgress, successor.run.to_string()),
            Self::No(state) => (*state, String::new()),
        }
    }

    fn successor(self) -> Option<Successor> {
        match self {
            Self::Yes(successor) => Some(*successor),
            Self::No(_) => None,
        }
    }
}

fn retry(
    draft: &Draft<'_>,
    events: &[HistoryEvent],
    failure: &Failure,
    context: &mut Context<'_>,
) -> Result<Retried, Bad> {
    let origin = &draft.state.origin;
    let Some(policy) = &origin.retry_policy else {
        return Ok(Retried::No(RetryState::RetryPolicyNotSet));
    };
    let next = policy.next(
        origin.attempt,
        Some(failure),
        Wish::Capped,
        draft.now,
        origin.execution_expiration,
    );
    let delay = match next {
        Next::Never(state) => return Ok(Retried::No(state)),
        Next::After(delay) => delay.max(not_too_soon(draft)),
    };
    let start = events
        .iter()
        .find(|event| event.event_id == 1)
        .and_then(|event| Some((started(event)?, event)))
        .ok_or_else(|| Bad::Needs(vec![1]))?;
    let run = context.entropy.run_id(context.now);
    let attributes = WorkflowExecutionStartedEventAttributes {
        continued_execution_run_id: origin.run.to_string(),
        original_execution_run_id: run.to_string(),
        identity: String::new(),
        initiator: Initiator::Retry.into(),
        continued_failure: Some(failure.clone()),
        attempt: origin.attempt.saturating_add(1),
        first_workflow_task_backoff: Some(wire::duration(delay)),
        eager_execution_accepted: false,
        prev_auto_reset_points: Some(draft.state.properties.points_for(draft)),
        ..start.0.clone()
    };
    let extra = Extra {
        user_metadata: start.1.user_metadata.clone(),
        links: start.1.links.clone(),
        ..Extra::default()
    };
    let successor = follow(&draft.state, run, attributes, extra, context)?;
    Ok(Retried::Yes(Box::new(successor)))
}

/// How long the next run of the id must wait, so that they do not follow each other too fast.
pub(crate) fn not_too_soon(draft: &Draft<'_>) -> Duration {
    let lifetime = draft.now.since(draft.state.origin.execution_time());
    draft
        .limits
        .continue_as_new_interval_min
        .saturating_sub(lifetime)
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

fn started(event: &HistoryEvent) -> Option<&WorkflowExecutionStartedEventAttributes> {
    match &event.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(it)) => Some(it),
        _ => None,
    }
}

/// The run that follows this one in the same commit.
pub(crate) fn follow(
    state: &State,
    run: RunId,
    started: WorkflowExecutionStartedEventAttributes,
    extra: Extra,
    context: &mut Context<'_>,
) -> Result<Successor, Bad> {
    let opened = Opened {
        namespace_id: state.origin.namespace.0.to_vec(),
        start_request_id: uuid::Uuid::from_u128(context.entropy.bits()).to_string(),
        retention: Some(wire::duration(state.origin.retention)),
    };
    let limits: &Limits = context.limits;
    let mut draft = Draft::open(
        run,
        opened,
        Attributes::WorkflowExecutionStartedEventAttributes(started),
        extra,
        context.now,
        limits,
    )
    .map_err(Bad::Refused)?;
    draft.want_task();
    let transition = draft.finish().map_err(Bad::Refused)?;
    transition
        .map(|transition| Successor { run, transition })
        .ok_or_else(|| Bad::Refused(Refusal::Invalid("nothing follows".to_owned())))
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
    let retried = if expired(draft.state.origin.execution_expiration) {
        Retried::No(RetryState::Timeout)
    } else {
        retry(draft, events, &timeout_failure(), context)?
    };
    let (retry_state, new_execution_run_id) = retried.outcome();
    if draft.state.task.is_started() {
        force_fail(draft, Cause::ForceCloseCommand);
    }
    draft.flush();
    draft.write(Attributes::WorkflowExecutionTimedOutEventAttributes(
        WorkflowExecutionTimedOutEventAttributes {
            retry_state: retry_state.into(),
            new_execution_run_id,
        },
    ));
    Ok(retried.successor())
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
