//! Answers to workflow tasks and to query tasks.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::matching::v1 as matching;
use cairn_proto::cairn::token::v1::{Query, Task};
use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::command::v1::command::Attributes;
use cairn_proto::temporal::api::enums::v1::QueryResultType;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::check::Version;
use crate::error::Error;
use crate::{Frontend, answer, check};

#[expect(deprecated, reason = "workers still say their version in the old way")]
pub(crate) async fn completed(
    frontend: &Frontend,
    mut request: pb::RespondWorkflowTaskCompletedRequest,
) -> Result<pb::RespondWorkflowTaskCompletedResponse, Error> {
    let (namespace, token) = frontend.task::<Task>(&request.namespace, &request.task_token)?;
    check::identity(&frontend.config, &request.identity)?;
    let sticky = request.sticky_attributes.as_ref();
    Version::answering(
        request.worker_version_stamp.as_ref(),
        request.deployment_options.as_ref(),
    )
    .check(
        &frontend.config,
        sticky.and_then(|sticky| sticky.worker_task_queue.as_ref()),
    )?;
    for named in request.commands.iter().filter_map(other_namespace) {
        frontend.namespace(named)?;
    }
    request.namespace.clone_from(&namespace.name);
    let message = history::RespondWorkflowTaskCompletedRequest {
        token: Some(token),
        search_attributes: check::search_attribute::registry_for(&namespace, &request.commands),
        request: Some(request),
    };
    let asked = frontend
        .history
        .respond_workflow_task_completed(Request::new(message));
    let mut response = answer(asked.await)?;
    if let Some(task) = &mut response.workflow_task {
        frontend.seal_workflow_task(task);
    }
    for task in &mut response.activity_tasks {
        frontend.seal_activity_task(task, &namespace);
    }
    Ok(response)
}

/// The namespace that a command names.
#[expect(deprecated, reason = "older SDKs still send these fields")]
fn other_namespace(command: &Command) -> Option<&str> {
    let named = match command.attributes.as_ref()? {
        Attributes::SignalExternalWorkflowExecutionCommandAttributes(it) => &it.namespace,
        Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(it) => &it.namespace,
        Attributes::StartChildWorkflowExecutionCommandAttributes(it) => &it.namespace,
        _ => return None,
    };
    (!named.is_empty()).then_some(named)
}

pub(crate) async fn failed(
    frontend: &Frontend,
    mut request: pb::RespondWorkflowTaskFailedRequest,
) -> Result<pb::RespondWorkflowTaskFailedResponse, Error> {
    let (_, token) = frontend.task::<Task>(&request.namespace, &request.task_token)?;
    check::identity(&frontend.config, &request.identity)?;
    if check::too_large(&frontend.config, request.failure.as_ref()) {
        request.failure = request
            .failure
            .map(|failure| check::failure::cut(&frontend.config, failure));
    }
    let message = history::RespondWorkflowTaskFailedRequest {
        token: Some(token),
        request: Some(request),
    };
    answer(
        frontend
            .history
            .respond_workflow_task_failed(Request::new(message))
            .await,
    )
}

pub(crate) async fn query_completed(
    frontend: &Frontend,
    mut request: pb::RespondQueryTaskCompletedRequest,
) -> Result<pb::RespondQueryTaskCompletedResponse, Error> {
    let (_, token) = frontend.task::<Query>(&request.namespace, &request.task_token)?;
    if token.task_queue.is_empty() || token.query_id.is_empty() {
        return Err(Error::invalid("Invalid TaskToken."));
    }
    if request.completed_type() == QueryResultType::Unspecified {
        return Err(Error::invalid(
            "CompletedType is neither answered nor failed.",
        ));
    }
    if check::too_large(&frontend.config, request.query_result.as_ref()) {
        request.completed_type = QueryResultType::Failed.into();
        request.query_result = None;
        "Blob data size exceeds limit.".clone_into(&mut request.error_message);
    }
    let message = matching::RespondQueryTaskCompletedRequest {
        token: Some(token),
        request: Some(request),
    };
    answer(
        frontend
            .matching
            .respond_query_task_completed(Request::new(message))
            .await,
    )
}
