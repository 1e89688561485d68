//! The writers: one thread per store connection takes what waits, commits it in one transaction, and releases what waited for it.
//!
//! What follows from how a commit ended is decided by [`fate`] and carried out here: released, tried again, tried item by item,
//! memory dropped and a higher epoch taken, the process ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::slot::Slot;
use super::{Shell, failpoint};
use crate::id::{Epoch, ShardId};
use crate::log::{Committed, Failure, ShardBatch};
use crate::shard::{Fate, Taken, fate};

/// The most that one commit carries.
const ITEMS_MAX: usize = 1_000;
const BYTES_MAX: usize = 4 << 20;
/// Behind a commit of so many items a writer waits so long for more: under load a commit costs the more the less it carries, and
/// whoever waits behind it waits anyway.
const CROWD: usize = 3;
const GATHER: Duration = Duration::from_micros(500);
/// Between tries when the store takes nothing.
pub(super) const RETRY_MIN: Duration = Duration::from_millis(5);
pub(super) const RETRY_MAX: Duration = Duration::from_secs(1);

/// Wakes a writer and says which shards have something.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<Rung>,
    wake: Condvar,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Rung {
    shards: BTreeSet<ShardId>,
    closing: bool,
    ended: bool,
}

impl Bell {
    pub(super) fn ring(&self, shard: ShardId) {
        let mut rung = self.rung.lock();
        if rung.shards.insert(shard) && rung.shards.len() == 1 {
            self.wake.notify_one();
        }
    }

    /// Asks the writer to end when nothing is left, and waits for that.
    pub(super) async fn close(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            {
                let mut rung = self.rung.lock();
                rung.closing = true;
                if rung.ended {
                    return;
                }
            }
            self.wake.notify_one();
            ended.await;
        }
    }

    /// The shards that rang since, without waiting for one.
    fn meanwhile(&self) -> BTreeSet<ShardId> {
        std::mem::take(&mut self.rung.lock().shards)
    }

    /// The shards that rang; `None` when it is time to end.
    fn answer(&self) -> Option<BTreeSet<ShardId>> {
        let mut rung = self.rung.lock();
        while rung.shards.is_empty() {
            if rung.closing {
                rung.ended = true;
                self.ended.notify_waiters();
                return None;
            }
            self.wake.wait(&mut rung);
        }
        Some(std::mem::take(&mut rung.shards))
    }
}

pub(super) fn spawn_all(shell: &Arc<Shell>) {
    for writer in 0..shell.writers.len() {
        let shell = Arc::clone(shell);
        std::thread::Builder::new()
            .name(format!("writer-{writer}"))
            .spawn(move || {
                Writer {
                    shell,
                    number: writer,
                    retry: RETRY_MIN,
                    crowded: false,
                }
                .run();
            })
            .expect("the operating system gives the few threads that a server starts with");
    }
}

/// Which items of a shard are in a batch, and the frontier behind it.
struct Marks {
    numbers: Vec<u64>,
    through: u64,
}

struct Writer {
    shell: Arc<Shell>,
    number: usize,
    retry: Duration,
    /// The last commit carried several items: more are on their way.
    crowded: bool,
}

impl Writer {
    fn run(mut self) {
        let bell = Arc::clone(&self.shell.writers[self.number]);
        while let Some(mut rung) = bell.answer() {
            if self.crowded {
                std::thread::sleep(GATHER);
                rung.append(&mut bell.meanwhile());
            }
            let taken = self.take(rung);
            if !taken.is_empty() {
                self.commit(taken);
            }
        }
    }

    /// What waits in the shards that rang, up to the size of one commit; what is left over rings again.
    fn take(&self, rung: BTreeSet<ShardId>) -> Vec<Taken> {
        let (mut items, mut bytes) = (ITEMS_MAX, BYTES_MAX);
        let mut all = Vec::with_capacity(rung.len());
        for shard in rung {
            let bell = &self.shell.writers[self.number];
            if items == 0 || bytes == 0 {
                bell.ring(shard);
                continue;
            }
            if let Some(taken) = self.shell.slots[shard.0 as usize].take(items, bytes) {
                items = items.saturating_sub(taken.batch.items.len());
                bytes = bytes.saturating_sub(taken.bytes);
                if taken.more {
                    bell.ring(shard);
                }
                all.push(taken);
            }
        }
        all
    }

    fn commit(&mut self, taken: Vec<Taken>) {
        let (batches, marks): (Vec<ShardBatch>, Vec<Marks>) = taken
            .into_iter()
            .map(
                |Taken {
                     batch,
                     numbers,
                     through,
                     ..
                 }| (batch, Marks { numbers, through }),
            )
            .unzip();
        let items: usize = batches.iter().map(|batch| batch.items.len()).sum();
        self.crowded = items >= CROWD;
        metrics::counter!("cairn_commits").increment(1);
        metrics::counter!("cairn_commit_items").increment(items as u64);
        let ended = self.store(&batches);
        told(&ended);
        let mut again = Vec::new();
        for (batch, marks) in batches.into_iter().zip(marks) {
            match fate(&ended, batch.shard) {
                Fate::Release => {
                    self.retry = RETRY_MIN;
                    self.slot(batch.shard)
                        .committed(&self.shell, batch.epoch, marks.through);
                }
                Fate::Lose(why) => self.lose(batch.shard, batch.epoch, &ended, why),
                Fate::Again => again.push((batch.shard, batch.epoch)),
                Fate::OneByOne => self.one_by_one(batch, &marks),
                Fate::Die => sync_failed(),
            }
        }
        if !again.is_empty() {
            self.again(again);
        }
        if ended.is_ok() {
            failpoint::reached("after_release");
        }
    }

    /// The items of one shard, each in a transaction of its own: the one at fault fails alone.
    fn one_by_one(&mut self, batch: ShardBatch, marks: &Marks) {
        let (shard, epoch) = (batch.shard, batch.epoch);
        let slot = &self.shell.slots[shard.0 as usize];
        for (number, item) in marks.numbers.iter().copied().zip(batch.items) {
            let single = ShardBatch {
                shard,
                epoch,
                items: vec![item],
            };
            let ended = self.store(std::slice::from_ref(&single));
            told(&ended);
            match fate(&ended, shard) {
                Fate::Release => slot.committed(&self.shell, epoch, number),
                Fate::Lose(why) => return self.lose(shard, epoch, &ended, why),
                Fate::Again => return self.again([(shard, epoch)]),
                Fate::OneByOne => {
                    slot.rolled_back(epoch);
                    slot.refused(&self.shell, epoch, number);
                    return self.again([(shard, epoch)]);
                }
                Fate::Die => sync_failed(),
            }
        }
        slot.committed(&self.shell, epoch, marks.through);
    }

    fn slot(&self, shard: ShardId) -> &Slot {
        &self.shell.slots[shard.0 as usize]
    }

    fn store(&self, batches: &[ShardBatch]) -> Result<Committed, Failure> {
        let store = &self.shell.store;
        self.shell.runtime.block_on(async {
            failpoint::before_commit(store, self.number, batches)?;
            failpoint::after_commit(store.commit(self.number, batches).await?)
        })
    }

    /// Nothing was written: the same items are taken again after a while.
    fn again(&mut self, shards: impl IntoIterator<Item = (ShardId, Epoch)>) {
        let shards: Vec<_> = shards.into_iter().collect();
        for (shard, epoch) in &shards {
            self.slot(*shard).rolled_back(*epoch);
        }
        std::thread::sleep(self.retry); // the writer has nothing else to do while the store takes nothing
        self.retry = (self.retry * 2).min(RETRY_MAX);
        for (shard, _) in shards {
            self.shell.writers[self.number].ring(shard);
        }
    }

    /// A shard's memory is worth nothing any more: because somebody else has it, or because nobody knows what is stored.
    fn lose(
        &self,
        shard: ShardId,
        epoch: Epoch,
        ended: &Result<Committed, Failure>,
        why: &'static str,
    ) {
        if ended.is_ok() {
            metrics::counter!("cairn_commits_rejected").increment(1);
            self.shell.lost(shard, epoch, why);
        } else {
            self.shell.drop_and_retake(shard, epoch, why);
        }
    }
}

/// Says how a commit ended, if not well.
fn told(ended: &Result<Committed, Failure>) {
    match ended {
        Ok(_) => {}
        Err(Failure::Refused(cause)) => tracing::error!(error = %cause, "commit refused"),
        Err(Failure::RolledBack(cause)) => {
            tracing::warn!(error = %cause, "commit rolled back; trying again");
        }
        Err(Failure::Unknown(cause)) => {
            tracing::error!(error = %cause, "outcome of a commit unknown");
        }
        Err(Failure::Sync(cause)) => {
            tracing::error!(error = %cause, "the disk failed to sync; the process ends");
        }
    }
}

/// The disk did not take what it had promised; nothing in this process may be believed any more.
fn sync_failed() -> ! {
    std::process::abort()
}
