//! `cairn workflow signal` and `query`.

use anyhow::{anyhow, bail};
use cairn_proto::temporal::api::batch::v1::BatchOperationSignal;
use cairn_proto::temporal::api::enums::v1::QueryRejectCondition;
use cairn_proto::temporal::api::query::v1::WorkflowQuery;
use cairn_proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;
use cairn_proto::temporal::api::workflowservice::v1::{
    QueryWorkflowRequest, SignalWorkflowExecutionRequest,
};
use serde_json::json;

use super::super::connect::{Client, execution};
use super::super::input::{self, Input};
use super::super::{json as proto, refused};
use super::end::{Chosen, Target};
use super::list::status;

/// Flags of a signal.
#[derive(Debug, clap::Args)]
pub(super) struct Signal {
    #[command(flatten)]
    target: Target,
    /// Name of the signal.
    #[arg(long, alias = "type")]
    name: String,
    #[command(flatten)]
    input: Input,
    /// Header as KEY=JSON. Can be given again.
    #[arg(long)]
    headers: Vec<String>,
    /// Reason of a batch; only with --query.
    #[arg(long)]
    reason: Option<String>,
}

/// Flags of a query.
#[derive(Debug, clap::Args)]
pub(super) struct Query {
    #[command(flatten)]
    run: super::Run,
    /// Name of the query.
    #[arg(long, alias = "type")]
    name: String,
    #[command(flatten)]
    input: Input,
    /// Refuse unless the run is in a state: not_open or not_completed_cleanly are refused.
    #[arg(long, value_parser = ["not_open", "not_completed_cleanly"])]
    reject_condition: Option<String>,
    /// Header as KEY=JSON. Can be given again.
    #[arg(long)]
    headers: Vec<String>,
}

impl Signal {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let input = self.input.payloads()?;
        let header = input::header(&self.headers)?;
        match self.target.chosen()? {
            Chosen::Run(run) => {
                let request = SignalWorkflowExecutionRequest {
                    namespace: client.namespace.clone(),
                    workflow_execution: Some(run),
                    signal_name: self.name,
                    input,
                    identity: client.identity.clone(),
                    request_id: uuid::Uuid::new_v4().to_string(),
                    header,
                    ..Default::default()
                };
                client
                    .workflows
                    .signal_workflow_execution(request)
                    .await
                    .map_err(|status| refused("failed signalling workflow", &status))?;
                client.printer.line("Signal workflow succeeded")?;
                Ok(())
            }
            Chosen::Batch(batch) => {
                let operation = Operation::SignalOperation(BatchOperationSignal {
                    signal: self.name,
                    input,
                    header,
                    identity: client.identity.clone(),
                });
                batch.start(&mut client, operation, self.reason).await
            }
        }
    }
}

impl Query {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let reject = match self.reject_condition.as_deref() {
            Some("not_open") => QueryRejectCondition::NotOpen,
            Some(_) => QueryRejectCondition::NotCompletedCleanly,
            None => QueryRejectCondition::Unspecified,
        };
        let answer = client
            .workflows
            .query_workflow(QueryWorkflowRequest {
                namespace: client.namespace.clone(),
                execution: Some(execution(&self.run.workflow_id, self.run.run_id.as_deref())),
                query: Some(WorkflowQuery {
                    query_type: self.name,
                    query_args: self.input.payloads()?,
                    header: input::header(&self.headers)?,
                }),
                query_reject_condition: reject.into(),
            })
            .await
            .map_err(|status| refused("querying workflow failed", &status))?
            .into_inner();
        if let Some(rejected) = answer.query_rejected {
            bail!(
                "query was rejected, workflow has status: {}",
                status(rejected.status)
            );
        }
        let result = answer
            .query_result
            .ok_or_else(|| anyhow!("the query has no result"))?;
        if client.printer.text() {
            client.printer.line("Query result:")?;
            client
                .printer
                .fields(&[("QueryResult", Some(proto::payloads(&result).to_string()))])?;
        }
        client
            .printer
            .value(&json!({"queryResult": client.json(&result)?}))?;
        Ok(())
    }
}
