//! What is written before a run leaves memory, and what a snapshot looks like.
//!
//! A checkpoint is an item like any other, made from the head: nothing that was queued before it is overtaken, and whatever is
//! queued behind it finds `wake_at` as the checkpoint left it. Deliberately absent: when a run leaves (`cache`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::entry::{Cached, WakeAt};
use super::{Config, Output, Shard};
use crate::id::{Key, RunId, Time};
use crate::kind::Kind;
use crate::log::{Parked, Snapshot, Write};
use crate::planted::{Fault, planted};

impl<K: Kind> Shard<K> {
    /// Queues one item with the checkpoints of these runs of an id.
    pub(super) fn checkpoint(&mut self, key: &Arc<Key>, runs: &[RunId], out: &mut Vec<Output<K>>) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let mut writes = Vec::with_capacity(runs.len());
        for run in runs {
            if let Some(cached) = entry.run_mut(*run) {
                let mut parked = self.offers.parked(*run);
                // Whoever loads the run knows nothing of its volatile part, and owes what the log says.
                let by_log = cached.owed_by_log(self.now);
                let others: Vec<_> = by_log.filter(|row| !parked.contains(row)).collect();
                parked.extend(others);
                writes.push(cached.checkpoint(parked, &self.config));
            }
        }
        self.queue(key, writes, out);
    }
}

impl<K: Kind> Cached<K> {
    /// The write of a checkpoint. From here on, not from its commit on, the table counts as what it says.
    fn checkpoint(&mut self, parked: Vec<Parked>, config: &Config) -> Write {
        let mut wake_at = self.wake_bound();
        if planted(Fault::WakeAtTooLate) {
            wake_at = wake_at.map(|time| time.after(Duration::from_secs(20)));
        }
        self.wake_at = WakeAt::At(wake_at);
        self.parked.clone_from(&parked);
        Write::Checkpoint {
            run: self.run,
            wake_at,
            snapshot: self.snapshot(config),
            parked,
        }
    }

    /// The earliest time at which the run may need somebody: with its volatile part, and also once that is lost.
    fn wake_bound(&self) -> Option<Time> {
        let fresh = K::next_wake(&self.state, &K::Volatile::default());
        let live = K::next_wake(&self.state, &self.volatile);
        fresh.into_iter().chain(live).min()
    }

    /// Does the table say (or will it) that the run next wakes at `fresh`?
    pub(super) fn may_go(&self, fresh: Option<Time>) -> bool {
        self.wake_at == WakeAt::At(fresh)
    }

    /// When the table says that the run wakes.
    pub(super) fn stored_wake(&self) -> Option<Time> {
        match self.wake_at {
            WakeAt::Hot | WakeAt::Unknown => Some(Time(0)),
            WakeAt::At(stored) => stored,
        }
    }

    fn snapshot(&mut self, config: &Config) -> Option<Snapshot> {
        if self.fresh_records < config.snapshot_records && self.fresh_bytes < config.snapshot_bytes
        {
            return None;
        }
        self.fresh_records = 0;
        self.fresh_bytes = 0;
        Some(Snapshot {
            seq: self.seq,
            chain: self.chain,
            state: seal::<K>(self.time, &self.state),
        })
    }
}

/// A snapshot holds the time of its record before the state, because no later record may be older.
fn seal<K: Kind>(time: Time, state: &K::State) -> Bytes {
    let mut bytes = time.0.to_le_bytes().to_vec();
    bytes.extend(K::encode(state));
    Bytes::from(bytes)
}

/// Can this version read a snapshot? If not, the run is folded from its first record.
pub fn is_readable<K: Kind>(snapshot: &Snapshot) -> bool {
    unseal::<K>(snapshot).is_some()
}

/// The time and state of a snapshot. `None`: of another version.
pub(crate) fn unseal<K: Kind>(snapshot: &Snapshot) -> Option<(Time, K::State)> {
    let (time, state) = snapshot.state.split_first_chunk()?;
    Some((Time(i64::from_le_bytes(*time)), K::decode(state)?))
}
