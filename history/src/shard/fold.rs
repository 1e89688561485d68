//! A run from what is stored of it: its records folded in order, each one checked against the chain.
//!
//! Deliberately absent: reading, and what follows when it does not fit together (`recover`).

use super::checkpoint::unseal;
use super::entry::{Cached, WakeAt};
use super::tail::Tail;
use crate::id::{Key, RunId, Time};
use crate::kind::{Illegal, Kind, found_at};
use crate::log::{Record, Stored};

impl<K: Kind> Cached<K> {
    /// The state of a run from what is stored. Whatever does not fit together is not served.
    pub(super) fn fold(key: &Key, stored: Stored) -> Result<Self, Illegal> {
        let Stored {
            row,
            snapshot,
            records,
            heartbeats,
        } = stored;
        let mut fold = Fold::<K>::default();
        if let Some(snapshot) = snapshot
            && let Some((time, state)) = unseal::<K>(&snapshot)
        {
            fold.state = Some(state);
            fold.seq = snapshot.seq;
            fold.chain = snapshot.chain;
            fold.time = time;
        }
        let begin = fold.seq;
        let mut bytes = 0;
        for record in &records {
            bytes += record.events.len() + record.changes.len();
            fold.add(row.run, record)?;
        }
        let state = fold.state.ok_or_else(|| Illegal("no record".to_owned()))?;
        if K::key(&state) != *key {
            return Err(Illegal("the run belongs to another id".to_owned()));
        }
        let owes = !K::effects(&state).is_empty();
        let mut volatile = K::Volatile::default();
        K::restore_heartbeats(&mut volatile, &heartbeats);
        Ok(Self {
            run: row.run,
            nth: row.nth,
            start_request_id: row.start_request_id.into_boxed_str(),
            state,
            volatile,
            seq: fold.seq,
            chain: fold.chain,
            time: fold.time,
            tail: fold.tail,
            wake_at: WakeAt::Unknown,
            parked: Vec::new(),
            fresh_records: fold.seq - begin,
            fresh_bytes: bytes,
            wake: None,
            owes,
            askers: std::collections::BTreeSet::new(),
            weight: 0,
        })
    }

    /// What the table says of a run that was just read, if wake-ups told: `before`.
    pub(super) fn found_wake(&self, before: Option<Time>) -> WakeAt {
        match before {
            _ if !K::is_open(&self.state) => {
                WakeAt::At(found_at::<K>(&self.state, &K::Volatile::default()))
            }
            None => WakeAt::Unknown,
            Some(Time(0)) => WakeAt::Hot,
            Some(time) => WakeAt::At(Some(time)),
        }
    }
}

/// A fold under way.
#[derive(Debug)]
struct Fold<K: Kind> {
    state: Option<K::State>,
    seq: u64,
    chain: [u8; 32],
    time: Time,
    tail: Tail,
}

impl<K: Kind> Default for Fold<K> {
    fn default() -> Self {
        Self {
            state: None,
            seq: 0,
            chain: [0; 32],
            time: Time::default(),
            tail: Tail::default(),
        }
    }
}

impl<K: Kind> Fold<K> {
    fn add(&mut self, run: RunId, record: &Record) -> Result<(), Illegal> {
        let seq = record.seq;
        if seq != self.seq + 1 {
            return Err(Illegal(format!("record {seq} behind record {}", self.seq)));
        }
        if record.chain != record.chained(&self.chain) {
            return Err(Illegal(format!("record {seq} breaks the chain")));
        }
        self.state = Some(K::apply(self.state.take(), run, record)?);
        self.seq = seq;
        self.chain = record.chain;
        self.time = self.time.max(record.time);
        self.tail.push(record, 0);
        Ok(())
    }
}
