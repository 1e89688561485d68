//! The three services put together in one process: an engine without a public listener.
//!
//! Calls between them are plain calls of the internal traits; where other processes serve the same database, they go through a
//! router, and other nodes' calls come in on a listener that the engine is given. Deliberately absent: ports and their choice,
//! configuration files, signals of the operating system; those are the server's, or the program's that embeds the engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cairn_history::log::{Failure, Store};
use cairn_history::placement::View;
use cairn_history::search_attribute::Kind;
use cairn_history::service::{Clock, History, Member};
use cairn_matching::Matching;
use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;
use parking_lot::Mutex;
use rand::{RngCore, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::Status;

use crate::route::{self, Router};
use crate::{Frontend, OpenError as FrontendError};

pub use crate::route::{Cluster, Tls};

/// History, matching and frontend over one store.
#[derive(Debug)]
pub struct Engine {
    frontend: Arc<Frontend>,
    history: History,
    matching: Matching,
    refresh: JoinHandle<()>,
    node: Option<AsNode>,
}

/// What an engine has more where others serve the same database.
#[derive(Debug)]
struct AsNode {
    router: Arc<Router>,
    follow: JoinHandle<()>,
    calls: Mutex<Option<JoinHandle<()>>>,
    frontend: watch::Sender<Option<Arc<Frontend>>>,
    stop: watch::Sender<bool>,
}

/// What an engine is told when it opens.
#[derive(Debug)]
pub struct Options {
    pub frontend: crate::Config,
    pub history: cairn_history::service::Config,
    /// Namespaces that must exist, with their retention.
    pub namespaces: Vec<(String, Duration)>,
    /// Search attributes that each of them must have.
    pub search_attributes: BTreeMap<String, Kind>,
    /// Set where other processes may serve the same database.
    pub cluster: Option<Cluster>,
}

/// Why an engine did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to take the shards of the database")]
    Shards(#[source] Failure),
    #[error("failed to open the internal port")]
    Internal(#[source] tonic::transport::Error),
    #[error("the database does not answer")]
    Silent,
    #[error("failed to open the frontend")]
    Frontend(#[source] FrontendError),
    #[error("failed to register namespace {0}")]
    Namespace(String, #[source] Status),
    #[error("failed to add search attributes to namespace {0}")]
    SearchAttributes(String, #[source] Status),
}

/// How often namespaces written by other nodes are looked for.
const REFRESH: Duration = Duration::from_secs(2);
/// How long the database may take to show who serves it.
const JOIN_MAX: Duration = Duration::from_secs(30);
/// How long calls of other nodes may take to end.
const GRACE: Duration = Duration::from_secs(1);

impl Engine {
    /// Takes the shards of a store and begins to serve. Must be called in a tokio runtime, which it then uses.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, OpenError> {
        let Options {
            frontend: config,
            history: mut settings,
            namespaces,
            search_attributes,
            cluster,
        } = options;
        if let Some(cluster) = &cluster {
            settings.owner.clone_from(&cluster.node);
            settings.member = Some(Member {
                id: cluster.node.clone(),
                address: cluster.address.clone(),
            });
        }
        let history = History::start(Arc::clone(&store), Arc::clone(&clock), settings);
        let history = history.await.map_err(OpenError::Shards)?;
        let now = Arc::clone(&clock);
        let seed = rand::rngs::StdRng::from_os_rng().next_u64();
        let matching = Matching::new(Arc::new(move || now.now().0), seed);
        let shards = store.shards();
        let node = cluster
            .map(|cluster| AsNode::new(cluster, &history, &matching, shards, &clock))
            .transpose()?
            .flatten();
        let (all_history, all_matching): (Arc<dyn HistoryService>, Arc<dyn MatchingService>) =
            match &node {
                Some(node) => (node.router.clone(), node.router.clone()),
                None => (Arc::new(history.clone()), Arc::new(matching.clone())),
            };
        matching.connect(Arc::clone(&all_history));
        if node.is_some() {
            history.reach(Arc::downgrade(&all_history));
        }
        history.connect(Arc::clone(&all_matching));
        if let Some(views) = history.views() {
            joined(views).await?;
        }
        let now = Arc::clone(&clock);
        let frontend = Frontend::new(
            store,
            all_history,
            all_matching,
            config,
            Arc::new(move || now.now()),
        );
        let mut frontend = frontend.await.map_err(OpenError::Frontend)?;
        frontend.router = node.as_ref().map(|node| Arc::clone(&node.router));
        let frontend = Arc::new(frontend);
        if let Some(node) = &node {
            node.frontend.send_replace(Some(Arc::clone(&frontend)));
        }
        for (name, retention) in namespaces {
            let ensured = frontend.ensure_namespace(&name, retention).await;
            ensured.map_err(|status| OpenError::Namespace(name.clone(), status))?;
            let ensured = frontend.ensure_search_attributes(&name, &search_attributes);
            ensured
                .await
                .map_err(|status| OpenError::SearchAttributes(name, status))?;
        }
        let refresh = tokio::spawn(keep_fresh(Arc::clone(&frontend)));
        Ok(Self {
            frontend,
            history,
            matching,
            refresh,
            node,
        })
    }

    /// What answers the public services.
    pub fn frontend(&self) -> Arc<Frontend> {
        Arc::clone(&self.frontend)
    }

    /// Hands what this node owns to the others, if there are others. Then ends waiting polls with empty answers; new ones end at
    /// once. Everything else goes on.
    pub async fn drain(&self) {
        self.history.leave().await;
        self.history.drain();
        self.matching.drain();
        if let Some(node) = &self.node {
            node.router.drain();
        }
    }

    /// Commits what waits and closes the store.
    pub async fn close(&self) {
        self.refresh.abort();
        self.matching.drain();
        if let Some(node) = &self.node {
            node.router.drain();
            node.close().await;
        }
        self.history.close().await;
    }
}

impl AsNode {
    /// Opens the way to the other nodes, and theirs to this one.
    fn new(
        cluster: Cluster,
        history: &History,
        matching: &Matching,
        shards: u32,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, OpenError> {
        let Some(router) = Router::new(&cluster, history, matching, shards, Arc::clone(clock))
        else {
            return Ok(None);
        };
        let (stop, stopped) = watch::channel(false);
        let (frontend, opened) = watch::channel(None);
        let calls = route::serve(
            cluster.listener,
            cluster.tls.as_ref(),
            history.clone(),
            matching.clone(),
            opened,
            stopped,
        );
        let calls = tokio::spawn(calls.map_err(OpenError::Internal)?);
        history.meet(router.clone());
        Ok(Some(Self {
            follow: tokio::spawn(Arc::clone(&router).follow()),
            router,
            calls: Mutex::new(Some(calls)),
            frontend,
            stop,
        }))
    }

    /// Other nodes' calls end; those that do not are cut off.
    async fn close(&self) {
        // Nobody listens only when the port is closed already.
        let _ = self.stop.send(true);
        let calls = self.calls.lock().take();
        if let Some(mut calls) = calls
            && tokio::time::timeout(GRACE, &mut calls).await.is_err()
        {
            calls.abort();
        }
        self.follow.abort();
        self.frontend.send_replace(None);
    }
}

/// Waits until this node has seen the others.
async fn joined(mut views: watch::Receiver<Arc<View>>) -> Result<(), OpenError> {
    let seen = views.wait_for(|view| !view.nodes.is_empty());
    match tokio::time::timeout(JOIN_MAX, seen).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(OpenError::Silent),
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
