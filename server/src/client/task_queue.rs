//! `cairn task-queue …`: who polls a task queue, and what waits in it.

use std::process::ExitCode;

use cairn_proto::temporal::api::enums::v1::{TaskQueueKind, TaskQueueType};
use cairn_proto::temporal::api::taskqueue::v1::{PollerInfo, TaskQueue, TaskQueueStats};
use cairn_proto::temporal::api::workflowservice::v1::{
    DescribeTaskQueueRequest, DescribeTaskQueueResponse,
};
use clap::Subcommand;
use serde::Serialize;
use serde_json::{Value, json};

use super::connect::Client;
use super::options::Options;
use super::output::Side;
use super::{duration, json as proto, refused};

/// Versions of workers come with their deployments; until then every worker is this.
const UNVERSIONED: &str = "UNVERSIONED";

/// Commands about task queues.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Describe a task queue: its pollers and its backlog.
    Describe(Describe),
}

#[derive(Debug, clap::Args)]
struct Describe {
    /// Task queue.
    #[arg(long, short = 't')]
    task_queue: String,
    /// Only this type: workflow, activity or nexus.
    #[arg(long, value_parser = kind)]
    task_queue_type: Option<TaskQueueType>,
    /// Do not show the backlog.
    #[arg(long)]
    disable_stats: bool,
    /// Also show rate limits and weights.
    #[arg(long)]
    report_config: bool,
    /// Only the pollers of one type.
    #[arg(long)]
    legacy_mode: bool,
    /// The type of legacy mode: workflow or activity.
    #[arg(long, value_parser = kind, default_value = "workflow")]
    task_queue_type_legacy: TaskQueueType,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Poller {
    build_id: &'static str,
    task_queue_type: &'static str,
    identity: String,
    last_access_time: Option<String>,
    rate_per_second: f64,
    #[serde(skip)]
    seen: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    build_id: &'static str,
    task_queue_type: &'static str,
    approximate_backlog_count: i64,
    approximate_backlog_age: String,
    backlog_increase_rate: f32,
    tasks_add_rate: f32,
    tasks_dispatch_rate: f32,
}

/// Carries the command out.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { options, command } = args;
    Client::with(&options, async |client| {
        match command {
            Command::Describe(describe) if describe.legacy_mode => describe.legacy(client).await,
            Command::Describe(describe) => describe.run(client).await,
        }?;
        Ok(ExitCode::SUCCESS)
    })
    .await
}

impl Describe {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let kinds = match self.task_queue_type {
            Some(kind) => vec![kind],
            None => vec![TaskQueueType::Workflow, TaskQueueType::Activity],
        };
        let (mut pollers, mut stats, mut config) = (Vec::new(), Vec::new(), None);
        for kind in kinds {
            let answer = self.ask(&mut client, kind).await?;
            let found = answer.pollers.into_iter();
            pollers.extend(found.map(|found| poller(&client, name(kind), found)));
            stats.extend(answer.stats.map(|found| self::stats(name(kind), &found)));
            config = answer.config.or(config);
        }
        if !self.disable_stats {
            show_stats(&client, &stats)?;
        }
        show_pollers(&client, &pollers)?;
        let config = config.filter(|_| self.report_config);
        let config = config.as_ref().map(proto::short).transpose()?;
        if let Some(config) = &config {
            client.printer.line(&format!("Config: {config}"))?;
        }
        let mut value = json!({"reachability": null, "pollers": pollers, "stats": stats});
        if let (Some(config), Some(fields)) = (config, value.as_object_mut()) {
            fields.insert("config".to_owned(), config);
        }
        client.printer.value(&value)?;
        Ok(())
    }

    async fn legacy(self, mut client: Client) -> anyhow::Result<()> {
        let kind = self.task_queue_type_legacy;
        let answer = self.ask(&mut client, kind).await?;
        let pollers: Vec<Poller> = answer
            .pollers
            .into_iter()
            .map(|found| poller(&client, name(kind), found))
            .collect();
        client.printer.line("Pollers:")?;
        let rows: Vec<Vec<String>> = pollers
            .iter()
            .map(|poller| {
                let rate = poller.rate_per_second.to_string();
                vec![poller.identity.clone(), poller.seen.clone(), rate]
            })
            .collect();
        let columns = [
            ("Identity", Side::Left),
            ("LastAccessTime", Side::Left),
            ("RatePerSecond", Side::Right),
        ];
        client.printer.table(&columns, &rows, true)?;
        let taken = pollers.iter().map(|poller| {
            json!({
                "identity": poller.identity,
                "lastAccessTime": poller.last_access_time,
                "ratePerSecond": poller.rate_per_second,
            })
        });
        client
            .printer
            .value(&json!({"pollers": taken.collect::<Vec<Value>>()}))?;
        Ok(())
    }

    async fn ask(
        &self,
        client: &mut Client,
        kind: TaskQueueType,
    ) -> anyhow::Result<DescribeTaskQueueResponse> {
        let answer = client
            .workflows
            .describe_task_queue(DescribeTaskQueueRequest {
                namespace: client.namespace.clone(),
                task_queue: Some(TaskQueue {
                    name: self.task_queue.clone(),
                    kind: TaskQueueKind::Normal.into(),
                    ..Default::default()
                }),
                task_queue_type: kind.into(),
                report_stats: !self.disable_stats,
                report_config: self.report_config,
                ..Default::default()
            })
            .await
            .map_err(|status| refused("unable to describe task queue", &status))?;
        Ok(answer.into_inner())
    }
}

fn poller(client: &Client, task_queue_type: &'static str, found: PollerInfo) -> Poller {
    Poller {
        build_id: UNVERSIONED,
        task_queue_type,
        seen: client.time_format.shown(found.last_access_time.as_ref()),
        last_access_time: found.last_access_time.map(|time| time.to_string()),
        identity: found.identity,
        rate_per_second: found.rate_per_second,
    }
}

fn stats(task_queue_type: &'static str, found: &TaskQueueStats) -> Stats {
    let age = found.approximate_backlog_age.as_ref().map(duration::of);
    Stats {
        build_id: UNVERSIONED,
        task_queue_type,
        approximate_backlog_count: found.approximate_backlog_count,
        approximate_backlog_age: duration::shown(age.unwrap_or_default()),
        backlog_increase_rate: found.tasks_add_rate - found.tasks_dispatch_rate,
        tasks_add_rate: found.tasks_add_rate,
        tasks_dispatch_rate: found.tasks_dispatch_rate,
    }
}

fn show_stats(client: &Client, stats: &[Stats]) -> anyhow::Result<()> {
    client.printer.line("Task Queue Statistics:")?;
    let columns = [
        ("BuildID", Side::Left),
        ("TaskQueueType", Side::Left),
        ("ApproximateBacklogCount", Side::Right),
        ("ApproximateBacklogAge", Side::Left),
        ("BacklogIncreaseRate", Side::Right),
        ("TasksAddRate", Side::Right),
        ("TasksDispatchRate", Side::Right),
    ];
    let rows: Vec<Vec<String>> = stats
        .iter()
        .map(|stats| {
            vec![
                stats.build_id.to_owned(),
                stats.task_queue_type.to_owned(),
                stats.approximate_backlog_count.to_string(),
                stats.approximate_backlog_age.clone(),
                stats.backlog_increase_rate.to_string(),
                stats.tasks_add_rate.to_string(),
                stats.tasks_dispatch_rate.to_string(),
            ]
        })
        .collect();
    client.printer.table(&columns, &rows, true)?;
    Ok(())
}

fn show_pollers(client: &Client, pollers: &[Poller]) -> anyhow::Result<()> {
    client.printer.line("Pollers:")?;
    let columns = [
        ("BuildID", Side::Left),
        ("TaskQueueType", Side::Left),
        ("Identity", Side::Left),
        ("LastAccessTime", Side::Left),
        ("RatePerSecond", Side::Right),
    ];
    let rows: Vec<Vec<String>> = pollers
        .iter()
        .map(|poller| {
            vec![
                poller.build_id.to_owned(),
                poller.task_queue_type.to_owned(),
                poller.identity.clone(),
                poller.seen.clone(),
                poller.rate_per_second.to_string(),
            ]
        })
        .collect();
    client.printer.table(&columns, &rows, true)?;
    Ok(())
}

fn name(kind: TaskQueueType) -> &'static str {
    match kind {
        TaskQueueType::Workflow => "workflow",
        TaskQueueType::Activity => "activity",
        TaskQueueType::Nexus => "nexus",
        TaskQueueType::Unspecified => "",
    }
}

fn kind(name: &str) -> Result<TaskQueueType, String> {
    match name {
        "workflow" => Ok(TaskQueueType::Workflow),
        "activity" => Ok(TaskQueueType::Activity),
        "nexus" => Ok(TaskQueueType::Nexus),
        _ => Err("not one of workflow, activity, nexus".to_owned()),
    }
}
