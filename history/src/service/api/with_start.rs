//! Update with start: one question, two answers.

use std::sync::Arc;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::enums::v1::EventType;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use public::execute_multi_operation_response::{Response, response};
use tonic::Status;

use super::{start, update, wire};
use crate::execution::{Question, Refusal, Start, Started, Update, UpdateWithStart, Updated};
use crate::id::Key;
use crate::service::{Shell, refusal};

/// How often another run may be used or begun because the one before has closed under the update.
const RUNS_MAX: u32 = 3;

pub(super) async fn execute(
    shell: &Arc<Shell>,
    request: history::ExecuteMultiOperationRequest,
) -> Result<public::ExecuteMultiOperationResponse, Status> {
    let history::ExecuteMultiOperationRequest {
        namespace_id,
        start,
        update,
        retention,
        search_attributes,
    } = request;
    let start = wire::required(start, "Start")?;
    let update = wire::required(update, "Update")?;
    let namespace = start.namespace.clone();
    let key = Key {
        namespace: wire::namespace(&namespace_id)?,
        workflow_id: start.workflow_id.clone(),
    };
    let request = wire::required(update.request, "Request")?;
    let request_id = request.request_id.clone();
    let both = UpdateWithStart {
        start: Start {
            retention: wire::duration(retention),
            registry: search_attributes.map(Into::into).unwrap_or_default(),
            ..start::destructure(start)
        },
        update: Update {
            request,
            until: update::until(update.wait_policy),
            first_run: None,
        },
    };
    let updated = ask(shell, &key, both).await?;
    Ok(answered(&namespace, &key, updated, &request_id))
}

async fn ask(shell: &Arc<Shell>, key: &Key, both: UpdateWithStart) -> Result<Updated, Status> {
    let mut runs = 1;
    loop {
        let request_id = Some(both.start.request_id.clone());
        let question = Question::UpdateWithStart(Box::new(both.clone()));
        match update::wait(shell, key, None, request_id, question).await? {
            Ok(updated) => return Ok(updated),
            Err(refusal) if has_closed(&refusal) && runs < RUNS_MAX => runs += 1,
            Err(refusal) => return Err(refusal::status(refusal)),
        }
    }
}

/// Did a run that was used close before it accepted the update?
fn has_closed(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::OfUpdate { why, begun } => !begun && **why == Refusal::UpdateAborted,
        _ => false,
    }
}

fn answered(
    namespace: &str,
    key: &Key,
    mut updated: Updated,
    request_id: &str,
) -> public::ExecuteMultiOperationResponse {
    let started = updated.with_start.take().unwrap_or_default();
    let is_new = started.started || started.attached;
    let start = started_response(namespace, key, &started);
    let mut update = update::response(namespace, key, updated, request_id);
    update.link = update.link.filter(|_| is_new);
    let responses = [
        response::Response::StartWorkflow(start),
        response::Response::UpdateWorkflow(update),
    ];
    public::ExecuteMultiOperationResponse {
        responses: responses
            .into_iter()
            .map(|response| Response {
                response: Some(response),
            })
            .collect(),
    }
}

fn started_response(
    namespace: &str,
    key: &Key,
    started: &Started,
) -> public::StartWorkflowExecutionResponse {
    let &Started {
        run,
        first_run,
        started,
        status,
        attached,
        eager_task: _, // not allowed here
    } = started;
    let reference = wire::event_reference(1, EventType::WorkflowExecutionStarted);
    let link = wire::link(namespace, &key.workflow_id, run, reference);
    public::StartWorkflowExecutionResponse {
        run_id: run.to_string(),
        first_execution_run_id: if started {
            first_run.to_string()
        } else {
            String::new()
        },
        started,
        status,
        eager_workflow_task: None,
        link: (started || attached).then_some(link),
    }
}
