//! Events and answers in full: what was asked with everything that it may have, as it is written and told.
//!
//! The other tests show what happens; these show that nothing is left out on the way. `snapshots/` has what is expected.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};

use cairn_proto::temporal::api::common::v1::link::{Variant, WorkflowEvent};
use cairn_proto::temporal::api::common::v1::{
    Header, Link, Memo, MeteringMetadata, Payload, Priority, WorkerVersionStamp,
};
use cairn_proto::temporal::api::sdk::v1::{
    EventGroupMarker, UserMetadata, WorkflowTaskCompletedMetadata,
};

use super::world::{World, failure, payload, payloads, search_attributes};
use crate::execution::Question;
use crate::execution::command::{Attributes, Command, Signed};
use crate::execution::question::{Attach, Signal, Start};

/// The question with everything that it may have.
pub(super) fn filled(question: &Question) -> Question {
    let mut question = question.clone();
    match &mut question {
        Question::Start(it) => start(it),
        Question::Signal(it) => signal(it),
        Question::RequestCancel(it) => {
            "cancel".clone_into(&mut it.request_id);
            it.links = vec![link("cancel")];
        }
        Question::Terminate(it) => {
            it.details = Some(payloads("terminate"));
            it.links = vec![link("terminate")];
        }
        Question::StartWorkflowTask(it) | Question::StartActivity(it) => {
            it.worker_version = Some(stamp());
        }
        Question::CompleteWorkflowTask(it) => {
            it.sdk_metadata = Some(WorkflowTaskCompletedMetadata {
                core_used_flags: vec![1],
                lang_used_flags: vec![2],
                sdk_name: "sdk".to_owned(),
                sdk_version: "1.0".to_owned(),
            });
            it.metering_metadata = Some(MeteringMetadata {
                nonfirst_local_activity_execution_attempts: 3,
            });
            "checksum".clone_into(&mut it.binary_checksum);
            it.worker_version = Some(stamp());
            it.commands.iter_mut().for_each(command);
        }
        Question::FailWorkflowTask(it) => {
            it.failure = Some(failure(&[]));
            "checksum".clone_into(&mut it.binary_checksum);
            it.worker_version = Some(stamp());
        }
        Question::CompleteActivity(_, it) => it.worker_version = Some(stamp()),
        Question::FailActivity(_, it) => {
            it.last_heartbeat_details = Some(payloads("the last"));
            it.worker_version = Some(stamp());
        }
        Question::CancelActivity(_, it) => it.details = Some(payloads("canceled")),
        Question::Heartbeat(..)
        | Question::OperateActivities(_)
        | Question::Delete
        | Question::UpdateOptions(_)
        | Question::Pause(_)
        | Question::Unpause(_)
        | Question::Reset(_)
        | Question::ResetTo(_)
        | Question::Query(_)
        | Question::ForgetQuery(_)
        | Question::Update(_)
        | Question::PollUpdate(_)
        | Question::UpdateWithStart(_)
        | Question::StopWaiting(_)
        | Question::StickyWorkerUnavailable
        | Question::ResetSticky
        | Question::Describe
        | Question::Position
        | Question::Deliver(_) => {}
    }
    question
}

fn start(it: &mut Start) {
    it.header = Some(header("start"));
    it.memo = Some(Memo {
        fields: one("note", "start"),
    });
    it.search_attributes = search_attributes(&["BatcherUser:\"start\""]);
    it.user_metadata = Some(metadata("start"));
    it.links = vec![link("start")];
    it.priority = Some(priority());
    it.attach = Some(Attach {
        request_id: true,
        links: true,
        callbacks: true,
    });
    if let Some(its) = &mut it.signal {
        signal(its);
    }
}

fn signal(it: &mut Signal) {
    it.header = Some(header("signal"));
    it.links = vec![link("signal")];
}

fn command(it: &mut Command) {
    it.user_metadata = Some(metadata("command"));
    it.event_group_markers = vec![EventGroupMarker::default()];
    match &mut it.attributes {
        Attributes::ScheduleActivity(it) => {
            it.header = Some(header("activity"));
            it.priority = Some(priority());
        }
        Attributes::CompleteWorkflow { result } => *result = Some(payloads("result")),
        Attributes::CancelWorkflow { details } => *details = Some(payloads("canceled")),
        Attributes::ContinueAsNew(it) => {
            "next".clone_into(&mut it.workflow_type);
            it.input = Some(payloads("next"));
            it.task_timeout = Some(Signed {
                seconds: 7,
                nanos: 0,
            });
            it.failure = Some(failure(&[]));
            it.last_completion_result = Some(payloads("before"));
            it.header = Some(header("next"));
            it.memo = Some(Memo {
                fields: one("note", "next"),
            });
            it.search_attributes = search_attributes(&["BatcherUser:\"next\""]);
        }
        Attributes::StartChild(it) => {
            it.header = Some(header("child"));
            it.memo = Some(Memo {
                fields: one("note", "child"),
            });
            it.search_attributes = search_attributes(&["BatcherUser:\"child\""]);
            it.priority = Some(priority());
        }
        Attributes::SignalExternal(it) => it.header = Some(header("signal")),
        Attributes::RecordMarker {
            details,
            header: its,
            failure: failed,
            ..
        } => {
            *details = [("details".to_owned(), payloads("marker"))].into();
            *its = Some(header("marker"));
            *failed = Some(failure(&[]));
        }
        _ => {}
    }
}

fn one(name: &str, text: &str) -> HashMap<String, Payload> {
    [(name.to_owned(), payload(text))].into()
}

fn header(text: &str) -> Header {
    Header {
        fields: one("header", text),
    }
}

fn metadata(text: &str) -> UserMetadata {
    UserMetadata {
        summary: Some(payload(text)),
        details: Some(payload("details")),
    }
}

fn link(text: &str) -> Link {
    let event = WorkflowEvent {
        namespace: "elsewhere".to_owned(),
        workflow_id: text.to_owned(),
        run_id: "run".to_owned(),
        ..WorkflowEvent::default()
    };
    Link {
        variant: Some(Variant::WorkflowEvent(event)),
    }
}

fn priority() -> Priority {
    Priority {
        priority_key: 2,
        fairness_key: "fair".to_owned(),
        fairness_weight: 1.5,
    }
}

fn stamp() -> WorkerVersionStamp {
    WorkerVersionStamp {
        build_id: "build".to_owned(),
        use_versioning: false,
    }
}

/// Adds a value to a text: a field in a line, what is not set left out; the indentation says what is part of what.
pub(super) fn show(value: &impl Debug, text: &mut String) {
    const UNSET: [&str; 7] = ["None", "\"\"", "[]", "{}", "0", "false", "Unspecified"];
    let shown = format!("{value:#?}");
    let lines = shown
        .lines()
        .map(|line| line.trim_end_matches([',', '(', '{', '[', ' ']));
    let mut lines: Vec<_> = lines
        .filter(|line| {
            let value = line.split_once(": ").map(|(_, value)| value);
            let ends = line.trim_start().starts_with(['}', ')', ']']);
            !ends && !value.is_some_and(|value| UNSET.contains(&value))
        })
        .collect();
    // The entries of a map have no order.
    let is_entry = |line: &&str| line.trim_start().starts_with('"') && line.contains("\": ");
    lines
        .chunk_by_mut(|one, next| is_entry(one) && is_entry(next))
        .for_each(<[_]>::sort_unstable);
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
}

fn whole(script: &str) -> String {
    let mut world = World::new();
    world.whole = Some(String::new());
    for line in script.split(';') {
        world.line(line.trim());
    }
    world.refold();
    format!("{}\n{}", world.out, world.whole.unwrap_or_default())
}

#[test]
fn a_life_with_everything() {
    insta::assert_snapshot!(whole(
        "signal-with-start exec=1m run=50s task=9s retry=3; poll; \
         complete sticky: activity a s2c=40s s2s=20s stc=10s hb=5s retry=5, timer t 1s, timer u 30s, marker m, memo note, \
            upsert BatcherUser:\"worker\"; \
         begin a; beat a half; signal r; poll; complete: activity z; describe; failed a; signal s; describe; advance 1s; poll; begin a; describe; signal late; done a; \
         complete: cancel-timer u; poll; describe; complete: finish; describe"
    ));
}

#[test]
fn what_fails_and_ends() {
    insta::assert_snapshot!(whole(
        "start retry=2; poll; complete: activity a s2s=1s, activity b stc=1s retry=1, activity c hb=1s retry=1, activity d, activity e retry=3; \
         begin b; begin c; beat c x; begin d; begin e; failed d final; failed e; advance 2s; poll; begin e; complete: cancel-activity e; \
         canceled e; poll; fail; poll; describe; advance 10s; poll; complete: fail; advance 2s; poll; \
         complete: activity f, timer t 1m; cancel; poll; complete: cancel"
    ));
}

#[test]
fn one_run_behind_another() {
    insta::assert_snapshot!(whole(
        "start exec=1m run=20s task=4s delay=1s; describe; advance 1s; poll; complete: again run=9s delay=2s retry=4 initiator=1; \
         describe; signal s; advance 2s; poll; complete new force; complete: activity a eager; describe; terminate; describe; \
         start run=1s; advance 2s; describe"
    ));
}

#[test]
fn tasks_and_queries() {
    insta::assert_snapshot!(whole(
        "start eager; query q; complete sticky: timer t 1s; query r; signal s; query r; poll; complete; no-sticky-worker; advance 1s; \
         poll; fail 2; poll; fail 2; poll; describe; advance 10s; poll; complete: missing; poll; complete: child; start; \
         start request=other conflict=2; terminate"
    ));
}

#[test]
fn paused_and_on_again() {
    insta::assert_snapshot!(whole(
        "start; poll; pause-run request=p; describe; complete: activity a; describe; query q; unpause-run request=u; describe; \
         pause-run; terminate; describe"
    ));
}
