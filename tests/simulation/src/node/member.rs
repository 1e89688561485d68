//! A node among others: it says that it lives, takes what is its own, and hands over what is not.

use std::time::Duration;

use cairn_history::id::{Epoch, ShardId};

use super::{Purpose, Slot};
use crate::event::{Event, Op};
use crate::placement::View;
use crate::world::World;

/// A clock that is further off than this makes no history.
const CLOCK_ERROR_MAX: Duration = Duration::from_secs(5);

impl World {
    pub(crate) fn beat(&mut self, node: usize) {
        let leaving = self.nodes[node].leaving;
        self.call_store(node, Purpose::Beat, Op::Beat { leaving });
        let stamp = self.nodes[node].stamp;
        self.heap
            .put(self.now.after(self.plan.beat), Event::Beat(stamp));
    }

    /// The database has said who there is.
    pub(super) fn saw(&mut self, node: usize, view: View) {
        let this = &mut self.nodes[node];
        if view.now < this.view.now {
            return; // An older answer came later.
        }
        let (me, lease) = (this.stamp, self.plan.lease);
        this.view = view;
        let sound = this.clock.error(this.view.now) <= CLOCK_ERROR_MAX + self.plan.beat / 4;
        let stays = sound && !this.leaving;
        for shard in (0..self.plan.shards).map(ShardId) {
            let this = &mut self.nodes[node];
            let view = &this.view;
            let (epoch, by) = view.shards.get(&shard).copied().unwrap_or_default();
            let home = view.home(u64::from(shard.0), lease);
            let others = home.is_some_and(|home| home != me);
            let from = view.may_take(me, shard, lease).filter(|_| stays);
            match this.slots.get_mut(&shard) {
                Some(Slot::Here(owned)) if by != Some(me) || epoch != owned.epoch => {
                    if epoch > owned.epoch {
                        self.forget(node, shard);
                    }
                }
                Some(Slot::Here(owned)) => {
                    if others || !stays {
                        owned.releasing = true;
                        self.finish_release(node, shard);
                    }
                }
                Some(Slot::Taking) => {}
                None => {
                    if let Some(from) = from {
                        self.take(node, shard, from);
                    }
                }
            }
        }
        self.queues_moved(node);
    }

    fn take(&mut self, node: usize, shard: ShardId, expected: Epoch) {
        self.nodes[node].slots.insert(shard, Slot::Taking);
        self.call_store(
            node,
            Purpose::Take { shard },
            Op::TakeOver { shard, expected },
        );
    }

    /// Memory was dropped because of an unknown outcome: the same owner takes a higher epoch, unless another has by now.
    pub(super) fn take_back(&mut self, node: usize, shard: ShardId) {
        let own = &self.nodes[node];
        if let Some((epoch, owner)) = own.view.shards.get(&shard).copied()
            && owner == Some(own.stamp)
            && !own.leaving
        {
            self.take(node, shard, epoch);
        }
    }

    pub(super) fn took(&mut self, node: usize, shard: ShardId, epoch: Option<Epoch>) {
        if !self.is_taking(node, shard) {
            return;
        }
        self.nodes[node].slots.remove(&shard);
        if let Some(epoch) = epoch {
            let stamp = self.nodes[node].stamp;
            self.nodes[node]
                .view
                .shards
                .insert(shard, (epoch, Some(stamp)));
            self.own(node, shard, epoch);
        }
    }

    /// A shard that is to be handed over goes when nothing of it waits for the disk.
    pub(super) fn finish_release(&mut self, node: usize, shard: ShardId) {
        let Some(owned) = self.nodes[node].owned(shard) else {
            return;
        };
        if owned.releasing && owned.shard.stats().queued_items == 0 {
            let epoch = owned.epoch;
            self.forget(node, shard);
            self.call_store(node, Purpose::Release, Op::Release { shard, epoch });
        }
    }
}
