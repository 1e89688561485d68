//! What a batch comes to: one net write per row, so that a transaction touches each row once.
//!
//! Shared by all stores, so that they cannot differ in what a write means. Deliberately absent: any SQL.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{Parked, Record, Row, ShardBatch, Snapshot, Write};
use crate::id::{RunId, ShardId, Time};
use crate::planted::{Fault, planted};
use crate::search_attribute::Term;

/// The net writes of batches that commit together. Runs are in the order of their ids, which is the order of the keys.
#[derive(Debug, Default)]
pub(super) struct Net<'a> {
    pub(super) runs: BTreeMap<RunId, Run<'a>>,
    /// Parked offers that a look found stale; removed before anything is parked.
    pub(super) unparked: BTreeSet<(ShardId, &'a Parked)>,
}

/// The net writes of one run.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) shard: ShardId,
    /// Whatever the tables hold of the run goes first.
    pub(super) deleted: bool,
    pub(super) records: Vec<&'a Record>,
    pub(super) row: Option<&'a Row>,
    /// Replaces what the run is found by.
    pub(super) terms: Option<&'a [Term]>,
    /// What `wake_at` becomes; with a row it is always given.
    #[expect(
        clippy::option_option,
        reason = "outside: whether it changes; inside: what the column holds"
    )]
    pub(super) wake: Option<Option<Time>>,
    pub(super) snapshot: Option<&'a Snapshot>,
    /// Replaces what is parked for the run.
    pub(super) parked: Option<Vec<&'a Parked>>,
    /// By scheduled event id; empty details forget the register.
    pub(super) heartbeats: BTreeMap<i64, &'a Bytes>,
}

impl<'a> Net<'a> {
    pub(super) fn of(batches: impl Iterator<Item = &'a ShardBatch>) -> Self {
        let mut net = Self::default();
        for batch in batches {
            for write in batch.items.iter().flatten() {
                net.add(batch.shard, write);
            }
        }
        net
    }

    /// Rows to insert or replace, to be written in this order: closes before opens, so that an id is free before it is taken again.
    pub(super) fn rows(&self) -> [Vec<(&Run<'a>, &'a Row)>; 2] {
        let with_row = self.runs.values();
        let (opens, closes) = with_row
            .filter_map(|run| Some((run, run.row?)))
            .partition(|(_, row)| row.is_open());
        if planted(Fault::OpenBeforeClose) {
            return [opens, closes];
        }
        [closes, opens]
    }

    /// Runs whose stored `wake_at` changes and nothing else of their row.
    pub(super) fn wakes(&self) -> impl Iterator<Item = (RunId, Option<Time>)> {
        self.runs
            .iter()
            .filter(|(_, run)| run.row.is_none())
            .filter_map(|(id, run)| Some((*id, run.wake?)))
    }

    fn add(&mut self, shard: ShardId, write: &'a Write) {
        match write {
            Write::Append {
                run,
                record,
                row,
                terms,
                wake_at,
            } => {
                let net = self.run(shard, *run);
                net.records.push(record);
                if terms.is_some() {
                    net.terms = terms.as_deref();
                }
                if let Some(row) = row {
                    net.row = Some(row);
                    net.wake = Some(row.is_open().then_some(Time(0)));
                }
                if let Some(time) = wake_at {
                    net.wake = Some(Some(*time));
                }
            }
            Write::Checkpoint {
                run,
                wake_at,
                snapshot,
                parked,
            } => {
                let net = self.run(shard, *run);
                net.wake = Some(*wake_at);
                if snapshot.is_some() {
                    net.snapshot = snapshot.as_ref();
                }
                net.parked = Some(parked.iter().collect());
            }
            Write::Unpark { stale } => {
                for parked in stale {
                    if let Some(waiting) = self
                        .runs
                        .get_mut(&parked.run)
                        .and_then(|run| run.parked.as_mut())
                    {
                        waiting.retain(|other| *other != parked);
                    }
                    self.unparked.insert((shard, parked));
                }
            }
            Write::Heartbeat { run, heartbeat } => {
                self.run(shard, *run)
                    .heartbeats
                    .insert(heartbeat.scheduled_event_id, &heartbeat.details);
            }
            Write::Delete { run } => {
                let net = self.run(shard, *run);
                *net = Run::new(shard);
                net.deleted = true;
            }
        }
    }

    fn run(&mut self, shard: ShardId, run: RunId) -> &mut Run<'a> {
        self.runs.entry(run).or_insert_with(|| Run::new(shard))
    }
}

impl Run<'_> {
    fn new(shard: ShardId) -> Self {
        Self {
            shard,
            deleted: false,
            records: Vec::new(),
            row: None,
            terms: None,
            wake: None,
            snapshot: None,
            parked: None,
            heartbeats: BTreeMap::new(),
        }
    }
}
