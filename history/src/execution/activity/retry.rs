//! What follows when an attempt at an activity has failed: another one, or the end, and the events of an end.

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::enums::v1::RetryState;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{Failure, ServerFailureInfo};
use cairn_proto::temporal::api::history::v1::ActivityTaskStartedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::Activity;
use crate::execution::retry::{Next, Wish};
use crate::execution::transition::{Draft, Extra};

/// What a state may hold of a failure, in bytes.
const LAST_FAILURE_BYTES_MAX: usize = 4 << 10;

/// Schedules the next attempt, or says why there is none.
pub(super) fn retry(
    draft: &mut Draft<'_>,
    activity: &Activity,
    failure: &Failure,
) -> Result<(), RetryState> {
    if activity.cancel_requested_event_id.is_some() {
        return Err(RetryState::CancelRequested);
    }
    let next = activity.policy.next(
        activity.attempt,
        Some(failure),
        Wish::Free,
        draft.now,
        activity.expiration(),
    );
    match next {
        Next::Never(state) => Err(state),
        Next::After(delay) => {
            draft.change(Change::ActivityRetry(record::ActivityRetry {
                scheduled_event_id: activity.scheduled_event_id,
                attempt: activity.attempt.saturating_add(1),
                scheduled_time: draft.now.after(delay).0,
                failure: Some(cut(failure)),
            }));
            Ok(())
        }
    }
}

/// The events of an activity's end: its Started, if it was started, and what closes it.
pub(super) fn close(
    draft: &mut Draft<'_>,
    activity: &Activity,
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
                ..Default::default()
            }),
            started.time,
            Extra::default(),
        )
    });
    draft.happen(closing(started_event_id));
    draft.want_task();
}

/// A failure that a state may hold: what is too large is cut, outermost message first kept.
fn cut(failure: &Failure) -> Failure {
    if failure.encoded_len() <= LAST_FAILURE_BYTES_MAX {
        return failure.clone();
    }
    Failure {
        source: "Server".to_owned(),
        ..oversize(
            failure,
            "Failure exceeds size limit.",
            LAST_FAILURE_BYTES_MAX,
        )
    }
}

/// What is put in place of a failure that is too large: its beginning is the cause.
pub(super) fn oversize(failure: &Failure, message: &str, bytes_max: usize) -> Failure {
    let half = bytes_max / 4;
    Failure {
        message: message.to_owned(),
        cause: Some(Box::new(Failure {
            message: prefix(&failure.message, half).to_owned(),
            source: prefix(&failure.source, half).to_owned(),
            stack_trace: prefix(&failure.stack_trace, half).to_owned(),
            failure_info: match &failure.failure_info {
                Some(FailureInfo::ApplicationFailureInfo(info)) => {
                    let mut info = info.clone();
                    info.details = None;
                    info.r#type = prefix(&info.r#type, half).to_owned();
                    Some(FailureInfo::ApplicationFailureInfo(info))
                }
                _ => None,
            },
            ..Default::default()
        })),
        ..server_failure(message)
    }
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
