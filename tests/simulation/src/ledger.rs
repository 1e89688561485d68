//! What was committed, in the order in which it was: the judge's own copy of the log, with the fold of every run.
//!
//! Every commit is judged as it happens: I-2, I-3, I-4, I-6, I-7, I-9, I-10, I-11 and I-14 of one run are functions of its own records and
//! rows. Deliberately absent: what the clients were told (`judge`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use cairn_history::execution::{State, Volatile, Workflow};
use cairn_history::id::{Epoch, Key, RunId, ShardId, Time};
use cairn_history::kind::Kind;
use cairn_history::log::{Parked, Record, Row, ShardBatch, Snapshot, Write};
use cairn_proto::cairn::record::v1::{self as record, Changes, change::Change};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Memo, SearchAttributes};
use cairn_proto::temporal::api::enums::v1::TaskQueueKind;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};

use crate::worker::STICKY;
use crate::world::BEGIN;

/// So many events a worker can forget.
const DROPPED_EVENTS_MAX: i64 = 10;

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) time: Time,
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

/// One run as it is stored.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) row: Row,
    pub(crate) state: State,
    pub(crate) events: Vec<HistoryEvent>,
    /// Every event that was ever buffered.
    pub(crate) buffered: Vec<HistoryEvent>,
    pub(crate) wake_at: Option<Time>,
    pub(crate) parked: BTreeSet<Parked>,
    /// When its first record, its close and its end in the table were committed.
    pub(crate) began: Time,
    pub(crate) closed: Option<Time>,
    pub(crate) deleted: Option<Time>,
    /// Activities that are paused, and the requests that paused some.
    pub(crate) paused: BTreeSet<i64>,
    pub(crate) pauses: BTreeSet<String>,
    /// It came of a reset.
    pub(crate) reset: Option<ResetFrom>,
    /// Records of another run came first, and its row has not come yet.
    bare: bool,
    seq: u64,
    chain: [u8; 32],
    epoch: Epoch,
    time: Time,
    timers: BTreeMap<i64, Time>,
    over: BTreeSet<i64>,
}

/// Where a run began that came of a reset.
#[derive(Clone, Debug)]
pub(crate) struct ResetFrom {
    pub(crate) base: RunId,
    pub(crate) request_id: String,
    /// How many of its events are its base's.
    pub(crate) point: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) runs: BTreeMap<RunId, Box<Kept>>,
    pub(crate) open: BTreeMap<Key, RunId>,
    epochs: BTreeMap<ShardId, Epoch>,
    pub(crate) violations: Vec<Violation>,
    /// Runs that the store refuses, as a fault of the plan: they may stay where they are.
    pub(crate) quarantined: BTreeSet<RunId>,
    pub(crate) commits: u64,
    pub(crate) records: u64,
    /// Two runs of an id that were open at one moment of a batch: only its end counts.
    doubtful: Vec<(RunId, RunId)>,
    now: Time,
    /// How far a clock that was set has been off so far.
    skew: Duration,
}

impl Ledger {
    /// The run from which this one came by resets, or itself.
    pub(crate) fn root(&self, run: RunId) -> RunId {
        let reset = self.runs.get(&run).and_then(|kept| kept.reset.as_ref());
        reset.map_or(run, |reset| self.root(reset.base))
    }

    /// The run that wrote an event: itself, or the one from which it has it by a reset.
    pub(crate) fn writer(&self, run: RunId, event_id: i64) -> RunId {
        let reset = self.runs.get(&run).and_then(|kept| kept.reset.as_ref());
        let copied = usize::try_from(event_id).unwrap_or_default();
        match reset.filter(|reset| copied <= reset.point) {
            Some(reset) => self.writer(reset.base, event_id),
            None => run,
        }
    }

    /// Where the chain of a run began: with its first run, or with one that came of a reset.
    pub(crate) fn chain(&self, mut run: RunId) -> RunId {
        while let Some(kept) = self.runs.get(&run).filter(|kept| kept.reset.is_none()) {
            let first = kept
                .events
                .first()
                .and_then(|event| event.attributes.as_ref());
            let Some(Attributes::WorkflowExecutionStartedEventAttributes(it)) = first else {
                break;
            };
            match it.continued_execution_run_id.parse() {
                Ok(before) => run = before,
                Err(_) => break,
            }
        }
        run
    }

    /// Every run with the names of its events, for whoever plays a seed again.
    pub(crate) fn print(&self) {
        for (run, kept) in &self.runs {
            let row = &kept.row;
            let status = row.status;
            println!(
                "{} {run} ({}), status {status}",
                row.workflow_id, row.workflow_type
            );
            let at = |time: Time| time.since(BEGIN);
            println!("    {:?} to {:?}", at(kept.began), kept.closed.map(at));
            if let Some(reset) = &kept.reset {
                println!("    {} events are of {}", reset.point, reset.base);
            }
            for event in &kept.events {
                let name = event.event_type().as_str_name();
                println!("    {} {name}", event.event_id);
            }
        }
    }

    pub(crate) fn violated(&mut self, rule: &'static str, what: String) {
        let time = self.now;
        self.violations.push(Violation { time, rule, what });
    }

    /// A clock is off by so much: what goes by it may be that early.
    pub(crate) fn strays(&mut self, by: Duration) {
        self.skew = self.skew.max(by);
    }

    pub(crate) fn committed(&mut self, batch: &ShardBatch, now: Time) {
        self.now = now;
        self.commits += 1;
        let epoch = self.epochs.entry(batch.shard).or_default();
        if batch.epoch < *epoch {
            let what = format!(
                "{:?} commits under {:?} after {:?}",
                batch.shard, batch.epoch, epoch
            );
            self.violated("I-10", what);
        } else {
            *epoch = batch.epoch;
        }
        let mut touched = BTreeSet::new();
        for write in batch.items.iter().flatten() {
            touched.extend(self.write(write));
        }
        for run in touched {
            self.judge(run);
        }
        for (before, run) in std::mem::take(&mut self.doubtful) {
            let is_open = |run| self.runs.get(run).is_some_and(|kept| kept.row.is_open());
            if is_open(&before) && is_open(&run) {
                self.violated("I-7", format!("{before} and {run} are open under one id"));
            }
        }
    }

    fn write(&mut self, write: &Write) -> Option<RunId> {
        match write {
            Write::Append {
                run,
                record,
                row,
                terms: _,
                wake_at,
            } => {
                self.append(*run, record, row.as_ref(), *wake_at);
                Some(*run)
            }
            Write::Checkpoint {
                run,
                wake_at,
                snapshot,
                parked,
            } => {
                self.checkpoint(*run, *wake_at, snapshot.as_ref(), parked);
                Some(*run)
            }
            Write::Unpark { stale } => {
                for row in stale {
                    if let Some(kept) = self.runs.get_mut(&row.run) {
                        kept.parked.remove(row);
                    }
                }
                stale.first().map(|row| row.run)
            }
            Write::Heartbeat { .. } => None,
            Write::Delete { run } => {
                self.delete(*run);
                None
            }
        }
    }

    fn append(&mut self, run: RunId, record: &Record, row: Option<&Row>, wake_at: Option<Time>) {
        self.records += 1;
        let before = self.runs.remove(&run);
        if let Some(kept) = &before {
            self.follows(run, kept, record);
        } else if record.seq != 1 || record.first_event_id != 1 {
            self.violated("I-2", format!("{run} begins with record {}", record.seq));
        }
        let applied = match before {
            // The fold gets the only handle on the state: it need not copy.
            Some(mut kept) => match Workflow::apply(Some(kept.state), run, record) {
                Ok(state) => {
                    kept.state = state;
                    Ok(kept)
                }
                Err(illegal) => Err(illegal),
            },
            None => Workflow::apply(None, run, record)
                .map(|state| Box::new(Kept::new(row.cloned(), state, self.now))),
        };
        let mut kept = match applied {
            Ok(kept) => kept,
            Err(illegal) => {
                self.violated("I-11", format!("{run}, record {}: {illegal}", record.seq));
                return;
            }
        };
        kept.follow(record);
        if let Some(row) = row {
            kept.row = row.clone();
            kept.bare = false;
            if !row.is_open() {
                kept.closed.get_or_insert(self.now);
            }
            kept.wake_at = row.is_open().then_some(Time(0));
        }
        kept.wake_at = wake_at.or(kept.wake_at);
        let changes = Changes::decode(record.changes.clone())
            .unwrap_or_default()
            .changes;
        for change in changes.into_iter().filter_map(|it| it.change) {
            match change {
                Change::Buffered(event) => kept.buffered.push(event),
                Change::ResetFrom(it) => {
                    kept.paused.clear();
                    kept.reset = Some(reset_from(&it, record));
                }
                other => self.operated(run, &mut kept, other),
            }
        }
        let events = History::decode(record.events.clone())
            .unwrap_or_default()
            .events;
        if leaves_a_trace(&kept, &events) {
            let what = format!("{run}: a task for updates that were rejected is there");
            self.violated("refusal", what);
        }
        for event in events {
            self.event(run, &mut kept, &event);
            kept.events.push(event);
        }
        if row.is_some() {
            self.opened_or_closed(run, &kept);
        }
        self.runs.insert(run, kept);
    }

    fn follows(&mut self, run: RunId, kept: &Kept, record: &Record) {
        if record.seq != kept.seq + 1 {
            self.violated(
                "I-2",
                format!("{run}: record {} behind {}", record.seq, kept.seq),
            );
        }
        let next = Workflow::next_event_id(&kept.state);
        if record.first_event_id != next {
            let what = format!(
                "{run}: event {} where {next} is next",
                record.first_event_id
            );
            self.violated("I-2", what);
        }
        if record.chain != record.chained(&kept.chain) {
            self.violated(
                "I-3",
                format!("{run}: the chain breaks at record {}", record.seq),
            );
        }
        if record.epoch < kept.epoch {
            self.violated(
                "I-10",
                format!("{run}: record {} of an older epoch", record.seq),
            );
        }
        if record.time < kept.time {
            self.violated(
                "I-2",
                format!("{run}: record {} goes back in time", record.seq),
            );
        }
        // A closed run may hear that what it owed to others was delivered.
        if !Workflow::is_open(&kept.state) && record.event_count > 0 {
            self.violated(
                "I-4",
                format!("{run}: record {} behind the close", record.seq),
            );
        }
    }

    /// I-5 and I-6, as far as history shows them.
    fn event(&mut self, run: RunId, kept: &mut Kept, event: &HistoryEvent) {
        let time = time_of(event);
        match &event.attributes {
            Some(Attributes::TimerStartedEventAttributes(it)) => {
                let delay = it.start_to_fire_timeout.unwrap_or_default();
                let nanos = delay.seconds * 1_000_000_000 + i64::from(delay.nanos);
                kept.timers.insert(event.event_id, Time(time.0 + nanos));
            }
            Some(Attributes::TimerFiredEventAttributes(it)) => {
                match kept.timers.remove(&it.started_event_id) {
                    None => {
                        self.violated("I-6", format!("{run}: timer {} ends twice", it.timer_id));
                    }
                    Some(due) if time < due => {
                        let early = due.since(time);
                        self.violated(
                            "I-6",
                            format!("{run}: timer {} fires {early:?} early", it.timer_id),
                        );
                    }
                    Some(_) => {}
                }
            }
            Some(Attributes::TimerCanceledEventAttributes(it)) => {
                if kept.timers.remove(&it.started_event_id).is_none() {
                    self.violated("I-6", format!("{run}: timer {} ends twice", it.timer_id));
                }
            }
            Some(attributes) => {
                if let Some(scheduled) = activity_end(attributes) {
                    kept.paused.remove(&scheduled);
                    if !kept.over.insert(scheduled) {
                        self.violated("I-5", format!("{run}: activity {scheduled} ends twice"));
                    }
                }
            }
            None => self.violated("I-2", format!("{run}: event {} is empty", event.event_id)),
        }
    }

    /// What was done to activities from outside: while one is paused no attempt at it begins.
    fn operated(&mut self, run: RunId, kept: &mut Kept, change: Change) {
        match change {
            Change::ActivityPaused(it) => {
                kept.paused.insert(it.scheduled_event_id);
                kept.pauses.insert(it.request_id);
            }
            Change::ActivityUnpaused(it) => {
                kept.paused.remove(&it.scheduled_event_id);
            }
            Change::ActivityReset(it) if it.unpause => {
                kept.paused.remove(&it.scheduled_event_id);
            }
            Change::ActivityStarted(it) if kept.paused.contains(&it.scheduled_event_id) => {
                let what = format!("activity {} is paused and begins", it.scheduled_event_id);
                self.violated("I-5", format!("{run}: {what}"));
            }
            _ => {}
        }
    }

    fn opened_or_closed(&mut self, run: RunId, kept: &Kept) {
        let key = kept.row.key();
        if kept.row.is_open() {
            let before = self.open.insert(key, run);
            if let Some(before) = before.filter(|before| *before != run) {
                self.doubtful.push((before, run));
            }
        } else if self.open.get(&key) == Some(&run) {
            self.open.remove(&key);
        }
    }

    fn checkpoint(
        &mut self,
        run: RunId,
        wake_at: Option<Time>,
        snapshot: Option<&Snapshot>,
        parked: &[Parked],
    ) {
        let Some(mut kept) = self.runs.remove(&run) else {
            self.violated("I-9", format!("a checkpoint of {run}, which is not there"));
            return;
        };
        kept.wake_at = wake_at;
        kept.parked = parked.iter().cloned().collect();
        if let Some(snapshot) = snapshot {
            self.snapshot(run, &kept, snapshot);
        }
        self.runs.insert(run, kept);
    }

    /// I-11: a snapshot is the fold of the records up to it.
    fn snapshot(&mut self, run: RunId, kept: &Kept, snapshot: &Snapshot) {
        if snapshot.seq != kept.seq || snapshot.chain != kept.chain {
            let what = format!(
                "{run}: a snapshot of record {} behind {}",
                snapshot.seq, kept.seq
            );
            self.violated("I-11", what);
            return;
        }
        let state = snapshot.state.get(8..).and_then(Workflow::decode);
        if state.as_ref() != Some(&kept.state) {
            self.violated(
                "I-11",
                format!(
                    "{run}: the snapshot of record {} is another state",
                    snapshot.seq
                ),
            );
        }
    }

    fn delete(&mut self, run: RunId) {
        let Some(kept) = self.runs.get_mut(&run) else {
            return;
        };
        kept.deleted = Some(self.now);
        // A clock that was never set is off by seconds, too.
        let slack = Duration::from_secs(6) + self.skew;
        if !Workflow::expired(&kept.state, self.now.after(slack)) {
            self.violated("I-18", format!("{run} is deleted before its time"));
        }
    }

    /// What must hold of a run at every commit that touches it.
    fn judge(&mut self, run: RunId) {
        let Some(kept) = self.runs.get(&run).filter(|kept| kept.deleted.is_none()) else {
            return;
        };
        let mut wrong = Vec::new();
        if kept.bare {
            wrong.push(("I-14", "it begins without a row".to_owned()));
        }
        if kept.row.is_open() != Workflow::is_open(&kept.state) {
            wrong.push((
                "I-14",
                "the row and the fold disagree about the close".to_owned(),
            ));
        }
        let projected = Row {
            nth: kept.row.nth,
            ..Workflow::row(&kept.state)
        };
        if !kept.row.is_open() && !are_the_same(&kept.row, &projected) {
            wrong.push((
                "I-14",
                format!("the row is {:?}, the fold says {projected:?}", kept.row),
            ));
        }
        let wake = Workflow::next_wake(&kept.state, &Volatile::default());
        let mut wake = wake.into_iter().chain(kept.sticky_until()).min();
        if !Workflow::effects(&kept.state).is_empty() {
            wake = Some(Time(0)); // Nothing but memory sends what it owes.
        }
        let late = match (kept.wake_at, wake) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(stored), Some(wake)) => stored > wake,
        };
        if late {
            wrong.push((
                "I-9",
                format!("wake_at is {:?}, the fold wakes at {wake:?}", kept.wake_at),
            ));
        }
        if kept.row.is_open() && kept.wake_at != Some(Time(0)) {
            // What becomes due at `wake_at` is found then.
            let before = kept
                .wake_at
                .map_or(self.now, |wake| Time(wake.0 - 1).min(self.now));
            for offer in Workflow::owe(&kept.state, &Volatile::default(), before) {
                if !kept.parked.iter().any(|row| row.queue == offer.queue) {
                    wrong.push(("I-9", format!("{:?} is owed and not parked", offer.task)));
                }
            }
        }
        for (rule, what) in wrong {
            self.violated(rule, format!("{run}: {what}"));
        }
    }
}

impl Kept {
    fn new(row: Option<Row>, state: State, now: Time) -> Self {
        Self {
            bare: row.is_none(),
            row: row.unwrap_or_else(|| Workflow::row(&state)),
            began: now,
            closed: None,
            paused: BTreeSet::new(),
            pauses: BTreeSet::new(),
            reset: None,
            state,
            events: Vec::new(),
            buffered: Vec::new(),
            wake_at: None,
            parked: BTreeSet::new(),
            deleted: None,
            seq: 0,
            chain: [0; 32],
            epoch: Epoch(0),
            time: Time(i64::MIN),
            timers: BTreeMap::new(),
            over: BTreeSet::new(),
        }
    }

    /// When a workflow task on a sticky queue that nobody has started must go to the normal one, as history tells.
    fn sticky_until(&self) -> Option<Time> {
        let last = self.events.last()?;
        match last.attributes.as_ref()? {
            Attributes::WorkflowTaskScheduledEventAttributes(it) => {
                let queue = it.task_queue.as_ref()?;
                (queue.kind() == TaskQueueKind::Sticky).then(|| time_of(last).after(STICKY))
            }
            _ => None,
        }
    }

    fn follow(&mut self, record: &Record) {
        self.seq = record.seq;
        self.chain = record.chain;
        self.epoch = record.epoch;
        self.time = record.time;
    }
}

fn reset_from(it: &record::ResetFrom, record: &Record) -> ResetFrom {
    let events = History::decode(record.events.clone()).unwrap_or_default();
    let mut attributes = events.events.iter().filter_map(|it| it.attributes.as_ref());
    let base = attributes.find_map(|attributes| match attributes {
        Attributes::WorkflowTaskFailedEventAttributes(it) => it.base_run_id.parse().ok(),
        _ => None,
    });
    ResetFrom {
        base: base.unwrap_or_default(),
        request_id: it.request_id.clone(),
        point: usize::try_from(record.first_event_id - 1).unwrap_or_default(),
    }
}

/// Maps of a message have no order: what is encoded is compared decoded.
fn are_the_same(row: &Row, other: &Row) -> bool {
    let memo = |row: &Row| Memo::decode(row.memo.clone()).ok();
    let attributes = |row: &Row| SearchAttributes::decode(row.search_attributes.clone()).ok();
    let bare = |row: &Row| Row {
        memo: Bytes::new(),
        search_attributes: Bytes::new(),
        ..row.clone()
    };
    bare(row) == bare(other) && memo(row) == memo(other) && attributes(row) == attributes(other)
}

/// A workflow task that was there for updates alone, with an answer that rejected all of them: nobody may know of it.
///
/// One that its worker could not forget is an exception, and there are too many events for that.
fn leaves_a_trace(kept: &Kept, events: &[HistoryEvent]) -> bool {
    let attributes: Vec<_> = events
        .iter()
        .filter_map(|event| event.attributes.as_ref())
        .collect();
    let [
        Attributes::WorkflowTaskScheduledEventAttributes(it),
        Attributes::WorkflowTaskStartedEventAttributes(_),
        Attributes::WorkflowTaskCompletedEventAttributes(_),
    ] = attributes.as_slice()
    else {
        return false;
    };
    let is_started = |event: &&HistoryEvent| {
        matches!(
            event.attributes,
            Some(Attributes::WorkflowTaskStartedEventAttributes(_))
        )
    };
    let last = kept.events.iter().rev().find(is_started);
    let there = i64::try_from(kept.events.len()).unwrap_or(i64::MAX);
    let shown = there - last.map_or(0, |event| event.event_id + 1);
    it.attempt == 1 && shown <= DROPPED_EVENTS_MAX
}

pub(crate) fn time_of(event: &HistoryEvent) -> Time {
    let time = event.event_time.unwrap_or_default();
    Time(time.seconds * 1_000_000_000 + i64::from(time.nanos))
}

/// The scheduled event of an activity that ends with this one.
fn activity_end(attributes: &Attributes) -> Option<i64> {
    match attributes {
        Attributes::ActivityTaskCompletedEventAttributes(it) => Some(it.scheduled_event_id),
        Attributes::ActivityTaskFailedEventAttributes(it) => Some(it.scheduled_event_id),
        Attributes::ActivityTaskTimedOutEventAttributes(it) => Some(it.scheduled_event_id),
        Attributes::ActivityTaskCanceledEventAttributes(it) => Some(it.scheduled_event_id),
        _ => None,
    }
}
