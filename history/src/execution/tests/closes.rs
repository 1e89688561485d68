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

#[test]
fn a_cron_schedule_begins_the_next_run_when_one_completes() {
    check(
        "start cron=@every_5s; owed; advance 5s; poll; complete: finish result=done; advance 4s; owed; advance 1s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s by cron
            owed: nothing
            2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted another follows
            -- run 2
            1 WorkflowExecutionStarted backoff 5s by cron with a result
            owed: nothing
            2 WorkflowTaskScheduled on q
            owed: Workflow 2 attempt 1 on q",
    );
}

#[test]
fn a_cron_schedule_goes_on_after_a_failure_with_the_last_result() {
    check(
        "start cron=@every_5s; advance 5s; poll; complete: finish result=done; advance 5s; poll; complete: fail; advance 12s; poll; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s by cron
            2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted another follows
            -- run 2
            1 WorkflowExecutionStarted backoff 5s by cron with a result
            2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionFailed RetryPolicyNotSet another follows
            -- run 3
            1 WorkflowExecutionStarted backoff 5s by cron with a result after "boom"
            2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted another follows
            -- run 4
            1 WorkflowExecutionStarted backoff 3s by cron"#,
    );
}

#[test]
fn a_retry_policy_comes_before_a_cron_schedule() {
    check(
        "start cron=@every_1m retry=2; advance 1m; poll; complete: fail; advance 1s; poll; complete: fail",
        r#"
            -- run 1
            1 WorkflowExecutionStarted backoff 60s by cron
            2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionFailed InProgress another follows
            -- run 2
            1 WorkflowExecutionStarted attempt 2 backoff 1s after "boom"
            2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionFailed MaximumAttemptsReached another follows
            -- run 3
            1 WorkflowExecutionStarted backoff 60s by cron after "boom""#,
    );
}

#[test]
fn a_cron_run_that_times_out_is_followed_by_the_next() {
    check(
        "start cron=@every_5s run=2s; advance 5s; advance 2s",
        r#"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s by cron
            2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTimedOut RetryPolicyNotSet another follows
            -- run 2
            1 WorkflowExecutionStarted backoff 3s by cron after "workflow timeout""#,
    );
}

#[test]
fn a_chain_whose_time_is_over_has_no_next_run() {
    check(
        "start cron=@every_5s exec=6s; advance 5s; advance 1s",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s by cron
            2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTimedOut Timeout",
    );
}

#[test]
fn cancel_and_terminate_end_a_cron_schedule() {
    check(
        "start cron=@every_5s; cancel; poll; complete: cancel; start request=r2 cron=@every_5s; terminate",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s by cron
            2 WorkflowExecutionCancelRequested
              3 WorkflowTaskScheduled on q
            4 WorkflowTaskStarted 3
            > task started 4 attempt 1 previous 0 reads 1..5
            5 WorkflowTaskCompleted 3 4
              6 WorkflowExecutionCanceled
            -- run 2
            1 WorkflowExecutionStarted backoff 5s by cron
            2 WorkflowExecutionTerminated enough",
    );
}

#[test]
fn a_cron_run_that_completes_before_it_was_due_waits_for_that_time() {
    check(
        "start cron=@every_5s; cancel; advance 2s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s by cron
            2 WorkflowExecutionCancelRequested
              3 WorkflowTaskScheduled on q
            4 WorkflowTaskStarted 3
            > task started 4 attempt 1 previous 0 reads 1..5
            5 WorkflowTaskCompleted 3 4
              6 WorkflowExecutionCompleted another follows
            -- run 2
            1 WorkflowExecutionStarted backoff 3s by cron",
    );
}

#[test]
fn continue_as_new_with_a_cron_schedule() {
    check(
        "start; poll; complete: again cron=@every_5s; poll; complete: finish",
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
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted another follows
            -- run 3
            1 WorkflowExecutionStarted backoff 5s by cron",
    );
}
