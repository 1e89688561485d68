//! `QueryWorkflow`.

use cairn_history::id::Time;
use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::enums::v1::QueryRejectCondition;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::deadline::{self, timestamp};
use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) async fn query(
    frontend: &Frontend,
    mut request: pb::QueryWorkflowRequest,
    deadline: Option<Time>,
) -> Result<pb::QueryWorkflowResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check::execution(request.execution.as_ref())?;
    let query = request.query.as_ref();
    let query = query.ok_or_else(|| Error::invalid("WorkflowQuery is not set on request."))?;
    if query.query_type.is_empty() {
        return Err(Error::invalid("QueryType is not set on request."));
    }
    check::payloads(&frontend.config, query.query_args.as_ref())?;
    if request.query_reject_condition == i32::from(QueryRejectCondition::Unspecified) {
        request.query_reject_condition = QueryRejectCondition::None.into();
    }
    let message = history::QueryWorkflowRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
        deadline: Some(timestamp(deadline::query(deadline, frontend.now()))),
    };
    answer(frontend.history.query_workflow(Request::new(message)).await)
}
