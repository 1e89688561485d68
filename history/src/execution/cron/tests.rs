//! Which texts are schedules, and when they come.

use super::*;

fn time(text: &str) -> Time {
    let timestamp: Timestamp = text.parse().unwrap();
    Time(i64::try_from(timestamp.as_nanosecond()).unwrap())
}

fn shown(time: Time) -> String {
    Timestamp::from_nanosecond(time.0.into())
        .unwrap()
        .to_string()
}

/// The times that follow `from`.
fn times(schedule: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(schedule).unwrap();
    let mut at = time(from);
    let mut times = Vec::new();
    for _ in 0..count {
        at = schedule.next(at, at).unwrap();
        times.push(shown(at));
    }
    times
}

#[test]
fn schedules_are_told_from_nonsense() {
    for good in [
        "* * * * *",
        "@every 1h",
        "@every 10ms",
        "@every -5s",
        "@every 0",
        "@every 1h1.5m.5s",
        "@daily",
        "TZ=Asia/Tokyo @hourly",
        "0 12 * * mon-FRI",
        "*/5 1,2 1-10/3 jan *",
        "CRON_TZ=Europe/Berlin 0 0 * * *",
        "CRON_TZ= 0 0 * * *",
        "0 0 29 2 *",
        "0 0 31 2 mon",
        "5/10 * ? * *",
        "1,,2 * * * *",
        ", * * * *",
        "+5 * * * *",
        "*-5 * * * *",
        "  0   0 * * *  ",
    ] {
        assert!(Schedule::parse(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "foo",
        "* * * * * *",
        "61 * * * *",
        "*/0 * * * *",
        "*/5/5 * * * *",
        "@every",
        "@every x",
        "@every 1d",
        "@every  1h",
        "@every 1",
        "@every 1h 2m",
        "@every 99999999999h",
        " @daily",
        "@daily ",
        "@often",
        "1-0 * * * *",
        "1-2-3 * * * *",
        "a * * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "CRON_TZ=UTC",
        "CRON_TZ=Nowhere/City 0 0 * * *",
        "CRON_TZ=europe/berlin 0 0 * * *",
        "-1 * * * *",
        "99999999999 * * * *",
    ] {
        assert!(Schedule::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn what_never_comes_is_known() {
    let now = time("2026-01-01T00:00:00Z");
    for never in ["0 0 30 2 *", ", * * * *", "0 0 31 2,4,6 ?"] {
        assert!(!Schedule::parse(never).unwrap().comes(now), "{never}");
    }
    assert!(Schedule::parse("0 0 29 2 *").unwrap().comes(now));
}

#[test]
fn minutes_and_hours() {
    assert_eq!(
        times("*/20 9-10 * * *", "2026-03-01T09:10:30.5Z", 5),
        [
            "2026-03-01T09:20:00Z",
            "2026-03-01T09:40:00Z",
            "2026-03-01T10:00:00Z",
            "2026-03-01T10:20:00Z",
            "2026-03-01T10:40:00Z",
        ]
    );
}

#[test]
fn either_of_two_restricted_days_is_enough() {
    assert_eq!(
        times("0 0 13 * fri", "2026-02-12T00:00:00Z", 4),
        [
            "2026-02-13T00:00:00Z",
            "2026-02-20T00:00:00Z",
            "2026-02-27T00:00:00Z",
            "2026-03-06T00:00:00Z",
        ]
    );
    assert_eq!(
        times("0 0 */2 * fri", "2026-02-12T00:00:00Z", 2),
        ["2026-02-13T00:00:00Z", "2026-02-15T00:00:00Z"],
        "every second day restricts"
    );
    assert_eq!(
        times("0 0 29 feb *", "2026-02-12T00:00:00Z", 1),
        ["2028-02-29T00:00:00Z"]
    );
}

#[test]
fn an_hour_that_is_skipped_does_not_come() {
    let berlin = "CRON_TZ=Europe/Berlin 30 2 * * *";
    assert_eq!(
        times(berlin, "2026-03-28T00:00:00Z", 2),
        ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]
    );
}

#[test]
fn an_hour_that_is_repeated_comes_twice() {
    let berlin = "CRON_TZ=Europe/Berlin 30 2 * * *";
    assert_eq!(
        times(berlin, "2026-10-24T12:00:00Z", 3),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-26T01:30:00Z",
        ]
    );
    assert_eq!(
        times(
            "CRON_TZ=Europe/Berlin */30 2-3 * * *",
            "2026-10-25T00:10:00Z",
            5
        ),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T02:30:00Z",
        ],
        "in the order of time"
    );
}

fn wait(schedule: &str, due: &str, now: &str) -> Option<u64> {
    backoff(schedule, time(due), time(now)).map(|wait| wait.as_secs())
}

#[test]
fn a_wait_is_in_whole_seconds() {
    let start = "2026-03-01T09:00:00.3Z";
    assert_eq!(wait("@every 1s", start, start), Some(1));
    assert_eq!(wait("@every 5s", start, start), Some(5));
    assert_eq!(wait("@every 1500ms", start, start), Some(1));
    assert_eq!(wait("@every 10ms", start, start), Some(1));
    assert_eq!(wait("* * * * *", start, start), Some(60));
    let whole = "2026-03-01T09:00:00Z";
    assert_eq!(wait("@every 5s", whole, whole), Some(5));
    assert_eq!(wait("* * * * *", whole, whole), Some(60));
}

#[test]
fn times_that_have_passed_are_left_out() {
    let due = "2026-03-01T09:00:00.3Z";
    assert_eq!(wait("@every 5s", due, "2026-03-01T09:00:12.1Z"), Some(3));
    assert_eq!(wait("@every 5s", due, "2026-03-01T09:00:15Z"), Some(0));
    assert_eq!(wait("* * * * *", due, "2026-03-01T09:05:59.5Z"), Some(1));
    assert_eq!(wait("* * * * *", due, "2026-03-01T09:06:00Z"), Some(0));
}

#[test]
fn a_run_that_closes_before_it_was_due_is_followed_then() {
    let due = "2026-03-01T09:00:10Z";
    assert_eq!(wait("@every 5s", due, "2026-03-01T09:00:07.5Z"), Some(3));
}

#[test]
fn no_schedule_and_nonsense_follow_with_nothing() {
    let now = "2026-03-01T09:00:00Z";
    assert_eq!(wait("", now, now), None);
    assert_eq!(wait("nonsense", now, now), None);
    assert_eq!(wait("0 0 30 2 *", now, now), None);
}
