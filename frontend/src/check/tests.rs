//! One line per field: what is said about it, in the reference's words.

use super::*;

fn said(checked: Checked) -> String {
    match checked {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as fields have it")]
fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

#[test]
fn durations() {
    let said = |seconds, nanos| {
        let mut value = Duration { seconds, nanos };
        let result = duration(Some(&mut value));
        (result, value.seconds, value.nanos)
    };
    assert_eq!(said(-1, 0).0, Err("negative duration"));
    assert_eq!(said(0, -1).0, Err("negative duration"));
    assert_eq!(said(i64::MIN, i32::MIN).0, Err("negative duration"));
    assert_eq!(
        said(1, -1).0,
        Err("duration has seconds and nanos with different signs")
    );
    assert_eq!(
        said(1, 1_500_000_000),
        (Ok(StdDuration::from_millis(2500)), 2, 500_000_000)
    );
    assert_eq!(
        said(i64::MAX, i32::MAX),
        (Ok(StdDuration::from_hours(876_000)), LONGEST, 0)
    );
    assert_eq!(duration(None), Ok(StdDuration::ZERO));
}

#[test]
fn retry_policies() {
    let with = |change: fn(&mut RetryPolicy)| {
        let mut policy = RetryPolicy::default();
        change(&mut policy);
        said(retry_policy(Some(&mut policy)))
    };
    assert_eq!(with(|_| ()), "ok");
    assert_eq!(
        with(|policy| policy.initial_interval = seconds(-1)),
        "invalid InitialInterval set on retry policy: negative duration"
    );
    assert_eq!(
        with(|policy| policy.maximum_interval = seconds(-1)),
        "invalid MaximumInterval set on retry policy: negative duration"
    );
    assert_eq!(
        with(|policy| policy.backoff_coefficient = 0.5),
        "BackoffCoefficient cannot be less than 1 on retry policy."
    );
    assert_eq!(with(|policy| policy.backoff_coefficient = f64::NAN), "ok");
    assert_eq!(
        with(|policy| {
            policy.initial_interval = seconds(10);
            policy.maximum_interval = seconds(5);
        }),
        "MaximumInterval cannot be less than InitialInterval on retry policy."
    );
    assert_eq!(
        with(|policy| policy.maximum_attempts = -1),
        "MaximumAttempts cannot be negative on retry policy."
    );
    assert_eq!(
        with(|policy| policy.non_retryable_error_types = vec!["TemporalTimeout:Foo".to_owned()]),
        "Invalid timeout type value: Foo."
    );
    assert_eq!(
        with(|policy| {
            policy.maximum_attempts = 1;
            policy.initial_interval = seconds(-1);
        }),
        "ok"
    );
}

#[test]
fn a_retry_policy_is_filled_in() {
    let mut policy = RetryPolicy {
        initial_interval: seconds(3),
        ..Default::default()
    };
    assert!(retry_policy(Some(&mut policy)).is_ok());
    assert_eq!(policy.maximum_interval, seconds(300));
    assert!((policy.backoff_coefficient - 2.0).abs() < f64::EPSILON);
    let mut huge = RetryPolicy {
        initial_interval: seconds(i64::MAX),
        ..Default::default()
    };
    assert_eq!(
        said(retry_policy(Some(&mut huge))),
        "invalid MaximumInterval set on retry policy: negative duration"
    );
}

#[test]
fn task_queues() {
    let config = Config::default();
    let with = |name: &str| {
        let mut queue = TaskQueue {
            name: name.to_owned(),
            ..Default::default()
        };
        let said = said(own_task_queue(&config, Some(&mut queue)));
        (said, queue.kind)
    };
    assert_eq!(said(task_queue(&config, None)), "taskQueue is not set");
    assert_eq!(with("").0, "missing task queue name");
    assert_eq!(with("q"), ("ok".to_owned(), TaskQueueKind::Normal.into()));
    assert_eq!(with(&"q".repeat(1001)).0, "taskQueue length exceeds limit");
    assert_eq!(
        with("/_sys/q").0,
        "task queue name cannot start with reserved prefix /_sys/"
    );
    assert_eq!(
        with("temporal-sys-per-ns-tq").0,
        "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq"
    );
    assert_eq!(with("a\0").0, "ok");
    let partition = |name: &str| {
        let mut queue = TaskQueue {
            name: name.to_owned(),
            ..Default::default()
        };
        said(super::partition(&config, Some(&mut queue)))
    };
    assert_eq!(partition("/_sys/q/1"), "ok");
    assert_eq!(
        partition("/_sys/q"),
        "invalid task queue partition name /_sys/q"
    );
}

#[test]
fn executions() {
    let with = |workflow_id: &str, run_id: &str| {
        said(execution(Some(&WorkflowExecution {
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
        })))
    };
    assert_eq!(said(execution(None)), "Execution is not set on request.");
    assert_eq!(with("", ""), "WorkflowId is not set on request.");
    assert_eq!(with("w", "x"), "Invalid RunId.");
    assert_eq!(with("w", "01a20222-cf2f-7e62-8469-e1bd68bc2ca6"), "ok");
    assert_eq!(
        said(workflow_id(&Config::default(), &"x".repeat(1001))),
        "WorkflowId exceeds maximum allowed length (1001/1000)"
    );
}
