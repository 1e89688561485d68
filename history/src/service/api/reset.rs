//! Resets: does what `execution::reset` says is to be done next, and tells it what came.
//!
//! Deliberately absent: the order of the steps, which the simulation shares.

use std::ops::Range;
use std::sync::Arc;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::enums::v1::{
    ResetReapplyExcludeType as Exclude, ResetReapplyType as Reapply,
};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::workflow::v1::{PostResetOperation, post_reset_operation::Variant};
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::{Code, Status};

use super::wire;
use crate::execution::reset::{Asked, Keep, Next, Procedure};
use crate::execution::{Refusal, UpdateOptions};
use crate::id::{Key, RunId};
use crate::service::slot::fresh_run;
use crate::service::{Shell, events, refusal};

#[expect(deprecated, reason = "clients still send the old field")]
pub(super) async fn reset(
    shell: &Arc<Shell>,
    request: history::ResetWorkflowExecutionRequest,
) -> Result<public::ResetWorkflowExecutionResponse, Status> {
    let history::ResetWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let public::ResetWorkflowExecutionRequest {
        workflow_execution,
        reason,
        workflow_task_finish_event_id,
        request_id,
        reset_reapply_type,
        reset_reapply_exclude_types,
        post_reset_operations,
        ..
    } = wire::required(request, "Request")?;
    let (key, base) = wire::target(&namespace_id, workflow_execution)?;
    let asked = Asked {
        base,
        last: workflow_task_finish_event_id.saturating_sub(1),
        request_id,
        reason,
        keep: keep(reset_reapply_type, &reset_reapply_exclude_types),
        options: post_reset_operations.iter().map(operation).collect(),
    };
    let run_id = carry_out(shell, &key, asked).await?.to_string();
    Ok(public::ResetWorkflowExecutionResponse { run_id })
}

/// Does what is to be done, until a run goes on.
async fn carry_out(shell: &Arc<Shell>, key: &Key, asked: Asked) -> Result<RunId, Status> {
    let (mut reset, mut next) = Procedure::new(asked);
    loop {
        let told = match next {
            Next::Ask { run, question } => {
                match shell.ask(key.clone(), run, None, question).await {
                    Ok(reply) => reset.answered(reply.answer),
                    Err(status) if status.code() == Code::NotFound => {
                        reset.absent().ok_or(status)?
                    }
                    Err(status) => return Err(status),
                }
            }
            Next::Records { run } => {
                let records = shell.store.records(run).await;
                let records = records.map_err(events::unreadable)?;
                reset.records(fresh_run(shell.clock.now()), records)
            }
            Next::Events { run, range } => reset.events(read(shell, run, range).await?),
            Next::Done(run) => return Ok(run),
        };
        next = told.map_err(refusal::status)?;
    }
}

fn keep(by_type: i32, excluded: &[i32]) -> Keep {
    let has = |kind: Exclude| excluded.contains(&kind.into());
    let none = by_type == i32::from(Reapply::None);
    let no_signals = none || has(Exclude::Signal);
    let no_updates = none || by_type == i32::from(Reapply::Signal) || has(Exclude::Update);
    Keep {
        no_signals,
        no_updates,
        nothing: no_signals && no_updates && has(Exclude::Nexus),
    }
}

async fn read(
    shell: &Arc<Shell>,
    run: RunId,
    mut range: Range<i64>,
) -> Result<Vec<HistoryEvent>, Status> {
    let mut all = Vec::new();
    loop {
        let limit = events::PAGE_FRAGMENTS_MAX;
        let read = events::stored(&*shell.store, run, range.clone(), limit).await;
        let (events, rest) = read.map_err(events::unreadable)?;
        all.extend(events);
        match rest {
            Some(next) => range.start = next,
            None => return Ok(all),
        }
    }
}

/// What the run that goes on is given besides.
fn operation(operation: &PostResetOperation) -> Result<UpdateOptions, Refusal> {
    let what = match &operation.variant {
        None => "<nil>",
        Some(Variant::SignalWorkflow(_)) => "*workflow.PostResetOperation_SignalWorkflow_",
        Some(Variant::UpdateWorkflowOptions(it)) => {
            let mask = it.update_mask.as_ref();
            let mask = mask.ok_or_else(|| Refusal::Invalid("UpdateMask is required".to_owned()))?;
            return Ok(UpdateOptions {
                options: it.workflow_execution_options.clone().unwrap_or_default(),
                paths: mask.paths.clone(),
                identity: String::new(),
            });
        }
    };
    Err(Refusal::Invalid(format!(
        "unsupported post reset operation: {what}"
    )))
}
