//! `ResetWorkflowExecution`.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::enums::v1::ResetReapplyType;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

#[expect(deprecated, reason = "clients still send the old field")]
pub(crate) async fn reset(
    frontend: &Frontend,
    request: pb::ResetWorkflowExecutionRequest,
) -> Result<pb::ResetWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    if request.request_id.is_empty() {
        return Err(Error::invalid("RequestId is not set on request."));
    }
    check::within_limit("RequestId", &request.request_id, &frontend.config)?;
    check::execution(request.workflow_execution.as_ref())?;
    if ResetReapplyType::try_from(request.reset_reapply_type).is_err() {
        return Err(Error::invalid(format!(
            "unknown reset reapply type: {}",
            request.reset_reapply_type
        )));
    }
    let message = history::ResetWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .reset_workflow_execution(Request::new(message));
    answer(asked.await)
}
