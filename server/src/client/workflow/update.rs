//! `cairn workflow update start`, `execute`, `describe` and `result`.

use anyhow::{anyhow, bail};
use cairn_proto::temporal::api::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::update::v1::{
    Input as Arguments, Meta, Outcome, Request, UpdateRef, WaitPolicy, outcome,
};
use cairn_proto::temporal::api::workflowservice::v1::{
    PollWorkflowExecutionUpdateRequest, PollWorkflowExecutionUpdateResponse,
    UpdateWorkflowExecutionRequest,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::connect::{Client, execution};
use super::super::input::{self, Input};
use super::super::{json as proto, refused};

/// What can be done with an update.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Update {
    /// Send an update and wait until it is accepted or rejected.
    Start(Start),
    /// Send an update and wait until it has completed or failed.
    Execute(Send),
    /// Show how far an update is.
    Describe(Known),
    /// Wait until an update has completed or failed.
    Result(Known),
}

#[derive(Debug, clap::Args)]
pub(super) struct Start {
    #[command(flatten)]
    send: Send,
    /// What to wait for.
    #[arg(long, value_parser = ["accepted"])]
    wait_for_stage: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Send {
    #[command(flatten)]
    run: super::Run,
    /// Name of the update.
    #[arg(long, alias = "type")]
    name: String,
    /// Update id; an update with the same one is the same. Default: a new one.
    #[arg(long)]
    update_id: Option<String>,
    /// Only if the current run belongs to the chain that began with this run.
    #[arg(long)]
    first_execution_run_id: Option<String>,
    #[command(flatten)]
    input: Input,
    /// Header as KEY=JSON. Can be given again.
    #[arg(long)]
    headers: Vec<String>,
}

/// An update that was sent.
#[derive(Debug, clap::Args)]
pub(super) struct Known {
    #[command(flatten)]
    run: super::Run,
    /// Update id.
    #[arg(long)]
    update_id: String,
}

/// What programs read; people the same under other names.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    update_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
}

impl Update {
    pub(super) async fn run(self, client: Client) -> anyhow::Result<()> {
        match self {
            Self::Start(Start {
                send,
                wait_for_stage: _,
            }) => send.run(client, Stage::Accepted).await,
            Self::Execute(send) => send.run(client, Stage::Completed).await,
            Self::Describe(known) => known.describe(client).await,
            Self::Result(known) => known.result(client).await,
        }
    }
}

impl Send {
    /// Asks until the update is as far as that: the server lets go of who waits long.
    async fn run(self, mut client: Client, until: Stage) -> anyhow::Result<()> {
        const WHAT: &str = "unable to update workflow";
        let new = || uuid::Uuid::new_v4().to_string();
        let update_id = self.update_id.unwrap_or_else(new);
        let request = UpdateWorkflowExecutionRequest {
            namespace: client.namespace.clone(),
            workflow_execution: Some(execution(&self.run.workflow_id, self.run.run_id.as_deref())),
            first_execution_run_id: self.first_execution_run_id.unwrap_or_default(),
            wait_policy: Some(WaitPolicy {
                lifecycle_stage: until.into(),
            }),
            request: Some(Request {
                meta: Some(Meta {
                    update_id: update_id.clone(),
                    identity: client.identity.clone(),
                }),
                input: Some(Arguments {
                    header: input::header(&self.headers)?,
                    name: self.name.clone(),
                    args: self.input.payloads()?,
                }),
                ..Default::default()
            }),
        };
        let answer = loop {
            let answer = client
                .workflows
                .update_workflow_execution(request.clone())
                .await
                .map_err(|status| refused(WHAT, &status))?
                .into_inner();
            if answer.outcome.is_some() || answer.stage >= i32::from(until) {
                break answer;
            }
        };
        let outcome = answer.outcome.and_then(|it| it.value);
        if let Some(outcome::Value::Failure(failure)) = outcome {
            bail!("{WHAT}: {}", brief(&failure));
        }
        let result = match outcome {
            Some(outcome::Value::Success(result)) if until == Stage::Completed => {
                Some(proto::payloads(&result))
            }
            _ => None,
        };
        Shown {
            name: Some(self.name),
            update_id,
            result,
            ..Shown::default()
        }
        .print(&client, None)
    }
}

impl Known {
    async fn describe(self, mut client: Client) -> anyhow::Result<()> {
        let answer = self.ask(&mut client, Stage::Unspecified).await;
        let answer = answer.map_err(|status| refused("failed to describe update", &status))?;
        let mut shown = Shown {
            update_id: self.update_id,
            stage: Some(stage(answer.stage())),
            ..Shown::default()
        };
        let failure = shown.take(answer.outcome);
        let text = failure.as_ref().map(|failure| failure.message.clone());
        if let Some(failure) = failure {
            shown.failure = Some(client.json(&failure)?);
        }
        shown.print(&client, text)
    }

    async fn result(self, mut client: Client) -> anyhow::Result<()> {
        const WHAT: &str =
            "unable to fetch update result: Timeout or cancellation waiting for update";
        let answer = loop {
            let answer = self.ask(&mut client, Stage::Completed).await;
            let answer = answer.map_err(|status| refused(WHAT, &status))?;
            if answer.outcome.is_some() {
                break answer;
            }
        };
        let mut shown = Shown {
            update_id: self.update_id,
            ..Shown::default()
        };
        let failure = shown.take(answer.outcome);
        let text = failure.as_ref().map(brief);
        if let Some(failure) = &failure {
            shown.failure = Some(json!({"message": brief(failure), "type": kind(failure)}));
        }
        let failed = failure.is_some();
        shown.print(&client, text)?;
        if failed {
            return Err(anyhow!("update is failed"));
        }
        Ok(())
    }

    async fn ask(
        &self,
        client: &mut Client,
        until: Stage,
    ) -> Result<PollWorkflowExecutionUpdateResponse, tonic::Status> {
        let run = execution(&self.run.workflow_id, self.run.run_id.as_deref());
        let request = PollWorkflowExecutionUpdateRequest {
            namespace: client.namespace.clone(),
            update_ref: Some(UpdateRef {
                workflow_execution: Some(run),
                update_id: self.update_id.clone(),
            }),
            identity: client.identity.clone(),
            wait_policy: (until != Stage::Unspecified).then(|| WaitPolicy {
                lifecycle_stage: until.into(),
            }),
        };
        let answer = client.workflows.poll_workflow_execution_update(request);
        Ok(answer.await?.into_inner())
    }
}

impl Shown {
    /// The result becomes part of it, a failure is for the caller.
    fn take(&mut self, outcome: Option<Outcome>) -> Option<Failure> {
        match outcome?.value? {
            outcome::Value::Success(result) => {
                self.result = Some(proto::payloads(&result));
                None
            }
            outcome::Value::Failure(failure) => Some(failure),
        }
    }

    fn print(&self, client: &Client, failure: Option<String>) -> anyhow::Result<()> {
        client.printer.fields(&[
            ("Name", self.name.clone()),
            ("UpdateID", Some(self.update_id.clone())),
            ("Result", self.result.as_ref().map(plain)),
            ("Failure", failure),
            ("Stage", self.stage.map(str::to_owned)),
        ])?;
        client.printer.value(self)?;
        Ok(())
    }
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Unspecified => "Unspecified",
        Stage::Admitted => "Admitted",
        Stage::Accepted => "Accepted",
        Stage::Completed => "Completed",
    }
}

fn kind(failure: &Failure) -> &str {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => &info.r#type,
        _ => "",
    }
}

/// A failure in a line.
fn brief(failure: &Failure) -> String {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => format!(
            "{} (type: {}, retryable: {})",
            failure.message, info.r#type, !info.non_retryable
        ),
        _ => failure.message.clone(),
    }
}
