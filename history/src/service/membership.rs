//! This process as one of several on a database: it says that it lives, sees who else does, and takes or hands over shards.
//!
//! Two tasks: *beats* write and read the database once a second, or at once when somebody has news; what follows from a view
//! (`placement::decide`) is carried out beside them, because a takeover may have to wait and a beat must not.
//!
//! A node that cannot beat for as long as the lease drops its shards: others have them by then, or nobody can write anyway.
//! Deliberately absent: who decides (`placement`), who may write (the epoch), and the way to other nodes ([`Neighbours`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::{History, Shell, failpoint};
use crate::id::{Epoch, ShardId, Time};
use crate::kind::Queue;
use crate::log::Failure;
use crate::placement::{BEAT, CLOCK_SKEW_MAX, Decision, LEASE, Node, Place, View, decide};

/// However much news there is, the database is not asked more often than this.
const BEAT_MIN: Duration = Duration::from_millis(20);
/// How long anybody waits for a look into the database.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// A process among others.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name; no other process has it at the same time.
    pub id: String,
    /// Where other nodes reach it.
    pub address: String,
}

/// The way to the other nodes.
#[async_trait]
pub trait Neighbours: Send + Sync + 'static {
    /// Tells every node of this view that lives, but for this one, to look into the database now. Does its best.
    async fn tell(&self, view: Arc<View>);
}

pub(super) struct Membership {
    me: Mutex<Node>,
    leaving: AtomicBool,
    view: watch::Sender<Arc<View>>,
    /// Somebody wants a beat now; the number of the last who asked, and of the last whose beat has ended.
    call: Notify,
    asked: AtomicU64,
    answered: watch::Sender<u64>,
    /// Shards that are being handed over.
    releasing: Mutex<BTreeSet<ShardId>>,
    /// One was, or it was lost.
    left: Notify,
    neighbours: OnceLock<Arc<dyn Neighbours>>,
}

impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership")
            .field("me", &*self.me.lock())
            .finish_non_exhaustive()
    }
}

impl History {
    /// What this node last saw of the others; changes with every beat. `None`: it is alone by design.
    pub fn views(&self) -> Option<watch::Receiver<Arc<View>>> {
        let membership = self.0.membership.as_ref()?;
        Some(membership.view.subscribe())
    }

    /// Introduces the other nodes. Called once, before [`History::connect`].
    pub fn meet(&self, neighbours: Arc<dyn Neighbours>) {
        if let Some(membership) = &self.0.membership {
            // A second introduction changes nothing.
            let _ = membership.neighbours.set(neighbours);
        }
    }

    /// Looks into the database now. Returns when that was done, or could not be.
    pub async fn look(&self) {
        if let Some(membership) = &self.0.membership {
            membership.look().await;
        }
    }

    /// Hands every shard over: others may have them when this returns, which it does within the lease in any case.
    pub async fn leave(&self) {
        let Some(membership) = &self.0.membership else {
            return;
        };
        membership.leaving.store(true, Ordering::Release);
        membership.look().await;
        // They must not wait for their next beat: task queues leave this node, too.
        membership.tell().await;
        let all_left = async {
            loop {
                let left = membership.left.notified();
                tokio::pin!(left);
                left.as_mut().enable();
                let releasing = membership.releasing.lock().is_empty();
                if releasing && self.0.held().is_empty() {
                    return;
                }
                left.await;
            }
        };
        if tokio::time::timeout(LEASE, all_left).await.is_err() {
            tracing::warn!("some shards could not be handed over in time");
        }
        membership.tell().await;
    }
}

impl Membership {
    pub(super) fn new(member: Member) -> Self {
        let me = Node {
            id: member.id,
            address: member.address,
            ..Node::default()
        };
        Self {
            me: Mutex::new(me),
            leaving: AtomicBool::new(false),
            view: watch::Sender::default(),
            call: Notify::new(),
            asked: AtomicU64::new(0),
            answered: watch::Sender::new(0),
            releasing: Mutex::default(),
            left: Notify::new(),
            neighbours: OnceLock::new(),
        }
    }

    /// The next beat comes now.
    pub(super) fn wake(&self) {
        self.call.notify_one();
    }

    /// A shard is not here any more, by no wish of this node.
    pub(super) fn lost(&self) {
        self.left.notify_waiters();
        self.wake();
    }

    async fn look(&self) {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut answered = self.answered.subscribe();
        self.wake();
        let looked = answered.wait_for(|latest| *latest >= number);
        let _too_long = tokio::time::timeout(LOOK_MAX, looked).await;
    }

    /// A beat has shown this.
    fn seen(&self, pulse: &mut Pulse, (before, after): (Time, Time), view: View) {
        let me = {
            let mut me = self.me.lock();
            if me.started == Time(0)
                && let Some(written) = view.nodes.iter().find(|node| node.id == me.id)
            {
                me.started = written.started;
            }
            me.clone()
        };
        let astray =
            view.now > after.after(CLOCK_SKEW_MAX) || before > view.now.after(CLOCK_SKEW_MAX);
        if astray && !pulse.astray {
            tracing::error!(
                clock = after.0,
                database = view.now.0,
                "this machine's clock differs from the database's by more than five seconds: its shards are given up"
            );
        }
        let superseded = view.is_superseded(&me);
        if superseded && !pulse.superseded {
            tracing::error!(
                node = me.id,
                "another process has come up under this node's name"
            );
        }
        let turned = astray != pulse.astray;
        pulse.astray = astray;
        pulse.superseded = superseded;
        let changed = !members(&self.view.borrow()).eq(members(&view));
        if changed {
            metrics::counter!("membership_changed_count").increment(1);
            let names: Vec<_> = view.members().map(|node| node.id.as_str()).collect();
            tracing::info!(members = names.join(", "), "membership.changed");
        }
        self.view.send_replace(Arc::new(view.judged_by(after)));
        if turned {
            self.wake(); // The others are to know.
        }
    }

    async fn tell(&self) {
        if let Some(neighbours) = self.neighbours.get() {
            let view = Arc::clone(&self.view.borrow());
            neighbours.tell(view).await;
        }
    }
}

pub(super) fn spawn(shell: &Arc<Shell>) {
    if shell.membership.is_some() {
        shell.runtime.spawn(beats(Arc::clone(shell)));
        shell.runtime.spawn(moves(Arc::clone(shell)));
    }
}

/// What the last beats were like, for what is said only when it changes.
struct Pulse {
    last: Instant,
    faint: bool,
    astray: bool,
    superseded: bool,
}

/// Writes and reads once a second, or when called.
async fn beats(shell: Arc<Shell>) {
    let Some(membership) = &shell.membership else {
        return;
    };
    let mut pulse = Pulse {
        last: Instant::now(),
        faint: false,
        astray: false,
        superseded: false,
    };
    while !shell.closing() {
        let begun = Instant::now();
        let asked = membership.asked.load(Ordering::Acquire);
        let me = Node {
            leaving: pulse.astray || membership.leaving.load(Ordering::Acquire),
            ..membership.me.lock().clone()
        };
        let before = shell.clock.now();
        match shell.store.beat(&me).await {
            Ok(view) => {
                pulse.last = Instant::now();
                pulse.faint = false;
                membership.seen(&mut pulse, (before, shell.clock.now()), view);
            }
            Err(error) => shell.unheard(&mut pulse, &error),
        }
        membership.answered.send_replace(asked);
        tokio::time::sleep(BEAT_MIN.saturating_sub(begun.elapsed())).await;
        tokio::select! {
            () = tokio::time::sleep(BEAT.saturating_sub(begun.elapsed())) => {}
            () = membership.call.notified() => {}
        }
    }
}

impl Shell {
    /// The shards that are here, with their epochs.
    fn held(&self) -> BTreeMap<ShardId, Epoch> {
        let held = self.slots.iter();
        held.filter_map(|slot| Some((slot.id, slot.held()?)))
            .collect()
    }

    /// A beat has failed.
    fn unheard(self: &Arc<Self>, pulse: &mut Pulse, error: &Failure) {
        tracing::warn!(error = %error, "failed to tell the database that this node lives");
        if pulse.last.elapsed() <= LEASE || pulse.faint {
            return;
        }
        pulse.faint = true;
        for (shard, epoch) in self.held() {
            let slot = &self.slots[shard.0 as usize];
            if slot.give_up(self, epoch) {
                tracing::warn!(
                    shard = shard.0,
                    epoch = epoch.0,
                    why = "the database was not reached",
                    "shard.lost"
                );
            }
        }
        self.count_owned();
    }

    fn count_owned(&self) {
        let count = u32::try_from(self.held().len()).unwrap_or(u32::MAX);
        metrics::gauge!("cairn_shards_owned").set(f64::from(count));
    }
}

/// What makes a node another one to its neighbours.
fn members(view: &View) -> impl Iterator<Item = (&str, &str, Time)> {
    view.members()
        .map(|node| (node.id.as_str(), node.address.as_str(), node.started))
}

/// Carries out what follows from each view.
async fn moves(shell: Arc<Shell>) {
    let Some(membership) = &shell.membership else {
        return;
    };
    let mut views = membership.view.subscribe();
    views.mark_changed();
    let mut before = Arc::new(View::default());
    while views.changed().await.is_ok() && !shell.closing() {
        let view = Arc::clone(&views.borrow_and_update());
        shell.follow_queues(&before, &view);
        let mut changed = false;
        let me = Node {
            leaving: membership.leaving.load(Ordering::Acquire)
                || view
                    .alive(&membership.me.lock().id)
                    .is_some_and(|me| me.leaving),
            ..membership.me.lock().clone()
        };
        for decision in decide(&me, &view, &shell.held()) {
            changed |= shell.carry_out(decision).await;
        }
        shell.count_owned();
        if changed {
            shell.news();
        }
        before = view;
    }
}

impl Shell {
    /// Shards offer again what they owe on queues that have another home now.
    fn follow_queues(self: &Arc<Self>, before: &View, now: &View) {
        if members(before).eq(members(now)) {
            return;
        }
        let home = |view: &View, queue: &Queue| {
            let home = view.home(Place::Queue(queue.namespace, &queue.name));
            home.map(|node| (node.id.clone(), node.started))
        };
        for slot in &self.slots {
            slot.offer_again(self, |queue| home(before, queue) != home(now, queue));
        }
    }

    /// Has anything changed that others should know of?
    async fn carry_out(self: &Arc<Self>, decision: Decision) -> bool {
        match decision {
            Decision::Take { shard, from } => match self.take(shard, from).await {
                Ok(taken) => taken,
                Err(error) => {
                    tracing::error!(shard = shard.0, error = %error, "takeover failed");
                    false
                }
            },
            Decision::Release { shard, epoch } => {
                self.runtime.spawn(Arc::clone(self).hand_over(shard, epoch));
                false
            }
            Decision::Lost { shard } => {
                if let Some(epoch) = self.slots[shard.0 as usize].held() {
                    self.lost(shard, epoch, "another node has it");
                }
                false
            }
        }
    }

    /// Finishes what is queued, and lets the shard go.
    async fn hand_over(self: Arc<Self>, shard: ShardId, epoch: Epoch) {
        let Some(membership) = &self.membership else {
            return;
        };
        if !membership.releasing.lock().insert(shard) {
            return; // It is on its way already.
        }
        let slot = &self.slots[shard.0 as usize];
        if slot.held() == Some(epoch) {
            let finished = tokio::time::timeout(LEASE, slot.finish()).await;
            if finished.is_err() {
                tracing::warn!(
                    shard = shard.0,
                    "what was queued could not be written in time"
                );
            }
            slot.give_up(&self, epoch);
        }
        failpoint::reached("before_hand_over");
        let released = self.store.release(shard, epoch).await;
        failpoint::reached("after_hand_over");
        membership.releasing.lock().remove(&shard);
        match released {
            Ok(()) => tracing::info!(shard = shard.0, epoch = epoch.0, "shard.released"),
            // The next view shows it, and it is tried again.
            Err(error) => tracing::warn!(shard = shard.0, error = %error, "release failed"),
        }
        membership.left.notify_waiters();
        self.count_owned();
        self.news();
    }

    /// The other nodes are to look now, and this one as well.
    fn news(self: &Arc<Self>) {
        let shell = Arc::clone(self);
        self.runtime.spawn(async move {
            if let Some(membership) = &shell.membership {
                membership.wake();
                membership.tell().await;
            }
        });
    }
}

#[cfg(test)]
mod tests;
