//! Retry policies: defaults, validity, and what follows when an attempt has failed.
//!
//! Deliberately absent: whose attempt it is. Activities and workflows ask the same question.

use std::time::Duration;

use cairn_proto::temporal::api::common::v1::RetryPolicy;
use cairn_proto::temporal::api::enums::v1::{RetryState, TimeoutType};
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use serde::{Deserialize, Serialize};

use super::wire;
use crate::id::Time;

const INITIAL_INTERVAL: Duration = Duration::from_secs(1);
const COEFFICIENT: f64 = 2.0;
/// The default longest interval, in initial intervals.
const MAXIMUM_INTERVALS: u32 = 100;
/// What a non-retryable error type begins with to name a timeout.
const TIMEOUT_PREFIX: &str = "TemporalTimeout:";

/// A retry policy with every default filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) initial_interval: Duration,
    pub(crate) coefficient: f64,
    pub(crate) maximum_interval: Duration,
    /// Zero: without limit.
    pub(crate) maximum_attempts: i32,
    pub(crate) non_retryable: Vec<String>,
}

/// What happens after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    After(Duration),
    Never(RetryState),
}

/// How a failure's own wish for the next delay is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It stands (activities).
    Free,
    /// The maximum interval caps it (workflows).
    Capped,
}

impl Policy {
    /// A policy as asked for, with defaults; the text says what is wrong with it.
    pub(crate) fn checked(asked: Option<&RetryPolicy>) -> Result<Self, String> {
        let asked = asked.cloned().unwrap_or_default();
        check(&asked)?;
        Ok(Self::filled(&asked))
    }

    /// A policy as an event holds it.
    pub(crate) fn filled(asked: &RetryPolicy) -> Self {
        let or = |value: Duration, default| if value.is_zero() { default } else { value };
        let initial_interval = or(
            wire::span(asked.initial_interval.as_ref()),
            INITIAL_INTERVAL,
        );
        Self {
            initial_interval,
            coefficient: if asked.backoff_coefficient == 0.0 {
                COEFFICIENT
            } else {
                asked.backoff_coefficient
            },
            maximum_interval: or(
                wire::span(asked.maximum_interval.as_ref()),
                initial_interval.saturating_mul(MAXIMUM_INTERVALS),
            ),
            maximum_attempts: asked.maximum_attempts,
            non_retryable: asked.non_retryable_error_types.clone(),
        }
    }

    pub(crate) fn published(&self) -> RetryPolicy {
        RetryPolicy {
            initial_interval: Some(wire::duration(self.initial_interval)),
            backoff_coefficient: self.coefficient,
            maximum_interval: Some(wire::duration(self.maximum_interval)),
            maximum_attempts: self.maximum_attempts,
            non_retryable_error_types: self.non_retryable.clone(),
        }
    }

    /// Is there another attempt after `attempt` failed, and when?
    pub(crate) fn next(
        &self,
        attempt: i32,
        failure: Option<&Failure>,
        wish: Wish,
        now: Time,
        expiration: Option<Time>,
    ) -> Next {
        if let Some(failure) = failure
            && let Err(state) = self.retryable(failure)
        {
            return Next::Never(state);
        }
        if self.maximum_attempts > 0 && attempt >= self.maximum_attempts {
            return Next::Never(RetryState::MaximumAttemptsReached);
        }
        let delay = match failure.and_then(next_delay) {
            Some(delay) if wish == Wish::Free => delay,
            Some(delay) => delay.min(self.maximum_interval),
            None => self.delay(attempt),
        };
        match expiration {
            Some(expiration) if now.after(delay) > expiration => Next::Never(RetryState::Timeout),
            _ => Next::After(delay),
        }
    }

    /// The delay between attempt `attempt` and the next.
    fn delay(&self, attempt: i32) -> Duration {
        let factor = self.coefficient.powi(attempt.saturating_sub(1).max(0));
        let seconds = self.initial_interval.as_secs_f64() * factor;
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(self.maximum_interval)
            .min(self.maximum_interval)
    }

    fn retryable(&self, failure: &Failure) -> Result<(), RetryState> {
        let refused = match &failure.failure_info {
            Some(FailureInfo::TerminatedFailureInfo(_) | FailureInfo::CanceledFailureInfo(_)) => {
                true
            }
            Some(FailureInfo::TimeoutFailureInfo(timeout)) => match timeout.timeout_type() {
                kind @ (TimeoutType::StartToClose | TimeoutType::Heartbeat) => {
                    let name = format!("{TIMEOUT_PREFIX}{}", timeout_name(kind));
                    self.non_retryable.contains(&name)
                }
                _ => return Err(RetryState::Timeout),
            },
            Some(FailureInfo::ServerFailureInfo(server)) => server.non_retryable,
            Some(FailureInfo::ApplicationFailureInfo(application)) => {
                application.non_retryable || self.non_retryable.contains(&application.r#type)
            }
            _ => false,
        };
        if refused {
            Err(RetryState::NonRetryableFailure)
        } else {
            Ok(())
        }
    }
}

fn next_delay(failure: &Failure) -> Option<Duration> {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => info
            .next_retry_delay
            .as_ref()
            .map(|delay| wire::span(Some(delay))),
        _ => None,
    }
}

/// The published name of a timeout.
pub(crate) fn timeout_name(kind: TimeoutType) -> &'static str {
    match kind {
        TimeoutType::Unspecified => "Unspecified",
        TimeoutType::StartToClose => "StartToClose",
        TimeoutType::ScheduleToStart => "ScheduleToStart",
        TimeoutType::ScheduleToClose => "ScheduleToClose",
        TimeoutType::Heartbeat => "Heartbeat",
    }
}

/// Is a policy valid? The text says why not, as the reference does.
fn check(policy: &RetryPolicy) -> Result<(), String> {
    if policy.maximum_attempts == 1 {
        return Ok(()); // the rest is never looked at
    }
    let negative = |duration: &Option<cairn_proto::prost_types::Duration>| {
        duration
            .as_ref()
            .is_some_and(|duration| duration.seconds < 0 || duration.nanos < 0)
    };
    if negative(&policy.initial_interval) {
        return Err("invalid InitialInterval set on retry policy: negative duration".to_owned());
    }
    let coefficient = policy.backoff_coefficient;
    if coefficient.is_nan() || (coefficient != 0.0 && coefficient < 1.0) {
        return Err("BackoffCoefficient cannot be less than 1 on retry policy.".to_owned());
    }
    if negative(&policy.maximum_interval) {
        return Err("invalid MaximumInterval set on retry policy: negative duration".to_owned());
    }
    let maximum = wire::span(policy.maximum_interval.as_ref());
    if !maximum.is_zero() && maximum < wire::span(policy.initial_interval.as_ref()) {
        return Err(
            "MaximumInterval cannot be less than InitialInterval on retry policy.".to_owned(),
        );
    }
    if policy.maximum_attempts < 0 {
        return Err("MaximumAttempts cannot be negative on retry policy.".to_owned());
    }
    for name in &policy.non_retryable_error_types {
        if let Some(kind) = name.strip_prefix(TIMEOUT_PREFIX)
            && ![
                "StartToClose",
                "ScheduleToStart",
                "ScheduleToClose",
                "Heartbeat",
            ]
            .contains(&kind)
        {
            return Err(format!("Invalid timeout type value: {kind}."));
        }
    }
    Ok(())
}
