//! Signals and cancel requests.

use super::check;

#[test]
fn a_signal_to_an_idle_run() {
    check(
        "start; poll; complete; signal s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_signal_during_a_task_waits() {
    check(
        "start; poll; signal s; complete: timer t 1s; poll; complete: finish",
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
              10 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_signal_before_the_task_starts() {
    check(
        "start; signal s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionSignaled s
            4 WorkflowTaskStarted 2
            > task started 4 attempt 1 previous 0 reads 1..5
            5 WorkflowTaskCompleted 2 4
              6 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_repeated_signal_is_one() {
    check(
        "start; signal s request=a; signal s request=a; poll; signal t request=b; signal t request=b; terminate; signal s request=a; signal u request=c",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionSignaled s
            > already done
            4 WorkflowTaskStarted 2
            > task started 4 attempt 1 previous 0 reads 1..5
            > already done
            5 WorkflowTaskFailed 2 4 ForceCloseCommand
              6 WorkflowExecutionSignaled t
              7 WorkflowExecutionTerminated enough
            > already done
            ! completed",
    );
}

#[test]
fn a_cancel_request() {
    check(
        "start; poll; complete; cancel; cancel; poll; complete: cancel",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionCancelRequested
              6 WorkflowTaskScheduled on q
            > already done
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCanceled",
    );
}

#[test]
fn a_run_is_closing_no_longer_when_another_answer_has_failed() {
    check(
        "start; poll; signal a; complete: finish; poll; signal b; fail 2; poll; signal c; complete",
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
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 0 reads 1..8
            ! Busy("workflow operation can not be applied because workflow is closing")
            8 WorkflowTaskFailed 6 7 BadScheduleActivityAttributes
            > task started 10 attempt 2 previous 0 reads 1..9 +9 +10
            9 WorkflowTaskScheduled attempt 2 on q
              10 WorkflowTaskStarted 9
              11 WorkflowTaskCompleted 9 10
              12 WorkflowExecutionSignaled c
              13 WorkflowTaskScheduled on q"#,
    );
}

#[test]
fn a_closing_run_takes_nothing_new() {
    check(
        "start; poll; signal a; complete: finish; poll; signal b; complete: finish",
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
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 0 reads 1..8
            ! Busy("workflow operation can not be applied because workflow is closing")
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn nobody_to_signal() {
    check(
        "signal s",
        r#"
            ! NoSuchWorkflow("workflow not found for ID: w")"#,
    );
}
