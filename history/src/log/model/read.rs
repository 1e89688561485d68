//! Reads of the tables.

use std::collections::BTreeMap;

use super::super::visibility::{Position, Query};
use super::super::{Found, Fragment, Namespace, PAGE_BYTES, Parked, Record, Row, Stored, WakeUp};
use super::disk::{Disk, least_parked};
use super::matches::matches;
use crate::id::{Key, RunId, ShardId, Time};
use crate::kind::{Heartbeat, Queue};

/// Where a row stands in a list: open runs as if they closed last.
fn place(close_time: Option<Time>, start_time: Time, run: RunId) -> (Time, Time, RunId) {
    (close_time.unwrap_or(Time(i64::MAX)), start_time, run)
}

impl Disk {
    pub(super) fn find(&self, key: &Key, start_request_id: Option<&str>) -> Found {
        let rows = || {
            self.of_id(key.namespace, &key.workflow_id)
                .map(|run| &run.row)
        };
        let begun = |request: &str| rows().find(|row| row.start_request_id == request).cloned();
        Found {
            current: rows().next_back().cloned(),
            repeated: start_request_id.and_then(begun),
        }
    }

    pub(super) fn records(&self, run: RunId) -> impl DoubleEndedIterator<Item = &Record> {
        self.log
            .range((run, i64::MIN, 0)..=(run, i64::MAX, u64::MAX))
            .map(|(_, record)| record)
    }

    pub(super) fn load(&self, run: RunId) -> Option<Stored> {
        let row = self.runs.get(&run)?.row.clone();
        let snapshot = self.snapshots.get(&run).cloned();
        let is_behind = |record: &&Record| {
            snapshot
                .as_ref()
                .is_none_or(|snapshot| record.seq > snapshot.seq)
        };
        let heartbeats = self
            .heartbeats
            .range((run, i64::MIN)..=(run, i64::MAX))
            .map(|((_, scheduled_event_id), details)| Heartbeat {
                scheduled_event_id: *scheduled_event_id,
                details: details.clone(),
            })
            .collect();
        Some(Stored {
            row,
            records: self.records(run).filter(is_behind).cloned().collect(),
            snapshot,
            heartbeats,
        })
    }

    pub(super) fn page(&self, run: RunId, from: i64, to: i64, limit: usize) -> Vec<Fragment> {
        let from = from.max(1);
        let on_page = self
            .records(run)
            .filter(|record| {
                i128::from(record.first_event_id) + i128::from(record.event_count)
                    > i128::from(from)
            })
            .filter(|record| record.first_event_id < to);
        fragments(on_page, limit)
    }

    pub(super) fn page_reverse(&self, run: RunId, below: i64, limit: usize) -> Vec<Fragment> {
        let on_page = self
            .records(run)
            .rev()
            .filter(|record| record.first_event_id < below);
        fragments(on_page, limit)
    }

    pub(super) fn wake_ups(
        &self,
        shard: ShardId,
        horizon: Time,
        after: Option<(Time, RunId)>,
        limit: usize,
    ) -> Vec<WakeUp> {
        let mut due: Vec<_> = self
            .runs
            .values()
            .filter(|run| run.shard == shard)
            .filter_map(|run| {
                Some(WakeUp {
                    time: run.wake_at.filter(|at| *at <= horizon)?,
                    run: run.row.run,
                    workflow_id: run.row.workflow_id.clone(),
                    namespace: run.row.namespace,
                })
            })
            .filter(|wake| after.is_none_or(|after| (wake.time, wake.run) > after))
            .collect();
        due.sort();
        due.truncate(limit);
        due
    }

    pub(super) fn parked(
        &self,
        shard: ShardId,
        queue: &Queue,
        after: Option<&Parked>,
        limit: usize,
    ) -> Vec<Parked> {
        let order = |parked: &Parked| (parked.priority, parked.pass, parked.time, parked.run);
        self.parked_of(shard)
            .filter(|parked| parked.queue == *queue)
            .filter(|parked| after.is_none_or(|after| order(parked) > order(after)))
            .take(limit)
            .cloned()
            .collect()
    }

    fn parked_of(&self, shard: ShardId) -> impl Iterator<Item = &Parked> {
        self.parked
            .range((shard, least_parked())..)
            .map(|((of, parked), ())| (of, parked))
            .take_while(move |(of, _)| **of == shard)
            .map(|(_, parked)| parked)
    }

    pub(super) fn parked_queues(&self, shard: ShardId) -> Vec<(Queue, u64, Time)> {
        let mut queues: BTreeMap<&Queue, (u64, Time)> = BTreeMap::new();
        for parked in self.parked_of(shard) {
            let (count, since) = queues.entry(&parked.queue).or_insert((0, parked.time));
            *count += 1;
            *since = parked.time.min(*since);
        }
        queues
            .into_iter()
            .map(|(queue, (count, since))| (queue.clone(), count, since))
            .collect()
    }

    fn matching(&self, query: &Query) -> impl Iterator<Item = &Row> {
        self.runs
            .values()
            .map(|run| &run.row)
            .filter(|row| row.namespace == query.namespace)
            .filter(|row| {
                query.condition.as_ref().is_none_or(|condition| {
                    let terms: Vec<_> = self.terms(row.run).collect();
                    matches(condition, row, &terms) == Some(true)
                })
            })
    }

    pub(super) fn list(&self, query: &Query, after: Option<&Position>, limit: usize) -> Vec<Row> {
        let of = |row: &Row| place(row.close_time, row.start_time, row.run);
        let after = after.map(|after| place(after.close_time, after.start_time, after.run));
        let mut rows: Vec<_> = self
            .matching(query)
            .filter(|row| after.is_none_or(|after| of(row) < after))
            .cloned()
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(of(row)));
        rows.truncate(limit);
        rows
    }

    pub(super) fn count(&self, query: &Query, grouped: bool) -> Vec<(i32, i64)> {
        let mut counts: BTreeMap<i32, i64> = BTreeMap::new();
        if !grouped {
            counts.insert(0, 0);
        }
        for row in self.matching(query) {
            *counts
                .entry(if grouped { row.status } else { 0 })
                .or_default() += 1;
        }
        counts.into_iter().collect()
    }

    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        let mut all: Vec<_> = self.namespaces.values().cloned().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }
}

/// As many records with events as fit on a page, and at least one.
fn fragments<'a>(records: impl Iterator<Item = &'a Record>, limit: usize) -> Vec<Fragment> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for record in records.filter(|record| record.event_count > 0).take(limit) {
        if bytes >= PAGE_BYTES {
            break;
        }
        bytes += record.events.len();
        page.push(Fragment {
            first_event_id: record.first_event_id,
            event_count: record.event_count,
            events: record.events.clone(),
        });
    }
    page
}
