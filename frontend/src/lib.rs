//! The public services: one function per RPC, namespaces, visibility queries, tokens and the table of who may call what.
//!
//! The frontend checks what a request says, gives names their ids, asks history, matching or the store, and seals what
//! clients carry. It knows no run and holds nothing that must last. Deliberately absent: listeners and authentication.

use std::fmt;
use std::sync::Arc;

use cairn_history::id::Time;
use cairn_history::log::{Failure, ReadError, Store};
use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;
use cairn_proto::elsewhere::Elsewhere;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use tonic::{Response, Status};
use uuid::Uuid;

pub mod access;
mod check;
mod cluster;
mod config;
mod deadline;
pub mod engine;
mod error;
mod history;
mod namespace;
mod off;
mod operator;
mod route;
mod serve;
mod task_queue;
mod token;
mod version;
mod visibility;
mod worker;
mod workflow;

pub use config::Config;

use error::Error;

/// What time it is. Tests and the embedded engine bring their own.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The public services of one process.
pub struct Frontend {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) history: Arc<dyn HistoryService>,
    pub(crate) matching: Arc<dyn MatchingService>,
    pub(crate) config: Config,
    pub(crate) namespaces: namespace::cache::Cache,
    /// Updates of namespaces read, merge and write: one at a time.
    pub(crate) namespace_updates: tokio::sync::Mutex<()>,
    pub(crate) seal: token::Seal,
    pub(crate) cluster_id: String,
    pub(crate) workers: worker::registry::Registry,
    /// The way to other nodes, where there may be others.
    pub(crate) router: Option<Arc<route::Router>>,
    clock: Clock,
    random: Mutex<StdRng>,
}

impl fmt::Debug for Frontend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frontend")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Why a frontend could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to read the namespaces")]
    Namespaces(#[source] ReadError),
    #[error("failed to keep a setting of the database")]
    Setting(#[source] Failure),
    #[error("failed to register the system namespace")]
    SystemNamespace(#[source] Status),
}

impl Frontend {
    /// Reads what the database knows (token key, cluster id, namespaces), making it on first use.
    pub async fn new(
        store: Arc<dyn Store>,
        history: Arc<dyn HistoryService>,
        matching: Arc<dyn MatchingService>,
        config: Config,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let mut random = StdRng::from_os_rng();
        let mut secret = [0; 32];
        random.fill_bytes(&mut secret);
        let secret = store
            .setting("token_key", &secret)
            .await
            .map_err(OpenError::Setting)?;
        let fresh = uuid(&mut random).to_string();
        let cluster_id = store
            .setting("cluster_id", fresh.as_bytes())
            .await
            .map_err(OpenError::Setting)?;
        let frontend = Self {
            store,
            history,
            matching,
            config,
            namespaces: namespace::cache::Cache::default(),
            namespace_updates: tokio::sync::Mutex::default(),
            seal: token::Seal::new(secret),
            cluster_id: String::from_utf8_lossy(&cluster_id).into_owned(),
            workers: worker::registry::Registry::default(),
            router: None,
            clock,
            random: Mutex::new(random),
        };
        frontend.refresh().await.map_err(OpenError::Namespaces)?;
        frontend
            .ensure_system_namespace()
            .await
            .map_err(|error| OpenError::SystemNamespace(error.into()))?;
        Ok(frontend)
    }

    /// Sees namespaces that other nodes wrote. To be called every two seconds.
    pub async fn refresh(&self) -> Result<(), ReadError> {
        let seen = self.namespaces.version();
        let stored = self.store.namespaces().await?;
        self.namespaces.replace(seen, stored);
        Ok(())
    }

    pub(crate) fn now(&self) -> Time {
        (self.clock)()
    }

    pub(crate) fn fresh_uuid(&self) -> Uuid {
        uuid(&mut self.random.lock())
    }
}

fn uuid(random: &mut StdRng) -> Uuid {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// What another service of the system answered.
pub(crate) fn answer<T>(answer: Result<Response<T>, Status>) -> Result<T, Error> {
    answer.map(Response::into_inner).map_err(|mut status| {
        Elsewhere::forget(&mut status);
        Error::from(status)
    })
}

#[cfg(test)]
mod tests;
