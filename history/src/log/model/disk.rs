//! The tables, and what a write does to them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::{
    Committed, Failure, Namespace, Parked, Record, Row, ShardBatch, Snapshot, Write,
};
use super::Injected;
use super::table::Table;
use crate::id::{Epoch, NamespaceId, RunId, ShardId, Time};
use crate::kind::{Heartbeat, Queue, Work};
use crate::placement::{FORGOTTEN, Node, Ownership, View};
use crate::planted::{Fault, planted};
use crate::search_attribute::Term;

#[derive(Debug)]
pub(super) struct Disk {
    /// Epoch and owner.
    shards: BTreeMap<ShardId, (Epoch, String)>,
    pub(super) log: Table<(RunId, i64, u64), Record>,
    pub(super) runs: Table<RunId, Run>,
    /// Runs by id and nth.
    pub(super) ids: Table<(NamespaceId, String, u64), RunId>,
    pub(super) snapshots: Table<RunId, Snapshot>,
    pub(super) heartbeats: Table<(RunId, i64), Bytes>,
    /// By run, what it is found by.
    pub(super) search: Table<(RunId, Term), ()>,
    pub(super) parked: Table<(ShardId, Parked), ()>,
    /// The same by run.
    pub(super) parked_by_run: Table<(RunId, ShardId, Parked), ()>,
    pub(super) namespaces: BTreeMap<NamespaceId, Namespace>,
    settings: BTreeMap<String, Vec<u8>>,
    nodes: BTreeMap<String, Node>,
    /// What the database takes for the time.
    pub(super) now: Time,
    /// Commits whose outcome nobody knows yet.
    strays: Vec<Vec<ShardBatch>>,
}

#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) shard: ShardId,
    pub(super) row: Row,
    pub(super) wake_at: Option<Time>,
}

fn refused(why: &'static str) -> Failure {
    Failure::Refused(Injected(why).into())
}

/// Before every other parked offer.
pub(super) fn least_parked() -> Parked {
    Parked {
        queue: Queue {
            namespace: NamespaceId::default(),
            name: String::new(),
            work: Work::Workflow,
            sticky_of: None,
        },
        priority: 0,
        pass: i64::MIN,
        time: Time(i64::MIN),
        run: RunId::default(),
    }
}

/// What a signed column can hold.
fn storable(value: u64) -> Result<(), Failure> {
    i64::try_from(value)
        .map(|_| ())
        .map_err(|_| refused("a number is too large"))
}

impl Disk {
    pub(super) fn new(shards: u32) -> Self {
        Self {
            shards: (0..shards)
                .map(|shard| (ShardId(shard), (Epoch(0), String::new())))
                .collect(),
            log: Table::default(),
            runs: Table::default(),
            ids: Table::default(),
            snapshots: Table::default(),
            heartbeats: Table::default(),
            search: Table::default(),
            parked: Table::default(),
            parked_by_run: Table::default(),
            namespaces: BTreeMap::new(),
            settings: BTreeMap::new(),
            nodes: BTreeMap::new(),
            now: Time(1),
            strays: Vec::new(),
        }
    }

    pub(super) fn take_over(&mut self, shard: ShardId, owner: &str) -> Result<Epoch, Failure> {
        for stray in std::mem::take(&mut self.strays) {
            // Nobody waits for what became of it.
            drop(self.commit(&stray));
        }
        let (epoch, owned_by) = self
            .shards
            .get_mut(&shard)
            .ok_or_else(|| refused("there is no such shard"))?;
        epoch.0 += 1;
        owner.clone_into(owned_by);
        Ok(*epoch)
    }

    pub(super) fn take_from(&mut self, shard: ShardId, owner: &str, from: Epoch) -> Option<Epoch> {
        let (epoch, _) = self.shards.get(&shard)?;
        (*epoch == from).then(|| self.take_over(shard, owner).ok())?
    }

    pub(super) fn release(&mut self, shard: ShardId, epoch: Epoch) {
        if let Some((current, owner)) = self.shards.get_mut(&shard)
            && *current == epoch
        {
            owner.clear();
        }
    }

    pub(super) fn beat(&mut self, node: &Node) -> View {
        let now = self.now;
        let started = if node.started == Time(0) {
            now
        } else {
            node.started
        };
        let known = self.nodes.get(&node.id);
        if known.is_none_or(|known| known.started <= started) {
            let node = Node {
                started,
                beat: now,
                ..node.clone()
            };
            self.nodes.insert(node.id.clone(), node);
        }
        self.nodes
            .retain(|_, node| now.since(node.beat) <= FORGOTTEN);
        let owned = |(shard, (epoch, owner)): (&ShardId, &(Epoch, String))| Ownership {
            shard: *shard,
            epoch: *epoch,
            owner: owner.clone(),
        };
        View {
            now,
            nodes: self.nodes.values().cloned().collect(),
            shards: self.shards.iter().map(owned).collect(),
        }
    }

    pub(super) fn epoch(&self, shard: ShardId) -> Option<Epoch> {
        self.shards.get(&shard).map(|(epoch, _)| *epoch)
    }

    pub(super) fn stray(&mut self, batches: &[ShardBatch]) {
        self.strays.push(batches.to_vec());
    }

    pub(super) fn commit(&mut self, batches: &[ShardBatch]) -> Result<Committed, Failure> {
        let mut committed = Committed::default();
        for batch in batches {
            let owned = self.shards.get(&batch.shard).map(|(epoch, _)| *epoch) == Some(batch.epoch);
            if !owned && !planted(Fault::NoEpochProof) && !committed.lost.contains(&batch.shard) {
                committed.lost.push(batch.shard);
            }
        }
        let owned = batches
            .iter()
            .filter(|batch| !committed.lost.contains(&batch.shard));
        let done = self.apply_all(owned);
        self.each_table(done.is_ok());
        done.map(|()| committed)
    }

    fn each_table(&mut self, commit: bool) {
        macro_rules! end {
            ($($table:ident)*) => {
                $(if commit { self.$table.commit() } else { self.$table.roll_back() })*
            };
        }
        end!(log runs ids snapshots heartbeats search parked parked_by_run);
    }

    fn apply_all<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a ShardBatch>,
    ) -> Result<(), Failure> {
        let mut touched = BTreeSet::new();
        for batch in batches {
            for write in batch.items.iter().flatten() {
                self.apply(batch.shard, write)?;
                if let Write::Append { row: Some(row), .. } = write {
                    touched.insert((row.namespace, &row.workflow_id));
                }
            }
        }
        // Checked at the end: what matters is what the transaction leaves.
        for (namespace, id) in touched {
            self.one_open(namespace, id)?;
        }
        Ok(())
    }

    fn one_open(&self, namespace: NamespaceId, id: &str) -> Result<(), Failure> {
        let mut kinds = BTreeSet::new();
        for run in self.of_id(namespace, id) {
            if run.row.is_open() && !kinds.insert(run.row.kind) {
                return Err(refused("two open runs of an id"));
            }
        }
        Ok(())
    }

    /// The runs of an id, by nth.
    pub(super) fn of_id(
        &self,
        namespace: NamespaceId,
        id: &str,
    ) -> impl DoubleEndedIterator<Item = &Run> {
        let (from, to) = (
            (namespace, id.to_owned(), 0),
            (namespace, id.to_owned(), u64::MAX),
        );
        self.ids
            .range(from..=to)
            .filter_map(|(_, run)| self.runs.get(run))
    }

    fn apply(&mut self, shard: ShardId, write: &Write) -> Result<(), Failure> {
        match write {
            Write::Append {
                run,
                record,
                row,
                terms,
                wake_at,
            } => {
                self.append(*run, record)?;
                if let Some(terms) = terms {
                    self.forget_terms(*run);
                    for term in terms {
                        self.search.put((*run, term.clone()), ());
                    }
                }
                if let Some(row) = row {
                    self.put_row(shard, row)?;
                    self.wake(*run, row.is_open().then_some(Time(0)));
                }
                if let Some(time) = wake_at {
                    self.wake(*run, Some(*time));
                }
            }
            Write::Checkpoint {
                run,
                wake_at,
                snapshot,
                parked,
            } => {
                self.wake(*run, *wake_at);
                if let Some(snapshot) = snapshot {
                    storable(snapshot.seq)?;
                    self.snapshots.put(*run, snapshot.clone());
                }
                self.unpark_run(*run);
                for parked in parked {
                    self.parked.put((shard, parked.clone()), ());
                    self.parked_by_run
                        .put((parked.run, shard, parked.clone()), ());
                }
            }
            Write::Unpark { stale } => {
                for parked in stale {
                    self.unpark(shard, parked);
                }
            }
            Write::Heartbeat { run, heartbeat } => self.heartbeat(*run, heartbeat),
            Write::Delete { run } => self.delete(*run),
        }
        Ok(())
    }

    fn append(&mut self, run: RunId, record: &Record) -> Result<(), Failure> {
        storable(record.seq)?;
        storable(record.epoch.0)?;
        let key = (run, record.first_event_id, record.seq);
        if self.log.contains_key(&key) {
            return Err(refused("there is a record with this key"));
        }
        self.log.put(key, record.clone());
        Ok(())
    }

    /// What an index is keyed by never changes.
    fn put_row(&mut self, shard: ShardId, row: &Row) -> Result<(), Failure> {
        storable(row.nth)?;
        let run = if let Some(old) = self.runs.get(&row.run) {
            Run {
                row: Row {
                    namespace: old.row.namespace,
                    kind: old.row.kind,
                    workflow_id: old.row.workflow_id.clone(),
                    nth: old.row.nth,
                    start_request_id: old.row.start_request_id.clone(),
                    ..row.clone()
                },
                ..*old
            }
        } else {
            let key = (row.namespace, row.workflow_id.clone(), row.nth);
            if self.ids.contains_key(&key) {
                return Err(refused("there is an nth run of this id"));
            }
            self.ids.put(key, row.run);
            Run {
                shard,
                row: row.clone(),
                wake_at: None,
            }
        };
        self.runs.put(row.run, run);
        Ok(())
    }

    /// What a run is found by, in order.
    pub(super) fn terms(&self, run: RunId) -> impl Iterator<Item = &Term> {
        let least = Term {
            attribute: [0; 16],
            value: Bytes::new(),
        };
        self.search
            .range((run, least)..)
            .map(|((of, term), ())| (of, term))
            .take_while(move |(of, _)| **of == run)
            .map(|(_, term)| term)
    }

    fn forget_terms(&mut self, run: RunId) {
        let terms: Vec<_> = self.terms(run).cloned().collect();
        for term in terms {
            self.search.remove(&(run, term));
        }
    }

    fn wake(&mut self, id: RunId, wake_at: Option<Time>) {
        if let Some(run) = self.runs.get(&id).cloned() {
            self.runs.put(id, Run { wake_at, ..run });
        }
    }

    fn heartbeat(&mut self, run: RunId, heartbeat: &Heartbeat) {
        let key = (run, heartbeat.scheduled_event_id);
        if heartbeat.details.is_empty() {
            self.heartbeats.remove(&key);
        } else {
            self.heartbeats.put(key, heartbeat.details.clone());
        }
    }

    fn unpark(&mut self, shard: ShardId, parked: &Parked) {
        self.parked.remove(&(shard, parked.clone()));
        self.parked_by_run
            .remove(&(parked.run, shard, parked.clone()));
    }

    fn unpark_run(&mut self, run: RunId) {
        let all: Vec<_> = self
            .parked_by_run
            .range((run, ShardId(0), least_parked())..)
            .map(|(key, ())| key.clone())
            .take_while(|(other, ..)| *other == run)
            .collect();
        for (_, shard, parked) in all {
            self.unpark(shard, &parked);
        }
    }

    fn delete(&mut self, id: RunId) {
        let records: Vec<_> = self
            .log
            .range((id, i64::MIN, 0)..=(id, i64::MAX, u64::MAX))
            .map(|(key, _)| *key)
            .collect();
        for key in records {
            self.log.remove(&key);
        }
        let registers: Vec<_> = self
            .heartbeats
            .range((id, i64::MIN)..=(id, i64::MAX))
            .map(|(key, _)| *key)
            .collect();
        for key in registers {
            self.heartbeats.remove(&key);
        }
        self.snapshots.remove(&id);
        self.forget_terms(id);
        self.unpark_run(id);
        if let Some(Run { row, .. }) = self.runs.get(&id).cloned() {
            self.ids.remove(&(row.namespace, row.workflow_id, row.nth));
            self.runs.remove(&id);
        }
    }

    pub(super) fn put_namespace(
        &mut self,
        namespace: &Namespace,
        before: Option<&[u8]>,
    ) -> Result<bool, Failure> {
        let stored = self.namespaces.get(&namespace.id);
        if stored.is_some_and(|stored| Some(&stored.record[..]) != before) {
            return Ok(false);
        }
        let taken = self
            .namespaces
            .values()
            .any(|other| other.name == namespace.name && other.id != namespace.id);
        if taken {
            return Err(refused("the name belongs to another namespace"));
        }
        self.namespaces.insert(namespace.id, namespace.clone());
        Ok(true)
    }

    pub(super) fn setting(&mut self, name: &str, fresh: &[u8]) -> Vec<u8> {
        self.settings
            .entry(name.to_owned())
            .or_insert_with(|| fresh.to_vec())
            .clone()
    }
}
