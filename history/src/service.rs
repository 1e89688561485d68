//! The shell of the history service: tokio tasks, the clock, the store and the wire around the pure shards.
//!
//! A request is destructured into a question (`api/`), a shard is stepped in the task of the request behind a lock (`slot`),
//! one writer thread per store connection commits what has queued up (`writer`), one task watches the wake-ups (`alarm`). Where
//! several processes serve a database, which shards are here follows from who lives (`membership`).
//!
//! Deliberately absent: rules of workflows (`execution`), rules of commits (`shard`), checks of requests (the frontend).
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the shell has the clock and the tasks that the core must not have"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tonic::Status;

use crate::execution::{Answer, Limits, Question};
use crate::id::{Epoch, Key, RunId, ShardId};
use crate::log::{Failure, Store};
use crate::shard::{Slice, Target};

mod alarm;
mod api;
mod callback;
mod clock;
mod events;
pub mod failpoint;
mod membership;
mod offers;
mod refusal;
mod slot;
mod writer;

pub use callback::Caller;
pub use clock::{Clock, SystemClock};
pub use membership::{Member, Neighbours};
use slot::Slot;

/// The history service of this process: the shards it owns and the tasks that serve them.
#[derive(Debug, Clone)]
pub struct History(Arc<Shell>);

/// What all parts of the shell share.
#[derive(Debug)]
struct Shell {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    shard: crate::shard::Config,
    owner: String,
    slots: Vec<Slot>,
    writers: Vec<Arc<writer::Bell>>,
    alarm: alarm::Alarm,
    matching: OnceLock<Matching>,
    caller: Option<Arc<dyn Caller>>,
    /// Set where runs may be other nodes'.
    everywhere: OnceLock<Everywhere>,
    /// `None`: no other process can have the database.
    membership: Option<membership::Membership>,
    tickets: AtomicU64,
    /// Nobody is to wait here any more.
    draining: watch::Sender<bool>,
    closing: AtomicBool,
    runtime: Handle,
}

/// The way to matching, set once: the two services know each other.
struct Matching(Arc<dyn MatchingService>);

impl std::fmt::Debug for Matching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Matching")
    }
}

/// The way to the history of the whole cluster, which this one is a part of.
struct Everywhere(Weak<dyn HistoryService>);

impl std::fmt::Debug for Everywhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Everywhere")
    }
}

/// What a history service is told when it starts.
#[derive(Debug, Clone)]
pub struct Config {
    pub limits: Limits,
    pub shard: crate::shard::Config,
    /// Who takes the shards: a name for the `shards` table.
    pub owner: String,
    /// Set where other processes may serve the same database.
    pub member: Option<Member>,
    /// Who makes completion callbacks. Without one they wait.
    pub caller: Option<Arc<dyn Caller>>,
}

impl History {
    /// Takes every shard of the store, or, as one of several, none yet: then they come after [`History::connect`]. Questions may
    /// come at once; owed work is found as the shards recover.
    pub async fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<Self, Failure> {
        failpoint::arm();
        let mut shard_config = config.shard.clone();
        shard_config.reads_need_proof = store.reads_need_proof();
        let slots = (0..store.shards()).map(|shard| Slot::new(ShardId(shard), &shard_config));
        let slots = slots.collect();
        let writers = (0..store.writers())
            .map(|_| Arc::new(writer::Bell::default()))
            .collect();
        let shell = Arc::new(Shell {
            store,
            clock,
            limits: config.limits,
            shard: shard_config,
            owner: config.owner,
            slots,
            writers,
            alarm: alarm::Alarm::default(),
            matching: OnceLock::new(),
            caller: config.caller,
            everywhere: OnceLock::new(),
            membership: config.member.map(membership::Membership::new),
            tickets: AtomicU64::new(1),
            draining: watch::Sender::new(false),
            closing: AtomicBool::new(false),
            runtime: Handle::current(),
        });
        if shell.membership.is_none() {
            for slot in &shell.slots {
                let epoch = shell.store.take_over(slot.id, &shell.owner).await?;
                slot.begin(&shell, epoch);
            }
        }
        writer::spawn_all(&shell);
        Ok(Self(shell))
    }

    /// Makes the history of the whole cluster known: what runs owe to one another goes there. Called before [`History::connect`];
    /// without it all runs are here.
    pub fn reach(&self, everywhere: Weak<dyn HistoryService>) {
        drop(self.0.everywhere.set(Everywhere(everywhere)));
    }

    /// Makes matching known and begins to offer what is owed. Called once.
    pub fn connect(&self, matching: Arc<dyn MatchingService>) {
        if self.0.matching.set(Matching(matching)).is_ok() {
            alarm::spawn(&self.0);
            membership::spawn(&self.0);
        }
    }

    /// Is the shard of this id here now?
    pub fn owns(&self, key: &Key) -> bool {
        self.0.slot(key).is_here()
    }

    /// Whoever waits for news of a history is told what there is; later ones do not wait.
    pub fn drain(&self) {
        self.0.draining.send_replace(true);
    }

    /// Commits what is queued, refuses what comes later, and ends the writers.
    pub async fn close(&self) {
        self.drain();
        self.0.closing.store(true, Ordering::Release);
        self.0.alarm.ring();
        for bell in &self.0.writers {
            bell.close().await;
        }
        for slot in &self.0.slots {
            if let Some(epoch) = slot.held() {
                slot.give_up(&self.0, epoch);
            }
        }
        self.0.store.close().await;
    }

    /// How many items wait to be committed, over all shards: for health checks and tests.
    pub fn queued(&self) -> usize {
        self.0.slots.iter().map(Slot::queued).sum()
    }
}

/// An answer, with the events that go with it.
struct Reply {
    answer: Answer,
    events: Option<Slice>,
}

impl Shell {
    fn slot(&self, key: &Key) -> &Slot {
        let shard = key.shard(self.store.shards());
        &self.slots[shard.0 as usize]
    }

    /// Asks a run and waits until the answer may leave: when what it was computed from is durable.
    async fn ask(
        self: &Arc<Self>,
        key: Key,
        run: Option<RunId>,
        start_request_id: Option<String>,
        question: Question,
    ) -> Result<Reply, Status> {
        self.ask_ticket(key, run, start_request_id, question)
            .await
            .1
    }

    /// The same, and says which ticket the question had (queries are forgotten by it).
    async fn ask_ticket(
        self: &Arc<Self>,
        key: Key,
        run: Option<RunId>,
        start_request_id: Option<String>,
        question: Question,
    ) -> (crate::id::Ticket, Result<Reply, Status>) {
        let named = run.map(|run| (key.workflow_id.clone(), run));
        let (ticket, answer) = self.put(key, run, start_request_id, question);
        let Ok(released) = answer.await else {
            return (ticket, Err(refusal::moved()));
        };
        let reply = match released.result {
            Ok(answer) => Ok(Reply {
                answer,
                events: released.events,
            }),
            Err(refusal) => Err(refusal::status_about(refusal, named.as_ref())),
        };
        (ticket, reply)
    }

    /// The history of the whole cluster, if this is not all of it.
    fn everywhere(&self) -> Option<Arc<dyn HistoryService>> {
        self.everywhere.get()?.0.upgrade()
    }

    /// Puts a question to a shard; the answer comes through the receiver.
    fn put(
        self: &Arc<Self>,
        key: Key,
        run: Option<RunId>,
        start_request_id: Option<String>,
        question: Question,
    ) -> (crate::id::Ticket, slot::Receiver) {
        let ticket = crate::id::Ticket(self.tickets.fetch_add(1, Ordering::Relaxed));
        let slot = self.slot(&key);
        let target = Target {
            key,
            run,
            start_request_id,
        };
        (ticket, slot.ask(self, ticket, target, question))
    }

    fn closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Somebody else has the shard: its memory is dropped. Where nobody else can be, a higher epoch is taken.
    fn lost(self: &Arc<Self>, shard: ShardId, epoch: Epoch, why: &'static str) {
        match &self.membership {
            None => self.drop_and_retake(shard, epoch, why),
            Some(membership) => {
                if self.slots[shard.0 as usize].give_up(self, epoch) {
                    tracing::warn!(shard = shard.0, epoch = epoch.0, why, "shard.lost");
                }
                membership.lost();
            }
        }
    }

    /// Forgets a shard's memory and takes it again under a higher epoch, which waits out or fences any stray commit; unless another
    /// node has it by then.
    fn drop_and_retake(self: &Arc<Self>, shard: ShardId, epoch: Epoch, why: &'static str) {
        if !self.slots[shard.0 as usize].give_up(self, epoch) {
            return;
        }
        tracing::warn!(
            shard = shard.0,
            epoch = epoch.0,
            why,
            "shard memory dropped"
        );
        let shell = Arc::clone(self);
        let _task = self.runtime.spawn(async move {
            let mut retry = writer::RETRY_MIN;
            while let Err(error) = shell.take(shard, epoch).await {
                tracing::error!(shard = shard.0, error = %error, "takeover failed");
                tokio::time::sleep(retry).await;
                retry = (retry * 2).min(writer::RETRY_MAX);
            }
        });
    }

    /// Takes a shard that was last seen under epoch `from`, and begins from what is stored. `false`: another node was faster.
    async fn take(self: &Arc<Self>, shard: ShardId, from: Epoch) -> Result<bool, Failure> {
        let taken = if self.membership.is_some() {
            self.store.take_from(shard, &self.owner, from).await?
        } else {
            Some(self.store.take_over(shard, &self.owner).await?)
        };
        let Some(epoch) = taken else {
            return Ok(false);
        };
        failpoint::reached("after_takeover");
        metrics::counter!("cairn_takeovers").increment(1);
        let slot = &self.slots[shard.0 as usize];
        slot.begin(self, epoch);
        tracing::info!(shard = shard.0, epoch = epoch.0, "shard.taken");
        let shell = Arc::clone(self);
        let _task = self.runtime.spawn(async move {
            let slot = &shell.slots[shard.0 as usize];
            slot.recover(&shell).await;
            shell.alarm.ring();
            slot.stir();
        });
        Ok(true)
    }
}
