//! The workflow task: at most one at a time, scheduled, started, closed.
//!
//! | in        | event or change                 | becomes   | owes                                         |
//! |-----------|---------------------------------|-----------|----------------------------------------------|
//! | –         | Scheduled, `TransientScheduled`   | scheduled | an offer; on a sticky queue a timeout        |
//! | scheduled | Started, `TransientStarted`       | started   | the start-to-close timeout                   |
//! | scheduled | `TimedOut` (schedule to start)    | –         | the next one, on the normal queue            |
//! | scheduled | Failed, Paused                  | –         | nothing before the run goes on               |
//! | started   | Completed                       | –         | what was buffered is flushed                 |
//! | started   | Failed, `TimedOut`, `TransientFailed` | –       | the next attempt                             |
//!
//! A task that is there for updates alone is *speculative*: it is not even recorded (`speculative`).
//!
//! An attempt behind a failed one is *transient*: its Scheduled and Started are in the state only, shown to the worker as a
//! suffix, and written when it completes or when other events come before it is started.

use std::time::Duration;

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::temporal::api::enums::v1::{
    TaskQueueKind, TimeoutType, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    WorkflowTaskCompletedEventAttributes, WorkflowTaskFailedEventAttributes,
    WorkflowTaskScheduledEventAttributes, WorkflowTaskStartedEventAttributes,
    WorkflowTaskTimedOutEventAttributes,
};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use serde::{Deserialize, Serialize};

use super::start::Origin;
use super::state::State;
use super::transition::Draft;
use super::wire;
use crate::id::Time;

mod complete;
mod fail;
mod reject;
mod speculative;
mod start;
mod timeout;

pub(crate) use complete::{Completing, complete};
pub(crate) use fail::{cause_name, fail, force_fail, force_next_attempt, next_attempt, withdraw};
pub(crate) use speculative::{
    schedule as schedule_speculative, seen, without, write as write_speculative,
    write_taken_by_nobody,
};
pub(crate) use start::{Worker, pending_suffix, start, start_now, started_answer};
pub(crate) use timeout::{deadline, reset_sticky, time_out};

/// The workflow task of a run, and what outlasts it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) current: Option<Task>,
    /// Of the current or next workflow task.
    pub(crate) attempt: i32,
    pub(crate) attempts_since_success: i32,
    /// The Started of the last workflow task that completed; zero before.
    pub(crate) previous_started_event_id: i64,
    pub(crate) sticky: Option<Sticky>,
    /// No workflow task before this time (start delay, retry, continue-as-new).
    pub(crate) backoff_until: Option<Time>,
    /// A close was answered with unhandled events: nothing new may come in before the next task ends.
    pub(crate) close_attempted: bool,
    /// How the last workflow task ended, if it ended badly.
    pub(crate) problem: Option<Problem>,
}

/// Why a workflow task did not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Problem {
    /// `temporal.api.enums.v1.WorkflowTaskFailedCause`.
    Failed(i32),
    /// `temporal.api.enums.v1.TimeoutType`.
    TimedOut(i32),
}

/// A workflow task that is scheduled or started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) scheduled_event_id: i64,
    pub(crate) scheduled_time: Time,
    pub(crate) original_time: Time,
    pub(crate) start_to_close: Duration,
    /// On the sticky queue, until then.
    pub(crate) sticky: Option<(String, Time)>,
    /// Its events are in history.
    pub(crate) written: bool,
    /// It is not even in the log: a state that says so is one that was only seen.
    #[serde(skip)]
    pub(crate) speculative: bool,
    pub(crate) started: Option<Started>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Started {
    pub(crate) event_id: i64,
    pub(crate) time: Time,
    pub(crate) request_id: String,
    pub(crate) identity: String,
    pub(crate) history_bytes: i64,
    pub(crate) suggest: bool,
    pub(crate) reasons: Vec<i32>,
}

/// The worker that has the run in its cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sticky {
    pub(crate) queue: String,
    pub(crate) schedule_to_start: Duration,
}

/// Bad ends in a row after which a run says of itself that it has problems.
pub(crate) const PROBLEM_ATTEMPTS: i32 = 5;

/// What a workflow task says of its poll that had none, as the reference has it.
pub(crate) const NOBODY: &str = "emptyUuid";

/// Attempts above this one get more and more time.
const PATIENT_ATTEMPTS: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(5);

impl Part {
    pub(crate) fn new(origin: &Origin) -> Self {
        Self {
            current: None,
            attempt: 1,
            attempts_since_success: 0,
            previous_started_event_id: 0,
            sticky: None,
            backoff_until: origin.backoff_until(),
            close_attempted: false,
            problem: None,
        }
    }

    pub(crate) fn is_speculative(&self) -> bool {
        self.current.as_ref().is_some_and(|task| task.speculative)
    }

    pub(crate) fn is_started(&self) -> bool {
        self.started_task().is_some()
    }

    pub(crate) fn started_task(&self) -> Option<(&Task, &Started)> {
        let task = self.current.as_ref()?;
        Some((task, task.started.as_ref()?))
    }

    pub(super) fn scheduled(
        &mut self,
        event_id: i64,
        time: Time,
        it: &WorkflowTaskScheduledEventAttributes,
    ) -> bool {
        if let Some(task) = self.current.as_mut().filter(|task| task.started.is_some()) {
            // A transient task completes: what it was becomes history.
            let legal = !task.written && task.scheduled_event_id == event_id;
            task.written = true;
            return legal;
        }
        if self.current.as_ref().is_some_and(|task| task.written) {
            return false;
        }
        self.attempt = it.attempt;
        self.backoff_until = None;
        let sticky = it
            .task_queue
            .as_ref()
            .is_some_and(|queue| queue.kind() == TaskQueueKind::Sticky);
        self.current = Some(Task {
            scheduled_event_id: event_id,
            scheduled_time: time,
            original_time: self
                .current
                .as_ref()
                .map_or(time, |transient| transient.original_time),
            start_to_close: wire::span(it.start_to_close_timeout.as_ref()),
            sticky: self
                .sticky
                .as_ref()
                .filter(|_| sticky)
                .map(|it| (it.queue.clone(), time.after(it.schedule_to_start))),
            written: true,
            speculative: false,
            started: None,
        });
        true
    }

    pub(super) fn started(
        &mut self,
        event_id: i64,
        time: Time,
        it: &WorkflowTaskStartedEventAttributes,
    ) -> bool {
        let Some(task) = &mut self.current else {
            return false;
        };
        if let Some(started) = &task.started {
            return started.event_id == event_id;
        }
        task.started = Some(Started {
            event_id,
            time,
            request_id: it.request_id.clone(),
            identity: it.identity.clone(),
            history_bytes: it.history_size_bytes,
            suggest: it.suggest_continue_as_new,
            reasons: it.suggest_continue_as_new_reasons.clone(),
        });
        true
    }

    pub(super) fn completed(&mut self, it: &WorkflowTaskCompletedEventAttributes) -> bool {
        self.previous_started_event_id = it.started_event_id;
        self.attempt = 1;
        self.attempts_since_success = 0;
        self.close_attempted = false;
        self.problem = None;
        self.current.take().is_some()
    }

    pub(super) fn failed(&mut self, it: &WorkflowTaskFailedEventAttributes) -> bool {
        if it.cause() == Cause::ResetWorkflow {
            return self.reset();
        }
        self.ended_badly(Problem::Failed(it.cause))
    }

    /// The run is paused, or goes on: a further attempt that nobody has is dropped, and the next task is a first one.
    pub(super) fn begin_anew(&mut self) {
        if self.is_started() {
            return;
        }
        if self.current.take().is_some() {
            self.attempts_since_success += 1;
        }
        self.attempt = 1;
    }

    /// Nobody failed: the run goes on from here as if this task had not been.
    fn reset(&mut self) -> bool {
        self.sticky = None;
        self.attempt = 1;
        self.attempts_since_success = 0;
        self.close_attempted = false;
        self.problem = None;
        self.current.take().is_some()
    }

    pub(super) fn timed_out(&mut self, it: &WorkflowTaskTimedOutEventAttributes) -> bool {
        if it.timeout_type() == TimeoutType::ScheduleToStart {
            self.sticky = None;
            return self.current.take().is_some();
        }
        self.ended_badly(Problem::TimedOut(it.timeout_type))
    }

    pub(super) fn transient_failed(&mut self, it: record::TransientFailed) -> bool {
        let problem = if it.timed_out {
            Problem::TimedOut(TimeoutType::StartToClose.into())
        } else {
            Problem::Failed(it.cause)
        };
        self.ended_badly(problem)
    }

    /// The worker that had the run is given up first; only then does the attempt count.
    fn ended_badly(&mut self, problem: Problem) -> bool {
        self.close_attempted = problem == Problem::Failed(Cause::UnhandledCommand.into());
        self.problem = Some(problem);
        self.attempts_since_success += 1;
        if self.sticky.take().is_none() {
            self.attempt += 1;
        }
        self.current.take().is_some()
    }

    pub(super) fn transient_scheduled(
        &mut self,
        next_event_id: i64,
        time: Time,
        it: &record::TransientScheduled,
    ) -> bool {
        self.attempt = it.attempt;
        let before = self.current.replace(Task {
            scheduled_event_id: next_event_id,
            scheduled_time: time,
            original_time: time,
            start_to_close: wire::span(it.start_to_close_timeout.as_ref()),
            sticky: None,
            written: false,
            speculative: false,
            started: None,
        });
        before.is_none()
    }

    pub(super) fn transient_started(&mut self, time: Time, it: &record::TransientStarted) -> bool {
        let Some(task) = self.current.as_mut().filter(|task| task.started.is_none()) else {
            return false;
        };
        task.started = Some(Started {
            event_id: task.scheduled_event_id + 1,
            time,
            request_id: it.request_id.clone(),
            identity: it.identity.clone(),
            history_bytes: it.history_size_bytes,
            suggest: it.suggest_continue_as_new,
            reasons: it.suggest_continue_as_new_reasons.clone(),
        });
        true
    }

    pub(super) fn stick(&mut self, it: &record::Sticky) {
        self.sticky = (!it.queue.is_empty()).then(|| Sticky {
            queue: it.queue.clone(),
            schedule_to_start: wire::span(it.schedule_to_start_timeout.as_ref()),
        });
        if self.sticky.is_none()
            && let Some(task) = &mut self.current
        {
            task.sticky = None;
        }
    }

    pub(super) fn original_time(&mut self, time: Time) -> bool {
        self.current
            .as_mut()
            .map(|task| task.original_time = time)
            .is_some()
    }

    pub(super) fn run_closed(&mut self) {
        self.backoff_until = None;
    }

    /// Is the current task a further attempt?
    pub(crate) fn is_transient(&self) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|task| !task.written && !task.speculative)
    }
}

/// Schedules a workflow task, unless there is one or the run may not have one yet.
pub(crate) fn schedule(draft: &mut Draft<'_>) {
    let part = &draft.state.task;
    let waits = part.backoff_until.is_some() || draft.state.as_child.waits;
    if !draft.state.is_open() || part.current.is_some() || waits {
        return;
    }
    schedule_now(draft, false);
}

/// When the time before the first workflow task is over, if that brings the task.
pub(crate) fn backoff_end(state: &State) -> Option<Time> {
    let waits = state.as_child.waits || state.is_paused();
    state.task.backoff_until.filter(|_| !waits)
}

/// The time before the first workflow task is over.
pub(crate) fn end_backoff(draft: &mut Draft<'_>) {
    let part = &draft.state.task;
    let waits = part.current.is_some() || draft.state.as_child.waits;
    if part.backoff_until.is_some_and(|until| until <= draft.now) && !waits {
        schedule_now(draft, true);
    }
}

/// A request to cancel, or a signal with start, does not wait for the time before the first workflow task.
pub(crate) fn schedule_despite_backoff(draft: &mut Draft<'_>) {
    let part = &draft.state.task;
    let waits = part.current.is_some() || draft.state.as_child.waits;
    if part.backoff_until.is_some() && !waits {
        schedule_now(draft, true);
    }
}

/// The same without regard to a backoff, but not while the run is paused; `fresh`: events came since the last attempt failed.
pub(crate) fn schedule_now(draft: &mut Draft<'_>, fresh: bool) {
    if draft.state.is_paused() {
        return;
    }
    let attempt = if fresh { 1 } else { draft.state.task.attempt };
    let timeout = start_to_close(draft, attempt);
    if attempt > 1 {
        draft.change(Change::TransientScheduled(record::TransientScheduled {
            attempt,
            start_to_close_timeout: Some(wire::duration(timeout)),
        }));
        return;
    }
    write_scheduled(draft, attempt, timeout, draft.now);
}

/// A further attempt that waits is written, as a first one.
pub(crate) fn show(draft: &mut Draft<'_>) {
    let waits = draft.state.task.current.as_ref();
    if waits.is_some_and(|task| !task.written) {
        let timeout = draft.state.origin.task_timeout;
        write_scheduled(draft, 1, timeout, draft.now);
    }
}

fn write_scheduled(draft: &mut Draft<'_>, attempt: i32, timeout: Duration, time: Time) {
    let state = &draft.state;
    let sticky = state.task.sticky.as_ref();
    let task_queue = queue(state, sticky.map(|it| &*it.queue));
    draft.write_at(
        Attributes::WorkflowTaskScheduledEventAttributes(WorkflowTaskScheduledEventAttributes {
            task_queue: Some(task_queue),
            start_to_close_timeout: Some(wire::duration(timeout)),
            attempt,
        }),
        time,
    );
}

/// The queue of a workflow task as its event shows it.
fn queue(state: &State, sticky: Option<&str>) -> TaskQueue {
    match sticky {
        Some(name) => TaskQueue {
            name: name.to_owned(),
            kind: TaskQueueKind::Sticky.into(),
            normal_name: state.origin.task_queue.clone(),
        },
        None => normal_queue(&state.origin.task_queue),
    }
}

/// A queue that a command names, as its event shows it: of the normal kind unless it says otherwise.
pub(crate) fn asked_queue(asked: Option<&TaskQueue>, name: &str) -> TaskQueue {
    let mut queue = TaskQueue {
        name: name.to_owned(),
        ..asked.cloned().unwrap_or_default()
    };
    if queue.kind == i32::from(TaskQueueKind::Unspecified) {
        queue.kind = TaskQueueKind::Normal.into();
    }
    queue
}

pub(crate) fn normal_queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        kind: TaskQueueKind::Normal.into(),
        normal_name: String::new(),
    }
}

fn start_to_close(draft: &Draft<'_>, attempt: i32) -> Duration {
    let timeout = draft.state.origin.task_timeout;
    let impatient = attempt - PATIENT_ATTEMPTS;
    if impatient <= 0 {
        return timeout;
    }
    let factor = 2_u32.saturating_pow(u32::try_from(impatient - 1).unwrap_or(0));
    timeout
        + PATIENCE
            .saturating_mul(factor)
            .min(draft.limits.workflow_task_retry_interval_max)
}
