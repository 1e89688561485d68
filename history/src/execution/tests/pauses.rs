//! A run is paused, and goes on.

use super::check;

const IDLE: &str = "start; poll; complete";

/// What an idle run has printed so far.
const IDLE_PRINTED: &str = r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3";

const IN_HAND: &str = "start; poll";

/// What a run whose first task is in hand has printed so far.
const IN_HAND_PRINTED: &str = r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4";

#[track_caller]
fn idle(script: &str, expected: &str) {
    check(
        &format!("{IDLE}; {script}"),
        &format!("{IDLE_PRINTED}{expected}"),
    );
}

#[track_caller]
fn in_hand(script: &str, expected: &str) {
    check(
        &format!("{IN_HAND}; {script}"),
        &format!("{IN_HAND_PRINTED}{expected}"),
    );
}

#[test]
fn an_idle_run_is_paused_and_goes_on_with_a_task() {
    idle(
        "pause-run; describe; owed; unpause-run; describe; owed",
        r"
            5 WorkflowExecutionPaused hold on
            > described paused by operator
            owed: nothing
            6 WorkflowExecutionUnpaused go on
              7 WorkflowTaskScheduled on q
            > described task Scheduled attempt 1
            owed: Workflow 7 attempt 1 on q",
    );
}

#[test]
fn a_pause_is_known_by_its_request() {
    idle(
        "pause-run request=p; pause-run request=p; pause-run request=other; pause-run; unpause-run; unpause-run; pause-run request=p",
        r#"
            5 WorkflowExecutionPaused hold on
            ! Precondition("workflow is already paused.")
            ! Precondition("workflow is already paused.")
            6 WorkflowExecutionUnpaused go on
              7 WorkflowTaskScheduled on q
            ! Precondition("workflow is not paused.")
            8 WorkflowTaskFailed 7 0 WorkflowPauseRequestedBeforeTaskStarted
              9 WorkflowExecutionPaused hold on"#,
    );
}

#[test]
fn a_pause_without_a_request_id_is_not_known_again() {
    idle(
        "pause-run; pause-run",
        r#"
            5 WorkflowExecutionPaused hold on
            ! Precondition("workflow is already paused.")"#,
    );
}

#[test]
fn a_task_that_nobody_has_fails() {
    check(
        "start; pause-run; owed; signal s; unpause-run; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskFailed 2 0 WorkflowPauseRequestedBeforeTaskStarted
              4 WorkflowExecutionPaused hold on
            owed: nothing
            5 WorkflowExecutionSignaled s
            6 WorkflowExecutionUnpaused go on
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_task_in_hand_may_be_completed() {
    in_hand(
        "pause-run; describe; complete new: timer t 1m; owed; unpause-run",
        r"
            > described paused by operator task Started attempt 1
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
              6 WorkflowExecutionPaused hold on
            owed: nothing
            7 WorkflowExecutionUnpaused go on
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_task_in_hand_cannot_close_over_the_pause() {
    in_hand(
        "pause-run; complete: finish; owed; unpause-run; poll; complete: finish",
        r#"
            4 WorkflowTaskFailed 2 3 UnhandledCommand
              5 WorkflowExecutionPaused hold on
            ! BadCommands("UnhandledCommand")
            owed: nothing
            6 WorkflowExecutionUnpaused go on
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn a_task_in_hand_that_ends_badly_has_no_next_attempt() {
    in_hand(
        "pause-run; fail; owed; unpause-run; poll; pause-run; advance 10s; owed; unpause-run",
        r"
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
              5 WorkflowExecutionPaused hold on
            owed: nothing
            6 WorkflowExecutionUnpaused go on
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskTimedOut 7 8 StartToClose
              10 WorkflowExecutionPaused hold on
            owed: nothing
            11 WorkflowExecutionUnpaused go on
              12 WorkflowTaskScheduled on q",
    );
}

#[test]
fn both_wait_for_a_task_in_hand() {
    in_hand(
        "pause-run; signal s; unpause-run; describe; complete",
        r"
            > described task Started attempt 1
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionPaused hold on
              6 WorkflowExecutionSignaled s
              7 WorkflowExecutionUnpaused go on
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_worker_gets_no_more_time() {
    in_hand(
        "pause-run; complete force; complete",
        r#"
            ! Precondition("Workflow is paused and force create new workflow task is not allowed.")
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionPaused hold on"#,
    );
}

#[test]
fn a_further_attempt_is_dropped() {
    in_hand(
        "fail; owed; pause-run; owed; describe; unpause-run; poll; complete",
        r"
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            owed: Workflow 5 attempt 2 on q
            5 WorkflowExecutionPaused hold on
            owed: nothing
            > described paused by operator
            6 WorkflowExecutionUnpaused go on
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8",
    );
}

#[test]
fn a_further_attempt_in_hand_may_fail() {
    in_hand(
        "fail; poll; pause-run; fail; owed; unpause-run",
        r"
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            5 WorkflowExecutionPaused hold on
            owed: nothing
            6 WorkflowExecutionUnpaused go on
              7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn the_worker_with_the_run_in_its_cache_gets_the_next_task() {
    check(
        "start; poll; complete sticky; pause-run; signal s; unpause-run; owed; pause-run; unpause-run; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionPaused hold on
            6 WorkflowExecutionSignaled s
            7 WorkflowExecutionUnpaused go on
              8 WorkflowTaskScheduled on sticky-q
            owed: Workflow 8 attempt 1 on sticky-q
            9 WorkflowTaskFailed 8 0 WorkflowPauseRequestedBeforeTaskStarted
              10 WorkflowExecutionPaused hold on
            11 WorkflowExecutionUnpaused go on
              12 WorkflowTaskScheduled on q
            owed: Workflow 12 attempt 1 on q",
    );
}

#[test]
fn signals_timers_and_a_request_to_cancel_are_written() {
    in_hand(
        "complete: timer t 5s; pause-run; signal s; advance 10s; cancel; owed; unpause-run; poll",
        r"
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            6 WorkflowExecutionPaused hold on
            7 WorkflowExecutionSignaled s
            8 TimerFired t 5
            9 WorkflowExecutionCancelRequested
            owed: nothing
            10 WorkflowExecutionUnpaused go on
              11 WorkflowTaskScheduled on q
            12 WorkflowTaskStarted 11
            > task started 12 attempt 1 previous 3 reads 1..13",
    );
}

#[test]
fn an_activity_that_nobody_has_is_held() {
    in_hand(
        "complete: activity a; pause-run; owed; begin a again; describe; unpause-run; begin a; done a",
        r#"
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            6 WorkflowExecutionPaused hold on
            owed: nothing
            ! NoSuchActivity("Activity task not found.")
            > described paused by operator a Scheduled attempt 1
            7 WorkflowExecutionUnpaused go on
              8 WorkflowTaskScheduled on q
            > activity a attempt 1 reads 5..6
            9 ActivityTaskStarted 5 attempt 1
              10 ActivityTaskCompleted 5 9"#,
    );
}

#[test]
fn an_activity_in_hand_goes_on_with_all_its_attempts() {
    in_hand(
        "complete: activity a; begin a; pause-run; beat a; failed a; advance 1s; owed; begin a; done a",
        r"
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            6 WorkflowExecutionPaused hold on
            owed: Activity 5 attempt 2 on q
            > activity a attempt 2 reads 5..6
            7 ActivityTaskStarted 5 attempt 2
              8 ActivityTaskCompleted 5 7",
    );
}

#[test]
fn an_attempt_that_waits_for_its_time_is_held() {
    in_hand(
        "complete: activity a; begin a; failed a; pause-run; advance 5s; owed; unpause-run; owed",
        r"
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            6 WorkflowExecutionPaused hold on
            owed: nothing
            7 WorkflowExecutionUnpaused go on
              8 WorkflowTaskScheduled on q
            owed: Workflow 8 attempt 1 on q
            owed: Activity 5 attempt 2 on q",
    );
}

#[test]
fn the_time_of_what_is_held_runs_out() {
    in_hand(
        "complete: activity a s2s=5s; pause-run; advance 5s; owed",
        r"
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            6 WorkflowExecutionPaused hold on
            7 ActivityTaskTimedOut 5 0 ScheduleToStart Timeout
            owed: nothing",
    );
}

#[test]
fn activities_of_a_task_in_hand_are_held() {
    in_hand(
        "pause-run; complete: activity a, activity b eager; owed; unpause-run; begin a; begin b",
        r"
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
              6 ActivityTaskScheduled b
              7 WorkflowExecutionPaused hold on
            owed: nothing
            8 WorkflowExecutionUnpaused go on
              9 WorkflowTaskScheduled on q
            > activity a attempt 1 reads 5..6
            > activity b attempt 1 reads 6..7",
    );
}

#[test]
fn what_an_operator_does_to_an_activity_gives_it_out() {
    in_hand(
        "complete: activity a, activity b, activity c; pause a; pause-run; unpause a; reset-activity b; owed; \
         pause c; unpause-run; describe",
        r"
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
              6 ActivityTaskScheduled b
              7 ActivityTaskScheduled c
            8 WorkflowExecutionPaused hold on
            owed: Activity 5 attempt 1 on q
            owed: Activity 6 attempt 1 on q
            9 WorkflowExecutionUnpaused go on
              10 WorkflowTaskScheduled on q
            > described task Scheduled attempt 1 a Scheduled attempt 1 b Scheduled attempt 1 c Paused attempt 1",
    );
}

#[test]
fn queries_are_rejected() {
    idle(
        "pause-run; query q; unpause-run; poll; complete; query q",
        r"
            5 WorkflowExecutionPaused hold on
            > query 5 rejected 8
            6 WorkflowExecutionUnpaused go on
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
            > query 9 asks a worker up to 9",
    );
}

#[test]
fn a_query_that_came_before_waits_for_the_next_task() {
    check(
        "start; query q; pause-run; unpause-run; poll; complete",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskFailed 2 0 WorkflowPauseRequestedBeforeTaskStarted
              4 WorkflowExecutionPaused hold on
            5 WorkflowExecutionUnpaused go on
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 0 reads 1..8 with 1 queries
            8 WorkflowTaskCompleted 6 7
            > query 2 answered",
    );
}

#[test]
fn new_updates_are_refused() {
    idle(
        "update u until=accepted; poll; complete: accept u; pause-run; update u; update v; poll-update u; \
         update-with-start v conflict=2; owed",
        r#"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u
            > update u Accepted
            9 WorkflowExecutionPaused hold on
            ! Precondition("Workflow is paused. Cannot update the workflow.")
            ! Precondition("Workflow is paused. Cannot update the workflow.")
            > update u Accepted
            ! OfUpdate { why: Precondition("Workflow is paused. Cannot update the workflow."), begun: false }
            owed: nothing"#,
    );
}

#[test]
fn an_update_that_no_worker_has_is_refused() {
    idle(
        "update u; pause-run; poll-update u; unpause-run; poll",
        r#"
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskFailed 5 6 WorkflowPauseRequestedBeforeTaskStarted
              8 WorkflowExecutionPaused hold on
            ! Precondition("Workflow is paused. Cannot update the workflow.")
            ! NoSuchUpdate("u")
            9 WorkflowExecutionUnpaused go on
              10 WorkflowTaskScheduled on q
            11 WorkflowTaskStarted 10
            > task started 11 attempt 1 previous 3 reads 1..12"#,
    );
}

#[test]
fn an_update_that_a_worker_has_goes_on() {
    idle(
        "update u; poll; pause-run; poll-update u; complete: accept u, respond u; owed",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
            > update u Admitted
            7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u
              9 WorkflowExecutionUpdateCompleted 8
              10 WorkflowExecutionPaused hold on
            > update u Completed with success
            owed: nothing",
    );
}

#[test]
fn an_update_that_a_worker_hands_back_waits_for_the_next_task() {
    idle(
        "update u; poll; pause-run; fail; owed; poll-update u; unpause-run; poll",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
            7 WorkflowTaskFailed 5 6 WorkflowWorkerUnhandledFailure
              8 WorkflowExecutionPaused hold on
            owed: nothing
            > update u Admitted
            9 WorkflowExecutionUnpaused go on
              10 WorkflowTaskScheduled on q
            11 WorkflowTaskStarted 10
            > task started 11 attempt 1 previous 3 reads 1..12 with u/request EventId(10)",
    );
}

#[test]
fn a_run_is_paused_before_its_first_task_is_due() {
    check(
        "start delay=5s; pause-run; advance 1m; owed; unpause-run; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s
            2 WorkflowExecutionPaused hold on
            owed: nothing
            3 WorkflowExecutionUnpaused go on
              4 WorkflowTaskScheduled on q
            owed: Workflow 4 attempt 1 on q",
    );
}

#[test]
fn its_first_wait_goes_on_behind_a_short_pause() {
    check(
        "start delay=5s; pause-run; unpause-run; owed; advance 5s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s
            2 WorkflowExecutionPaused hold on
            3 WorkflowExecutionUnpaused go on
            owed: nothing
            4 WorkflowTaskScheduled on q
            owed: Workflow 4 attempt 1 on q",
    );
}

#[test]
fn a_paused_run_can_be_ended() {
    for (end, event) in [
        ("terminate", "6 WorkflowExecutionTerminated enough"),
        (
            "delete",
            "6 WorkflowExecutionTerminated Delete workflow execution",
        ),
    ] {
        idle(
            &format!("pause-run request=p; {end}; describe; pause-run request=p; unpause-run"),
            &format!(
                r"
            5 WorkflowExecutionPaused hold on
            {event}
            > described paused by operator
            ! completed
            ! completed"
            ),
        );
    }
}

#[test]
fn a_paused_run_times_out_and_the_next_is_not_paused() {
    check(
        "start run=5s retry=2; pause-run; advance 5s; describe; advance 1s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskFailed 2 0 WorkflowPauseRequestedBeforeTaskStarted
              4 WorkflowExecutionPaused hold on
            5 WorkflowExecutionTimedOut InProgress another follows
            -- run 2
            1 WorkflowExecutionStarted attempt 2 backoff 1s
            > described
            2 WorkflowTaskScheduled on q
            owed: Workflow 2 attempt 1 on q",
    );
}

#[test]
fn a_reset_run_is_not_paused() {
    idle(
        "pause-run; signal s; reset 4; describe; owed",
        r"
            5 WorkflowExecutionPaused hold on
            6 WorkflowExecutionSignaled s
            7 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on q
            > reset
            > described task Scheduled attempt 1
            owed: Workflow 6 attempt 1 on q",
    );
}

#[test]
fn a_reset_does_not_take_a_pause_along_that_waits_in_the_buffer() {
    idle(
        "signal a; poll; pause-run; reset 4; describe; owed",
        r"
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskFailed 6 7 ForceCloseCommand
              9 WorkflowExecutionPaused hold on
              10 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            > reset
            > described task Scheduled attempt 1
            owed: Workflow 6 attempt 1 on q",
    );
}

#[test]
fn a_pause_outlasts_the_memory_of_the_run() {
    in_hand(
        "complete: activity a; pause-run; reload; describe; owed; query q; signal s; owed; unpause-run; owed",
        r"
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            6 WorkflowExecutionPaused hold on
            > described paused by operator a Scheduled attempt 1
            owed: nothing
            > query 6 rejected 8
            7 WorkflowExecutionSignaled s
            owed: nothing
            8 WorkflowExecutionUnpaused go on
              9 WorkflowTaskScheduled on q
            owed: Workflow 9 attempt 1 on q
            owed: Activity 5 attempt 1 on q",
    );
}
