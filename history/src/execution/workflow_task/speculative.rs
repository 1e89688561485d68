//! A workflow task that is there for updates alone. Nothing of it is recorded, so that an update that is rejected leaves no trace.
//!
//! | in        | what happens                             | becomes                                                  |
//! |-----------|------------------------------------------|----------------------------------------------------------|
//! | –         | an update waits, and there is no task    | scheduled: the head's next id, which is not taken        |
//! | scheduled | a poll                                   | started: the id behind it                                |
//! | scheduled | its time is up                           | written, timed out, and a normal task behind it          |
//! | scheduled | the run is paused                        | written, started by nobody, failed                       |
//! | scheduled | the run closes                           | –                                                        |
//! | any       | any other transition of the run          | written first: a normal task                             |
//! | started   | the worker only rejects                  | –, and the worker goes back to where it was              |
//! | started   | any other answer, failure, timeout       | written, with what follows                               |
//!
//! It lives in the volatile part and dies with the memory of the run. Everything asks the run as it is *seen*: with this task in
//! the place of the current one. A draft on such a state begins by writing it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use cairn_proto::temporal::api::common::v1::WorkerVersionStamp;
use cairn_proto::temporal::api::history::v1::WorkflowTaskStartedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::start::{scheduled_event, started_event, suggestion};
use super::{NOBODY, Started, Task};
use crate::execution::state::State;
use crate::execution::terminate::SERVER_IDENTITY;
use crate::execution::transition::Draft;
use crate::execution::update::Message;
use crate::execution::{CompleteWorkflowTask, Limits, StartTask, Volatile};
use crate::id::Time;
use crate::planted::{Fault, planted};

/// How long a worker of the normal queue has to take it: then it is written, since it might have been lost on its way.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// So many events behind those of the last task may be shipped with a task that is then dropped.
const DROPPED_EVENTS_MAX: i64 = 10;

/// The run as workers see it.
pub(crate) fn seen<'a>(state: &'a State, volatile: &Volatile) -> Cow<'a, State> {
    match &volatile.speculative {
        Some(task) if state.task.current.is_none() && state.is_open() => {
            let mut seen = state.clone();
            Arc::make_mut(&mut seen.task).current = Some(task.clone());
            Cow::Owned(seen)
        }
        _ => Cow::Borrowed(state),
    }
}

/// Takes it out of what was seen.
pub(crate) fn without(state: &State) -> (State, Option<Task>) {
    let mut state = state.clone();
    let is_speculative = |task: &mut Task| task.speculative;
    let taken = if state.task.is_speculative() {
        Arc::make_mut(&mut state.task)
            .current
            .take_if(is_speculative)
    } else {
        None
    };
    (state, taken)
}

pub(crate) fn schedule(state: &State, volatile: &Volatile, now: Time) -> Task {
    let sticky = state.task.sticky.as_ref();
    let sticky = sticky.filter(|_| !volatile.sticky_unavailable);
    Task {
        scheduled_event_id: state.next_event_id,
        scheduled_time: now,
        original_time: now,
        start_to_close: state.origin.task_timeout,
        sticky: sticky.map(|it| (it.queue.clone(), now.after(it.schedule_to_start))),
        written: false,
        speculative: true,
        started: None,
    }
}

/// A worker takes it by a poll.
pub(super) fn take(
    state: &State,
    volatile: &mut Volatile,
    question: &StartTask,
    now: Time,
    limits: &Limits,
) {
    let started = started(
        state,
        volatile,
        &question.request_id,
        &question.identity,
        now,
        limits,
    );
    if let Some(task) = &mut volatile.speculative {
        if !question.sticky {
            task.sticky = None; // This worker has not seen the run: it gets all of it.
        }
        task.started = Some(started);
    }
}

pub(super) fn started(
    state: &State,
    volatile: &Volatile,
    request_id: &str,
    identity: &str,
    now: Time,
    limits: &Limits,
) -> Started {
    let (suggest, reasons) = suggestion(state, volatile.updates.pending().len(), limits);
    Started {
        event_id: state.next_event_id + 1,
        time: now,
        request_id: request_id.to_owned(),
        identity: identity.to_owned(),
        history_bytes: i64::try_from(state.history_bytes).unwrap_or(i64::MAX),
        suggest,
        reasons,
    }
}

/// Writes the task that the draft's state was seen with. `identity` and build are what is known of the worker by then.
pub(crate) fn write(
    draft: &mut Draft<'_>,
    task: &Task,
    identity: &str,
    version: Option<&WorkerVersionStamp>,
) {
    let scheduled = scheduled_event(&draft.state, task);
    draft.write_at(scheduled, task.scheduled_time);
    if let Some(started) = &task.started {
        let event = started_event(task, started, identity, version);
        draft.write_at(event, started.time);
    }
}

/// The scheduled task that was written, as one that is over before anybody took it.
pub(crate) fn write_taken_by_nobody(draft: &mut Draft<'_>) {
    let Some(task) = &draft.state.task.current else {
        return;
    };
    let started = WorkflowTaskStartedEventAttributes {
        scheduled_event_id: task.scheduled_event_id,
        identity: SERVER_IDENTITY.to_owned(),
        request_id: NOBODY.to_owned(),
        ..Default::default()
    };
    draft.write(Attributes::WorkflowTaskStartedEventAttributes(started));
}

/// May the task of this answer be dropped? It did nothing, and the worker can forget what it was shown.
pub(super) fn may_drop(state: &State, question: &CompleteWorkflowTask) -> bool {
    let is_speculative = state.task.is_speculative();
    let says_nothing =
        question.commands.is_empty() && question.messages.iter().all(Message::rejects);
    let shown = state.next_event_id - (state.task.previous_started_event_id + 2);
    let can_forget = shown == 0 || (question.may_drop_events && shown <= DROPPED_EVENTS_MAX);
    let leaves_no_trace = says_nothing && !question.force_create_new_workflow_task && can_forget;
    is_speculative && leaves_no_trace && !planted(Fault::SpeculativeTaskRecorded)
}
