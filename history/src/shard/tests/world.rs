//! A shard, the table it writes to, and whoever carries its outputs: in memory, one step at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};

use super::toy::{Answer, Question, Refusal, State, Toy, Volatile};
use crate::execution::Limits;
use crate::id::{Entropy, Epoch, Key, NamespaceId, RunId, ShardId, Ticket, Time};
use crate::kind::{Heartbeat, Kind, Offer};
use crate::log::{
    Found, Parked, ReadError, Record, Row, ShardBatch, Snapshot, Stored, WakeUp, Write,
};
use crate::shard::{Config, Load, Loaded, Output, Released, Shard, Slice, Taken, Target};

#[derive(Debug)]
struct Counting(u128);

impl Entropy for Counting {
    fn bits(&mut self) -> u128 {
        self.0 += 1 << 32;
        self.0
    }
}

/// Everything stored of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) runs: BTreeMap<RunId, Kept>,
    pub(super) parked: BTreeSet<Parked>,
    /// Runs that are or were there: one may be deleted in the commit that began it.
    pub(super) begun: BTreeSet<RunId>,
    epoch: Epoch,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) row: Row,
    pub(super) wake_at: Option<Time>,
    pub(super) records: Vec<Record>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) heartbeats: Vec<Heartbeat>,
}

impl Kept {
    pub(super) fn state(&self) -> State {
        let fold = |state, record: &Record| Some(Toy::apply(state, self.row.run, record).unwrap());
        self.records.iter().fold(None, fold).unwrap()
    }
}

impl Table {
    /// All of it, or nothing if the epoch has passed.
    pub(super) fn commit(&mut self, batch: &ShardBatch) -> bool {
        if batch.epoch < self.epoch {
            return false;
        }
        for write in batch.items.iter().flatten() {
            self.write(write);
        }
        self.check();
        true
    }

    fn write(&mut self, write: &Write) {
        match write.clone() {
            Write::Append {
                run,
                record,
                row,
                terms: _,
                wake_at,
            } => {
                self.begun.insert(run);
                let kept = self.runs.entry(run).or_default();
                assert_eq!(
                    record.seq,
                    kept.records.len() as u64 + 1,
                    "a record is missing"
                );
                kept.records.push(record);
                if let Some(row) = row {
                    kept.wake_at = row.is_open().then_some(Time(0));
                    kept.row = row;
                }
                kept.wake_at = wake_at.or(kept.wake_at);
            }
            Write::Checkpoint {
                run,
                wake_at,
                snapshot,
                parked,
            } => {
                let kept = self
                    .runs
                    .get_mut(&run)
                    .expect("a checkpoint of a run that is");
                kept.wake_at = wake_at;
                kept.snapshot = snapshot.or(kept.snapshot.take());
                self.parked.retain(|row| row.run != run);
                self.parked.extend(parked);
            }
            Write::Unpark { stale } => self.parked.retain(|row| !stale.contains(row)),
            Write::Heartbeat { run, heartbeat } => {
                self.runs.get_mut(&run).unwrap().heartbeats = vec![heartbeat];
            }
            Write::Delete { run } => {
                self.runs.remove(&run);
                self.parked.retain(|row| row.run != run);
            }
        }
    }

    /// What must hold at every commit, whoever owns the shard.
    fn check(&self) {
        let mut open = BTreeSet::new();
        for (run, kept) in &self.runs {
            let state = kept.state();
            assert_eq!(
                kept.row.is_open(),
                Toy::is_open(&state),
                "row and fold of {run}"
            );
            if !state.owed.is_empty() {
                let found = kept.wake_at == Some(Time(0));
                assert!(found, "nobody will send what {run} owes");
            }
            if !kept.row.is_open() {
                assert!(kept.wake_at.is_some(), "nobody will delete {run}");
                continue;
            }
            assert!(open.insert(kept.row.key()), "two open runs of an id");
            let wake = Toy::next_wake(&state, &Volatile::default());
            let late = kept
                .wake_at
                .is_none_or(|at| wake.is_some_and(|wake| at > wake));
            assert!(
                !late || (kept.wake_at.is_none() && wake.is_none()),
                "{run} wakes late"
            );
            if kept.wake_at != Some(Time(0)) {
                let owed = Toy::owe(&state, &Volatile::default(), Time(0));
                let finds = |offer: &Offer| {
                    self.parked
                        .iter()
                        .any(|row| row.run == *run && row.queue == offer.queue)
                };
                assert!(owed.iter().all(finds), "what {run} owes is not parked");
            }
        }
    }

    pub(super) fn answer(&self, load: &Load) -> (u64, Loaded) {
        match load.clone() {
            Load::Id {
                load,
                key,
                run,
                start_request_id,
            } => {
                let of_id = || self.runs.values().filter(|kept| kept.row.key() == key);
                let current = of_id().max_by_key(|kept| kept.row.nth);
                let began =
                    |kept: &&Kept| Some(&kept.row.start_request_id) == start_request_id.as_ref();
                let found = Found {
                    current: current.map(|kept| kept.row.clone()),
                    repeated: of_id().find(began).map(|kept| kept.row.clone()),
                };
                let run = run.or(found.current.as_ref().map(|row| row.run));
                let stored = run.and_then(|run| self.stored(run));
                (load, Loaded::Id { found, stored })
            }
            Load::Run { load, run } => (load, Loaded::Run(self.stored(run))),
            Load::Events { load, run, ids } => (load, Loaded::Events(self.events(run, &ids))),
            Load::WakeUps {
                load,
                horizon,
                after,
                limit,
            } => (load, Loaded::WakeUps(self.wake_ups(horizon, after, limit))),
            Load::Parked {
                load,
                queue,
                after,
                limit,
            } => {
                let behind = |row: &&Parked| {
                    row.queue == queue && after.as_ref().is_none_or(|after| *row > after)
                };
                let rows = self.parked.iter().filter(behind).take(limit).cloned();
                (load, Loaded::Parked(rows.collect()))
            }
        }
    }

    fn stored(&self, run: RunId) -> Option<Box<Stored>> {
        let kept = self.runs.get(&run)?;
        let seq = kept.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        let behind = kept.records.iter().filter(|record| record.seq > seq);
        Some(Box::new(Stored {
            row: kept.row.clone(),
            snapshot: kept.snapshot.clone(),
            records: behind.cloned().collect(),
            heartbeats: kept.heartbeats.clone(),
        }))
    }

    fn events(&self, run: RunId, ids: &[i64]) -> Vec<HistoryEvent> {
        let records = self.runs.get(&run).map_or(&[][..], |kept| &kept.records);
        let bytes: Vec<u8> = records
            .iter()
            .flat_map(|record| record.events.to_vec())
            .collect();
        let events = History::decode(&bytes[..]).unwrap().events;
        events
            .into_iter()
            .filter(|event| ids.contains(&event.event_id))
            .collect()
    }

    fn wake_ups(&self, horizon: Time, after: Option<(Time, RunId)>, limit: usize) -> Vec<WakeUp> {
        let mut rows: Vec<WakeUp> = self
            .runs
            .values()
            .filter_map(|kept| {
                let time = kept.wake_at?;
                let run = kept.row.run;
                let wanted = time <= horizon && after.is_none_or(|after| (time, run) > after);
                wanted.then(|| WakeUp {
                    time,
                    run,
                    workflow_id: kept.row.workflow_id.clone(),
                    namespace: kept.row.namespace,
                })
            })
            .collect();
        rows.sort();
        rows.truncate(limit);
        rows
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) shard: Shard<Toy>,
    pub(super) table: Table,
    pub(super) now: Time,
    pub(super) config: Config,
    pub(super) answers: BTreeMap<Ticket, Released<Toy>>,
    pub(super) loads: VecDeque<Load>,
    /// What matching was told and holds, by run and event.
    pub(super) offered: BTreeMap<(RunId, i64), Offer>,
    /// What is on its way to other runs, by run and event.
    pub(super) sent: BTreeSet<(RunId, i64)>,
    pub(super) takes: VecDeque<Taken>,
    pub(super) quarantined: Vec<RunId>,
    pub(super) moved: Vec<RunId>,
    pub(super) tickets: u64,
    limits: Limits,
}

pub(super) fn key(id: &str) -> Key {
    Key {
        namespace: NamespaceId([1; 16]),
        workflow_id: id.to_owned(),
    }
}

/// Small enough that a story reaches its limits.
pub(super) fn config() -> Config {
    Config {
        reads_need_proof: false,
        ..Config::default()
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: Config) -> Self {
        let mut world = Self {
            shard: fresh(Epoch(1), &config),
            table: Table::default(),
            now: at(1000),
            config,
            answers: BTreeMap::new(),
            loads: VecDeque::new(),
            offered: BTreeMap::new(),
            sent: BTreeSet::new(),
            takes: VecDeque::new(),
            quarantined: Vec::new(),
            moved: Vec::new(),
            tickets: 0,
            limits: Limits::default(),
        };
        world.tick(0);
        world.rest();
        world
    }

    /// The memory is lost; another owner takes over and recovers.
    pub(super) fn take_over(&mut self) {
        self.drop_shard();
        self.rest();
    }

    pub(super) fn drop_shard(&mut self) {
        let mut out = Vec::new();
        self.shard.drop_all(&mut out);
        self.carry(out);
        self.loads.clear();
        self.takes.clear();
        self.offered.clear();
        self.sent.clear();
        self.quarantined.clear();
        self.table.epoch = Epoch(self.table.epoch.0.max(1) + 1);
        self.shard = fresh(self.table.epoch, &self.config);
        self.tick(0);
        let queues: BTreeSet<_> = self
            .table
            .parked
            .iter()
            .map(|row| row.queue.clone())
            .collect();
        let mut out = Vec::new();
        self.shard
            .parked_queues(queues.into_iter().collect(), self.now, &mut out);
        self.carry(out);
    }

    pub(super) fn ask(&mut self, id: &str, question: Question) -> Ticket {
        self.ask_run(id, None, question)
    }

    pub(super) fn ask_run(&mut self, id: &str, run: Option<RunId>, question: Question) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let start_request_id = match &question {
            Question::Start { request, .. } => Some(request.clone()),
            _ => None,
        };
        let target = Target {
            key: key(id),
            run,
            start_request_id,
        };
        let mut out = Vec::new();
        self.shard
            .ask(ticket, target, question, self.now, &self.limits, &mut out);
        self.carry(out);
        ticket
    }

    /// Asks, and brings everything to rest.
    pub(super) fn call(&mut self, id: &str, question: Question) -> Result<Answer, Refusal> {
        let ticket = self.ask(id, question);
        self.rest();
        self.answers.remove(&ticket).expect("an answer").result
    }

    pub(super) fn start(&mut self, id: &str) -> RunId {
        let request = format!("start {id}");
        let question = Question::Start {
            request,
            terminate: false,
        };
        match self.call(id, question) {
            Ok(Answer::Run(run)) => run,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn result(&self, ticket: Ticket) -> Option<&Result<Answer, Refusal>> {
        self.answers.get(&ticket).map(|released| &released.result)
    }

    pub(super) fn take(&mut self, items: usize) -> Option<u64> {
        let taken = self.shard.take(items, usize::MAX)?;
        let through = taken.through;
        self.takes.push_back(taken);
        Some(through)
    }

    /// The oldest take under way is written and the shard told.
    pub(super) fn commit(&mut self) {
        let Some(taken) = self.takes.pop_front() else {
            return;
        };
        assert!(self.table.commit(&taken.batch));
        let mut out = Vec::new();
        self.shard.committed(taken.through, self.now, &mut out);
        self.carry(out);
    }

    pub(super) fn rolled_back(&mut self) {
        self.takes.clear();
        self.shard.rolled_back();
    }

    pub(super) fn refused(&mut self, number: u64) {
        let mut out = Vec::new();
        self.shard.refused(number, self.now, &mut out);
        self.carry(out);
        self.rolled_back();
    }

    /// Commits everything that waits.
    pub(super) fn commit_all(&mut self) {
        while !self.takes.is_empty() || self.take(usize::MAX).is_some() {
            self.commit();
        }
    }

    pub(super) fn load_one(&mut self) -> bool {
        let Some(load) = self.loads.pop_front() else {
            return false;
        };
        let (load, loaded) = self.table.answer(&load);
        self.loaded(load, loaded);
        true
    }

    pub(super) fn loaded(&mut self, load: u64, loaded: Loaded) {
        let mut out = Vec::new();
        self.shard
            .loaded(load, loaded, self.now, &self.limits, &mut out);
        self.carry(out);
    }

    pub(super) fn fail_load(&mut self) -> bool {
        let Some(load) = self.loads.pop_front() else {
            return false;
        };
        let (load, _) = self.table.answer(&load);
        let error = ReadError::Unavailable("the disk sleeps".into());
        self.loaded(load, Loaded::Failed(error));
        true
    }

    /// Time passes, and everything due happens.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
        self.rest();
    }

    pub(super) fn tick(&mut self, nanos: u64) {
        self.now = self.now.after(Duration::from_nanos(nanos));
        let mut out = Vec::new();
        self.shard.tick(self.now, &self.limits, &mut out);
        self.carry(out);
    }

    /// What was sent comes to its receiver, and its sender hears of it.
    pub(super) fn deliver(&mut self, run: RunId, effect: i64, outcome: bool) {
        self.sent.remove(&(run, effect));
        let mut out = Vec::new();
        let (now, limits) = (self.now, &self.limits);
        self.shard
            .delivered(run, effect, outcome, now, limits, &mut out);
        self.carry(out);
    }

    /// What was sent is lost.
    pub(super) fn lose(&mut self, run: RunId, effect: i64) {
        self.sent.remove(&(run, effect));
        let mut out = Vec::new();
        self.shard.undelivered(run, effect, self.now, &mut out);
        self.carry(out);
    }

    /// Loads, commits and ticks until nothing moves.
    pub(super) fn rest(&mut self) {
        for _ in 0..3_000 {
            let due = self.shard.next_tick().is_some_and(|time| time <= self.now);
            if due {
                self.tick(0);
            }
            let loaded = self.load_one();
            let taken = self.take(usize::MAX).is_some() || !self.takes.is_empty();
            self.commit();
            if !due && !loaded && !taken {
                return;
            }
        }
        panic!("the shard does not come to rest");
    }

    /// The same with a table that does not hold together.
    pub(super) fn rest_without_checks(&mut self) {
        while self.load_one() || self.shard.next_tick().is_some_and(|time| time <= self.now) {
            self.tick(0);
        }
    }

    fn carry(&mut self, out: Vec<Output<Toy>>) {
        for output in out {
            match output {
                Output::Answer(ticket, released) => {
                    self.check_durable(&released);
                    let before = self.answers.insert(ticket, released);
                    assert!(before.is_none(), "answered twice");
                }
                Output::Dirty => {}
                Output::Offer { offered, withdrawn } => {
                    for (_, run, offer) in withdrawn {
                        let gone = self.offered.remove(&(run, offer.task.scheduled_event_id));
                        assert_eq!(gone, Some(offer), "withdrawn, never offered");
                    }
                    for (_, run, offer) in offered {
                        let task = (run, offer.task.scheduled_event_id);
                        assert_eq!(self.offered.insert(task, offer), None, "offered twice");
                    }
                }
                Output::Send {
                    run,
                    effect,
                    message,
                } => {
                    let state = self.table.runs.get(&run).map(Kept::state);
                    let owed = state.is_some_and(|state| state.owed.contains(&effect));
                    assert!(owed, "what was sent is not durably owed");
                    assert_eq!(message, effect * 10, "another event");
                    self.sent.insert((run, effect));
                }
                Output::Load(load) => self.loads.push_back(load),
                Output::Moved(run) => self.moved.push(run),
                Output::Quarantined(run, _) => self.quarantined.push(run),
            }
        }
    }

    /// What is told was true of the table at some time up to now.
    fn check_durable(&self, released: &Released<Toy>) {
        let value = match released.result {
            Ok(Answer::Value(run, value)) => Some((run, value)),
            Ok(Answer::Run(run)) | Err(Refusal::Running(run)) => {
                assert!(
                    self.table.begun.contains(&run),
                    "told of a run that is not durable"
                );
                None
            }
            _ => None,
        };
        if let Some((run, value)) = value.filter(|(run, _)| self.table.runs.contains_key(run)) {
            let mut state = None;
            let mut values = self.table.runs[&run].records.iter().map(|record| {
                state = Some(Toy::apply(state.take(), run, record).unwrap());
                state.as_ref().unwrap().value
            });
            assert!(
                values.any(|other| other == value),
                "{value} was told and is not durable"
            );
        }
    }

    /// The event ids that a slice stands for.
    pub(super) fn ids(&self, slice: &Slice) -> Vec<i64> {
        let missing: Vec<i64> = slice.missing.clone().into_iter().flatten().collect();
        let mut events = self.table.events(slice.run, &missing);
        assert_eq!(events.len(), missing.len(), "missing events are durable");
        let rest = slice.fragments.concat();
        events.extend(History::decode(&rest[..]).unwrap().events);
        events.iter().map(|event| event.event_id).collect()
    }
}

fn fresh(epoch: Epoch, config: &Config) -> Shard<Toy> {
    let seed = u128::from(epoch.0) << 72;
    Shard::new(ShardId(7), epoch, config.clone(), Box::new(Counting(seed)))
}

pub(super) fn at(seconds: i64) -> Time {
    Time(seconds * 1_000_000_000)
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn add(n: i64, request: &str) -> Question {
    Question::Add {
        n,
        request: request.to_owned(),
    }
}
