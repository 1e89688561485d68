//! `cairn activity …`: complete or fail an activity from outside, pause it, let it go on, begin it again, change its options.
//!
//! Deliberately absent: activities without a workflow, and batches by a list filter.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use cairn_proto::prost_types::{self, FieldMask};
use cairn_proto::temporal::api::activity::v1::ActivityOptions;
use cairn_proto::temporal::api::common::v1::{Payload, Payloads, RetryPolicy};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1::{
    PauseActivityExecutionRequest, ResetActivityExecutionRequest,
    RespondActivityTaskCompletedByIdRequest, RespondActivityTaskFailedByIdRequest,
    UnpauseActivityExecutionRequest, UpdateActivityExecutionOptionsRequest,
};
use clap::Subcommand;
use serde::Serialize;
use serde_json::{Value, json};

use super::connect::Client;
use super::options::Options;
use super::{duration, refused};

/// Commands about activities of workflow executions.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Complete an activity with a result.
    Complete(Complete),
    /// Fail an activity for good.
    Fail(Fail),
    /// Pause an activity: an attempt that runs goes on, no other one begins.
    Pause(Pause),
    /// Let a paused activity go on.
    Unpause(Unpause),
    /// Begin an activity again, as if it had never failed.
    Reset(Reset),
    /// Change options of an activity; what is not named stays.
    UpdateOptions(Box<UpdateOptions>),
}

/// One activity of one run.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_field_names, reason = "the flags are named so")]
struct Target {
    /// Activity id.
    #[arg(long, short = 'a')]
    activity_id: String,
    /// Workflow id.
    #[arg(long, short = 'w')]
    workflow_id: String,
    /// Run id. Default: the current run.
    #[arg(long, short = 'r', default_value = "", hide_default_value = true)]
    run_id: String,
}

#[derive(Debug, clap::Args)]
struct Complete {
    #[command(flatten)]
    target: Target,
    /// The result, as JSON.
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    result: String,
}

#[derive(Debug, clap::Args)]
struct Fail {
    #[command(flatten)]
    target: Target,
    /// Why: the message of the failure.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    /// Details of the failure, as JSON.
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    detail: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Pause {
    #[command(flatten)]
    target: Target,
    /// Why.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Unpause {
    #[command(flatten)]
    target: Target,
    /// It begins at some time within this.
    #[arg(long, value_parser = duration::parse)]
    jitter: Option<Duration>,
}

#[derive(Debug, clap::Args)]
struct Reset {
    #[command(flatten)]
    target: Target,
    /// If it is paused, it stays so.
    #[arg(long)]
    keep_paused: bool,
    /// What it said at its heartbeats is forgotten.
    #[arg(long)]
    clear_heartbeat_details: bool,
    /// It has the options again with which it was scheduled.
    #[arg(long)]
    restore_original_options: bool,
    /// It begins at some time within this.
    #[arg(long, value_parser = duration::parse)]
    jitter: Option<Duration>,
}

#[derive(Debug, clap::Args)]
struct UpdateOptions {
    #[command(flatten)]
    target: Target,
    /// Task queue.
    #[arg(long)]
    task_queue: Option<String>,
    /// The time for all attempts together.
    #[arg(long, value_parser = duration::parse)]
    schedule_to_close_timeout: Option<Duration>,
    /// How long an attempt may wait for a worker.
    #[arg(long, value_parser = duration::parse)]
    schedule_to_start_timeout: Option<Duration>,
    /// How long an attempt may run.
    #[arg(long, value_parser = duration::parse)]
    start_to_close_timeout: Option<Duration>,
    /// The longest time between heartbeats.
    #[arg(long, value_parser = duration::parse)]
    heartbeat_timeout: Option<Duration>,
    /// The time between the first attempt and the second.
    #[arg(long, value_parser = duration::parse)]
    retry_initial_interval: Option<Duration>,
    /// The longest time between attempts.
    #[arg(long, value_parser = duration::parse)]
    retry_maximum_interval: Option<Duration>,
    /// By how much the time between attempts grows.
    #[arg(long)]
    retry_backoff_coefficient: Option<f32>,
    /// How many attempts there are at most; 0: as many as it takes.
    #[arg(long)]
    retry_maximum_attempts: Option<i32>,
    /// The options with which it was scheduled.
    #[arg(long)]
    restore_original_options: bool,
}

/// Carries the command out.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { options, command } = args;
    Client::with(&options, async |client| {
        match command {
            Command::Complete(complete) => complete.run(client).await,
            Command::Fail(fail) => fail.run(client).await,
            Command::Pause(pause) => pause.run(client).await,
            Command::Unpause(unpause) => unpause.run(client).await,
            Command::Reset(reset) => reset.run(client).await,
            Command::UpdateOptions(update) => update.run(client).await,
        }?;
        Ok(ExitCode::SUCCESS)
    })
    .await
}

/// A JSON text as the only payload.
fn payloads(text: &str) -> anyhow::Result<Payloads> {
    serde_json::from_str::<Value>(text).context("input #1 is not valid JSON")?;
    Ok(Payloads {
        payloads: vec![Payload {
            metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
            data: text.as_bytes().to_vec(),
            ..Default::default()
        }],
    })
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl Complete {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let request = RespondActivityTaskCompletedByIdRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.target.workflow_id,
            run_id: self.target.run_id,
            activity_id: self.target.activity_id,
            result: Some(payloads(&self.result)?),
            identity: client.identity.clone(),
            ..Default::default()
        };
        let answer = client
            .workflows
            .respond_activity_task_completed_by_id(request);
        answer
            .await
            .map_err(|status| refused("unable to complete Activity", &status))?;
        Ok(())
    }
}

impl Fail {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let details = self.detail.as_deref().map(payloads).transpose()?;
        let failure = Failure {
            message: self.reason,
            source: "CLI".to_owned(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(
                ApplicationFailureInfo {
                    non_retryable: true,
                    details,
                    ..Default::default()
                },
            )),
            ..Default::default()
        };
        let request = RespondActivityTaskFailedByIdRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.target.workflow_id,
            run_id: self.target.run_id,
            activity_id: self.target.activity_id,
            failure: Some(failure),
            identity: client.identity.clone(),
            ..Default::default()
        };
        let answer = client.workflows.respond_activity_task_failed_by_id(request);
        answer
            .await
            .map_err(|status| refused("unable to fail Activity", &status))?;
        Ok(())
    }
}

impl Pause {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let request = PauseActivityExecutionRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.target.workflow_id,
            run_id: self.target.run_id,
            activity_id: self.target.activity_id,
            identity: client.identity.clone(),
            reason: self.reason,
            request_id: request_id(),
            ..Default::default()
        };
        let answer = client.workflows.pause_activity_execution(request);
        answer
            .await
            .map_err(|status| refused("unable to pause Activity", &status))?;
        Ok(())
    }
}

impl Unpause {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let request = UnpauseActivityExecutionRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.target.workflow_id,
            run_id: self.target.run_id,
            activity_id: self.target.activity_id,
            identity: client.identity.clone(),
            jitter: duration::proto(self.jitter),
            request_id: request_id(),
            ..Default::default()
        };
        let answer = client.workflows.unpause_activity_execution(request);
        answer
            .await
            .map_err(|status| refused("unable to unpause an Activity", &status))?;
        Ok(())
    }
}

impl Reset {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let request = ResetActivityExecutionRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.target.workflow_id,
            run_id: self.target.run_id,
            activity_id: self.target.activity_id,
            identity: client.identity.clone(),
            keep_paused: self.keep_paused,
            jitter: duration::proto(self.jitter),
            restore_original_options: self.restore_original_options,
            reset_heartbeat: self.clear_heartbeat_details,
            request_id: request_id(),
            ..Default::default()
        };
        let answer = client.workflows.reset_activity_execution(request);
        answer
            .await
            .map_err(|status| refused("unable to reset an Activity", &status))?;
        client.printer.fields(&[
            ("KeepPaused", Some(self.keep_paused.to_string())),
            ("ServerResponse", Some(true.to_string())),
        ])?;
        client
            .printer
            .value(&json!({"keepPaused": self.keep_paused}))?;
        Ok(())
    }
}

impl UpdateOptions {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let (options, paths) = self.asked();
        let restore_original = self.restore_original_options;
        let request = UpdateActivityExecutionOptionsRequest {
            namespace: client.namespace.clone(),
            workflow_id: self.target.workflow_id,
            run_id: self.target.run_id,
            activity_id: self.target.activity_id,
            identity: client.identity.clone(),
            activity_options: Some(options),
            update_mask: (!restore_original || !paths.is_empty()).then_some(FieldMask { paths }),
            restore_original,
            request_id: request_id(),
            ..Default::default()
        };
        let answer = client.workflows.update_activity_execution_options(request);
        let options = answer
            .await
            .map_err(|status| refused("unable to update Activity options", &status))?
            .into_inner()
            .activity_options
            .unwrap_or_default();
        show(&client, options)
    }

    fn asked(&self) -> (ActivityOptions, Vec<String>) {
        let mut paths = Vec::new();
        let mut name = |is: bool, path: &str| {
            if is {
                paths.push(path.to_owned());
            }
        };
        name(self.task_queue.is_some(), "task_queue.name");
        for (value, path) in [
            (self.schedule_to_close_timeout, "schedule_to_close_timeout"),
            (self.schedule_to_start_timeout, "schedule_to_start_timeout"),
            (self.start_to_close_timeout, "start_to_close_timeout"),
            (self.heartbeat_timeout, "heartbeat_timeout"),
            (self.retry_initial_interval, "retry_policy.initial_interval"),
            (self.retry_maximum_interval, "retry_policy.maximum_interval"),
        ] {
            name(value.is_some(), path);
        }
        let coefficient = self.retry_backoff_coefficient;
        name(coefficient.is_some(), "retry_policy.backoff_coefficient");
        let attempts = self.retry_maximum_attempts;
        name(attempts.is_some(), "retry_policy.maximum_attempts");
        let has_policy = paths.iter().any(|path| path.starts_with("retry_policy."));
        let policy = RetryPolicy {
            initial_interval: duration::proto(self.retry_initial_interval),
            backoff_coefficient: coefficient.unwrap_or_default().into(),
            maximum_interval: duration::proto(self.retry_maximum_interval),
            maximum_attempts: attempts.unwrap_or_default(),
            non_retryable_error_types: Vec::new(),
        };
        let options = ActivityOptions {
            task_queue: self.task_queue.clone().map(|name| TaskQueue {
                name,
                ..Default::default()
            }),
            schedule_to_close_timeout: duration::proto(self.schedule_to_close_timeout),
            schedule_to_start_timeout: duration::proto(self.schedule_to_start_timeout),
            start_to_close_timeout: duration::proto(self.start_to_close_timeout),
            heartbeat_timeout: duration::proto(self.heartbeat_timeout),
            retry_policy: has_policy.then_some(policy),
            ..Default::default()
        };
        (options, paths)
    }
}

/// What options an activity has, as they are printed for programs: times in nanoseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    task_queue: String,
    schedule_to_close_timeout: u64,
    schedule_to_start_timeout: u64,
    start_to_close_timeout: u64,
    heartbeat_timeout: u64,
    start_delay: u64,
    initial_interval: u64,
    /// A whole number is written without its point.
    backoff_coefficient: Value,
    maximum_interval: u64,
    maximum_attempts: i32,
}

fn show(client: &Client, options: ActivityOptions) -> anyhow::Result<()> {
    let nanos = |it: Option<&prost_types::Duration>| {
        let nanos = it.map(duration::of).unwrap_or_default().as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX)
    };
    let policy = options.retry_policy.unwrap_or_default();
    let coefficient = policy.backoff_coefficient;
    let it = Shown {
        task_queue: options.task_queue.unwrap_or_default().name,
        schedule_to_close_timeout: nanos(options.schedule_to_close_timeout.as_ref()),
        schedule_to_start_timeout: nanos(options.schedule_to_start_timeout.as_ref()),
        start_to_close_timeout: nanos(options.start_to_close_timeout.as_ref()),
        heartbeat_timeout: nanos(options.heartbeat_timeout.as_ref()),
        start_delay: nanos(options.start_delay.as_ref()),
        initial_interval: nanos(policy.initial_interval.as_ref()),
        backoff_coefficient: serde_json::from_str(&coefficient.to_string())
            .unwrap_or(json!(coefficient)),
        maximum_interval: nanos(policy.maximum_interval.as_ref()),
        maximum_attempts: policy.maximum_attempts,
    };
    let span = |nanos| Some(duration::shown(Duration::from_nanos(nanos)));
    client.printer.fields(&[
        ("TaskQueue", Some(it.task_queue.clone())),
        ("ScheduleToCloseTimeout", span(it.schedule_to_close_timeout)),
        ("ScheduleToStartTimeout", span(it.schedule_to_start_timeout)),
        ("StartToCloseTimeout", span(it.start_to_close_timeout)),
        ("HeartbeatTimeout", span(it.heartbeat_timeout)),
        ("StartDelay", span(it.start_delay)),
        ("InitialInterval", span(it.initial_interval)),
        ("BackoffCoefficient", Some(coefficient.to_string())),
        ("MaximumInterval", span(it.maximum_interval)),
        ("MaximumAttempts", Some(it.maximum_attempts.to_string())),
    ])?;
    client.printer.value(&it)?;
    Ok(())
}
