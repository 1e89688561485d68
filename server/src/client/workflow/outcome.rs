//! How a workflow ended: waited for over all of its runs, shown, and turned into an exit code.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, anyhow};
use cairn_proto::temporal::api::common::v1::{Payloads, WorkflowExecution};
use cairn_proto::temporal::api::enums::v1::HistoryEventFilterType;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::workflowservice::v1::GetWorkflowExecutionHistoryRequest;
use serde::Serialize;
use serde_json::Value;

use super::super::connect::{Client, execution};
use super::super::{duration, json, refused};

/// Flags of `cairn workflow result`.
#[derive(Debug, clap::Args)]
pub(super) struct Wait {
    #[command(flatten)]
    run: super::Run,
}

/// The last event of a workflow.
#[derive(Debug)]
pub(super) struct Outcome {
    run: WorkflowExecution,
    event: HistoryEvent,
}

/// The part of it that is the same in every command's JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    status: &'static str,
    close_event: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Waited {
    workflow_id: String,
    run_id: String,
    namespace: String,
    #[serde(flatten)]
    outcome: Shown,
}

impl Wait {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let asked = execution(&self.run.workflow_id, self.run.run_id.as_deref());
        let outcome = wait(&mut client, asked).await?;
        outcome.print_text(&client, None)?;
        client.printer.value(&Waited {
            workflow_id: outcome.run.workflow_id.clone(),
            run_id: outcome.run.run_id.clone(),
            namespace: client.namespace.clone(),
            outcome: outcome.shown(&client)?,
        })?;
        outcome.verdict()
    }
}

/// Waits until the workflow has ended, following it from run to run.
pub(super) async fn wait(
    client: &mut Client,
    mut run: WorkflowExecution,
) -> anyhow::Result<Outcome> {
    if run.run_id.is_empty() {
        run.run_id = current(client, &run).await?;
    }
    loop {
        let outcome = Outcome {
            event: close_event(client, &run).await?,
            run: run.clone(),
        };
        match outcome.next_run() {
            "" => return Ok(outcome),
            next => next.clone_into(&mut run.run_id),
        }
    }
}

/// How a run that has ended did so; runs after it are not followed.
pub(super) async fn of_run(client: &mut Client, run: WorkflowExecution) -> anyhow::Result<Outcome> {
    let event = close_event(client, &run).await?;
    Ok(Outcome { run, event })
}

async fn current(client: &mut Client, run: &WorkflowExecution) -> anyhow::Result<String> {
    let described = super::describe::describe(client, run.clone()).await?;
    let info = described.workflow_execution_info.unwrap_or_default();
    Ok(info.execution.unwrap_or_default().run_id)
}

async fn close_event(client: &mut Client, run: &WorkflowExecution) -> anyhow::Result<HistoryEvent> {
    let mut token = Vec::new();
    loop {
        let page = client
            .workflows
            .get_workflow_execution_history(GetWorkflowExecutionHistoryRequest {
                namespace: client.namespace.clone(),
                execution: Some(run.clone()),
                next_page_token: token,
                wait_new_event: true,
                history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
                skip_archival: true,
                ..Default::default()
            })
            .await
            .map_err(|status| refused("failed waiting for the result", &status))?
            .into_inner();
        if let Some(event) = page.history.and_then(|mut history| history.events.pop()) {
            return Ok(event);
        }
        token = page.next_page_token;
        if token.is_empty() {
            return Err(anyhow!("the history ended without a close event"));
        }
    }
}

impl Outcome {
    /// How a run that has ended did so.
    pub(super) fn of(run: WorkflowExecution, event: HistoryEvent) -> Self {
        Self { run, event }
    }

    /// The run that goes on where this one ended, or nothing.
    fn next_run(&self) -> &str {
        match &self.event.attributes {
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(event)) => {
                &event.new_execution_run_id
            }
            Some(Attributes::WorkflowExecutionFailedEventAttributes(event)) => {
                &event.new_execution_run_id
            }
            Some(Attributes::WorkflowExecutionTimedOutEventAttributes(event)) => {
                &event.new_execution_run_id
            }
            Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(event)) => {
                &event.new_execution_run_id
            }
            _ => "",
        }
    }

    fn status(&self) -> &'static str {
        match &self.event.attributes {
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(_)) => "COMPLETED",
            Some(Attributes::WorkflowExecutionFailedEventAttributes(_)) => "FAILED",
            Some(Attributes::WorkflowExecutionTimedOutEventAttributes(_)) => "TIMEOUT",
            Some(Attributes::WorkflowExecutionCanceledEventAttributes(_)) => "CANCELED",
            Some(Attributes::WorkflowExecutionTerminatedEventAttributes(_)) => "TERMINATED",
            Some(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(_)) => {
                "CONTINUED_AS_NEW"
            }
            _ => "",
        }
    }

    fn result(&self) -> Option<Payloads> {
        match &self.event.attributes {
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(event)) => {
                Some(event.result.clone().unwrap_or_default())
            }
            _ => None,
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match &self.event.attributes {
            Some(Attributes::WorkflowExecutionFailedEventAttributes(event)) => {
                event.failure.as_ref()
            }
            _ => None,
        }
    }

    /// For people.
    pub(super) fn print_text(&self, client: &Client, took: Option<Duration>) -> anyhow::Result<()> {
        let result = self.result();
        let encoding = result
            .as_ref()
            .and_then(|payloads| payloads.payloads.first()?.metadata.get("encoding"))
            .map(|encoding| String::from_utf8_lossy(encoding).into_owned());
        client.printer.line("Results:")?;
        client.printer.fields(&[
            ("RunTime", took.map(brief)),
            ("Status", Some(self.status().to_owned())),
            (
                "Result",
                result.map(|payloads| json::payloads(&payloads).to_string()),
            ),
            ("ResultEncoding", encoding),
            ("Reason", self.reason()),
            ("Failure", self.failure().map(|_| String::new())),
        ])?;
        if let Some(failure) = self.failure() {
            client.printer.line(told(failure, 4).trim_end())?;
        }
        Ok(())
    }

    fn reason(&self) -> Option<String> {
        match &self.event.attributes {
            Some(Attributes::WorkflowExecutionTerminatedEventAttributes(event)) => {
                Some(event.reason.clone())
            }
            _ => None,
        }
    }

    /// For programs.
    pub(super) fn shown(&self, client: &Client) -> anyhow::Result<Shown> {
        Ok(Shown {
            status: self.status(),
            close_event: client
                .json(&self.event)
                .context("the close event cannot be shown")?,
            result: self.result().as_ref().map(json::payloads),
        })
    }

    /// An error if the workflow did not complete, so that the exit code says it.
    pub(super) fn verdict(&self) -> anyhow::Result<()> {
        match &self.event.attributes {
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(_)) => Ok(()),
            _ => Err(anyhow!("workflow failed")),
        }
    }
}

/// To a hundredth of a second: more is noise.
fn brief(took: Duration) -> String {
    let hundredths = u64::try_from(took.as_millis().div_ceil(10)).unwrap_or(u64::MAX);
    duration::shown(Duration::from_millis(hundredths.saturating_mul(10)))
}

/// A failure and its causes, indented.
pub(super) fn told(failure: &Failure, indent: usize) -> String {
    let mut text = String::new();
    let margin = " ".repeat(indent);
    // Writing to a String does not fail.
    let _ = writeln!(text, "{margin}Message: {}", failure.message);
    if !failure.stack_trace.is_empty() {
        let _ = writeln!(text, "{margin}StackTrace:");
        for line in failure.stack_trace.lines() {
            let _ = writeln!(text, "{margin}    {line}");
        }
    }
    if let Some(cause) = &failure.cause {
        let _ = writeln!(text, "{margin}Cause:");
        text += &told(cause, indent + 4);
    }
    text
}
