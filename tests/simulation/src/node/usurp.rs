//! A usurper: it takes a shard from an owner that has only stopped for a moment. A lease may be wrong, the epoch may not.
//!
//! When the owner goes on it knows nothing, and hears at once whatever it was asked meanwhile. Deliberately absent: who may take what
//! in good order (`member`).

use cairn_history::id::{Epoch, ShardId};

use crate::event::Stamp;
use crate::world::World;

impl World {
    /// Is there a shard that this node can take?
    pub(crate) fn usurp(&mut self, node: usize) -> bool {
        let this = &self.nodes[node];
        let awake = this.paused_until.is_none_or(|until| until <= self.now);
        if !this.up || !awake || this.leaving || this.astray {
            return false;
        }
        let Some((shard, epoch, owner)) = self.victim(node) else {
            return false;
        };
        let lease = self.plan.lease;
        let wait = self.random.between(lease / 4, lease * 3 / 2);
        let until = Some(self.now.after(wait));
        let paused = &mut self.nodes[owner.index].paused_until;
        *paused = until.max(*paused);
        self.crowd(owner.index);
        self.take(node, shard, epoch);
        true
    }

    /// A shard of a node that lives; rather of one that has several, whose commits are of all of them.
    fn victim(&mut self, node: usize) -> Option<(ShardId, Epoch, Stamp)> {
        let this = &self.nodes[node];
        let all = this.view.shards.iter().filter_map(|owned| {
            let owner = Stamp::of_name(&owned.owner).filter(|owner| self.lives(*owner))?;
            let other = !this.slots.contains_key(&owned.shard);
            other.then_some((owned.shard, owned.epoch, owner))
        });
        let all: Vec<_> = all.collect();
        let has_several = |owner: Stamp| self.nodes[owner.index].shards().len() > 1;
        let several: Vec<_> = all
            .iter()
            .filter(|one| has_several(one.2))
            .copied()
            .collect();
        let from = if several.is_empty() { all } else { several };
        (!from.is_empty()).then(|| *self.random.pick(&from))
    }
}
