//! `cairn operator namespace …`: create, describe, list and update.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::anyhow;
use cairn_proto::temporal::api::enums::v1::{ArchivalState, NamespaceState};
use cairn_proto::temporal::api::namespace::v1::{NamespaceConfig, UpdateNamespaceInfo};
use cairn_proto::temporal::api::replication::v1::{
    ClusterReplicationConfig, NamespaceReplicationConfig,
};
use cairn_proto::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, DescribeNamespaceResponse, ListNamespacesRequest,
    RegisterNamespaceRequest, UpdateNamespaceRequest,
};
use clap::Subcommand;

use super::super::connect::Client;
use super::super::input::pair;
use super::super::{duration, json, refused};

/// Commands about namespaces; `--namespace` says which one.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a namespace.
    Create(Create),
    /// Describe a namespace.
    Describe {
        /// The namespace's id, instead of its name.
        #[arg(long)]
        namespace_id: Option<String>,
    },
    /// List all namespaces.
    List,
    /// Change a namespace.
    Update(Update),
}

/// What can be said of a namespace.
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
    /// Whom to ask about it.
    #[arg(long)]
    email: Option<String>,
    /// Anything else, as KEY=VALUE. Can be given again.
    #[arg(long)]
    data: Vec<String>,
    /// Cluster that it belongs to. Can be given again.
    #[arg(long)]
    cluster: Vec<String>,
    /// Cluster in which it is active.
    #[arg(long)]
    active_cluster: Option<String>,
    /// Archival of histories: disabled or enabled.
    #[arg(long, value_parser = archival)]
    history_archival_state: Option<ArchivalState>,
    /// Where histories are archived.
    #[arg(long)]
    history_uri: Option<String>,
    /// Archival of visibility: disabled or enabled.
    #[arg(long, value_parser = archival)]
    visibility_archival_state: Option<ArchivalState>,
    /// Where visibility is archived.
    #[arg(long)]
    visibility_uri: Option<String>,
}

/// Flags of a create.
#[derive(Debug, clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    settings: Settings,
    /// Time for which closed workflows are kept.
    #[arg(long, default_value = "72h", value_parser = duration::parse)]
    retention: Duration,
    /// For several clusters.
    #[arg(long)]
    global: bool,
}

/// Flags of an update.
#[derive(Debug, clap::Args)]
pub(super) struct Update {
    #[command(flatten)]
    settings: Settings,
    /// Time for which closed workflows are kept.
    #[arg(long, value_parser = duration::parse)]
    retention: Option<Duration>,
    /// Make it one for several clusters.
    #[arg(long)]
    promote_global: bool,
}

impl Command {
    pub(super) async fn run(self, client: Client) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run(client).await,
            Self::Describe { namespace_id } => describe(client, namespace_id).await,
            Self::List => list(client).await,
            Self::Update(update) => update.run(client).await,
        }
    }
}

impl Settings {
    fn data(&self) -> anyhow::Result<HashMap<String, String>> {
        self.data.iter().map(|text| pair("--data", text)).collect()
    }

    fn clusters(&self) -> Vec<ClusterReplicationConfig> {
        self.cluster
            .iter()
            .map(|name| ClusterReplicationConfig {
                cluster_name: name.clone(),
                ..Default::default()
            })
            .collect()
    }
}

impl Create {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let settings = self.settings;
        let disabled = ArchivalState::Disabled;
        let name = client.namespace.clone();
        client
            .workflows
            .register_namespace(RegisterNamespaceRequest {
                namespace: name.clone(),
                workflow_execution_retention_period: duration::proto(Some(self.retention)),
                is_global_namespace: self.global,
                data: settings.data()?,
                clusters: settings.clusters(),
                description: settings.description.unwrap_or_default(),
                owner_email: settings.email.unwrap_or_default(),
                active_cluster_name: settings.active_cluster.unwrap_or_default(),
                history_archival_state: settings.history_archival_state.unwrap_or(disabled).into(),
                history_archival_uri: settings.history_uri.unwrap_or_default(),
                visibility_archival_state: settings
                    .visibility_archival_state
                    .unwrap_or(disabled)
                    .into(),
                visibility_archival_uri: settings.visibility_uri.unwrap_or_default(),
                ..Default::default()
            })
            .await
            .map_err(|status| refused(&format!("unable to create namespace {name}"), &status))?;
        client
            .printer
            .line(&format!("Namespace {name} successfully registered."))?;
        Ok(())
    }
}

impl Update {
    async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let name = client.namespace.clone();
        let before = found(&mut client, None).await?;
        let request = self.request(&name, before)?;
        client
            .workflows
            .update_namespace(request)
            .await
            .map_err(|status| refused(&format!("unable to update namespace {name}"), &status))?;
        let after = found(&mut client, None).await?;
        client
            .printer
            .line(&format!("Namespace {name} update succeeded."))?;
        client.printer.value(&json::raw(&after)?)?;
        Ok(())
    }

    /// What was not said stays as it was: an update replaces description and owner whole.
    fn request(
        self,
        name: &str,
        before: DescribeNamespaceResponse,
    ) -> anyhow::Result<UpdateNamespaceRequest> {
        let settings = self.settings;
        let info = before.namespace_info.unwrap_or_default();
        let config = NamespaceConfig {
            workflow_execution_retention_ttl: duration::proto(self.retention),
            history_archival_state: settings.history_archival_state.map_or(0, i32::from),
            history_archival_uri: settings.history_uri.clone().unwrap_or_default(),
            visibility_archival_state: settings.visibility_archival_state.map_or(0, i32::from),
            visibility_archival_uri: settings.visibility_uri.clone().unwrap_or_default(),
            ..Default::default()
        };
        let replication = NamespaceReplicationConfig {
            active_cluster_name: settings.active_cluster.clone().unwrap_or_default(),
            clusters: settings.clusters(),
            ..Default::default()
        };
        Ok(UpdateNamespaceRequest {
            namespace: name.to_owned(),
            update_info: Some(UpdateNamespaceInfo {
                data: settings.data()?,
                description: settings.description.unwrap_or(info.description),
                owner_email: settings.email.unwrap_or(info.owner_email),
                ..Default::default()
            }),
            config: (config != NamespaceConfig::default()).then_some(config),
            replication_config: (replication != NamespaceReplicationConfig::default())
                .then_some(replication),
            promote_namespace: self.promote_global,
            ..Default::default()
        })
    }
}

async fn describe(mut client: Client, id: Option<String>) -> anyhow::Result<()> {
    let answer = found(&mut client, id).await?;
    client.printer.fields(&fields(&answer))?;
    client.printer.value(&json::raw(&answer)?)?;
    Ok(())
}

async fn found(
    client: &mut Client,
    id: Option<String>,
) -> anyhow::Result<DescribeNamespaceResponse> {
    let name = client.namespace.clone();
    let asked = id.clone().unwrap_or_else(|| name.clone());
    let request = match id {
        Some(id) => DescribeNamespaceRequest {
            id,
            ..Default::default()
        },
        None => DescribeNamespaceRequest {
            namespace: name,
            ..Default::default()
        },
    };
    let answer = client
        .workflows
        .describe_namespace(request)
        .await
        .map_err(|status| refused(&format!("unable to describe namespace {asked}"), &status))?;
    Ok(answer.into_inner())
}

async fn list(mut client: Client) -> anyhow::Result<()> {
    let mut token = Vec::new();
    let mut list = None;
    let mut first = true;
    loop {
        let page = client
            .workflows
            .list_namespaces(ListNamespacesRequest {
                page_size: 100,
                next_page_token: token,
                ..Default::default()
            })
            .await
            .map_err(|status| refused("unable to list namespaces", &status))?
            .into_inner();
        let list = match &mut list {
            Some(list) => list,
            None => list.insert(client.printer.list()?),
        };
        for namespace in &page.namespaces {
            if !std::mem::take(&mut first) {
                client.printer.line("")?;
            }
            client.printer.fields(&fields(namespace))?;
            list.item(&json::raw(namespace)?)?;
        }
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    list.ok_or_else(|| anyhow!("the server gave no list"))?
        .end()?;
    Ok(())
}

fn fields(namespace: &DescribeNamespaceResponse) -> Vec<(&'static str, Option<String>)> {
    let info = namespace.namespace_info.clone().unwrap_or_default();
    let config = namespace.config.clone().unwrap_or_default();
    let replication = namespace.replication_config.clone().unwrap_or_default();
    let mut data: Vec<_> = info.data.iter().map(|(k, v)| format!("{k}={v}")).collect();
    data.sort();
    let clusters: Vec<_> = replication
        .clusters
        .iter()
        .map(|cluster| cluster.cluster_name.clone())
        .collect();
    let state = NamespaceState::try_from(info.state).unwrap_or_default();
    let retention = config.workflow_execution_retention_ttl.as_ref();
    let archival = |state: i32| {
        let state = ArchivalState::try_from(state).unwrap_or_default();
        Some(super::super::word(state.as_str_name(), "ARCHIVAL_STATE_"))
    };
    vec![
        ("NamespaceInfo.Name", Some(info.name)),
        ("NamespaceInfo.Id", Some(info.id)),
        ("NamespaceInfo.Description", Some(info.description)),
        ("NamespaceInfo.OwnerEmail", Some(info.owner_email)),
        (
            "NamespaceInfo.State",
            Some(super::super::word(state.as_str_name(), "NAMESPACE_STATE_")),
        ),
        ("NamespaceInfo.Data", Some(data.join(", "))),
        (
            "Config.WorkflowExecutionRetentionTtl",
            retention.map(|retention| duration::shown(duration::of(retention))),
        ),
        (
            "ReplicationConfig.ActiveClusterName",
            Some(replication.active_cluster_name),
        ),
        ("ReplicationConfig.Clusters", Some(clusters.join(", "))),
        (
            "Config.HistoryArchivalState",
            archival(config.history_archival_state),
        ),
        (
            "Config.VisibilityArchivalState",
            archival(config.visibility_archival_state),
        ),
        (
            "IsGlobalNamespace",
            Some(namespace.is_global_namespace.to_string()),
        ),
        (
            "FailoverVersion",
            Some(namespace.failover_version.to_string()),
        ),
    ]
}

fn archival(name: &str) -> Result<ArchivalState, String> {
    match name {
        "enabled" => Ok(ArchivalState::Enabled),
        "disabled" => Ok(ArchivalState::Disabled),
        _ => Err("not one of disabled, enabled".to_owned()),
    }
}
