//! The four timeouts of an activity.

use std::sync::Arc;

use cairn_proto::temporal::api::enums::v1::{RetryState, TimeoutType};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{Failure, TimeoutFailureInfo};
use cairn_proto::temporal::api::history::v1::ActivityTaskTimedOutEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::retry::{close, retry};
use super::{Activity, Part};
use crate::execution::Volatile;
use crate::execution::retry::timeout_name;
use crate::execution::transition::Draft;
use crate::id::Time;
use crate::kind::Heartbeat;

/// The activity is out of time, with or without an attempt that is.
const NO_TIME_LEFT: &str = "Not enough time to schedule next retry before activity ScheduleToClose \
                            timeout, giving up retrying";

/// When the next timeout or attempt of any activity is due.
pub(crate) fn next_deadline(part: &Part, volatile: &Volatile) -> Option<Time> {
    part.pending
        .values()
        .filter_map(|activity| {
            let timeout = deadline(activity, volatile).map(|(time, _)| time);
            let waits = activity.waits() && activity.is_deferred();
            // An attempt that is due is offered, and needs no waking any more.
            let retry = (waits && !volatile.is_awake_at(activity.scheduled_time))
                .then_some(activity.scheduled_time);
            match (timeout, retry) {
                (Some(timeout), Some(retry)) => Some(timeout.min(retry)),
                (timeout, retry) => timeout.or(retry),
            }
        })
        .min()
}

/// The first timeout that will hit an activity. While it is paused none does.
fn deadline(activity: &Activity, volatile: &Volatile) -> Option<(Time, TimeoutType)> {
    if activity.paused.is_some() {
        return None;
    }
    let after = |start: Time, timeout: std::time::Duration, kind| {
        (!timeout.is_zero()).then(|| (start.after(timeout), kind))
    };
    let close = after(
        activity.first_scheduled_time,
        activity.schedule_to_close,
        TimeoutType::ScheduleToClose,
    );
    let others = match &activity.started {
        None => [
            after(
                activity.scheduled_time,
                activity.schedule_to_start,
                TimeoutType::ScheduleToStart,
            ),
            None,
        ],
        Some(started) => [
            after(
                started.time,
                activity.start_to_close,
                TimeoutType::StartToClose,
            ),
            after(
                volatile.last_beat(activity.scheduled_event_id, started.time),
                activity.heartbeat,
                TimeoutType::Heartbeat,
            ),
        ],
    };
    others
        .into_iter()
        .chain([close])
        .flatten()
        .min_by_key(|(time, _)| *time)
}

/// Times out every activity whose time is up, in the order in which it was; what heartbeats said may have to be forgotten.
pub(crate) fn time_out(draft: &mut Draft<'_>, volatile: &mut Volatile) -> Vec<Heartbeat> {
    let mut due: Vec<_> = draft
        .state
        .activities
        .pending
        .values()
        .filter_map(|activity| {
            let (time, kind) = deadline(activity, volatile)?;
            (time <= draft.now).then(|| {
                (
                    time,
                    activity.scheduled_event_id,
                    kind,
                    Arc::clone(activity),
                )
            })
        })
        .collect();
    due.sort_unstable_by_key(|(time, id, ..)| (*time, *id));
    due.into_iter()
        .filter_map(|(_, _, kind, activity)| time_out_one(draft, volatile, &activity, kind))
        .collect()
}

fn time_out_one(
    draft: &mut Draft<'_>,
    volatile: &mut Volatile,
    activity: &Activity,
    kind: TimeoutType,
) -> Option<Heartbeat> {
    let mut failure = timeout_failure(kind);
    let mut retry_state = RetryState::Timeout;
    if matches!(kind, TimeoutType::StartToClose | TimeoutType::Heartbeat) {
        match retry(draft, activity, Some(&failure)) {
            Ok(()) => {
                let id = activity.scheduled_event_id;
                return activity.forgets_heartbeat.then(|| volatile.forget(id));
            }
            Err(state) => retry_state = state,
        }
    }
    if retry_state == RetryState::Timeout && kind != TimeoutType::ScheduleToStart {
        failure = Failure {
            message: NO_TIME_LEFT.to_owned(),
            ..timeout_failure(TimeoutType::ScheduleToClose)
        };
    }
    let details = volatile
        .heartbeats
        .get(&activity.scheduled_event_id)
        .and_then(|beat| beat.details.clone());
    if let Some(FailureInfo::TimeoutFailureInfo(info)) = &mut failure.failure_info {
        info.last_heartbeat_details = details;
    }
    failure.cause = activity.last_failure.clone().map(Box::new);
    close(draft, activity, None, |started_event_id| {
        Attributes::ActivityTaskTimedOutEventAttributes(ActivityTaskTimedOutEventAttributes {
            failure: Some(failure),
            scheduled_event_id: activity.scheduled_event_id,
            started_event_id,
            retry_state: retry_state.into(),
        })
    });
    volatile.heartbeats.remove(&activity.scheduled_event_id);
    None
}

fn timeout_failure(kind: TimeoutType) -> Failure {
    Failure {
        message: format!("activity {} timeout", timeout_name(kind)),
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::TimeoutFailureInfo(TimeoutFailureInfo {
            timeout_type: kind.into(),
            last_heartbeat_details: None,
        })),
        ..Default::default()
    }
}
