//! Updates, and the speculative task that is there for them alone.

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

#[track_caller]
fn idle(script: &str, expected: &str) {
    check(
        &format!("{IDLE}; {script}"),
        &format!("{IDLE_PRINTED}{expected}"),
    );
}

#[test]
fn an_accepted_update_writes_its_task() {
    idle(
        "update u; owed; poll; complete: accept u, respond u; update u",
        r"
            owed: Workflow 5 attempt 1 on q
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u
              9 WorkflowExecutionUpdateCompleted 8
            > update u Completed with success
            > update u Completed with success",
    );
}

#[test]
fn a_rejected_update_leaves_nothing() {
    idle(
        "update u; poll; complete: reject u; poll-update u; owed; update u; poll",
        r#"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            > update u Completed with boom
            ! NoSuchUpdate("u")
            owed: nothing
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)"#,
    );
}

#[test]
fn a_signal_writes_a_scheduled_task_first() {
    idle(
        "update u; signal s; owed; poll; complete: reject u",
        r"
            5 WorkflowTaskScheduled on q
              6 WorkflowExecutionSignaled s
            owed: Workflow 5 attempt 1 on q
            7 WorkflowTaskStarted 5
            > task started 7 attempt 1 previous 3 reads 1..8 with u/request EventId(6)
            8 WorkflowTaskCompleted 5 7
            > update u Completed with boom",
    );
}

#[test]
fn a_signal_behind_a_started_task_waits() {
    idle(
        "update u; poll; signal s; complete: accept u, respond u",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
            7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u
              9 WorkflowExecutionUpdateCompleted 8
              10 WorkflowExecutionSignaled s
              11 WorkflowTaskScheduled on q
            > update u Completed with success",
    );
}

#[test]
fn nobody_takes_the_task() {
    idle(
        "update u; advance 6s; owed",
        r"
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskTimedOut 5 0 ScheduleToStart
              7 WorkflowTaskScheduled on q
            owed: Workflow 7 attempt 1 on q",
    );
}

#[test]
fn a_worker_that_dies_with_an_update_is_followed_by_another() {
    idle(
        "update u; poll; advance 11s; poll; complete: accept u",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskTimedOut 5 6 StartToClose
            > task started 9 attempt 2 previous 3 reads 1..8 +8 +9 with u/request EventId(8)
            8 WorkflowTaskScheduled attempt 2 on q
              9 WorkflowTaskStarted 8
              10 WorkflowTaskCompleted 8 9
              11 WorkflowExecutionUpdateAccepted u",
    );
}

#[test]
fn what_a_lost_memory_knew_is_taken_as_the_worker_has_it() {
    check(
        "start; update u; poll; reload; complete: adopt u; update u until=accepted",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4 with u/request EventId(2)
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionUpdateAccepted u
            > update u Accepted",
    );
}

#[test]
fn an_update_that_came_behind_the_first_answer_has_a_task_of_its_own() {
    idle(
        "signal s; poll; update u; poll again; complete; owed; poll; poll again",
        r"
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowTaskScheduled on q
            owed: Workflow 9 attempt 1 on q
            10 WorkflowTaskStarted 9
            > task started 10 attempt 1 previous 7 reads 1..11 with u/request EventId(9)
            > task started 10 attempt 1 previous 7 reads 1..11 with u/request EventId(9)",
    );
}

#[test]
fn who_wants_another_task_is_given_what_he_said_nothing_of() {
    idle(
        "update u; poll; complete force; poll; complete: accept u, respond u",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowTaskScheduled on q
            9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 6 reads 1..10 with u/request EventId(8)
            10 WorkflowTaskCompleted 8 9
              11 WorkflowExecutionUpdateAccepted u
              12 WorkflowExecutionUpdateCompleted 11
            > update u Completed with success",
    );
}

#[test]
fn the_heartbeat_of_an_activity_writes_the_task_of_an_update() {
    check(
        "start; poll; complete: activity a; begin a; update u; beat a; owed; beat a; poll; complete: reject u",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            6 WorkflowTaskScheduled on q
            owed: Workflow 6 attempt 1 on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8 with u/request EventId(6)
            8 WorkflowTaskCompleted 6 7
            > update u Completed with boom",
    );
}

#[test]
fn a_speculative_task_dies_with_the_memory() {
    idle(
        "update u; poll; reload; complete: accept u; owed; update u; poll; complete: accept u",
        r#"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            ! NoSuchTask("Workflow task not found.")
            owed: nothing
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u"#,
    );
}

#[test]
fn an_update_that_nobody_has_ends_with_its_run() {
    idle(
        "update u; terminate; owed",
        r"
            5 WorkflowExecutionTerminated enough
            ! UpdateAborted
            owed: nothing",
    );
}

#[test]
fn a_started_task_is_written_before_the_end() {
    idle(
        "update u; poll; terminate",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskFailed 5 6 ForceCloseCommand
              8 WorkflowExecutionTerminated enough
            ! UpdateAborted",
    );
}

#[test]
fn an_accepted_update_of_a_closed_run_has_an_outcome() {
    idle(
        "update u until=accepted; poll; complete: accept u; update u; terminate; poll-update u",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u
            > update u Accepted
            9 WorkflowExecutionTerminated enough
            > update u Completed with Workflow Update failed because the Workflow completed before the Update completed.
            > update u Completed with Workflow Update failed because the Workflow completed before the Update completed.",
    );
}

#[test]
fn a_worker_that_knows_no_updates_rejects_them() {
    idle(
        "update u; poll; complete",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            > update u Completed with Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow Update is not supported by the worker.",
    );
}

#[test]
fn a_bad_message_fails_the_task_and_gives_the_update_up() {
    idle(
        "update u; poll; complete: respond u; poll-update u",
        r#"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskFailed 5 6 BadUpdateWorkflowExecutionMessage
            ! NotReady("Unable to perform workflow execution update due to unexpected workflow task failure.")
            ! BadCommands("BadUpdateWorkflowExecutionMessage: invalid state transition attempted for Update u: received *update.Response message while in state Sent")
            ! NoSuchUpdate("u")"#,
    );
}

#[test]
fn an_update_that_came_meanwhile_goes_back_with_the_answer() {
    check(
        "start; poll; update u; complete sticky new; complete: reject u",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            > task started 6 attempt 1 previous 3 reads 4..5 +5 +6 with u/request EventId(5)
            > update u Completed with boom",
    );
}

#[test]
fn an_update_that_came_meanwhile_has_a_task_that_is_written() {
    check(
        "start; poll; update u; complete; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowTaskScheduled on q
            owed: Workflow 5 attempt 1 on q",
    );
}

#[test]
fn who_has_waited_long_enough_is_told_the_stage() {
    idle(
        "update u; stop-waiting 4; stop-waiting 4; poll; complete: accept u",
        r"
            > update u Admitted
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionUpdateAccepted u",
    );
}

#[test]
fn an_update_ends_the_wait_for_the_first_task() {
    check(
        "start delay=10s; update u; poll; complete: reject u; owed; advance 11s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 10s
            > task started 3 attempt 1 previous 0 reads 1..2 +2 +3 with u/request EventId(2)
            > update u Completed with boom
            owed: nothing
            2 WorkflowTaskScheduled on q
            owed: Workflow 2 attempt 1 on q",
    );
}

#[test]
fn the_wait_for_the_first_task_ends_while_an_update_has_one() {
    check(
        "start delay=3s; update u; advance 4s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted backoff 3s
            2 WorkflowTaskScheduled on q
            owed: Workflow 2 attempt 1 on q",
    );
}

#[test]
fn so_many_are_in_flight_and_no_more() {
    check(
        "limit history.maxInFlightUpdates=1 history.maxTotalUpdates=2; start; update u; update u; update v; poll; \
         complete: accept u, respond u; update v; poll; complete: accept v, respond v; update w",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            ! TooManyInFlight("limit on number of concurrent in-flight updates has been reached (1)")
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4 with u/request EventId(2)
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionUpdateAccepted u
              6 WorkflowExecutionUpdateCompleted 5
            > update u Completed with success
            > update u Completed with success
            > task started 8 attempt 1 previous 3 reads 1..7 +7 +8 with v/request EventId(7)
            7 WorkflowTaskScheduled on q
              8 WorkflowTaskStarted 7
              9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionUpdateAccepted v
              11 WorkflowExecutionUpdateCompleted 10
            > update v Completed with success
            ! Precondition("The limit on the total number of distinct updates in this workflow has been reached (2). Make sure any duplicate updates share an Update ID so the server can deduplicate them, and consider rejecting updates that you aren't going to process. You can also Continue-as-New to avoid this; we recommend you check Continue-as-New Suggested in your Workflow.")"#,
    );
}

#[test]
fn a_run_begins_with_its_update() {
    check(
        "update-with-start u; poll; complete: accept u, respond u; update-with-start u request=other; \
         update-with-start v request=other",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4 with u/request EventId(2)
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionUpdateAccepted u
              6 WorkflowExecutionUpdateCompleted 5
            > update u Completed with success in a new run
            > update u Completed with success before
            ! of the start: already started",
    );
}

#[test]
fn a_run_that_is_there_is_used() {
    idle(
        "update-with-start u request=other conflict=2; poll; complete: reject u; update-with-start v; stop-waiting 7",
        r"
            > task started 6 attempt 1 previous 3 reads 1..5 +5 +6 with u/request EventId(5)
            > update u Completed with boom in the run that is there
            > update v Admitted in the run that is there",
    );
}

#[test]
fn a_run_makes_room_for_one_with_an_update() {
    idle(
        "update v; update-with-start u request=other conflict=3; poll; complete: accept u, respond u",
        r"
            5 WorkflowExecutionTerminated TerminateIfRunning WorkflowIdReusePolicy
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            ! UpdateAborted
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4 with u/request EventId(2)
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionUpdateAccepted u
              6 WorkflowExecutionUpdateCompleted 5
            > update u Completed with success in a new run",
    );
}

#[test]
fn who_began_a_run_that_has_closed_cannot_update_it() {
    check(
        "update-with-start u; terminate; update-with-start v; update-with-start v request=other; terminate",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTerminated enough
            ! OfUpdate { why: UpdateAborted, begun: true }
            ! OfStart(StartRepeated)
            -- run 2
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowExecutionTerminated enough
            ! OfUpdate { why: UpdateAborted, begun: true }",
    );
}
