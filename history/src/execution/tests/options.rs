//! Options of an open run, and starts that leave something with it.

use super::check;

#[test]
fn a_priority_is_changed_by_an_event() {
    check(
        "start; options priority=1 mask=priority; options priority=1 mask=priority; owed",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionOptionsUpdated 1 ""
            > options: priority 1, a version false
            > options: priority 1, a version false
            owed: Workflow 2 attempt 1 on q"#,
    );
}

#[test]
fn only_what_the_mask_names_is_changed() {
    check(
        "start; options priority=1; options priority=2 upgrade mask=versioning_override",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            > options: priority 0, a version false
            3 WorkflowExecutionOptionsUpdated 0 ""
            > options: priority 0, a version true"#,
    );
}

#[test]
fn options_wait_while_a_task_is_in_hand_and_count_at_once() {
    check(
        "start; poll; options priority=5 mask=priority; complete: activity a; owed",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            > options: priority 5, a version false
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
              6 WorkflowExecutionOptionsUpdated 5 ""
              7 WorkflowTaskScheduled on q
            owed: Workflow 7 attempt 1 on q
            owed: Activity 5 attempt 1 on q"#,
    );
}

#[test]
fn a_closed_run_has_no_options() {
    check(
        "start; terminate; options priority=1 mask=priority",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTerminated enough
            ! completed",
    );
}

#[test]
fn parts_of_a_version_are_not_changed() {
    check(
        "start; options upgrade mask=versioning_override.auto_upgrade; options upgrade mask=versioning_override.behavior",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            ! Invalid("error applying update_options: versioning_override doesn't support partial updates")
            ! Invalid("error applying update_options: versioning_override fields must be updated together")"#,
    );
}

#[test]
fn a_start_that_finds_its_run_open_is_attached_once() {
    check(
        "start; start request=r2 conflict=2 attach; start request=r2 conflict=2 attach; start request=r2",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionOptionsUpdated 0 "r2"
            > the run that is there
            > the run that is there
            > the run that is there"#,
    );
}

#[test]
fn a_reset_keeps_what_was_attached_and_changed() {
    check(
        "start; poll; complete; start request=r2 conflict=2 attach; options priority=1 mask=priority; reset 4; start request=r2; owed",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionOptionsUpdated 0 "r2"
            > the run that is there
            6 WorkflowExecutionOptionsUpdated 1 ""
            > options: priority 1, a version false
            7 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionOptionsUpdated 0 "r2"
              6 WorkflowExecutionOptionsUpdated 1 ""
              7 WorkflowTaskScheduled on q
            > reset
            > the run that is there
            owed: Workflow 7 attempt 1 on q"#,
    );
}
