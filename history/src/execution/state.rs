//! The state of a run: the fold of its log, made of one part per feature.
//!
//! [`State::event`] and [`State::change`] are the only ways to change it, the same live (in a draft) and in replay.
//! Parts are shared until they are written. Deliberately absent: payloads that history holds, and configuration.

use std::sync::Arc;

use cairn_proto::cairn::record::v1::change::Change;
use cairn_proto::cairn::record::v1::{self as record, Opened, delivered};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionOptionsUpdatedEventAttributes,
    WorkflowExecutionSignaledEventAttributes,
};
use serde::{Deserialize, Serialize};

use super::buffer::Buffer;
use super::properties::Part as Properties;
use super::start::Origin;
use super::{
    activity, attach, callback, child, close, external, inbox, kept, options, pause, properties,
    reset, signal, timer, update, wire, workflow_task,
};
use crate::id::{RunId, Time};
use crate::kind::Illegal;

/// Everything that a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    #[serde(with = "wire::shared")]
    pub(crate) origin: Arc<Origin>,
    pub(crate) next_event_id: i64,
    /// Encoded bytes of all events.
    pub(crate) history_bytes: u64,
    /// How many records there are.
    pub(crate) transitions: i64,
    #[serde(with = "wire::shared")]
    pub(crate) task: Arc<workflow_task::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) activities: Arc<activity::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) timers: Arc<timer::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) signals: Arc<signal::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) attached: Arc<attach::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) options: Arc<options::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) properties: Arc<properties::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) updates: Arc<update::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) buffer: Arc<Buffer>,
    #[serde(with = "wire::shared")]
    pub(crate) reset: Arc<reset::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) externals: Arc<external::Part>,
    #[serde(with = "wire::shared")]
    pub(crate) children: Arc<child::Part>,
    pub(crate) as_child: child::AsChild,
    #[serde(with = "wire::shared")]
    pub(crate) received: Arc<inbox::Part>,
    /// Rare, and nothing but a list: not shared as a whole.
    pub(crate) callbacks: callback::Part,
    /// Known where events are to say it; empty before.
    pub(crate) namespace_name: String,
    pub(crate) cancel_requested: bool,
    /// Still told of a run that has closed meanwhile.
    pub(crate) paused: Option<pause::Paused>,
    /// Once it has closed it goes.
    pub(crate) delete_requested: bool,
    pub(crate) closed: Option<close::Closed>,
}

/// Snapshots of another layout are folded again.
const SNAPSHOT_VERSION: u8 = 12;

impl State {
    /// The state after the first event.
    pub(crate) fn open(run: RunId, opened: &Opened, event: &HistoryEvent) -> Result<Self, Illegal> {
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &event.attributes
        else {
            return Err(illegal("the first event is not the start", event));
        };
        let origin = Origin::new(run, opened, event, started)?;
        let mut state = Self {
            next_event_id: 1,
            history_bytes: 0,
            transitions: 0,
            task: Arc::new(workflow_task::Part::new(&origin)),
            activities: Arc::default(),
            timers: Arc::default(),
            signals: Arc::default(),
            attached: Arc::default(),
            options: Arc::new(options::Part::new(started.versioning_override.as_ref())),
            properties: Arc::new(properties::Part::new(opened, started)),
            updates: Arc::default(),
            buffer: Arc::default(),
            reset: Arc::default(),
            externals: Arc::default(),
            children: Arc::default(),
            as_child: child::AsChild::new(&origin, started),
            received: if opened.received.is_empty() {
                Arc::default()
            } else {
                Arc::new(inbox::Part::inherited(&opened.received))
            },
            callbacks: callback::Part::default(),
            namespace_name: String::new(),
            cancel_requested: false,
            paused: None,
            delete_requested: false,
            closed: None,
            origin: Arc::new(origin),
        };
        let time = state.origin.start_time;
        state
            .callbacks
            .register(&started.completion_callbacks, "", time);
        state.count(event)?;
        Ok(state)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    /// An event with its id is in history now.
    pub(crate) fn event(&mut self, event: &HistoryEvent) -> Result<(), Illegal> {
        if self.closed.is_some() {
            return Err(illegal("an event behind the close", event));
        }
        self.count(event)?;
        if let Some(Attributes::WorkflowExecutionSignaledEventAttributes(it)) = &event.attributes
            && !it.request_id.is_empty()
            && it.request_id == self.origin.request_id
        {
            Arc::make_mut(&mut self.signals).came_with_start(event.event_id);
        }
        if self.buffer.writes_one() {
            Arc::make_mut(&mut self.buffer).wrote_one();
            if let Some(Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(it)) =
                &event.attributes
            {
                Arc::make_mut(&mut self.attached).attached(event.event_id, it);
            }
            if let Some(Attributes::ChildWorkflowExecutionStartedEventAttributes(it)) =
                &event.attributes
            {
                self.children_mut().numbered(event.event_id, it);
            }
            return Ok(());
        }
        self.effect(event)
    }

    fn count(&mut self, event: &HistoryEvent) -> Result<(), Illegal> {
        if event.event_id != self.next_event_id {
            return Err(illegal("event ids have a gap", event));
        }
        self.next_event_id += 1;
        self.history_bytes += event.encoded_len() as u64;
        Ok(())
    }

    /// What an event does to the run, whether it has its id yet or waits in the buffer for one.
    fn effect(&mut self, event: &HistoryEvent) -> Result<(), Illegal> {
        let id = event.event_id;
        let time = event.event_time.as_ref().map_or(Time(0), wire::time);
        let Some(attributes) = &event.attributes else {
            return Err(illegal("an event without attributes", event));
        };
        let legal = match attributes {
            Attributes::WorkflowTaskScheduledEventAttributes(it) => {
                self.task_mut().scheduled(id, time, it)
            }
            Attributes::WorkflowTaskStartedEventAttributes(it) => {
                self.task_mut().started(id, time, it)
            }
            Attributes::WorkflowTaskCompletedEventAttributes(it) => {
                Properties::built(&mut self.properties, self.origin.run, id, time, it);
                self.task_mut().completed(it)
            }
            Attributes::WorkflowTaskFailedEventAttributes(it) => self.task_mut().failed(it),
            Attributes::WorkflowTaskTimedOutEventAttributes(it) => self.task_mut().timed_out(it),
            Attributes::ActivityTaskScheduledEventAttributes(it) => {
                let held = self.is_paused();
                self.activities_mut().scheduled(id, time, it, held)
            }
            Attributes::ActivityTaskStartedEventAttributes(it) => {
                self.activities.knows(it.scheduled_event_id)
            }
            Attributes::ActivityTaskCompletedEventAttributes(it) => {
                self.activities_mut().closed(it.scheduled_event_id)
            }
            Attributes::ActivityTaskFailedEventAttributes(it) => {
                self.activities_mut().closed(it.scheduled_event_id)
            }
            Attributes::ActivityTaskTimedOutEventAttributes(it) => {
                self.activities_mut().closed(it.scheduled_event_id)
            }
            Attributes::ActivityTaskCanceledEventAttributes(it) => {
                self.activities_mut().closed(it.scheduled_event_id)
            }
            Attributes::ActivityTaskCancelRequestedEventAttributes(it) => {
                self.activities_mut()
                    .cancel_requested(id, it.scheduled_event_id);
                true
            }
            Attributes::TimerStartedEventAttributes(it) => self.timers_mut().started(id, time, it),
            Attributes::TimerFiredEventAttributes(it) => {
                self.timers_mut().gone(it.started_event_id)
            }
            Attributes::TimerCanceledEventAttributes(it) => {
                self.timers_mut().gone(it.started_event_id)
                    || Arc::make_mut(&mut self.buffer).forget_fired(&it.timer_id)
            }
            Attributes::WorkflowExecutionSignaledEventAttributes(it) => {
                self.signaled(it);
                true
            }
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(it) => {
                if it.external_workflow_execution.is_some() {
                    Arc::make_mut(&mut self.received).cancel_requested(it);
                }
                self.cancel_requested = true;
                true
            }
            Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(it) => {
                Arc::make_mut(&mut self.attached).attached(id, it);
                self.options_updated(time, it);
                true
            }
            Attributes::WorkflowExecutionPausedEventAttributes(it) => self.pause(time, it),
            Attributes::WorkflowExecutionUnpausedEventAttributes(_) => self.unpause(),
            Attributes::MarkerRecordedEventAttributes(_) => true,
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(it) => {
                Arc::make_mut(&mut self.properties).search_attributes_upserted(it);
                true
            }
            Attributes::WorkflowPropertiesModifiedEventAttributes(it) => {
                Arc::make_mut(&mut self.properties).modified(it);
                true
            }
            other => match (self.of_update(id, other), close::Closed::by(other, time)) {
                (Some(legal), _) => legal,
                (None, Some(closed)) => {
                    if closed.followed {
                        let expire_time = time.after(self.origin.retention);
                        Arc::make_mut(&mut self.properties).expire_points(expire_time);
                    }
                    self.callbacks.closed(other);
                    self.close(closed);
                    true
                }
                (None, None) => {
                    return Err(illegal("an event that this version does not know", event));
                }
            },
        };
        if legal {
            Ok(())
        } else {
            Err(illegal("an event that does not fit the state", event))
        }
    }

    fn signaled(&mut self, it: &WorkflowExecutionSignaledEventAttributes) {
        Arc::make_mut(&mut self.signals).signaled(it);
        if it.external_workflow_execution.is_some() {
            Arc::make_mut(&mut self.received).signaled(it);
        }
    }

    /// What an event of an update, or one that has to do with other runs, does; `None`: it is neither.
    fn of_update(&mut self, id: i64, attributes: &Attributes) -> Option<bool> {
        let updates = &mut self.updates;
        Some(match attributes {
            Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(it) => {
                Arc::make_mut(updates).admit(it)
            }
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(it) => {
                Arc::make_mut(updates).accept(id, it)
            }
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(it) => {
                Arc::make_mut(updates).complete(id, it)
            }
            other => return self.across(id, other),
        })
    }

    /// What an event that has to do with other runs does; `None`: it has not.
    fn across(&mut self, id: i64, attributes: &Attributes) -> Option<bool> {
        Some(match attributes {
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(it) => {
                self.externals_mut().signal_initiated(id, it)
            }
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(it) => {
                self.externals_mut().cancel_initiated(id, it)
            }
            Attributes::ExternalWorkflowExecutionSignaledEventAttributes(it) => {
                self.externals_mut().gone(it.initiated_event_id)
            }
            Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(it) => {
                self.externals_mut().gone(it.initiated_event_id)
            }
            Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(it) => {
                self.externals_mut().gone(it.initiated_event_id)
            }
            Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(it) => {
                self.externals_mut().gone(it.initiated_event_id)
            }
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(it) => {
                self.children_mut().initiated(id, it)
            }
            Attributes::ChildWorkflowExecutionStartedEventAttributes(it) => {
                self.children_mut().started(id, it)
            }
            Attributes::StartChildWorkflowExecutionFailedEventAttributes(it) => {
                self.children_mut().gone(it.initiated_event_id)
            }
            Attributes::ChildWorkflowExecutionCompletedEventAttributes(it) => {
                self.children_mut().gone(it.initiated_event_id)
            }
            Attributes::ChildWorkflowExecutionFailedEventAttributes(it) => {
                self.children_mut().gone(it.initiated_event_id)
            }
            Attributes::ChildWorkflowExecutionCanceledEventAttributes(it) => {
                self.children_mut().gone(it.initiated_event_id)
            }
            Attributes::ChildWorkflowExecutionTimedOutEventAttributes(it) => {
                self.children_mut().gone(it.initiated_event_id)
            }
            Attributes::ChildWorkflowExecutionTerminatedEventAttributes(it) => {
                self.children_mut().gone(it.initiated_event_id)
            }
            _ => return None,
        })
    }

    /// A durable fact that history does not hold.
    pub(crate) fn change(&mut self, change: &Change, time: Time) -> Result<(), Illegal> {
        let legal = match change {
            change if self.closed.is_some() && !fits_closed(change) => false,
            Change::Buffered(event) => {
                self.effect(event)?;
                Arc::make_mut(&mut self.buffer).push(event);
                true
            }
            Change::Opened(_) => false,
            Change::Flushed(record::Flushed {}) => {
                Arc::make_mut(&mut self.buffer).flushed();
                true
            }
            Change::TransientScheduled(it) => {
                let next = self.next_event_id;
                self.task_mut().transient_scheduled(next, time, it)
            }
            Change::TransientStarted(it) => self.task_mut().transient_started(time, it),
            Change::TransientFailed(it) => self.task_mut().transient_failed(*it),
            Change::Sticky(it) => {
                self.task_mut().stick(it);
                true
            }
            Change::WorkflowTaskOriginalTime(nanos) => self.task_mut().original_time(Time(*nanos)),
            Change::ResetFrom(it) => {
                reset::apply(self, it, time);
                true
            }
            Change::ResetTo(run) => {
                if self
                    .closed
                    .as_ref()
                    .is_some_and(|closed| closed.time == time)
                {
                    self.callbacks.reset();
                }
                Arc::make_mut(&mut self.reset).reset_to(run)
            }
            Change::CallbackAttempted(it) => self.callbacks.attempted(time, it),
            Change::CallbackDue(index) => self.callbacks.due(*index),
            Change::DeleteRequested(record::DeleteRequested {}) => {
                self.delete_requested = true;
                true
            }
            Change::ActivityStarted(it) => self.activities_mut().started(time, it),
            Change::ActivityRetry(it) => self.activities_mut().retry(time, it),
            Change::ActivityPaused(it) => self.activities_mut().paused(time, it),
            Change::ActivityUnpaused(it) => self.activities_mut().unpaused(it),
            Change::ActivityReset(it) => self.activities_mut().reset(it),
            Change::ActivityOptionsUpdated(it) => self.activities_mut().options_updated(it),
            Change::SearchAttributeTypes(it) => {
                Arc::make_mut(&mut self.properties).typed(it);
                true
            }
            Change::Delivered(it) => match &it.effect {
                Some(effect) => self.delivered(effect),
                None => false,
            },
            Change::UpdateRejected(id) => Arc::make_mut(&mut self.updates).reject(id),
            Change::NamespaceName(name) => {
                self.namespace_name.clone_from(name);
                true
            }
        };
        if legal {
            Ok(())
        } else {
            Err(Illegal(format!(
                "a change that does not fit the state: {change:?}"
            )))
        }
    }

    fn delivered(&mut self, effect: &delivered::Effect) -> bool {
        match effect {
            delivered::Effect::ParentClosed(initiated) => self.children_mut().told(*initiated),
            delivered::Effect::ParentMoved(run) => {
                self.as_child.parent_moved = run.as_slice().try_into().ok().map(RunId);
                self.as_child.parent_gone = false;
                self.as_child.parent_moved.is_some()
            }
            delivered::Effect::ParentGone(_) => {
                !std::mem::replace(&mut self.as_child.parent_gone, true)
            }
            delivered::Effect::Begun(_) => std::mem::take(&mut self.as_child.waits),
            delivered::Effect::ChildClosed(_) => {
                !std::mem::replace(&mut self.as_child.parent_told, true) && self.closed.is_some()
            }
        }
    }

    fn options_updated(&mut self, time: Time, it: &WorkflowExecutionOptionsUpdatedEventAttributes) {
        let callbacks = &it.attached_completion_callbacks;
        self.callbacks
            .register(callbacks, &it.attached_request_id, time);
        if it.unset_versioning_override && self.options.version.is_some() {
            Properties::unversioned(&mut self.properties);
        }
        Arc::make_mut(&mut self.options).updated(it);
        if it.priority.is_some() {
            Arc::make_mut(&mut self.origin).priority = kept(it.priority.as_ref());
        }
    }

    fn close(&mut self, closed: close::Closed) {
        self.closed = Some(closed);
        self.task_mut().run_closed();
        // What was pending will not happen; what was running is still shown.
        self.timers = Arc::default();
        self.externals = Arc::default();
        self.as_child.waits = false;
        self.buffer = Arc::default();
    }

    pub(super) fn task_mut(&mut self) -> &mut workflow_task::Part {
        Arc::make_mut(&mut self.task)
    }

    pub(super) fn activities_mut(&mut self) -> &mut activity::Part {
        Arc::make_mut(&mut self.activities)
    }

    fn children_mut(&mut self) -> &mut child::Part {
        Arc::make_mut(&mut self.children)
    }

    fn externals_mut(&mut self) -> &mut external::Part {
        Arc::make_mut(&mut self.externals)
    }

    fn timers_mut(&mut self) -> &mut timer::Part {
        Arc::make_mut(&mut self.timers)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Sharing is lost in a snapshot and comes back as parts are cloned.
        postcard::to_extend(self, vec![SNAPSHOT_VERSION]).unwrap_or_default()
    }

    pub(crate) fn decode(snapshot: &[u8]) -> Option<Self> {
        let (&SNAPSHOT_VERSION, rest) = snapshot.split_first()? else {
            return None;
        };
        postcard::from_bytes(rest).ok()
    }
}

/// A closed run hears what came of what it owed to others, and that it was reset or is to be deleted.
fn fits_closed(change: &Change) -> bool {
    matches!(
        change,
        Change::Delivered(_)
            | Change::CallbackAttempted(_)
            | Change::CallbackDue(_)
            | Change::ResetTo(_)
            | Change::DeleteRequested(_)
    )
}

fn illegal(why: &str, event: &HistoryEvent) -> Illegal {
    Illegal(format!(
        "{why}: event {} of type {}",
        event.event_id, event.event_type
    ))
}
