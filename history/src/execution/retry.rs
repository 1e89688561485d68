//! Retry policies: defaults, validity, and what follows when an attempt has failed.
//!
//! Deliberately absent: whose attempt it is. Activities and workflows ask the same question.

use std::time::Duration;

use cairn_proto::prost_types;
use cairn_proto::temporal::api::common::v1::RetryPolicy;
use cairn_proto::temporal::api::enums::v1::{RetryState, TimeoutType};
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use serde::{Deserialize, Serialize};

use super::command::Signed;
use super::wire;
use crate::id::Time;

const INITIAL_INTERVAL: Duration = Duration::from_secs(1);
const COEFFICIENT: f64 = 2.0;
/// The default longest interval, in initial intervals.
const MAXIMUM_INTERVALS: u32 = 100;
const SECOND: i64 = 1_000_000_000;
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
    /// The maximum interval caps it, and stands for none (workflows).
    Capped,
}

impl Policy {
    /// A policy as asked for, with defaults, as an event will show it; the text says what is wrong with it.
    pub(crate) fn checked(asked: Option<&RetryPolicy>) -> Result<RetryPolicy, String> {
        let mut policy = with_defaults(asked);
        check(&mut policy)?;
        Ok(policy)
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
            coefficient: match asked.backoff_coefficient {
                0.0 => COEFFICIENT,
                // What is not a number ends at the maximum just as well, and is equal to itself.
                it if it.is_nan() => f64::INFINITY,
                it => it,
            },
            maximum_interval: or(
                wire::span(asked.maximum_interval.as_ref()),
                initial_interval.saturating_mul(MAXIMUM_INTERVALS),
            ),
            maximum_attempts: asked.maximum_attempts,
            non_retryable: asked.non_retryable_error_types.clone(),
        }
    }

    /// A policy as an operator has put it together, without defaults; what is not retried stays.
    pub(crate) fn replaced(&self, asked: &RetryPolicy) -> Self {
        let coefficient = asked.backoff_coefficient;
        Self {
            initial_interval: wire::span(asked.initial_interval.as_ref()),
            coefficient: if coefficient.is_nan() {
                f64::INFINITY
            } else {
                coefficient
            },
            maximum_interval: wire::span(asked.maximum_interval.as_ref()),
            maximum_attempts: asked.maximum_attempts,
            non_retryable: self.non_retryable.clone(),
        }
    }

    pub(crate) fn published(&self) -> RetryPolicy {
        RetryPolicy {
            initial_interval: wire::some_duration(self.initial_interval),
            backoff_coefficient: self.coefficient,
            maximum_interval: wire::some_duration(self.maximum_interval),
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
            // Of a run no timeout ends the attempts, but that of its chain.
            let state = match wish {
                Wish::Free => state,
                Wish::Capped => RetryState::NonRetryableFailure,
            };
            return Next::Never(state);
        }
        if self.maximum_attempts > 0 && attempt >= self.maximum_attempts {
            return Next::Never(RetryState::MaximumAttemptsReached);
        }
        let delay = match failure.and_then(next_delay) {
            Some(delay) if wish == Wish::Free => delay,
            Some(delay) if delay.is_zero() => self.maximum_interval,
            Some(delay) => delay.min(self.maximum_interval),
            None => self.delay(attempt),
        };
        match expiration {
            Some(expiration) if now.after(delay) > expiration => Next::Never(RetryState::Timeout),
            _ => Next::After(delay),
        }
    }

    /// The delay between attempt `attempt` and the next. An operator may have said nothing of a longest one.
    pub(crate) fn delay(&self, attempt: i32) -> Duration {
        let factor = self.coefficient.powi(attempt.saturating_sub(1).max(0));
        let seconds = self.initial_interval.as_secs_f64() * factor;
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(self.maximum_interval);
        if self.maximum_interval.is_zero() {
            delay
        } else {
            delay.min(self.maximum_interval)
        }
    }

    pub(crate) fn retryable(&self, failure: &Failure) -> Result<(), RetryState> {
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

/// Is this the name of a timeout, in either of its spellings?
fn is_timeout(name: &str) -> bool {
    [
        TimeoutType::StartToClose,
        TimeoutType::ScheduleToStart,
        TimeoutType::ScheduleToClose,
        TimeoutType::Heartbeat,
    ]
    .into_iter()
    .any(|kind| name == timeout_name(kind) || name == kind.as_str_name())
}

fn with_defaults(asked: Option<&RetryPolicy>) -> RetryPolicy {
    let mut policy = asked.cloned().unwrap_or_default();
    let initial = match nanos(policy.initial_interval.as_ref()) {
        0 => {
            policy.initial_interval = Some(wire::duration(INITIAL_INTERVAL));
            nanos(policy.initial_interval.as_ref())
        }
        initial => initial,
    };
    if nanos(policy.maximum_interval.as_ref()) == 0 {
        // The reference's nanoseconds overflow: a hundred times three years is refused as negative.
        let maximum = initial.wrapping_mul(i64::from(MAXIMUM_INTERVALS));
        policy.maximum_interval = Some(prost_types::Duration {
            seconds: maximum / SECOND,
            nanos: i32::try_from(maximum % SECOND).unwrap_or(0),
        });
    }
    if policy.backoff_coefficient == 0.0 {
        policy.backoff_coefficient = COEFFICIENT;
    }
    policy
}

/// A duration in nanoseconds, or as many as there can be.
fn nanos(duration: Option<&prost_types::Duration>) -> i64 {
    duration.map_or(0, |it| {
        it.seconds
            .saturating_mul(SECOND)
            .saturating_add(i64::from(it.nanos))
    })
}

/// Is a policy valid? The text says why not, as the reference does. Absurd intervals are cut.
fn check(policy: &mut RetryPolicy) -> Result<(), String> {
    if policy.maximum_attempts == 1 {
        return Ok(()); // the rest is never looked at
    }
    let interval = |name: &str, value: &mut Option<prost_types::Duration>| {
        let checked = Signed::checked(value.map(Signed::from))
            .map_err(|why| format!("invalid {name} set on retry policy: {why}"))?;
        *value = Some(wire::duration(checked));
        Ok::<_, String>(checked)
    };
    let initial = interval("InitialInterval", &mut policy.initial_interval)?;
    if policy.backoff_coefficient < 1.0 {
        return Err("BackoffCoefficient cannot be less than 1 on retry policy.".to_owned());
    }
    let maximum = interval("MaximumInterval", &mut policy.maximum_interval)?;
    if !maximum.is_zero() && maximum < initial {
        return Err(
            "MaximumInterval cannot be less than InitialInterval on retry policy.".to_owned(),
        );
    }
    if policy.maximum_attempts < 0 {
        return Err("MaximumAttempts cannot be negative on retry policy.".to_owned());
    }
    for name in &policy.non_retryable_error_types {
        if let Some(kind) = name.strip_prefix(TIMEOUT_PREFIX)
            && !is_timeout(kind)
        {
            return Err(format!("Invalid timeout type value: {kind}."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: i64 = 365 * 86_400;

    fn interval(seconds: i64, nanos: i32) -> RetryPolicy {
        RetryPolicy {
            initial_interval: Some(prost_types::Duration { seconds, nanos }),
            ..Default::default()
        }
    }

    fn wrong(policy: &RetryPolicy) -> String {
        Policy::checked(Some(policy)).unwrap_err()
    }

    #[test]
    fn the_default_maximum_overflows_as_the_reference_does() {
        let negative = "invalid MaximumInterval set on retry policy: negative duration";
        assert_eq!(wrong(&interval(3 * YEAR, 0)), negative);
        assert_eq!(wrong(&interval(i64::MAX, 0)), negative);
        let policy = Policy::checked(Some(&interval(6 * YEAR, 0))).unwrap();
        let maximum = policy.maximum_interval.unwrap();
        assert_eq!((maximum.seconds, maximum.nanos), (474_855_926, 290_448_384));
    }

    #[test]
    fn a_maximum_below_the_default_interval() {
        let policy = RetryPolicy {
            maximum_interval: Some(prost_types::Duration {
                seconds: 0,
                nanos: 1,
            }),
            ..Default::default()
        };
        let text = "MaximumInterval cannot be less than InitialInterval on retry policy.";
        assert_eq!(wrong(&policy), text);
    }

    #[test]
    fn nanoseconds_are_carried() {
        let policy = Policy::checked(Some(&interval(1, 2_000_000_000))).unwrap();
        assert_eq!(policy.initial_interval.unwrap().seconds, 3);
        let text = "duration has seconds and nanos with different signs";
        assert!(wrong(&interval(1, -1)).ends_with(text));
    }

    #[test]
    fn a_policy_of_one_attempt_is_not_looked_at() {
        let asked = RetryPolicy {
            maximum_attempts: 1,
            ..interval(-60, 0)
        };
        let policy = Policy::checked(Some(&asked)).unwrap();
        assert_eq!(policy.maximum_interval.unwrap().seconds, -6_000);
    }

    #[test]
    fn what_is_no_number_ends_at_the_maximum() {
        let asked = RetryPolicy {
            backoff_coefficient: f64::NAN,
            ..Default::default()
        };
        let policy = Policy::filled(&Policy::checked(Some(&asked)).unwrap());
        assert_eq!(policy, policy.clone());
        assert_eq!(policy.delay(1), INITIAL_INTERVAL);
        assert_eq!(policy.delay(2), policy.maximum_interval);
    }

    #[test]
    fn timeouts_have_two_names() {
        let check = |name: &str| {
            Policy::checked(Some(&RetryPolicy {
                non_retryable_error_types: vec![format!("{TIMEOUT_PREFIX}{name}")],
                ..Default::default()
            }))
        };
        assert!(check("Heartbeat").is_ok());
        assert!(check("TIMEOUT_TYPE_HEARTBEAT").is_ok());
        for name in ["", "heartbeat", "Unspecified", "TIMEOUT_TYPE_UNSPECIFIED"] {
            let text = format!("Invalid timeout type value: {name}.");
            assert_eq!(check(name).unwrap_err(), text);
        }
    }
}
