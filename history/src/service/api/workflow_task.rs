//! Workflow tasks: started for a poll, answered by a worker.

use std::sync::Arc;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::token::v1 as token;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::enums::v1::TaskQueueKind;
use cairn_proto::temporal::api::history::v1::History;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::Status;

use super::{activity, wire};
use crate::execution::command::Command;
use crate::execution::{
    Answer, CompleteWorkflowTask, FailWorkflowTask, Question, StartTask, TaskStarted, update,
};
use crate::id::{Key, RunId};
use crate::search_attribute::Registry;
use crate::service::{Reply, Shell, events};
use crate::shard::Slice;

pub(super) async fn started(
    shell: &Arc<Shell>,
    request: history::RecordTaskStartedRequest,
) -> Result<public::PollWorkflowTaskQueueResponse, Status> {
    let (key, run, start) = start_task(request)?;
    let reply = shell
        .ask(key.clone(), run, None, Question::StartWorkflowTask(start))
        .await?;
    let Reply {
        answer: Answer::WorkflowTaskStarted(task),
        events,
    } = reply
    else {
        return Err(wire::unexpected(&reply));
    };
    response(shell, &key, *task, events).await
}

pub(super) fn start_task(
    request: history::RecordTaskStartedRequest,
) -> Result<(Key, Option<RunId>, StartTask), Status> {
    let history::RecordTaskStartedRequest {
        namespace_id,
        workflow_id,
        run_id,
        scheduled_event_id,
        attempt,
        request_id,
        identity,
        task_queue,
        worker_version,
    } = request;
    let key = Key {
        namespace: wire::namespace(&namespace_id)?,
        workflow_id,
    };
    let queue = task_queue.unwrap_or_default();
    let sticky = queue.kind() == TaskQueueKind::Sticky;
    let start = StartTask {
        scheduled_event_id,
        attempt,
        request_id,
        identity,
        queue: queue.name,
        sticky,
        worker_version,
    };
    Ok((key, wire::run_bytes(&run_id)?, start))
}

/// The poll's answer: the task with its token and its history, or the first page of it.
pub(super) async fn response(
    shell: &Arc<Shell>,
    key: &Key,
    task: TaskStarted,
    slice: Option<Slice>,
) -> Result<public::PollWorkflowTaskQueueResponse, Status> {
    let TaskStarted {
        run,
        mut response,
        token,
        suffix,
    } = task;
    response.task_token = wire::task_token(key, run, token);
    let (mut read, rest) = match slice {
        Some(slice) => events::assemble(&*shell.store, slice).await?,
        None => (Vec::new(), None),
    };
    match rest {
        None => read.extend(suffix), // goes on the last page only
        Some(next_event_id) => {
            response.next_page_token = token::HistoryPage {
                namespace_id: key.namespace.0.to_vec(),
                workflow_id: key.workflow_id.clone(),
                run_id: run.0.to_vec(),
                next_event_id,
                end_event_id: response.started_event_id + 1,
                reverse: false,
            }
            .encode_to_vec();
        }
    }
    response.history = Some(History { events: read });
    Ok(response)
}

pub(super) async fn completed(
    shell: &Arc<Shell>,
    request: history::RespondWorkflowTaskCompletedRequest,
) -> Result<public::RespondWorkflowTaskCompletedResponse, Status> {
    let history::RespondWorkflowTaskCompletedRequest {
        token,
        request,
        search_attributes,
    } = request;
    let token = wire::required(token, "TaskToken")?;
    let (key, run) = wire::token_target(&token)?;
    let complete = CompleteWorkflowTask {
        registry: search_attributes.map(Into::into).unwrap_or_default(),
        ..destructure(&token, wire::required(request, "Request")?)
    };
    let reply = shell
        .ask(
            key.clone(),
            run,
            None,
            Question::CompleteWorkflowTask(Box::new(complete)),
        )
        .await?;
    let Reply {
        answer: Answer::WorkflowTaskCompleted(completed),
        events,
    } = reply
    else {
        return Err(wire::unexpected(&reply));
    };
    let workflow_task = match completed.workflow_task {
        Some(task) => Some(response(shell, &key, *task, events).await?),
        None => None,
    };
    let activity_tasks = completed
        .activity_tasks
        .into_iter()
        .map(|(task, token)| activity::with_token(&key, task, &token))
        .collect::<Result<_, _>>()?;
    Ok(public::RespondWorkflowTaskCompletedResponse {
        workflow_task,
        activity_tasks,
        reset_history_event_id: completed.reset_history_event_id,
    })
}

fn destructure(
    token: &token::Task,
    request: public::RespondWorkflowTaskCompletedRequest,
) -> CompleteWorkflowTask {
    #[expect(deprecated, reason = "older SDKs still send these fields")]
    let public::RespondWorkflowTaskCompletedRequest {
        namespace,
        commands,
        identity,
        sticky_attributes,
        return_new_workflow_task,
        force_create_new_workflow_task,
        binary_checksum,
        query_results,
        worker_version_stamp,
        messages,
        sdk_metadata,
        metering_metadata,
        deployment_options,
        capabilities,
        ..
    } = request;
    let sticky = sticky_attributes.and_then(|sticky| {
        let queue = sticky.worker_task_queue?.name;
        (!queue.is_empty()).then(|| (queue, wire::duration(sticky.schedule_to_start_timeout)))
    });
    CompleteWorkflowTask {
        token: wire::workflow_task_token(token),
        namespace,
        identity,
        commands: commands.into_iter().map(Command::from).collect(),
        sticky,
        return_new_workflow_task,
        force_create_new_workflow_task,
        query_results,
        sdk_metadata,
        metering_metadata,
        binary_checksum,
        worker_version: worker_version_stamp,
        deployment_options,
        messages: messages.into_iter().map(update::Message::from).collect(),
        may_drop_events: capabilities
            .is_some_and(|it| it.discard_speculative_workflow_task_with_events),
        registry: Registry::default(),
    }
}

pub(super) async fn failed(
    shell: &Arc<Shell>,
    request: history::RespondWorkflowTaskFailedRequest,
) -> Result<public::RespondWorkflowTaskFailedResponse, Status> {
    let history::RespondWorkflowTaskFailedRequest { token, request } = request;
    let token = wire::required(token, "TaskToken")?;
    let (key, run) = wire::token_target(&token)?;
    #[expect(deprecated, reason = "older SDKs still send these fields")]
    let public::RespondWorkflowTaskFailedRequest {
        cause,
        failure,
        identity,
        binary_checksum,
        worker_version,
        ..
    } = wire::required(request, "Request")?;
    let fail = FailWorkflowTask {
        token: wire::workflow_task_token(&token),
        cause,
        failure,
        identity,
        binary_checksum,
        worker_version,
    };
    shell
        .ask(key, run, None, Question::FailWorkflowTask(Box::new(fail)))
        .await?;
    Ok(public::RespondWorkflowTaskFailedResponse {})
}
