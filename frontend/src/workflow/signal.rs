//! `SignalWorkflowExecution` and `SignalWithStartWorkflowExecution`.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::enums::v1::WorkflowIdConflictPolicy;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use super::id_policies;
use super::start::{check_delay, check_override, check_timeouts};
use crate::error::Error;
use crate::namespace::Namespace;
use crate::{Frontend, answer, check};

pub(crate) async fn signal(
    frontend: &Frontend,
    request: pb::SignalWorkflowExecutionRequest,
) -> Result<pb::SignalWorkflowExecutionResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let config = &frontend.config;
    check::execution(request.workflow_execution.as_ref())?;
    if request.signal_name.is_empty() {
        return Err(Error::invalid("SignalName is not set on request."));
    }
    check::within_limit("SignalName", &request.signal_name, config)?;
    check::within_limit("RequestId", &request.request_id, config)?;
    frontend.check_links(&request.links)?;
    check::payloads(config, request.input.as_ref())?;
    let message = history::SignalWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .signal_workflow_execution(Request::new(message));
    answer(asked.await)
}

pub(crate) async fn signal_with_start(
    frontend: &Frontend,
    mut request: pb::SignalWithStartWorkflowExecutionRequest,
) -> Result<pb::SignalWithStartWorkflowExecutionResponse, Error> {
    let namespace = frontend.open_namespace(&request.namespace)?;
    let search_attributes = check_signal_with_start(frontend, &namespace, &mut request)?;
    let message = history::SignalWithStartWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        retention: namespace.record.retention,
        request: Some(request),
        search_attributes,
    };
    let asked = frontend
        .history
        .signal_with_start_workflow_execution(Request::new(message));
    answer(asked.await)
}

/// What history must know of search attributes, if some are set.
fn check_signal_with_start(
    frontend: &Frontend,
    namespace: &Namespace,
    request: &mut pb::SignalWithStartWorkflowExecutionRequest,
) -> Result<Option<history::SearchAttributeRegistry>, Error> {
    let config = &frontend.config;
    check::cron::schedule(&request.cron_schedule, frontend.now())?;
    check::workflow_id(config, &request.workflow_id)?;
    if request.signal_name.is_empty() {
        return Err(Error::invalid("signal not set"));
    }
    check::not_longer("signal name", &request.signal_name, config)?;
    let workflow_type = request.workflow_type.as_ref().map_or("", |kind| &kind.name);
    if workflow_type.is_empty() {
        return Err(Error::invalid("workflow type not set"));
    }
    check::not_longer("workflow type name", workflow_type, config)?;
    check::own_task_queue(config, request.task_queue.as_mut())?;
    frontend.fill_in_request_id(&mut request.request_id);
    check::not_longer("Request ID", &request.request_id, config)?;
    check_timeouts([
        request.workflow_execution_timeout.as_mut(),
        request.workflow_run_timeout.as_mut(),
        request.workflow_task_timeout.as_mut(),
    ])?;
    check::retry_policy(request.retry_policy.as_mut())?;
    check_delay(
        &request.cron_schedule,
        request.workflow_start_delay.as_mut(),
    )?;
    let asked_to_fail =
        request.workflow_id_conflict_policy == i32::from(WorkflowIdConflictPolicy::Fail);
    id_policies(
        &mut request.workflow_id_reuse_policy,
        &mut request.workflow_id_conflict_policy,
        WorkflowIdConflictPolicy::UseExisting,
    )?;
    if asked_to_fail {
        return Err(Error::invalid(
            "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.",
        ));
    }
    let registry =
        check::search_attribute::set(config, namespace, request.search_attributes.as_ref())?;
    check::priority(request.priority.as_ref())?;
    frontend.check_links(&request.links)?;
    check_override(request.versioning_override.as_ref())?;
    check::payloads(config, request.signal_input.as_ref())?;
    check::payloads(config, request.input.as_ref())?;
    check::memo(config, request.memo.as_ref())?;
    Ok(registry)
}
