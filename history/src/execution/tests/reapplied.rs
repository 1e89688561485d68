//! What comes again behind a reset: updates, and what was heard of children.

use super::check;

/// An update was completed, another accepted; the run begins again behind its first workflow task.
const UPDATES: &str = "start; poll; complete; update over; poll; complete: accept over, respond over; update open until=accepted; poll; \
                       complete: accept open; reset 4";

const UPDATES_PRINTED: &str = r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with over/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted over
              9 WorkflowExecutionUpdateCompleted 8
            > update over Completed with success
            > task started 11 attempt 1 previous 6 reads 1..10 +10 +11 with open/request EventId(10)
            10 WorkflowTaskScheduled on q
              11 WorkflowTaskStarted 10
              12 WorkflowTaskCompleted 10 11
              13 WorkflowExecutionUpdateAccepted open
            > update open Accepted
            14 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionUpdateAdmitted over Reapply
              6 WorkflowExecutionUpdateAdmitted open Reapply
              7 WorkflowTaskScheduled on q
            > reset";

#[track_caller]
fn updates(script: &str, expected: &str) {
    check(
        &format!("{UPDATES}; {script}"),
        &format!("{UPDATES_PRINTED}{expected}"),
    );
}

#[test]
fn a_worker_reads_of_updates_in_the_history_and_accepts_them() {
    updates(
        "reload; poll-update over; update over; poll; complete: accept over, respond over, accept open; poll-update open",
        r"
            > update over Admitted
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionUpdateAccepted over as admitted
              11 WorkflowExecutionUpdateCompleted 10
              12 WorkflowExecutionUpdateAccepted open as admitted
            > update over Completed with success
            > update open Accepted",
    );
}

#[test]
fn an_update_that_was_admitted_again_can_be_rejected() {
    updates(
        "update over; poll; complete: reject over, reject open; poll-update over; update over; poll",
        r#"
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
            > update over Completed with boom
            ! NoSuchUpdate("over")
            > task started 11 attempt 1 previous 8 reads 1..10 +10 +11 with over/request EventId(10)"#,
    );
}

#[test]
fn an_update_that_was_admitted_again_and_is_not_spoken_of_is_over() {
    updates(
        "update over; poll; complete; poll-update open",
        r#"
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
            > update over Completed with Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow Update is not supported by the worker.
            ! NoSuchUpdate("open")"#,
    );
}

#[test]
fn a_worker_that_wants_more_time_may_answer_later() {
    updates(
        "poll; complete force; poll-update over; poll; complete: accept over",
        r"
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowTaskScheduled on q
            > update over Admitted
            11 WorkflowTaskStarted 10
            > task started 11 attempt 1 previous 8 reads 1..12
            12 WorkflowTaskCompleted 10 11
              13 WorkflowExecutionUpdateAccepted over as admitted",
    );
}

#[test]
fn a_failed_task_leaves_what_history_has_admitted() {
    updates(
        "poll; fail 2; poll-update over; poll; complete: accept open, accept over",
        r"
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskFailed 7 8 BadScheduleActivityAttributes
            > update over Admitted
            > task started 11 attempt 2 previous 0 reads 1..10 +10 +11
            10 WorkflowTaskScheduled attempt 2 on q
              11 WorkflowTaskStarted 10
              12 WorkflowTaskCompleted 10 11
              13 WorkflowExecutionUpdateAccepted open as admitted
              14 WorkflowExecutionUpdateAccepted over as admitted",
    );
}

#[test]
fn who_waits_hears_of_a_bad_answer_and_the_update_stays() {
    updates(
        "update over; poll; complete: missing; poll-update over",
        r#"
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskFailed 7 8 BadStartTimerAttributes
            ! NotReady("Unable to perform workflow execution update due to unexpected workflow task failure.")
            ! BadCommands("BadStartTimerAttributes: StartTimerCommandAttributes is not set on StartTimerCommand.")
            > update over Admitted"#,
    );
}

#[test]
fn a_run_that_closes_aborts_what_was_admitted_again() {
    updates(
        "update over; poll; complete: finish; poll-update over; update open",
        r"
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionCompleted
            ! UpdateAborted
            ! UpdateAborted
            ! UpdateAborted",
    );
}

#[test]
fn what_was_admitted_again_comes_once_more_with_the_next_reset() {
    updates(
        "poll; complete: accept over; reset 4 request=two",
        r"
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionUpdateAccepted over as admitted
            11 WorkflowExecutionTerminated again
            -- run 3
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionUpdateAdmitted over Reapply
              6 WorkflowExecutionUpdateAdmitted open Reapply
              7 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_point_behind_the_admission_keeps_it() {
    updates(
        "poll; complete: accept over, reject open; reset 9 request=two; poll-update open; poll; complete: accept open",
        r"
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionUpdateAccepted over as admitted
            11 WorkflowExecutionTerminated again
            -- run 3
            copied 1..=2
            copied 3..=3
            copied 4..=7
            copied 8..=8
            9 WorkflowTaskFailed 7 8 ResetWorkflow
              10 WorkflowTaskScheduled on q
            > reset
            > update open Admitted
            11 WorkflowTaskStarted 10
            > task started 11 attempt 1 previous 0 reads 1..12
            12 WorkflowTaskCompleted 10 11
              13 WorkflowExecutionUpdateAccepted open as admitted",
    );
}

#[test]
fn updates_that_are_excluded_do_not_come_again() {
    check(
        "start; poll; complete; signal s; update u until=accepted; poll; complete: accept u; reset 4 no-updates",
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
            > task started 7 attempt 1 previous 3 reads 1..8 with u/request EventId(6)
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionUpdateAccepted u
            > update u Accepted
            10 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn of_two_updates_of_one_id_in_a_chain_the_first_comes_again() {
    check(
        "start; poll; complete; update u until=accepted; poll; complete: accept u, again; poll; complete; update u until=accepted; poll; \
         complete: accept u; reset 4 of=1",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u
              9 WorkflowExecutionContinuedAsNew
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            > update u Completed with Workflow Update failed because the Workflow completed before the Update completed.
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u
            > update u Accepted
            9 WorkflowExecutionTerminated again
            -- run 3
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowExecutionUpdateAdmitted u Reapply
              6 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_point_within_a_record_that_was_written_late() {
    check(
        "start; poll; fail 2; poll; complete; update u until=accepted; poll; complete: accept u; reset 6; reset 7; reset 9 of=1 request=2; \
         reset 10 of=1 request=3; reset 11 of=1 request=4",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadScheduleActivityAttributes
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 2 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
            > task started 9 attempt 1 previous 6 reads 1..8 +8 +9 with u/request EventId(8)
            8 WorkflowTaskScheduled on q
              9 WorkflowTaskStarted 8
              10 WorkflowTaskCompleted 8 9
              11 WorkflowExecutionUpdateAccepted u
            > update u Accepted
            ! Invalid("StateRebuilder unable to Rebuild mutable state to event ID: 5, version: 0, this event must be at the boundary")
            12 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=4
            copied 5..=4
            copied 5..=6
            7 WorkflowTaskFailed 5 6 ResetWorkflow
              8 WorkflowExecutionUpdateAdmitted u Reapply
              9 WorkflowTaskScheduled on q
            > reset
            ! Invalid("StateRebuilder unable to Rebuild mutable state to event ID: 8, version: 0, this event must be at the boundary")
            10 WorkflowExecutionTerminated again
            -- run 3
            copied 1..=2
            copied 3..=3
            copied 4..=4
            copied 5..=4
            copied 5..=7
            copied 8..=9
            10 WorkflowTaskFailed 8 9 ResetWorkflow
              11 WorkflowExecutionUpdateAdmitted u Reapply
              12 WorkflowTaskScheduled on q
            > reset
            ! Invalid("StateRebuilder unable to Rebuild mutable state to event ID: 10, version: 0, this event must be at the boundary")"#,
    );
}

/// A parent that knows that its child has begun.
const PARENT: &str = "start; poll; complete: start-child child; child 5 begins; poll; complete";

const PARENT_PRINTED: &str = r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 StartChildWorkflowExecutionInitiated child Terminate
            6 ChildWorkflowExecutionStarted 5
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8";

#[track_caller]
fn parent(script: &str, expected: &str) {
    check(
        &format!("{PARENT}; {script}"),
        &format!("{PARENT_PRINTED}{expected}"),
    );
}

#[test]
fn a_child_that_closed_behind_the_point_closes_again() {
    parent(
        "child 5 completes; reset 9",
        r"
            10 ChildWorkflowExecutionCompleted 5 6
              11 WorkflowTaskScheduled on q
            > delivered Done(true)
            12 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=5
            copied 6..=7
            copied 8..=8
            9 WorkflowTaskFailed 7 8 ResetWorkflow
              10 ChildWorkflowExecutionCompleted 5 6
              11 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_child_that_runs_on_is_told_whose_it_is_now() {
    parent(
        "reset 9; child 5 completes of=1; child 5 completes",
        r"
            10 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=5
            copied 6..=7
            copied 8..=8
            9 WorkflowTaskFailed 7 8 ResetWorkflow
              10 WorkflowTaskScheduled on q
            > reset
            > delivered: another run goes on
            11 ChildWorkflowExecutionCompleted 5 6
            > delivered Done(true)",
    );
}

#[test]
fn a_child_that_was_asked_for_behind_the_point_is_nobodys() {
    parent(
        "reset 4; child 5 completes of=1; child 5 completes",
        r"
            10 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            4 WorkflowTaskFailed 2 3 ResetWorkflow
              5 WorkflowTaskScheduled on q
            > reset
            > delivered: another run goes on
            > delivered Done(true)",
    );
}

#[test]
fn a_child_that_began_and_closed_behind_the_point_does_both_again() {
    check(
        "start; poll; signal s; complete: start-child child; child 5 begins; child 5 completes; reset 8",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 StartChildWorkflowExecutionInitiated child Terminate
              6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on q
            8 ChildWorkflowExecutionStarted 5
            9 ChildWorkflowExecutionCompleted 5 8
            > delivered Done(true)
            10 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=3
            copied 4..=7
            8 WorkflowTaskStarted 7
              9 WorkflowTaskFailed 7 8 ResetWorkflow
              10 ChildWorkflowExecutionStarted 5
              11 ChildWorkflowExecutionCompleted 5 10
              12 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_child_whose_id_was_taken_behind_the_point_fails_again() {
    check(
        "start; poll; signal s; complete: start-child child; child 5 refused; reset 8",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 StartChildWorkflowExecutionInitiated child Terminate
              6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on q
            8 StartChildWorkflowExecutionFailed 5 control WorkflowAlreadyExists
            9 WorkflowExecutionTerminated again
            -- run 2
            copied 1..=2
            copied 3..=3
            copied 4..=3
            copied 4..=7
            8 WorkflowTaskStarted 7
              9 WorkflowTaskFailed 7 8 ResetWorkflow
              10 StartChildWorkflowExecutionFailed 5 control WorkflowAlreadyExists
              11 WorkflowTaskScheduled on q
            > reset",
    );
}

#[test]
fn a_later_run_of_the_chain_speaks_of_children_of_its_own() {
    check(
        "start; poll; complete: start-child child; child 5 begins; poll; complete: again; poll; complete: start-child child; child 5 begins; child 5 completes; \
         reset 9 of=1",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 StartChildWorkflowExecutionInitiated child Terminate
            6 ChildWorkflowExecutionStarted 5
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionContinuedAsNew
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 StartChildWorkflowExecutionInitiated child Terminate
            6 ChildWorkflowExecutionStarted 5
              7 WorkflowTaskScheduled on q
            8 ChildWorkflowExecutionCompleted 5 6
            > delivered Done(true)
            9 WorkflowExecutionTerminated again
            -- run 3
            copied 1..=2
            copied 3..=3
            copied 4..=5
            copied 6..=7
            copied 8..=8
            9 WorkflowTaskFailed 7 8 ResetWorkflow
              10 WorkflowTaskScheduled on q
            > reset",
    );
}
