//! Failures that are too large to be recorded, or that say what nobody can do.

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{Failure, ServerFailureInfo};

use crate::config::Config;
use crate::error::Error;

/// A failure that the server makes in place of what a worker sent.
pub(crate) fn of_server(message: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        source: "Server".to_owned(),
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo {
            non_retryable: true,
        })),
        ..Default::default()
    }
}

/// What is recorded in place of a failure that is too large: what remains of it becomes the cause.
pub(crate) fn cut(config: &Config, failure: Failure) -> Failure {
    Failure {
        cause: Some(Box::new(truncated(failure, config.blob_size_warn))),
        ..of_server("Failure exceeds size limit.")
    }
}

/// The failure within `limit` bytes: first its message, then its stack trace, nothing else.
fn truncated(mut failure: Failure, limit: usize) -> Failure {
    if failure.encoded_len() <= limit {
        return failure;
    }
    let half = limit / 2;
    shorten(&mut failure.message, half);
    let left = limit.saturating_sub(failure.message.len()) / 2;
    shorten(&mut failure.stack_trace, left);
    Failure {
        message: failure.message,
        source: failure.source,
        stack_trace: failure.stack_trace,
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo {
            non_retryable: !retryable(failure.failure_info.as_ref()),
        })),
        ..Default::default()
    }
}

fn retryable(info: Option<&FailureInfo>) -> bool {
    match info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => !info.non_retryable,
        Some(FailureInfo::ServerFailureInfo(info)) => !info.non_retryable,
        _ => true,
    }
}

fn shorten(text: &mut String, limit: usize) {
    text.truncate(text.floor_char_boundary(limit));
}

/// A worker's failure of an activity must be an application's, with delays that are durations.
pub(crate) fn of_activity(failure: Option<&Failure>) -> Result<(), Error> {
    let Some(failure) = failure else {
        return Ok(());
    };
    if !matches!(
        failure.failure_info,
        Some(FailureInfo::ApplicationFailureInfo(_))
    ) {
        return Err(Error::invalid("Failure must have ApplicationFailureInfo."));
    }
    delays(Some(failure))
}

/// The delays before the next attempt, all along the chain of causes.
pub(crate) fn delays(failure: Option<&Failure>) -> Result<(), Error> {
    let mut next = failure;
    while let Some(failure) = next {
        if let Some(FailureInfo::ApplicationFailureInfo(info)) = &failure.failure_info
            && let Some(delay) = &info.next_retry_delay
        {
            let seconds_fit = delay.seconds.unsigned_abs() <= 315_576_000_000;
            let nanos_fit = delay.nanos.unsigned_abs() < 1_000_000_000;
            let signs_fit = delay.seconds.signum() * i64::from(delay.nanos.signum()) >= 0;
            if !(seconds_fit && nanos_fit && signs_fit) {
                return Err(Error::invalid(format!(
                    "NextRetryDelay is not a valid duration: {}s {}ns",
                    delay.seconds, delay.nanos
                )));
            }
        }
        next = failure.cause.as_deref();
    }
    Ok(())
}
