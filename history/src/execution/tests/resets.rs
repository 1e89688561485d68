//! Resets and deletions.

use super::check;
use super::world::World;

#[test]
fn a_reset_begins_with_records_and_sends_signals_again() {
    check(
        "start; poll; complete; signal a; poll; complete: timer t 1m; signal b; reset 8; describe",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 TimerStarted t
            10 WorkflowExecutionSignaled b
              11 WorkflowTaskScheduled on q
            12 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=4
            copied 5..=6
            copied 7..=7
            8 WorkflowTaskFailed 6 7 ResetWorkflow
              9 WorkflowExecutionSignaled b
              10 WorkflowTaskScheduled on q
            > reset
            > described task Scheduled attempt 1",
    );
}

#[test]
fn a_reset_to_a_task_that_was_not_started() {
    check(
        "start; poll; complete; signal a; poll; complete; reset 3",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
            9 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            3 WorkflowTaskStarted 2
              4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_reset_ends_a_task_in_hand_and_sends_what_it_had_not_seen_again() {
    check(
        "start; poll; complete; signal a; poll; signal b; reset 4; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskFailed 6 7 ForceCloseCommand
              9 WorkflowExecutionSignaled b
              10 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionSignaled a
              6 WorkflowExecutionSignaled b
              7 WorkflowTaskScheduled on q
            > reset
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionCompleted",
    );
}

#[test]
fn what_came_since_it_was_read_is_sent_again_too() {
    check(
        "start; poll; complete; reset 4 steps=3; signal a; signal b; reset-on; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            7 WorkflowExecutionSignaled b
            8 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionSignaled a
              6 WorkflowExecutionSignaled b
              7 WorkflowTaskScheduled on q
            > reset
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionCompleted",
    );
}

#[test]
fn what_came_to_a_base_that_another_start_ended_meanwhile_is_sent_again_too() {
    // Whatever the reset has read by then: the current run, the base, its records.
    for steps in 0..=3 {
        let printed = World::play(&format!(
            "start; poll; complete; reset 4 of=1 steps={steps}; signal a; terminate; \
             start request=another; reset-on"
        ));
        let goes_on = "\
-- run 3
copied 1..=2
copied 3..=3
4 WorkflowTaskFailed 2 3 ResetWorkflow
  5 WorkflowExecutionSignaled a
  6 WorkflowTaskScheduled on q
> reset";
        assert!(printed.ends_with(goes_on), "{steps} steps:\n{printed}");
    }
}

#[test]
fn what_is_excluded_is_not_sent_again() {
    check(
        "start; poll; complete; signal a; reset 4 no-signals",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            7 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_reset_of_a_chain_follows_it() {
    check(
        "start; poll; complete; signal a; poll; complete: again; signal b; reset 4 of=1",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionContinuedAsNew
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionSignaled b
            4 WorkflowExecutionTerminated again
            -- run 3
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionSignaled a
              6 WorkflowExecutionSignaled b
              7 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_reset_of_an_older_chain_ends_the_current_run_and_takes_nothing_of_it() {
    check(
        "start; poll; complete; signal a; terminate; start request=r2; signal b; reset 4 of=1",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            7 WorkflowExecutionTerminated enough
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionSignaled b
            4 WorkflowExecutionTerminated again
            -- run 3
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_repeated_reset_finds_its_run() {
    check(
        "start; poll; complete; reset 4; reset 4; reset 4 request=other",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowTaskScheduled on q
            > reset
            > reset
            6 WorkflowExecutionTerminated again
            -- run 3
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_closed_run_is_reset_like_an_open_one() {
    check(
        "start; poll; complete: finish; reset 4; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowTaskScheduled on q
            > reset
            6 WorkflowTaskStarted 5
            > task started 6 attempt 1 previous 0 reads 1..7
            7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted",
    );
}

#[test]
fn only_the_end_of_a_record_with_a_workflow_task_will_do() {
    check(
        "start; poll; complete: timer t 1m; signal a; reset 2; reset 5; reset 6; reset 7",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            6 WorkflowExecutionSignaled a
              7 WorkflowTaskScheduled on q
            ! Invalid("StateRebuilder unable to Rebuild mutable state to event ID: 1, version: 0, this event must be at the boundary")
            ! Invalid("StateRebuilder unable to Rebuild mutable state to event ID: 4, version: 0, this event must be at the boundary")
            ! Invalid("Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: 6")
            ! Invalid("StateRebuilder unable to Rebuild mutable state to event ID: 6, version: 0, this event must be at the boundary")"#,
    );
}

#[test]
fn behind_a_task_that_failed_the_next_attempt_is_written() {
    check(
        "start; poll; fail 2; signal s; reset 5",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadScheduleActivityAttributes
            5 WorkflowExecutionSignaled s
            6 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=4
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskFailed 5 6 ResetWorkflow
              8 WorkflowExecutionSignaled s
              9 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn pending_activities_begin_again() {
    check(
        "start; poll; complete: activity a, activity b; signal s; begin a; begin b; failed b; poll; complete; reset 10; owed; begin a; done a; begin b",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
              6 ActivityTaskScheduled b
            7 WorkflowExecutionSignaled s
              8 WorkflowTaskScheduled on q
            > activity a attempt 1 reads 5..6
            > activity b attempt 1 reads 6..7
            9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 3 reads 1..10
            10 WorkflowTaskCompleted 8 9
            11 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=6
            copied 7..=8
            copied 9..=8
            copied 9..=8
            copied 9..=8
            copied 9..=9
            10 WorkflowTaskFailed 8 9 ResetWorkflow
              11 WorkflowTaskScheduled on q
            > reset
            owed: Workflow 11 attempt 1 on q
            owed: Activity 5 attempt 1 on q
            owed: Activity 6 attempt 1 on q
            > activity a attempt 1 reads 5..6
            12 ActivityTaskStarted 5 attempt 1
              13 ActivityTaskCompleted 5 12
            > activity b attempt 1 reads 6..7",
    );
}

#[test]
fn timers_stay_as_they_were() {
    check(
        "start; poll; complete: timer t 10s; signal s; poll; complete; advance 20s; reset 9; advance 1ms",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
            10 TimerFired t 5
              11 WorkflowTaskScheduled on q
            12 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=5
            copied 6..=7
            copied 8..=8
            9 WorkflowTaskFailed 7 8 ResetWorkflow
              10 WorkflowTaskScheduled on q
            > reset
            11 TimerFired t 5",
    );
}

#[test]
fn a_reset_has_the_time_of_a_new_run() {
    check(
        "start run=10s exec=1m; poll; complete; advance 8s; reset 4; advance 9s; advance 1s",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowTaskScheduled on q
            > reset
            6 WorkflowExecutionTimedOut RetryPolicyNotSet",
    );
}

#[test]
fn a_request_that_began_the_base_finds_the_run_that_goes_on() {
    check(
        "start; poll; complete; reset 4; start; start request=r2",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowTaskScheduled on q
            > reset
            ! already started",
    );
}

#[test]
fn an_open_run_that_is_deleted_ends_and_goes() {
    check(
        "start; poll; signal s; expired; delete; expired; delete",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            expired: false
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionSignaled s
              6 WorkflowExecutionTerminated Delete workflow execution
            expired: true
            > already done",
    );
}

#[test]
fn a_closed_run_that_is_deleted_goes_at_once() {
    check(
        "start; poll; complete: finish; expired; delete; expired",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted
            expired: false
            expired: true",
    );
}

#[test]
fn what_waited_behind_a_later_attempt_has_not_happened() {
    check(
        "start; poll; complete: activity a, activity b, timer t 5s; begin a; done a; poll; fail; poll; begin b; done b; advance 5s; complete; reset 15; owed; advance 5s",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
              6 ActivityTaskScheduled b
              7 TimerStarted t
            > activity a attempt 1 reads 5..6
            8 ActivityTaskStarted 5 attempt 1
              9 ActivityTaskCompleted 5 8
              10 WorkflowTaskScheduled on q
            11 WorkflowTaskStarted 10
            > task started 11 attempt 1 previous 3 reads 1..12
            12 WorkflowTaskFailed 10 11 WorkflowWorkerUnhandledFailure
            > task started 14 attempt 2 previous 3 reads 1..13 +13 +14
            > activity b attempt 1 reads 6..7
            13 WorkflowTaskScheduled attempt 2 on q
              14 WorkflowTaskStarted 13
              15 WorkflowTaskCompleted 13 14
              16 ActivityTaskStarted 6 attempt 1
              17 TimerFired t 7
              18 ActivityTaskCompleted 6 16
              19 WorkflowTaskScheduled on q
            20 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=7
            copied 8..=7
            copied 8..=10
            copied 11..=11
            copied 12..=12
            copied 13..=12
            copied 13..=12
            copied 13..=12
            copied 13..=12
            copied 13..=14
            15 WorkflowTaskFailed 13 14 ResetWorkflow
              16 WorkflowTaskScheduled on q
            > reset
            owed: Workflow 16 attempt 1 on q
            owed: Activity 6 attempt 1 on q
            17 TimerFired t 7",
    );
}
