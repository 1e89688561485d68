//! The replay of a run: its events, and whether its program can have made them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::command::v1::command::Attributes as Wanted;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes as Event;

use super::Shape;
use super::command::text;
use super::facts::Facts;

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
        for event in events.iter().filter(|event| event.event_id > known) {
            if event.event_id != self.last + 1 {
                return Err(format!("event {} follows {}", event.event_id, self.last));
            }
            self.last = event.event_id;
            self.next(event)?;
        }
        Ok(())
    }

    fn next(&mut self, event: &HistoryEvent) -> Result<(), String> {
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
                let facts = facts
                    .ok_or_else(|| format!("event {}: completed, never started", event.event_id))?;
                self.expected = self.shape.step(&facts).iter().map(named).collect();
                self.started.clear();
            }
            _ => self.facts.feed(event),
        }
        Ok(())
    }

    /// The commands of the task that was started last.
    pub(crate) fn decide(&self) -> Vec<Command> {
        self.shape.step(&self.facts)
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
        Some(Event::MarkerRecordedEventAttributes(it)) => format!("marker {}", it.marker_name),
        Some(Event::WorkflowPropertiesModifiedEventAttributes(_)) => "memo".to_owned(),
        _ => return None,
    })
}
