//! Closes: retries, continue-as-new, what comes after.

use super::check;

#[test]
fn a_failed_run_without_a_policy() {
    check(
        "start; poll; complete: fail",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionFailed RetryPolicyNotSet",
    );
}

#[test]
fn a_failed_run_is_tried_again() {
    check(
        "start retry=2; poll; complete: fail; owed; advance 1s; poll; complete: fail",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionFailed InProgress another follows
            -- run 2
            1 WorkflowExecutionStarted attempt 2 backoff 1s
            owed: nothing
            2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionFailed MaximumAttemptsReached",
    );
}

#[test]
fn a_final_failure_ends_the_chain() {
    check(
        "start retry=2; poll; complete: fail final",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionFailed NonRetryableFailure",
    );
}

#[test]
fn a_run_that_times_out_is_tried_again() {
    check(
        "start retry=2 run=10s; advance 10s",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTimedOut InProgress another follows
            -- run 2
            1 WorkflowExecutionStarted attempt 2 backoff 1s",
    );
}

#[test]
fn continue_as_new() {
    check(
        "start; poll; complete sticky: again; owed; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionContinuedAsNew
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            owed: Workflow 2 attempt 1 on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted",
    );
}

#[test]
fn continue_as_new_later() {
    check(
        "start; poll; complete: again delay=3s; advance 3s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionContinuedAsNew
            -- run 2
            1 WorkflowExecutionStarted backoff 3s
            2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted",
    );
}

#[test]
fn continue_as_new_over_unseen_events() {
    check(
        "start; poll; signal s; complete: again; poll; complete: again",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 UnhandledCommand
              5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on q
            ! BadCommands("UnhandledCommand")
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 0 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionContinuedAsNew
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q"#,
    );
}

#[test]
fn nothing_happens_after_a_close() {
    check(
        "start; poll; complete: activity a, timer t 5s; begin a; signal s; poll; complete: finish; advance 60s; done a; complete: finish; owed",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
              6 TimerStarted t
            > activity a attempt 1 reads 5..6
            7 WorkflowExecutionSignaled s
              8 WorkflowTaskScheduled on q
            9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 3 reads 1..10
            10 WorkflowTaskCompleted 8 9
              11 WorkflowExecutionCompleted
            ! completed
            ! NoSuchTask("Workflow task not found.")
            owed: nothing"#,
    );
}

#[test]
fn a_memo_is_modified() {
    check(
        "start; poll; complete: memo m, finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowPropertiesModified
              6 WorkflowExecutionCompleted",
    );
}
