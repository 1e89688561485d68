//! `RequestCancelWorkflowExecution`.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) async fn request_cancel(
    frontend: &Frontend,
    mut request: pb::RequestCancelWorkflowExecutionRequest,
) -> Result<pb::RequestCancelWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check::execution(request.workflow_execution.as_ref())?;
    frontend.check_links(&request.links)?;
    frontend.fill_in_request_id(&mut request.request_id);
    let message = history::RequestCancelWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .request_cancel_workflow_execution(Request::new(message));
    answer(asked.await)
}
