//! Activities: attempts, timeouts, cancellation, heartbeats.

use super::check;

#[test]
fn an_activity_completes() {
    check(
        "start; poll; complete: activity a; owed; begin a; done a; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            owed: Activity 5 attempt 1 on q
            > activity a attempt 1 reads 5..6
            6 ActivityTaskStarted 5 attempt 1
              7 ActivityTaskCompleted 5 6
              8 WorkflowTaskScheduled on q
            9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 3 reads 1..10
            10 WorkflowTaskCompleted 8 9
              11 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_first_attempt_is_owed_to_a_node_whose_clock_is_behind() {
    check(
        "start; poll; complete: activity a; behind 5s; reload; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            owed: Activity 5 attempt 1 on q",
    );
}

#[test]
fn a_failing_activity_is_tried_again() {
    check(
        "start; poll; complete: activity a retry=3; begin a; failed a; begin a; advance 1s; begin a; failed a; advance 2s; begin a; failed a; done a",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            ! the activity is not owed
            > activity a attempt 2 reads 5..6
            > activity a attempt 3 reads 5..6
            6 ActivityTaskStarted 5 attempt 3
              7 ActivityTaskFailed 5 6 MaximumAttemptsReached
              8 WorkflowTaskScheduled on q
            ! NoSuchActivity("invalid activityID or activity already timed out or invoking workflow is completed")"#,
    );
}

#[test]
fn a_final_failure_is_not_tried_again() {
    check(
        "start; poll; complete: activity a; begin a; failed a final",
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
              7 ActivityTaskFailed 5 6 NonRetryableFailure
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_failure_may_say_when() {
    check(
        "start; poll; complete: activity a retry=3; begin a; failed a next=7s; advance 6s; owed; advance 1s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            owed: nothing
            owed: Activity 5 attempt 2 on q",
    );
}

#[test]
fn an_activity_that_nobody_starts() {
    check(
        "start; poll; complete: activity a s2s=5s; advance 5s",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            6 ActivityTaskTimedOut 5 0 ScheduleToStart Timeout
              7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn an_activity_whose_time_is_over() {
    check(
        "start; poll; complete: activity a s2c=5s no-stc; advance 5s",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            6 ActivityTaskTimedOut 5 0 ScheduleToStart Timeout
              7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn an_attempt_times_out_and_is_tried_again() {
    check(
        "start; poll; complete: activity a stc=5s retry=2; begin a; advance 5s; done a; advance 1s; begin a; advance 5s",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            ! NoSuchActivity("invalid activityID or activity already timed out or invoking workflow is completed")
            > activity a attempt 2 reads 5..6
            6 ActivityTaskStarted 5 attempt 2
              7 ActivityTaskTimedOut 5 6 StartToClose MaximumAttemptsReached
              8 WorkflowTaskScheduled on q"#,
    );
}

#[test]
fn there_is_no_time_for_another_attempt() {
    check(
        "start; poll; complete: activity a stc=5s s2c=5500ms; begin a; advance 5s",
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
              7 ActivityTaskTimedOut 5 6 ScheduleToClose Timeout
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_missed_heartbeat() {
    check(
        "start; poll; complete: activity a stc=60s hb=5s retry=1; begin a; advance 4s; beat a; advance 4s; beat a; advance 5s",
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
              7 ActivityTaskTimedOut 5 6 Heartbeat MaximumAttemptsReached
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn after_a_load_a_heartbeat_has_its_full_time() {
    check(
        "start; poll; complete: activity a stc=60s hb=5s retry=1; begin a; advance 4s; reload; advance 4s; beat a; advance 4s; done a",
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
fn details_outlive_an_attempt() {
    check(
        "start; poll; complete: activity a retry=3; begin a; beat a x; failed a; advance 1s; begin a; done a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > register 5 31
            > activity a attempt 2 with details reads 5..6
            6 ActivityTaskStarted 5 attempt 2
              7 ActivityTaskCompleted 5 6
              8 WorkflowTaskScheduled on q
            > register 5 0",
    );
}

#[test]
fn cancel_before_the_start() {
    check(
        "start; poll; complete: activity a; signal s; poll; complete: cancel-activity a, marker m; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 ActivityTaskCancelRequested 5
              11 MarkerRecorded m
              12 ActivityTaskCanceled 5 0 asked by 10
              13 WorkflowTaskScheduled on q
            14 WorkflowTaskStarted 13
            > task started 14 attempt 1 previous 8 reads 1..15
            15 WorkflowTaskCompleted 13 14
              16 WorkflowExecutionCompleted",
    );
}

#[test]
fn cancel_and_close_in_one_task() {
    check(
        "start; poll; complete: activity a; signal s; poll; complete: cancel-activity a, cancel",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 ActivityTaskCancelRequested 5
              11 WorkflowExecutionCanceled",
    );
}

#[test]
fn a_worker_hears_of_a_cancel_at_its_heartbeat() {
    check(
        "start; poll; complete: activity a; begin a; canceled a; signal s; poll; complete: cancel-activity a; describe; beat a; canceled a",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            ! Invalid("unable to mark activity as canceled without activity being request canceled first")
            6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 ActivityTaskCancelRequested 5
            > described a CancelRequested attempt 1
            > cancel requested
            11 ActivityTaskStarted 5 attempt 1
              12 ActivityTaskCanceled 5 11 asked by 10
              13 WorkflowTaskScheduled on q"#,
    );
}

#[test]
fn a_canceled_activity_that_fails_is_not_tried_again() {
    check(
        "start; poll; complete: activity a; begin a; signal s; poll; complete: cancel-activity a; failed a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 ActivityTaskCancelRequested 5
            11 ActivityTaskStarted 5 attempt 1
              12 ActivityTaskFailed 5 11 CancelRequested
              13 WorkflowTaskScheduled on q",
    );
}

#[test]
fn cancel_of_what_is_not_there() {
    check(
        "start; poll; complete: cancel-activity 77; poll; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadRequestCancelActivityAttributes
            ! BadCommands("BadRequestCancelActivityAttributes: invalid history builder state for action: add-activitytask-cancel-requested-event, ScheduledEventID: 77")
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 2 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn an_activity_closes_during_a_task() {
    check(
        "start; poll; complete: activity a, activity b; begin a; begin b; signal s; poll; done a; failed b final; signal t; complete: timer t 1s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
              6 ActivityTaskScheduled b
            > activity a attempt 1 reads 5..6
            > activity b attempt 1 reads 6..7
            7 WorkflowExecutionSignaled s
              8 WorkflowTaskScheduled on q
            9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 3 reads 1..10
            10 WorkflowTaskCompleted 8 9
              11 TimerStarted t
              12 ActivityTaskStarted 5 attempt 1
              13 ActivityTaskStarted 6 attempt 1
              14 WorkflowExecutionSignaled t
              15 ActivityTaskCompleted 5 12
              16 ActivityTaskFailed 6 13 NonRetryableFailure
              17 WorkflowTaskScheduled on q
            18 WorkflowTaskStarted 17
            > task started 18 attempt 1 previous 9 reads 1..19
            19 WorkflowTaskCompleted 17 18
              20 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_late_answer_finds_nothing() {
    check(
        "start; poll; complete: activity a; begin a; done a; done a; beat a; terminate; done a",
        r#"
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
              8 WorkflowTaskScheduled on q
            ! NoSuchActivity("invalid activityID or activity already timed out or invoking workflow is completed")
            ! NoSuchActivity("invalid activityID or activity already timed out or invoking workflow is completed")
            9 WorkflowExecutionTerminated enough
            ! completed"#,
    );
}

#[test]
fn by_id() {
    check(
        "start; poll; complete: activity a; done id:a; done id:a; done id:zz",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            6 ActivityTaskStarted 5 attempt 1
              7 ActivityTaskCompleted 5 6
              8 WorkflowTaskScheduled on q
            ! NoSuchActivity("cannot find pending activity with ActivityID a, check workflow execution history for more details")
            ! NoSuchActivity("cannot find pending activity with ActivityID zz, check workflow execution history for more details")"#,
    );
}

#[test]
fn an_eager_activity_comes_with_the_answer() {
    check(
        "start; poll; complete: activity a eager; owed; done a",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > eager activity a
            owed: nothing
            6 ActivityTaskStarted 5 attempt 1
              7 ActivityTaskCompleted 5 6
              8 WorkflowTaskScheduled on q",
    );
}

#[test]
fn two_activities_of_one_id() {
    check(
        "start; poll; complete: activity a, activity a; poll; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ScheduleActivityDuplicateId
            ! BadCommands("ScheduleActivityDuplicateId: invalid history builder state for action: add-activitytask-scheduled-event, ActivityID: a")
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 2 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn an_activity_without_timeouts() {
    check(
        "start; poll; complete: activity a no-stc",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadScheduleActivityAttributes
            ! BadCommands("BadScheduleActivityAttributes: a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. ActivityId=a ActivityType=act")"#,
    );
}

#[test]
fn a_negative_timeout() {
    check(
        "start; poll; complete: activity a stc=-1s",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadScheduleActivityAttributes
            ! BadCommands("BadScheduleActivityAttributes: invalid StartToCloseTimeout: negative duration")"#,
    );
}

#[test]
fn an_attempt_is_taken_once() {
    check(
        "start; poll; complete: activity a; begin a request=x; begin a request=x again; begin a request=y again",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            > activity a attempt 1 reads 5..6
            ! TaskTaken",
    );
}

#[test]
fn cancel_of_what_has_closed_unseen() {
    check(
        "start; poll; complete: activity a; begin a; signal s; poll; done a; complete: cancel-activity 5; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 ActivityTaskScheduled a
            > activity a attempt 1 reads 5..6
            6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 ActivityTaskCancelRequested 5
              11 ActivityTaskStarted 5 attempt 1
              12 ActivityTaskCompleted 5 11
              13 WorkflowTaskScheduled on q
            14 WorkflowTaskStarted 13
            > task started 14 attempt 1 previous 8 reads 1..15
            15 WorkflowTaskCompleted 13 14
              16 WorkflowExecutionCompleted",
    );
}
