//! The command `ScheduleActivityTask`: validity and the timeouts that the event will show.

use std::time::Duration;

use cairn_proto::temporal::api::common::v1::{ActivityType, RetryPolicy};
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::ActivityTaskScheduledEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use crate::execution::command::{Bad, ScheduleActivity, Signed};
use crate::execution::retry::Policy;
use crate::execution::workflow_task::{Completing, asked_queue};
use crate::execution::{Limits, check_priority, payload_size, wire};

/// Zero: none.
pub(super) struct Timeouts {
    pub(super) schedule_to_close: Duration,
    pub(super) schedule_to_start: Duration,
    pub(super) start_to_close: Duration,
    pub(super) heartbeat: Duration,
}

pub(crate) fn schedule(it: &mut Completing<'_, '_>, asked: &ScheduleActivity) -> Result<(), Bad> {
    let limits = it.draft.limits;
    let run_timeout = it.draft.state.origin.run_timeout.unwrap_or_default();
    let (timeouts, policy) = check(asked, run_timeout, limits)
        .map_err(|text| Bad::Task(Cause::BadScheduleActivityAttributes, text))?;
    let queue = asked.task_queue.as_ref().map_or("", |it| &it.name);
    if asked.use_workflow_build_id && queue != it.draft.state.origin.task_queue {
        return Err(Bad::Task(
            Cause::BadScheduleActivityAttributes,
            "Activity with UseCompatibleVersion cannot run on different task queue.".to_owned(),
        ));
    }
    if payload_size(asked.input.as_ref()) > limits.blob_bytes_max {
        return Err(Bad::Run(
            Cause::BadScheduleActivityAttributes,
            "ScheduleActivityTaskCommandAttributes.Input exceeds size limit.".to_owned(),
        ));
    }
    let activities = &it.draft.state.activities;
    if activities.pending.len() >= limits.pending_activities_max {
        return Err(Bad::Task(
            Cause::PendingActivitiesLimitExceeded,
            format!(
                "the number of pending activities, {}, has reached the per-workflow limit of {}",
                activities.pending.len(),
                limits.pending_activities_max
            ),
        ));
    }
    if activities.by_id(&asked.activity_id).is_some() {
        return Err(Bad::Task(
            Cause::ScheduleActivityDuplicateId,
            format!(
                "invalid history builder state for action: add-activitytask-scheduled-event, \
                 ActivityID: {}",
                asked.activity_id
            ),
        ));
    }
    let scheduled = ActivityTaskScheduledEventAttributes {
        activity_id: asked.activity_id.clone(),
        activity_type: Some(ActivityType {
            name: asked.activity_type.clone(),
        }),
        task_queue: Some(asked_queue(asked.task_queue.as_ref(), queue)),
        header: asked.header.clone(),
        input: asked.input.clone(),
        schedule_to_close_timeout: Some(wire::duration(timeouts.schedule_to_close)),
        schedule_to_start_timeout: Some(wire::duration(timeouts.schedule_to_start)),
        start_to_close_timeout: Some(wire::duration(timeouts.start_to_close)),
        heartbeat_timeout: Some(wire::duration(timeouts.heartbeat)),
        workflow_task_completed_event_id: it.completed_event_id,
        retry_policy: Some(policy),
        use_workflow_build_id: asked.use_workflow_build_id,
        priority: asked.priority.clone(),
    };
    let id = it.write(Attributes::ActivityTaskScheduledEventAttributes(scheduled));
    let may_begin = limits.eager_activities && !it.draft.state.is_paused();
    if asked.request_eager_execution && may_begin {
        it.eager.push((id, it.index));
    }
    Ok(())
}

/// Is it valid? With the timeouts and the policy that it will have.
pub(super) fn check(
    asked: &ScheduleActivity,
    run_timeout: Duration,
    limits: &Limits,
) -> Result<(Timeouts, RetryPolicy), String> {
    check_queue(asked.task_queue.as_ref().map(|it| &*it.name), limits)?;
    if asked.activity_id.is_empty() {
        return Err("activityId is not set".to_owned());
    }
    if asked.activity_type.is_empty() {
        return Err("activityType is not set".to_owned());
    }
    let policy = Policy::checked(asked.retry_policy.as_ref())?;
    for (name, value) in [
        ("activityId", &asked.activity_id),
        ("activityType", &asked.activity_type),
    ] {
        if value.len() > limits.id_bytes_max {
            return Err(format!(
                "{name} exceeds length limit. Length={} Limit={}",
                value.len(),
                limits.id_bytes_max
            ));
        }
    }
    if let Some(priority) = &asked.priority {
        check_priority(priority).map_err(|why| format!("invalid priorities: {why}"))?;
    }
    Ok((timeouts(asked, run_timeout)?, policy))
}

/// The queue that a command names; the text says what is wrong with it.
pub(crate) fn check_queue(name: Option<&str>, limits: &Limits) -> Result<(), String> {
    let wrong = match name {
        None => "taskQueue is not set",
        Some("") => "missing task queue name",
        Some(name) if name.len() > limits.id_bytes_max => "taskQueue length exceeds limit",
        Some(name) if name.starts_with("/_sys/") => {
            "task queue name cannot start with reserved prefix /_sys/"
        }
        Some(_) => return Ok(()),
    };
    Err(wrong.to_owned())
}

fn timeouts(asked: &ScheduleActivity, run: Duration) -> Result<Timeouts, String> {
    let checked = |name: &str, value: Option<Signed>| {
        Signed::checked(value).map_err(|why| format!("invalid {name}: {why}"))
    };
    let schedule_to_close = checked("ScheduleToCloseTimeout", asked.schedule_to_close)?;
    let schedule_to_start = checked("ScheduleToStartTimeout", asked.schedule_to_start)?;
    let start_to_close = checked("StartToCloseTimeout", asked.start_to_close)?;
    let heartbeat = checked("HeartbeatTimeout", asked.heartbeat)?;
    let within = |value: Duration, bound: Duration| match (value.is_zero(), bound.is_zero()) {
        (true, _) => bound,
        (false, true) => value,
        (false, false) => value.min(bound),
    };
    let mut timeouts = if !schedule_to_close.is_zero() {
        Timeouts {
            schedule_to_close,
            schedule_to_start: within(schedule_to_start, schedule_to_close),
            start_to_close: within(start_to_close, schedule_to_close),
            heartbeat,
        }
    } else if !start_to_close.is_zero() {
        Timeouts {
            schedule_to_close: run,
            schedule_to_start: within(schedule_to_start, run),
            start_to_close,
            heartbeat,
        }
    } else {
        return Err(format!(
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. \
             ActivityId={} ActivityType={}",
            asked.activity_id, asked.activity_type
        ));
    };
    if !run.is_zero() {
        for timeout in [
            &mut timeouts.schedule_to_close,
            &mut timeouts.schedule_to_start,
            &mut timeouts.start_to_close,
            &mut timeouts.heartbeat,
        ] {
            *timeout = (*timeout).min(run);
        }
    }
    timeouts.heartbeat = timeouts.heartbeat.min(timeouts.start_to_close);
    Ok(timeouts)
}
