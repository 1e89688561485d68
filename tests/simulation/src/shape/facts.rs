//! What the events of a run say to its program.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes as Event;

use super::command::{text, timer};
use super::updated::{Stage, Update};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Open,
    Completed,
    Failed,
    Canceled,
}

#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) id: String,
    pub(super) end: End,
    pub(super) cancel_requested: bool,
    pub(super) result: String,
}

/// What is known of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kin {
    Asked,
    Started,
    Ended(String),
}

/// What the events say.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) workflow_id: String,
    pub(super) run_id: String,
    /// By workflow id, and the ids by the events that asked for them.
    pub(super) children: BTreeMap<String, Kin>,
    pub(super) initiated: BTreeMap<i64, String>,
    /// Whom it has asked to cancel.
    pub(super) asked: BTreeSet<String>,
    /// Signals to others, and those of which it knows what came.
    pub(super) calls: u64,
    pub(super) called: u64,
    pub(super) attempt: i32,
    pub(super) long: Duration,
    pub(super) activities: BTreeMap<i64, Act>,
    pub(super) timers: BTreeMap<String, bool>,
    pub(super) signals: Vec<String>,
    /// In the order in which they came.
    pub(super) updates: Vec<Update>,
    pub(super) cancel_requested: bool,
}

impl Facts {
    pub(super) fn count(&self, end: End) -> u64 {
        self.activities
            .values()
            .filter(|act| act.end == end)
            .count() as u64
    }

    pub(super) fn fired(&self) -> u64 {
        self.timers.values().filter(|fired| **fired).count() as u64
    }

    pub(super) fn has_fired(&self, timer: &str) -> bool {
        self.timers.get(timer).copied().unwrap_or_default()
    }

    pub(super) fn results(&self) -> String {
        let results: Vec<_> = self
            .activities
            .values()
            .map(|act| act.result.as_str())
            .collect();
        results.join(",")
    }

    pub(super) fn fresh(&self, id: &str, command: impl FnOnce(&str) -> Command) -> Vec<Command> {
        let known = self.activities.values().any(|act| act.id == id);
        (!known).then(|| command(id)).into_iter().collect()
    }

    pub(super) fn fresh_timer(&self, id: &str, delay: Duration) -> Vec<Command> {
        let known = self.timers.contains_key(id);
        (!known).then(|| timer(id, delay)).into_iter().collect()
    }

    fn end(&mut self, scheduled: i64, end: End, result: String) {
        if let Some(act) = self.activities.get_mut(&scheduled) {
            act.end = end;
            act.result = result;
        }
    }

    fn kin(&mut self, initiated: i64, kin: Kin) {
        if let Some(id) = self.initiated.get(&initiated) {
            self.children.insert(id.clone(), kin);
        }
    }

    fn stage(&mut self, update: &str, stage: Stage) {
        if let Some(update) = self.update(update) {
            update.stage = stage;
        }
    }

    /// What has to do with other workflows.
    fn hear(&mut self, event: &HistoryEvent) {
        let ended = |how: &str| Kin::Ended(how.to_owned());
        match &event.attributes {
            Some(Event::StartChildWorkflowExecutionInitiatedEventAttributes(it)) => {
                self.initiated
                    .insert(event.event_id, it.workflow_id.clone());
                self.kin(event.event_id, Kin::Asked);
            }
            Some(Event::ChildWorkflowExecutionStartedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, Kin::Started);
            }
            Some(Event::StartChildWorkflowExecutionFailedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("no child"));
            }
            Some(Event::ChildWorkflowExecutionCompletedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child completed"));
            }
            Some(Event::ChildWorkflowExecutionFailedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child failed"));
            }
            Some(Event::ChildWorkflowExecutionCanceledEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child was canceled"));
            }
            Some(Event::ChildWorkflowExecutionTimedOutEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child timed out"));
            }
            Some(Event::ChildWorkflowExecutionTerminatedEventAttributes(it)) => {
                self.kin(it.initiated_event_id, ended("a child was terminated"));
            }
            Some(Event::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(it)) => {
                let target = it.workflow_execution.clone().unwrap_or_default();
                self.asked.insert(target.workflow_id);
            }
            Some(Event::SignalExternalWorkflowExecutionInitiatedEventAttributes(_)) => {
                self.calls += 1;
            }
            Some(
                Event::ExternalWorkflowExecutionSignaledEventAttributes(_)
                | Event::SignalExternalWorkflowExecutionFailedEventAttributes(_),
            ) => self.called += 1,
            _ => {}
        }
    }

    pub(super) fn feed(&mut self, event: &HistoryEvent) {
        self.hear(event);
        match &event.attributes {
            Some(Event::ActivityTaskScheduledEventAttributes(it)) => {
                let act = Act {
                    id: it.activity_id.clone(),
                    end: End::Open,
                    cancel_requested: false,
                    result: String::new(),
                };
                self.activities.insert(event.event_id, act);
            }
            Some(Event::ActivityTaskCompletedEventAttributes(it)) => {
                self.end(
                    it.scheduled_event_id,
                    End::Completed,
                    text(it.result.as_ref()),
                );
            }
            Some(Event::ActivityTaskFailedEventAttributes(it)) => {
                self.end(it.scheduled_event_id, End::Failed, String::new());
            }
            Some(Event::ActivityTaskTimedOutEventAttributes(it)) => {
                self.end(it.scheduled_event_id, End::Failed, String::new());
            }
            Some(Event::ActivityTaskCanceledEventAttributes(it)) => {
                self.end(it.scheduled_event_id, End::Canceled, String::new());
            }
            Some(Event::ActivityTaskCancelRequestedEventAttributes(it)) => {
                if let Some(act) = self.activities.get_mut(&it.scheduled_event_id) {
                    act.cancel_requested = true;
                }
            }
            Some(Event::TimerStartedEventAttributes(it)) => {
                self.timers.insert(it.timer_id.clone(), false);
            }
            Some(Event::TimerFiredEventAttributes(it)) => {
                self.timers.insert(it.timer_id.clone(), true);
            }
            Some(Event::WorkflowExecutionSignaledEventAttributes(it)) => {
                self.signals.push(text(it.input.as_ref()));
            }
            Some(Event::WorkflowExecutionUpdateAdmittedEventAttributes(it)) => {
                if let Some(request) = &it.request {
                    self.reached_by(request);
                }
            }
            Some(Event::WorkflowExecutionUpdateAcceptedEventAttributes(it)) => {
                if let Some(request) = &it.accepted_request {
                    self.reached_by(request);
                }
                self.stage(&it.protocol_instance_id, Stage::Accepted);
            }
            Some(Event::WorkflowExecutionUpdateCompletedEventAttributes(it)) => {
                let id = it.meta.as_ref().map_or("", |meta| &meta.update_id);
                self.stage(id, Stage::Completed);
            }
            Some(Event::WorkflowExecutionCancelRequestedEventAttributes(_)) => {
                self.cancel_requested = true;
            }
            _ => {}
        }
    }
}
