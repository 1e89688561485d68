//! `UpdateWorkflowExecution` and `PollWorkflowExecutionUpdate`.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::enums::v1::UpdateWorkflowExecutionLifecycleStage as Lifecycle;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) async fn update(
    frontend: &Frontend,
    mut request: pb::UpdateWorkflowExecutionRequest,
) -> Result<pb::UpdateWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check_update(frontend, &mut request)?;
    let message = history::UpdateWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .update_workflow_execution(Request::new(message));
    answer(asked.await)
}

/// An update without an id gets one; who does not say what to wait for waits for the outcome.
pub(super) fn check_update(
    frontend: &Frontend,
    request: &mut pb::UpdateWorkflowExecutionRequest,
) -> Result<(), Error> {
    check::execution(request.workflow_execution.as_ref())?;
    let update = request.request.get_or_insert_default();
    let meta = update.meta.as_mut();
    let meta = meta.ok_or_else(|| Error::invalid("Update meta is not set on request."))?;
    check::within_limit("UpdateId", &meta.update_id, &frontend.config)?;
    frontend.fill_in_request_id(&mut meta.update_id);
    let input = update.input.as_ref();
    let input = input.ok_or_else(|| Error::invalid("Update input is not set on request."))?;
    if input.name.is_empty() {
        return Err(Error::invalid("Update name is not set on request."));
    }
    let policy = request.wait_policy.get_or_insert_default();
    if policy.lifecycle_stage == i32::from(Lifecycle::Unspecified) {
        policy.lifecycle_stage = Lifecycle::Completed.into();
    }
    if policy.lifecycle_stage == i32::from(Lifecycle::Admitted) {
        return Err(Error::Denied(
            "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported.",
        ));
    }
    Ok(())
}

pub(crate) async fn poll(
    frontend: &Frontend,
    request: pb::PollWorkflowExecutionUpdateRequest,
) -> Result<pb::PollWorkflowExecutionUpdateResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let reference = request.update_ref.as_ref();
    let reference = reference.ok_or_else(|| Error::invalid("UpdateRef is not set on request."))?;
    let execution = reference.workflow_execution.as_ref();
    let execution = execution.filter(|execution| !execution.workflow_id.is_empty());
    let execution = execution
        .ok_or_else(|| Error::invalid("Can't load workflow execution.  WorkflowId not set."))?;
    if !execution.run_id.is_empty() && uuid::Uuid::parse_str(&execution.run_id).is_err() {
        return Err(Error::invalid("RunId is not valid UUID."));
    }
    let message = history::PollWorkflowExecutionUpdateRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .poll_workflow_execution_update(Request::new(message));
    answer(asked.await)
}
