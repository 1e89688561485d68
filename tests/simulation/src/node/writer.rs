//! The writers of a node: what waits is committed, one batch at a time, and the end of a commit is carried out.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use cairn_history::id::{Epoch, ShardId};
use cairn_history::log::{Committed, Failure, ShardBatch};
use cairn_history::shard::{Fate, fate};

use super::{Purpose, Slot};
use crate::event::{Event, Op};
use crate::world::World;

const ITEMS_MAX: usize = 1_000;
const BYTES_MAX: usize = 4 << 20;
const RETRY_MIN: Duration = Duration::from_millis(5);
const RETRY_MAX: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Writer {
    rung: BTreeSet<ShardId>,
    /// An event is on its way, or a commit.
    busy: bool,
    under_way: Vec<Part>,
    /// After a refusal: items that are tried one by one.
    singles: VecDeque<Part>,
    retry: Duration,
}

/// A shard's part of a commit.
#[derive(Debug)]
struct Part {
    batch: ShardBatch,
    numbers: Vec<u64>,
    through: u64,
}

impl World {
    pub(super) fn ring(&mut self, node: usize, shard: ShardId) {
        let writers = self.nodes[node].writers.len();
        let writer = shard.0 as usize % writers;
        self.nodes[node].writers[writer].rung.insert(shard);
        self.wake_writer(node, writer, Duration::ZERO);
    }

    fn wake_writer(&mut self, node: usize, number: usize, wait: Duration) {
        let stamp = self.nodes[node].stamp;
        let writer = &mut self.nodes[node].writers[number];
        if !writer.busy {
            writer.busy = true;
            let gather = if self.random.chance(500) {
                self.random.between(Duration::ZERO, self.plan.gather)
            } else {
                Duration::ZERO
            };
            self.heap
                .put(self.now.after(wait + gather), Event::Write(stamp, number));
        }
    }

    pub(crate) fn write(&mut self, node: usize, number: usize) {
        let own = &mut self.nodes[node];
        let rung = std::mem::take(&mut own.writers[number].rung);
        let (mut items, mut bytes) = (ITEMS_MAX, BYTES_MAX);
        // Small batches now and then: many commits in flight behind each other.
        if self.random.chance(200) {
            items = 1 + self.random.index(3);
        }
        let mut parts = Vec::new();
        for shard in rung {
            let own = &mut self.nodes[node];
            if items == 0 {
                own.writers[number].rung.insert(shard);
                continue;
            }
            let Some(taken) = own
                .owned(shard)
                .and_then(|owned| owned.shard.take(items, bytes))
            else {
                continue;
            };
            items = items.saturating_sub(taken.batch.items.len());
            bytes = bytes.saturating_sub(taken.bytes);
            if taken.more {
                own.writers[number].rung.insert(shard);
            }
            parts.push(Part {
                batch: taken.batch,
                numbers: taken.numbers,
                through: taken.through,
            });
        }
        if parts.is_empty() {
            self.rest(node, number);
        } else {
            self.commit(node, number, parts);
        }
    }

    fn commit(&mut self, node: usize, number: usize, parts: Vec<Part>) {
        let batches = parts.iter().map(|part| part.batch.clone()).collect();
        self.nodes[node].writers[number].under_way = parts;
        let purpose = Purpose::Commit { writer: number };
        self.call_store(node, purpose, Op::Commit { batches });
    }

    /// The writer has nothing in hand.
    fn rest(&mut self, node: usize, number: usize) {
        let writer = &mut self.nodes[node].writers[number];
        writer.busy = false;
        if !writer.rung.is_empty() {
            self.wake_writer(node, number, Duration::ZERO);
        }
    }

    pub(super) fn committed(
        &mut self,
        node: usize,
        number: usize,
        result: &Result<Committed, Failure>,
    ) {
        let parts = std::mem::take(&mut self.nodes[node].writers[number].under_way);
        let mut wait = Duration::ZERO;
        let mut failed = BTreeSet::new();
        for part in parts {
            let (shard, epoch) = (part.batch.shard, part.batch.epoch);
            match fate(result, shard) {
                Fate::Release => {
                    self.nodes[node].writers[number].retry = RETRY_MIN;
                    self.release(node, shard, epoch, part.through);
                    self.glance(node, &part.batch);
                }
                Fate::Lose(why) => {
                    let stamp = self.nodes[node].stamp;
                    if result.is_ok() && self.database.is_owner(stamp, shard, epoch) {
                        let what = format!("{shard:?} was given up by its owner: {why}");
                        self.ledger.violated("fence", what);
                    }
                    failed.insert(shard);
                    self.lose(node, shard, epoch);
                }
                Fate::Again => {
                    failed.insert(shard);
                    wait = self.again(node, number, shard, epoch);
                }
                Fate::OneByOne if part.numbers.len() > 1 => self.one_by_one(node, number, part),
                Fate::OneByOne => {
                    failed.insert(shard);
                    self.refused(node, shard, epoch, &part.numbers);
                    wait = self.again(node, number, shard, epoch);
                }
                Fate::Die => return self.kill(node),
            }
        }
        // What is behind the item of a shard that failed is taken again with it.
        let singles = &mut self.nodes[node].writers[number].singles;
        singles.retain(|part| !failed.contains(&part.batch.shard));
        if let Some(next) = self.nodes[node].writers[number].singles.pop_front() {
            return self.commit(node, number, vec![next]);
        }
        self.nodes[node].writers[number].busy = false;
        if !self.nodes[node].writers[number].rung.is_empty() {
            self.wake_writer(node, number, wait);
        }
    }

    fn release(&mut self, node: usize, shard: ShardId, epoch: Epoch, through: u64) {
        self.step(node, shard, |owned, now, out| {
            if owned.epoch == epoch {
                owned.shard.committed(through, now, out);
            }
        });
        self.finish_release(node, shard);
    }

    fn one_by_one(&mut self, node: usize, number: usize, part: Part) {
        let last = part.numbers.len() - 1;
        let singles = part.numbers.iter().zip(part.batch.items).enumerate();
        for (index, (item, writes)) in singles {
            self.nodes[node].writers[number].singles.push_back(Part {
                batch: ShardBatch {
                    items: vec![writes],
                    ..part.batch
                },
                numbers: vec![*item],
                through: if index == last { part.through } else { *item },
            });
        }
    }

    fn refused(&mut self, node: usize, shard: ShardId, epoch: Epoch, numbers: &[u64]) {
        let Some(number) = numbers.first().copied() else {
            return;
        };
        self.step(node, shard, |owned, now, out| {
            if owned.epoch == epoch {
                owned.shard.rolled_back();
                owned.shard.refused(number, now, out);
            }
        });
    }

    /// Nothing was written: the same again after a while.
    fn again(&mut self, node: usize, number: usize, shard: ShardId, epoch: Epoch) -> Duration {
        let own = &mut self.nodes[node];
        if let Some(owned) = own.owned(shard).filter(|owned| owned.epoch == epoch) {
            owned.shard.rolled_back();
        }
        let writer = &mut own.writers[number];
        writer.rung.insert(shard);
        let wait = writer.retry.max(RETRY_MIN);
        writer.retry = (wait * 2).min(RETRY_MAX);
        wait
    }

    /// The memory of a shard is worth nothing any more. Whose it is now, the database says.
    fn lose(&mut self, node: usize, shard: ShardId, epoch: Epoch) {
        if self.nodes[node]
            .owned(shard)
            .is_some_and(|owned| owned.epoch == epoch)
        {
            self.forget(node, shard);
            self.take_back(node, shard);
        }
    }

    pub(super) fn is_taking(&self, node: usize, shard: ShardId) -> bool {
        matches!(self.nodes[node].slots.get(&shard), Some(Slot::Taking))
    }
}
