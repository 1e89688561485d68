//! A worker takes the workflow task: by a poll, or at once with the answer to the one before.

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::temporal::api::common::v1::{WorkerVersionStamp, WorkflowExecution, WorkflowType};
use cairn_proto::temporal::api::enums::v1::SuggestContinueAsNewReason;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowTaskScheduledEventAttributes, WorkflowTaskStartedEventAttributes,
};
use cairn_proto::temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::{Started, Task, normal_queue, queue, show, speculative};
use crate::execution::state::State;
use crate::execution::transition::Draft;
use crate::execution::{
    Answer, Limits, Outcome, Refusal, Run, StartTask, TaskStarted, Volatile, WorkflowTaskToken,
    answer, refuse, step, update, wire,
};
use crate::id::RunId;
use crate::kind::{Answered, Context, Stop};

pub(crate) fn start(run: Run<'_>, question: &StartTask, context: &mut Context<'_>) -> Outcome {
    let state = run.state;
    if !state.is_open() {
        return refuse(Refusal::Completed);
    }
    let over = || Refusal::NoSuchTask("Workflow task not found.".to_owned());
    let Some(task) = &state.task.current else {
        return refuse(over());
    };
    if let Some(started) = &task.started {
        return if started.request_id == question.request_id {
            answer(context.ticket, polled(run.id, state, run.volatile, true))
        } else if task.scheduled_event_id == question.scheduled_event_id {
            refuse(Refusal::TaskTaken)
        } else {
            refuse(over())
        };
    }
    if task.scheduled_event_id != question.scheduled_event_id
        || state.task.attempt != question.attempt
    {
        return refuse(over());
    }
    if question.sticky
        && task
            .sticky
            .as_ref()
            .is_none_or(|(queue, _)| *queue != question.queue)
    {
        return refuse(Refusal::OtherQueue);
    }
    if task.speculative {
        let (before, _) = speculative::without(state);
        speculative::take(&before, run.volatile, question, context.now, context.limits);
        let head = speculative::seen(&before, run.volatile).into_owned();
        return answer(context.ticket, polled(run.id, &head, run.volatile, false));
    }
    let mut draft = Draft::new(state, context.now, context.limits);
    draft.updates_in_flight = run.volatile.updates.pending().len();
    if !question.sticky && state.task.sticky.is_some() {
        draft.change(Change::Sticky(record::Sticky::default()));
    }
    take(
        &mut draft,
        &question.request_id,
        &question.identity,
        question.worker_version.as_ref(),
    );
    let transition = draft.finish().map_err(Stop::Refused)?;
    let head = transition.as_ref().map_or(state, |it| &it.state);
    let answered = polled(run.id, head, run.volatile, false);
    step(transition, context.ticket, answered)
}

/// Writes Started, behind a Scheduled if events came since a transient task was scheduled.
fn take(
    draft: &mut Draft<'_>,
    request_id: &str,
    identity: &str,
    worker_version: Option<&WorkerVersionStamp>,
) {
    let (suggest_continue_as_new, suggest_continue_as_new_reasons) =
        suggestion(&draft.state, draft.updates_in_flight, draft.limits);
    let history_size_bytes = i64::try_from(draft.stored_bytes).unwrap_or(i64::MAX);
    let Some(task) = &draft.state.task.current else {
        return;
    };
    if !task.written && task.scheduled_event_id == draft.state.next_event_id {
        draft.change(Change::TransientStarted(record::TransientStarted {
            request_id: request_id.to_owned(),
            identity: identity.to_owned(),
            history_size_bytes,
            suggest_continue_as_new,
            suggest_continue_as_new_reasons,
        }));
        return;
    }
    show(draft);
    let Some(task) = &draft.state.task.current else {
        return;
    };
    draft.write(Attributes::WorkflowTaskStartedEventAttributes(
        WorkflowTaskStartedEventAttributes {
            scheduled_event_id: task.scheduled_event_id,
            identity: identity.to_owned(),
            request_id: request_id.to_owned(),
            suggest_continue_as_new,
            suggest_continue_as_new_reasons,
            history_size_bytes,
            // A worker that names no build is not named; in the events of its activities it is.
            worker_version: worker_version.filter(|it| !it.build_id.is_empty()).cloned(),
            ..Default::default()
        },
    ));
}

/// Starts the scheduled task for the worker that asks anyway.
pub(crate) fn start_now(
    draft: &mut Draft<'_>,
    request_id: &str,
    identity: &str,
    worker_version: Option<&WorkerVersionStamp>,
) {
    draft.settle();
    take(draft, request_id, identity, worker_version);
}

fn polled(
    id: RunId,
    state: &State,
    volatile: &mut Volatile,
    again: bool,
) -> Answered<crate::execution::Workflow> {
    match started_answer(
        id,
        state,
        volatile,
        Worker {
            knows: false,
            again,
        },
    ) {
        Some((task, from, to)) => Answered {
            result: Ok(Answer::WorkflowTaskStarted(Box::new(task))),
            reads: Some((id, from..to)),
        },
        None => Answered {
            result: Err(Refusal::NoSuchTask("Workflow task not found.".to_owned())),
            reads: None,
        },
    }
}

/// Who gets a started task.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Worker {
    /// It knows the run up to the task before.
    pub(crate) knows: bool,
    /// It has asked for the same task before.
    pub(crate) again: bool,
}

/// The started task as a worker gets it, and the range of durable events that goes with it.
pub(crate) fn started_answer(
    id: RunId,
    state: &State,
    volatile: &mut Volatile,
    worker: Worker,
) -> Option<(TaskStarted, i64, i64)> {
    let (task, started) = state.task.started_task()?;
    let from = if worker.knows || task.sticky.is_some() {
        state.task.previous_started_event_id + 1
    } else {
        1
    };
    let to = if task.written {
        started.event_id + 1
    } else {
        task.scheduled_event_id
    };
    let response = PollWorkflowTaskQueueResponse {
        workflow_execution: Some(WorkflowExecution {
            workflow_id: state.origin.workflow_id.clone(),
            run_id: id.to_string(),
        }),
        workflow_type: Some(WorkflowType {
            name: state.origin.workflow_type.clone(),
        }),
        previous_started_event_id: state.task.previous_started_event_id,
        started_event_id: started.event_id,
        attempt: state.task.attempt,
        workflow_execution_task_queue: Some(normal_queue(&state.origin.task_queue)),
        scheduled_time: Some(wire::timestamp(task.scheduled_time)),
        started_time: Some(wire::timestamp(started.time)),
        queries: volatile.deliver_queries(),
        messages: volatile.updates.deliver(started.event_id, worker.again),
        ..Default::default()
    };
    let started = TaskStarted {
        run: id,
        response,
        token: WorkflowTaskToken {
            scheduled_event_id: task.scheduled_event_id,
            started_event_id: started.event_id,
            started_time: started.time,
            attempt: state.task.attempt,
        },
        suffix: if task.written {
            Vec::new()
        } else {
            suffix(state, task, true)
        },
    };
    Some((started, from, to))
}

/// Is the history long enough to suggest continue-as-new, and why?
pub(super) fn suggestion(
    state: &State,
    updates_in_flight: usize,
    limits: &Limits,
) -> (bool, Vec<i32>) {
    let mut reasons = Vec::new();
    if state.history_bytes >= limits.history_bytes_suggest {
        reasons.push(SuggestContinueAsNewReason::HistorySizeTooLarge.into());
    }
    if state.next_event_id >= limits.history_events_suggest {
        reasons.push(SuggestContinueAsNewReason::TooManyHistoryEvents.into());
    }
    if update::too_many(state, updates_in_flight, limits) {
        reasons.push(SuggestContinueAsNewReason::TooManyUpdates.into());
    }
    (!reasons.is_empty(), reasons)
}

/// The events of a task that is not written, which a reader of the history sees behind the durable ones: without the worker.
pub(crate) fn pending_suffix(state: &State) -> Vec<HistoryEvent> {
    let transient = state.task.current.as_ref().filter(|task| {
        // Behind newer events it will be written anew.
        !task.written && task.scheduled_event_id == state.next_event_id
    });
    transient.map_or_else(Vec::new, |task| suffix(state, task, false))
}

/// The events of a task that is not written, as they will be if it completes.
fn suffix(state: &State, task: &Task, named: bool) -> Vec<HistoryEvent> {
    let scheduled = (
        task.scheduled_event_id,
        task.scheduled_time,
        scheduled_event(state, task),
    );
    let started = task.started.as_ref().map(|started| {
        (
            started.event_id,
            started.time,
            started_event(
                task,
                started,
                if named { &started.identity } else { "" },
                None,
            ),
        )
    });
    [scheduled]
        .into_iter()
        .chain(started)
        .map(|(event_id, time, attributes)| HistoryEvent {
            event_id,
            event_time: Some(wire::timestamp(time)),
            event_type: attributes.event_type().into(),
            attributes: Some(attributes),
            ..Default::default()
        })
        .collect()
}

/// Scheduled of a task that is not written.
pub(super) fn scheduled_event(state: &State, task: &Task) -> Attributes {
    let sticky = task.sticky.as_ref().map(|(name, _)| &**name);
    Attributes::WorkflowTaskScheduledEventAttributes(WorkflowTaskScheduledEventAttributes {
        task_queue: Some(queue(state, sticky)),
        start_to_close_timeout: Some(wire::duration(task.start_to_close)),
        attempt: state.task.attempt,
    })
}

/// Its Started; `identity` and build are what is known of the worker by then.
pub(super) fn started_event(
    task: &Task,
    started: &Started,
    identity: &str,
    worker_version: Option<&WorkerVersionStamp>,
) -> Attributes {
    Attributes::WorkflowTaskStartedEventAttributes(WorkflowTaskStartedEventAttributes {
        scheduled_event_id: task.scheduled_event_id,
        identity: identity.to_owned(),
        request_id: started.request_id.clone(),
        suggest_continue_as_new: started.suggest,
        suggest_continue_as_new_reasons: started.reasons.clone(),
        history_size_bytes: started.history_bytes,
        worker_version: worker_version.cloned(),
        ..Default::default()
    })
}
