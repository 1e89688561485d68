//! Updates: asked, waited for, looked at.

use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::common::v1::{Link, WorkflowExecution, link};
use cairn_proto::temporal::api::enums::v1::{
    EventType, UpdateWorkflowExecutionLifecycleStage as Lifecycle,
};
use cairn_proto::temporal::api::update::v1::{Outcome, UpdateRef, WaitPolicy, outcome};
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::Status;

use super::wait::Wait;
use super::wire;
use crate::execution::{Answer, PollUpdate, Question, Refusal, Stage, Update, Updated};
use crate::id::{Key, RunId};
use crate::service::{Shell, refusal};

/// How long a caller waits before it is told how far the update is.
const LONG_POLL: Duration = Duration::from_secs(20);

pub(super) async fn update(
    shell: &Arc<Shell>,
    request: history::UpdateWorkflowExecutionRequest,
) -> Result<public::UpdateWorkflowExecutionResponse, Status> {
    let history::UpdateWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let public::UpdateWorkflowExecutionRequest {
        namespace,
        workflow_execution,
        first_execution_run_id,
        wait_policy,
        request,
    } = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, workflow_execution)?;
    let request = wire::required(request, "Request")?;
    let request_id = request.request_id.clone();
    let update = Update {
        request,
        until: until(wait_policy),
        first_run: wire::first_run(&first_execution_run_id),
    };
    let updated = ask(shell, &key, run, Question::Update(Box::new(update))).await?;
    Ok(response(&namespace, &key, updated, &request_id))
}

/// What an update that has come so far is answered with.
pub(super) fn response(
    namespace: &str,
    key: &Key,
    updated: Updated,
    request_id: &str,
) -> public::UpdateWorkflowExecutionResponse {
    public::UpdateWorkflowExecutionResponse {
        link: link_to(namespace, key, &updated, request_id),
        update_ref: Some(reference(key, &updated)),
        stage: lifecycle(updated.stage),
        outcome: updated.outcome,
    }
}

pub(super) async fn poll(
    shell: &Arc<Shell>,
    request: history::PollWorkflowExecutionUpdateRequest,
) -> Result<public::PollWorkflowExecutionUpdateResponse, Status> {
    let history::PollWorkflowExecutionUpdateRequest {
        namespace_id,
        request,
    } = request;
    let public::PollWorkflowExecutionUpdateRequest {
        update_ref,
        wait_policy,
        ..
    } = wire::required(request, "Request")?;
    let UpdateRef {
        workflow_execution,
        update_id,
    } = wire::required(update_ref, "UpdateRef")?;
    let (key, run) = wire::target(&namespace_id, workflow_execution)?;
    let poll = PollUpdate {
        update_id,
        until: until(wait_policy),
    };
    let updated = ask(shell, &key, run, Question::PollUpdate(poll)).await?;
    Ok(public::PollWorkflowExecutionUpdateResponse {
        update_ref: Some(reference(&key, &updated)),
        stage: lifecycle(updated.stage),
        outcome: updated.outcome,
    })
}

pub(super) fn until(policy: Option<WaitPolicy>) -> Option<Stage> {
    Stage::waited_for(policy.map_or(0, |policy| policy.lifecycle_stage))
}

async fn ask(
    shell: &Arc<Shell>,
    key: &Key,
    run: Option<RunId>,
    question: Question,
) -> Result<Updated, Status> {
    let named = run.map(|run| (key.workflow_id.clone(), run));
    let asked = wait(shell, key, run, None, question).await?;
    asked.map_err(|refusal| refusal::status_about(refusal, named.as_ref()))
}

/// Asks a run and waits. Who has waited long enough, or waits on a node that goes, is told how far the update is.
pub(super) async fn wait(
    shell: &Arc<Shell>,
    key: &Key,
    run: Option<RunId>,
    start_request_id: Option<String>,
    question: Question,
) -> Result<Result<Updated, Refusal>, Status> {
    let (ticket, mut answer) = shell.put(key.clone(), run, start_request_id, question);
    let mut wait = Wait {
        shell,
        key,
        run,
        ticket,
        forget: Question::StopWaiting,
        over: false,
    };
    let mut draining = shell.draining.subscribe();
    let in_time = tokio::select! {
        released = &mut answer => Some(released),
        () = tokio::time::sleep(LONG_POLL) => None,
        _ = draining.wait_for(|draining| *draining) => None,
    };
    let released = if let Some(released) = in_time {
        released
    } else {
        let stop = Question::StopWaiting(ticket);
        let stopped = shell.ask(key.clone(), run, None, stop).await?;
        if let Answer::Updated(updated) = stopped.answer {
            shell.slot(key).forget(ticket);
            wait.over = true;
            return Ok(Ok(*updated));
        }
        answer.await // It was answered meanwhile.
    };
    wait.over = true;
    match released.map_err(|_| refusal::moved())?.result {
        Ok(Answer::Updated(updated)) => Ok(Ok(*updated)),
        Ok(_) => Err(Status::internal("a run answered another question")),
        Err(refusal) => Ok(Err(refusal)),
    }
}

fn lifecycle(stage: Stage) -> i32 {
    match stage {
        Stage::Admitted => Lifecycle::Admitted,
        Stage::Accepted => Lifecycle::Accepted,
        Stage::Completed => Lifecycle::Completed,
    }
    .into()
}

fn reference(key: &Key, updated: &Updated) -> UpdateRef {
    UpdateRef {
        workflow_execution: Some(WorkflowExecution {
            workflow_id: key.workflow_id.clone(),
            run_id: updated.run.to_string(),
        }),
        update_id: updated.update_id.clone(),
    }
}

/// What came of it: the acceptance in history, or the run that has nothing of it.
fn link_to(namespace: &str, key: &Key, updated: &Updated, request_id: &str) -> Option<Link> {
    let failed = |outcome: &Outcome| matches!(outcome.value, Some(outcome::Value::Failure(_)));
    if updated.stage == Stage::Admitted {
        return None;
    }
    if updated.outcome.as_ref().is_some_and(failed) && !updated.unexplained {
        let link = link::Workflow {
            namespace: namespace.to_owned(),
            workflow_id: key.workflow_id.clone(),
            run_id: updated.run.to_string(),
            reason: "Update rejected".to_owned(),
        };
        return Some(Link {
            variant: Some(link::Variant::Workflow(link)),
        });
    }
    let accepted = EventType::WorkflowExecutionUpdateAccepted;
    let reference = wire::request_reference(request_id, accepted);
    Some(wire::link(
        namespace,
        &key.workflow_id,
        updated.run,
        reference,
    ))
}
