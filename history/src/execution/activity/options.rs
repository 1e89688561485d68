//! Options of an activity that somebody may change while it is open, and may have as they were.
//!
//! What is asked for is merged with what the activity has, field by field as the mask says, and judged as the command that
//! scheduled it was. Fields that the mask names and that cannot be changed are left alone.

use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::prost_types;
use cairn_proto::temporal::api::activity::v1::ActivityOptions;
use cairn_proto::temporal::api::common::v1::{Priority, RetryPolicy};
use cairn_proto::temporal::api::enums::v1::TaskQueueKind;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;

use super::operate::Operating;
use super::{Activity, Part, schedule};
use crate::execution::command::{ScheduleActivity, Signed};
use crate::execution::{Answer, Refusal, UpdateActivityOptions, kept, wire};
use crate::id::Time;

/// What does not depend on the activity.
pub(super) fn check(asked: &UpdateActivityOptions) -> Result<(), Refusal> {
    let wrong = match (&asked.options, &asked.paths, asked.restore_original) {
        (_, Some(_), true) => "Both UpdateMask and RestoreOriginal are provided",
        (None, _, false) => "ActivityOptions are not provided",
        (Some(_), None, false) => "UpdateMask is not provided",
        (Some(_), Some(_), false) | (_, None, true) => return Ok(()),
    };
    Err(invalid(wrong))
}

fn invalid(text: &str) -> Refusal {
    Refusal::Invalid(text.to_owned())
}

pub(super) fn update(
    it: &mut Operating<'_, '_>,
    activity: &Activity,
    asked: &UpdateActivityOptions,
) -> Result<(), Refusal> {
    if asked.restore_original {
        let mut restored = restore(it, activity, Some(activity));
        if let Some(queue) = &mut restored.task_queue {
            queue.normal_name.clear();
        }
        it.answer = Answer::ActivityOptions(Box::new(restored));
        return Ok(());
    }
    let paths = asked.paths.as_deref().unwrap_or_default();
    let mut merged = options(activity);
    if let Some(asked) = &asked.options {
        for path in paths {
            merge(&mut merged, asked, &snake(path))?;
        }
    }
    let run_timeout = it.draft.state.origin.run_timeout.unwrap_or_default();
    let command = as_command(activity, &merged);
    let (timeouts, _) =
        schedule::check(&command, run_timeout, it.draft.limits).map_err(Refusal::Invalid)?;
    merged.schedule_to_close_timeout = Some(wire::duration(timeouts.schedule_to_close));
    merged.schedule_to_start_timeout = Some(wire::duration(timeouts.schedule_to_start));
    merged.start_to_close_timeout = Some(wire::duration(timeouts.start_to_close));
    merged.heartbeat_timeout = Some(wire::duration(timeouts.heartbeat));
    write(it, activity, merged.clone(), Some(activity));
    if let Some(queue) = &mut merged.task_queue {
        queue.normal_name.clear();
        queue.kind = TaskQueueKind::Normal.into();
    }
    // A policy of which a part was changed, or nothing, is shown without the errors that are not tried again.
    if let Some(policy) = &mut merged.retry_policy
        && !paths.iter().any(|path| snake(path) == "retry_policy")
    {
        policy.non_retryable_error_types.clear();
    }
    it.answer = Answer::ActivityOptions(Box::new(merged));
    Ok(())
}

/// The activity has the options again with which it was scheduled. `waiting`: when its next attempt is due may depend on them.
pub(super) fn restore(
    it: &mut Operating<'_, '_>,
    activity: &Activity,
    waiting: Option<&Activity>,
) -> ActivityOptions {
    let Some(original) = activity.original.clone() else {
        return options(activity);
    };
    write(it, activity, original.clone(), waiting);
    original
}

fn write(
    it: &mut Operating<'_, '_>,
    activity: &Activity,
    options: ActivityOptions,
    waiting: Option<&Activity>,
) {
    let policy = options.retry_policy.as_ref();
    let due = waiting
        .filter(|it| it.waits() && it.attempt > 1)
        .map_or(0, |it| it.due_by(policy).0);
    it.draft.change(Change::ActivityOptionsUpdated(
        record::ActivityOptionsUpdated {
            scheduled_event_id: activity.scheduled_event_id,
            options: Some(options),
            scheduled_time: due,
        },
    ));
}

fn merge(merged: &mut ActivityOptions, asked: &ActivityOptions, path: &str) -> Result<(), Refusal> {
    let policy = || {
        let policy = asked.retry_policy.as_ref();
        policy.ok_or_else(|| invalid("RetryPolicy is not provided"))
    };
    let priority = || {
        let priority = asked.priority.as_ref();
        priority.ok_or_else(|| invalid("Priority is not provided"))
    };
    match path {
        "task_queue.name" => {
            let queue = asked.task_queue.as_ref();
            let queue = queue.ok_or_else(|| invalid("TaskQueue is not provided"))?;
            or_new::<TaskQueue>(&mut merged.task_queue)
                .name
                .clone_from(&queue.name);
        }
        "schedule_to_close_timeout" => {
            merged.schedule_to_close_timeout = asked.schedule_to_close_timeout;
        }
        "schedule_to_start_timeout" => {
            merged.schedule_to_start_timeout = asked.schedule_to_start_timeout;
        }
        "start_to_close_timeout" => merged.start_to_close_timeout = asked.start_to_close_timeout,
        "heartbeat_timeout" => merged.heartbeat_timeout = asked.heartbeat_timeout,
        "retry_policy" => merged.retry_policy = Some(policy()?.clone()),
        "retry_policy.initial_interval" => {
            or_new::<RetryPolicy>(&mut merged.retry_policy).initial_interval =
                policy()?.initial_interval;
        }
        "retry_policy.backoff_coefficient" => {
            or_new::<RetryPolicy>(&mut merged.retry_policy).backoff_coefficient =
                policy()?.backoff_coefficient;
        }
        "retry_policy.maximum_interval" => {
            or_new::<RetryPolicy>(&mut merged.retry_policy).maximum_interval =
                policy()?.maximum_interval;
        }
        "retry_policy.maximum_attempts" => {
            or_new::<RetryPolicy>(&mut merged.retry_policy).maximum_attempts =
                policy()?.maximum_attempts;
        }
        "priority" => merged.priority = kept(asked.priority.as_ref()),
        "priority.priority_key" => {
            or_new::<Priority>(&mut merged.priority).priority_key = priority()?.priority_key;
        }
        "priority.fairness_key" => {
            let key = &priority()?.fairness_key;
            or_new::<Priority>(&mut merged.priority)
                .fairness_key
                .clone_from(key);
        }
        "priority.fairness_weight" => {
            or_new::<Priority>(&mut merged.priority).fairness_weight = priority()?.fairness_weight;
            merged.priority = kept(merged.priority.as_ref());
        }
        // Only answered: it is for activities without a workflow.
        "start_delay" => merged.start_delay = asked.start_delay,
        _ => {}
    }
    Ok(())
}

fn or_new<T: Default>(field: &mut Option<T>) -> &mut T {
    field.get_or_insert_with(T::default)
}

/// Masks are understood in both spellings.
fn snake(path: &str) -> String {
    let mut snake = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn as_command(activity: &Activity, merged: &ActivityOptions) -> ScheduleActivity {
    let signed = |timeout: Option<prost_types::Duration>| timeout.map(Signed::from);
    ScheduleActivity {
        activity_id: activity.id.clone(),
        activity_type: activity.type_name.clone(),
        task_queue: merged.task_queue.clone(),
        header: None,
        input: None,
        schedule_to_close: signed(merged.schedule_to_close_timeout),
        schedule_to_start: signed(merged.schedule_to_start_timeout),
        start_to_close: signed(merged.start_to_close_timeout),
        heartbeat: signed(merged.heartbeat_timeout),
        retry_policy: merged.retry_policy.clone(),
        request_eager_execution: false,
        use_workflow_build_id: false,
        priority: merged.priority.clone(),
    }
}

/// The options of an activity, as they are described.
pub(crate) fn options(activity: &Activity) -> ActivityOptions {
    ActivityOptions {
        task_queue: Some(TaskQueue {
            name: activity.task_queue.clone(),
            kind: 0,
            normal_name: activity.task_queue.clone(),
        }),
        schedule_to_close_timeout: Some(wire::duration(activity.schedule_to_close)),
        schedule_to_start_timeout: Some(wire::duration(activity.schedule_to_start)),
        start_to_close_timeout: Some(wire::duration(activity.start_to_close)),
        heartbeat_timeout: Some(wire::duration(activity.heartbeat)),
        retry_policy: Some(activity.policy.published()),
        priority: activity.priority.clone(),
        start_delay: None,
    }
}

impl Part {
    pub(crate) fn options_updated(&mut self, it: &record::ActivityOptionsUpdated) -> bool {
        let Some(activity) = self.pending.get_mut(&it.scheduled_event_id) else {
            return false;
        };
        let Some(updated) = &it.options else {
            return false;
        };
        let activity = Arc::make_mut(activity);
        let before = options(activity);
        activity.original.get_or_insert(before);
        activity.set_options(updated);
        if it.scheduled_time != 0 {
            let ended = activity.attempt_ended();
            let due = Time(it.scheduled_time);
            activity.reschedule(due);
            activity.retry_interval = due.since(ended);
        }
        true
    }
}

impl Activity {
    pub(super) fn set_options(&mut self, it: &ActivityOptions) {
        if let Some(queue) = &it.task_queue {
            self.task_queue.clone_from(&queue.name);
        }
        self.schedule_to_close = wire::span(it.schedule_to_close_timeout.as_ref());
        self.schedule_to_start = wire::span(it.schedule_to_start_timeout.as_ref());
        self.start_to_close = wire::span(it.start_to_close_timeout.as_ref());
        self.heartbeat = wire::span(it.heartbeat_timeout.as_ref());
        if let Some(policy) = &it.retry_policy {
            self.policy = self.policy.replaced(policy);
        }
        self.priority.clone_from(&it.priority);
    }

    /// When the attempt before ended, as far as that is known.
    fn attempt_ended(&self) -> Time {
        self.last_complete_time.unwrap_or_else(|| {
            let interval = i64::try_from(self.retry_interval.as_nanos()).unwrap_or(i64::MAX);
            Time(self.scheduled_time.0.saturating_sub(interval))
        })
    }

    /// When the attempt that waits is due by this policy. The reference counts the attempt that is still to come.
    fn due_by(&self, policy: Option<&RetryPolicy>) -> Time {
        let policy = policy.map(|it| self.policy.replaced(it));
        let interval = policy.map_or(Duration::ZERO, |it| it.delay(self.attempt));
        if interval.is_zero() {
            self.scheduled_time
        } else {
            self.attempt_ended().after(interval)
        }
    }
}
