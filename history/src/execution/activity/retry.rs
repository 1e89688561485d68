//! What follows when an attempt at an activity has failed: another one, or the end, and the events of an end.

use std::time::Duration;

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::WorkerVersionStamp;
use cairn_proto::temporal::api::enums::v1::RetryState;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure, ServerFailureInfo};
use cairn_proto::temporal::api::history::v1::ActivityTaskStartedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::Activity;
use crate::execution::retry::{Next, Wish};
use crate::execution::transition::{Draft, Extra};

/// What a state may hold of a failure, in bytes.
const LAST_FAILURE_BYTES_MAX: usize = 4 << 10;
/// How deep a shortened failure may be.
const CAUSES_MAX: u8 = 20;
const TYPE_BYTES_MAX: usize = 1_000;
/// What a field, and a cause, take beside what they say.
const FIELD_BYTES: usize = 4;
const CAUSE_BYTES: usize = 8;

/// Schedules the next attempt, or says why there is none.
pub(super) fn retry(
    draft: &mut Draft<'_>,
    activity: &Activity,
    failure: Option<&Failure>,
) -> Result<(), RetryState> {
    if activity.cancel_requested_event_id.is_some() {
        return Err(RetryState::CancelRequested);
    }
    if activity.paused.is_some() {
        if let Some(failure) = failure {
            activity.policy.retryable(failure)?;
        }
        // How many attempts there may be is looked at when this one has failed.
        next_attempt(draft, activity, failure, Duration::ZERO);
        return Ok(());
    }
    let next = activity.policy.next(
        activity.attempt,
        failure,
        Wish::Free,
        draft.now,
        activity.expiration(),
    );
    match next {
        Next::Never(state) => Err(state),
        Next::After(delay) => {
            next_attempt(draft, activity, failure, delay);
            Ok(())
        }
    }
}

fn next_attempt(
    draft: &mut Draft<'_>,
    activity: &Activity,
    failure: Option<&Failure>,
    delay: Duration,
) {
    draft.change(Change::ActivityRetry(record::ActivityRetry {
        scheduled_event_id: activity.scheduled_event_id,
        attempt: activity.attempt.saturating_add(1),
        scheduled_time: draft.now.after(delay).0,
        failure: failure.map(cut),
    }));
}

/// The events of an activity's end: its Started, if it was started, and what closes it.
/// Of the build of the worker we hear only from its answer.
pub(super) fn close(
    draft: &mut Draft<'_>,
    activity: &Activity,
    worker_version: Option<&WorkerVersionStamp>,
    closing: impl FnOnce(i64) -> Attributes,
) {
    let started_event_id = activity.started.as_ref().map_or(0, |started| {
        draft.happen_with(
            Attributes::ActivityTaskStartedEventAttributes(ActivityTaskStartedEventAttributes {
                scheduled_event_id: activity.scheduled_event_id,
                identity: started.identity.clone(),
                request_id: started.request_id.clone(),
                attempt: activity.attempt,
                last_failure: activity.last_failure.clone(),
                worker_version: worker_version.cloned(),
                ..Default::default()
            }),
            started.time,
            Extra::default(),
        )
    });
    draft.happen(closing(started_event_id));
    draft.want_task();
}

/// A failure that a state may hold.
fn cut(failure: &Failure) -> Failure {
    if failure.encoded_len() <= LAST_FAILURE_BYTES_MAX {
        return failure.clone();
    }
    Failure {
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo {
            non_retryable: false,
        })),
        ..oversize(
            failure,
            "Failure exceeds size limit.",
            LAST_FAILURE_BYTES_MAX,
        )
    }
}

/// What is put in place of a failure that is too large: its beginning is the cause.
pub(super) fn oversize(failure: &Failure, message: &str, bytes_max: usize) -> Failure {
    Failure {
        cause: Some(Box::new(shorten(failure, bytes_max, CAUSES_MAX))),
        ..server_failure(message)
    }
}

/// The kind stays, with its name; then as much as fits of the source, the message, the stack trace and the causes.
fn shorten(failure: &Failure, bytes_max: usize, causes: u8) -> Failure {
    let mut left = bytes_max;
    let failure_info = failure.failure_info.as_ref();
    let failure_info = failure_info.and_then(|info| without_details(info, &mut left));
    let mut short = Failure {
        failure_info,
        source: taken(&failure.source, &mut left),
        message: taken(&failure.message, &mut left),
        stack_trace: taken(&failure.stack_trace, &mut left),
        ..Default::default()
    };
    if left > CAUSE_BYTES && causes > 0 {
        let cause = failure.cause.as_deref();
        short.cause = cause.map(|it| Box::new(shorten(it, left - CAUSE_BYTES, causes - 1)));
    }
    short
}

fn without_details(info: &FailureInfo, left: &mut usize) -> Option<FailureInfo> {
    *left = left.saturating_sub(FIELD_BYTES);
    match info {
        FailureInfo::ApplicationFailureInfo(info) => {
            let name = prefix(&info.r#type, TYPE_BYTES_MAX);
            if !name.is_empty() {
                *left = left.saturating_sub(name.len() + FIELD_BYTES);
            }
            let kept = ApplicationFailureInfo {
                r#type: name.to_owned(),
                non_retryable: info.non_retryable,
                ..Default::default()
            };
            Some(FailureInfo::ApplicationFailureInfo(kept))
        }
        FailureInfo::ServerFailureInfo(info) => Some(FailureInfo::ServerFailureInfo(*info)),
        _ => None,
    }
}

/// As much of a text as fits with what is around it.
fn taken(text: &str, left: &mut usize) -> String {
    if text.is_empty() {
        return String::new();
    }
    let taken = prefix(text, left.saturating_sub(FIELD_BYTES));
    *left = left.saturating_sub(taken.len() + FIELD_BYTES);
    taken.to_owned()
}

pub(super) fn server_failure(message: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo {
            non_retryable: true,
        })),
        ..Default::default()
    }
}

/// At most so many bytes, ending at a character.
fn prefix(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
