//! Activities from the operator's side: pause, unpause, reset, other options.

use super::{World, check};

#[test]
fn nobody_gets_what_is_paused() {
    check(
        "start; poll; complete: activity a; pause a; owed; begin a again; describe; unpause a; begin a; done a",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            owed: nothing
            ! NoSuchActivity("Activity task not found.")
            > described a Paused attempt 1
            > activity a attempt 1 reads 5..6
            6 ActivityTaskStarted 5 attempt 1
              7 ActivityTaskCompleted 5 6
              8 WorkflowTaskScheduled on q"#,
    );
}

#[test]
fn what_runs_hears_of_a_pause_and_is_not_tried_again() {
    check(
        "start; poll; complete: activity a retry=3; begin a; pause a; beat a; failed a; advance 60s; owed; describe; unpause a; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > paused
            owed: nothing
            > described a Paused attempt 2
            owed: Activity 5 attempt 2 on q",
    );
}

#[test]
fn a_pause_outlasts_the_last_attempt() {
    check(
        "start; poll; complete: activity a retry=1; begin a; pause a; failed a; unpause a; begin a; failed a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > activity a attempt 2 reads 5..6
            6 ActivityTaskStarted 5 attempt 2
              7 ActivityTaskFailed 5 6 MaximumAttemptsReached
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_final_failure_ends_what_is_paused() {
    check(
        "start; poll; complete: activity a; begin a; pause a; failed a final",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            6 ActivityTaskStarted 5 attempt 1
              7 ActivityTaskFailed 5 6 NonRetryableFailure
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn no_time_is_up_while_it_is_paused() {
    check(
        "start; poll; complete: activity a stc=5s s2c=8s retry=1; begin a; pause a; advance 60s; describe; unpause a; advance 1ms",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > described a PauseRequested attempt 1
            6 ActivityTaskStarted 5 attempt 1
              7 ActivityTaskTimedOut 5 6 StartToClose MaximumAttemptsReached
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_second_pause_is_refused_unless_it_is_the_first() {
    check(
        "start; poll; complete: activity a; pause a request=1; pause a request=1; pause a request=2; pause type=act",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            ! Precondition("activity is already paused")
            ! Precondition("activity is already paused")"#,
    );
}

#[test]
fn activities_are_meant_by_id_by_type_or_all() {
    check(
        "start; poll; complete: activity a, activity b; pause type=act; describe; unpause b; describe; pause x; pause type=x; unpause all; describe",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
              6 ActivityTaskScheduled b
            > described a Paused attempt 1 b Paused attempt 1
            > described a Paused attempt 1 b Scheduled attempt 1
            ! NoSuchActivity("Can't find pending activity with such ID. Invalid activityID or activity already completed")
            ! NoSuchActivity("Can't find pending activity with such ID. Invalid activityID or activity already completed")
            > described a Scheduled attempt 1 b Scheduled attempt 1"#,
    );
}

#[test]
fn unpaused_it_is_due_before_its_time() {
    check(
        "start; poll; complete: activity a retry=9; begin a; failed a; pause a; unpause a; begin a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > activity a attempt 2 reads 5..6",
    );
}

#[test]
fn unpaused_from_the_beginning() {
    check(
        "start; poll; complete: activity a retry=9; begin a; beat a x; failed a; pause a; unpause a attempts heartbeat; begin a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > register 5 31
            > register 5 0
            > activity a attempt 1 reads 5..6",
    );
}

#[test]
fn a_reset_begins_at_once() {
    check(
        "start; poll; complete: activity a retry=9; begin a; failed a; reset-activity a; begin a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > activity a attempt 1 reads 5..6",
    );
}

#[test]
fn a_reset_may_leave_it_paused() {
    check(
        "start; poll; complete: activity a retry=9; begin a; failed a; pause a; reset-activity a paused; describe; reset-activity a; describe",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > described a Paused attempt 1
            > described a Scheduled attempt 1",
    );
}

#[test]
fn what_runs_hears_of_a_reset() {
    check(
        "start; poll; complete: activity a retry=9; begin a; beat a x; reset-activity a heartbeat; beat a y; failed a; advance 1s; begin a; beat a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > register 5 31
            > register 5 31
            > reset
            > register 5 0
            > activity a attempt 2 reads 5..6",
    );
}

#[test]
fn a_later_attempt_is_not_heard_behind_a_reset() {
    check(
        "start; poll; complete: activity a retry=9; begin a; failed a; advance 1s; begin a; reset-activity a; beat a; describe",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > activity a attempt 2 reads 5..6
            ! NoSuchActivity("invalid activityID or activity already timed out or invoking workflow is completed")
            > described a Started attempt 1"#,
    );
}

#[test]
fn options_move_what_waits_to_another_queue() {
    check(
        "start; poll; complete: activity a; activity-options a queue=other heartbeat=9s mask=taskQueue.name,heartbeat_timeout; owed; begin a on=q; begin a",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > options: on other start to close 10s heartbeat 9s interval 1s attempts 0
            owed: Activity 5 attempt 1 on other
            ! NoSuchActivity("Activity task not found.")
            > activity a attempt 1 reads 5..6"#,
    );
}

#[test]
fn another_interval_counts_from_the_failure() {
    check(
        "start; poll; complete: activity a retry=9; begin a; failed a; activity-options a interval=5s mask=retry_policy.initial_interval; advance 8s; owed; advance 3s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > options: on q start to close 10s heartbeat 0ns interval 5s attempts 9
            owed: nothing
            owed: Activity 5 attempt 2 on q",
    );
}

#[test]
fn options_are_restored() {
    check(
        "start; poll; complete: activity a; activity-options a queue=other close=3s mask=task_queue.name,start_to_close_timeout; activity-options a original; owed; activity-options a close=3s mask=start_to_close_timeout; reset-activity a options; activity-options a close=4s mask=nothing",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > options: on other start to close 3s heartbeat 0ns interval 1s attempts 0
            > options: on q start to close 10s heartbeat 0ns interval 1s attempts 0
            owed: Activity 5 attempt 1 on q
            > options: on q start to close 3s heartbeat 0ns interval 1s attempts 0
            > options: on q start to close 10s heartbeat 0ns interval 1s attempts 0",
    );
}

#[test]
fn bad_options_are_refused() {
    check(
        "start; poll; complete: activity a; activity-options a close=3s; activity-options a original mask=priority; activity-options a mask=retry_policy; activity-options a mask=priority.priority_key; activity-options a mask=task_queue.name; activity-options a queue=/_sys/x mask=task_queue.name; terminate; activity-options a original",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            ! Invalid("UpdateMask is not provided")
            ! Invalid("Both UpdateMask and RestoreOriginal are provided")
            ! Invalid("RetryPolicy is not provided")
            ! Invalid("Priority is not provided")
            ! Invalid("TaskQueue is not provided")
            ! Invalid("task queue name cannot start with reserved prefix /_sys/")
            6 WorkflowExecutionTerminated enough
            ! completed"#,
    );
}

#[test]
fn a_run_is_found_by_the_types_of_what_is_paused() {
    let mut world = World::new();
    for line in ["start", "poll", "complete: activity a"] {
        world.line(line);
    }
    let before = world.terms().len();
    world.line("pause a");
    assert_eq!(world.terms().len(), before + 1);
    world.line("unpause a");
    assert_eq!(world.terms().len(), before);
}
