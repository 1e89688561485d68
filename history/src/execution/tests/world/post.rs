//! What the runs of a world send to those of others, and what comes back; how commands and events of that kind are written.

use std::fmt::Write as _;

use cairn_proto::cairn::effect::v1::message::What;
use cairn_proto::cairn::effect::v1::outcome::Outcome as Came;
use cairn_proto::cairn::effect::v1::{ChildClosed, Message, Outcome, Run as Sender, call};
use cairn_proto::temporal::api::common::v1::{Callback, RetryPolicy, WorkflowExecution, callback};
use cairn_proto::temporal::api::enums::v1::CallbackState;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use cairn_proto::temporal::api::history::v1::history_event::Attributes as Event;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionCompletedEventAttributes,
};

use super::{World, option, payloads, signed};
use crate::execution::command::{Attributes, RequestCancelExternal, SignalExternal, StartChild};
use crate::execution::workflow_task::normal_queue;
use crate::execution::*;
use crate::id::{NamespaceId, RunId, Ticket};
use crate::kind::{Asked, Context, Kind, Run, Stop};

impl World {
    /// One of several worlds: `nth` keeps their runs apart.
    pub(in super::super) fn of(id: &str, nth: u128) -> Self {
        let mut world = Self::new();
        world.key.workflow_id = id.to_owned();
        world.key.namespace = NamespaceId([7; 16]);
        world.entropy.0 = nth << 32;
        world
    }

    /// What its runs owe to others, the oldest run first.
    pub(in super::super) fn owes(&self) -> Vec<(RunId, Effect, Message)> {
        let mut owes = Vec::new();
        for run in self.order.iter().filter(|run| self.runs.contains_key(run)) {
            let Some(state) = self.runs[run].state.as_ref() else {
                continue;
            };
            for effect in Workflow::effects(state) {
                let message = match Workflow::message(state, &effect, &[]) {
                    Err(Stop::Needs(ids)) => {
                        Workflow::message(state, &effect, &self.events(*run, &ids))
                    }
                    other => other,
                };
                owes.push((*run, effect, message.expect("a message for what is owed")));
            }
        }
        owes
    }

    /// A message arrives: what its sender hears, if anything.
    pub(in super::super) fn receive(&mut self, message: Message) -> Option<Outcome> {
        let named = RunId(message.run_id.as_slice().try_into().unwrap_or_default());
        let run = if message.run_id.is_empty() {
            self.order.last().copied()
        } else {
            Some(named).filter(|run| self.runs.contains_key(run))
        };
        self.receives = true;
        self.ask_maybe(run, &Question::Deliver(Box::new(message)));
        self.receives = false;
        self.came.take()
    }

    /// What becomes of the child of an event: `begins`, `refused`, `completes` (for the last run, or for the one that is named).
    pub(super) fn child(&mut self, initiated: i64, words: &[&str]) {
        let parent = self.nth(words);
        match words[0] {
            "begins" => self.child_came(parent, initiated, Came::Started(vec![9; 16])),
            "refused" => self.child_came(parent, initiated, Came::AlreadyExists(true)),
            "completes" => {
                let parent_run = self.order[0].0.to_vec();
                let close = HistoryEvent {
                    attributes: Some(Event::WorkflowExecutionCompletedEventAttributes(
                        WorkflowExecutionCompletedEventAttributes::default(),
                    )),
                    ..Default::default()
                };
                let message = Message {
                    sender: Some(Sender {
                        workflow_id: "child".to_owned(),
                        run_id: vec![9; 16],
                    }),
                    what: Some(What::ChildClosed(ChildClosed {
                        initiated_event_id: initiated,
                        first_run_id: vec![9; 16],
                        close: Some(close),
                        parent_run_id: parent_run,
                    })),
                    ..Default::default()
                };
                self.ask_run(parent, &Question::Deliver(Box::new(message)));
            }
            other => panic!("no such end: {other}"),
        }
    }

    /// What came of the start of a child.
    fn child_came(&mut self, parent: RunId, initiated: i64, came: Came) {
        let outcome = Outcome {
            outcome: Some(came),
        };
        self.hear(parent, Effect::Initiated(initiated), &outcome);
    }

    /// What came of the nth callback of a run: it was `heard`, or not but may be `later`, or `never` will be.
    pub(super) fn called(&mut self, words: &[&str]) {
        let failed = |non_retryable| {
            let info = ApplicationFailureInfo {
                non_retryable,
                ..Default::default()
            };
            Came::Unheard(Failure {
                failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
                ..Default::default()
            })
        };
        let came = match words[1] {
            "heard" => Came::Done(true),
            "later" => failed(false),
            "never" => failed(true),
            other => panic!("no such end of a call: {other}"),
        };
        let outcome = Outcome {
            outcome: Some(came),
        };
        let index = words[0].parse().unwrap();
        self.hear(self.nth(words), Effect::Called(index), &outcome);
    }

    /// The run that is named by `of`, or the last one.
    fn nth(&self, words: &[&str]) -> RunId {
        match option(words, "of") {
            Some(nth) => self.order[nth.parse::<usize>().unwrap() - 1],
            None => *self.order.last().unwrap(),
        }
    }

    /// The callbacks of a run, and the calls that it owes.
    pub(super) fn print_callbacks(&mut self, words: &[&str]) {
        let run = self.nth(words);
        let state = self.runs[&run].state.clone().expect("a run");
        for it in state.callbacks.described() {
            let url = match it.callback.and_then(|it| it.variant) {
                Some(callback::Variant::Nexus(nexus)) => nexus.url,
                _ => String::new(),
            };
            let state = CallbackState::try_from(it.state).unwrap();
            let _ = writeln!(self.out, "{url} {state:?} attempt {}", it.attempt);
        }
        let owes = self.owes().into_iter().filter(|(of, ..)| *of == run);
        for (_, effect, message) in owes.collect::<Vec<_>>() {
            if let (Effect::Called(index), Some(What::Call(call))) = (effect, message.what) {
                let end = match call.end {
                    Some(call::End::Failure(failure)) => failure.message,
                    Some(call::End::Result(_)) => "a result".to_owned(),
                    None => "nothing".to_owned(),
                };
                let _ = writeln!(self.out, "owes {index}: {end}");
            }
        }
    }

    /// A run hears what came of what it owed.
    pub(in super::super) fn hear(&mut self, id: RunId, effect: Effect, outcome: &Outcome) {
        let mut needed = Vec::new();
        loop {
            let loaded = self.runs.get_mut(&id).expect("the sender");
            let asked = Asked {
                run: loaded.state.as_ref().map(|state| Run {
                    id,
                    state,
                    volatile: &mut loaded.volatile,
                }),
                repeated: None,
                events: &needed,
            };
            let mut context = Context {
                now: self.now,
                ticket: Ticket(0),
                key: &self.key,
                entropy: &mut self.entropy,
                limits: &self.limits,
            };
            match Workflow::delivered(asked, &effect, outcome, &mut context) {
                Ok(step) => return self.take(Some(id), step),
                Err(Stop::Refused(refusal)) => panic!("an outcome was refused: {refusal:?}"),
                Err(Stop::Needs(ids)) => needed = self.events(id, &ids),
            }
        }
    }
}

/// `call=one,two`: who is to be called.
pub(super) fn callbacks(words: &[&str]) -> Vec<Callback> {
    let urls = option(words, "call").into_iter();
    urls.flat_map(|urls| urls.split(','))
        .map(|url| Callback {
            variant: Some(callback::Variant::Nexus(callback::Nexus {
                url: url.to_owned(),
                ..Default::default()
            })),
            ..Default::default()
        })
        .collect()
}

/// What came of a message, in words.
pub(in super::super) fn came(came: &Came) -> &'static str {
    match came {
        Came::Done(_) => "done",
        Came::NotFound(_) => "not found",
        Came::TooManySignals(_) => "too many signals",
        Came::Started(_) => "started",
        Came::AlreadyExists(_) => "already exists",
        Came::Orphaned(_) => "orphaned",
        Came::Moved(_) => "moved",
        Came::Unheard(_) => "unheard",
    }
}

/// `start-child ID`, `call ID`, `call-off ID`.
pub(super) fn command(words: &[&str]) -> Option<Attributes> {
    let id = words.get(1).copied().unwrap_or("").to_owned();
    let namespace = option(words, "namespace").unwrap_or("").to_owned();
    let number = |name| option(words, name).map_or(0, |it| it.parse().unwrap());
    let time = |name| option(words, name).map(signed);
    let run_id = option(words, "run").unwrap_or("").to_owned();
    let child_workflow_only = words.contains(&"child-only");
    Some(match words[0] {
        "start-child" => Attributes::StartChild(Box::new(StartChild {
            namespace,
            workflow_id: id,
            workflow_type: option(words, "type").unwrap_or("wf").to_owned(),
            task_queue: Some(normal_queue(option(words, "queue").unwrap_or("q"))),
            input: Some(payloads("in")),
            execution_timeout: time("exec"),
            run_timeout: time("run-timeout"),
            task_timeout: time("task"),
            parent_close_policy: number("policy"),
            control: "control".to_owned(),
            reuse_policy: number("reuse"),
            retry_policy: option(words, "retry").map(|attempts| RetryPolicy {
                maximum_attempts: attempts.parse().unwrap(),
                ..Default::default()
            }),
            cron_schedule: option(words, "cron").unwrap_or("").replace('_', " "),
            header: None,
            memo: None,
            search_attributes: super::search_attributes(words),
            inherit_build_id: false,
            priority: None,
        })),
        "call" => Attributes::SignalExternal(Box::new(SignalExternal {
            namespace,
            execution: (!words.contains(&"nobody")).then_some(WorkflowExecution {
                workflow_id: id,
                run_id,
            }),
            signal_name: option(words, "name").unwrap_or("s").to_owned(),
            input: Some(payloads("in")),
            control: "control".to_owned(),
            child_workflow_only,
            header: None,
        })),
        "call-off" => Attributes::RequestCancelExternal(Box::new(RequestCancelExternal {
            namespace,
            workflow_id: id,
            run_id,
            control: "control".to_owned(),
            child_workflow_only,
            reason: "because".to_owned(),
        })),
        _ => return None,
    })
}

/// What tells an event between runs from others of its kind.
pub(super) fn detail(event: &Event) -> Option<String> {
    Some(match event {
        Event::StartChildWorkflowExecutionInitiatedEventAttributes(it) => {
            format!(" {} {:?}", it.workflow_id, it.parent_close_policy())
        }
        Event::StartChildWorkflowExecutionFailedEventAttributes(it) => {
            format!(" {} {} {:?}", it.initiated_event_id, it.control, it.cause())
        }
        Event::ChildWorkflowExecutionStartedEventAttributes(it) => {
            format!(" {}", it.initiated_event_id)
        }
        Event::ChildWorkflowExecutionCompletedEventAttributes(it) => {
            format!(" {} {}", it.initiated_event_id, it.started_event_id)
        }
        Event::ChildWorkflowExecutionFailedEventAttributes(it) => {
            let (initiated, started) = (it.initiated_event_id, it.started_event_id);
            format!(" {initiated} {started} {:?}", it.retry_state())
        }
        Event::ChildWorkflowExecutionCanceledEventAttributes(it) => {
            format!(" {} {}", it.initiated_event_id, it.started_event_id)
        }
        Event::ChildWorkflowExecutionTimedOutEventAttributes(it) => {
            let (initiated, started) = (it.initiated_event_id, it.started_event_id);
            format!(" {initiated} {started} {:?}", it.retry_state())
        }
        Event::ChildWorkflowExecutionTerminatedEventAttributes(it) => {
            format!(" {} {}", it.initiated_event_id, it.started_event_id)
        }
        Event::SignalExternalWorkflowExecutionInitiatedEventAttributes(it) => {
            format!(" {}", to(it.workflow_execution.as_ref()))
        }
        Event::ExternalWorkflowExecutionSignaledEventAttributes(it) => {
            let target = to(it.workflow_execution.as_ref());
            format!(" {} {target} in {}", it.initiated_event_id, it.namespace)
        }
        Event::SignalExternalWorkflowExecutionFailedEventAttributes(it) => {
            format!(" {} {:?}", it.initiated_event_id, it.cause())
        }
        Event::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(it) => {
            format!(" {}", to(it.workflow_execution.as_ref()))
        }
        Event::ExternalWorkflowExecutionCancelRequestedEventAttributes(it) => {
            let target = to(it.workflow_execution.as_ref());
            format!(" {} {target} in {}", it.initiated_event_id, it.namespace)
        }
        Event::RequestCancelExternalWorkflowExecutionFailedEventAttributes(it) => {
            format!(" {} {:?}", it.initiated_event_id, it.cause())
        }
        Event::WorkflowExecutionCancelRequestedEventAttributes(it) => {
            let sender = it.external_workflow_execution.as_ref()?;
            let initiated = it.external_initiated_event_id;
            format!(" by {} {initiated} {:?}", sender.workflow_id, it.cause)
        }
        _ => return None,
    })
}

fn to(execution: Option<&WorkflowExecution>) -> String {
    execution.map_or_else(String::new, |it| it.workflow_id.clone())
}
