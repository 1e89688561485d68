//! The port for those who watch over the server: `/metrics` in Prometheus text, and health pages.
//!
//! Metrics have their public names as they are (no `_total`), because the dashboards that people have expect them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use super::health::Health;

/// Bounds of latency buckets, in seconds: from a memory read to a long poll.
const LATENCY_SECONDS: [f64; 17] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
    1000.0,
];
/// How often histograms are folded, so that they take no memory while nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves metrics and health pages on a listener, and says where.
pub(super) fn start(listener: TcpListener, health: Health) -> anyhow::Result<SocketAddr> {
    let metrics = record()?;
    let live = get(|| async { "OK\n" });
    let ready = get(move || async move {
        if health.is_ready() {
            (StatusCode::OK, "OK\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
        }
    });
    let pages = Router::new()
        .route("/metrics", get(move || async move { metrics.render() }))
        .route("/healthz", ready.clone())
        .route("/healthz/ready", ready)
        .route("/healthz/live", live);
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, pages).await {
            tracing::error!(%error, "the metrics port ended");
        }
    });
    Ok(address)
}

fn record() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("latency".to_owned()), &LATENCY_SECONDS)?
        .install_recorder()
        .context("metrics are recorded already")?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}
