//! `StartWorkflowExecution`, and what it has in common with `SignalWithStartWorkflowExecution`.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::prost_types::Duration;
use cairn_proto::temporal::api::enums::v1::{VersioningBehavior, WorkflowIdConflictPolicy};
use cairn_proto::temporal::api::workflow::v1::{OnConflictOptions, VersioningOverride};
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use super::id_policies;
use crate::error::Error;
use crate::namespace::Namespace;
use crate::{Frontend, answer, check};

pub(crate) async fn start(
    frontend: &Frontend,
    mut request: pb::StartWorkflowExecutionRequest,
) -> Result<pb::StartWorkflowExecutionResponse, Error> {
    let namespace = frontend.open_namespace(&request.namespace)?;
    let search_attributes = check_start(frontend, &namespace, &mut request)?;
    let message = history::StartWorkflowExecutionRequest {
        namespace_id: namespace.id_bytes(),
        retention: namespace.record.retention,
        request: Some(request),
        search_attributes,
    };
    let asked = frontend
        .history
        .start_workflow_execution(Request::new(message));
    let mut response = answer(asked.await)?;
    if let Some(task) = &mut response.eager_workflow_task {
        frontend.seal_workflow_task(task);
    }
    Ok(response)
}

/// What history must know of search attributes, if some are set.
pub(super) fn check_start(
    frontend: &Frontend,
    namespace: &Namespace,
    request: &mut pb::StartWorkflowExecutionRequest,
) -> Result<Option<history::SearchAttributeRegistry>, Error> {
    let config = &frontend.config;
    check::workflow_id(config, &request.workflow_id)?;
    check::retry_policy(request.retry_policy.as_mut())?;
    check_delay(
        &request.cron_schedule,
        request.workflow_start_delay.as_mut(),
    )?;
    check::cron::schedule(&request.cron_schedule, frontend.now())?;
    let workflow_type = request.workflow_type.as_ref().map_or("", |kind| &kind.name);
    if workflow_type.is_empty() {
        return Err(Error::invalid("WorkflowType is not set on request."));
    }
    check::within_limit("WorkflowType", workflow_type, config)?;
    check::own_task_queue(config, request.task_queue.as_mut())?;
    check_timeouts([
        request.workflow_execution_timeout.as_mut(),
        request.workflow_run_timeout.as_mut(),
        request.workflow_task_timeout.as_mut(),
    ])?;
    frontend.fill_in_request_id(&mut request.request_id);
    check::within_limit("RequestId", &request.request_id, config)?;
    id_policies(
        &mut request.workflow_id_reuse_policy,
        &mut request.workflow_id_conflict_policy,
        WorkflowIdConflictPolicy::Fail,
    )?;
    check_on_conflict(request.on_conflict_options.as_ref())?;
    let registry =
        check::search_attribute::set(config, namespace, request.search_attributes.as_ref())?;
    check::priority(request.priority.as_ref())?;
    check::callback::callbacks(config, &mut request.completion_callbacks)?;
    frontend.check_links(&request.links)?;
    check_override(request.versioning_override.as_ref())?;
    check::payloads(config, request.input.as_ref())?;
    check::memo(config, request.memo.as_ref())?;
    request.request_eager_execution &= config.eager_workflow_start;
    Ok(registry)
}

pub(super) fn check_delay(cron: &str, delay: Option<&mut Duration>) -> Result<(), Error> {
    if !cron.is_empty() && delay.is_some() {
        return Err(Error::invalid(
            "CronSchedule and WorkflowStartDelay may not be used together.",
        ));
    }
    check::timeout("WorkflowStartDelaySeconds", delay)
}

/// The timeouts of the execution, of the run and of a workflow task.
pub(super) fn check_timeouts(timeouts: [Option<&mut Duration>; 3]) -> Result<(), Error> {
    const FIELDS: [&str; 3] = [
        "WorkflowExecutionTimeoutSeconds",
        "WorkflowRunTimeoutSeconds",
        "WorkflowTaskTimeoutSeconds",
    ];
    let mut fields = FIELDS.iter().zip(timeouts);
    fields.try_for_each(|(field, timeout)| check::timeout(field, timeout))
}

fn check_on_conflict(options: Option<&OnConflictOptions>) -> Result<(), Error> {
    match options {
        Some(options) if options.attach_completion_callbacks && !options.attach_request_id => Err(
            Error::invalid("attaching request ID is required for attaching completion callbacks"),
        ),
        _ => Ok(()),
    }
}

#[expect(deprecated, reason = "clients still send the old fields")]
pub(super) fn check_override(options: Option<&VersioningOverride>) -> Result<(), Error> {
    let Some(options) = options.filter(|options| options.r#override.is_none()) else {
        return Ok(());
    };
    match VersioningBehavior::try_from(options.behavior) {
        Ok(VersioningBehavior::Pinned)
            if options.deployment.is_none() && options.pinned_version.is_empty() =>
        {
            Err(Error::invalid(
                "must provide deployment (deprecated) or pinned version if behavior is 'PINNED'",
            ))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(Error::invalid(format!(
            "override behavior {} not recognized",
            options.behavior
        ))),
    }
}
