//! The operator's calls about the service itself: what clusters there are.

use cairn_proto::temporal::api::operatorservice::v1 as pb;

use crate::Frontend;
use crate::cluster::CLUSTER;
use crate::error::Error;

#[expect(clippy::unused_async, reason = "every RPC is an async function")]
pub(crate) async fn list_clusters(
    frontend: &Frontend,
    _request: pb::ListClustersRequest,
) -> Result<pb::ListClustersResponse, Error> {
    Ok(pb::ListClustersResponse {
        clusters: vec![pb::ClusterMetadata {
            cluster_name: CLUSTER.to_owned(),
            cluster_id: frontend.cluster_id.clone(),
            address: frontend.config.address.clone(),
            initial_failover_version: 1,
            history_shard_count: frontend.shard_count(),
            is_connection_enabled: true,
            ..Default::default()
        }],
        ..Default::default()
    })
}
