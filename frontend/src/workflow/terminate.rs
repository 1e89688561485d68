//! `TerminateWorkflowExecution`.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) async fn terminate(
    frontend: &Frontend,
    mut request: pb::TerminateWorkflowExecutionRequest,
) -> Result<pb::TerminateWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check::execution(request.workflow_execution.as_ref())?;
    frontend.check_links(&request.links)?;
    // So that what a user ended can be told from what the system ended.
    if request.reason.is_empty() {
        "terminated by user via frontend".clone_into(&mut request.reason);
    }
    if request.identity.is_empty() {
        "frontend-service".clone_into(&mut request.identity);
    }
    let message = history::TerminateWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .terminate_workflow_execution(Request::new(message));
    answer(asked.await)
}
