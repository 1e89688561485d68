//! The gRPC port: which services are on it, and how connections behave.
//!
//! Every service takes and sends gzip: official clients send it without asking, health checks included.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cairn_proto::routes::Public;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;

use super::{observe, oversize};
use crate::config::Grpc;
use crate::engine::Engine;

/// Clients ping every 30 seconds; we ask the silent ones a little earlier.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Enough for any token that is still sensible.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

/// The task that serves calls until `stopped` says so and the calls then in flight have ended.
pub(super) fn serve(
    listener: TcpListener,
    config: &Grpc,
    engine: &Engine,
    health: HealthServer<HealthService>,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<impl Future<Output = Result<(), tonic::transport::Error>> + Send + 'static> {
    let public = Public::new(
        Arc::clone(&engine.workflow) as _,
        Arc::clone(&engine.operator) as _,
        config.message_bytes_max,
        rest(health)?,
    );
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(config.streams_max)
        // A server that was paused finds all at once what was called off meanwhile: no reason to hang up.
        .http2_max_pending_accept_reset_streams(usize::try_from(config.streams_max).ok())
        .max_connection_age(Duration::from_secs(config.connection_age_seconds))
        .max_connection_age_grace(Duration::from_secs(config.connection_grace_seconds))
        .layer(observe::Layer::default())
        .layer(oversize::Layer {
            bytes_max: config.message_bytes_max,
        });
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(
        server.serve_with_incoming_shutdown(public, incoming, async move {
            // An error means that the sender is gone: then too it is time to stop.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }),
    )
}

/// What is served beside the public services: health and reflection.
fn rest(health: HealthServer<HealthService>) -> anyhow::Result<Routes> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(cairn_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = Routes::builder();
    routes
        .add_service(health.accept_compressed(Gzip).send_compressed(Gzip))
        .add_service(
            reflection()
                .build_v1()?
                .accept_compressed(Gzip)
                .send_compressed(Gzip),
        )
        .add_service(
            reflection()
                .build_v1alpha()?
                .accept_compressed(Gzip)
                .send_compressed(Gzip),
        );
    Ok(routes.routes().prepare())
}
