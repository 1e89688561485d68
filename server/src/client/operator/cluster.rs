//! `cairn operator cluster …`: is the service there, and what can it do?

use anyhow::bail;
use cairn_proto::temporal::api::workflowservice::v1::{
    GetClusterInfoRequest, GetSystemInfoRequest,
};
use clap::Subcommand;
use serde_json::json;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use super::super::connect::Client;
use super::super::output::Side;
use super::super::{json as proto, refused};

/// Commands about the service.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask whether the service takes calls; exit code 1 if it does not.
    Health,
    /// Show the server's version and what it can do.
    System,
    /// Show the cluster's name and stores.
    Describe {
        /// Also show its shards and versions.
        #[arg(long)]
        detail: bool,
    },
}

impl Command {
    pub(super) async fn run(self, client: Client) -> anyhow::Result<()> {
        match self {
            Self::Health => health(client).await,
            Self::System => system(client).await,
            Self::Describe { detail } => describe(client, detail).await,
        }
    }
}

async fn health(mut client: Client) -> anyhow::Result<()> {
    let status = client
        .health
        .check(HealthCheckRequest {
            service: "temporal.api.workflowservice.v1.WorkflowService".to_owned(),
        })
        .await
        .map_err(|status| refused("failed checking cluster health", &status))?
        .into_inner()
        .status();
    client.printer.line(status.as_str_name())?;
    client
        .printer
        .value(&json!({"status": status.as_str_name()}))?;
    if status != ServingStatus::Serving {
        bail!("the service does not take calls");
    }
    Ok(())
}

async fn system(mut client: Client) -> anyhow::Result<()> {
    let answer = client
        .workflows
        .get_system_info(GetSystemInfoRequest {})
        .await
        .map_err(|status| refused("unable to get system information", &status))?
        .into_inner();
    let capabilities = answer.capabilities.unwrap_or_default();
    let columns = [
        "ServerVersion",
        "SupportsSchedules",
        "UpsertMemo",
        "EagerWorkflowStart",
    ];
    let row = vec![
        answer.server_version.clone(),
        capabilities.supports_schedules.to_string(),
        capabilities.upsert_memo.to_string(),
        capabilities.eager_workflow_start.to_string(),
    ];
    client
        .printer
        .table(&columns.map(|name| (name, Side::Left)), &[row], true)?;
    client.printer.value(&proto::raw(&answer)?)?;
    Ok(())
}

async fn describe(mut client: Client, detail: bool) -> anyhow::Result<()> {
    let answer = client
        .workflows
        .get_cluster_info(GetClusterInfoRequest {})
        .await
        .map_err(|status| refused("unable to get cluster information", &status))?
        .into_inner();
    let mut columns = vec!["ClusterName", "PersistenceStore", "VisibilityStore"];
    let mut row = vec![
        answer.cluster_name.clone(),
        answer.persistence_store.clone(),
        answer.visibility_store.clone(),
    ];
    if detail {
        columns.extend(["HistoryShardCount", "ServerVersion"]);
        row.extend([
            answer.history_shard_count.to_string(),
            answer.server_version.clone(),
        ]);
    }
    let columns: Vec<_> = columns.into_iter().map(|name| (name, Side::Left)).collect();
    client.printer.table(&columns, &[row], true)?;
    client.printer.value(&proto::raw(&answer)?)?;
    Ok(())
}
