//! The way to whoever owns a workflow or a task queue: this process, by a plain call, or another node.
//!
//! A [`Router`] is the history and the matching service of the whole cluster: it looks up the owner in what this node last saw of
//! the others, asks it, and asks again elsewhere if it has moved. Calls from other nodes come in through `serve` and go to the
//! services of this process, never on: who is not the owner says so, and the asker looks again.
//!
//! Deliberately absent: who owns what (`cairn_history::placement`), and any state that must last.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use cairn_history::id::{Key, NamespaceId};
use cairn_history::placement::{Place, View};
use cairn_history::service::{Clock, History, Neighbours};
use cairn_matching::{Matching, Mine};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::Status;

mod ask;
mod history;
mod matching;
mod neighbours;
mod peers;
mod serve;

pub(crate) use serve::serve;

/// This process as one node of several.
#[derive(Debug)]
pub struct Cluster {
    /// Its name: no other process has it at the same time.
    pub node: String,
    /// Where other nodes reach the listener.
    pub address: String,
    /// Other nodes' calls come in here.
    pub listener: TcpListener,
    /// `None`: calls between nodes are neither encrypted nor authenticated.
    pub tls: Option<Tls>,
}

/// Both sides of a call between nodes prove that they have a certificate of this authority. All are PEM.
#[derive(Clone)]
pub struct Tls {
    pub ca: Vec<u8>,
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// History and matching of the whole cluster.
pub(crate) struct Router {
    me: String,
    history: History,
    matching: Matching,
    shards: u32,
    views: watch::Receiver<Arc<View>>,
    peers: peers::Peers,
    clock: Arc<dyn Clock>,
    /// No other node is there.
    alone: AtomicBool,
    /// Polls end.
    draining: watch::Sender<bool>,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}

impl Router {
    /// A router around the services of this process. `None`: history was not told that there are others.
    pub(crate) fn new(
        cluster: &Cluster,
        history: &History,
        matching: &Matching,
        shards: u32,
        clock: Arc<dyn Clock>,
    ) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            me: cluster.node.clone(),
            history: history.clone(),
            matching: matching.clone(),
            shards,
            views: history.views()?,
            peers: peers::Peers::new(cluster.tls.as_ref()),
            clock,
            alone: AtomicBool::new(false),
            draining: watch::Sender::new(false),
        }))
    }

    /// Gives matching its queues as nodes come and go. Ends with history.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut views = self.views.clone();
        views.mark_changed();
        let mut members = None;
        while views.changed().await.is_ok() {
            let view = Arc::clone(&views.borrow_and_update());
            let now: Vec<_> = view.members().map(|node| node.id.clone()).collect();
            if members.as_ref() == Some(&now) {
                continue;
            }
            self.alone.store(now == [&*self.me], Ordering::Release);
            self.peers.keep(&view);
            members = Some(now);
            let me = self.me.clone();
            let mine: Mine = Arc::new(move |namespace, name| {
                let home = view.home(Place::Queue(NamespaceId(*namespace), name));
                home.is_some_and(|home| home.id == me)
            });
            self.matching.place(&mine);
        }
    }

    /// Clients of this node do not wait any more for what happens elsewhere: polls end empty, readers of news ask another node.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// The answer, unless this node drains before it has come.
    async fn unless_draining<T>(
        &self,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let mut draining = self.draining.subscribe();
        tokio::select! {
            answer = answer => answer,
            _ = draining.wait_for(|draining| *draining) => Err(Status::unavailable("this node is shutting down")),
        }
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.views.borrow())
    }

    fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Acquire)
    }

    /// Is a plain call all there is to it? Then nothing is copied for a second try.
    fn is_plainly_here(&self, key: &Key) -> bool {
        self.is_alone() && self.history.owns(key)
    }
}

#[async_trait]
impl Neighbours for Router {
    async fn tell(&self, view: Arc<View>) {
        self.tell_all(&view, false).await;
    }
}
