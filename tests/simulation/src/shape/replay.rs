//! The replay of a run: its events, and whether its program can have made them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use cairn_history::execution::update::Message;
use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::command::v1::command::Attributes as Wanted;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes as Event;
use cairn_proto::temporal::api::update::v1::Request;

use super::Shape;
use super::command::text;
use super::facts::Facts;
use super::updated::{Stage, Update, messages};

/// A replay of one run, as far as its events are known.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    shape: Shape,
    facts: Facts,
    /// What was known when each workflow task was started, until it is over.
    started: BTreeMap<i64, Facts>,
    /// Commands of the last completed task whose events are still to come.
    expected: VecDeque<String>,
    pub(crate) last: i64,
}

impl Replay {
    pub(crate) fn new(first: &HistoryEvent, long: Duration) -> Option<Self> {
        let Some(Event::WorkflowExecutionStartedEventAttributes(it)) = &first.attributes else {
            return None;
        };
        let shape = Shape::parse(&it.workflow_type.as_ref()?.name)?;
        let facts = Facts {
            workflow_id: it.workflow_id.clone(),
            run_id: it.original_execution_run_id.clone(),
            children: BTreeMap::new(),
            initiated: BTreeMap::new(),
            asked: BTreeSet::new(),
            calls: 0,
            called: 0,
            attempt: it.attempt,
            long,
            activities: BTreeMap::new(),
            timers: BTreeMap::new(),
            signals: Vec::new(),
            updates: Vec::new(),
            cancel_requested: false,
        };
        Some(Self {
            shape,
            facts,
            started: BTreeMap::new(),
            expected: VecDeque::new(),
            last: 0,
        })
    }

    /// Takes in what comes next. An error is a history that this program cannot have made.
    pub(crate) fn feed(&mut self, events: &[HistoryEvent]) -> Result<(), String> {
        let known = self.last;
        for (index, event) in events.iter().enumerate() {
            if event.event_id <= known {
                continue;
            }
            if event.event_id != self.last + 1 {
                return Err(format!("event {} follows {}", event.event_id, self.last));
            }
            self.last = event.event_id;
            self.next(event, &events[index + 1..])?;
        }
        Ok(())
    }

    fn next(&mut self, event: &HistoryEvent, rest: &[HistoryEvent]) -> Result<(), String> {
        if let Some(shown) = shown(event) {
            match self.expected.pop_front() {
                Some(expected) if expected == shown => {}
                expected => {
                    return Err(format!(
                        "event {}: {shown} where {expected:?} was wanted",
                        event.event_id
                    ));
                }
            }
        } else if let Some(missing) = self.expected.front() {
            return Err(format!(
                "event {}: {missing} is missing before it",
                event.event_id
            ));
        }
        match &event.attributes {
            Some(Event::WorkflowTaskStartedEventAttributes(_)) => {
                self.started.insert(event.event_id, self.facts.clone());
            }
            Some(Event::WorkflowTaskCompletedEventAttributes(it)) => {
                let facts = self.started.remove(&it.started_event_id);
                let mut facts = facts
                    .ok_or_else(|| format!("event {}: completed, never started", event.event_id))?;
                self.answered(&mut facts, rest);
                self.expected = self.shape.step(&facts).iter().map(named).collect();
                self.started.clear();
            }
            _ => self.facts.feed(event),
        }
        Ok(())
    }

    /// A task was completed: what it accepted had come as messages, and what it knew from history and did not accept it rejected.
    fn answered(&mut self, facts: &mut Facts, rest: &[HistoryEvent]) {
        let of_task = rest.iter().take_while(|event| shown(event).is_some());
        let mut accepted = BTreeSet::new();
        for event in of_task {
            if let Some(Event::WorkflowExecutionUpdateAcceptedEventAttributes(it)) =
                &event.attributes
            {
                accepted.insert(it.protocol_instance_id.as_str());
                if let Some(request) = &it.accepted_request {
                    facts.reached_by(request);
                }
            }
        }
        let rejected = |update: &Update| {
            update.stage == Stage::New
                && facts.knows(update.id())
                && !accepted.contains(update.id())
        };
        self.facts.updates.retain(|update| !rejected(update));
    }

    /// The answer to the task that was started last, with which these updates came. `by`: who answers.
    pub(crate) fn decide(&self, requests: &[Request], by: &str) -> (Vec<Command>, Vec<Message>) {
        let mut facts = self.facts.clone();
        for request in requests {
            facts.reached_by(request);
        }
        let commands = self.shape.step(&facts);
        let by = format!("{by} at {}", self.last);
        let messages = messages(self.shape, &facts, &commands, &by, self.last - 1);
        (commands, messages)
    }
}

/// What a command will look like in history.
fn named(command: &Command) -> String {
    match &command.attributes {
        Some(Wanted::ScheduleActivityTaskCommandAttributes(it)) => {
            format!("activity {}", it.activity_id)
        }
        Some(Wanted::StartTimerCommandAttributes(it)) => format!("timer {}", it.timer_id),
        Some(Wanted::CancelTimerCommandAttributes(it)) => format!("no timer {}", it.timer_id),
        Some(Wanted::RequestCancelActivityTaskCommandAttributes(it)) => {
            format!("no activity {}", it.scheduled_event_id)
        }
        Some(Wanted::CompleteWorkflowExecutionCommandAttributes(_)) => "completed".to_owned(),
        Some(Wanted::FailWorkflowExecutionCommandAttributes(_)) => "failed".to_owned(),
        Some(Wanted::CancelWorkflowExecutionCommandAttributes(_)) => "canceled".to_owned(),
        Some(Wanted::ContinueAsNewWorkflowExecutionCommandAttributes(_)) => "again".to_owned(),
        Some(Wanted::RecordMarkerCommandAttributes(it)) => format!("marker {}", it.marker_name),
        Some(Wanted::ModifyWorkflowPropertiesCommandAttributes(_)) => "memo".to_owned(),
        Some(Wanted::StartChildWorkflowExecutionCommandAttributes(it)) => {
            format!("child {}", it.workflow_id)
        }
        Some(Wanted::SignalExternalWorkflowExecutionCommandAttributes(it)) => {
            format!("call {}", text(it.input.as_ref()))
        }
        Some(Wanted::RequestCancelExternalWorkflowExecutionCommandAttributes(it)) => {
            format!("cancel {}", it.workflow_id)
        }
        Some(Wanted::ProtocolMessageCommandAttributes(it)) => it.message_id.clone(),
        other => format!("{other:?}"),
    }
}

/// The command that an event shows; `None` if it shows none.
fn shown(event: &HistoryEvent) -> Option<String> {
    Some(match &event.attributes {
        Some(Event::StartChildWorkflowExecutionInitiatedEventAttributes(it)) => {
            format!("child {}", it.workflow_id)
        }
        Some(Event::SignalExternalWorkflowExecutionInitiatedEventAttributes(it)) => {
            format!("call {}", text(it.input.as_ref()))
        }
        Some(Event::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(it)) => {
            let target = it.workflow_execution.clone().unwrap_or_default();
            format!("cancel {}", target.workflow_id)
        }
        Some(Event::ActivityTaskScheduledEventAttributes(it)) => {
            format!("activity {}", it.activity_id)
        }
        Some(Event::TimerStartedEventAttributes(it)) => format!("timer {}", it.timer_id),
        Some(Event::TimerCanceledEventAttributes(it)) => format!("no timer {}", it.timer_id),
        Some(Event::ActivityTaskCancelRequestedEventAttributes(it)) => {
            format!("no activity {}", it.scheduled_event_id)
        }
        Some(Event::WorkflowExecutionCompletedEventAttributes(_)) => "completed".to_owned(),
        Some(Event::WorkflowExecutionFailedEventAttributes(_)) => "failed".to_owned(),
        Some(Event::WorkflowExecutionCanceledEventAttributes(_)) => "canceled".to_owned(),
        Some(Event::WorkflowExecutionContinuedAsNewEventAttributes(_)) => "again".to_owned(),
        Some(Event::WorkflowExecutionUpdateAcceptedEventAttributes(it)) => {
            format!("{}/accept", it.protocol_instance_id)
        }
        Some(Event::WorkflowExecutionUpdateCompletedEventAttributes(it)) => {
            let id = it.meta.as_ref().map_or("", |meta| &meta.update_id);
            format!("{id}/respond")
        }
        Some(Event::MarkerRecordedEventAttributes(it)) => format!("marker {}", it.marker_name),
        Some(Event::WorkflowPropertiesModifiedEventAttributes(_)) => "memo".to_owned(),
        _ => return None,
    })
}
