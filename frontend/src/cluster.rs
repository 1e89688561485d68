//! What the system says about itself: `GetSystemInfo` and `GetClusterInfo`.

use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::temporal::api::workflowservice::v1::get_system_info_response::Capabilities;

use crate::Frontend;
use crate::error::Error;

/// The version of the reference server whose behaviour this one has.
pub(crate) const SERVER_VERSION: &str = "1.32.0";
/// There is one cluster, and it is called this.
pub(crate) const CLUSTER: &str = "active";

/// Clients and the versions of them that are served.
pub(crate) const SUPPORTED_CLIENTS: [(&str, &str); 8] = [
    ("temporal-ui", "<3.0.0"),
    ("temporal-typescript", "<2.0.0"),
    ("temporal-server", "<2.0.0"),
    ("temporal-php", "<2.0.0"),
    ("temporal-java", "<2.0.0"),
    ("temporal-go", "<2.0.0"),
    ("temporal-cli", "<2.0.0"),
    ("Nexus-go-sdk", "<2.0.0"),
];

#[expect(clippy::unused_async, reason = "every RPC is an async function")]
pub(crate) async fn system_info(
    frontend: &Frontend,
    _request: pb::GetSystemInfoRequest,
) -> Result<pb::GetSystemInfoResponse, Error> {
    Ok(pb::GetSystemInfoResponse {
        server_version: SERVER_VERSION.to_owned(),
        // Nothing is claimed that is not built: clients change their behaviour by it.
        capabilities: Some(Capabilities {
            signal_and_query_header: true,
            internal_error_differentiation: true,
            activity_failure_include_heartbeat: true,
            encoded_failure_attributes: true,
            build_id_based_versioning: true,
            upsert_memo: true,
            eager_workflow_start: frontend.config.eager_workflow_start,
            sdk_metadata: true,
            count_group_by_execution_status: true,
            ..Default::default()
        }),
    })
}

#[expect(clippy::unused_async, reason = "every RPC is an async function")]
pub(crate) async fn cluster_info(
    frontend: &Frontend,
    _request: pb::GetClusterInfoRequest,
) -> Result<pb::GetClusterInfoResponse, Error> {
    let supported =
        SUPPORTED_CLIENTS.map(|(name, versions)| (name.to_owned(), versions.to_owned()));
    Ok(pb::GetClusterInfoResponse {
        supported_clients: supported.into_iter().collect(),
        server_version: SERVER_VERSION.to_owned(),
        cluster_id: frontend.cluster_id.clone(),
        cluster_name: CLUSTER.to_owned(),
        history_shard_count: frontend.shard_count(),
        persistence_store: frontend.config.store_name.clone(),
        visibility_store: frontend.config.store_name.clone(),
        initial_failover_version: 1,
        failover_version_increment: 10,
        ..Default::default()
    })
}

impl Frontend {
    pub(crate) fn shard_count(&self) -> i32 {
        i32::try_from(self.store.shards()).unwrap_or(i32::MAX)
    }
}
