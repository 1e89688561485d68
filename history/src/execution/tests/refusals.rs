//! Commands that are refused, and which of several faults is named.

use super::check;

#[test]
fn nobody_knows_the_type() {
    check(
        "start; poll; complete: timer t, unknown; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            ! Invalid("unknown command type: 99")
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn a_close_before_an_unknown_type() {
    check(
        "start; poll; complete: finish, unknown",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            ! Invalid("invalid command sequence: [CompleteWorkflowExecution, 99], command CompleteWorkflowExecution must be the last command.")"#,
    );
}

#[test]
fn timeouts_are_looked_at_before_the_retry_policy() {
    check(
        "start; poll; complete: again run=-1s retry=-1",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadContinueAsNewAttributes
            ! BadCommands("BadContinueAsNewAttributes: Invalid WorkflowRunTimeout on ContinueAsNewWorkflowExecutionCommand: negative duration. WorkflowType=wf TaskQueue=name:\"q\"  kind:TASK_QUEUE_KIND_NORMAL")"#,
    );
}

#[test]
fn unknown_attributes_are_looked_at_first() {
    check(
        "start; poll; complete: again run=-1s Unknown:1",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadSearchAttributes
            ! BadCommands("BadSearchAttributes: Namespace default has no mapping defined for search attribute Unknown")"#,
    );
}

#[test]
fn system_attributes_are_looked_at_behind_timeouts() {
    check(
        "start; poll; complete: again run=-1s RunId:1",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadContinueAsNewAttributes
            ! BadCommands("BadContinueAsNewAttributes: Invalid WorkflowRunTimeout on ContinueAsNewWorkflowExecutionCommand: negative duration. WorkflowType=wf TaskQueue=name:\"q\"  kind:TASK_QUEUE_KIND_NORMAL")"#,
    );
}

#[test]
fn a_wrong_attribute_of_the_next_run() {
    check(
        "start; poll; complete: again BatcherUser:7",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadSearchAttributes
            ! BadCommands("BadSearchAttributes: invalid SearchAttributes on ContinueAsNewWorkflowExecutionCommand: invalid value for search attribute BatcherUser of type Keyword: 7. WorkflowType=wf TaskQueue=name:\"q\"  kind:TASK_QUEUE_KIND_NORMAL")"#,
    );
}

#[test]
fn the_next_run_of_this_build_on_another_queue() {
    check(
        "start; poll; complete: again queue=other this-build",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadContinueAsNewAttributes
            ! BadCommands("BadContinueAsNewAttributes: ContinueAsNew with UseCompatibleVersion cannot run on different task queue.")"#,
    );
}

#[test]
fn an_activity_of_this_build_on_another_queue() {
    check(
        "start; poll; complete: activity a queue=other this-build",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadScheduleActivityAttributes
            ! BadCommands("BadScheduleActivityAttributes: Activity with UseCompatibleVersion cannot run on different task queue.")"#,
    );
}

#[test]
fn an_activity_of_this_build() {
    check(
        "start; poll; complete: activity a this-build",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a",
    );
}

#[test]
fn a_long_search_attribute_ends_the_run() {
    check(
        &format!(
            "start; poll; complete: upsert BatcherUser:\"{}\"",
            "x".repeat(2_047)
        ),
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadSearchAttributes
              5 WorkflowExecutionTerminated BadSearchAttributes: search attribute BatcherUser value size 2049 exceeds size limit 2048
            ! BadCommands("BadSearchAttributes: search attribute BatcherUser value size 2049 exceeds size limit 2048")"#,
    );
}

#[test]
fn a_weight_that_is_no_number_is_none() {
    check(
        "start; poll; complete: activity a weight=NaN; begin a; done a",
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
              7 ActivityTaskCompleted 5 6
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_run_that_continues_for_a_retry_counts_on() {
    check(
        "start; poll; complete: again initiator=2",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionContinuedAsNew
            -- run 2
            1 WorkflowExecutionStarted attempt 2
              2 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_fault_that_no_history_could_hold_ends_the_run() {
    check(
        &format!("start; poll; complete: timer {}", "x".repeat(4_000)),
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionTerminated Transaction size exceeds limit.
            ! BadCommands("transaction size of 4107 bytes exceeds limit of 4000 bytes")"#,
    );
}
