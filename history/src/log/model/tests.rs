//! The conformance suite, and faults.

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;

use super::super::conformance::{Place, SCENARIOS};
use super::super::{Committed, Failure, Record, Row, ShardBatch, Store, Write};
use super::{Fault, Model};
use crate::id::{Epoch, RunId, ShardId, Time};

struct InMemory(Model);

#[async_trait]
impl Place for InMemory {
    async fn open(&mut self) -> Box<dyn Store> {
        self.0 = self.0.crash();
        Box::new(self.0.clone())
    }
}

#[test]
fn the_store_conforms() {
    for (name, scenario) in SCENARIOS {
        println!("{name}");
        block_on(scenario(&mut InMemory(Model::new())));
    }
}

fn append(seq: u64, row: Option<Row>) -> Write {
    Write::Append {
        run: RunId([1; 16]),
        record: Record {
            seq,
            epoch: Epoch(1),
            time: Time(0),
            first_event_id: seq.cast_signed(),
            event_count: 1,
            events: Bytes::new(),
            changes: Bytes::new(),
            chain: [0; 32],
        },
        row,
        terms: None,
        wake_at: None,
    }
}

/// Commits record `seq`, and tells how that went and how many records there are then.
fn commit(model: &Model, epoch: Epoch, seq: u64) -> (String, usize) {
    let row = Row {
        run: RunId([1; 16]),
        ..Row::default()
    };
    let batch = ShardBatch {
        shard: ShardId(0),
        epoch,
        items: vec![vec![append(seq, (seq == 1).then_some(row))]],
    };
    let told = match block_on(model.commit(0, &[batch])) {
        Ok(Committed { lost }) if lost.is_empty() => "done",
        Ok(_) => "lost",
        Err(Failure::Refused(_)) => "refused",
        Err(Failure::RolledBack(_)) => "rolled back",
        Err(Failure::Unknown(_)) => "unknown",
        Err(Failure::Sync(_)) => "sync",
    };
    (told.to_owned(), count(model))
}

fn count(model: &Model) -> usize {
    let stored = block_on(model.beside().load(RunId([1; 16]))).unwrap();
    stored.map_or(0, |stored| stored.records.len())
}

fn own(model: &Model) -> Epoch {
    block_on(model.take_over(ShardId(0), "test")).unwrap()
}

#[test]
fn a_planned_fault_hits_the_commit_it_is_planned_for() {
    let model = Model::new();
    let epoch = own(&model);
    model.plan([
        None,
        Some(Fault::Refused),
        Some(Fault::RolledBack),
        Some(Fault::Sync),
        Some(Fault::UnknownUndone),
        Some(Fault::UnknownDone),
    ]);
    let told = [
        ("done", 1),
        ("refused", 1),
        ("rolled back", 1),
        ("sync", 1),
        ("unknown", 1),
        ("unknown", 2),
        ("done", 3),
    ];
    for (seq, (told, count)) in (1..).zip(told) {
        assert_eq!(
            commit(&model, epoch, seq),
            (told.to_owned(), count),
            "record {seq}"
        );
    }
}

#[test]
fn a_takeover_waits_for_what_is_on_its_way() {
    let model = Model::new();
    let epoch = own(&model);
    model.plan([None, Some(Fault::UnknownYet)]);
    commit(&model, epoch, 1);
    assert_eq!(commit(&model, epoch, 2), ("unknown".to_owned(), 1));
    let epoch = own(&model);
    assert_eq!(count(&model), 2);
    // One whose epoch has passed by then is fenced.
    model.plan([Some(Fault::UnknownYet)]);
    assert_eq!(commit(&model, Epoch(epoch.0 - 1), 3).0, "unknown");
    own(&model);
    assert_eq!(count(&model), 2);
}

#[test]
fn a_crash_leaves_what_was_committed() {
    let model = Model::new();
    let epoch = own(&model);
    commit(&model, epoch, 1);
    model.plan([Some(Fault::Refused)]);
    let next = model.crash();
    assert_eq!(commit(&model, epoch, 2), ("unknown".to_owned(), 1));
    assert!(block_on(model.load(RunId([1; 16]))).is_err());
    assert_eq!(commit(&next, epoch, 2), ("done".to_owned(), 2));
    next.fail_reads(true);
    assert!(block_on(next.ping()).is_err());
    next.fail_reads(false);
    block_on(next.ping()).unwrap();
}
