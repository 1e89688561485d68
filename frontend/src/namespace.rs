//! Namespaces: registered, described, updated, deprecated. Their names become ids here; the rest of the system knows ids only.
//!
//! Deliberately absent: replication. There is one cluster, called `active`.

use std::sync::Arc;
use std::time::Duration as StdDuration;

use cairn_history::id::NamespaceId;
use cairn_history::log;
use cairn_proto::cairn::record::v1 as record;
use cairn_proto::prost::Message;
use cairn_proto::prost_types::Duration;
use cairn_proto::temporal::api::enums::v1::{ArchivalState, NamespaceState, ReplicationState};
use cairn_proto::temporal::api::namespace::v1::namespace_info::{Capabilities, Limits};
use cairn_proto::temporal::api::namespace::v1::{NamespaceConfig, NamespaceInfo};
use cairn_proto::temporal::api::replication::v1::{
    ClusterReplicationConfig, NamespaceReplicationConfig,
};
use cairn_proto::temporal::api::workflowservice::v1 as pb;

use crate::cluster::CLUSTER;
use crate::error::Error;
use crate::{Frontend, check};

pub(crate) mod attributes;
pub(crate) mod cache;
pub(crate) mod update;

pub(crate) use cache::Namespace;

/// The namespace of the server's own workflows. Its id is the same everywhere.
const SYSTEM: &str = "temporal-system";
const SYSTEM_ID: NamespaceId = NamespaceId([
    0x32, 0x04, 0x9b, 0x68, 0x78, 0x72, 0x40, 0x94, 0x8e, 0x63, 0xd0, 0xdd, 0x59, 0x89, 0x6a, 0x83,
]);
const SYSTEM_RETENTION: i64 = 7 * 24 * 3600;
const PAGE: usize = 100;

impl Frontend {
    /// The namespace that a request names.
    pub(crate) fn namespace(&self, name: &str) -> Result<Arc<Namespace>, Error> {
        if name.is_empty() {
            return Err(Error::invalid("Namespace is empty."));
        }
        check::within_limit("Namespace", name, &self.config)?;
        self.namespaces
            .named(name)
            .ok_or_else(|| Error::NamespaceNotFound(name.to_owned()))
    }

    /// The namespace that a request names, if workflows may be started in it.
    pub(crate) fn open_namespace(&self, name: &str) -> Result<Arc<Namespace>, Error> {
        let namespace = self.namespace(name)?;
        if namespace.record.state != i32::from(NamespaceState::Registered) {
            return Err(Error::NamespaceState {
                namespace: name.to_owned(),
                state: namespace.record.state,
            });
        }
        Ok(namespace)
    }

    /// Registers a namespace unless there is one of that name.
    pub async fn ensure_namespace(
        &self,
        name: &str,
        retention: StdDuration,
    ) -> Result<(), tonic::Status> {
        if self.namespaces.named(name).is_some() {
            return Ok(());
        }
        let seconds = i64::try_from(retention.as_secs()).unwrap_or(i64::MAX);
        let request = pb::RegisterNamespaceRequest {
            namespace: name.to_owned(),
            workflow_execution_retention_period: Some(Duration { seconds, nanos: 0 }),
            ..Default::default()
        };
        match register(self, request).await {
            // Another node was faster.
            Ok(_) | Err(Error::NamespaceExists(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Registers the namespace of the server's own workflows.
    pub(crate) async fn ensure_system_namespace(&self) -> Result<(), Error> {
        if self.namespaces.named(SYSTEM).is_some() {
            return Ok(());
        }
        let record = record::Namespace {
            description: "Temporal internal system namespace".to_owned(),
            owner_email: "temporal-core@temporal.io".to_owned(),
            retention: Some(Duration {
                seconds: SYSTEM_RETENTION,
                nanos: 0,
            }),
            state: NamespaceState::Registered.into(),
            history_archival_state: ArchivalState::Disabled.into(),
            visibility_archival_state: ArchivalState::Disabled.into(),
            ..Default::default()
        };
        match self.put_namespace(SYSTEM_ID, SYSTEM, record, None).await {
            // Another node was faster.
            Ok(_) | Err(Error::NamespaceExists(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a namespace, in place of one that was read `before`. `false`: another node has changed it since.
    async fn put_namespace(
        &self,
        id: NamespaceId,
        name: &str,
        record: record::Namespace,
        before: Option<&Namespace>,
    ) -> Result<bool, Error> {
        let stored = log::Namespace {
            id,
            name: name.to_owned(),
            record: record.encode_to_vec().into(),
        };
        let before = before.map(|before| &before.stored[..]);
        match self.store.put_namespace(&stored, before).await {
            Ok(false) => Ok(false),
            Ok(true) => {
                let written = Namespace::new(id, name.to_owned(), record, stored.record);
                self.namespaces.put(written);
                if let Some(router) = &self.router {
                    router.tell_namespaces().await;
                }
                Ok(true)
            }
            Err(log::Failure::Refused(_)) => Err(Error::NamespaceExists(name.to_owned())),
            Err(failure) => Err(Error::Write(failure)),
        }
    }
}

pub(crate) async fn register(
    frontend: &Frontend,
    request: pb::RegisterNamespaceRequest,
) -> Result<pb::RegisterNamespaceResponse, Error> {
    let name = request.namespace;
    if name.is_empty() {
        return Err(Error::invalid("Namespace not set on request."));
    }
    check::within_limit("Namespace", &name, &frontend.config)?;
    if request.is_global_namespace {
        return Err(Error::invalid(
            "Cannot register global namespace when not enabled",
        ));
    }
    let clusters = request.clusters.iter().map(|cluster| &cluster.cluster_name);
    one_cluster(clusters.chain([&request.active_cluster_name]))?;
    let mut retention = request.workflow_execution_retention_period;
    check_retention(frontend, retention.as_mut())?;
    if frontend.namespaces.named(&name).is_some() {
        return Err(Error::NamespaceExists(name));
    }
    let record = record::Namespace {
        description: request.description,
        owner_email: request.owner_email,
        data: request.data,
        retention,
        state: NamespaceState::Registered.into(),
        history_archival_state: ArchivalState::Disabled.into(),
        visibility_archival_state: ArchivalState::Disabled.into(),
        ..Default::default()
    };
    let id = NamespaceId(frontend.fresh_uuid().into_bytes());
    frontend.put_namespace(id, &name, record, None).await?;
    Ok(pb::RegisterNamespaceResponse {})
}

fn check_retention(frontend: &Frontend, retention: Option<&mut Duration>) -> Result<(), Error> {
    let shortest = StdDuration::from_secs(frontend.config.minimum_retention_hours * 3600);
    match check::duration(retention) {
        Ok(retention) if retention >= shortest && !retention.is_zero() => Ok(()),
        _ => Err(Error::invalid(
            "A valid retention period is not set on request.",
        )),
    }
}

fn one_cluster<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    match names.find(|name| !name.is_empty() && *name != CLUSTER) {
        Some(name) => Err(Error::invalid(format!("Invalid cluster name: {name}"))),
        None => Ok(()),
    }
}

pub(crate) async fn describe(
    frontend: &Frontend,
    request: pb::DescribeNamespaceRequest,
) -> Result<pb::DescribeNamespaceResponse, Error> {
    frontend.refresh().await?;
    let namespace = if request.id.is_empty() {
        existing(frontend, &request.namespace)?
    } else {
        let found = request
            .id
            .parse()
            .ok()
            .and_then(|id| frontend.namespaces.with_id(id));
        found.ok_or(Error::NamespaceNotFound(request.id))?
    };
    Ok(described(frontend, &namespace))
}

/// As `Frontend::namespace`, in the words of the calls that are about namespaces.
fn existing(frontend: &Frontend, name: &str) -> Result<Arc<Namespace>, Error> {
    if name.is_empty() {
        return Err(Error::invalid("Namespace not set on request."));
    }
    frontend.namespace(name)
}

fn described(frontend: &Frontend, namespace: &Namespace) -> pb::DescribeNamespaceResponse {
    pb::DescribeNamespaceResponse {
        namespace_info: Some(info(frontend, namespace)),
        config: Some(config(&namespace.record)),
        replication_config: Some(replication()),
        ..Default::default()
    }
}

fn info(frontend: &Frontend, namespace: &Namespace) -> NamespaceInfo {
    let settings = &frontend.config;
    let size = |limit: usize| i64::try_from(limit).unwrap_or(i64::MAX);
    let record = namespace.record.clone();
    NamespaceInfo {
        name: namespace.name.clone(),
        state: record.state,
        description: record.description,
        owner_email: record.owner_email,
        data: record.data,
        id: namespace.id.to_string(),
        capabilities: Some(Capabilities {
            eager_workflow_start: settings.eager_workflow_start,
            sync_update: true,
            async_update: true,
            worker_heartbeats: settings.worker_heartbeats,
            worker_poll_complete_on_shutdown: settings.complete_polls_on_shutdown,
            poller_autoscaling: settings.poller_autoscaling,
            reported_problems_search_attribute: true,
            workflow_pause: settings.workflow_pause,
            ..Default::default()
        }),
        limits: Some(Limits {
            blob_size_limit_error: size(settings.blob_size),
            memo_size_limit_error: size(settings.memo_size),
            ..Default::default()
        }),
        supports_schedules: false,
    }
}

fn config(record: &record::Namespace) -> NamespaceConfig {
    NamespaceConfig {
        workflow_execution_retention_ttl: record.retention,
        bad_binaries: Some(record.bad_binaries.clone().unwrap_or_default()),
        history_archival_state: record.history_archival_state,
        history_archival_uri: record.history_archival_uri.clone(),
        visibility_archival_state: record.visibility_archival_state,
        visibility_archival_uri: record.visibility_archival_uri.clone(),
        custom_search_attribute_aliases: record.custom_search_attribute_aliases.clone(),
    }
}

fn replication() -> NamespaceReplicationConfig {
    NamespaceReplicationConfig {
        active_cluster_name: CLUSTER.to_owned(),
        clusters: vec![ClusterReplicationConfig {
            cluster_name: CLUSTER.to_owned(),
            ..Default::default()
        }],
        state: ReplicationState::Normal.into(),
    }
}

pub(crate) async fn list(
    frontend: &Frontend,
    request: pb::ListNamespacesRequest,
) -> Result<pb::ListNamespacesResponse, Error> {
    frontend.refresh().await?;
    let size = usize::try_from(request.page_size).unwrap_or(0);
    let size = if size == 0 { PAGE } else { size.min(1000) };
    let deleted = request
        .namespace_filter
        .is_some_and(|filter| filter.include_deleted);
    let after = request.next_page_token;
    let mut page: Vec<_> = frontend
        .namespaces
        .all()
        .into_iter()
        .filter(|namespace| deleted || namespace.record.state != i32::from(NamespaceState::Deleted))
        .filter(|namespace| after.is_empty() || namespace.name.as_bytes() > after.as_slice())
        .take(size + 1)
        .collect();
    let more = page.len() > size;
    page.truncate(size);
    let last = page.last().filter(|_| more);
    Ok(pb::ListNamespacesResponse {
        next_page_token: last.map_or_else(Vec::new, |last| last.name.clone().into_bytes()),
        namespaces: page
            .iter()
            .map(|namespace| described(frontend, namespace))
            .collect(),
    })
}
