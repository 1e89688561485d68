//! A node among others: it says that it lives, takes what is its own, and hands over what is not.

use std::time::Duration;

use cairn_history::id::{Epoch, ShardId, Time};
use cairn_history::placement::{self, CLOCK_SKEW_MAX, Decision, View, decide};

use super::{Purpose, Slot};
use crate::event::{Event, Op};
use crate::world::World;

/// No answer takes longer, unless something holds it up that the plan has.
const HANG: Duration = Duration::from_secs(15);

impl World {
    pub(crate) fn beat(&mut self, node: usize) {
        self.nobody_hangs(node);
        let leaving = self.nodes[node].leaving || self.nodes[node].astray;
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
        this.view = view;
        this.astray = this.clock.error(this.view.now) > CLOCK_SKEW_MAX;
        let name = this.stamp.name();
        let written = this.view.nodes.iter().find(|other| other.id == name);
        let me = placement::Node {
            started: written.map_or(Time(0), |written| written.started),
            id: name,
            leaving: this.leaving || this.astray,
            ..placement::Node::default()
        };
        let held = this.slots.iter().filter_map(|(shard, slot)| match slot {
            Slot::Here(here) => Some((*shard, here.epoch)),
            Slot::Taking => None,
        });
        let judged = this.view.clone().judged_by(this.clock.read(self.now));
        for decision in decide(&me, &judged, &held.collect()) {
            match decision {
                Decision::Take { shard, from } if !self.is_taking(node, shard) => {
                    self.allowed(node, shard);
                    self.take(node, shard, from);
                }
                Decision::Take { .. } => {}
                Decision::Release { shard, epoch } => self.hand_over(node, shard, epoch),
                Decision::Lost { shard } => self.forget(node, shard),
            }
        }
        self.queues_moved(node);
    }

    /// L-4: what a shard is asked it answers, or refuses, soon behind whatever held it up.
    fn nobody_hangs(&mut self, node: usize) {
        let this = &self.nodes[node];
        let ready = self.database.ready().max(self.reached(node));
        let ready = ready.max(this.paused_until.unwrap_or_default());
        let late = this.slots.iter().find_map(|(shard, slot)| {
            let Slot::Here(owned) = slot else {
                return None;
            };
            let (_, (_, asked)) = owned.asked.first_key_value()?;
            (self.now.since(ready.max(*asked)) > HANG).then_some(*shard)
        });
        if let Some(shard) = late {
            let what = format!("{shard:?} of node {node} does not answer");
            self.ledger.violated("L-4", what);
        }
    }

    /// A shard is taken from a dead owner, from nobody or from oneself.
    fn allowed(&mut self, node: usize, shard: ShardId) {
        let this = &self.nodes[node];
        let owner = this.view.owner(shard).map(|owner| owner.id.clone());
        if let Some(owner) = owner.filter(|owner| *owner != this.stamp.name()) {
            let what = format!("{node} takes {shard:?} from {owner}, which lives");
            self.ledger.violated("lease", what);
        }
    }

    fn hand_over(&mut self, node: usize, shard: ShardId, epoch: Epoch) {
        if let Some(owned) = self.nodes[node].owned(shard) {
            owned.releasing = true;
            self.finish_release(node, shard);
        } else if !self.is_taking(node, shard) {
            self.call_store(node, Purpose::Release, Op::Release { shard, epoch });
        }
    }

    pub(super) fn take(&mut self, node: usize, shard: ShardId, expected: Epoch) {
        self.nodes[node].slots.insert(shard, Slot::Taking);
        self.call_store(
            node,
            Purpose::Take { shard },
            Op::TakeOver { shard, expected },
        );
    }

    /// Memory was dropped because of an unknown outcome: the same owner takes a higher epoch, unless another has by now.
    pub(super) fn take_back(&mut self, node: usize, shard: ShardId) {
        let this = &self.nodes[node];
        let owned = this.view.ownership(shard);
        if let Some(owned) = owned.filter(|owned| owned.owner == this.stamp.name() && !this.leaving)
        {
            let from = owned.epoch;
            self.take(node, shard, from);
        }
    }

    pub(super) fn took(&mut self, node: usize, shard: ShardId, epoch: Option<Epoch>) {
        if !self.is_taking(node, shard) {
            return;
        }
        self.nodes[node].slots.remove(&shard);
        if let Some(epoch) = epoch {
            let this = &mut self.nodes[node];
            let name = this.stamp.name();
            if let Some(owned) = this.view.shards.iter_mut().find(|it| it.shard == shard) {
                owned.epoch = epoch;
                owned.owner = name;
            }
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
