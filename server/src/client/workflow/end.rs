//! `cairn workflow cancel` and `terminate`; and how a command is meant for one run or, by a list filter, for many.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::bail;
use cairn_proto::temporal::api::batch::v1::{
    BatchOperationCancellation, BatchOperationTermination,
};
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;
use cairn_proto::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, RequestCancelWorkflowExecutionRequest,
    StartBatchOperationRequest, TerminateWorkflowExecutionRequest,
};
use serde_json::json;

use super::super::connect::{Client, execution};
use super::super::options::user;
use super::super::refused;

/// One run, or all that a list filter finds.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    /// Workflow id.
    #[arg(
        long,
        short = 'w',
        required_unless_present = "query",
        conflicts_with = "query"
    )]
    workflow_id: Option<String>,
    /// Run id. Default: the current run.
    #[arg(long, short = 'r', conflicts_with = "query")]
    run_id: Option<String>,
    /// All that this list filter finds, as a batch.
    #[arg(long, short = 'q')]
    query: Option<String>,
    /// Do not ask before a batch begins, or a workflow is deleted.
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
    /// At most so many of a batch per second.
    #[arg(long, requires = "query")]
    rps: Option<f32>,
}

/// What a target stands for.
pub(super) enum Chosen {
    Run(WorkflowExecution),
    Batch(Batch),
}

/// All that a list filter finds.
pub(super) struct Batch {
    query: String,
    yes: bool,
    rps: f32,
}

impl Target {
    pub(super) fn chosen(&self) -> anyhow::Result<Chosen> {
        match (&self.workflow_id, &self.query) {
            (Some(id), _) => Ok(Chosen::Run(execution(id, self.run_id.as_deref()))),
            (None, Some(query)) => Ok(Chosen::Batch(Batch {
                query: query.clone(),
                yes: self.yes,
                rps: self.rps.unwrap_or_default(),
            })),
            (None, None) => bail!("must set either workflow ID or query"),
        }
    }
}

impl Batch {
    /// Asks, unless told not to, and begins the batch.
    pub(super) async fn start(
        self,
        client: &mut Client,
        operation: Operation,
        reason: Option<String>,
    ) -> anyhow::Result<()> {
        if !self.yes {
            self.confirm(client).await?;
        }
        let job_id = uuid::Uuid::new_v4().to_string();
        let request = StartBatchOperationRequest {
            namespace: client.namespace.clone(),
            visibility_query: self.query,
            job_id: job_id.clone(),
            reason: reason.unwrap_or_else(|| format!("Requested from CLI by {}", user())),
            max_operations_per_second: self.rps,
            operation: Some(operation),
            ..Default::default()
        };
        client
            .workflows
            .start_batch_operation(request)
            .await
            .map_err(|status| refused("failed starting batch operation", &status))?;
        client
            .printer
            .line(&format!("Started batch for job ID: {job_id}"))?;
        client.printer.value(&json!({"batchJobId": job_id}))?;
        Ok(())
    }

    async fn confirm(&self, client: &mut Client) -> anyhow::Result<()> {
        if !io::stdin().is_terminal() {
            bail!("a batch is confirmed at a terminal, or with --yes");
        }
        let request = CountWorkflowExecutionsRequest {
            namespace: client.namespace.clone(),
            query: self.query.clone(),
        };
        let count = client
            .workflows
            .count_workflow_executions(request)
            .await
            .map_err(|status| refused("failed counting workflows", &status))?
            .into_inner()
            .count;
        confirm(&format!(
            "Start batch against approximately {count} workflow(s)?"
        ))
    }
}

/// Asks whoever is there; nobody is a no.
pub(super) fn confirm(question: &str) -> anyhow::Result<()> {
    write!(io::stderr(), "{question} y/N ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("user denied confirmation");
    }
    Ok(())
}

/// Flags of a cancel.
#[derive(Debug, clap::Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    target: Target,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    /// Accepted and without effect, as with the official command line.
    #[arg(long, hide = true)]
    headers: Vec<String>,
}

/// Flags of a terminate.
#[derive(Debug, clap::Args)]
pub(super) struct Terminate {
    #[command(flatten)]
    target: Target,
    /// Why. Default: says who asked.
    #[arg(long)]
    reason: Option<String>,
}

impl Cancel {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        match self.target.chosen()? {
            Chosen::Run(run) => {
                let request = RequestCancelWorkflowExecutionRequest {
                    namespace: client.namespace.clone(),
                    workflow_execution: Some(run),
                    identity: client.identity.clone(),
                    request_id: uuid::Uuid::new_v4().to_string(),
                    reason: self.reason.unwrap_or_default(),
                    ..Default::default()
                };
                client
                    .workflows
                    .request_cancel_workflow_execution(request)
                    .await
                    .map_err(|status| refused("failed to cancel workflow", &status))?;
                client.printer.line("Canceled workflow")?;
                Ok(())
            }
            Chosen::Batch(batch) => {
                let operation = Operation::CancellationOperation(BatchOperationCancellation {
                    identity: client.identity.clone(),
                });
                batch.start(&mut client, operation, self.reason).await
            }
        }
    }
}

impl Terminate {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        match self.target.chosen()? {
            Chosen::Run(run) => {
                let by = || format!("Requested from CLI by {}", user());
                let request = TerminateWorkflowExecutionRequest {
                    namespace: client.namespace.clone(),
                    workflow_execution: Some(run),
                    reason: self.reason.unwrap_or_else(by),
                    identity: client.identity.clone(),
                    ..Default::default()
                };
                client
                    .workflows
                    .terminate_workflow_execution(request)
                    .await
                    .map_err(|status| refused("failed to terminate workflow", &status))?;
                client.printer.line("Workflow terminated")?;
                Ok(())
            }
            Chosen::Batch(batch) => {
                let operation = Operation::TerminationOperation(BatchOperationTermination {
                    identity: client.identity.clone(),
                    ..Default::default()
                });
                batch.start(&mut client, operation, self.reason).await
            }
        }
    }
}
