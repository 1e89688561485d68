//! A server's life: ports open, engine started, calls served, and the orderly end.
//!
//! What is answered is the engine's business. The end, in order: not ready any more; the shards go to other nodes, if there are
//! others; waiting polls end empty; calls in flight finish (for at most some seconds); the store is closed; the process leaves
//! with 0. A second signal ends it at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::config::Config;
use crate::engine::Engine;

mod grpc;
mod health;
mod internal;
mod observe;
mod oversize;
mod watch_over;

/// A server that answers calls.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Where gRPC is served.
    pub(crate) address: SocketAddr,
    /// Where metrics and health are served.
    pub(crate) metrics: Option<SocketAddr>,
    engine: Arc<Engine>,
    health: health::Health,
    patience: Duration,
    stop: watch::Sender<bool>,
    calls: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Serving {
    /// Opens the ports, then the store, then answers.
    pub(crate) async fn start(config: &Config) -> anyhow::Result<Self> {
        // Ports first: that one is taken is the commonest mistake, and nothing is to be undone then.
        let listener = bind(config.server.grpc_address(), "gRPC", "--port").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let (health, health_service) = health::new();
        let metrics = match config.server.metrics_address() {
            Some(address) => {
                let listener = bind(address, "metrics", "--metrics-port").await?;
                Some(watch_over::start(listener, health.clone())?)
            }
            None => None,
        };
        let cluster = internal::open(config, address.port()).await?;
        let engine = Arc::new(
            Engine::open(config, cluster)
                .await
                .context("the engine did not start")?,
        );
        let calls = tokio::spawn(grpc::serve(
            listener,
            &config.server.grpc,
            &engine,
            health_service,
            stopped,
        )?);
        health.ready().await;
        info!(%address, database = %config.database.url, "server.started");
        Ok(Self {
            address,
            metrics,
            engine,
            health,
            patience: Duration::from_secs(config.server.grpc.shutdown_seconds),
            stop,
            calls,
        })
    }

    /// Serves until SIGTERM or SIGINT, then ends in order; a second signal ends at once.
    pub(crate) async fn until_signal(mut self) -> anyhow::Result<()> {
        let mut signals = Signals::new()?;
        tokio::select! {
            () = signals.next() => {}
            ended = &mut self.calls => {
                ended??;
                anyhow::bail!("the listener ended by itself");
            }
        }
        tokio::select! {
            ended = self.shut_down() => ended,
            () = signals.next() => anyhow::bail!("stopped at once by a second signal"),
        }
    }

    async fn shut_down(mut self) -> anyhow::Result<()> {
        info!("server.stopping");
        self.health.not_ready().await;
        let calls = async {
            self.engine.drain().await;
            // Nobody listens only when the calls have ended already.
            let _ = self.stop.send(true);
            (&mut self.calls).await
        };
        if let Ok(ended) = tokio::time::timeout(self.patience, calls).await {
            ended??;
        } else {
            warn!("calls in flight were cut off");
            self.calls.abort();
        }
        self.engine
            .close()
            .await
            .context("the store did not close")?;
        info!("server.stopped");
        Ok(())
    }
}

async fn bind(address: SocketAddr, what: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            anyhow::anyhow!(
                "the {what} port {address} is in use: is another server running? {flag} chooses another port"
            )
        } else {
            anyhow::Error::new(error).context(format!("the {what} port {address} does not open"))
        }
    })
}

/// The two signals that ask a server to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
