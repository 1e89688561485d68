//! Resets: reads what the new run begins with and what is to come again, then asks the current run.
//!
//! What is read is durable and does not change: a base that is not the current run has closed. What comes to the current run meanwhile the shard adds.
//! If another run has become the current one, everything is looked at again.

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
use crate::execution::reset::{Fork, Keep, continued_by};
use crate::execution::{Answer, Position, Question, Reset, UpdateOptions};
use crate::id::{Key, RunId};
use crate::service::slot::fresh_run;
use crate::service::{Shell, events, refusal};

/// How often a workflow may get another current run under our hands.
const ROUNDS_MAX: usize = 5;

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
        key,
        base,
        last: workflow_task_finish_event_id.saturating_sub(1),
        request_id,
        reason,
        keep: keep(reset_reapply_type, &reset_reapply_exclude_types),
        operations: post_reset_operations,
    };
    for _ in 0..ROUNDS_MAX {
        if let Some(run) = asked.try_once(shell).await? {
            let run_id = run.to_string();
            return Ok(public::ResetWorkflowExecutionResponse { run_id });
        }
    }
    Err(refusal::too_fast())
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

/// What is asked for.
struct Asked {
    key: Key,
    base: Option<RunId>,
    /// The last event that is kept.
    last: i64,
    request_id: String,
    reason: String,
    keep: Keep,
    operations: Vec<PostResetOperation>,
}

impl Asked {
    async fn try_once(&self, shell: &Arc<Shell>) -> Result<Option<RunId>, Status> {
        // In this order: a base that is not the current run has closed by then, and nothing comes to it any more.
        let current = self.position(shell, None).await;
        let base = self.position(shell, self.base).await?;
        let current = current?;
        if self.last < 1 || self.last + 1 >= base.next_event_id {
            return Err(Status::invalid_argument(
                "Workflow task finish ID must be > 1 && <= workflow last event ID.",
            ));
        }
        let options = self
            .operations
            .iter()
            .map(operation)
            .collect::<Result<_, _>>()?;
        let run = fresh_run(shell.clock.now());
        let records = shell.store.records(base.run).await;
        let mut records = records.map_err(events::unreadable)?;
        records.retain(|record| record.first_event_id < base.next_event_id);
        let (fork, mut later) = Fork::new(run, records, self.last).map_err(refusal::status)?;
        let of_base = later.len();
        let read_to = self.follow(shell, &base, &current, &mut later).await?;
        let question = Reset {
            request_id: self.request_id.clone(),
            reason: self.reason.clone(),
            base: base.run,
            run,
            fork,
            current: current.run,
            later,
            of_base,
            read_to,
            keep: self.keep,
            options,
        };
        let question = Question::Reset(Box::new(question));
        let reply = shell.ask(self.key.clone(), None, None, question).await?;
        let Answer::Reset(reset) = reply.answer else {
            return Err(wire::unexpected(&reply));
        };
        // Also where the same request has begun it before, and may not have come so far.
        if let Some(run) = reset.filter(|_| base.run != current.run) {
            let question = Question::ResetTo(run);
            let key = self.key.clone();
            shell.ask(key, Some(base.run), None, question).await?;
        }
        Ok(reset)
    }

    async fn position(&self, shell: &Arc<Shell>, run: Option<RunId>) -> Result<Position, Status> {
        let key = self.key.clone();
        let reply = shell.ask(key, run, None, Question::Position).await?;
        match reply.answer {
            Answer::Position(position) => Ok(position),
            _ => Err(wire::unexpected(&reply)),
        }
    }

    /// Adds the events of the runs that continued the base, as far as they are kept. Up to where the current run was read, if it is the base or one of them.
    async fn follow(
        &self,
        shell: &Arc<Shell>,
        base: &Position,
        current: &Position,
        later: &mut Vec<HistoryEvent>,
    ) -> Result<Option<i64>, Status> {
        let mut at = base.clone();
        let mut begin = later.len();
        loop {
            if at.run == current.run {
                return Ok(Some(at.next_event_id));
            }
            let last = later.get(begin..).filter(|events| !events.is_empty());
            let Some(next) = last.or(Some(later)).and_then(continued_by) else {
                return Ok(None);
            };
            at = match self.position(shell, Some(next)).await {
                Ok(position) => position,
                Err(status) if status.code() == Code::NotFound => return Ok(None),
                Err(status) => return Err(status),
            };
            begin = later.len();
            later.extend(read(shell, &at).await?);
        }
    }
}

async fn read(shell: &Arc<Shell>, at: &Position) -> Result<Vec<HistoryEvent>, Status> {
    let mut all = Vec::new();
    let mut from = 1;
    loop {
        let range = from..at.next_event_id;
        let limit = events::PAGE_FRAGMENTS_MAX;
        let read = events::stored(&*shell.store, at.run, range, limit).await;
        let (events, rest) = read.map_err(events::unreadable)?;
        all.extend(events);
        match rest {
            Some(next) => from = next,
            None => return Ok(all),
        }
    }
}

/// What the run that goes on is given besides.
fn operation(operation: &PostResetOperation) -> Result<UpdateOptions, Status> {
    let what = match &operation.variant {
        None => "<nil>",
        Some(Variant::SignalWorkflow(_)) => "*workflow.PostResetOperation_SignalWorkflow_",
        Some(Variant::UpdateWorkflowOptions(it)) => {
            return Ok(UpdateOptions {
                options: it.workflow_execution_options.clone().unwrap_or_default(),
                paths: match &it.update_mask {
                    Some(mask) => mask.paths.clone(),
                    None => return Err(Status::invalid_argument("UpdateMask is required")),
                },
                identity: String::new(),
            });
        }
    };
    Err(Status::invalid_argument(format!(
        "unsupported post reset operation: {what}"
    )))
}
