//! The three services put together in one process: an engine without a listener.
//!
//! Calls between them are plain calls of the internal traits. Deliberately absent: sockets, configuration files, signals of the
//! operating system; those are the server's, or the program's that embeds the engine.

use std::sync::Arc;
use std::time::Duration;

use cairn_history::log::{Failure, Store};
use cairn_history::service::{Clock, History};
use cairn_matching::Matching;
use rand::{RngCore, SeedableRng};
use tonic::Status;

use crate::{Frontend, OpenError as FrontendError};

/// History, matching and frontend over one store.
#[derive(Debug)]
pub struct Engine {
    frontend: Arc<Frontend>,
    history: History,
    matching: Matching,
    refresh: tokio::task::JoinHandle<()>,
}

/// What an engine is told when it opens.
#[derive(Debug)]
pub struct Options {
    pub frontend: crate::Config,
    pub history: cairn_history::service::Config,
    /// Namespaces that must exist, with their retention.
    pub namespaces: Vec<(String, Duration)>,
}

/// Why an engine did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to take the shards of the database")]
    Shards(#[source] Failure),
    #[error("failed to open the frontend")]
    Frontend(#[source] FrontendError),
    #[error("failed to register namespace {0}")]
    Namespace(String, #[source] Status),
}

/// How often namespaces written by other nodes are looked for.
const REFRESH: Duration = Duration::from_secs(2);

impl Engine {
    /// Takes the shards of a store and begins to serve. Must be called in a tokio runtime, which it then uses.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, OpenError> {
        let history = History::start(Arc::clone(&store), Arc::clone(&clock), options.history);
        let history = history.await.map_err(OpenError::Shards)?;
        let now = Arc::clone(&clock);
        let seed = rand::rngs::StdRng::from_os_rng().next_u64();
        let matching = Matching::new(Arc::new(move || now.now().0), seed);
        matching.connect(Arc::new(history.clone()));
        history.connect(Arc::new(matching.clone()));
        let now = Arc::clone(&clock);
        let frontend = Frontend::new(
            store,
            Arc::new(history.clone()),
            Arc::new(matching.clone()),
            options.frontend,
            Arc::new(move || now.now()),
        );
        let frontend = Arc::new(frontend.await.map_err(OpenError::Frontend)?);
        for (name, retention) in options.namespaces {
            let ensured = frontend.ensure_namespace(&name, retention).await;
            ensured.map_err(|status| OpenError::Namespace(name, status))?;
        }
        let refresh = tokio::spawn(keep_fresh(Arc::clone(&frontend)));
        Ok(Self {
            frontend,
            history,
            matching,
            refresh,
        })
    }

    /// What answers the public services.
    pub fn frontend(&self) -> Arc<Frontend> {
        Arc::clone(&self.frontend)
    }

    /// Ends waiting polls with empty answers; new ones end at once. Everything else goes on.
    pub fn drain(&self) {
        self.matching.drain();
    }

    /// Commits what waits and closes the store.
    pub async fn close(&self) {
        self.refresh.abort();
        self.matching.drain();
        self.history.close().await;
    }
}

async fn keep_fresh(frontend: Arc<Frontend>) {
    let mut ticks = tokio::time::interval(REFRESH);
    loop {
        ticks.tick().await;
        if let Err(error) = frontend.refresh().await {
            tracing::warn!(error = %error, "namespaces cannot be read");
        }
    }
}
