//! `UpdateWorkflowExecutionOptions`.

use cairn_history::execution::check_paths;
use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) async fn update(
    frontend: &Frontend,
    request: pb::UpdateWorkflowExecutionOptionsRequest,
) -> Result<pb::UpdateWorkflowExecutionOptionsResponse, Error> {
    let execution = request.workflow_execution.clone().unwrap_or_default();
    if execution.workflow_id.is_empty() {
        return Err(Error::invalid("WorkflowId is not set on request."));
    }
    let mask = request.update_mask.as_ref();
    let mask = mask.ok_or_else(|| Error::invalid("UpdateMask is required"))?;
    let options = request.workflow_execution_options.as_ref();
    let options = options.ok_or_else(|| Error::invalid("WorkflowExecutionOptions is required"))?;
    check_paths(&mask.paths)
        .map_err(|why| Error::invalid(format!("error parsing UpdateMask: {why}")))?;
    check::priority(options.priority.as_ref())?;
    let namespace = frontend.namespace(&request.namespace)?;
    if !execution.run_id.is_empty() && uuid::Uuid::parse_str(&execution.run_id).is_err() {
        return Err(Error::invalid("RunId is not valid UUID."));
    }
    let message = history::UpdateWorkflowExecutionOptionsRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .update_workflow_execution_options(Request::new(message));
    answer(asked.await)
}
