//! What runs do to one another: children, signals and requests to cancel, whatever the way between them loses or repeats.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::compare;
use super::world::World;
use super::world::post::came;

/// Worlds of several ids, and the way between them.
#[derive(Debug, Default)]
struct Town {
    worlds: BTreeMap<String, World>,
    out: String,
    /// Everything has all it may have, and is shown whole.
    whole: bool,
}

impl Town {
    /// `ID: LINE` is a line of one world. `ID: send` carries all that it owes: `lost` loses the answers, `nowhere` the messages,
    /// `late` keeps the messages for `deliver`; `twice` answers twice.
    fn play(script: &str) -> String {
        let mut town = Self::default();
        town.lines(script);
        town.out.trim_end().to_owned()
    }

    fn whole(script: &str) -> String {
        let mut town = Self {
            whole: true,
            ..Self::default()
        };
        town.lines(script);
        let mut text = town.out;
        for (id, world) in town.worlds {
            let _ = writeln!(text, "\n{id}\n{}", world.whole.unwrap_or_default());
        }
        text
    }

    fn lines(&mut self, script: &str) {
        let mut kept = Vec::new();
        for line in script.split(['\n', ';']).map(str::trim) {
            let Some((id, line)) = line.split_once(": ") else {
                assert!(line.is_empty(), "whose line is it: {line}");
                continue;
            };
            let words: Vec<_> = line.split_whitespace().collect();
            match words[0] {
                "send" if words.contains(&"late") => kept.extend(self.world(id).owes()),
                "send" => {
                    for sent in self.world(id).owes() {
                        self.carry(id, sent, &words);
                    }
                }
                "deliver" => {
                    for sent in std::mem::take(&mut kept) {
                        self.carry(id, sent, &words);
                    }
                }
                _ => self.world(id).line(line),
            }
            self.print(id);
        }
        for world in self.worlds.values() {
            world.refold();
        }
    }

    fn world(&mut self, id: &str) -> &mut World {
        let nth = self.worlds.len() as u128 + 1;
        let whole = self.whole.then(String::new);
        let world = self.worlds.entry(id.to_owned());
        world.or_insert_with(|| {
            let mut world = World::of(id, nth);
            world.whole = whole;
            world
        })
    }

    fn carry(
        &mut self,
        from: &str,
        sent: (
            crate::id::RunId,
            crate::execution::Effect,
            cairn_proto::cairn::effect::v1::Message,
        ),
        words: &[&str],
    ) {
        let (run, effect, message) = sent;
        let to = message.workflow_id.clone();
        let _ = writeln!(self.out, "{from} -> {to}: {effect:?}");
        if words.contains(&"nowhere") {
            return;
        }
        let outcome = self.world(&to).receive(message);
        self.print(&to);
        let Some(outcome) = outcome else {
            return;
        };
        let what = outcome.outcome.as_ref().map_or("nothing", came);
        let _ = writeln!(self.out, "= {what}");
        if words.contains(&"lost") {
            return;
        }
        let times = if words.contains(&"twice") { 2 } else { 1 };
        for _ in 0..times {
            self.world(from).hear(run, effect, &outcome);
        }
        self.print(from);
    }

    fn print(&mut self, id: &str) {
        for line in std::mem::take(&mut self.world(id).out).lines() {
            let _ = writeln!(self.out, "{id} {line}");
        }
    }
}

/// Two runs, `w` with a task in hand.
const TWO: &str = "c: start; w: start; w: poll";

/// A parent that has asked for its child.
const ASKED: &str = "w: start; w: poll; w: complete: start-child c";

/// A parent `w` whose child `c` is there, as both know.
const FAMILY: &str =
    "w: start; w: poll; w: complete: start-child c; w: send; c: send; w: poll; w: complete";

/// What happens behind a beginning of which nothing is printed.
#[track_caller]
fn then(beginning: &str, script: &str, expected: &str) {
    let before = Town::play(beginning).lines().count();
    let printed = Town::play(&format!("{beginning}; {script}"));
    let printed: Vec<_> = printed.lines().skip(before).collect();
    compare(script, &printed.join("\n"), expected);
}

#[test]
fn a_child_is_started_and_its_end_is_told() {
    then(
        ASKED,
        "w: send; c: send; w: poll; w: complete; c: poll; c: complete: finish; c: send; w: poll; w: complete: finish; c: send; w: send",
        r"
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w 6 ChildWorkflowExecutionStarted 5
            w   7 WorkflowTaskScheduled on q
            c -> w: Begun
            = done
            c 2 WorkflowTaskScheduled on q
            w 8 WorkflowTaskStarted 7
            w > task started 8 attempt 1 previous 3 reads 1..9
            w 9 WorkflowTaskCompleted 7 8
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionCompleted
            c -> w: ChildClosed
            w 10 ChildWorkflowExecutionCompleted 5 6
            w   11 WorkflowTaskScheduled on q
            = done
            w 12 WorkflowTaskStarted 11
            w > task started 12 attempt 1 previous 8 reads 1..13
            w 13 WorkflowTaskCompleted 11 12
            w   14 WorkflowExecutionCompleted",
    );
}

#[test]
fn a_child_says_that_it_is_there_if_the_answer_is_lost() {
    then(
        ASKED,
        "w: send lost; c: send; w: send; c: send",
        r"
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            c -> w: Begun
            w 6 ChildWorkflowExecutionStarted 5
            w   7 WorkflowTaskScheduled on q
            = done
            c 2 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_start_that_comes_again_begins_nothing() {
    then(
        ASKED,
        "w: send lost; w: send; c: send lost; c: send twice",
        r"
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w -> c: Initiated(5)
            = started
            w 6 ChildWorkflowExecutionStarted 5
            w   7 WorkflowTaskScheduled on q
            c -> w: Begun
            = done
            c -> w: Begun
            = done
            c 2 WorkflowTaskScheduled on q",
    );
}

#[test]
fn an_id_that_is_taken_is_no_child() {
    then(
        TWO,
        "w: complete: start-child c; w: send; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 StartChildWorkflowExecutionInitiated c Terminate
            w -> c: Initiated(5)
            = already exists
            w 6 StartChildWorkflowExecutionFailed 5 control WorkflowAlreadyExists
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_child_whose_parent_has_closed_without_it_ends() {
    then(
        ASKED,
        "w: send lost; w: terminate; c: send; c: send; w: send",
        r"
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w 6 WorkflowExecutionTerminated enough
            c -> w: Begun
            = orphaned
            c 2 WorkflowExecutionTerminated by parent close policy
            c -> w: ChildClosed
            = done",
    );
}

#[test]
fn a_child_ends_before_its_parent_knew_that_it_was_there() {
    then(
        ASKED,
        "w: send lost; c: terminate; c: send; c: send; w: send",
        r"
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            c 2 WorkflowExecutionTerminated enough
            c -> w: ChildClosed
            w 6 ChildWorkflowExecutionStarted 5
            w   7 ChildWorkflowExecutionTerminated 5 6
            w   8 WorkflowTaskScheduled on q
            = done",
    );
}

#[test]
fn an_end_is_told_once() {
    then(
        FAMILY,
        "c: poll; c: complete: fail; c: send lost; c: send twice; c: send",
        r"
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionFailed RetryPolicyNotSet
            c -> w: ChildClosed
            w 10 ChildWorkflowExecutionFailed 5 6 RetryPolicyNotSet
            w   11 WorkflowTaskScheduled on q
            = done
            c -> w: ChildClosed
            = done",
    );
}

#[test]
fn a_child_is_canceled() {
    then(
        FAMILY,
        "c: cancel; c: poll; c: complete: cancel; c: send",
        r"
            c 3 WorkflowExecutionCancelRequested
            c 4 WorkflowTaskStarted 2
            c > task started 4 attempt 1 previous 0 reads 1..5
            c 5 WorkflowTaskCompleted 2 4
            c   6 WorkflowExecutionCanceled
            c -> w: ChildClosed
            w 10 ChildWorkflowExecutionCanceled 5 6
            w   11 WorkflowTaskScheduled on q
            = done",
    );
}

#[test]
fn a_child_runs_out_of_time() {
    then(
        "",
        "w: start; w: poll; w: complete: start-child c run-timeout=5s; w: send; c: send; c: advance 5s; c: send",
        r"
            w -- run 1
            w 1 WorkflowExecutionStarted
            w   2 WorkflowTaskScheduled on q
            w 3 WorkflowTaskStarted 2
            w > task started 3 attempt 1 previous 0 reads 1..4
            w 4 WorkflowTaskCompleted 2 3
            w   5 StartChildWorkflowExecutionInitiated c Terminate
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w 6 ChildWorkflowExecutionStarted 5
            w   7 WorkflowTaskScheduled on q
            c -> w: Begun
            = done
            c 2 WorkflowTaskScheduled on q
            c 3 WorkflowExecutionTimedOut RetryPolicyNotSet
            c -> w: ChildClosed
            w 8 ChildWorkflowExecutionTimedOut 5 6 RetryPolicyNotSet
            = done",
    );
}

#[test]
fn a_chain_of_a_child_has_one_end() {
    then(
        FAMILY,
        "c: poll; c: complete: again; c: send; c: poll; c: complete: finish; c: send",
        r"
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionContinuedAsNew
            c -- run 2
            c 1 WorkflowExecutionStarted
            c   2 WorkflowTaskScheduled on q
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionCompleted
            c -> w: ChildClosed
            w 10 ChildWorkflowExecutionCompleted 5 6
            w   11 WorkflowTaskScheduled on q
            = done",
    );
}

#[test]
fn a_child_that_is_tried_again_has_one_end() {
    then(
        "",
        "w: start; w: poll; w: complete: start-child c retry=2; w: send; c: send; c: poll; c: complete: fail; c: send; c: advance 1s; c: poll; c: complete: fail; c: send",
        r"
            w -- run 1
            w 1 WorkflowExecutionStarted
            w   2 WorkflowTaskScheduled on q
            w 3 WorkflowTaskStarted 2
            w > task started 3 attempt 1 previous 0 reads 1..4
            w 4 WorkflowTaskCompleted 2 3
            w   5 StartChildWorkflowExecutionInitiated c Terminate
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w 6 ChildWorkflowExecutionStarted 5
            w   7 WorkflowTaskScheduled on q
            c -> w: Begun
            = done
            c 2 WorkflowTaskScheduled on q
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionFailed InProgress another follows
            c -- run 2
            c 1 WorkflowExecutionStarted attempt 2 backoff 1s
            c 2 WorkflowTaskScheduled on q
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionFailed MaximumAttemptsReached
            c -> w: ChildClosed
            w 8 ChildWorkflowExecutionFailed 5 6 MaximumAttemptsReached
            = done",
    );
}

#[test]
fn what_a_child_does_waits_while_the_parent_has_a_task() {
    then(
        ASKED,
        "w: signal s; w: poll; w: send; c: send; c: poll; c: complete: finish; c: send; w: complete",
        r"
            w 6 WorkflowExecutionSignaled s
            w   7 WorkflowTaskScheduled on q
            w 8 WorkflowTaskStarted 7
            w > task started 8 attempt 1 previous 3 reads 1..9
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            c -> w: Begun
            = done
            c 2 WorkflowTaskScheduled on q
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionCompleted
            c -> w: ChildClosed
            = done
            w 9 WorkflowTaskCompleted 7 8
            w   10 ChildWorkflowExecutionStarted 5
            w   11 ChildWorkflowExecutionCompleted 5 10
            w   12 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_child_is_terminated_with_its_parent() {
    then(
        FAMILY,
        "w: terminate; w: send lost; w: send; w: send; c: send",
        r"
            w 10 WorkflowExecutionTerminated enough
            w -> c: ParentClosed(5)
            c 3 WorkflowExecutionTerminated by parent close policy
            = done
            w -> c: ParentClosed(5)
            = done
            c -> w: ChildClosed
            = done",
    );
}

#[test]
fn a_child_is_asked_to_cancel_when_its_parent_closes() {
    then(
        "",
        "w: start; w: poll; w: complete: start-child c policy=3; w: send; c: send; w: poll; w: complete: finish; w: send lost; w: send; w: send; c: send",
        r#"
            w -- run 1
            w 1 WorkflowExecutionStarted
            w   2 WorkflowTaskScheduled on q
            w 3 WorkflowTaskStarted 2
            w > task started 3 attempt 1 previous 0 reads 1..4
            w 4 WorkflowTaskCompleted 2 3
            w   5 StartChildWorkflowExecutionInitiated c RequestCancel
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w 6 ChildWorkflowExecutionStarted 5
            w   7 WorkflowTaskScheduled on q
            c -> w: Begun
            = done
            c 2 WorkflowTaskScheduled on q
            w 8 WorkflowTaskStarted 7
            w > task started 8 attempt 1 previous 3 reads 1..9
            w 9 WorkflowTaskCompleted 7 8
            w   10 WorkflowExecutionCompleted
            w -> c: ParentClosed(5)
            c 3 WorkflowExecutionCancelRequested by w 0 ""
            = done
            w -> c: ParentClosed(5)
            = done"#,
    );
}

#[test]
fn a_child_is_left_alone() {
    then(
        "",
        "w: start; w: poll; w: complete: start-child c policy=2; w: send; c: send; w: poll; w: complete: finish; w: send; c: poll; c: complete: finish; c: send; c: send",
        r"
            w -- run 1
            w 1 WorkflowExecutionStarted
            w   2 WorkflowTaskScheduled on q
            w 3 WorkflowTaskStarted 2
            w > task started 3 attempt 1 previous 0 reads 1..4
            w 4 WorkflowTaskCompleted 2 3
            w   5 StartChildWorkflowExecutionInitiated c Abandon
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w 6 ChildWorkflowExecutionStarted 5
            w   7 WorkflowTaskScheduled on q
            c -> w: Begun
            = done
            c 2 WorkflowTaskScheduled on q
            w 8 WorkflowTaskStarted 7
            w > task started 8 attempt 1 previous 3 reads 1..9
            w 9 WorkflowTaskCompleted 7 8
            w   10 WorkflowExecutionCompleted
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionCompleted
            c -> w: ChildClosed
            = done",
    );
}

#[test]
fn another_run_of_the_id_is_no_child() {
    then(
        FAMILY,
        "c: terminate; c: start request=x reuse=1; w: terminate; w: send; c: send",
        r"
            c 3 WorkflowExecutionTerminated enough
            c -- run 2
            c 1 WorkflowExecutionStarted
            c   2 WorkflowTaskScheduled on q
            w 10 WorkflowExecutionTerminated enough
            w -> c: ParentClosed(5)
            = done
            c -> w: ChildClosed
            = done",
    );
}

#[test]
fn the_end_of_a_child_finds_no_parent() {
    then(
        FAMILY,
        "w: terminate; w: start request=y; c: terminate; c: send",
        r"
            w 10 WorkflowExecutionTerminated enough
            w -- run 2
            w 1 WorkflowExecutionStarted
            w   2 WorkflowTaskScheduled on q
            c 3 WorkflowExecutionTerminated enough
            c -> w: ChildClosed
            = done",
    );
}

#[test]
fn a_parent_that_is_reset_goes_on_with_its_child() {
    then(
        FAMILY,
        "w: signal s; w: poll; w: complete; w: reset 12; w: send; c: send; c: poll; c: complete: finish; c: send; c: send",
        r"
            w 10 WorkflowExecutionSignaled s
            w   11 WorkflowTaskScheduled on q
            w 12 WorkflowTaskStarted 11
            w > task started 12 attempt 1 previous 8 reads 1..13
            w 13 WorkflowTaskCompleted 11 12
            w 14 WorkflowExecutionTerminated again
            w -- run 2
            w copied 1..=2
            w copied 3..=3
            w copied 4..=5
            w copied 6..=7
            w copied 8..=8
            w copied 9..=9
            w copied 10..=11
            w 12 WorkflowTaskStarted 11
            w   13 WorkflowTaskFailed 11 12 ResetWorkflow
            w   14 WorkflowTaskScheduled on q
            w > reset
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionCompleted
            c -> w: ChildClosed
            = moved
            c -> w: ChildClosed
            w 15 ChildWorkflowExecutionCompleted 5 6
            = done",
    );
}

#[test]
fn a_child_outlives_the_parent_that_was_reset() {
    then(
        FAMILY,
        "w: reset 9; w: forget 1; w: send; c: send; c: poll; c: complete: finish; c: send; c: send; c: send",
        r"
            w 10 WorkflowExecutionTerminated again
            w -- run 2
            w copied 1..=2
            w copied 3..=3
            w copied 4..=5
            w copied 6..=7
            w copied 8..=8
            w 9 WorkflowTaskFailed 7 8 ResetWorkflow
            w   10 WorkflowTaskScheduled on q
            w > reset
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionCompleted
            c -> w: ChildClosed
            = not found
            c -> w: ChildClosed
            w 11 ChildWorkflowExecutionCompleted 5 6
            = done",
    );
}

#[test]
fn a_start_is_taken_over_by_a_reset() {
    then(
        ASKED,
        "w: signal s; w: poll; w: complete; w: send lost; w: reset 9; c: send; w: send; c: send; w: send",
        r"
            w 6 WorkflowExecutionSignaled s
            w   7 WorkflowTaskScheduled on q
            w 8 WorkflowTaskStarted 7
            w > task started 8 attempt 1 previous 3 reads 1..9
            w 9 WorkflowTaskCompleted 7 8
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w 10 WorkflowExecutionTerminated again
            w -- run 2
            w copied 1..=2
            w copied 3..=3
            w copied 4..=5
            w copied 6..=7
            w copied 8..=8
            w 9 WorkflowTaskFailed 7 8 ResetWorkflow
            w   10 WorkflowTaskScheduled on q
            w > reset
            c -> w: Begun
            = moved
            w -> c: Initiated(5)
            = started
            w 11 ChildWorkflowExecutionStarted 5
            c -> w: Begun
            = done
            c 2 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_start_is_taken_over_by_a_reset_of_a_reset() {
    then(
        ASKED,
        "w: signal s; w: poll; w: complete; w: send lost; w: reset 9; w: reset 9 request=two; w: send",
        r"
            w 6 WorkflowExecutionSignaled s
            w   7 WorkflowTaskScheduled on q
            w 8 WorkflowTaskStarted 7
            w > task started 8 attempt 1 previous 3 reads 1..9
            w 9 WorkflowTaskCompleted 7 8
            w -> c: Initiated(5)
            c -- run 1
            c 1 WorkflowExecutionStarted
            = started
            w 10 WorkflowExecutionTerminated again
            w -- run 2
            w copied 1..=2
            w copied 3..=3
            w copied 4..=5
            w copied 6..=7
            w copied 8..=8
            w 9 WorkflowTaskFailed 7 8 ResetWorkflow
            w   10 WorkflowTaskScheduled on q
            w > reset
            w 11 WorkflowExecutionTerminated again
            w -- run 3
            w copied 1..=2
            w copied 3..=3
            w copied 4..=5
            w copied 6..=7
            w copied 8..=8
            w 9 WorkflowTaskFailed 7 8 ResetWorkflow
            w   10 WorkflowTaskScheduled on q
            w > reset
            w -> c: Initiated(5)
            = started
            w 11 ChildWorkflowExecutionStarted 5",
    );
}

#[test]
fn a_signal_reaches_another_run() {
    then(
        TWO,
        "w: complete: call c; w: send; w: send; w: poll; w: complete",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            c 3 WorkflowExecutionSignaled s
            = done
            w 6 ExternalWorkflowExecutionSignaled 5 c in n
            w   7 WorkflowTaskScheduled on q
            w 8 WorkflowTaskStarted 7
            w > task started 8 attempt 1 previous 3 reads 1..9
            w 9 WorkflowTaskCompleted 7 8",
    );
}

#[test]
fn a_signal_that_comes_again_is_heard_once() {
    then(
        TWO,
        "w: complete: call c namespace=n; w: send lost; w: send twice",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            c 3 WorkflowExecutionSignaled s
            = done
            w -> c: Initiated(5)
            = done
            w 6 ExternalWorkflowExecutionSignaled 5 c in n
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_signal_is_heard_once_in_a_chain() {
    then(
        TWO,
        "w: complete: call c; w: send lost; c: poll; c: complete: again; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            c 3 WorkflowExecutionSignaled s
            = done
            c 4 WorkflowTaskStarted 2
            c > task started 4 attempt 1 previous 0 reads 1..5
            c 5 WorkflowTaskCompleted 2 4
            c   6 WorkflowExecutionContinuedAsNew
            c -- run 2
            c 1 WorkflowExecutionStarted
            c   2 WorkflowTaskScheduled on q
            w -> c: Initiated(5)
            = done
            w 6 ExternalWorkflowExecutionSignaled 5 c in n
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_signal_is_heard_once_behind_the_end() {
    then(
        TWO,
        "w: complete: call c; w: send lost; c: terminate; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            c 3 WorkflowExecutionSignaled s
            = done
            c 4 WorkflowExecutionTerminated enough
            w -> c: Initiated(5)
            = done
            w 6 ExternalWorkflowExecutionSignaled 5 c in n
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn two_signals_are_two() {
    then(
        TWO,
        "w: complete: call c, call c; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w   6 SignalExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            c 3 WorkflowExecutionSignaled s
            = done
            w 7 ExternalWorkflowExecutionSignaled 5 c in n
            w   8 WorkflowTaskScheduled on q
            w -> c: Initiated(6)
            c 4 WorkflowExecutionSignaled s
            = done
            w 9 ExternalWorkflowExecutionSignaled 6 c in n",
    );
}

#[test]
fn a_signal_to_nobody_fails() {
    then(
        TWO,
        "w: complete: call d; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated d
            w -> d: Initiated(5)
            = not found
            w 6 SignalExternalWorkflowExecutionFailed 5 ExternalWorkflowExecutionNotFound
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_signal_to_a_closed_run_fails() {
    then(
        TWO,
        "c: terminate; w: complete: call c; w: send",
        r"
            c 3 WorkflowExecutionTerminated enough
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            = not found
            w 6 SignalExternalWorkflowExecutionFailed 5 ExternalWorkflowExecutionNotFound
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_run_does_not_signal_itself() {
    then(
        TWO,
        "w: complete: call w; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated w
            w -> w: Initiated(5)
            = not found
            w 6 SignalExternalWorkflowExecutionFailed 5 ExternalWorkflowExecutionNotFound
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_signal_for_children_only() {
    then(
        FAMILY,
        "d: start; w: signal s; w: poll; w: complete: call c child-only, call d child-only; w: send",
        r"
            d -- run 1
            d 1 WorkflowExecutionStarted
            d   2 WorkflowTaskScheduled on q
            w 10 WorkflowExecutionSignaled s
            w   11 WorkflowTaskScheduled on q
            w 12 WorkflowTaskStarted 11
            w > task started 12 attempt 1 previous 8 reads 1..13
            w 13 WorkflowTaskCompleted 11 12
            w   14 SignalExternalWorkflowExecutionInitiated c
            w   15 SignalExternalWorkflowExecutionInitiated d
            w -> c: Initiated(14)
            c 3 WorkflowExecutionSignaled s
            = done
            w 16 ExternalWorkflowExecutionSignaled 14 c in n
            w   17 WorkflowTaskScheduled on q
            w -> d: Initiated(15)
            = not found
            w 18 SignalExternalWorkflowExecutionFailed 15 ExternalWorkflowExecutionNotFound",
    );
}

#[test]
fn a_run_that_takes_no_more_signals() {
    then(
        TWO,
        "c: limit history.maximumSignalsPerExecution=0; w: complete: call c; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            = too many signals
            w 6 SignalExternalWorkflowExecutionFailed 5 SignalCountLimitExceeded
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_signal_waits_while_its_receiver_has_a_task() {
    then(
        TWO,
        "c: poll; w: complete: call c; w: send; w: send; c: complete",
        r"
            c 3 WorkflowTaskStarted 2
            c > task started 3 attempt 1 previous 0 reads 1..4
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            = done
            w 6 ExternalWorkflowExecutionSignaled 5 c in n
            w   7 WorkflowTaskScheduled on q
            c 4 WorkflowTaskCompleted 2 3
            c   5 WorkflowExecutionSignaled s
            c   6 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_run_that_closes_forgets_what_it_asked_for() {
    then(
        TWO,
        "w: complete: call c, call-off c; w: terminate; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w   6 RequestCancelExternalWorkflowExecutionInitiated c
            w 7 WorkflowExecutionTerminated enough",
    );
}

#[test]
fn a_run_is_asked_to_cancel() {
    then(
        TWO,
        "w: complete: call-off c; w: send lost; w: send twice; w: send",
        r#"
            w 4 WorkflowTaskCompleted 2 3
            w   5 RequestCancelExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            c 3 WorkflowExecutionCancelRequested by w 5 "because"
            = done
            w -> c: Initiated(5)
            = done
            w 6 ExternalWorkflowExecutionCancelRequested 5 c in n
            w   7 WorkflowTaskScheduled on q"#,
    );
}

#[test]
fn a_request_to_cancel_is_heard_once_in_a_chain() {
    then(
        TWO,
        "w: complete: call-off c; w: send lost; c: poll; c: complete: again; w: send",
        r#"
            w 4 WorkflowTaskCompleted 2 3
            w   5 RequestCancelExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            c 3 WorkflowExecutionCancelRequested by w 5 "because"
            = done
            c 4 WorkflowTaskStarted 2
            c > task started 4 attempt 1 previous 0 reads 1..5
            c 5 WorkflowTaskCompleted 2 4
            c   6 WorkflowExecutionContinuedAsNew
            c -- run 2
            c 1 WorkflowExecutionStarted
            c   2 WorkflowTaskScheduled on q
            w -> c: Initiated(5)
            = done
            w 6 ExternalWorkflowExecutionCancelRequested 5 c in n
            w   7 WorkflowTaskScheduled on q"#,
    );
}

#[test]
fn a_second_request_to_cancel_changes_nothing() {
    then(
        TWO,
        "c: cancel; w: complete: call-off c namespace=n; w: send",
        r"
            c 3 WorkflowExecutionCancelRequested
            w 4 WorkflowTaskCompleted 2 3
            w   5 RequestCancelExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            = done
            w 6 ExternalWorkflowExecutionCancelRequested 5 c in n
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_request_to_cancel_a_closed_run_is_done() {
    then(
        TWO,
        "c: terminate; w: complete: call-off c; w: send",
        r"
            c 3 WorkflowExecutionTerminated enough
            w 4 WorkflowTaskCompleted 2 3
            w   5 RequestCancelExternalWorkflowExecutionInitiated c
            w -> c: Initiated(5)
            = done
            w 6 ExternalWorkflowExecutionCancelRequested 5 c in n
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_request_to_cancel_nobody_fails() {
    then(
        TWO,
        "w: complete: call-off d; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 RequestCancelExternalWorkflowExecutionInitiated d
            w -> d: Initiated(5)
            = not found
            w 6 RequestCancelExternalWorkflowExecutionFailed 5 ExternalWorkflowExecutionNotFound
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_run_does_not_ask_itself_to_cancel() {
    then(
        TWO,
        "w: complete: call-off w; w: send",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 RequestCancelExternalWorkflowExecutionInitiated w
            w -> w: Initiated(5)
            = not found
            w 6 RequestCancelExternalWorkflowExecutionFailed 5 ExternalWorkflowExecutionNotFound
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_request_to_cancel_for_children_only() {
    then(
        FAMILY,
        "d: start; w: signal s; w: poll; w: complete: call-off c child-only, call-off d child-only; w: send",
        r#"
            d -- run 1
            d 1 WorkflowExecutionStarted
            d   2 WorkflowTaskScheduled on q
            w 10 WorkflowExecutionSignaled s
            w   11 WorkflowTaskScheduled on q
            w 12 WorkflowTaskStarted 11
            w > task started 12 attempt 1 previous 8 reads 1..13
            w 13 WorkflowTaskCompleted 11 12
            w   14 RequestCancelExternalWorkflowExecutionInitiated c
            w   15 RequestCancelExternalWorkflowExecutionInitiated d
            w -> c: Initiated(14)
            c 3 WorkflowExecutionCancelRequested by w 14 "because"
            = done
            w 16 ExternalWorkflowExecutionCancelRequested 14 c in n
            w   17 WorkflowTaskScheduled on q
            w -> d: Initiated(15)
            = not found
            w 18 RequestCancelExternalWorkflowExecutionFailed 15 ExternalWorkflowExecutionNotFound"#,
    );
}

#[test]
fn a_message_that_is_late_finds_the_next_run() {
    then(
        TWO,
        "w: complete: call c; w: send late; c: terminate; c: start request=2; w: deliver",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            c 3 WorkflowExecutionTerminated enough
            c -- run 2
            c 1 WorkflowExecutionStarted
            c   2 WorkflowTaskScheduled on q
            w -> c: Initiated(5)
            c 3 WorkflowExecutionSignaled s
            = done
            w 6 ExternalWorkflowExecutionSignaled 5 c in n
            w   7 WorkflowTaskScheduled on q",
    );
}

#[test]
fn a_chain_hands_down_what_it_asked_for() {
    then(
        TWO,
        "w: complete: call c, again; w: send; w: poll",
        r"
            w 4 WorkflowTaskCompleted 2 3
            w   5 SignalExternalWorkflowExecutionInitiated c
            w   6 WorkflowExecutionContinuedAsNew
            w -- run 2
            w 1 WorkflowExecutionStarted
            w   2 WorkflowTaskScheduled on q
            w 3 WorkflowTaskStarted 2
            w > task started 3 attempt 1 previous 0 reads 1..4",
    );
}

/// Names have at most three letters, and one of a kind may be pending.
const LIMITS: &str = "limit limit.maxIDLength=3 limit.numPendingChildExecutions.error=1 \
                      limit.numPendingSignals.error=1 limit.numPendingCancelRequests.error=1";

#[test]
fn what_is_wrong_fails_the_task() {
    let scripts = [
        "start-child c type=",
        "start-child c namespace=m",
        "start-child c exec=-1s",
        "start-child c run-timeout=-1s",
        "start-child c task=-1s",
        "start-child c retry=-1",
        "start-child c cron=x",
        "start-child c Nowhere:1",
        "start-child long",
        "start-child c type=long",
        "call c nobody",
        "call c run=x",
        "call c namespace=m",
        "call c name=",
        "call long",
        "call-off c run=x",
        "call-off c namespace=m",
        "call-off long",
        "start-child d, call-off d",
        "start-child d, start-child e",
        "call c, call c",
        "call-off c, call-off c",
    ];
    let told = scripts.map(|commands| {
        let printed = Town::play(&format!("{TWO}; w: {LIMITS}; w: complete: {commands}"));
        let told = printed.lines().find_map(|line| line.strip_prefix("w ! "));
        format!("{commands}: {}", told.unwrap_or("nothing"))
    });
    compare(
        "",
        &told.join("\n"),
        r#"
        start-child c type=: BadCommands("BadStartChildExecutionAttributes: Required field WorkflowType is not set on StartChildWorkflowExecutionCommand. WorkflowId=c Namespace=n")
        start-child c namespace=m: BadCommands("BadStartChildExecutionAttributes: cross namespace commands are not allowed")
        start-child c exec=-1s: BadCommands("BadStartChildExecutionAttributes: Invalid WorkflowExecutionTimeout on StartChildWorkflowExecutionCommand: negative duration. WorkflowId=c WorkflowType=wf Namespace=n")
        start-child c run-timeout=-1s: BadCommands("BadStartChildExecutionAttributes: Invalid WorkflowRunTimeout on StartChildWorkflowExecutionCommand: negative duration. WorkflowId=c WorkflowType=wf Namespace=n")
        start-child c task=-1s: BadCommands("BadStartChildExecutionAttributes: Invalid WorkflowTaskTimeout on StartChildWorkflowExecutionCommand: negative duration. WorkflowId=c WorkflowType=wf Namespace=n")
        start-child c retry=-1: BadCommands("BadStartChildExecutionAttributes: invalid WorkflowRetryPolicy on StartChildWorkflowExecutionCommand: MaximumAttempts cannot be negative on retry policy.. WorkflowId=c WorkflowType=wf Namespace=n")
        start-child c cron=x: BadCommands("BadStartChildExecutionAttributes: invalid CronSchedule on StartChildWorkflowExecutionCommand: invalid CronSchedule.. WorkflowId=c WorkflowType=wf Namespace=n")
        start-child c Nowhere:1: BadCommands("BadSearchAttributes: Namespace default has no mapping defined for search attribute Nowhere")
        start-child long: BadCommands("BadStartChildExecutionAttributes: WorkflowId on StartChildWorkflowExecutionCommand exceeds length limit. WorkflowId=long Length=4 Limit=3 WorkflowType=wf Namespace=n")
        start-child c type=long: BadCommands("BadStartChildExecutionAttributes: WorkflowType on StartChildWorkflowExecutionCommand exceeds length limit. WorkflowId=c WorkflowType=long Length=4 Limit=3 Namespace=n")
        call c nobody: BadCommands("BadSignalWorkflowExecutionAttributes: Execution is not set on SignalExternalWorkflowExecutionCommand.")
        call c run=x: BadCommands("BadSignalWorkflowExecutionAttributes: Invalid RunId set on SignalExternalWorkflowExecutionCommand. WorkflowId=c Namespace= RunId=x SignalName=s")
        call c namespace=m: BadCommands("BadSignalWorkflowExecutionAttributes: cross namespace commands are not allowed")
        call c name=: BadCommands("BadSignalWorkflowExecutionAttributes: SignalName is not set on SignalExternalWorkflowExecutionCommand. WorkflowId=c Namespace= RunId=")
        call long: BadCommands("BadSignalWorkflowExecutionAttributes: WorkflowId on SignalExternalWorkflowExecutionCommand exceeds length limit. WorkflowId=long Length=4 Limit=3 Namespace= RunId= SignalName=s")
        call-off c run=x: BadCommands("BadRequestCancelExternalWorkflowExecutionAttributes: Invalid RunId set on RequestCancelExternalWorkflowExecutionCommand. WorkflowId=c RunId=x Namespace=")
        call-off c namespace=m: BadCommands("BadRequestCancelExternalWorkflowExecutionAttributes: cross namespace commands are not allowed")
        call-off long: BadCommands("BadRequestCancelExternalWorkflowExecutionAttributes: WorkflowId on RequestCancelExternalWorkflowExecutionCommand exceeds length limit. WorkflowId=long Length=4 Limit=3 RunId= Namespace=")
        start-child d, call-off d: BadCommands("BadRequestCancelExternalWorkflowExecutionAttributes: Start and RequestCancel for child workflow is not allowed in same workflow task. WorkflowId=d RunId= Namespace=")
        start-child d, start-child e: BadCommands("PendingChildWorkflowsLimitExceeded: the number of pending child workflow executions, 1, has reached the per-workflow limit of 1")
        call c, call c: BadCommands("PendingSignalsLimitExceeded: the number of pending signals to external workflows, 1, has reached the per-workflow limit of 1")
        call-off c, call-off c: BadCommands("PendingRequestCancelLimitExceeded: the number of pending requests to cancel external workflows, 1, has reached the per-workflow limit of 1")"#,
    );
}

#[test]
fn one_of_each_may_be_pending() {
    let commands = "start-child d, call c, call-off c";
    let printed = Town::play(&format!("{TWO}; w: {LIMITS}; w: complete: {commands}"));
    assert!(!printed.contains('!'), "{printed}");
}

#[test]
fn what_passes_between_runs_with_everything() {
    insta::assert_snapshot!(Town::whole(
        "w: start; d: start; w: poll; \
         w: complete: start-child c exec=1m run-timeout=40s task=9s policy=2 reuse=1 retry=2 cron=*_*_*_*_*, call d, call-off d; \
         w: send; c: send; w: poll; w: complete: start-child d, call x, call-off x; w: send; c: terminate; c: send; w: poll; \
         w: complete: start-child e policy=3; w: send; e: send; e: poll; e: complete: fail; e: send; \
         w: poll; w: complete: start-child f policy=3, start-child g; w: send; f: send; g: send; g: poll; g: complete: finish; g: send; w: terminate; w: send; \
         f: poll; f: complete: cancel; f: send"
    ));
}
