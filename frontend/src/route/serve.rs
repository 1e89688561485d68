//! The internal port: history, matching and news for the other nodes. Everything goes to the services of this process.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cairn_history::service::History;
use cairn_matching::Matching;
use cairn_proto::cairn::cluster::v1::cluster_service_server::{
    ClusterService, ClusterServiceServer,
};
use cairn_proto::cairn::cluster::v1::{LookRequest, LookResponse};
use cairn_proto::cairn::history::v1::history_service_server::HistoryServiceServer;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingServiceServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use super::Tls;
use super::peers::MESSAGE_BYTES_MAX;
use crate::Frontend;

/// A node that went without goodbye must not keep polls waiting.
const KEEPALIVE: Duration = Duration::from_secs(2);
/// One connection carries all polls of a node's workers.
const STREAMS_MAX: u32 = 1_000_000;

/// Serves other nodes until `stopped` says so and the calls then in flight have ended.
pub(crate) fn serve(
    listener: TcpListener,
    tls: Option<&Tls>,
    history: History,
    matching: Matching,
    frontend: watch::Receiver<Option<Arc<Frontend>>>,
    mut stopped: watch::Receiver<bool>,
) -> Result<impl Future<Output = ()> + Send + use<>, tonic::transport::Error> {
    let mut server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .http2_adaptive_window(Some(true))
        .max_concurrent_streams(STREAMS_MAX)
        // A node that was paused finds all at once what was called off meanwhile: no reason to hang up.
        .http2_max_pending_accept_reset_streams(usize::try_from(STREAMS_MAX).ok());
    if let Some(tls) = tls {
        let both = ServerTlsConfig::new()
            .identity(Identity::from_pem(&tls.certificate, &tls.key))
            .client_ca_root(Certificate::from_pem(&tls.ca));
        server = server.tls_config(both)?;
    }
    let news = News {
        history: history.clone(),
        frontend,
    };
    let history = HistoryServiceServer::new(history)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let matching = MatchingServiceServer::new(matching)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let router = server
        .add_service(history)
        .add_service(matching)
        .add_service(ClusterServiceServer::new(news));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(async move {
        let stop = async move {
            // An error means that the sender is gone: then too it is time to stop.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        if let Err(error) = router.serve_with_incoming_shutdown(incoming, stop).await {
            tracing::error!(%error, "the internal port ended");
        }
    })
}

/// Takes what other nodes have to say.
struct News {
    history: History,
    /// There once it is open.
    frontend: watch::Receiver<Option<Arc<Frontend>>>,
}

#[async_trait]
impl ClusterService for News {
    async fn look(&self, request: Request<LookRequest>) -> Result<Response<LookResponse>, Status> {
        if request.into_inner().namespaces {
            let frontend = self.frontend.borrow().clone();
            if let Some(frontend) = frontend
                && let Err(error) = frontend.refresh().await
            {
                tracing::warn!(error = %error, "namespaces cannot be read");
            }
        } else {
            self.history.look().await;
        }
        Ok(Response::new(LookResponse {}))
    }
}
