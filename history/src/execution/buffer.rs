//! Events that came while a workflow task was started: they get their ids when it ends.
//!
//! Their effect is in the state at once; the flush only writes them. Deliberately absent: when that happens (`transition`).

use std::sync::Arc;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use serde::{Deserialize, Serialize};

use super::wire;

/// Stands in a closing event for the id that its Started, buffered too, does not have yet.
pub(crate) const UNKNOWN: i64 = -1;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Buffer {
    #[serde(with = "wire::shared_messages")]
    events: Vec<Arc<HistoryEvent>>,
    bytes: usize,
    /// How many of the next events of history are flushed ones.
    being_written: usize,
}

impl Buffer {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    pub(crate) fn encoded_len(&self) -> usize {
        self.events.iter().map(|event| event.encoded_len()).sum()
    }

    pub(crate) fn push(&mut self, event: &HistoryEvent) {
        self.bytes += event.encoded_len();
        self.events.push(Arc::new(event.clone()));
    }

    /// Has this timer fired, unseen by any worker?
    pub(crate) fn has_fired(&self, timer_id: &str) -> Option<i64> {
        self.events.iter().find_map(|event| fired(event, timer_id))
    }

    /// Has this activity closed, unseen by any worker?
    pub(crate) fn has_closed(&self, scheduled_event_id: i64) -> bool {
        self.events.iter().any(|event| {
            closed_activity(event).is_some_and(|(scheduled, _)| scheduled == scheduled_event_id)
        })
    }

    /// A canceled timer has not fired after all.
    pub(crate) fn forget_fired(&mut self, timer_id: &str) -> bool {
        let events = &mut self.events;
        let Some(index) = events
            .iter()
            .position(|event| fired(event, timer_id).is_some())
        else {
            return false;
        };
        self.bytes -= events.remove(index).encoded_len();
        true
    }

    /// The buffered events in the order in which they are written: what closes something goes behind what does not.
    pub(crate) fn in_order(&self) -> Vec<HistoryEvent> {
        let (closing, other): (Vec<_>, Vec<_>) =
            self.events.iter().partition(|event| closes(event));
        let in_order = other.into_iter().chain(closing);
        in_order.map(|event| (**event).clone()).collect()
    }

    pub(crate) fn flushed(&mut self) {
        self.being_written = self.len();
        self.events.clear();
        self.bytes = 0;
    }

    pub(crate) fn writes_one(&self) -> bool {
        self.being_written > 0
    }

    pub(crate) fn wrote_one(&mut self) {
        self.being_written -= 1;
    }
}

fn fired(event: &HistoryEvent, timer_id: &str) -> Option<i64> {
    match &event.attributes {
        Some(Attributes::TimerFiredEventAttributes(it)) if it.timer_id == timer_id => {
            Some(it.started_event_id)
        }
        _ => None,
    }
}

fn closes(event: &HistoryEvent) -> bool {
    closed(event).is_some()
}

/// Of an event that closes an activity or a child: which one, and its Started.
fn closed(event: &HistoryEvent) -> Option<(i64, i64)> {
    closed_activity(event).or_else(|| closed_child(event))
}

pub(crate) fn closed_child(event: &HistoryEvent) -> Option<(i64, i64)> {
    Some(match event.attributes.as_ref()? {
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(it) => {
            (it.initiated_event_id, it.started_event_id)
        }
        Attributes::ChildWorkflowExecutionFailedEventAttributes(it) => {
            (it.initiated_event_id, it.started_event_id)
        }
        Attributes::ChildWorkflowExecutionCanceledEventAttributes(it) => {
            (it.initiated_event_id, it.started_event_id)
        }
        Attributes::ChildWorkflowExecutionTimedOutEventAttributes(it) => {
            (it.initiated_event_id, it.started_event_id)
        }
        Attributes::ChildWorkflowExecutionTerminatedEventAttributes(it) => {
            (it.initiated_event_id, it.started_event_id)
        }
        _ => return None,
    })
}

fn closed_activity(event: &HistoryEvent) -> Option<(i64, i64)> {
    Some(match event.attributes.as_ref()? {
        Attributes::ActivityTaskCompletedEventAttributes(it) => {
            (it.scheduled_event_id, it.started_event_id)
        }
        Attributes::ActivityTaskFailedEventAttributes(it) => {
            (it.scheduled_event_id, it.started_event_id)
        }
        Attributes::ActivityTaskTimedOutEventAttributes(it) => {
            (it.scheduled_event_id, it.started_event_id)
        }
        Attributes::ActivityTaskCanceledEventAttributes(it) => {
            (it.scheduled_event_id, it.started_event_id)
        }
        _ => return None,
    })
}

/// What an event starts that another may close: by what asked for it.
pub(crate) fn starts(event: &HistoryEvent) -> Option<i64> {
    match event.attributes.as_ref()? {
        Attributes::ActivityTaskStartedEventAttributes(it) => Some(it.scheduled_event_id),
        Attributes::ChildWorkflowExecutionStartedEventAttributes(it) => Some(it.initiated_event_id),
        _ => None,
    }
}

/// The activity or child whose Started a closing event points to, where that has had no id yet.
pub(crate) fn unknown_started(event: &HistoryEvent) -> Option<i64> {
    closed(event)
        .filter(|(_, started)| *started == UNKNOWN)
        .map(|(scheduled, _)| scheduled)
}

/// Now it has one.
pub(crate) fn point_to_started(event: &mut HistoryEvent, id: i64) {
    match &mut event.attributes {
        Some(Attributes::ActivityTaskCompletedEventAttributes(it)) => it.started_event_id = id,
        Some(Attributes::ActivityTaskFailedEventAttributes(it)) => it.started_event_id = id,
        Some(Attributes::ActivityTaskTimedOutEventAttributes(it)) => it.started_event_id = id,
        Some(Attributes::ActivityTaskCanceledEventAttributes(it)) => it.started_event_id = id,
        Some(Attributes::ChildWorkflowExecutionCompletedEventAttributes(it)) => {
            it.started_event_id = id;
        }
        Some(Attributes::ChildWorkflowExecutionFailedEventAttributes(it)) => {
            it.started_event_id = id;
        }
        Some(Attributes::ChildWorkflowExecutionCanceledEventAttributes(it)) => {
            it.started_event_id = id;
        }
        Some(Attributes::ChildWorkflowExecutionTimedOutEventAttributes(it)) => {
            it.started_event_id = id;
        }
        Some(Attributes::ChildWorkflowExecutionTerminatedEventAttributes(it)) => {
            it.started_event_id = id;
        }
        _ => {}
    }
}
