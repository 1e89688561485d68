//! One shard behind a lock, stepped in the task that brings the input; outputs are carried out in order.
//!
//! What an output costs is paid outside the lock, but for answers, whose waiters are only woken.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Notify, oneshot};

use super::writer::{RETRY_MAX, RETRY_MIN};
use super::{Shell, offers};
use crate::execution::{Question, Refusal, Workflow};
use crate::id::{Entropy, Epoch, RunId, ShardId, Ticket, Time};
use crate::kind::{Queue, Unavailable};
use crate::shard::{Config, Load, Loaded, Output, Released, Shard, Taken, Target};

mod offering;
mod sending;

pub(super) type Receiver = oneshot::Receiver<Released<Workflow>>;

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Reading = Later<Loaded>;

/// Reads that one step does in the task that brought it; what follows goes on in tasks of its own.
const LOADS_AT_ONCE: usize = 16;

/// A shard of this node.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: ShardId,
    owned: Mutex<Owned>,
    /// Something of a shard that leaves was written, or it has left.
    written: Notify,
    watched: Mutex<HashMap<RunId, Arc<Notify>>>,
}

#[derive(Debug)]
struct Owned {
    shard: Shard<Workflow>,
    epoch: Epoch,
    stay: Stay,
    waiting: HashMap<Ticket, oneshot::Sender<Released<Workflow>>>,
    offers: VecDeque<offers::Batch>,
    /// How many batches there were.
    batches: u64,
    offering: bool,
    /// Queues whose offers nobody has taken, and how long to wait before they are made again.
    untold: BTreeSet<Queue>,
    again_after: Duration,
}

/// Whether the shard is this node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Here,
    /// No question is taken any more; what is queued is still written.
    Leaving,
    /// Another's, or a takeover is under way.
    Away,
}

/// What a step leaves to be done outside the lock.
#[derive(Default)]
struct Errands {
    loads: VecDeque<Load>,
    moved: Vec<RunId>,
    sends: Vec<sending::Sending>,
    dirty: bool,
    offers: bool,
    next_tick: Option<Time>,
}

impl Slot {
    /// A shard that is another's until it is begun.
    pub(super) fn new(id: ShardId, config: &Config) -> Self {
        let owned = Owned {
            shard: fresh(id, Epoch(0), config),
            epoch: Epoch(0),
            stay: Stay::Away,
            waiting: HashMap::new(),
            offers: VecDeque::new(),
            batches: 0,
            offering: false,
            untold: BTreeSet::new(),
            again_after: RETRY_MIN,
        };
        Self {
            id,
            owned: Mutex::new(owned),
            written: Notify::new(),
            watched: Mutex::default(),
        }
    }

    pub(super) fn ask(
        &self,
        shell: &Arc<Shell>,
        ticket: Ticket,
        target: Target,
        question: Question,
    ) -> Receiver {
        let (sender, receiver) = oneshot::channel();
        self.step(shell, |owned, now, out| {
            let refusal = if owned.stay != Stay::Here {
                Some(Unavailable::Elsewhere)
            } else if shell.closing() {
                Some(Unavailable::ShardMoved)
            } else {
                None
            };
            if let Some(why) = refusal {
                let released = Released {
                    result: Err(Refusal::Unavailable(why)),
                    events: None,
                };
                drop(sender.send(released));
                return;
            }
            owned.waiting.insert(ticket, sender);
            owned
                .shard
                .ask(ticket, target, question, now, &shell.limits, out);
        });
        receiver
    }

    /// Nobody waits for this answer any more.
    pub(super) fn forget(&self, ticket: Ticket) {
        let mut owned = self.owned.lock();
        owned.waiting.remove(&ticket);
        owned.shard.forget(ticket);
    }

    /// Begins to find out what a shard that was just taken owes.
    pub(super) async fn recover(&self, shell: &Arc<Shell>) {
        self.tick(shell);
        let mut retry = RETRY_MIN;
        loop {
            match shell.store.parked_queues(self.id).await {
                Ok(parked) => {
                    let queues = parked.into_iter().map(|(queue, ..)| queue).collect();
                    return self.step(shell, |owned, now, out| {
                        if owned.stay == Stay::Here {
                            owned.shard.parked_queues(queues, now, out);
                        }
                    });
                }
                Err(error) => {
                    tracing::error!(shard = self.id.0, error = %error, "parked offers cannot be read");
                    tokio::time::sleep(retry).await;
                    retry = (retry * 2).min(RETRY_MAX);
                }
            }
        }
    }

    pub(super) fn tick(&self, shell: &Arc<Shell>) {
        self.step(shell, |owned, now, out| {
            if owned.stay == Stay::Here {
                owned.shard.tick(now, &shell.limits, out);
            }
        });
    }

    pub(super) fn next_tick(&self) -> Option<Time> {
        self.owned.lock().next_tick()
    }

    /// The epoch under which the shard is this node's, to the end of its stay.
    pub(super) fn held(&self) -> Option<Epoch> {
        let owned = self.owned.lock();
        (owned.stay != Stay::Away).then_some(owned.epoch)
    }

    /// Does it take questions?
    pub(super) fn is_here(&self) -> bool {
        self.owned.lock().stay == Stay::Here
    }

    pub(super) fn queued(&self) -> usize {
        self.owned.lock().shard.stats().queued_items
    }

    /// What is queued and not yet taken.
    pub(super) fn take(&self, items_max: usize, bytes_max: usize) -> Option<Taken> {
        let mut owned = self.owned.lock();
        if owned.stay == Stay::Away {
            None
        } else {
            owned.shard.take(items_max, bytes_max)
        }
    }

    // What became of a batch is news only to the epoch under which it was taken: the shard may have left and come back.

    pub(super) fn committed(&self, shell: &Arc<Shell>, epoch: Epoch, through: u64) {
        let mut leaving = false;
        self.step(shell, |owned, now, out| {
            if owned.epoch == epoch {
                owned.shard.committed(through, now, out);
                leaving = owned.stay == Stay::Leaving;
            }
        });
        if leaving {
            self.written.notify_waiters();
        }
    }

    pub(super) fn rolled_back(&self, epoch: Epoch) {
        let mut owned = self.owned.lock();
        if owned.epoch == epoch {
            owned.shard.rolled_back();
        }
    }

    pub(super) fn refused(&self, shell: &Arc<Shell>, epoch: Epoch, number: u64) {
        self.step(shell, |owned, now, out| {
            if owned.epoch == epoch {
                owned.shard.refused(number, now, out);
            }
        });
    }

    /// Takes no question any more, and waits until what is queued is written.
    pub(super) async fn finish(&self) {
        let epoch = {
            let mut owned = self.owned.lock();
            if owned.stay != Stay::Here {
                return;
            }
            owned.stay = Stay::Leaving;
            owned.epoch
        };
        loop {
            let written = self.written.notified();
            tokio::pin!(written);
            written.as_mut().enable();
            {
                let owned = self.owned.lock();
                let over = owned.epoch != epoch || owned.stay != Stay::Leaving;
                if over || owned.shard.stats().queued_items == 0 {
                    return;
                }
            }
            written.await;
        }
    }

    /// Drops everything in memory, if it is still this epoch's: whoever waits is told to come again.
    pub(super) fn give_up(&self, shell: &Arc<Shell>, epoch: Epoch) -> bool {
        let mut dropped = false;
        self.step(shell, |owned, _, out| {
            if owned.epoch != epoch || owned.stay == Stay::Away {
                return;
            }
            dropped = true;
            owned.stay = Stay::Away;
            owned.shard.drop_all(out);
            owned.offers.clear();
            owned.untold.clear();
        });
        if dropped {
            self.owned.lock().waiting.clear();
            self.written.notify_waiters();
            self.stir();
        }
        dropped
    }

    /// The shard is this node's under a new epoch: begins from what is stored. [`Slot::recover`] is to follow.
    pub(super) fn begin(&self, shell: &Arc<Shell>, epoch: Epoch) {
        let mut owned = self.owned.lock();
        owned.shard = fresh(self.id, epoch, &shell.shard);
        owned.epoch = epoch;
        owned.stay = Stay::Here;
    }

    /// Whoever watches a run looks again: its shard came or went, and nobody else will say so.
    pub(super) fn stir(&self) {
        for moved in self.watched.lock().values() {
            moved.notify_waiters();
        }
    }

    /// Is told when durable transitions of a run become visible.
    pub(super) fn watch(&self, run: RunId) -> Watch<'_> {
        let moved = Arc::clone(self.watched.lock().entry(run).or_default());
        Watch {
            slot: self,
            run,
            moved,
        }
    }

    fn step(
        &self,
        shell: &Arc<Shell>,
        input: impl FnOnce(&mut Owned, Time, &mut Vec<Output<Workflow>>),
    ) {
        let loads = self.stepped(shell, input);
        self.load(shell, loads);
    }

    /// Does what a step wants read, and what that leads to.
    fn load(&self, shell: &Arc<Shell>, mut loads: VecDeque<Load>) {
        let mut at_once = 0;
        // A loop: a shard that wakes thousands of runs reads one behind the other, and each read that is there at once leads on.
        while let Some(load) = loads.pop_front() {
            let (number, read) = super::events::load(Arc::clone(&shell.store), self.id, load);
            let read: Reading = Box::pin(read);
            at_once += 1;
            if at_once > LOADS_AT_ONCE {
                self.load_later(shell, number, read);
                continue;
            }
            match poll_once(read) {
                Ok(loaded) => loads.extend(self.loaded(shell, number, loaded)),
                Err(read) => self.load_later(shell, number, read),
            }
        }
    }

    fn loaded(&self, shell: &Arc<Shell>, number: u64, loaded: Loaded) -> VecDeque<Load> {
        self.stepped(shell, |owned, now, out| {
            if owned.stay == Stay::Here {
                owned.shard.loaded(number, loaded, now, &shell.limits, out);
            }
        })
    }

    /// Reads in a task of its own, so that no asker who leaves can lose it, and others have their turn.
    fn load_later(&self, shell: &Arc<Shell>, number: u64, read: Reading) {
        let (own, shard) = (Arc::clone(shell), self.id);
        shell.runtime.spawn(async move {
            let loaded = read.await;
            let slot = &own.slots[shard.0 as usize];
            slot.load(&own, slot.loaded(&own, number, loaded));
        });
    }

    /// One step, with all that it leaves to be done outside the lock but the loads.
    fn stepped(
        &self,
        shell: &Arc<Shell>,
        input: impl FnOnce(&mut Owned, Time, &mut Vec<Output<Workflow>>),
    ) -> VecDeque<Load> {
        let now = shell.clock.now();
        let mut out = Vec::new();
        let errands = {
            let mut owned = self.owned.lock();
            input(&mut owned, now, &mut out);
            owned.sort(out)
        };
        for run in errands.moved {
            if let Some(watched) = self.watched.lock().get(&run) {
                watched.notify_waiters();
            }
        }
        if errands.offers {
            self.offer(shell);
        }
        if errands.dirty {
            shell.writers[self.id.0 as usize % shell.writers.len()].ring(self.id);
        }
        if let Some(next) = errands.next_tick {
            shell.alarm.at_latest(next);
        }
        self.send(shell, errands.sends);
        errands.loads
    }
}

fn fresh(id: ShardId, epoch: Epoch, config: &Config) -> Shard<Workflow> {
    let random = Random(StdRng::from_os_rng());
    Shard::new(id, epoch, config.clone(), Box::new(random))
}

impl Owned {
    fn next_tick(&self) -> Option<Time> {
        if self.stay == Stay::Here {
            self.shard.next_tick()
        } else {
            None
        }
    }

    fn sort(&mut self, out: Vec<Output<Workflow>>) -> Errands {
        let mut errands = Errands {
            next_tick: self.next_tick(),
            ..Errands::default()
        };
        for output in out {
            match output {
                Output::Answer(ticket, released) => {
                    if let Some(sender) = self.waiting.remove(&ticket) {
                        drop(sender.send(released)); // an asker who left needs no answer
                    }
                }
                Output::Dirty => errands.dirty = true,
                Output::Offer { offered, withdrawn } => {
                    self.batches += 1;
                    self.offers.push_back(offers::Batch {
                        epoch: self.epoch,
                        number: self.batches,
                        offered,
                        withdrawn,
                    });
                    errands.offers = true;
                }
                Output::Send {
                    run,
                    effect,
                    message,
                } => errands.sends.push(sending::Sending {
                    epoch: self.epoch,
                    run,
                    effect,
                    message,
                }),
                Output::Load(load) => errands.loads.push_back(load),
                Output::Moved(run) => errands.moved.push(run),
                Output::Quarantined(run, why) => {
                    metrics::counter!("cairn_runs_quarantined").increment(1);
                    tracing::error!(run.id = %run, error = %why, "run quarantined");
                }
            }
        }
        errands
    }
}

/// Polls a future once: what it is ready with, or the rest of it.
fn poll_once<T>(mut future: Later<T>) -> Result<T, Later<T>> {
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err(future),
    }
}

/// Interest in one run, for as long as it is held.
pub(super) struct Watch<'a> {
    slot: &'a Slot,
    run: RunId,
    pub(super) moved: Arc<Notify>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut watched = self.slot.watched.lock();
        // The map and this guard: nobody else is interested.
        if watched
            .get(&self.run)
            .is_some_and(|moved| Arc::strong_count(moved) <= 2)
        {
            watched.remove(&self.run);
        }
    }
}

/// The id of a run that begins now.
pub(super) fn fresh_run(now: Time) -> RunId {
    Random(StdRng::from_os_rng()).run_id(now)
}

/// The operating system's randomness, stretched.
#[derive(Debug)]
struct Random(StdRng);

impl Entropy for Random {
    fn bits(&mut self) -> u128 {
        rand::Rng::random(&mut self.0)
    }
}
