//! `cairn workflow describe`: what the server knows about a run, and how it ended if it has.

use std::collections::HashMap;
use std::time::Duration;

use cairn_proto::temporal::api::common::v1::{Payload, WorkflowExecution};
use cairn_proto::temporal::api::enums::v1::{PendingActivityState, WorkflowExecutionStatus};
use cairn_proto::temporal::api::workflow::v1::{
    PendingActivityInfo, WorkflowExecutionExtendedInfo, WorkflowExecutionInfo,
};
use cairn_proto::temporal::api::workflowservice::v1::{
    DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse,
};

use super::super::connect::{Client, execution};
use super::super::{duration, json, refused};
use super::{outcome, word};

/// Flags of `describe`.
#[derive(Debug, clap::Args)]
pub(super) struct Describe {
    #[command(flatten)]
    run: super::Run,
    /// Only the points to which the run can be reset.
    #[arg(long)]
    reset_points: bool,
    /// Show payloads as they are.
    #[arg(long)]
    raw: bool,
}

/// Asks the server about a run.
pub(super) async fn describe(
    client: &mut Client,
    run: WorkflowExecution,
) -> anyhow::Result<DescribeWorkflowExecutionResponse> {
    let answer = client
        .workflows
        .describe_workflow_execution(DescribeWorkflowExecutionRequest {
            namespace: client.namespace.clone(),
            execution: Some(run),
        })
        .await
        .map_err(|status| refused("failed describing workflow", &status))?;
    Ok(answer.into_inner())
}

impl Describe {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let asked = execution(&self.run.workflow_id, self.run.run_id.as_deref());
        let described = describe(&mut client, asked).await?;
        let info = described
            .workflow_execution_info
            .clone()
            .unwrap_or_default();
        if self.reset_points {
            let points = info.auto_reset_points.unwrap_or_default();
            client.printer.value(&client.json(&points)?)?;
            for point in points.points {
                let id = point.first_workflow_task_completed_id;
                let time = client.time_format.shown(point.create_time.as_ref());
                client
                    .printer
                    .line(&format!("  {id}  {time}  {}", point.build_id))?;
            }
            return Ok(());
        }
        let outcome = match info.status() {
            WorkflowExecutionStatus::Running
            | WorkflowExecutionStatus::Paused
            | WorkflowExecutionStatus::Unspecified => None,
            _ => Some(
                outcome::of_run(&mut client, info.execution.clone().unwrap_or_default()).await?,
            ),
        };
        if client.printer.text() {
            text(&client, &described, &info, outcome.as_ref())
        } else {
            self.value(&client, &described, outcome.as_ref())
        }
    }

    fn value(
        &self,
        client: &Client,
        described: &DescribeWorkflowExecutionResponse,
        outcome: Option<&outcome::Outcome>,
    ) -> anyhow::Result<()> {
        let mut value = if self.raw {
            serde_json::to_value(json::raw(described)?)?
        } else {
            client.json(described)?
        };
        if let (Some(outcome), Some(fields)) = (outcome, value.as_object_mut()) {
            let mut shown = serde_json::to_value(outcome.shown(client)?)?;
            for key in ["closeEvent", "result"] {
                if let Some(value) = shown.get_mut(key) {
                    fields.insert(key.to_owned(), value.take());
                }
            }
        }
        client.printer.value(&value)?;
        Ok(())
    }
}

fn text(
    client: &Client,
    described: &DescribeWorkflowExecutionResponse,
    info: &WorkflowExecutionInfo,
    outcome: Option<&outcome::Outcome>,
) -> anyhow::Result<()> {
    let printer = client.printer;
    printer.line("Execution Info:")?;
    printer.fields(&execution_fields(client, info))?;
    if let Some(extended) = &described.workflow_extended_info {
        printer.line("Extended Execution Info:")?;
        printer.fields(&extended_fields(client, extended))?;
    }
    printer.line("")?;
    if let Some(outcome) = outcome {
        return outcome.print_text(client, run_time(info));
    }
    let activities = &described.pending_activities;
    printer.line(&format!("Pending Activities: {}", activities.len()))?;
    for activity in activities {
        printer.fields(&activity_fields(client, activity))?;
        printer.line("")?;
    }
    let children = &described.pending_children;
    printer.line(&format!("Pending Child Workflows: {}", children.len()))?;
    for child in children {
        printer.fields(&[
            ("WorkflowId", Some(child.workflow_id.clone())),
            ("RunId", Some(child.run_id.clone())),
            ("TypeName", Some(child.workflow_type_name.clone())),
            ("InitiatedId", Some(child.initiated_id.to_string())),
        ])?;
        printer.line("")?;
    }
    let operations = described.pending_nexus_operations.len();
    printer.line(&format!("Pending Nexus Operations: {operations}"))?;
    Ok(())
}

fn execution_fields(
    client: &Client,
    info: &WorkflowExecutionInfo,
) -> Vec<(&'static str, Option<String>)> {
    let time = |time| said(client.time_format.shown(time));
    let run = info.execution.clone().unwrap_or_default();
    let root = info.root_execution.clone().unwrap_or_default();
    let parent = info.parent_execution.clone().unwrap_or_default();
    let kind = info.r#type.clone().unwrap_or_default();
    let memo = info.memo.as_ref().map(|memo| &memo.fields);
    let attributes = info.search_attributes.as_ref();
    let attributes = attributes.map(|attributes| &attributes.indexed_fields);
    vec![
        ("WorkflowId", Some(run.workflow_id)),
        ("RunId", Some(run.run_id)),
        ("Type", Some(kind.name)),
        ("Namespace", Some(client.namespace.clone())),
        ("TaskQueue", Some(info.task_queue.clone())),
        ("StartTime", time(info.start_time.as_ref())),
        ("CloseTime", time(info.close_time.as_ref())),
        ("ExecutionTime", time(info.execution_time.as_ref())),
        ("Memo", memo.and_then(named)),
        ("SearchAttributes", attributes.and_then(named)),
        (
            "StateTransitionCount",
            Some(info.state_transition_count.to_string()),
        ),
        ("HistoryLength", Some(info.history_length.to_string())),
        ("HistorySize", Some(info.history_size_bytes.to_string())),
        ("ParentWorkflowId", said(parent.workflow_id)),
        ("ParentRunId", said(parent.run_id)),
        ("RootWorkflowId", said(root.workflow_id)),
        ("RootRunId", said(root.run_id)),
    ]
}

fn extended_fields(
    client: &Client,
    extended: &WorkflowExecutionExtendedInfo,
) -> Vec<(&'static str, Option<String>)> {
    // Servers send the year 1 where there is no time.
    let time = |time: &Option<cairn_proto::prost_types::Timestamp>| {
        let time = time.as_ref().filter(|time| time.seconds > 0);
        said(client.time_format.shown(time))
    };
    vec![
        (
            "ExecutionExpirationTime",
            time(&extended.execution_expiration_time),
        ),
        ("RunExpirationTime", time(&extended.run_expiration_time)),
        (
            "CancelRequested",
            Some(extended.cancel_requested.to_string()),
        ),
        ("LastResetTime", time(&extended.last_reset_time)),
        ("OriginalStartTime", time(&extended.original_start_time)),
        ("ResetRunId", said(extended.reset_run_id.clone())),
    ]
}

fn activity_fields(
    client: &Client,
    activity: &PendingActivityInfo,
) -> Vec<(&'static str, Option<String>)> {
    let time = |time| said(client.time_format.shown(time));
    let kind = activity.activity_type.clone().unwrap_or_default();
    let state = PendingActivityState::try_from(activity.state).unwrap_or_default();
    let failure = activity.last_failure.as_ref();
    let details = activity.heartbeat_details.as_ref();
    vec![
        ("ActivityId", Some(activity.activity_id.clone())),
        ("Type", Some(kind.name)),
        (
            "State",
            Some(word(state.as_str_name(), "PENDING_ACTIVITY_STATE_")),
        ),
        ("Attempt", Some(activity.attempt.to_string())),
        (
            "MaximumAttempts",
            Some(activity.maximum_attempts.to_string()),
        ),
        ("ScheduledTime", time(activity.scheduled_time.as_ref())),
        ("LastStartedTime", time(activity.last_started_time.as_ref())),
        (
            "LastHeartbeatTime",
            time(activity.last_heartbeat_time.as_ref()),
        ),
        (
            "HeartbeatDetails",
            details.map(|details| json::payloads(details).to_string()),
        ),
        (
            "LastFailure",
            failure.map(|failure| failure.message.clone()),
        ),
        (
            "LastWorkerIdentity",
            said(activity.last_worker_identity.clone()),
        ),
        (
            "NextAttemptScheduleTime",
            time(activity.next_attempt_schedule_time.as_ref()),
        ),
        ("Paused", activity.paused.then(|| "true".to_owned())),
    ]
}

fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn named(fields: &HashMap<String, Payload>) -> Option<String> {
    let mut parts: Vec<String> = fields
        .iter()
        .map(|(name, payload)| {
            // Search attributes say their type in the metadata: shown by their value all the same.
            let value =
                serde_json::from_slice(&payload.data).unwrap_or_else(|_| json::payload(payload));
            format!("{name}={value}")
        })
        .collect();
    parts.sort();
    said(parts.join(", "))
}

fn run_time(info: &WorkflowExecutionInfo) -> Option<Duration> {
    let took = info.execution_duration.as_ref().map(duration::of);
    took.or_else(|| {
        let time = |time: Option<cairn_proto::prost_types::Timestamp>| {
            std::time::SystemTime::try_from(time?).ok()
        };
        time(info.close_time)?
            .duration_since(time(info.start_time)?)
            .ok()
    })
}
