//! One shard behind a lock, stepped in the task that brings the input; outputs are carried out in order.
//!
//! What an output costs is paid outside the lock, but for answers, whose waiters are only woken.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Notify, oneshot};

use super::writer::{RETRY_MAX, RETRY_MIN};
use super::{Shell, failpoint, offers};
use crate::execution::{Question, Workflow};
use crate::id::{Entropy, Epoch, Key, RunId, ShardId, Ticket, Time};
use crate::log::Failure;
use crate::shard::{Config, Load, Loaded, Output, Released, Shard, Taken, Target};

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
    watched: Mutex<HashMap<RunId, Arc<Notify>>>,
}

#[derive(Debug)]
struct Owned {
    shard: Shard<Workflow>,
    epoch: Epoch,
    /// False while a takeover is under way: questions are refused.
    here: bool,
    waiting: HashMap<Ticket, oneshot::Sender<Released<Workflow>>>,
    offers: VecDeque<offers::Batch>,
    offering: bool,
}

/// What a step leaves to be done outside the lock.
#[derive(Default)]
struct Errands {
    loads: VecDeque<Load>,
    moved: Vec<RunId>,
    dirty: bool,
    offers: bool,
    next_tick: Option<Time>,
}

impl Slot {
    pub(super) fn new(id: ShardId, epoch: Epoch, config: &Config) -> Self {
        let shard = Shard::new(
            id,
            epoch,
            config.clone(),
            Box::new(Random(StdRng::from_os_rng())),
        );
        let owned = Owned {
            shard,
            epoch,
            here: true,
            waiting: HashMap::new(),
            offers: VecDeque::new(),
            offering: false,
        };
        Self {
            id,
            owned: Mutex::new(owned),
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
            if !owned.here || shell.closing() {
                let released = Released {
                    result: Err(super::going_away()),
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
                        owned.shard.parked_queues(queues, now, out);
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
            if owned.here {
                owned.shard.tick(now, &shell.limits, out);
            }
        });
    }

    pub(super) fn next_tick(&self) -> Option<Time> {
        let owned = self.owned.lock();
        if owned.here {
            owned.shard.next_tick()
        } else {
            None
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.owned.lock().shard.stats().queued_items
    }

    /// What is queued and not yet taken.
    pub(super) fn take(&self, items_max: usize, bytes_max: usize) -> Option<Taken> {
        let mut owned = self.owned.lock();
        if owned.here {
            owned.shard.take(items_max, bytes_max)
        } else {
            None
        }
    }

    pub(super) fn committed(&self, shell: &Arc<Shell>, through: u64) {
        self.step(shell, |owned, now, out| {
            owned.shard.committed(through, now, out);
        });
    }

    pub(super) fn rolled_back(&self) {
        self.owned.lock().shard.rolled_back();
    }

    pub(super) fn refused(&self, shell: &Arc<Shell>, number: u64) {
        self.step(shell, |owned, now, out| {
            owned.shard.refused(number, now, out);
        });
    }

    /// Drops everything in memory: whoever waits is told to come again.
    pub(super) fn give_up(&self, shell: &Arc<Shell>) {
        self.step(shell, |owned, _, out| {
            owned.here = false;
            owned.shard.drop_all(out);
            owned.offers.clear();
        });
        self.owned.lock().waiting.clear();
    }

    /// Takes the shard again under a higher epoch, which waits out or fences any stray commit, and begins from what is stored.
    pub(super) async fn retake(&self, shell: &Arc<Shell>) -> Result<(), Failure> {
        let epoch = shell.store.take_over(self.id, &shell.owner).await?;
        failpoint::reached("after_takeover");
        let shard = Shard::new(
            self.id,
            epoch,
            shell.shard.clone(),
            Box::new(Random(StdRng::from_os_rng())),
        );
        {
            let mut owned = self.owned.lock();
            owned.shard = shard;
            owned.epoch = epoch;
            owned.here = true;
        }
        self.recover(shell).await;
        shell.alarm.ring();
        // What the unknown commit made may be there, and nobody else will say so.
        for moved in self.watched.lock().values() {
            moved.notify_waiters();
        }
        Ok(())
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
            if owned.here {
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
        errands.loads
    }

    /// Gives what is owed to matching, one batch at a time and in order.
    fn offer(&self, shell: &Arc<Shell>) {
        let Some(matching) = shell.matching.get() else {
            return;
        };
        loop {
            let batch = {
                let mut owned = self.owned.lock();
                if owned.offering {
                    return;
                }
                let Some(batch) = owned.offers.pop_front() else {
                    return;
                };
                owned.offering = true;
                batch
            };
            match poll_once(Box::pin(offers::offer(
                Arc::clone(&matching.0),
                self.id,
                batch,
            ))) {
                Ok(unavailable) => self.offered(shell, unavailable),
                Err(offered) => {
                    let (own, shard) = (Arc::clone(shell), self.id);
                    shell.runtime.spawn(async move {
                        let unavailable = offered.await;
                        let slot = &own.slots[shard.0 as usize];
                        slot.offered(&own, unavailable);
                        slot.offer(&own);
                    });
                    return;
                }
            }
        }
    }

    /// A batch is with matching, but for runs whose sticky worker is away. What they owe instead waits for the next round.
    fn offered(&self, shell: &Arc<Shell>, unavailable: Vec<(Key, RunId)>) {
        for (key, run) in unavailable {
            drop(shell.put(key, Some(run), None, Question::StickyWorkerUnavailable));
        }
        self.owned.lock().offering = false;
    }
}

impl Owned {
    fn sort(&mut self, out: Vec<Output<Workflow>>) -> Errands {
        let mut errands = Errands {
            next_tick: if self.here {
                self.shard.next_tick()
            } else {
                None
            },
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
                    self.offers.push_back(offers::Batch {
                        epoch: self.epoch,
                        offered,
                        withdrawn,
                    });
                    errands.offers = true;
                }
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

/// The operating system's randomness, stretched.
#[derive(Debug)]
struct Random(StdRng);

impl Entropy for Random {
    fn bits(&mut self) -> u128 {
        rand::Rng::random(&mut self.0)
    }
}
