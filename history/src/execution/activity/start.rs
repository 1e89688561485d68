//! A worker takes an attempt at an activity: by a poll, or eagerly with the answer that scheduled it.

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::temporal::api::common::v1::{ActivityType, WorkflowExecution, WorkflowType};
use cairn_proto::temporal::api::workflowservice::v1::PollActivityTaskQueueResponse;

use super::Activity;
use crate::execution::command::Attributes;
use crate::execution::state::State;
use crate::execution::transition::Draft;
use crate::execution::workflow_task::Completing;
use crate::execution::{
    ActivityToken, Answer, Outcome, Refusal, Run, StartTask, Volatile, inherited, refuse, step,
    wire,
};
use crate::id::RunId;
use crate::kind::{Answered, Context, Stop};

pub(crate) fn start(run: Run<'_>, question: &StartTask, context: &mut Context<'_>) -> Outcome {
    if !run.state.is_open() {
        return refuse(Refusal::Completed);
    }
    let over = || Refusal::NoSuchActivity("Activity task not found.".to_owned());
    let Some(activity) = run.state.activities.get(question.scheduled_event_id) else {
        return refuse(over());
    };
    // An offer may be older than what an operator did.
    let offered = activity.attempt == question.attempt && activity.task_queue == question.queue;
    if !offered || (activity.started.is_none() && !activity.waits()) {
        return refuse(over());
    }
    if let Some(started) = &activity.started {
        if started.request_id != question.request_id {
            return refuse(Refusal::TaskTaken);
        }
        let answered = polled(run.id, run.state, activity, run.volatile);
        return step(None, context.ticket, answered);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    take(
        &mut draft,
        activity,
        &question.request_id,
        &question.identity,
    );
    let transition = draft.finish().map_err(Stop::Refused)?;
    let head = transition.as_ref().map_or(run.state, |it| &it.state);
    let Some(activity) = head.activities.get(question.scheduled_event_id) else {
        return refuse(over());
    };
    let answered = polled(run.id, head, activity, run.volatile);
    step(transition, context.ticket, answered)
}

fn take(draft: &mut Draft<'_>, activity: &Activity, request_id: &str, identity: &str) {
    draft.change(Change::ActivityStarted(record::ActivityStarted {
        scheduled_event_id: activity.scheduled_event_id,
        request_id: request_id.to_owned(),
        identity: identity.to_owned(),
    }));
}

fn polled(
    id: RunId,
    state: &State,
    activity: &Activity,
    volatile: &Volatile,
) -> Answered<crate::execution::Workflow> {
    let mut response = response(id, state, activity);
    response.heartbeat_details = volatile
        .heartbeats
        .get(&activity.scheduled_event_id)
        .and_then(|beat| beat.details.clone());
    Answered {
        result: Ok(Answer::ActivityStarted(Box::new(response), token(activity))),
        reads: Some((
            id,
            activity.scheduled_event_id..activity.scheduled_event_id + 1,
        )),
    }
}

fn token(activity: &Activity) -> ActivityToken {
    ActivityToken::Attempt {
        scheduled_event_id: activity.scheduled_event_id,
        attempt: activity.attempt,
    }
}

/// The poll response without what the scheduled event holds (input, header) and without the namespace's name.
fn response(id: RunId, state: &State, activity: &Activity) -> PollActivityTaskQueueResponse {
    // A worker is told the timeouts of the event, whatever they are now.
    let options = activity.original.clone();
    let options = options.unwrap_or_else(|| super::options(activity));
    PollActivityTaskQueueResponse {
        workflow_type: Some(WorkflowType {
            name: state.origin.workflow_type.clone(),
        }),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: state.origin.workflow_id.clone(),
            run_id: id.to_string(),
        }),
        activity_type: Some(ActivityType {
            name: activity.type_name.clone(),
        }),
        activity_id: activity.id.clone(),
        scheduled_time: Some(wire::timestamp(activity.first_scheduled_time)),
        current_attempt_scheduled_time: Some(wire::timestamp(activity.scheduled_time)),
        started_time: activity
            .started
            .as_ref()
            .map(|started| wire::timestamp(started.time)),
        attempt: activity.attempt,
        schedule_to_close_timeout: options.schedule_to_close_timeout,
        start_to_close_timeout: options.start_to_close_timeout,
        heartbeat_timeout: options.heartbeat_timeout,
        retry_policy: Some(activity.policy.published()),
        priority: inherited(state.origin.priority.as_ref(), activity.priority.as_ref()),
        ..Default::default()
    }
}

/// Starts the activities that the worker has asked to have at once. Input and header are in its own commands.
pub(crate) fn start_eager(
    it: &mut Completing<'_, '_>,
) -> Vec<(PollActivityTaskQueueResponse, ActivityToken)> {
    let mut tasks = Vec::new();
    for (scheduled_event_id, index) in std::mem::take(&mut it.eager) {
        let Some(activity) = it.draft.state.activities.get(scheduled_event_id).cloned() else {
            continue;
        };
        let request_id = uuid::Uuid::from_u128(it.context.entropy.bits()).to_string();
        take(&mut it.draft, &activity, &request_id, &it.question.identity);
        let Some(activity) = it.draft.state.activities.get(scheduled_event_id) else {
            continue;
        };
        let mut task = response(it.run, &it.draft.state, activity);
        if let Some(Attributes::ScheduleActivity(command)) = it
            .question
            .commands
            .get(index)
            .map(|command| &command.attributes)
        {
            task.input.clone_from(&command.input);
            task.header.clone_from(&command.header);
        }
        tasks.push((task, token(activity)));
    }
    tasks
}
