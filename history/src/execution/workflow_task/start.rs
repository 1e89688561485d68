//! A worker takes the workflow task: by a poll, or at once with the answer to the one before.

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::temporal::api::common::v1::{WorkerVersionStamp, WorkflowExecution, WorkflowType};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowTaskScheduledEventAttributes, WorkflowTaskStartedEventAttributes,
};
use cairn_proto::temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::{Started, Task, normal_queue, suggestion, write_scheduled};
use crate::execution::state::State;
use crate::execution::transition::Draft;
use crate::execution::{
    Answer, Outcome, Refusal, Run, StartTask, TaskStarted, Volatile, WorkflowTaskToken, answer,
    refuse, step, wire,
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
            answer(context.ticket, polled(run.id, state, run.volatile))
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
    let mut draft = Draft::new(state, context.now, context.limits);
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
    let answered = polled(run.id, head, run.volatile);
    step(transition, context.ticket, answered)
}

/// Writes Started, behind a Scheduled if events came since a transient task was scheduled.
fn take(
    draft: &mut Draft<'_>,
    request_id: &str,
    identity: &str,
    worker_version: Option<&WorkerVersionStamp>,
) {
    let (suggest_continue_as_new, suggest_continue_as_new_reasons) = suggestion(draft);
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
    if !task.written {
        let timeout = draft.state.origin.task_timeout;
        write_scheduled(draft, 1, timeout, draft.now);
    }
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
            worker_version: worker_version.cloned(),
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
) -> Answered<crate::execution::Workflow> {
    match started_answer(id, state, volatile, false) {
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

/// The started task as a worker gets it, and the range of durable events that goes with it; `known`: the worker knows the
/// run up to the task before.
pub(crate) fn started_answer(
    id: RunId,
    state: &State,
    volatile: &mut Volatile,
    known: bool,
) -> Option<(TaskStarted, i64, i64)> {
    let (task, started) = state.task.started_task()?;
    let from = if known || task.sticky.is_some() {
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

/// The events of a transient task that a reader of the history sees behind the durable ones: without the worker.
pub(crate) fn pending_suffix(state: &State) -> Vec<HistoryEvent> {
    let transient = state.task.current.as_ref().filter(|task| {
        // Behind newer events it will be written anew.
        !task.written && task.scheduled_event_id == state.next_event_id
    });
    transient.map_or_else(Vec::new, |task| suffix(state, task, false))
}

/// The events of a transient task, as they will be written if it completes.
fn suffix(state: &State, task: &Task, named: bool) -> Vec<HistoryEvent> {
    let scheduled = (
        task.scheduled_event_id,
        task.scheduled_time,
        transient_scheduled(state, task),
    );
    let started = task.started.as_ref().map(|started| {
        (
            started.event_id,
            started.time,
            transient_started(
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

pub(super) fn transient_scheduled(state: &State, task: &Task) -> Attributes {
    Attributes::WorkflowTaskScheduledEventAttributes(WorkflowTaskScheduledEventAttributes {
        task_queue: Some(normal_queue(&state.origin.task_queue)),
        start_to_close_timeout: Some(wire::duration(task.start_to_close)),
        attempt: state.task.attempt,
    })
}

/// Started of a transient task; `identity` and build are what is known of the worker by then.
pub(super) fn transient_started(
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
