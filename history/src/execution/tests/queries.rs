//! Queries.

use super::check;

#[test]
fn an_idle_run_is_asked_directly() {
    check(
        "start; poll; complete sticky; query q; query q reject=2",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            > query 4 asks a worker (sticky) up to 4
            > query 5 asks a worker (sticky) up to 4",
    );
}

#[test]
fn a_run_that_is_over_is_asked_on_its_normal_queue() {
    check(
        "start; poll; complete sticky; terminate; query q",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionTerminated enough
            > query 5 asks a worker up to 5",
    );
}

#[test]
fn a_query_goes_with_the_task() {
    check(
        "start; query q; query r; poll; complete",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            ! Busy("consistent query buffer is full, this may be caused by too many queries and workflow not able to process query fast enough")
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4 with 1 queries
            4 WorkflowTaskCompleted 2 3
            > query 2 answered"#,
    );
}

#[test]
fn a_query_that_is_not_answered_is_asked_directly() {
    check(
        "start; query q; poll; complete silent",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4 with 1 queries
            4 WorkflowTaskCompleted 2 3
            > query 2 asks a worker up to 4",
    );
}

#[test]
fn a_query_that_is_not_answered_waits_for_the_next_task() {
    check(
        "start; query q; poll; signal s; complete silent; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4 with 1 queries
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8 with 1 queries
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted
            > query 2 answered",
    );
}

#[test]
fn a_query_survives_a_failed_task() {
    check(
        "start; query q; poll; fail; poll; complete",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4 with 1 queries
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6 with 1 queries
            5 WorkflowTaskScheduled attempt 2 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
            > query 2 answered",
    );
}

#[test]
fn a_failing_task_answers_no_query() {
    check(
        "start; poll; fail; poll; fail; query q",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            ! NotReady("Unable to query workflow due to Workflow Task in failed state.")"#,
    );
}

#[test]
fn a_closed_run_is_asked_directly() {
    check(
        "start; poll; complete: finish; query q; query q reject=2; query q reject=3",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted
            > query 4 asks a worker up to 5
            > query 5 rejected 2
            > query 6 asks a worker up to 5",
    );
}

#[test]
fn a_run_that_closed_before_it_worked() {
    check(
        "start; query q; terminate; query q",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTerminated enough
            ! NotReady("Workflow execution closed before WorkflowTaskStarted event")
            ! NotReady("Workflow execution closed before WorkflowTaskStarted event")"#,
    );
}

#[test]
fn a_query_during_a_close() {
    check(
        "start; poll; complete; signal s; query q; poll; complete silent: finish",
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
            > task started 7 attempt 1 previous 3 reads 1..8 with 1 queries
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted
            > query 5 asks a worker up to 9",
    );
}
