//! Who should have what: what a node makes of what the database says of all nodes.

use std::collections::BTreeMap;
use std::time::Duration;

use cairn_history::id::{Epoch, ShardId, Time};

use crate::event::Stamp;

/// What the `nodes` and `shards` tables say.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// By the database's clock.
    pub(crate) now: Time,
    pub(crate) nodes: BTreeMap<Stamp, Beat>,
    pub(crate) shards: BTreeMap<ShardId, (Epoch, Option<Stamp>)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat {
    pub(crate) time: Time,
    pub(crate) leaving: bool,
}

impl View {
    pub(crate) fn is_live(&self, node: Stamp, lease: Duration) -> bool {
        self.nodes
            .get(&node)
            .is_some_and(|beat| !beat.leaving && self.now.since(beat.time) <= lease)
    }

    /// The node that should have what goes by this name.
    pub(crate) fn home(&self, name: u64, lease: Duration) -> Option<Stamp> {
        let live = self.nodes.keys().filter(|node| self.is_live(**node, lease));
        live.copied().max_by_key(|node| {
            let seed = name ^ (node.index as u64).rotate_left(40) ^ node.generation.rotate_left(20);
            (crate::random::Random::new(seed).next(), *node)
        })
    }

    pub(crate) fn owner(&self, shard: ShardId) -> Option<Stamp> {
        self.shards.get(&shard).and_then(|(_, owner)| *owner)
    }

    /// May this node, which does not have it in memory, take the shard? From which epoch?
    pub(crate) fn may_take(&self, me: Stamp, shard: ShardId, lease: Duration) -> Option<Epoch> {
        let (epoch, owner) = self.shards.get(&shard)?;
        let mine = self.home(u64::from(shard.0), lease) == Some(me);
        let free = owner.is_none_or(|owner| !self.is_live(owner, lease) || owner.index == me.index);
        // Nobody else takes what has an owner that lives.
        ((free && mine) || *owner == Some(me)).then_some(*epoch)
    }
}
