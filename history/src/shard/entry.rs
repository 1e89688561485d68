//! What the shard knows of one workflow id: its loaded runs, which of them is current, and who waits for its turn.
//!
//! While anything of an id is loaded or in flight its entry answers, not the table. Deliberately absent: rules of a run.

use std::collections::{BTreeSet, VecDeque};

use super::tail::{self, Tail};
use super::turn::Turn;
use crate::id::{Epoch, RunId, Ticket, Time};
use crate::kind::{Kind, Successor, Transition, found_at};
use crate::log::{Parked, Record, Row, Write};
use crate::planted::{Fault, planted};
use crate::search_attribute::Term;

/// One workflow id.
#[derive(Debug)]
pub(super) struct Entry<K: Kind> {
    /// Loaded runs: the current one and perhaps others that were asked for by name.
    pub(super) runs: Vec<Cached<K>>,
    pub(super) current: Current,
    /// The number of the id's last item.
    pub(super) last: u64,
    /// Nothing may be loaded before this item is durable: the store would tell of what is no more.
    pub(super) hold: u64,
    /// Turns behind a load, in order. The load under way is for the first.
    pub(super) waiting: VecDeque<Turn<K>>,
    pub(super) load: Option<u64>,
    /// It leaves memory once its last item is durable, unless it is touched before.
    pub(super) leaving: bool,
    pub(super) touched: Time,
    /// When the cache looks at it next.
    pub(super) due: Time,
}

/// The run of an id with the largest `nth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Current {
    /// The table must be asked.
    Unknown,
    /// The id has no run.
    None,
    Run(RunId, u64),
}

impl<K: Kind> Entry<K> {
    pub(super) fn new(now: Time, due: Time) -> Self {
        Self {
            runs: Vec::new(),
            current: Current::Unknown,
            last: 0,
            hold: 0,
            waiting: VecDeque::new(),
            load: None,
            leaving: false,
            touched: now,
            due,
        }
    }

    pub(super) fn run(&self, run: RunId) -> Option<&Cached<K>> {
        self.runs.iter().find(|cached| cached.run == run)
    }

    pub(super) fn run_mut(&mut self, run: RunId) -> Option<&mut Cached<K>> {
        self.runs.iter_mut().find(|cached| cached.run == run)
    }

    /// Are all its runs closed that are here?
    pub(super) fn is_over(&self) -> bool {
        !self.runs.is_empty() && self.runs.iter().all(|cached| !K::is_open(&cached.state))
    }

    /// The row of the loaded run that a start request began.
    pub(super) fn began_by(&self, start_request_id: &str) -> Option<Row> {
        let begun = |cached: &&Cached<K>| &*cached.start_request_id == start_request_id;
        self.runs.iter().find(begun).map(Cached::row)
    }

    /// Could the table know of runs of the id that are not here?
    pub(super) fn has_others(&self) -> bool {
        match self.current {
            Current::Unknown => true,
            Current::None => false,
            Current::Run(_, nth) => (self.runs.len() as u64) < nth,
        }
    }

    /// Which run of the id a new one would be.
    pub(super) fn next_nth(&self) -> u64 {
        let loaded = self.runs.iter().map(|cached| cached.nth).max();
        match self.current {
            Current::Run(_, nth) => nth + 1,
            Current::None | Current::Unknown => loaded.unwrap_or(0) + 1,
        }
    }

    /// Must whoever comes now wait for its turn?
    pub(super) fn is_blocked(&self, durable: u64) -> bool {
        self.load.is_some() || self.hold > durable || !self.waiting.is_empty()
    }
}

/// `runs.wake_at` as queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WakeAt {
    /// It was loaded, and nobody knows.
    Unknown,
    /// 0: whoever takes the shard over must look at the run.
    Hot,
    /// A checkpoint was queued and no transition since.
    At(Option<Time>),
}

/// A loaded run: the fold of its log up to the head.
#[derive(Debug)]
pub(super) struct Cached<K: Kind> {
    pub(super) run: RunId,
    pub(super) nth: u64,
    pub(super) start_request_id: Box<str>,
    pub(super) state: K::State,
    pub(super) volatile: K::Volatile,
    pub(super) seq: u64,
    pub(super) chain: [u8; 32],
    /// The time of the last record.
    pub(super) time: Time,
    pub(super) tail: Tail,
    /// What the table will say when everything queued is durable.
    pub(super) wake_at: WakeAt,
    /// Rows that are known to be parked for it.
    pub(super) parked: Vec<Parked>,
    /// Records and their bytes since the last snapshot.
    pub(super) fresh_records: u64,
    pub(super) fresh_bytes: usize,
    /// When it is to be woken, as armed.
    pub(super) wake: Option<Time>,
    /// It owes something to other runs: it stays until that is delivered.
    pub(super) owes: bool,
    /// Askers in the volatile part.
    pub(super) askers: BTreeSet<Ticket>,
    /// What it weighs in the cache.
    pub(super) weight: usize,
}

impl<K: Kind> Cached<K> {
    /// The row as the table will have it.
    pub(super) fn row(&self) -> Row {
        Row {
            nth: self.nth,
            ..K::row(&self.state)
        }
    }

    /// A new run, and the writes that begin it: what it has of another run first, its row last.
    pub(super) fn begin(
        successor: Successor<K>,
        nth: u64,
        epoch: Epoch,
        number: u64,
        writes: &mut Vec<Write>,
    ) -> Self {
        let Successor {
            run,
            behind,
            transition,
            volatile,
        } = successor;
        let (seq, time, chain) = behind.last().map_or((0, transition.time, [0; 32]), |last| {
            (last.seq, transition.time.max(last.time), last.chain)
        });
        let record = record(&transition, seq + 1, time, epoch, &chain);
        check_begin::<K>(run, &behind, &record, &transition.state);
        let row = K::row(&transition.state);
        // A new run is found by nothing yet.
        let terms = transition.searchable.then(|| K::terms(&transition.state));
        let terms = terms.filter(|terms| !terms.is_empty());
        let mut cached = Self {
            run,
            nth,
            start_request_id: row.start_request_id.clone().into_boxed_str(),
            state: transition.state,
            volatile,
            seq: 0,
            chain: [0; 32],
            time: record.time,
            tail: Tail::default(),
            wake_at: WakeAt::Hot,
            parked: Vec::new(),
            fresh_records: 0,
            fresh_bytes: 0,
            wake: None,
            owes: false,
            askers: BTreeSet::new(),
            weight: 0,
        };
        writes.extend(behind.into_iter().map(|record| cached.copy(record, number)));
        writes.push(cached.write(record, Some(Row { nth, ..row }), terms, number));
        cached
    }

    /// The write of a record of another run, which names none.
    fn copy(&mut self, record: Record, number: u64) -> Write {
        self.fresh_records += 1;
        self.fresh_bytes += record.events.len() + record.changes.len();
        self.tail.push(&record, number);
        Write::Append {
            run: self.run,
            record,
            row: None,
            terms: None,
            wake_at: None,
        }
    }

    /// The head moves by one transition; the write that makes it durable.
    pub(super) fn append(&mut self, transition: Transition<K>, epoch: Epoch, number: u64) -> Write {
        let time = transition.time.max(self.time);
        let record = record(&transition, self.seq + 1, time, epoch, &self.chain);
        check_fold::<K>(Some(&self.state), self.run, &record, &transition.state);
        let closes = K::is_open(&self.state) && !K::is_open(&transition.state);
        self.state = transition.state;
        let row = (transition.visible || closes).then(|| self.row());
        let terms = transition.searchable.then(|| K::terms(&self.state));
        self.write(record, row, terms, number)
    }

    fn write(
        &mut self,
        record: Record,
        row: Option<Row>,
        terms: Option<Vec<Term>>,
        number: u64,
    ) -> Write {
        self.seq = record.seq;
        self.chain = record.chain;
        self.time = record.time;
        self.fresh_records += 1;
        self.fresh_bytes += record.events.len() + record.changes.len();
        self.tail.push(&record, number);
        let wake_at = self.move_wake_at();
        Write::Append {
            run: self.run,
            record,
            row,
            terms,
            wake_at,
        }
    }

    /// Is it closed, and has its time passed?
    pub(super) fn expired(&self, now: Time) -> bool {
        !K::is_open(&self.state) && K::expired(&self.state, now)
    }

    /// What a transition writes as `wake_at`. The first one behind a checkpoint (as queued, not as committed) makes the run hot
    /// again; a closed run is found again when its retention has passed.
    fn move_wake_at(&mut self) -> Option<Time> {
        if K::is_open(&self.state) {
            let before = std::mem::replace(&mut self.wake_at, WakeAt::Hot);
            (before != WakeAt::Hot && !planted(Fault::CheckpointOvertakes)).then_some(Time(0))
        } else {
            let wake = found_at::<K>(&self.state, &self.volatile);
            self.wake_at = WakeAt::At(wake);
            wake
        }
    }
}

/// The record of a transition. Events are encoded once, here.
fn record<K: Kind>(
    transition: &Transition<K>,
    seq: u64,
    time: Time,
    epoch: Epoch,
    chain: &[u8; 32],
) -> Record {
    let mut record = Record {
        seq,
        epoch,
        time,
        first_event_id: transition.first_event_id,
        event_count: u32::try_from(transition.events.len()).unwrap_or(u32::MAX),
        events: tail::encode(&transition.events),
        changes: transition.changes.clone(),
        chain: [0; 32],
    };
    record.chain = record.chained(chain);
    record
}

/// The same for a new run.
fn check_begin<K: Kind>(run: RunId, behind: &[Record], record: &Record, live: &K::State) {
    if cfg!(debug_assertions) {
        let before = behind
            .iter()
            .try_fold(None, |state, record| K::apply(state, run, record).map(Some));
        assert!(
            before.is_ok(),
            "what was copied cannot be folded: {before:?}"
        );
        check_fold::<K>(before.ok().flatten().as_ref(), run, record, live);
    }
}

/// The live state must be what the log folds to. Too dear for production, where `load` finds out.
fn check_fold<K: Kind>(state: Option<&K::State>, run: RunId, record: &Record, live: &K::State) {
    if cfg!(debug_assertions) && !planted(Fault::BufferedEventDropped) {
        let folded = K::apply(state.cloned(), run, record);
        assert_eq!(
            folded.as_ref(),
            Ok(live),
            "the live state is not the fold of its log"
        );
    }
}
