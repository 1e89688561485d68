//! What the auditor reads of the tables.

use super::super::whole::RIVALS_MAX;
use super::super::{Filed, Whole};
use super::disk::{Disk, Run, least_parked};
use crate::id::{RunId, ShardId};
use crate::kind::Heartbeat;

impl Disk {
    pub(super) fn next_run(&self, after: Option<RunId>) -> Option<RunId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let run = after.map_or(Unbounded, Excluded);
        let log = after.map_or(Unbounded, |run| Excluded((run, i64::MAX, u64::MAX)));
        let heartbeat = after.map_or(Unbounded, |run| Excluded((run, i64::MAX)));
        let parked = self.parked_by_run.keys().map(|(run, ..)| *run);
        [
            self.runs
                .range((run, Unbounded))
                .next()
                .map(|(run, _)| *run),
            self.snapshots
                .range((run, Unbounded))
                .next()
                .map(|(run, _)| *run),
            self.log
                .range((log, Unbounded))
                .next()
                .map(|((run, ..), _)| *run),
            self.heartbeats
                .range((heartbeat, Unbounded))
                .next()
                .map(|((run, _), _)| *run),
            self.search
                .keys()
                .map(|(run, _)| *run)
                .find(|run| after.is_none_or(|after| *run > after)),
            parked
                .filter(|run| after.is_none_or(|after| *run > after))
                .min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn whole(&self, run: RunId) -> Whole {
        let heartbeat =
            |((_, scheduled_event_id), details): (&(RunId, i64), &bytes::Bytes)| Heartbeat {
                scheduled_event_id: *scheduled_event_id,
                details: details.clone(),
            };
        let parked = self
            .parked_by_run
            .range((run, ShardId(0), least_parked())..);
        Whole {
            filed: self.runs.get(&run).map(|found| self.filed(found)),
            records: self.records(run).cloned().collect(),
            snapshot: self.snapshots.get(&run).map(|snapshot| {
                let last = self.records(run).rfind(|record| record.seq <= snapshot.seq);
                let behind = last.map_or(0, |record| record.first_event_id);
                (snapshot.clone(), behind)
            }),
            heartbeats: self
                .heartbeats
                .range((run, i64::MIN)..=(run, i64::MAX))
                .map(heartbeat)
                .collect(),
            terms: self.terms(run).cloned().collect(),
            parked: parked
                .map(|(key, ())| key)
                .take_while(|(other, ..)| *other == run)
                .map(|(_, shard, parked)| (*shard, parked.clone()))
                .collect(),
        }
    }

    fn filed(&self, run: &Run) -> Filed {
        let row = &run.row;
        let of_id = || self.of_id(row.namespace, &row.workflow_id);
        let is_rival = |other: &&Run| {
            other.row.run != row.run && other.row.kind == row.kind && other.row.is_open()
        };
        let mut rivals: Vec<_> = of_id()
            .filter(is_rival)
            .map(|other| other.row.run)
            .collect();
        rivals.sort();
        rivals.truncate(RIVALS_MAX);
        Filed {
            row: row.clone(),
            shard: run.shard,
            wake_at: run.wake_at,
            epoch: self.epoch(run.shard),
            current: of_id().next_back().map_or(row.run, |last| last.row.run),
            rivals,
        }
    }
}
