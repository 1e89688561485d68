//! Workflow tasks: attempts, timeouts, stickiness, heartbeats.

use super::check;

#[test]
fn a_failed_first_attempt_is_written_and_the_next_is_transient() {
    check(
        "start; poll; fail; owed; poll; describe; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            owed: Workflow 5 attempt 2 on q
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > described task Started attempt 2
            5 WorkflowTaskScheduled attempt 2 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_failed_transient_attempt_leaves_no_event() {
    check(
        "start; poll; fail; poll; fail; poll; fail; owed; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            owed: Workflow 5 attempt 4 on q
            > task started 6 attempt 4 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 4 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted",
    );
}

#[test]
fn events_make_a_transient_task_a_first_one() {
    check(
        "start; poll; fail; signal s; owed; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            5 WorkflowExecutionSignaled s
            owed: Workflow 5 attempt 2 on q
            6 WorkflowTaskScheduled on q
              7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 0 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn signals_during_a_failed_task_come_before_the_next() {
    check(
        "start; poll; signal a; signal b; fail; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
              5 WorkflowExecutionSignaled a
              6 WorkflowExecutionSignaled b
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 0 reads 1..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_worker_that_is_gone_times_out() {
    check(
        "start; poll; advance 10s; poll; advance 10s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskTimedOut 2 3 StartToClose
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 3 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted",
    );
}

#[test]
fn later_attempts_get_more_time() {
    check(
        "start; poll; fail; poll; fail; poll; fail; poll; advance 14s; owed; advance 1s; owed; poll; advance 20s; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            > task started 6 attempt 4 previous 0 reads 1..5 +5 +6
            owed: nothing
            owed: Workflow 5 attempt 5 on q
            > task started 6 attempt 5 previous 0 reads 1..5 +5 +6
            owed: Workflow 5 attempt 6 on q",
    );
}

#[test]
fn a_sticky_worker_gets_what_is_new() {
    check(
        "start; poll; complete sticky; signal s; owed; poll; complete sticky: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            owed: Workflow 6 attempt 1 on sticky-q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 4..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_sticky_worker_that_is_gone() {
    check(
        "start; poll; complete sticky; signal s; advance 5s; owed; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            7 WorkflowTaskTimedOut 6 0 ScheduleToStart
              8 WorkflowTaskScheduled on q
            owed: Workflow 8 attempt 1 on q
            9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 3 reads 1..10
            10 WorkflowTaskCompleted 8 9
              11 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_sticky_queue_without_pollers_is_left_at_once() {
    check(
        "start; poll; complete sticky; signal s; no-sticky-worker; owed; poll; advance 5s; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            owed: Workflow 6 attempt 1 on q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_poll_of_the_normal_queue_ends_stickiness() {
    check(
        "start; poll; complete sticky; signal s; poll normal; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 1..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_failed_sticky_task_does_not_count() {
    check(
        "start; poll; complete sticky; signal s; poll; fail; owed; poll; fail; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 4..8
            8 WorkflowTaskFailed 6 7 WorkflowWorkerUnhandledFailure
              9 WorkflowTaskScheduled on q
            owed: Workflow 9 attempt 1 on q
            10 WorkflowTaskStarted 9
            > task started 10 attempt 1 previous 3 reads 1..11
            11 WorkflowTaskFailed 9 10 WorkflowWorkerUnhandledFailure
            owed: Workflow 12 attempt 2 on q",
    );
}

#[test]
fn reset_sticky_moves_the_task() {
    check(
        "start; poll; complete sticky; signal s; reset-sticky; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
            5 WorkflowExecutionSignaled s
              6 WorkflowTaskScheduled on sticky-q
            owed: Workflow 6 attempt 1 on q",
    );
}

#[test]
fn the_next_task_comes_with_the_answer() {
    check(
        "start; poll; complete sticky new: timer t 5s; signal s; poll; signal b; complete sticky new; complete sticky: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            6 WorkflowExecutionSignaled s
              7 WorkflowTaskScheduled on sticky-q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 4..9
            9 WorkflowTaskCompleted 7 8
              10 WorkflowExecutionSignaled b
              11 WorkflowTaskScheduled on sticky-q
              12 WorkflowTaskStarted 11
            > task started 12 attempt 1 previous 8 reads 9..13
            13 WorkflowTaskCompleted 11 12
              14 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_forced_task_comes_with_the_answer() {
    check(
        "start; poll; complete sticky new force: marker m; complete sticky: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 MarkerRecorded m
              6 WorkflowTaskScheduled on sticky-q
              7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 3 reads 4..8
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn heartbeats_end_after_half_an_hour() {
    check(
        "start task=120s; poll; complete force new; advance 100s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; advance 119s; complete force new; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 WorkflowTaskScheduled on q
              6 WorkflowTaskStarted 5
            > task started 6 attempt 1 previous 3 reads 1..7
            7 WorkflowTaskCompleted 5 6
              8 WorkflowTaskScheduled on q
              9 WorkflowTaskStarted 8
            > task started 9 attempt 1 previous 6 reads 1..10
            10 WorkflowTaskCompleted 8 9
              11 WorkflowTaskScheduled on q
              12 WorkflowTaskStarted 11
            > task started 12 attempt 1 previous 9 reads 1..13
            13 WorkflowTaskCompleted 11 12
              14 WorkflowTaskScheduled on q
              15 WorkflowTaskStarted 14
            > task started 15 attempt 1 previous 12 reads 1..16
            16 WorkflowTaskCompleted 14 15
              17 WorkflowTaskScheduled on q
              18 WorkflowTaskStarted 17
            > task started 18 attempt 1 previous 15 reads 1..19
            19 WorkflowTaskCompleted 17 18
              20 WorkflowTaskScheduled on q
              21 WorkflowTaskStarted 20
            > task started 21 attempt 1 previous 18 reads 1..22
            22 WorkflowTaskCompleted 20 21
              23 WorkflowTaskScheduled on q
              24 WorkflowTaskStarted 23
            > task started 24 attempt 1 previous 21 reads 1..25
            25 WorkflowTaskCompleted 23 24
              26 WorkflowTaskScheduled on q
              27 WorkflowTaskStarted 26
            > task started 27 attempt 1 previous 24 reads 1..28
            28 WorkflowTaskCompleted 26 27
              29 WorkflowTaskScheduled on q
              30 WorkflowTaskStarted 29
            > task started 30 attempt 1 previous 27 reads 1..31
            31 WorkflowTaskCompleted 29 30
              32 WorkflowTaskScheduled on q
              33 WorkflowTaskStarted 32
            > task started 33 attempt 1 previous 30 reads 1..34
            34 WorkflowTaskCompleted 32 33
              35 WorkflowTaskScheduled on q
              36 WorkflowTaskStarted 35
            > task started 36 attempt 1 previous 33 reads 1..37
            37 WorkflowTaskCompleted 35 36
              38 WorkflowTaskScheduled on q
              39 WorkflowTaskStarted 38
            > task started 39 attempt 1 previous 36 reads 1..40
            40 WorkflowTaskCompleted 38 39
              41 WorkflowTaskScheduled on q
              42 WorkflowTaskStarted 41
            > task started 42 attempt 1 previous 39 reads 1..43
            43 WorkflowTaskCompleted 41 42
              44 WorkflowTaskScheduled on q
              45 WorkflowTaskStarted 44
            > task started 45 attempt 1 previous 42 reads 1..46
            46 WorkflowTaskCompleted 44 45
              47 WorkflowTaskScheduled on q
              48 WorkflowTaskStarted 47
            > task started 48 attempt 1 previous 45 reads 1..49
            49 WorkflowTaskCompleted 47 48
              50 WorkflowTaskScheduled on q
              51 WorkflowTaskStarted 50
            > task started 51 attempt 1 previous 48 reads 1..52
            52 WorkflowTaskTimedOut 50 51 StartToClose
            ! NoSuchTask("workflow task heartbeat timeout")
            owed: Workflow 53 attempt 2 on q",
    );
}

#[test]
fn a_close_over_unseen_events_is_unhandled() {
    check(
        "start; poll; signal a; complete: finish; signal b; poll; signal c; complete: finish; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 UnhandledCommand
              5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            ! BadCommands("UnhandledCommand")
            7 WorkflowExecutionSignaled b
            8 WorkflowTaskStarted 6
            > task started 8 attempt 1 previous 0 reads 1..9
            ! Busy("workflow operation can not be applied because workflow is closing")
            9 WorkflowTaskCompleted 6 8
              10 WorkflowExecutionCompleted
            ! no workflow task is owed
            ! completed",
    );
}

#[test]
fn an_unhandled_close_of_a_transient_task() {
    check(
        "start; poll; fail; poll; signal a; complete: finish; poll; signal b; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 WorkflowWorkerUnhandledFailure
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            5 WorkflowExecutionSignaled a
              6 WorkflowTaskScheduled on q
            ! BadCommands("UnhandledCommand")
            7 WorkflowTaskStarted 6
            > task started 7 attempt 1 previous 0 reads 1..8
            ! Busy("workflow operation can not be applied because workflow is closing")
            8 WorkflowTaskCompleted 6 7
              9 WorkflowExecutionCompleted",
    );
}

#[test]
fn bad_commands_fail_the_task() {
    check(
        "start; poll; complete: marker m, missing; poll; complete: missing; advance 10s; poll; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 BadStartTimerAttributes
            ! BadCommands("BadStartTimerAttributes: StartTimerCommandAttributes is not set on command.")
            > task started 6 attempt 2 previous 0 reads 1..5 +5 +6
            ! BadCommands("BadStartTimerAttributes: StartTimerCommandAttributes is not set on command.")
            > task started 6 attempt 3 previous 0 reads 1..5 +5 +6
            5 WorkflowTaskScheduled attempt 3 on q
              6 WorkflowTaskStarted 5
              7 WorkflowTaskCompleted 5 6
              8 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_feature_that_is_not_built_is_named() {
    check(
        "start; poll; complete: child",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 FeatureDisabled
            ! BadCommands("FeatureDisabled: the command StartChildWorkflowExecution is not built yet")",
    );
}

#[test]
fn a_close_must_be_last() {
    check(
        "start; poll; complete: finish, timer t 1s; complete: finish",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            ! Invalid("invalid command sequence: [CompleteWorkflowExecution, StartTimer], command CompleteWorkflowExecution must be the last command.")
            4 WorkflowTaskCompleted 2 3
              5 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_task_is_taken_once() {
    check(
        "start; poll request=a; complete: timer t 1s; complete: finish; advance 1s; poll request=b; poll request=b",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskCompleted 2 3
              5 TimerStarted t
            ! NoSuchTask("Workflow task not found.")
            6 TimerFired t 5
              7 WorkflowTaskScheduled on q
            8 WorkflowTaskStarted 7
            > task started 8 attempt 1 previous 3 reads 1..9
            ! no workflow task is owed",
    );
}

#[test]
fn too_many_buffered_events_fail_the_task() {
    check(
        "start; poll; signal s0; signal s1; signal s2; signal s3; signal s4; signal s5; signal s6; signal s7; signal s8; signal s9; signal s10; signal s11; signal s12; signal s13; signal s14; signal s15; signal s16; signal s17; signal s18; signal s19; signal s20; signal s21; signal s22; signal s23; signal s24; signal s25; signal s26; signal s27; signal s28; signal s29; signal s30; signal s31; signal s32; signal s33; signal s34; signal s35; signal s36; signal s37; signal s38; signal s39; signal s40; signal s41; signal s42; signal s43; signal s44; signal s45; signal s46; signal s47; signal s48; signal s49; signal s50; signal s51; signal s52; signal s53; signal s54; signal s55; signal s56; signal s57; signal s58; signal s59; signal s60; signal s61; signal s62; signal s63; signal s64; signal s65; signal s66; signal s67; signal s68; signal s69; signal s70; signal s71; signal s72; signal s73; signal s74; signal s75; signal s76; signal s77; signal s78; signal s79; signal s80; signal s81; signal s82; signal s83; signal s84; signal s85; signal s86; signal s87; signal s88; signal s89; signal s90; signal s91; signal s92; signal s93; signal s94; signal s95; signal s96; signal s97; signal s98; signal s99; signal s100; owed",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionSignaled s0
              6 WorkflowExecutionSignaled s1
              7 WorkflowExecutionSignaled s2
              8 WorkflowExecutionSignaled s3
              9 WorkflowExecutionSignaled s4
              10 WorkflowExecutionSignaled s5
              11 WorkflowExecutionSignaled s6
              12 WorkflowExecutionSignaled s7
              13 WorkflowExecutionSignaled s8
              14 WorkflowExecutionSignaled s9
              15 WorkflowExecutionSignaled s10
              16 WorkflowExecutionSignaled s11
              17 WorkflowExecutionSignaled s12
              18 WorkflowExecutionSignaled s13
              19 WorkflowExecutionSignaled s14
              20 WorkflowExecutionSignaled s15
              21 WorkflowExecutionSignaled s16
              22 WorkflowExecutionSignaled s17
              23 WorkflowExecutionSignaled s18
              24 WorkflowExecutionSignaled s19
              25 WorkflowExecutionSignaled s20
              26 WorkflowExecutionSignaled s21
              27 WorkflowExecutionSignaled s22
              28 WorkflowExecutionSignaled s23
              29 WorkflowExecutionSignaled s24
              30 WorkflowExecutionSignaled s25
              31 WorkflowExecutionSignaled s26
              32 WorkflowExecutionSignaled s27
              33 WorkflowExecutionSignaled s28
              34 WorkflowExecutionSignaled s29
              35 WorkflowExecutionSignaled s30
              36 WorkflowExecutionSignaled s31
              37 WorkflowExecutionSignaled s32
              38 WorkflowExecutionSignaled s33
              39 WorkflowExecutionSignaled s34
              40 WorkflowExecutionSignaled s35
              41 WorkflowExecutionSignaled s36
              42 WorkflowExecutionSignaled s37
              43 WorkflowExecutionSignaled s38
              44 WorkflowExecutionSignaled s39
              45 WorkflowExecutionSignaled s40
              46 WorkflowExecutionSignaled s41
              47 WorkflowExecutionSignaled s42
              48 WorkflowExecutionSignaled s43
              49 WorkflowExecutionSignaled s44
              50 WorkflowExecutionSignaled s45
              51 WorkflowExecutionSignaled s46
              52 WorkflowExecutionSignaled s47
              53 WorkflowExecutionSignaled s48
              54 WorkflowExecutionSignaled s49
              55 WorkflowExecutionSignaled s50
              56 WorkflowExecutionSignaled s51
              57 WorkflowExecutionSignaled s52
              58 WorkflowExecutionSignaled s53
              59 WorkflowExecutionSignaled s54
              60 WorkflowExecutionSignaled s55
              61 WorkflowExecutionSignaled s56
              62 WorkflowExecutionSignaled s57
              63 WorkflowExecutionSignaled s58
              64 WorkflowExecutionSignaled s59
              65 WorkflowExecutionSignaled s60
              66 WorkflowExecutionSignaled s61
              67 WorkflowExecutionSignaled s62
              68 WorkflowExecutionSignaled s63
              69 WorkflowExecutionSignaled s64
              70 WorkflowExecutionSignaled s65
              71 WorkflowExecutionSignaled s66
              72 WorkflowExecutionSignaled s67
              73 WorkflowExecutionSignaled s68
              74 WorkflowExecutionSignaled s69
              75 WorkflowExecutionSignaled s70
              76 WorkflowExecutionSignaled s71
              77 WorkflowExecutionSignaled s72
              78 WorkflowExecutionSignaled s73
              79 WorkflowExecutionSignaled s74
              80 WorkflowExecutionSignaled s75
              81 WorkflowExecutionSignaled s76
              82 WorkflowExecutionSignaled s77
              83 WorkflowExecutionSignaled s78
              84 WorkflowExecutionSignaled s79
              85 WorkflowExecutionSignaled s80
              86 WorkflowExecutionSignaled s81
              87 WorkflowExecutionSignaled s82
              88 WorkflowExecutionSignaled s83
              89 WorkflowExecutionSignaled s84
              90 WorkflowExecutionSignaled s85
              91 WorkflowExecutionSignaled s86
              92 WorkflowExecutionSignaled s87
              93 WorkflowExecutionSignaled s88
              94 WorkflowExecutionSignaled s89
              95 WorkflowExecutionSignaled s90
              96 WorkflowExecutionSignaled s91
              97 WorkflowExecutionSignaled s92
              98 WorkflowExecutionSignaled s93
              99 WorkflowExecutionSignaled s94
              100 WorkflowExecutionSignaled s95
              101 WorkflowExecutionSignaled s96
              102 WorkflowExecutionSignaled s97
              103 WorkflowExecutionSignaled s98
              104 WorkflowExecutionSignaled s99
              105 WorkflowExecutionSignaled s100
            owed: Workflow 106 attempt 2 on q",
    );
}

#[test]
fn terminate_with_a_started_task() {
    check(
        "start; poll; signal s; terminate; signal t; cancel; terminate",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionSignaled s
              6 WorkflowExecutionTerminated enough
            ! completed
            > already done
            ! completed",
    );
}

#[test]
fn grpc_message_too_large_ends_the_run() {
    check(
        "start; poll; fail 36",
        r"
            -- run 1
            1 WorkflowExecutionStarted
              2 WorkflowTaskScheduled on q
            3 WorkflowTaskStarted 2
            > task started 3 attempt 1 previous 0 reads 1..4
            4 WorkflowTaskFailed 2 3 ForceCloseCommand
              5 WorkflowExecutionTerminated GrpcMessageTooLarge",
    );
}
