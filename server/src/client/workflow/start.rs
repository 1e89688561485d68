//! `cairn workflow start` and `execute`.

use std::time::{Duration, Instant};

use cairn_proto::temporal::api::common::v1::{
    Memo, Priority, SearchAttributes, WorkflowExecution, WorkflowType,
};
use cairn_proto::temporal::api::enums::v1::{
    TaskQueueKind, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};
use cairn_proto::temporal::api::sdk::v1::UserMetadata;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;
use serde::Serialize;

use super::super::connect::Client;
use super::super::input::{self, Input};
use super::super::{duration, refused};
use super::{history, outcome};

/// Flags of a start.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_field_names, reason = "the flags are named so")]
pub(super) struct Start {
    /// Workflow type.
    #[arg(long = "type", alias = "name")]
    kind: String,
    /// Task queue of the workflow's workers.
    #[arg(long, short = 't')]
    task_queue: String,
    /// Workflow id. Default: a new UUID.
    #[arg(long, short = 'w')]
    workflow_id: Option<String>,
    #[command(flatten)]
    input: Input,
    /// Time for all runs together, retries and continue-as-new included.
    #[arg(long, value_parser = duration::parse)]
    execution_timeout: Option<Duration>,
    /// Time for one run.
    #[arg(long, value_parser = duration::parse)]
    run_timeout: Option<Duration>,
    /// Time for one workflow task. Default: 10s.
    #[arg(long, value_parser = duration::parse)]
    task_timeout: Option<Duration>,
    /// Wait before the first workflow task.
    #[arg(long, value_parser = duration::parse)]
    start_delay: Option<Duration>,
    /// Run on a cron schedule.
    #[arg(long, hide = true)]
    cron: Option<String>,
    /// What if a closed run has this id: AllowDuplicate, AllowDuplicateFailedOnly, RejectDuplicate.
    #[arg(long, value_parser = reuse)]
    id_reuse_policy: Option<WorkflowIdReusePolicy>,
    /// What if an open run has this id: Fail, UseExisting, TerminateExisting.
    #[arg(long, value_parser = conflict)]
    id_conflict_policy: Option<WorkflowIdConflictPolicy>,
    /// Refuse if there is, or was, a run of this id.
    #[arg(long)]
    fail_existing: bool,
    /// Memo as KEY=JSON. Can be given again.
    #[arg(long)]
    memo: Vec<String>,
    /// Search attribute as KEY=JSON. Can be given again.
    #[arg(long)]
    search_attribute: Vec<String>,
    /// Workflow header as KEY=JSON. Can be given again.
    #[arg(long)]
    headers: Vec<String>,
    /// One line about this run.
    #[arg(long)]
    static_summary: Option<String>,
    /// More lines about this run.
    #[arg(long)]
    static_details: Option<String>,
    /// 1 to 5; lower is sooner. Default: 3.
    #[arg(long)]
    priority_key: Option<i32>,
    /// Runs with the same key share their turn.
    #[arg(long)]
    fairness_key: Option<String>,
    /// Weight of the fairness key.
    #[arg(long)]
    fairness_weight: Option<f32>,
}

/// Flags of an execution that is waited for.
#[derive(Debug, clap::Args)]
pub(super) struct Execute {
    #[command(flatten)]
    start: Start,
    /// Show events as sections.
    #[arg(long)]
    detailed: bool,
}

/// A run that was started, in the order in which people read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    workflow_id: String,
    run_id: String,
    r#type: String,
    namespace: String,
    task_queue: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Executed {
    #[serde(flatten)]
    started: Started,
    duration_millis: u128,
    #[serde(flatten)]
    outcome: outcome::Shown,
}

impl Start {
    pub(super) async fn run(&self, mut client: Client) -> anyhow::Result<()> {
        let started = self.start(&mut client).await?;
        show(&client, &started)?;
        client.printer.value(&started)?;
        Ok(())
    }

    async fn start(&self, client: &mut Client) -> anyhow::Result<Started> {
        let request = self.request(client)?;
        let workflow_id = request.workflow_id.clone();
        let response = client
            .workflows
            .start_workflow_execution(request)
            .await
            .map_err(|status| refused("failed starting workflow", &status))?;
        Ok(Started {
            workflow_id,
            run_id: response.into_inner().run_id,
            r#type: self.kind.clone(),
            namespace: client.namespace.clone(),
            task_queue: self.task_queue.clone(),
        })
    }

    fn request(&self, client: &Client) -> anyhow::Result<StartWorkflowExecutionRequest> {
        let new = || uuid::Uuid::new_v4().to_string();
        let memo = input::fields("--memo", &self.memo)?;
        let attributes = input::fields("--search-attribute", &self.search_attribute)?;
        let conflict = self.id_conflict_policy.unwrap_or(if self.fail_existing {
            WorkflowIdConflictPolicy::Fail
        } else {
            // As with the SDKs, a second start of a running workflow gives the run that there is.
            WorkflowIdConflictPolicy::Unspecified
        });
        let reuse = match (self.id_reuse_policy, self.fail_existing) {
            (Some(policy), _) => policy,
            (None, true) => WorkflowIdReusePolicy::RejectDuplicate,
            (None, false) => WorkflowIdReusePolicy::Unspecified,
        };
        Ok(StartWorkflowExecutionRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.workflow_id.clone().unwrap_or_else(new),
            workflow_type: Some(WorkflowType {
                name: self.kind.clone(),
            }),
            task_queue: Some(TaskQueue {
                name: self.task_queue.clone(),
                kind: TaskQueueKind::Normal.into(),
                ..Default::default()
            }),
            input: self.input.payloads()?,
            workflow_execution_timeout: duration::proto(self.execution_timeout),
            workflow_run_timeout: duration::proto(self.run_timeout),
            workflow_task_timeout: duration::proto(self.task_timeout),
            workflow_start_delay: duration::proto(self.start_delay),
            cron_schedule: self.cron.clone().unwrap_or_default(),
            identity: client.identity.clone(),
            request_id: new(),
            workflow_id_reuse_policy: reuse.into(),
            workflow_id_conflict_policy: conflict.into(),
            memo: (!memo.is_empty()).then_some(Memo { fields: memo }),
            search_attributes: (!attributes.is_empty()).then_some(SearchAttributes {
                indexed_fields: attributes,
            }),
            header: input::header(&self.headers)?,
            user_metadata: self.user_metadata(),
            priority: self.priority(),
            ..Default::default()
        })
    }

    fn user_metadata(&self) -> Option<UserMetadata> {
        if self.static_summary.is_none() && self.static_details.is_none() {
            return None;
        }
        Some(UserMetadata {
            summary: self.static_summary.as_deref().map(input::text),
            details: self.static_details.as_deref().map(input::text),
        })
    }

    fn priority(&self) -> Option<Priority> {
        let priority = Priority {
            priority_key: self.priority_key.unwrap_or_default(),
            fairness_key: self.fairness_key.clone().unwrap_or_default(),
            fairness_weight: self.fairness_weight.unwrap_or_default(),
        };
        (priority != Priority::default()).then_some(priority)
    }
}

impl Execute {
    pub(super) async fn run(&self, mut client: Client) -> anyhow::Result<()> {
        let begun = Instant::now();
        let started = self.start.start(&mut client).await?;
        show(&client, &started)?;
        let execution = WorkflowExecution {
            workflow_id: started.workflow_id.clone(),
            run_id: started.run_id.clone(),
        };
        if client.printer.text() {
            client.printer.line("")?;
            history::follow(&mut client, execution.clone(), self.detailed).await?;
            client.printer.line("")?;
        }
        let outcome = outcome::wait(&mut client, execution).await?;
        let took = begun.elapsed();
        outcome.print_text(&client, Some(took))?;
        client.printer.value(&Executed {
            started,
            duration_millis: took.as_millis(),
            outcome: outcome.shown(&client)?,
        })?;
        outcome.verdict()
    }
}

fn show(client: &Client, started: &Started) -> anyhow::Result<()> {
    client.printer.line("Running execution:")?;
    client.printer.fields(&[
        ("WorkflowId", Some(started.workflow_id.clone())),
        ("RunId", Some(started.run_id.clone())),
        ("Type", Some(started.r#type.clone())),
        ("Namespace", Some(started.namespace.clone())),
        ("TaskQueue", Some(started.task_queue.clone())),
    ])?;
    Ok(())
}

fn reuse(name: &str) -> Result<WorkflowIdReusePolicy, String> {
    Ok(match name {
        "AllowDuplicate" => WorkflowIdReusePolicy::AllowDuplicate,
        "AllowDuplicateFailedOnly" => WorkflowIdReusePolicy::AllowDuplicateFailedOnly,
        "RejectDuplicate" => WorkflowIdReusePolicy::RejectDuplicate,
        #[expect(deprecated, reason = "the official command line still takes it")]
        "TerminateIfRunning" => WorkflowIdReusePolicy::TerminateIfRunning,
        _ => return Err("not one of AllowDuplicate, AllowDuplicateFailedOnly, RejectDuplicate, TerminateIfRunning".to_owned()),
    })
}

fn conflict(name: &str) -> Result<WorkflowIdConflictPolicy, String> {
    Ok(match name {
        "Fail" => WorkflowIdConflictPolicy::Fail,
        "UseExisting" => WorkflowIdConflictPolicy::UseExisting,
        "TerminateExisting" => WorkflowIdConflictPolicy::TerminateExisting,
        _ => return Err("not one of Fail, UseExisting, TerminateExisting".to_owned()),
    })
}
