//! Activities: started for a poll, heartbeats, and the three ways to end.

use std::sync::Arc;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::token::v1 as token;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::Status;

use super::{wire, workflow_task};
use crate::execution::{
    ActivityToken, Answer, CancelActivity, CompleteActivity, FailActivity, HeartbeatActivity,
    Question,
};
use crate::id::{Key, RunId};
use crate::service::{Reply, Shell, events};

pub(super) async fn started(
    shell: &Arc<Shell>,
    request: history::RecordTaskStartedRequest,
) -> Result<public::PollActivityTaskQueueResponse, Status> {
    let (key, run, start) = workflow_task::start_task(request)?;
    let reply = shell
        .ask(key.clone(), run, None, Question::StartActivity(start))
        .await?;
    let Reply {
        answer: Answer::ActivityStarted(mut task, attempt),
        events,
    } = reply
    else {
        return Err(wire::unexpected(&reply));
    };
    if let Some(slice) = events {
        let (read, _) = events::assemble(&*shell.store, slice).await?;
        let scheduled = read.into_iter().find_map(|event| match event.attributes {
            Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => Some(scheduled),
            _ => None,
        });
        let Some(scheduled) = scheduled else {
            return Err(Status::data_loss(
                "the scheduled event of an activity is missing",
            ));
        };
        task.input = scheduled.input;
        task.header = scheduled.header;
    }
    with_token(&key, *task, &attempt)
}

/// The task with the token by which its worker will answer.
pub(super) fn with_token(
    key: &Key,
    mut task: public::PollActivityTaskQueueResponse,
    attempt: &ActivityToken,
) -> Result<public::PollActivityTaskQueueResponse, Status> {
    let ActivityToken::Attempt {
        scheduled_event_id,
        attempt,
    } = *attempt
    else {
        return Err(Status::internal("an activity started without an attempt"));
    };
    let run: Option<RunId> = task
        .workflow_execution
        .as_ref()
        .and_then(|execution| execution.run_id.parse().ok());
    task.task_token = token::Task {
        namespace_id: key.namespace.0.to_vec(),
        workflow_id: key.workflow_id.clone(),
        run_id: run.unwrap_or_default().0.to_vec(),
        scheduled_event_id,
        attempt,
        activity_id: task.activity_id.clone(),
        ..token::Task::default()
    }
    .encode_to_vec();
    Ok(task)
}

/// Which activity a token means: without a scheduled event it is one of an answer by id.
fn meant(token: &token::Task) -> ActivityToken {
    if token.scheduled_event_id == 0 {
        ActivityToken::Id(token.activity_id.clone())
    } else {
        ActivityToken::Attempt {
            scheduled_event_id: token.scheduled_event_id,
            attempt: token.attempt,
        }
    }
}

pub(super) async fn heartbeat(
    shell: &Arc<Shell>,
    request: history::RecordActivityTaskHeartbeatRequest,
) -> Result<public::RecordActivityTaskHeartbeatResponse, Status> {
    let history::RecordActivityTaskHeartbeatRequest { token, request } = request;
    let token = wire::required(token, "TaskToken")?;
    let (key, run) = wire::token_target(&token)?;
    let public::RecordActivityTaskHeartbeatRequest {
        details, identity, ..
    } = wire::required(request, "Request")?;
    let question = Question::Heartbeat(meant(&token), HeartbeatActivity { details, identity });
    let reply = shell.ask(key, run, None, question).await?;
    let Answer::Heartbeat {
        cancel_requested,
        paused,
        reset,
    } = reply.answer
    else {
        return Err(wire::unexpected(&reply));
    };
    Ok(public::RecordActivityTaskHeartbeatResponse {
        cancel_requested,
        activity_paused: paused,
        activity_reset: reset,
    })
}

pub(super) async fn completed(
    shell: &Arc<Shell>,
    request: history::RespondActivityTaskCompletedRequest,
) -> Result<public::RespondActivityTaskCompletedResponse, Status> {
    let history::RespondActivityTaskCompletedRequest { token, request } = request;
    let token = wire::required(token, "TaskToken")?;
    let (key, run) = wire::token_target(&token)?;
    #[expect(deprecated, reason = "workers still say their build in the old way")]
    let public::RespondActivityTaskCompletedRequest {
        result,
        identity,
        worker_version,
        ..
    } = wire::required(request, "Request")?;
    let complete = CompleteActivity {
        result,
        identity,
        worker_version,
    };
    let question = Question::CompleteActivity(meant(&token), complete);
    shell.ask(key, run, None, question).await?;
    Ok(public::RespondActivityTaskCompletedResponse {})
}

pub(super) async fn failed(
    shell: &Arc<Shell>,
    request: history::RespondActivityTaskFailedRequest,
) -> Result<public::RespondActivityTaskFailedResponse, Status> {
    let history::RespondActivityTaskFailedRequest { token, request } = request;
    let token = wire::required(token, "TaskToken")?;
    let (key, run) = wire::token_target(&token)?;
    #[expect(deprecated, reason = "workers still say their build in the old way")]
    let public::RespondActivityTaskFailedRequest {
        failure,
        identity,
        last_heartbeat_details,
        worker_version,
        ..
    } = wire::required(request, "Request")?;
    let fail = FailActivity {
        failure,
        last_heartbeat_details,
        identity,
        worker_version,
    };
    let reply = shell
        .ask(
            key,
            run,
            None,
            Question::FailActivity(meant(&token), Box::new(fail)),
        )
        .await?;
    let failures = match reply.answer {
        Answer::Failures(failures) => failures,
        _ => Vec::new(),
    };
    Ok(public::RespondActivityTaskFailedResponse { failures })
}

pub(super) async fn canceled(
    shell: &Arc<Shell>,
    request: history::RespondActivityTaskCanceledRequest,
) -> Result<public::RespondActivityTaskCanceledResponse, Status> {
    let history::RespondActivityTaskCanceledRequest { token, request } = request;
    let token = wire::required(token, "TaskToken")?;
    let (key, run) = wire::token_target(&token)?;
    let public::RespondActivityTaskCanceledRequest {
        details, identity, ..
    } = wire::required(request, "Request")?;
    let question = Question::CancelActivity(meant(&token), CancelActivity { details, identity });
    shell.ask(key, run, None, question).await?;
    Ok(public::RespondActivityTaskCanceledResponse {})
}
