//! Glances: somebody who was told of a run looks at it, through a node that believes to own it and does not.
//!
//! So it is for a while behind a takeover, for clients and for the owner before: the moment in which a read without a proof is
//! wrong. Deliberately absent: what must be shown (`reads`), and asking again.

use std::collections::BTreeMap;

use cairn_history::execution::Question;
use cairn_history::id::{RunId, ShardId};
use cairn_history::log::{ShardBatch, Write};

use crate::client::ask;
use crate::event::{Body, Call, CallId, Envelope, Place, Reply, Stamp};
use crate::reads::{self, Seen};
use crate::world::World;

/// Reads that nobody has answered yet, and what they must show.
pub(crate) type Glances = BTreeMap<CallId, Option<Seen>>;

impl World {
    /// What a node was told to be durable is news to somebody.
    pub(crate) fn glance(&mut self, node: usize, batch: &ShardBatch) {
        let Some(before) = self.believes(batch.shard) else {
            return;
        };
        if let Some(run) = appended(batch).filter(|_| before.index != node) {
            self.look_at(run, before.index);
        }
    }

    /// Somebody looks at an open run of each shard of a node, while that has stopped for a moment: it hears all of them at once.
    pub(crate) fn crowd(&mut self, node: usize) {
        let mut shards = self.nodes[node].shards();
        let newest = self.ledger.runs.iter().rev();
        let of_each = newest.filter(|(_, kept)| {
            let row = &kept.row;
            row.is_open() && shards.remove(&row.key().shard(self.plan.shards))
        });
        for run in of_each.map(|(run, _)| *run).collect::<Vec<_>>() {
            self.look_at(run, node);
        }
    }

    fn look_at(&mut self, run: RunId, node: usize) {
        let Some(kept) = self.ledger.runs.get(&run) else {
            return;
        };
        let (key, run) = (kept.row.key(), Some(run));
        let call = if self.random.chance(500) {
            ask(key, run, None, Question::Describe)
        } else {
            Call::Read { key, run }
        };
        let id = self.call_id();
        self.glances.insert(id, reads::asked(&call, &self.ledger));
        let from = Place::Client(self.random.index(self.clients.len()));
        let body = Body::Call {
            call: Box::new(call),
            passed_on: false,
        };
        let to = Place::Node(node);
        self.send(Envelope { from, to, id, body });
    }

    /// Was this the answer to a glance?
    pub(crate) fn glanced(&mut self, id: CallId, reply: &Reply) -> bool {
        let Some(seen) = self.glances.remove(&id) else {
            return false;
        };
        reads::heard(seen.as_ref(), reply, &mut self.ledger);
        true
    }

    /// Who believes to own the shard, though it was taken from him.
    fn believes(&self, shard: ShardId) -> Option<Stamp> {
        let before = self.database.owner_before(shard)?;
        let believes = self.lives(before) && self.nodes[before.index].shards().contains(&shard);
        believes.then_some(before)
    }
}

/// The last run that a batch adds a record to.
fn appended(batch: &ShardBatch) -> Option<RunId> {
    let writes = batch.items.iter().flatten().rev();
    let mut runs = writes.filter_map(|write| match write {
        Write::Append { run, .. } => Some(*run),
        _ => None,
    });
    runs.next()
}
