//! `ExecuteMultiOperation`: a start and an update of the same workflow, each checked as if it came alone.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::operations::{self, Operation};
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use pb::execute_multi_operation_request::Operation as Sent;
use pb::execute_multi_operation_request::operation::Operation as Kind;
use tonic::{Request, Status};

use super::start::check_start;
use super::update::check_update;
use crate::error::Error;
use crate::namespace::Namespace;
use crate::{Frontend, answer};

pub(crate) async fn execute(
    frontend: &Frontend,
    request: pb::ExecuteMultiOperationRequest,
) -> Result<pb::ExecuteMultiOperationResponse, Error> {
    let namespace = frontend.open_namespace(&request.namespace)?;
    let (mut start, mut update) = start_and_update(request.operations)?;
    let started = started(frontend, &namespace, &mut start);
    let workflow_id = &start.workflow_id;
    let updated = updated(frontend, &request.namespace, workflow_id, &mut update);
    let search_attributes = match (started, updated) {
        (Ok(registry), Ok(())) => registry,
        (started, updated) => {
            let both = [fate(started.map(drop)), fate(updated)];
            return Err(Error::Service(operations::update_with_start(both)));
        }
    };
    let message = history::ExecuteMultiOperationRequest {
        namespace_id: namespace.id_bytes(),
        retention: namespace.record.retention,
        search_attributes,
        start: Some(start),
        update: Some(update),
    };
    let asked = frontend
        .history
        .execute_multi_operation(Request::new(message));
    answer(asked.await)
}

type Both = (
    pb::StartWorkflowExecutionRequest,
    pb::UpdateWorkflowExecutionRequest,
);

fn start_and_update(operations: Vec<Sent>) -> Result<Both, Error> {
    let mut kinds = operations.into_iter().map(|sent| sent.operation);
    match (kinds.next(), kinds.next(), kinds.next()) {
        (
            Some(Some(Kind::StartWorkflow(start))),
            Some(Some(Kind::UpdateWorkflow(update))),
            None,
        ) => Ok((start, update)),
        _ => Err(Error::invalid(
            "Operations have to be exactly [Start, Update].",
        )),
    }
}

fn fate(checked: Result<(), Error>) -> Operation {
    match checked {
        Ok(()) => Operation::Aborted,
        Err(error) => Operation::Failed(Status::from(error)),
    }
}

fn started(
    frontend: &Frontend,
    namespace: &Namespace,
    start: &mut pb::StartWorkflowExecutionRequest,
) -> Result<Option<history::SearchAttributeRegistry>, Error> {
    if start.namespace.is_empty() {
        return Err(Error::NamespaceNotFound(String::new()));
    }
    same_namespace(&namespace.name, &start.namespace)?;
    if !start.cron_schedule.is_empty() {
        return Err(Error::invalid("CronSchedule is not allowed."));
    }
    if start.request_eager_execution {
        return Err(Error::invalid("RequestEagerExecution is not supported."));
    }
    if start.workflow_start_delay.is_some() {
        return Err(Error::invalid("WorkflowStartDelay is not supported."));
    }
    check_start(frontend, namespace, start)
}

fn updated(
    frontend: &Frontend,
    namespace: &str,
    workflow_id: &str,
    update: &mut pb::UpdateWorkflowExecutionRequest,
) -> Result<(), Error> {
    if !update.namespace.is_empty() {
        same_namespace(namespace, &update.namespace)?;
    }
    check_update(frontend, update)?;
    let execution = update.workflow_execution.as_ref();
    if execution.is_some_and(|execution| !execution.run_id.is_empty()) {
        return Err(Error::invalid("RunId is not allowed."));
    }
    if !update.first_execution_run_id.is_empty() {
        return Err(Error::invalid("FirstExecutionRunId is not allowed."));
    }
    let named = execution.map_or("", |execution| &execution.workflow_id);
    if !workflow_id.is_empty() && named != workflow_id {
        return Err(Error::invalid(
            "WorkflowId is not consistent with previous operation(s).",
        ));
    }
    Ok(())
}

fn same_namespace(of_request: &str, of_operation: &str) -> Result<(), Error> {
    if of_request == of_operation {
        Ok(())
    } else {
        Err(Error::invalid(
            "Operation namespace did not match request's namespace.",
        ))
    }
}
