//! A transition being made: the only place that gives event ids, buffers and flushes, checks the limits of a history and
//! decides that a workflow task is due. One that would bring a history over its limits is not made: the run is ended instead.
//!
//! Whatever is added is applied to the draft's own state at once, by the functions that replay uses. A draft becomes the
//! head or is dropped whole.

use bytes::Bytes;
use cairn_proto::cairn::record::v1::change::Change;
use cairn_proto::cairn::record::v1::{self as record, Changes, Opened};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Link, WorkerVersionStamp};
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::sdk::v1::{EventGroupMarker, UserMetadata};

use super::state::State;
use super::{Limits, Refusal, Workflow, buffer, describe, terminate, wire, workflow_task};
use crate::id::{RunId, Time};
use crate::kind::{Context, Illegal, Transition, Unavailable};

/// What an event carries beside its attributes.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(crate) user_metadata: Option<UserMetadata>,
    pub(crate) links: Vec<Link>,
    pub(crate) event_group_markers: Vec<EventGroupMarker>,
}

/// What of the visibility row must be seen to change at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    Nothing,
    Row,
    /// Search attributes too, and what is found by them.
    Attributes,
}

#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) state: State,
    pub(crate) now: Time,
    pub(crate) limits: &'a Limits,
    /// Bytes of history before this transition.
    pub(crate) stored_bytes: u64,
    first_event_id: i64,
    events: Vec<HistoryEvent>,
    changes: Vec<record::Change>,
    task_due: bool,
    /// Commands are being handled: what happens beside them waits until they are through.
    holding: bool,
    shows: Shows,
    /// So many events were written only because a task was speculative: alone they are no reason for a transition.
    written_first: usize,
    /// Updates that no worker has accepted.
    pub(crate) updates_in_flight: usize,
    /// What the row says of failing workflow tasks before this transition.
    problem: Option<workflow_task::Problem>,
    /// Something was written that is not only heard of.
    acts: bool,
    broken: Option<Illegal>,
}

impl<'a> Draft<'a> {
    /// A draft on the head of a run. A speculative task is written first: from now on it is a normal one.
    pub(crate) fn new(state: &State, now: Time, limits: &'a Limits) -> Self {
        Self::with(state, ("", None), now, limits)
    }

    /// The same, where it is known whose task it is.
    pub(crate) fn by(
        state: &State,
        identity: &str,
        version: Option<&WorkerVersionStamp>,
        context: &Context<'a>,
    ) -> Self {
        Self::with(state, (identity, version), context.now, context.limits)
    }

    /// A draft that closes the run: a speculative task that nobody has is forgotten.
    pub(crate) fn ending(state: &State, context: &Context<'a>) -> Self {
        if state.task.is_started() {
            Self::by(state, terminate::SERVER_IDENTITY, None, context)
        } else {
            Self::without_task(state, context)
        }
    }

    /// A draft that forgets the speculative task.
    pub(crate) fn without_task(state: &State, context: &Context<'a>) -> Self {
        let (state, _) = workflow_task::without(state);
        Self::bare(state, context.now, context.limits)
    }

    fn with(
        state: &State,
        (identity, version): (&str, Option<&WorkerVersionStamp>),
        now: Time,
        limits: &'a Limits,
    ) -> Self {
        let (state, speculative) = workflow_task::without(state);
        let mut draft = Self::bare(state, now, limits);
        if let Some(task) = speculative {
            workflow_task::write_speculative(&mut draft, &task, identity, version);
            draft.written_first = draft.events.len();
        }
        draft
    }

    fn bare(state: State, now: Time, limits: &'a Limits) -> Self {
        Self {
            stored_bytes: state.history_bytes,
            first_event_id: state.next_event_id,
            problem: describe::reported_problem(&state),
            state,
            now,
            limits,
            events: Vec::new(),
            changes: Vec::new(),
            task_due: false,
            holding: false,
            shows: Shows::Nothing,
            written_first: 0,
            updates_in_flight: 0,
            acts: false,
            broken: None,
        }
    }

    /// A draft of a new run.
    pub(crate) fn open(
        run: RunId,
        opened: Opened,
        started: Attributes,
        extra: Extra,
        now: Time,
        limits: &'a Limits,
    ) -> Result<Self, Refusal> {
        let mut event = build(started, now, extra);
        number(&mut event, 1);
        let state = State::open(run, &opened, &event).map_err(|illegal| broken(&illegal))?;
        let mut draft = Self::bare(state, now, limits);
        draft.stored_bytes = 0;
        draft.first_event_id = 1;
        draft.changes.push(record::Change {
            position: 0,
            change: Some(Change::Opened(opened)),
        });
        draft.events.push(event);
        let fields = &draft.state.properties.search_attributes.indexed_fields;
        draft.shows = if fields.is_empty() && draft.state.options.version.is_none() {
            Shows::Row
        } else {
            Shows::Attributes
        };
        Ok(draft)
    }

    /// An event of the run's own making: it is in history now.
    pub(crate) fn write(&mut self, attributes: Attributes) -> i64 {
        self.write_with(attributes, Extra::default())
    }

    pub(crate) fn write_with(&mut self, attributes: Attributes, extra: Extra) -> i64 {
        self.acts = true;
        let event = build(attributes, self.now, extra);
        self.append(event)
    }

    /// An event of which we hear late: it happened at `time`.
    pub(crate) fn write_at(&mut self, attributes: Attributes, time: Time) -> i64 {
        self.acts = true;
        let event = build(attributes, time, Extra::default());
        self.append(event)
    }

    /// Something that happened to the run: while a worker has a workflow task in hand, it waits in the buffer. The id of
    /// the event, or what stands for it until the flush.
    pub(crate) fn happen(&mut self, attributes: Attributes) -> i64 {
        self.happen_with(attributes, self.now, Extra::default())
    }

    pub(crate) fn happen_with(&mut self, attributes: Attributes, time: Time, extra: Extra) -> i64 {
        let mut event = build(attributes, time, extra);
        if !self.buffers() {
            return self.append(event);
        }
        event.event_id = 0;
        self.change(Change::Buffered(event));
        buffer::UNKNOWN
    }

    fn buffers(&self) -> bool {
        self.holding || self.state.task.is_started()
    }

    fn append(&mut self, mut event: HistoryEvent) -> i64 {
        let id = self.state.next_event_id;
        number(&mut event, id);
        let result = self.state.event(&event);
        self.keep(result);
        self.events.push(event);
        id
    }

    pub(crate) fn change(&mut self, change: Change) {
        let result = self.state.change(&change, self.now);
        self.keep(result);
        self.changes.push(record::Change {
            position: u32::try_from(self.events.len()).unwrap_or(u32::MAX),
            change: Some(change),
        });
    }

    /// From here on what is not written by a command waits.
    pub(crate) fn hold(&mut self) {
        self.holding = true;
    }

    /// Buffered events get their ids: openings first, closings behind them.
    pub(crate) fn flush(&mut self) {
        self.holding = false;
        if self.state.buffer.is_empty() {
            return;
        }
        let events = self.state.buffer.in_order();
        self.change(Change::Flushed(record::Flushed {}));
        let mut started = Vec::new();
        for mut event in events {
            if let Some(opened) = buffer::starts(&event) {
                started.push((opened, self.state.next_event_id));
            }
            if let Some(scheduled) = buffer::unknown_started(&event) {
                let id = started.iter().find(|(of, _)| *of == scheduled);
                buffer::point_to_started(&mut event, id.map_or(0, |(_, id)| *id));
            }
            self.append(event);
        }
        self.task_due = true;
    }

    /// The worker must hear of what happened.
    pub(crate) fn want_task(&mut self) {
        self.task_due = true;
    }

    /// A speculative task that was written first stays, whatever follows.
    pub(crate) fn keep_task(&mut self) {
        self.written_first = 0;
    }

    /// The visibility row must be seen to change at once.
    pub(crate) fn show(&mut self) {
        self.shows = self.shows.max(Shows::Row);
    }

    /// So must the search attributes, and what is found by them.
    pub(crate) fn show_attributes(&mut self) {
        self.shows = Shows::Attributes;
    }

    fn keep(&mut self, result: Result<(), Illegal>) {
        if let Err(illegal) = result {
            self.broken.get_or_insert(illegal);
        }
    }

    /// Schedules the workflow task that is due, if one can be scheduled now.
    pub(crate) fn settle(&mut self) {
        self.enforce_buffer_limits();
        if self.task_due {
            self.task_due = false;
            workflow_task::schedule(self);
        }
    }

    fn enforce_buffer_limits(&mut self) {
        let buffer = &self.state.buffer;
        let full = buffer.len() > self.limits.buffered_events_max
            || buffer.bytes() > self.limits.buffered_bytes_max;
        if full && self.state.task.is_started() {
            workflow_task::force_next_attempt(self, Cause::ForceCloseCommand);
        }
    }

    /// What was in history before is judged by its size, and what is now by its length: but for what we only hear of, alone.
    fn check_history_limits(&self) -> Result<(), Refusal> {
        let is_new = self.first_event_id == 1;
        if !self.state.is_open() || is_new || self.events.is_empty() && self.changes.is_empty() {
            return Ok(());
        }
        let count = if self.acts {
            self.state.next_event_id - 1
        } else {
            self.first_event_id - 1
        };
        let what = if self.stored_bytes > self.limits.history_bytes_max {
            "size"
        } else if count > self.limits.history_events_max {
            "count"
        } else {
            return Ok(());
        };
        let message = format!("Workflow history {what} exceeds limit.");
        Err(Refusal::HistoryLimit(message))
    }

    /// The transition, if anything happened.
    pub(crate) fn finish(mut self) -> Result<Option<Transition<Workflow>>, Refusal> {
        self.settle();
        self.check_history_limits()?;
        if let Some(illegal) = self.broken {
            return Err(broken(&illegal));
        }
        if self.events.len() == self.written_first && self.changes.is_empty() {
            return Ok(None);
        }
        self.state.transitions += 1;
        let problem = describe::reported_problem(&self.state);
        let changes = if self.changes.is_empty() {
            Bytes::new()
        } else {
            Changes {
                changes: self.changes,
            }
            .encode_to_vec()
            .into()
        };
        Ok(Some(Transition {
            searchable: self.shows == Shows::Attributes || problem != self.problem,
            visible: self.shows > Shows::Nothing
                || !self.state.is_open()
                || problem != self.problem,
            state: self.state,
            time: self.now,
            first_event_id: self.first_event_id,
            events: self.events,
            changes,
        }))
    }
}

fn build(attributes: Attributes, time: Time, extra: Extra) -> HistoryEvent {
    HistoryEvent {
        event_time: Some(wire::timestamp(time)),
        event_type: attributes.event_type().into(),
        worker_may_ignore: matches!(
            attributes,
            Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(_)
                | Attributes::WorkflowExecutionPausedEventAttributes(_)
                | Attributes::WorkflowExecutionUnpausedEventAttributes(_)
        ),
        attributes: Some(attributes),
        user_metadata: extra.user_metadata,
        links: extra.links,
        event_group_markers: extra.event_group_markers,
        ..HistoryEvent::default()
    }
}

/// Gives an event its place in history. Task ids only have to grow along a history.
fn number(event: &mut HistoryEvent, id: i64) {
    event.event_id = id;
    event.task_id = id;
}

/// Our bug: the run is left as it is.
fn broken(illegal: &Illegal) -> Refusal {
    debug_assert!(false, "{illegal}");
    tracing::error!(error = %illegal, "a transition that cannot be folded was refused");
    Refusal::Unavailable(Unavailable::Quarantined)
}
