//! What nodes tell each other beside their work: that it is time to look into the database.

use std::time::Duration;

use cairn_history::placement::View;
use cairn_proto::cairn::cluster::v1::LookRequest;
use cairn_proto::cairn::cluster::v1::cluster_service_client::ClusterServiceClient;
use futures::future::join_all;
use tonic::Request;

use super::Router;
use super::ask::To;

/// Who does not answer within this looks by itself, a second later.
const TELL_MAX: Duration = Duration::from_secs(1);

impl Router {
    /// Tells every other node of this view that lives, and waits until each has looked.
    pub(super) async fn tell_all(&self, view: &View, namespaces: bool) {
        let nodes = view.nodes.iter().filter(|node| view.is_alive(node));
        let told = nodes.filter_map(|node| match self.to(&node.id, &node.address)? {
            To::Here => None,
            To::There(channel) => Some(async move {
                let mut client = ClusterServiceClient::new(channel);
                let told = client.look(Request::new(LookRequest { namespaces }));
                match tokio::time::timeout(TELL_MAX, told).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(status)) => {
                        tracing::debug!(node = node.id, error = %status, "a node was not told");
                    }
                    Err(_) => tracing::debug!(node = node.id, "a node did not answer in time"),
                }
            }),
        });
        let told: Vec<_> = told.collect();
        join_all(told).await;
    }

    /// A namespace was written: the other nodes read it before this returns, if they are well.
    pub(crate) async fn tell_namespaces(&self) {
        self.tell_all(&self.view(), true).await;
    }
}
