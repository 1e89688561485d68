//! Completion callbacks: who has them, who makes them, and when again.

use super::world::World;

/// What a script prints of callbacks alone.
fn callbacks(script: &str) -> Vec<String> {
    const STATES: [&str; 5] = ["Standby", "Scheduled", "BackingOff", "Succeeded", "Failed"];
    let out = World::play(script);
    let lines = out.lines().map(str::trim);
    let of_callbacks = |line: &&str| {
        let second = line.split(' ').nth(1).unwrap_or("");
        line.starts_with("owes ") || STATES.contains(&second)
    };
    lines.filter(of_callbacks).map(str::to_owned).collect()
}

#[test]
fn an_open_run_owes_nothing() {
    assert_eq!(
        callbacks("start call=a; callbacks"),
        ["a Standby attempt 0"]
    );
}

#[test]
fn a_closed_run_calls_everybody() {
    let script = "start call=a; start request=two conflict=2 attach call=b,c; poll; complete: finish; callbacks";
    let expected = [
        "a Scheduled attempt 0",
        "b Scheduled attempt 0",
        "c Scheduled attempt 0",
        "owes 0: nothing",
        "owes 1: nothing",
        "owes 2: nothing",
    ];
    assert_eq!(callbacks(script), expected);
}

#[test]
fn a_request_that_is_attached_twice_is_called_once() {
    let script = "start; start request=two conflict=2 attach call=b; start request=two conflict=2 attach call=b; callbacks";
    assert_eq!(callbacks(script), ["b Standby attempt 0"]);
}

#[test]
fn what_was_heard_is_owed_no_more() {
    let script = "start call=a,b; terminate; called 1 heard; callbacks";
    let expected = [
        "a Scheduled attempt 0",
        "b Succeeded attempt 1",
        "owes 0: operation terminated",
    ];
    assert_eq!(callbacks(script), expected);
}

#[test]
fn what_came_twice_counts_once() {
    let script = "start call=a; terminate; called 0 heard; called 0 heard; callbacks";
    assert_eq!(callbacks(script), ["a Succeeded attempt 1"]);
}

#[test]
fn what_was_not_heard_is_said_again_in_time() {
    let script = "start call=a; terminate; called 0 later; callbacks; advance 999ms; callbacks; advance 1ms; callbacks";
    let expected = [
        "a BackingOff attempt 1",
        "a BackingOff attempt 1",
        "a Scheduled attempt 1",
        "owes 0: operation terminated",
    ];
    assert_eq!(callbacks(script), expected);
}

#[test]
fn each_wait_is_twice_as_long() {
    let script = "start call=a; terminate; called 0 later; advance 1s; called 0 later; advance 1999ms; callbacks; advance 1ms; callbacks";
    let expected = [
        "a BackingOff attempt 2",
        "a Scheduled attempt 2",
        "owes 0: operation terminated",
    ];
    assert_eq!(callbacks(script), expected);
}

#[test]
fn who_will_never_hear_is_left_alone() {
    let script = "start call=a; terminate; called 0 never; advance 60m; callbacks";
    assert_eq!(callbacks(script), ["a Failed attempt 1"]);
}

#[test]
fn the_next_run_of_a_chain_calls() {
    let script = "start call=a; poll; complete: again; callbacks of=1; callbacks; poll; complete: finish; callbacks";
    let expected = [
        "a Standby attempt 0",
        "a Standby attempt 0",
        "a Scheduled attempt 0",
        "owes 0: nothing",
    ];
    assert_eq!(callbacks(script), expected);
}

#[test]
fn the_next_attempt_calls() {
    let script = "start call=a retry=2; poll; complete: fail; callbacks of=1; callbacks";
    assert_eq!(callbacks(script), ["a Standby attempt 0"; 2]);
}

#[test]
fn each_time_of_a_schedule_is_work_of_its_own() {
    let script = "start call=a cron=@every_60m; advance 60m; poll; complete: finish; callbacks of=1; callbacks";
    assert_eq!(
        callbacks(script)[..2],
        ["a Scheduled attempt 0", "owes 0: nothing"]
    );
}

#[test]
fn the_run_behind_a_reset_calls() {
    let script = "start call=a; poll; complete; signal s; poll; complete; reset 4; callbacks of=1; callbacks";
    assert_eq!(callbacks(script), ["a Standby attempt 0"; 2]);
}

#[test]
fn a_run_that_has_closed_calls_also_if_it_is_reset() {
    let script = "start call=a; poll; complete; signal s; poll; complete: finish; advance 1s; reset 4; callbacks of=1";
    let expected = ["a Scheduled attempt 0", "owes 0: nothing"];
    assert_eq!(callbacks(script), expected);
}
