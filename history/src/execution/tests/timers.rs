//! Timers.

use super::check;

#[test]
fn a_timer_fires() {
    check(
        "start; poll; complete: timer t 5s; advance 4999ms; owed; advance 1ms; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            owed: nothing
            6 TimerFired t 5
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionCompleted",
    );
}

#[test]
fn timers_fire_in_the_order_of_their_time() {
    check(
        "start; poll; complete: timer a 3s, timer b 2s, timer c 2s; poll; advance 1s; signal s; poll; advance 2s; complete: finish; poll; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted a
              6 TimerStarted b
              7 TimerStarted c
            ! no workflow task is owed
            8 WorkflowExecutionSignaled s
              9 WorkflowTaskScheduled on q
            10 WorkflowTaskStarted 9
            > task started 10 attempt 1 previous 3 reads 1..11
            11 WorkflowTaskFailed 9 10 UnhandledCommand
              12 TimerFired b 6
              13 TimerFired c 7
              14 TimerFired a 5
              15 WorkflowTaskScheduled on q
            ! BadCommands("UnhandledCommand")
            16 WorkflowTaskStarted 15
            > task started 16 attempt 1 previous 3 reads 1..17
            17 WorkflowTaskCompleted 15 16
              18 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn a_canceled_timer_never_fires() {
    check(
        "start; poll; complete: timer t 5s; signal s; poll; complete: cancel-timer t; advance 10s",
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
              10 TimerCanceled t 5",
    );
}

#[test]
fn a_timer_that_fired_unseen_can_be_canceled() {
    check(
        "start; poll; complete: timer t 5s; signal s; poll; advance 5s; complete: cancel-timer t, finish",
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
              10 TimerCanceled t 5
              11 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_timer_of_no_time_fires_at_once() {
    check(
        "start; poll; complete: timer t 0s; advance 0s",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            6 TimerFired t 5
              7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn bad_timers() {
    check(
        "start; poll; complete: timer t 1s, timer t 1s; poll; complete: finish",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 StartTimerDuplicateId
            ! BadCommands("StartTimerDuplicateId: invalid history builder state for action: add-timer-started-event, TimerID: t")
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 2 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted"#,
    );
}

#[test]
fn a_timer_that_is_not_there() {
    check(
        "start; poll; complete: cancel-timer x",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadCancelTimerAttributes
            ! BadCommands("BadCancelTimerAttributes: invalid history builder state for action: add-timer-canceled-event, TimerID: x")"#,
    );
}

#[test]
fn a_timer_in_negative_time() {
    check(
        "start; poll; complete: timer x -1s",
        r#"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadStartTimerAttributes
            ! BadCommands("BadStartTimerAttributes: An invalid StartToFireTimeout is set on StartTimerCommand: negative duration. TimerId=x")"#,
    );
}
