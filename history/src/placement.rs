//! Who owns what: shards and task queues are placed over the nodes that live, by rendezvous hashing.
//!
//! | the table shows of a shard                         | a node does                                        |
//! |----------------------------------------------------|----------------------------------------------------|
//! | its home is me; owner: nobody, a dead node, or me  | *take* it from that epoch, unless I hold it         |
//! | I am its owner, and a live node is a better home   | *release* it: finish the batch, hand over           |
//! | I hold it under a lower epoch                      | it is *lost*: drop its memory                       |
//! | anything else                                      | wait: a shard moves from a dead owner or by release |
//!
//! Nothing here says who may write: that is the epoch's business, and a takeover that came too late fails by it. Every node
//! judges by what one read of the database showed, its clock included, so nodes agree as soon as they have read the same.
//! Deliberately absent: I/O, clocks, and any memory of earlier views.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::{Epoch, NamespaceId, ShardId, Time};
use crate::planted::{Fault, planted};

#[cfg(test)]
mod tests;

/// How often a node writes that it lives.
pub const BEAT: Duration = Duration::from_secs(1);
/// A node that was not heard of for so long, by the database's clock, is dead: its shards may be tried for.
pub const LEASE: Duration = Duration::from_secs(5);
/// A row that is so old is removed.
pub const FORGOTTEN: Duration = Duration::from_mins(1);
/// A node whose clock differs from the database's by more than this may own nothing.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(5);

/// A process that serves this database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name: no two processes have the same one at a time. A process that comes back under a name is the same node.
    pub id: String,
    /// Where other nodes reach it.
    pub address: String,
    /// Since when this process has the name, by the database's clock; 0 before its first beat.
    pub started: Time,
    /// It wants nothing any more, and hands over what it has.
    pub leaving: bool,
    /// When it was last heard of, by the database's clock.
    pub beat: Time,
}

/// Who owns a shard, as its row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ownership {
    pub shard: ShardId,
    pub epoch: Epoch,
    /// The id of a node; empty: nobody.
    pub owner: String,
}

/// What one read of the database showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The database's clock.
    pub now: Time,
    /// By id.
    pub nodes: Vec<Node>,
    /// By shard.
    pub shards: Vec<Ownership>,
}

/// What is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    Shard(ShardId),
    /// A task queue: whatever its name is polled for, and a sticky one by its own name.
    Queue(NamespaceId, &'a str),
}

/// What a node should do about a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Take it over, if its epoch is still this one.
    Take { shard: ShardId, from: Epoch },
    /// Finish what is queued, if it is held, and say that it is nobody's: this node is not its home.
    Release { shard: ShardId, epoch: Epoch },
    /// Somebody else has taken it.
    Lost { shard: ShardId },
}

impl View {
    /// The view as a node judges by it: by the database's clock, whatever its `own` says.
    #[must_use]
    pub fn judged_by(self, own: Time) -> Self {
        let now = if planted(Fault::OwnClockForLease) {
            own
        } else {
            self.now
        };
        Self { now, ..self }
    }

    /// Was the node heard of within the lease?
    pub fn is_alive(&self, node: &Node) -> bool {
        self.now.since(node.beat) <= LEASE
    }

    /// A node that lives, by its id; one that is leaving is still there.
    pub fn alive(&self, id: &str) -> Option<&Node> {
        self.nodes
            .iter()
            .find(|node| node.id == id && self.is_alive(node))
    }

    /// The nodes over which everything is placed: those that live and stay.
    pub fn members(&self) -> impl Iterator<Item = &Node> {
        self.nodes
            .iter()
            .filter(|node| !node.leaving && self.is_alive(node))
    }

    /// Where something belongs. `None`: no node stays.
    pub fn home(&self, place: Place<'_>) -> Option<&Node> {
        home(self.members(), place)
    }

    /// The owner of a shard, if it lives.
    pub fn owner(&self, shard: ShardId) -> Option<&Node> {
        self.alive(&self.ownership(shard)?.owner)
    }

    /// Who owns a shard.
    pub fn ownership(&self, shard: ShardId) -> Option<&Ownership> {
        let index = self
            .shards
            .binary_search_by_key(&shard, |owned| owned.shard);
        self.shards.get(index.ok()?)
    }

    /// Has another process come up under the name of this one?
    pub fn is_superseded(&self, me: &Node) -> bool {
        self.nodes
            .iter()
            .any(|node| node.id == me.id && node.started > me.started)
    }
}

/// The node that ranks a place highest. The same on every machine and in every release: what is placed must not move for nothing.
pub fn home<'a>(nodes: impl IntoIterator<Item = &'a Node>, place: Place<'_>) -> Option<&'a Node> {
    nodes
        .into_iter()
        .max_by_key(|node| (rank(&node.id, place), &node.id))
}

/// How much a node wants a place: a hash of both, so that a node that comes takes from each of the others, and what a node leaves
/// behind goes to all of them.
pub fn rank(node: &str, place: Place<'_>) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(node.len() as u64).to_le_bytes());
    hasher.update(node.as_bytes());
    match place {
        Place::Shard(shard) => {
            hasher.update(b"shard");
            hasher.update(&shard.0.to_le_bytes());
        }
        Place::Queue(namespace, name) => {
            hasher.update(b"queue");
            hasher.update(&namespace.0);
            hasher.update(name.as_bytes());
        }
    }
    let mut word = [0; 8];
    word.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(word)
}

/// What this node should do after a view, given what it holds. `me.leaving` is what this process wants, not what its row says.
///
/// A view may be older than what is held: a shard that was taken after the view was read is left alone.
pub fn decide(me: &Node, view: &View, held: &BTreeMap<ShardId, Epoch>) -> Vec<Decision> {
    if view.is_superseded(me) {
        return held
            .keys()
            .map(|shard| Decision::Lost { shard: *shard })
            .collect();
    }
    view.shards
        .iter()
        .filter_map(|owned| match held.get(&owned.shard) {
            Some(epoch) => holding(me, view, owned, *epoch),
            None => wanting(me, view, owned),
        })
        .collect()
}

fn holding(me: &Node, view: &View, owned: &Ownership, epoch: Epoch) -> Option<Decision> {
    let shard = owned.shard;
    if owned.epoch > epoch {
        return Some(Decision::Lost { shard });
    }
    let better = view
        .home(Place::Shard(shard))
        .is_some_and(|home| home.id != me.id);
    (me.leaving || better).then_some(Decision::Release { shard, epoch })
}

fn wanting(me: &Node, view: &View, owned: &Ownership) -> Option<Decision> {
    let (shard, epoch) = (owned.shard, owned.epoch);
    let home = view.home(Place::Shard(shard));
    if me.leaving || home.is_none_or(|home| home.id != me.id) {
        // Its memory was dropped, and nobody else will take what has an owner that lives.
        return (owned.owner == me.id).then_some(Decision::Release { shard, epoch });
    }
    let free = owned.owner.is_empty() || owned.owner == me.id || view.alive(&owned.owner).is_none();
    free.then_some(Decision::Take { shard, from: epoch })
}
