//! What clients do to a run: signal, ask to cancel, terminate, pause, delete, reset its sticky queue.

use std::sync::Arc;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::enums::v1::EventType;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::Status;

use super::wire;
use crate::execution::{Answer, Pause, Question, RequestCancel, Signal, Terminate, UpdateOptions};
use crate::service::Shell;

pub(super) async fn signal(
    shell: &Arc<Shell>,
    request: history::SignalWorkflowExecutionRequest,
) -> Result<public::SignalWorkflowExecutionResponse, Status> {
    let history::SignalWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let public::SignalWorkflowExecutionRequest {
        namespace,
        workflow_execution,
        signal_name,
        input,
        identity,
        request_id,
        header,
        links,
        ..
    } = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, workflow_execution)?;
    let (workflow_id, reference) = (
        key.workflow_id.clone(),
        wire::request_reference(&request_id, EventType::WorkflowExecutionSignaled),
    );
    let signal = Signal {
        name: signal_name,
        input,
        header,
        identity,
        request_id,
        links,
    };
    let reply = shell.ask(key, run, None, Question::Signal(signal)).await?;
    let Answer::Signaled { run, .. } = reply.answer else {
        return Err(wire::unexpected(&reply));
    };
    let link = wire::link(&namespace, &workflow_id, run, reference);
    Ok(public::SignalWorkflowExecutionResponse { link: Some(link) })
}

pub(super) async fn request_cancel(
    shell: &Arc<Shell>,
    request: history::RequestCancelWorkflowExecutionRequest,
) -> Result<public::RequestCancelWorkflowExecutionResponse, Status> {
    let history::RequestCancelWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let public::RequestCancelWorkflowExecutionRequest {
        workflow_execution,
        identity,
        request_id,
        first_execution_run_id,
        reason,
        links,
        ..
    } = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, workflow_execution)?;
    let first_run = wire::first_run(&first_execution_run_id);
    let run = if first_run.is_some() { None } else { run }; // the chain decides, not the run
    let cancel = RequestCancel {
        reason,
        identity,
        request_id,
        links,
        first_run,
    };
    shell
        .ask(key, run, None, Question::RequestCancel(cancel))
        .await?;
    Ok(public::RequestCancelWorkflowExecutionResponse {})
}

pub(super) async fn terminate(
    shell: &Arc<Shell>,
    request: history::TerminateWorkflowExecutionRequest,
) -> Result<public::TerminateWorkflowExecutionResponse, Status> {
    let history::TerminateWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let public::TerminateWorkflowExecutionRequest {
        workflow_execution,
        reason,
        details,
        identity,
        first_execution_run_id,
        links,
        ..
    } = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, workflow_execution)?;
    let first_run = wire::first_run(&first_execution_run_id);
    let run = if first_run.is_some() { None } else { run };
    let terminate = Terminate {
        reason,
        details,
        identity,
        links,
        first_run,
    };
    shell
        .ask(key, run, None, Question::Terminate(terminate))
        .await?;
    Ok(public::TerminateWorkflowExecutionResponse {})
}

pub(super) async fn update_options(
    shell: &Arc<Shell>,
    request: history::UpdateWorkflowExecutionOptionsRequest,
) -> Result<public::UpdateWorkflowExecutionOptionsResponse, Status> {
    let history::UpdateWorkflowExecutionOptionsRequest {
        namespace_id,
        request,
    } = request;
    let public::UpdateWorkflowExecutionOptionsRequest {
        workflow_execution,
        workflow_execution_options,
        update_mask,
        identity,
        ..
    } = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, workflow_execution)?;
    let update = UpdateOptions {
        options: workflow_execution_options.unwrap_or_default(),
        paths: update_mask.unwrap_or_default().paths,
        identity,
    };
    let question = Question::UpdateOptions(Box::new(update));
    let reply = shell.ask(key, run, None, question).await?;
    let Answer::Options(options) = reply.answer else {
        return Err(wire::unexpected(&reply));
    };
    Ok(public::UpdateWorkflowExecutionOptionsResponse {
        workflow_execution_options: Some(*options),
        update_time: None,
    })
}

pub(super) async fn pause(
    shell: &Arc<Shell>,
    request: history::PauseWorkflowExecutionRequest,
) -> Result<public::PauseWorkflowExecutionResponse, Status> {
    let history::PauseWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let public::PauseWorkflowExecutionRequest {
        namespace: _,
        workflow_id,
        run_id,
        identity,
        reason,
        request_id,
    } = wire::required(request, "Request")?;
    let execution = WorkflowExecution {
        workflow_id,
        run_id,
    };
    let (key, run) = wire::target(&namespace_id, Some(execution))?;
    let pause = Pause {
        identity,
        reason,
        request_id,
    };
    shell.ask(key, run, None, Question::Pause(pause)).await?;
    Ok(public::PauseWorkflowExecutionResponse {})
}

pub(super) async fn unpause(
    shell: &Arc<Shell>,
    request: history::UnpauseWorkflowExecutionRequest,
) -> Result<public::UnpauseWorkflowExecutionResponse, Status> {
    let history::UnpauseWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let public::UnpauseWorkflowExecutionRequest {
        namespace: _,
        workflow_id,
        run_id,
        identity,
        reason,
        request_id,
    } = wire::required(request, "Request")?;
    let execution = WorkflowExecution {
        workflow_id,
        run_id,
    };
    let (key, run) = wire::target(&namespace_id, Some(execution))?;
    let unpause = Pause {
        identity,
        reason,
        request_id,
    };
    shell
        .ask(key, run, None, Question::Unpause(unpause))
        .await?;
    Ok(public::UnpauseWorkflowExecutionResponse {})
}

pub(super) async fn delete(
    shell: &Arc<Shell>,
    request: history::DeleteWorkflowExecutionRequest,
) -> Result<public::DeleteWorkflowExecutionResponse, Status> {
    let history::DeleteWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let request = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, request.workflow_execution)?;
    shell.ask(key, run, None, Question::Delete).await?;
    Ok(public::DeleteWorkflowExecutionResponse {})
}

pub(super) async fn reset_sticky(
    shell: &Arc<Shell>,
    request: history::ResetStickyTaskQueueRequest,
) -> Result<public::ResetStickyTaskQueueResponse, Status> {
    let history::ResetStickyTaskQueueRequest {
        namespace_id,
        request,
    } = request;
    let request = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, request.execution)?;
    let reply = shell.ask(key, run, None, Question::ResetSticky).await?;
    match reply.answer {
        Answer::Done | Answer::AlreadyDone => Ok(public::ResetStickyTaskQueueResponse {}),
        _ => Err(wire::unexpected(&reply)),
    }
}
