//! Workflow tasks: attempts, timeouts, stickiness, heartbeats.

use super::check;

#[test]
fn a_failed_first_attempt_is_written_and_the_next_is_transient() {
    check(
        "start; poll; fail; owed; poll; describe; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            owed: Workflow 5 attempt 2 on q
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > described task Started attempt 2
            5 WorkflowTaskScheduled attempt 2 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_failed_transient_attempt_leaves_no_event() {
    check(
        "start; poll; fail; poll; fail; poll; fail; owed; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            owed: Workflow 5 attempt 4 on q
            > task started 6 attempt 4 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 4 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted",
    );
}

/// `World` compares the row that was written last with the state after each step.
#[test]
fn a_row_shows_that_tasks_keep_failing_and_that_one_succeeded() {
    check(
        "start; poll; fail; poll; fail; poll; fail; poll; fail; poll; fail; poll; fail; poll; complete",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 4 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 5 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 6 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 7 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 7 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6",
    );
}

#[test]
fn events_make_a_transient_task_a_first_one() {
    check(
        "start; poll; fail; signal s; owed; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            5 WorkflowExecutionSignaled s
            owed: Workflow 5 attempt 2 on q
            6 WorkflowTaskScheduled on q
              7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 0 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn signals_during_a_failed_task_come_before_the_next() {
    check(
        "start; poll; signal a; signal b; fail; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
              5 WorkflowExecutionSignaled a
              6 WorkflowExecutionSignaled b
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_worker_that_is_gone_times_out() {
    check(
        "start; poll; advance 10s; poll; advance 10s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskTimedOut 2 3 StartToClose
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 3 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted",
    );
}

#[test]
fn later_attempts_get_more_time() {
    check(
        "start; poll; fail; poll; fail; poll; fail; poll; advance 14s; owed; advance 1s; owed; poll; advance 20s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 4 previous 0 reads 1..5 +5 +6
            owed: nothing
            owed: Workflow 5 attempt 5 on q
            > task started 6 attempt 5 previous 0 reads 1..5 +5 +6
            owed: Workflow 5 attempt 6 on q",
    );
}

#[test]
fn a_sticky_worker_gets_what_is_new() {
    check(
        "start; poll; complete sticky; signal s; owed; poll; complete sticky: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            owed: Workflow 6 attempt 1 on sticky-q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 4..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_sticky_worker_that_is_gone() {
    check(
        "start; poll; complete sticky; signal s; advance 5s; owed; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            7 WorkflowTaskTimedOut 6 0 ScheduleToStart
              8 WorkflowTaskScheduled on q
            owed: Workflow 8 attempt 1 on q
            9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 3 reads 1..10
            10 WorkflowTaskCompleted 8 9
              11 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_sticky_queue_without_pollers_is_left_at_once() {
    check(
        "start; poll; complete sticky; signal s; no-sticky-worker; owed; poll; advance 5s; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            owed: Workflow 6 attempt 1 on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_poll_of_the_normal_queue_ends_stickiness() {
    check(
        "start; poll; complete sticky; signal s; poll normal; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_failed_sticky_task_does_not_count() {
    check(
        "start; poll; complete sticky; signal s; poll; fail; owed; poll; fail; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 4..8
            8 WorkflowTaskFailed 6 7 WorkflowWorkerUnhandledFailure
              9 WorkflowTaskScheduled on q
            owed: Workflow 9 attempt 1 on q
            10 WorkflowTaskStarted 9
            > task started 10 attempt 1 previous 3 reads 1..11
            11 WorkflowTaskFailed 9 10 WorkflowWorkerUnhandledFailure
            owed: Workflow 12 attempt 2 on q",
    );
}

#[test]
fn reset_sticky_moves_the_task() {
    check(
        "start; poll; complete sticky; signal s; reset-sticky; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            owed: Workflow 6 attempt 1 on q",
    );
}

#[test]
fn the_next_task_comes_with_the_answer() {
    check(
        "start; poll; complete sticky new: timer t 5s; signal s; poll; signal b; complete sticky new; complete sticky: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on sticky-q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 4..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionSignaled b
              11 WorkflowTaskScheduled on sticky-q
              12 WorkflowTaskStarted 11
            > task started 12 attempt 1 previous 8 reads 9..13
            13 WorkflowTaskCompleted 11 12
              14 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_forced_task_comes_with_the_answer() {
    check(
        "start; poll; complete sticky new force: marker m; complete sticky: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 MarkerRecorded m
              6 WorkflowTaskScheduled on sticky-q
              7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 4..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn heartbeats_end_after_half_an_hour() {
    check(
        "limit heartbeat=20s; start; poll; complete force new; advance 9s; complete sticky force new; advance 9s; complete sticky force new; advance 9s; complete sticky force new; owed",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
            > task started 6 attempt 1 previous 3 reads 4..7
            7 WorkflowTaskCompleted 5 6
              8 WorkflowTaskScheduled on sticky-q
              9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 6 reads 7..10
            10 WorkflowTaskCompleted 8 9
              11 WorkflowTaskScheduled on sticky-q
              12 WorkflowTaskStarted 11
            > task started 12 attempt 1 previous 9 reads 10..13
            13 WorkflowTaskTimedOut 11 12 StartToClose
              14 WorkflowTaskScheduled on q
            ! NoSuchTask("workflow task heartbeat timeout")
            owed: Workflow 14 attempt 1 on q"#,
    );
}

#[test]
fn a_close_over_unseen_events_is_unhandled() {
    check(
        "start; poll; signal a; complete: finish; signal b; poll; signal c; complete: finish; poll; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 UnhandledCommand
              5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            ! BadCommands("UnhandledCommand")
            7 WorkflowExecutionSignaled b
            8 WorkflowTaskStarted 6
            > task started 8 attempt 1 previous 0 reads 1..9
            ! Busy("workflow operation can not be applied because workflow is closing")
            9 WorkflowTaskCompleted 6 8
              10 WorkflowExecutionCompleted
            ! no workflow task is owed
            ! NoSuchTask("Workflow task not found.")"#,
    );
}

#[test]
fn an_unhandled_close_of_a_transient_task() {
    check(
        "start; poll; fail; poll; signal a; complete: finish; poll; signal b; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            ! BadCommands("UnhandledCommand")
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 0 reads 1..8
            ! Busy("workflow operation can not be applied because workflow is closing")
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn bad_commands_fail_the_task() {
    check(
        "start; poll; complete: marker m, missing; poll; complete: missing; advance 10s; poll; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadStartTimerAttributes
            ! BadCommands("BadStartTimerAttributes: StartTimerCommandAttributes is not set on StartTimerCommand.")
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            ! BadCommands("BadStartTimerAttributes: StartTimerCommandAttributes is not set on StartTimerCommand.")
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 3 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn a_feature_that_is_not_built_is_named() {
    check(
        "start; poll; complete: child",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 FeatureDisabled
            ! BadCommands("FeatureDisabled: the command StartChildWorkflowExecution is not built yet")"#,
    );
}

#[test]
fn a_close_must_be_last() {
    check(
        "start; poll; complete: finish, timer t 1s; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            ! Invalid("invalid command sequence: [CompleteWorkflowExecution, StartTimer], command CompleteWorkflowExecution must be the last command.")
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn a_task_is_taken_once() {
    check(
        "start; poll request=a; complete: timer t 1s; complete: finish; advance 1s; poll request=b; poll request=b",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            ! NoSuchTask("Workflow task not found.")
            6 TimerFired t 5
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            ! no workflow task is owed"#,
    );
}

#[test]
fn too_many_buffered_events_fail_the_task() {
    check(
        "limit buffered=2; start; poll; signal a; signal b; signal c; owed; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionSignaled a
              6 WorkflowExecutionSignaled b
              7 WorkflowExecutionSignaled c
            owed: Workflow 8 attempt 2 on q
            > task started 9 attempt 2 previous 0 reads 1..8 +8 +9
            8 WorkflowTaskScheduled attempt 2 on q
              9 WorkflowTaskStarted 8
              10 WorkflowTaskCompleted 8 9
              11 WorkflowExecutionCompleted",
    );
}

#[test]
fn terminate_with_a_started_task() {
    check(
        "start; poll; signal s; terminate; signal t; cancel; terminate",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionSignaled s
              6 WorkflowExecutionTerminated enough
            ! completed
            > already done
            ! completed",
    );
}

#[test]
fn grpc_message_too_large_ends_the_run() {
    check(
        "start; poll; fail 36",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionTerminated GrpcMessageTooLarge",
    );
}

#[test]
fn a_history_that_is_too_long_ends() {
    check(
        "limit events=6; start; poll; complete: timer t 1s; signal a; signal b",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            6 WorkflowExecutionTerminated Workflow history count exceeds limit.
            ! HistoryLimit("Workflow history count exceeds limit.")
            ! completed"#,
    );
}

#[test]
fn what_is_only_heard_of_may_be_one_more() {
    check(
        "limit events=2; start; signal a; signal b",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionSignaled a
            4 WorkflowExecutionTerminated Workflow history count exceeds limit.
            ! HistoryLimit("Workflow history count exceeds limit.")"#,
    );
}

#[test]
fn nothing_of_an_answer_that_is_too_long_is_kept() {
    check(
        "limit events=6; start; poll; signal a; complete: timer t 1s, timer u 1s, timer v 1s; owed",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionSignaled a
              6 WorkflowExecutionTerminated Workflow history count exceeds limit.
            ! HistoryLimit("Workflow history count exceeds limit.")
            owed: nothing"#,
    );
}

#[test]
fn a_task_that_would_be_too_long_is_not_given_out() {
    check(
        "limit events=2; start; poll; owed",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTerminated Workflow history count exceeds limit.
            ! NoSuchTask("Workflow history count exceeds limit.")
            owed: nothing"#,
    );
}

#[test]
fn a_cancel_request_does_not_wait_for_a_start_delay() {
    check(
        "start delay=60s; signal s; cancel",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 60s
            2 WorkflowExecutionSignaled s
            3 WorkflowExecutionCancelRequested
              4 WorkflowTaskScheduled on q",
    );
}
