//! `DeleteWorkflowExecution`.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) async fn delete(
    frontend: &Frontend,
    request: pb::DeleteWorkflowExecutionRequest,
) -> Result<pb::DeleteWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check::execution(request.workflow_execution.as_ref())?;
    let message = history::DeleteWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .delete_workflow_execution(Request::new(message));
    answer(asked.await)
}
