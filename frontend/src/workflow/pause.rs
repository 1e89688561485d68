//! `PauseWorkflowExecution` and `UnpauseWorkflowExecution`.
//!
//! Where pauses are off none can begin; a workflow that was paused before may go on.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::config::Config;
use crate::error::Error;
use crate::{Frontend, answer};

pub(crate) async fn pause(
    frontend: &Frontend,
    request: pb::PauseWorkflowExecutionRequest,
) -> Result<pb::PauseWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    if !frontend.config.workflow_pause {
        return Err(Error::off(format!(
            "workflow pause is not enabled for namespace: {}",
            request.namespace
        )));
    }
    let texts = [&request.reason, &request.request_id, &request.identity];
    check_lengths(texts, &frontend.config)?;
    check_target(&request.workflow_id, &request.run_id)?;
    let message = history::PauseWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .pause_workflow_execution(Request::new(message));
    answer(asked.await)
}

pub(crate) async fn unpause(
    frontend: &Frontend,
    request: pb::UnpauseWorkflowExecutionRequest,
) -> Result<pb::UnpauseWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let texts = [&request.reason, &request.request_id, &request.identity];
    check_lengths(texts, &frontend.config)?;
    check_target(&request.workflow_id, &request.run_id)?;
    let message = history::UnpauseWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .unpause_workflow_execution(Request::new(message));
    answer(asked.await)
}

fn check_lengths(texts: [&String; 3], config: &Config) -> Result<(), Error> {
    let names = ["reason", "request id", "identity"];
    let too_long = names
        .iter()
        .zip(texts)
        .find(|(_, text)| text.len() > config.max_id_length);
    too_long.map_or(Ok(()), |(name, _)| {
        Err(Error::invalid(format!("{name} is too long.")))
    })
}

fn check_target(workflow_id: &str, run_id: &str) -> Result<(), Error> {
    if workflow_id.is_empty() {
        return Err(Error::invalid(
            "Can't load workflow execution.  WorkflowId not set.",
        ));
    }
    if !run_id.is_empty() && uuid::Uuid::parse_str(run_id).is_err() {
        return Err(Error::invalid("RunId is not valid UUID."));
    }
    Ok(())
}
