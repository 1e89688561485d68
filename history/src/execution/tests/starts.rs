//! Starts: which run answers for an id, and with what a new one begins.

use super::check;

#[test]
fn a_start_with_its_first_task() {
    check(
        "start; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted",
    );
}

#[test]
fn the_same_request_starts_once() {
    check(
        "start request=a; start request=a; poll; complete: finish; start request=a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_running_id_is_not_started_again() {
    check(
        "start request=a; start request=b; start request=c conflict=2",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            ! already started
            > the run that is there",
    );
}

#[test]
fn an_existing_run_is_terminated_for_a_new_one() {
    check(
        "start request=a; poll; signal s; start request=b conflict=3",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionSignaled s
              6 WorkflowExecutionTerminated TerminateIfRunning WorkflowIdReusePolicy
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q",
    );
}

#[test]
fn reuse_of_a_closed_id() {
    check(
        "start request=a; poll; complete: finish; start request=b reuse=3; start request=c reuse=2; start request=d reuse=1; terminate; start request=e reuse=2",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted
            ! already started
            ! already started
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTerminated enough
            -- run 3
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q",
    );
}

#[test]
fn policies_that_contradict_each_other() {
    check(
        "start reuse=4 conflict=1; start reuse=3 conflict=3",
        r#"
            ! Invalid("Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a WorkflowIDConflictPolicy")
            ! Invalid("Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING")"#,
    );
}

#[test]
fn a_start_delay_holds_the_first_task_back() {
    check(
        "start delay=5s; signal s; owed; advance 4s; owed; advance 1s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 5s
            2 WorkflowExecutionSignaled s
            owed: nothing
            owed: nothing
            3 WorkflowTaskScheduled on q
            4 WorkflowTaskStarted 3
            > task started 4 attempt 1 previous 0 reads 1..5
            5 WorkflowTaskCompleted 3 4
              6 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_signal_with_start_begins_with_its_signal() {
    check(
        "signal-with-start; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowExecutionSignaled s
              3 WorkflowTaskScheduled on q
            4 WorkflowTaskStarted 3
            > task started 4 attempt 1 previous 0 reads 1..5
            5 WorkflowTaskCompleted 3 4
              6 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_signal_with_start_ends_a_start_delay() {
    check(
        "start request=a delay=60s; signal-with-start request=b; signal-with-start request=c",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 60s
            2 WorkflowExecutionSignaled s
              3 WorkflowTaskScheduled on q
            > the run that is there
            > the run that is there",
    );
}

#[test]
fn an_eager_start_brings_its_first_task() {
    check(
        "start eager request=a; start eager request=a; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
              3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_run_times_out() {
    check(
        "start run=10s; advance 9s; poll; signal s; advance 1s",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionSignaled s
              6 WorkflowExecutionTimedOut RetryPolicyNotSet",
    );
}

#[test]
fn an_execution_times_out_for_good() {
    check(
        "start exec=10s retry=5; advance 10s",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTimedOut Timeout",
    );
}
