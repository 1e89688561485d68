//! `DescribeWorkflowExecution`.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) async fn describe(
    frontend: &Frontend,
    request: pb::DescribeWorkflowExecutionRequest,
) -> Result<pb::DescribeWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check::execution(request.execution.as_ref())?;
    let message = history::DescribeWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .describe_workflow_execution(Request::new(message));
    let mut response = answer(asked.await)?;
    let info = response.workflow_execution_info.as_mut();
    if let Some(attributes) = info.and_then(|info| info.search_attributes.as_mut()) {
        check::search_attribute::annotate(&namespace, attributes);
    }
    Ok(response)
}
