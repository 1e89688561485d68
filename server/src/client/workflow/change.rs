//! `cairn workflow reset`, `delete`, `update-options`, `pause` and `unpause`.
//!
//! Which event a reset goes to is found here, from the history or from the builds that a run remembers: the server knows events only.

use anyhow::{anyhow, bail};
use cairn_proto::prost_types::FieldMask;
use cairn_proto::temporal::api::batch::v1::{
    BatchOperationDeletion, BatchOperationReset, BatchOperationUpdateWorkflowExecutionOptions,
};
use cairn_proto::temporal::api::common::v1::{ResetOptions, WorkflowExecution, reset_options};
use cairn_proto::temporal::api::deployment::v1::WorkerDeploymentVersion;
use cairn_proto::temporal::api::enums::v1::{EventType, ResetReapplyExcludeType as Exclude};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::workflow::v1::versioning_override::{
    Override, PinnedOverride, PinnedOverrideBehavior,
};
use cairn_proto::temporal::api::workflow::v1::{VersioningOverride, WorkflowExecutionOptions};
use cairn_proto::temporal::api::workflowservice::v1::start_batch_operation_request::Operation;
use cairn_proto::temporal::api::workflowservice::v1::{
    DeleteWorkflowExecutionRequest, DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest, PauseWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest, UnpauseWorkflowExecutionRequest,
    UpdateWorkflowExecutionOptionsRequest,
};
use serde_json::json;

use super::super::connect::Client;
use super::super::options::user;
use super::super::refused;
use super::end::{Chosen, Target, confirm};

/// Flags of a reset.
#[derive(Debug, clap::Args)]
pub(super) struct Reset {
    #[command(flatten)]
    target: Target,
    /// Event to go back to: the end of a workflow task.
    #[arg(long, short = 'e')]
    event_id: Option<i64>,
    /// Or the kind of event.
    #[arg(long, short = 't', value_enum)]
    r#type: Option<Type>,
    /// With `--type BuildId`: to the first workflow task of this build.
    #[arg(long)]
    build_id: Option<String>,
    /// Why.
    #[arg(long)]
    reason: String,
    /// What is not to be applied again.
    #[arg(long, value_enum)]
    reapply_exclude: Vec<Excluded>,
}

/// To what kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
enum Type {
    FirstWorkflowTask,
    LastWorkflowTask,
    LastContinuedAsNew,
    BuildId,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
enum Excluded {
    All,
    Signal,
    Update,
}

/// Flags of a delete.
#[derive(Debug, clap::Args)]
pub(super) struct Delete {
    #[command(flatten)]
    target: Target,
    /// Reason of a batch; only with --query.
    #[arg(long, requires = "query")]
    reason: Option<String>,
}

/// Flags of update-options.
#[derive(Debug, clap::Args)]
pub(super) struct UpdateOptions {
    #[command(flatten)]
    target: Target,
    /// Which version of the worker: unspecified takes back what was set.
    #[arg(long, value_parser = ["unspecified", "pinned", "auto_upgrade"])]
    versioning_override_behavior: String,
    /// Of the version to pin to.
    #[arg(long)]
    versioning_override_deployment_name: Option<String>,
    /// Of the version to pin to.
    #[arg(long)]
    versioning_override_build_id: Option<String>,
    /// Reason of a batch; only with --query.
    #[arg(long, requires = "query")]
    reason: Option<String>,
}

/// Flags of pause and unpause.
#[derive(Debug, clap::Args)]
pub(super) struct Pause {
    #[command(flatten)]
    run: super::Run,
    /// Why. Default: says who asked.
    #[arg(long)]
    reason: Option<String>,
}

impl Reset {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        match self.target.chosen()? {
            Chosen::Run(run) => self.one(run, &mut client).await,
            Chosen::Batch(batch) => {
                let operation = Operation::ResetOperation(BatchOperationReset {
                    identity: client.identity.clone(),
                    options: Some(self.options()?),
                    ..Default::default()
                });
                batch.start(&mut client, operation, Some(self.reason)).await
            }
        }
    }

    async fn one(self, run: WorkflowExecution, client: &mut Client) -> anyhow::Result<()> {
        let (run_id, event_id) = match (self.r#type, self.event_id) {
            (Some(kind), _) => self.point(kind, &run, client).await?,
            (None, Some(event_id)) if event_id > 0 => (run.run_id.clone(), event_id),
            _ => bail!("must specify either valid event id or reset type"),
        };
        let workflow_id = run.workflow_id.clone();
        client.printer.line(&format!(
            "Resetting workflow {workflow_id} to event ID {event_id}"
        ))?;
        let request = ResetWorkflowExecutionRequest {
            namespace: client.namespace.clone(),
            workflow_execution: Some(WorkflowExecution {
                workflow_id,
                run_id,
            }),
            reason: format!("{}: {}", user(), self.reason),
            workflow_task_finish_event_id: event_id,
            request_id: uuid::Uuid::new_v4().to_string(),
            reset_reapply_exclude_types: self.excluded(),
            identity: client.identity.clone(),
            ..Default::default()
        };
        let reset = client
            .workflows
            .reset_workflow_execution(request)
            .await
            .map_err(|status| refused("failed to reset workflow", &status))?
            .into_inner();
        client.printer.value(&json!({"runId": reset.run_id}))?;
        Ok(())
    }

    fn excluded(&self) -> Vec<i32> {
        let types = self.reapply_exclude.iter().flat_map(|it| match it {
            Excluded::All => vec![Exclude::Signal, Exclude::Update],
            Excluded::Signal => vec![Exclude::Signal],
            Excluded::Update => vec![Exclude::Update],
        });
        types.map(i32::from).collect()
    }

    /// What a batch does with each.
    fn options(&self) -> anyhow::Result<ResetOptions> {
        let target = match (self.r#type, &self.build_id) {
            (Some(Type::FirstWorkflowTask), _) => reset_options::Target::FirstWorkflowTask(()),
            (Some(Type::LastWorkflowTask), _) => reset_options::Target::LastWorkflowTask(()),
            (Some(Type::BuildId), Some(build)) => reset_options::Target::BuildId(build.clone()),
            _ => bail!("a batch is reset to FirstWorkflowTask, LastWorkflowTask or BuildId"),
        };
        Ok(ResetOptions {
            target: Some(target),
            reset_reapply_exclude_types: self.excluded(),
            ..Default::default()
        })
    }

    /// The run and the event that a kind of event stands for.
    async fn point(
        &self,
        kind: Type,
        run: &WorkflowExecution,
        client: &mut Client,
    ) -> anyhow::Result<(String, i64)> {
        if kind == Type::BuildId {
            return self.of_build(run, client).await;
        }
        let events = history(run, client).await?;
        if kind != Type::LastContinuedAsNew {
            let event_id = task(&events, kind == Type::FirstWorkflowTask)?;
            return Ok((run.run_id.clone(), event_id));
        }
        let before = continued(&events).ok_or_else(|| {
            anyhow!("cannot use LastContinuedAsNew for workflow; workflow was not continued from another")
        })?;
        let before = WorkflowExecution {
            workflow_id: run.workflow_id.clone(),
            run_id: before,
        };
        let event_id = task(&history(&before, client).await?, false)?;
        Ok((before.run_id, event_id))
    }

    async fn of_build(
        &self,
        run: &WorkflowExecution,
        client: &mut Client,
    ) -> anyhow::Result<(String, i64)> {
        let Some(build_id) = &self.build_id else {
            bail!("missing build ID");
        };
        let request = DescribeWorkflowExecutionRequest {
            namespace: client.namespace.clone(),
            execution: Some(run.clone()),
        };
        let described = client
            .workflows
            .describe_workflow_execution(request)
            .await
            .map_err(|status| refused("failed describing workflow", &status))?
            .into_inner();
        let info = described.workflow_execution_info.unwrap_or_default();
        let points = info.auto_reset_points.unwrap_or_default().points;
        let point = points.into_iter().find(|it| it.build_id == *build_id);
        point
            .map(|it| (it.run_id, it.first_workflow_task_completed_id))
            .ok_or_else(|| anyhow!("no reset point for build ID {build_id}"))
    }
}

async fn history(
    run: &WorkflowExecution,
    client: &mut Client,
) -> anyhow::Result<Vec<HistoryEvent>> {
    let mut request = GetWorkflowExecutionHistoryRequest {
        namespace: client.namespace.clone(),
        execution: Some(run.clone()),
        ..Default::default()
    };
    let mut events = Vec::new();
    loop {
        let page = client
            .workflows
            .get_workflow_execution_history(request.clone())
            .await
            .map_err(|status| refused("failed getting history", &status))?
            .into_inner();
        events.extend(page.history.unwrap_or_default().events);
        if page.next_page_token.is_empty() {
            return Ok(events);
        }
        request.next_page_token = page.next_page_token;
    }
}

/// The end of the first or last workflow task; before any has ended, of the first one.
fn task(events: &[HistoryEvent], first: bool) -> anyhow::Result<i64> {
    let of = |kind: EventType| {
        let found = events.iter().filter(move |it| it.event_type() == kind);
        found.map(|it| it.event_id)
    };
    let completed = of(EventType::WorkflowTaskCompleted);
    let ended = if first {
        completed.min()
    } else {
        completed.max()
    };
    ended
        .or_else(|| of(EventType::WorkflowTaskScheduled).min().map(|id| id + 1))
        .ok_or_else(|| anyhow!("unable to find any workflow task in the history"))
}

/// The run that a run continues.
fn continued(events: &[HistoryEvent]) -> Option<String> {
    match &events.first()?.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(it)) => {
            let before = it.continued_execution_run_id.clone();
            (!before.is_empty()).then_some(before)
        }
        _ => None,
    }
}

impl Delete {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        match self.target.chosen()? {
            Chosen::Run(run) => {
                if !self.target.yes {
                    confirm(&format!("Delete Workflow {:?}?", run.workflow_id))?;
                }
                let request = DeleteWorkflowExecutionRequest {
                    namespace: client.namespace.clone(),
                    workflow_execution: Some(run),
                };
                client
                    .workflows
                    .delete_workflow_execution(request)
                    .await
                    .map_err(|status| refused("failed to delete workflow", &status))?;
                client.printer.line("Delete workflow succeeded")?;
                Ok(())
            }
            Chosen::Batch(batch) => {
                let operation = Operation::DeletionOperation(BatchOperationDeletion {
                    identity: client.identity.clone(),
                });
                batch.start(&mut client, operation, self.reason).await
            }
        }
    }
}

impl UpdateOptions {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let options = WorkflowExecutionOptions {
            versioning_override: self.version()?,
            ..Default::default()
        };
        let mask = FieldMask {
            paths: vec!["versioning_override".to_owned()],
        };
        match self.target.chosen()? {
            Chosen::Run(run) => {
                let request = UpdateWorkflowExecutionOptionsRequest {
                    namespace: client.namespace.clone(),
                    workflow_execution: Some(run),
                    workflow_execution_options: Some(options),
                    update_mask: Some(mask),
                    identity: client.identity.clone(),
                };
                client
                    .workflows
                    .update_workflow_execution_options(request)
                    .await
                    .map_err(|status| refused("failed to update workflow options", &status))?;
                client.printer.line("Update workflow options succeeded")?;
                Ok(())
            }
            Chosen::Batch(batch) => {
                let update = BatchOperationUpdateWorkflowExecutionOptions {
                    identity: client.identity.clone(),
                    workflow_execution_options: Some(options),
                    update_mask: Some(mask),
                };
                let operation = Operation::UpdateWorkflowOptionsOperation(update);
                batch.start(&mut client, operation, self.reason).await
            }
        }
    }

    fn version(&self) -> anyhow::Result<Option<VersioningOverride>> {
        let version = (
            &self.versioning_override_deployment_name,
            &self.versioning_override_build_id,
        );
        let behavior = self.versioning_override_behavior.as_str();
        let chosen = match (behavior, version) {
            ("pinned", (Some(name), Some(build))) => Some(Override::Pinned(PinnedOverride {
                behavior: PinnedOverrideBehavior::Pinned.into(),
                version: Some(WorkerDeploymentVersion {
                    deployment_name: name.clone(),
                    build_id: build.clone(),
                }),
            })),
            ("pinned", _) => {
                bail!("missing deployment name and/or build id with 'pinned' behavior")
            }
            (_, (Some(_), _) | (_, Some(_))) => {
                bail!("cannot set pinned deployment name or build id with {behavior} behavior")
            }
            ("auto_upgrade", _) => Some(Override::AutoUpgrade(true)),
            _ => None,
        };
        Ok(chosen.map(|chosen| VersioningOverride {
            r#override: Some(chosen),
            ..Default::default()
        }))
    }
}

impl Pause {
    pub(super) async fn pause(self, mut client: Client) -> anyhow::Result<()> {
        let by = || format!("Paused from CLI by {}", user());
        let request = PauseWorkflowExecutionRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.run.workflow_id,
            run_id: self.run.run_id.unwrap_or_default(),
            identity: client.identity.clone(),
            reason: self.reason.unwrap_or_else(by),
            request_id: uuid::Uuid::new_v4().to_string(),
        };
        client
            .workflows
            .pause_workflow_execution(request)
            .await
            .map_err(|status| refused("failed to pause workflow", &status))?;
        client.printer.line("Workflow Execution paused")?;
        Ok(())
    }

    pub(super) async fn unpause(self, mut client: Client) -> anyhow::Result<()> {
        let by = || format!("Unpaused from CLI by {}", user());
        let request = UnpauseWorkflowExecutionRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.run.workflow_id,
            run_id: self.run.run_id.unwrap_or_default(),
            identity: client.identity.clone(),
            reason: self.reason.unwrap_or_else(by),
            request_id: uuid::Uuid::new_v4().to_string(),
        };
        client
            .workflows
            .unpause_workflow_execution(request)
            .await
            .map_err(|status| refused("failed to unpause workflow", &status))?;
        client.printer.line("Workflow Execution unpaused")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(kinds: &[EventType]) -> Vec<HistoryEvent> {
        let events = (1..).zip(kinds).map(|(event_id, kind)| HistoryEvent {
            event_id,
            event_type: (*kind).into(),
            ..Default::default()
        });
        events.collect()
    }

    #[test]
    fn workflow_tasks_are_found_in_a_history() {
        use EventType::{
            WorkflowExecutionStarted as Begun, WorkflowTaskCompleted as Completed,
            WorkflowTaskScheduled as Scheduled, WorkflowTaskStarted as Started,
        };
        let two = events(&[
            Begun, Scheduled, Started, Completed, Scheduled, Started, Completed, Scheduled,
        ]);
        assert_eq!(
            [task(&two, true).unwrap(), task(&two, false).unwrap()],
            [4, 7]
        );
        let none = events(&[Begun, Scheduled, Started]);
        assert_eq!(
            [task(&none, true).unwrap(), task(&none, false).unwrap()],
            [3, 3]
        );
        assert!(task(&events(&[Begun]), true).is_err());
    }
}
