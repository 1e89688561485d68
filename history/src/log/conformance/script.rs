//! Random scripts carried out on two stores, which must agree on every answer.

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::super::visibility::{Attribute, Comparison, Condition, Position, Query, Test, Value};
use super::super::{
    Committed, Failure, Namespace, Parked, Record, Row, ShardBatch, Snapshot, Store, Write,
};
use crate::id::{Epoch, Key, NamespaceId, RunId, ShardId, Time};
use crate::kind::{Heartbeat, Queue, Work};
use crate::search_attribute::Term;

/// How many steps a script has unless `CAIRN_SCRIPT_OPS` says otherwise.
pub fn steps(default: usize) -> usize {
    std::env::var("CAIRN_SCRIPT_OPS")
        .ok()
        .and_then(|steps| steps.parse().ok())
        .unwrap_or(default)
}

/// Carries the script of a seed out on both stores, which are fresh.
pub async fn agree(seed: u64, steps: usize, one: &dyn Store, other: &dyn Store) {
    let mut script = Script::new(seed, one.shards());
    for step in 0..steps {
        script.step(step, one, other).await;
    }
}

/// The same until there were so many operations, told how far it is after each step. An operation is one write of a batch, one
/// read, one takeover, or one change of a namespace or setting; it counts once, though both stores carry it out.
pub async fn agree_on(
    seed: u64,
    operations: u64,
    one: &dyn Store,
    other: &dyn Store,
    mut told: impl FnMut(u64),
) -> u64 {
    let mut script = Script::new(seed, one.shards());
    let mut step = 0;
    while script.operations < operations {
        script.step(step, one, other).await;
        step += 1;
        told(script.operations);
    }
    script.operations
}

/// With more runs than that, runs are deleted instead of started: answers are compared, not sizes.
const RUNS_MAX: usize = 500;

/// What the script knows of what it has written.
#[derive(Clone, Debug)]
struct Known {
    row: Row,
    seq: u64,
    next_event_id: i64,
    chain: [u8; 32],
}

struct Script {
    seed: u64,
    random: StdRng,
    operations: u64,
    shards: u32,
    epochs: Vec<Epoch>,
    runs: Vec<Known>,
    made: u64,
}

fn outcome<T: std::fmt::Debug>(result: &Result<T, Failure>) -> String {
    match result {
        Ok(done) => format!("{done:?}"),
        Err(Failure::Refused(_)) => "refused".to_owned(),
        Err(failure) => panic!("nothing but a refusal is asked for: {failure:?}"),
    }
}

impl Script {
    fn new(seed: u64, shards: u32) -> Self {
        Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            operations: 0,
            shards,
            epochs: vec![Epoch(0); shards as usize],
            runs: Vec::new(),
            made: 0,
        }
    }

    async fn step(&mut self, step: usize, one: &dyn Store, other: &dyn Store) {
        let told = format!("seed {}, step {step}", self.seed);
        match self.random.random_range(0..20) {
            0 => self.take_over(one, other, &told).await,
            1..=11 => self.commit(one, other, &told).await,
            12 => self.put_namespace(one, other, &told).await,
            _ => self.read(one, other, &told).await,
        }
    }

    async fn take_over(&mut self, one: &dyn Store, other: &dyn Store, told: &str) {
        let shard = self.random.random_range(0..self.shards);
        let epoch = one.take_over(ShardId(shard), "one").await;
        let same = other.take_over(ShardId(shard), "other").await;
        assert_eq!(outcome(&epoch), outcome(&same), "{told}");
        self.operations += 1;
        // Now and then the owner does not notice.
        if self.random.random_bool(0.8) {
            self.epochs[shard as usize] = epoch.unwrap();
        }
    }

    async fn commit(&mut self, one: &dyn Store, other: &dyn Store, told: &str) {
        let before = self.runs.clone();
        let mut batches: Vec<ShardBatch> = Vec::new();
        for _ in 0..self.random.random_range(0..8) {
            let (shard, item) = self.item();
            match batches.iter_mut().find(|batch| batch.shard == shard) {
                Some(batch) => batch.items.push(item),
                None => batches.push(ShardBatch {
                    shard,
                    epoch: self.epochs[shard.0 as usize],
                    items: vec![item],
                }),
            }
        }
        let done = one.commit(0, &batches).await;
        let same = other.commit(0, &batches).await;
        assert_eq!(outcome(&done), outcome(&same), "{told}: {batches:#?}");
        let writes = batches
            .iter()
            .flat_map(|batch| batch.items.iter().flatten());
        self.operations += writes.count() as u64;
        self.forget(before, done);
    }

    /// What was not written is not known.
    fn forget(&mut self, before: Vec<Known>, done: Result<Committed, Failure>) {
        let Ok(Committed { lost }) = done else {
            self.runs = before;
            return;
        };
        let of = |known: &Known, shards| known.row.key().shard(shards);
        let shards = self.shards;
        self.runs.retain(|known| !lost.contains(&of(known, shards)));
        let kept = before
            .into_iter()
            .filter(|known| lost.contains(&of(known, shards)));
        self.runs.extend(kept);
        for shard in lost {
            // It notices, so that the script goes on; the next takeover may find it asleep again.
            self.epochs[shard.0 as usize].0 += 1;
        }
    }

    fn item(&mut self) -> (ShardId, Vec<Write>) {
        let Some(at) = (0..self.runs.len())
            .collect::<Vec<_>>()
            .choose(&mut self.random)
            .copied()
        else {
            return self.start();
        };
        let full = self.runs.len() > RUNS_MAX;
        let choice = self.random.random_range(0..12);
        if choice < 4 && !full {
            return self.start();
        }
        let shard = self.runs[at].row.key().shard(self.shards);
        let id = self.runs[at].row.run;
        let write = match choice {
            0..=3 => {
                self.runs.remove(at);
                Write::Delete { run: id }
            }
            4..=6 => self.transition(at, false),
            7 => self.transition(at, true),
            8 | 9 => self.checkpoint(at),
            10 => {
                let scheduled_event_id = self.random.random_range(1..4);
                let details = self.blob(3);
                Write::Heartbeat {
                    run: id,
                    heartbeat: Heartbeat {
                        scheduled_event_id,
                        details,
                    },
                }
            }
            _ if self.random.random_bool(0.5) => Write::Unpark {
                stale: (0..3).map(|_| self.parked(id)).collect(),
            },
            _ => {
                self.runs.remove(at);
                Write::Delete { run: id }
            }
        };
        (shard, vec![write])
    }

    /// A start; mostly of an id that is free, sometimes with the close of the run that has it.
    fn start(&mut self) -> (ShardId, Vec<Write>) {
        self.made += 1;
        let key = self.key();
        let shard = key.shard(self.shards);
        let open = self
            .runs
            .iter()
            .position(|known| known.row.key() == key && known.row.is_open());
        let mut item = Vec::new();
        if let Some(open) = open
            && self.random.random_bool(0.9)
        {
            item.push(self.close(open));
        }
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.random.random_range(0..1_000_000_u64).to_be_bytes());
        id[8..].copy_from_slice(&self.made.to_be_bytes());
        let row = Row {
            run: RunId(id),
            namespace: key.namespace,
            workflow_id: key.workflow_id,
            kind: self.random.random_range(1..3),
            nth: self.made,
            start_request_id: format!("request {}", self.random.random_range(0..self.made.max(1))),
            status: Row::RUNNING,
            start_time: self.time(),
            ..Row::default()
        };
        self.runs.push(Known {
            row,
            seq: 0,
            next_event_id: 1,
            chain: [0; 32],
        });
        item.push(self.transition(self.runs.len() - 1, true));
        (shard, item)
    }

    fn close(&mut self, at: usize) -> Write {
        let time = self.time();
        let status = self.random.random_range(2..8);
        let row = &mut self.runs[at].row;
        (row.close_time, row.status) = (Some(time), status);
        self.transition(at, true)
    }

    fn transition(&mut self, at: usize, visible: bool) -> Write {
        let count = self.random.random_range(0..4);
        let (events, changes) = (self.blob(400), self.blob(20));
        let wake_at = self.random.random_bool(0.2).then(|| self.time());
        let time = self.time();
        if visible {
            self.touch(at);
        }
        let known = &mut self.runs[at];
        known.seq += 1;
        let mut record = Record {
            seq: known.seq,
            epoch: Epoch(known.seq),
            time,
            first_event_id: known.next_event_id,
            event_count: count,
            events: if count == 0 { Bytes::new() } else { events },
            changes,
            chain: [0; 32],
        };
        record.chain = record.chained(&known.chain);
        known.chain = record.chain;
        known.next_event_id += i64::from(count);
        let (run, row) = (known.row.run, visible.then(|| known.row.clone()));
        let terms = (visible && self.random.random_bool(0.3)).then(|| self.terms());
        Write::Append {
            run,
            record,
            row,
            terms,
            wake_at,
        }
    }

    /// By what a run may be found, in order.
    fn terms(&mut self) -> Vec<Term> {
        let mut terms: Vec<_> = (0..self.random.random_range(0..4))
            .map(|_| Term {
                attribute: [self.random.random_range(0..2); 16],
                value: self.blob(2),
            })
            .collect();
        terms.sort();
        terms.dedup();
        terms
    }

    /// Changes what may change of a row.
    fn touch(&mut self, at: usize) {
        let (memo, search_attributes) = (self.blob(10), self.blob(10));
        let (text, number) = (self.text(), self.random.random_range(0..50));
        let (start_time, execution_time) = (self.time(), self.time());
        let relative = self
            .random
            .random_bool(0.5)
            .then(|| (text.clone(), RunId([1; 16])));
        let row = &mut self.runs[at].row;
        *row = Row {
            workflow_type: text.clone(),
            task_queue: text,
            start_time,
            execution_time,
            history_length: number,
            history_size_bytes: number * 7,
            state_transition_count: number / 2,
            root: relative.clone(),
            parent: relative.filter(|_| number % 2 == 0),
            memo,
            search_attributes,
            workers: if number % 3 == 0 {
                String::new()
            } else {
                format!("\n{number}\n")
            },
            ..row.clone()
        };
    }

    fn checkpoint(&mut self, at: usize) -> Write {
        let run = self.runs[at].row.run;
        let (seq, chain) = (self.runs[at].seq, self.runs[at].chain);
        let snapshot = self.random.random_bool(0.4).then(|| Snapshot {
            seq,
            chain,
            state: self.blob(50),
        });
        let offers = self.random.random_range(0..3);
        Write::Checkpoint {
            run,
            wake_at: self.random.random_bool(0.6).then(|| self.time()),
            snapshot,
            parked: (0..offers).map(|_| self.parked(run)).collect(),
        }
    }

    fn parked(&mut self, run: RunId) -> Parked {
        Parked {
            queue: self.queue(),
            priority: self.random.random_range(1..3),
            pass: self.random.random_range(0..2),
            time: Time(self.random.random_range(0..2)),
            run,
        }
    }

    fn queue(&mut self) -> Queue {
        Queue {
            namespace: self.namespace(),
            name: "q".repeat(self.random.random_range(0..2)),
            work: if self.random.random() {
                Work::Workflow
            } else {
                Work::Activity
            },
            sticky_of: self.random.random_bool(0.3).then(String::new),
        }
    }

    fn namespace(&mut self) -> NamespaceId {
        NamespaceId([self.random.random_range(0..2); 16])
    }

    fn key(&mut self) -> Key {
        Key {
            namespace: self.namespace(),
            workflow_id: format!("id {}", self.random.random_range(0..30)),
        }
    }

    fn time(&mut self) -> Time {
        Time(self.random.random_range(-5..60))
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 5] = ['a', 'b', '\0', '%', '\u{10ffff}'];
        (0..self.random.random_range(0..4))
            .map(|_| LETTERS[self.random.random_range(0..LETTERS.len())])
            .collect()
    }

    fn blob(&mut self, most: usize) -> Bytes {
        let length = self.random.random_range(0..=most);
        (0..length).map(|_| self.random.random::<u8>()).collect()
    }

    async fn put_namespace(&mut self, one: &dyn Store, other: &dyn Store, told: &str) {
        let namespace = Namespace {
            id: NamespaceId([self.random.random_range(0..4); 16]),
            name: self.text(),
            record: self.blob(10),
        };
        // Mostly what is there, as who has just read it would say.
        let known = one.namespaces().await.unwrap();
        let known = known.into_iter().find(|known| known.id == namespace.id);
        let before = match known {
            Some(known) if self.random.random_bool(0.7) => Some(known.record),
            _ => self.random.random_bool(0.5).then(|| self.blob(3)),
        };
        let before = before.as_deref();
        let done = one.put_namespace(&namespace, before).await;
        let too = other.put_namespace(&namespace, before).await;
        assert_eq!(outcome(&done), outcome(&too), "{told}");
        assert_eq!(done.ok(), too.ok(), "{told}");
        let (name, fresh) = (self.text(), self.blob(4));
        let value = one.setting(&name, &fresh).await.unwrap();
        assert_eq!(value, other.setting(&name, &fresh).await.unwrap(), "{told}");
        assert_eq!(
            one.namespaces().await.unwrap(),
            other.namespaces().await.unwrap(),
            "{told}"
        );
        self.operations += 3;
    }

    async fn read(&mut self, one: &dyn Store, other: &dyn Store, told: &str) {
        let known = self.runs.choose(&mut self.random).cloned();
        let run = known.as_ref().map_or(RunId([3; 16]), |known| known.row.run);
        let limit = self.random.random_range(0..20);
        let shard = ShardId(self.random.random_range(0..self.shards));
        macro_rules! same {
            ($method:ident($($argument:expr),*)) => {{
                let answer = one.$method($($argument),*).await.unwrap();
                let shown = format!("{answer:?}");
                let again = other.$method($($argument),*).await.unwrap();
                self.operations += 1;
                assert_eq!(shown, format!("{again:?}"), "{told}: {} of {run}", stringify!($method));
                answer
            }};
        }
        match self.random.random_range(0..7) {
            6 => {
                let after = self.random.random_bool(0.9).then_some(run);
                if let Some(next) = same!(next_run(after)) {
                    same!(whole(next));
                }
                same!(whole(run));
            }
            0 => {
                let stored = same!(load(run));
                if let Some(known) = known {
                    let stored = stored.expect("it was written");
                    assert_eq!(stored.row, known.row, "{told}");
                    assert_eq!(
                        stored.records.last().map_or(known.seq, |last| last.seq),
                        known.seq,
                        "{told}"
                    );
                }
            }
            1 => {
                let key = self.key();
                let request = format!("request {}", self.random.random_range(0..=self.made));
                same!(find(&key, Some(&request)));
                same!(find(&key, None));
            }
            2 => {
                let (from, to) = (
                    self.random.random_range(0..40),
                    self.random.random_range(0..60),
                );
                same!(page(run, from, to, limit));
                same!(page_reverse(run, to, limit));
            }
            3 => {
                let (horizon, after) = (self.time(), self.time());
                let first = same!(wake_ups(shard, horizon, None, limit));
                let last = first
                    .last()
                    .map_or((after, run), |last| (last.time, last.run));
                same!(wake_ups(shard, horizon, Some(last), limit));
            }
            4 => {
                let queue = self.queue();
                let first = same!(parked(shard, &queue, None, limit));
                same!(parked(shard, &queue, first.last(), limit));
                same!(parked_queues(shard));
            }
            _ => {
                let query = Query {
                    namespace: self.namespace(),
                    condition: self.random.random_bool(0.9).then(|| self.condition(3)),
                };
                let first = same!(list(&query, None, limit));
                let after = first.last().map(|last| Position {
                    close_time: last.close_time,
                    start_time: last.start_time,
                    run: last.run,
                });
                same!(list(&query, after.as_ref(), limit));
                let grouped = self.random.random();
                same!(count(&query, grouped));
            }
        }
    }

    fn condition(&mut self, depth: u32) -> Condition {
        let attribute = self.attribute();
        let choice = self
            .random
            .random_range(if depth == 0 { 3..9 } else { 0..9 });
        match choice {
            0 => Condition::All(self.conditions(depth - 1)),
            1 => Condition::Any(self.conditions(depth - 1)),
            2 => Condition::Not(Box::new(self.condition(depth - 1))),
            3 => Condition::In(
                attribute,
                (0..self.random.random_range(0..4))
                    .map(|_| self.value(attribute))
                    .collect(),
            ),
            4 => Condition::Between(attribute, self.value(attribute), self.value(attribute)),
            5 => Condition::IsNull(attribute),
            6 => Condition::StartsWith(attribute, self.text()),
            7 if self.random.random_bool(0.1) => Condition::Never,
            7 if self.random.random_bool(0.6) => self.has(),
            _ => {
                let comparison = *[
                    Comparison::Equal,
                    Comparison::NotEqual,
                    Comparison::Less,
                    Comparison::LessOrEqual,
                    Comparison::Greater,
                    Comparison::GreaterOrEqual,
                ]
                .choose(&mut self.random)
                .unwrap();
                Condition::Compare(attribute, comparison, self.value(attribute))
            }
        }
    }

    fn has(&mut self) -> Condition {
        let attribute = [self.random.random_range(0..2); 16];
        let test = match self.random.random_range(0..6) {
            0 => Test::Any,
            1 => Test::Between(self.blob(2), self.blob(2)),
            2 => Test::StartsWith(self.blob(2)),
            3 => return Condition::Worker(format!("\n{}", self.random.random_range(0..50))),
            4 => Test::Compare(Comparison::NotEqual, self.blob(2)),
            _ => Test::Compare(Comparison::LessOrEqual, self.blob(2)),
        };
        Condition::Has(attribute, test)
    }

    fn conditions(&mut self, depth: u32) -> Vec<Condition> {
        (0..self.random.random_range(0..4))
            .map(|_| self.condition(depth))
            .collect()
    }

    fn attribute(&mut self) -> Attribute {
        *[
            Attribute::WorkflowId,
            Attribute::RunId,
            Attribute::WorkflowType,
            Attribute::TaskQueue,
            Attribute::ExecutionStatus,
            Attribute::StartTime,
            Attribute::ExecutionTime,
            Attribute::CloseTime,
            Attribute::ExecutionDuration,
            Attribute::HistoryLength,
            Attribute::HistorySizeBytes,
            Attribute::StateTransitionCount,
            Attribute::ParentWorkflowId,
            Attribute::ParentRunId,
            Attribute::RootWorkflowId,
            Attribute::RootRunId,
        ]
        .choose(&mut self.random)
        .unwrap()
    }

    /// Mostly one of the attribute's type.
    fn value(&mut self, attribute: Attribute) -> Value {
        let number = self.random.random_range(-5..60);
        if self.random.random_bool(0.05) {
            return Value::Int(number);
        }
        match attribute {
            Attribute::WorkflowId => Value::Text(self.key().workflow_id),
            Attribute::WorkflowType
            | Attribute::TaskQueue
            | Attribute::ParentWorkflowId
            | Attribute::RootWorkflowId => Value::Text(self.text()),
            Attribute::RunId | Attribute::ParentRunId | Attribute::RootRunId => {
                let known = self.runs.choose(&mut self.random);
                Value::Run(known.map_or(RunId([1; 16]), |known| known.row.run))
            }
            Attribute::StartTime | Attribute::ExecutionTime | Attribute::CloseTime => {
                Value::Time(Time(number))
            }
            Attribute::ExecutionStatus => Value::Int(number % 8),
            Attribute::ExecutionDuration
            | Attribute::HistoryLength
            | Attribute::HistorySizeBytes
            | Attribute::StateTransitionCount => Value::Int(number),
        }
    }
}
