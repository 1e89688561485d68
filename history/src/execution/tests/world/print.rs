//! Answers, refusals and events, each in a line.

use std::fmt::Write as _;

use cairn_proto::temporal::api::enums::v1::ContinueAsNewInitiator as Initiator;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes as Event;
use cairn_proto::temporal::api::update::v1::outcome;

use super::{post, update_id};
use crate::execution::*;

pub(super) fn updated_text(updated: Updated) -> String {
    let outcome = match updated.outcome.and_then(|it| it.value) {
        None => String::new(),
        Some(outcome::Value::Success(_)) => " with success".to_owned(),
        Some(outcome::Value::Failure(it)) => format!(" with {}", it.message),
    };
    let started = match updated.with_start {
        None => "",
        Some(it) if it.started => " in a new run",
        Some(it) if it.attached => " in the run that is there",
        Some(_) => " before",
    };
    let (id, stage) = (updated.update_id, updated.stage);
    format!("update {id} {stage:?}{outcome}{started}")
}

pub(super) fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::AlreadyStarted { .. } => "already started".to_owned(),
        Refusal::Completed => "completed".to_owned(),
        Refusal::OfStart(why) if matches!(**why, Refusal::AlreadyStarted { .. }) => {
            "of the start: already started".to_owned()
        }
        other => format!("{other:?}"),
    }
}

/// An event in a line, with what tells it from others of its kind.
#[expect(clippy::too_many_lines, reason = "one arm per kind of event")]
pub(super) fn printed(event: &HistoryEvent) -> String {
    let Some(attributes) = &event.attributes else {
        return format!("{} nothing", event.event_id);
    };
    let name = attributes.event_type().as_str_name();
    let name = crate::execution::command::pascal(name, "EVENT_TYPE_");
    let detail = match attributes {
        Event::WorkflowExecutionStartedEventAttributes(it) => {
            let backoff = crate::execution::wire::span(it.first_workflow_task_backoff.as_ref());
            let mut text = if it.attempt > 1 {
                format!(" attempt {}", it.attempt)
            } else {
                String::new()
            };
            if !backoff.is_zero() {
                let _ = write!(text, " backoff {backoff:?}");
            }
            if it.initiator() == Initiator::CronSchedule {
                text.push_str(" by cron");
            }
            if it.last_completion_result.is_some() && !it.cron_schedule.is_empty() {
                text.push_str(" with a result");
            }
            if let Some(failure) = &it.continued_failure
                && !it.cron_schedule.is_empty()
            {
                let _ = write!(text, " after {:?}", failure.message);
            }
            text
        }
        Event::WorkflowTaskScheduledEventAttributes(it) => {
            let queue = it.task_queue.as_ref().map_or("", |it| &it.name);
            let attempt = if it.attempt > 1 {
                format!(" attempt {}", it.attempt)
            } else {
                String::new()
            };
            format!("{attempt} on {queue}")
        }
        Event::WorkflowTaskStartedEventAttributes(it) => format!(" {}", it.scheduled_event_id),
        Event::WorkflowTaskCompletedEventAttributes(it) => {
            format!(" {} {}", it.scheduled_event_id, it.started_event_id)
        }
        Event::WorkflowTaskFailedEventAttributes(it) => {
            format!(
                " {} {} {:?}",
                it.scheduled_event_id,
                it.started_event_id,
                it.cause()
            )
        }
        Event::WorkflowTaskTimedOutEventAttributes(it) => format!(
            " {} {} {:?}",
            it.scheduled_event_id,
            it.started_event_id,
            it.timeout_type()
        ),
        Event::ActivityTaskScheduledEventAttributes(it) => format!(" {}", it.activity_id),
        Event::ActivityTaskStartedEventAttributes(it) => {
            format!(" {} attempt {}", it.scheduled_event_id, it.attempt)
        }
        Event::ActivityTaskCompletedEventAttributes(it) => {
            format!(" {} {}", it.scheduled_event_id, it.started_event_id)
        }
        Event::ActivityTaskFailedEventAttributes(it) => format!(
            " {} {} {:?}",
            it.scheduled_event_id,
            it.started_event_id,
            it.retry_state()
        ),
        Event::ActivityTaskTimedOutEventAttributes(it) => {
            let failure = it.failure.as_ref().unwrap();
            let kind = match &failure.failure_info {
                Some(FailureInfo::TimeoutFailureInfo(info)) => format!("{:?}", info.timeout_type()),
                _ => String::new(),
            };
            format!(
                " {} {} {kind} {:?}",
                it.scheduled_event_id,
                it.started_event_id,
                it.retry_state()
            )
        }
        Event::ActivityTaskCanceledEventAttributes(it) => format!(
            " {} {} asked by {}",
            it.scheduled_event_id, it.started_event_id, it.latest_cancel_requested_event_id
        ),
        Event::ActivityTaskCancelRequestedEventAttributes(it) => {
            format!(" {}", it.scheduled_event_id)
        }
        Event::TimerStartedEventAttributes(it) => format!(" {}", it.timer_id),
        Event::TimerFiredEventAttributes(it) => format!(" {} {}", it.timer_id, it.started_event_id),
        Event::TimerCanceledEventAttributes(it) => {
            format!(" {} {}", it.timer_id, it.started_event_id)
        }
        Event::WorkflowExecutionSignaledEventAttributes(it) => format!(" {}", it.signal_name),
        Event::WorkflowExecutionCompletedEventAttributes(it) => {
            let next = if it.new_execution_run_id.is_empty() {
                ""
            } else {
                " another follows"
            };
            next.to_owned()
        }
        Event::WorkflowExecutionFailedEventAttributes(it) => {
            let next = if it.new_execution_run_id.is_empty() {
                ""
            } else {
                " another follows"
            };
            format!(" {:?}{next}", it.retry_state())
        }
        Event::WorkflowExecutionTimedOutEventAttributes(it) => {
            let next = if it.new_execution_run_id.is_empty() {
                ""
            } else {
                " another follows"
            };
            format!(" {:?}{next}", it.retry_state())
        }
        Event::WorkflowExecutionUpdateAdmittedEventAttributes(it) => {
            let id = it.request.as_ref().map_or("", update_id);
            format!(" {id} {:?}", it.origin())
        }
        Event::WorkflowExecutionUpdateAcceptedEventAttributes(it) => {
            let asked = it.accepted_request.as_ref().map_or(" as admitted", |_| "");
            format!(" {}{asked}", it.protocol_instance_id)
        }
        Event::WorkflowExecutionUpdateCompletedEventAttributes(it) => {
            format!(" {}", it.accepted_event_id)
        }
        Event::WorkflowExecutionTerminatedEventAttributes(it) => format!(" {}", it.reason),
        Event::WorkflowExecutionOptionsUpdatedEventAttributes(it) => {
            let key = it.priority.as_ref().map_or(0, |it| it.priority_key);
            format!(" {key} {:?}", it.attached_request_id)
        }
        Event::WorkflowExecutionPausedEventAttributes(it) => format!(" {}", it.reason),
        Event::WorkflowExecutionUnpausedEventAttributes(it) => format!(" {}", it.reason),
        Event::MarkerRecordedEventAttributes(it) => format!(" {}", it.marker_name),
        other => post::detail(other).unwrap_or_default(),
    };
    format!("{} {name}{detail}", event.event_id)
}
