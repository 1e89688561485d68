//! What is read back from the store: runs, events, wake-ups, parked offers.
//!
//! A load begins because a turn lacks something, and ends with that turn being taken. Deliberately absent: the fold of a log (`fold`)
//! and the reads themselves, which the shell does.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_proto::temporal::api::history::v1::HistoryEvent;

use super::entry::{Cached, Current};
use super::turn::{Turn, What};
use super::{Load, Loaded, Output, Shard};
use crate::execution::Limits;
use crate::id::{Epoch, Key, RunId, Time};
use crate::kind::{Illegal, Kind, Queue, Unavailable};
use crate::log::{Found, Parked, ReadError, Row, Stored};
use crate::planted::{Fault, planted};

/// What a turn lacks.
#[derive(Debug)]
pub(super) enum Need {
    Id {
        run: Option<RunId>,
        start_request_id: Option<String>,
    },
    Events {
        run: RunId,
        ids: Vec<i64>,
    },
}

/// A load under way.
#[derive(Debug)]
pub(super) enum Loading {
    /// For the first turn that waits at an id. `background`: nobody asked.
    Turn {
        key: Arc<Key>,
        background: bool,
    },
    Look {
        parked: Parked,
    },
    WakeUps {
        limit: usize,
    },
    Parked {
        queue: Queue,
        limit: usize,
    },
}

/// Loads under way, by number.
#[derive(Debug, Default)]
pub(super) struct Loads {
    under_way: BTreeMap<u64, Loading>,
    last: u64,
    background: usize,
    /// Those whose result may be older than what left memory meanwhile.
    looking: usize,
}

impl Loading {
    fn is_background(&self) -> bool {
        match self {
            Self::Turn { background, .. } => *background,
            Self::Look { .. } => true,
            Self::WakeUps { .. } | Self::Parked { .. } => false,
        }
    }

    fn is_looking(&self) -> bool {
        match self {
            Self::Look { .. } | Self::WakeUps { .. } => true,
            Self::Turn { .. } | Self::Parked { .. } => false,
        }
    }
}

impl Loads {
    /// No number of an earlier owner comes again: what it asked for may still come back.
    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            last: epoch.0 << 32,
            ..Self::default()
        }
    }

    fn begin(&mut self, loading: Loading) -> u64 {
        self.last += 1;
        self.background += usize::from(loading.is_background());
        self.looking += usize::from(loading.is_looking());
        self.under_way.insert(self.last, loading);
        self.last
    }

    pub(super) fn end(&mut self, load: u64) -> Option<Loading> {
        let loading = self.under_way.remove(&load)?;
        self.background -= usize::from(loading.is_background());
        self.looking -= usize::from(loading.is_looking());
        Some(loading)
    }
}

impl<K: Kind> Shard<K> {
    /// A load came back.
    pub fn loaded(
        &mut self,
        load: u64,
        loaded: Loaded,
        now: Time,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) {
        self.advance(now);
        // A load that was given up (its id was refused, the shard dropped) is nobody's.
        let Some(loading) = self.loads.end(load) else {
            return;
        };
        match (loading, loaded) {
            (loading, Loaded::Failed(error)) => self.failed(loading, &error, limits, out),
            (Loading::Turn { key, .. }, Loaded::Id { found, stored }) => {
                self.loaded_id(&key, found, stored, out);
                self.drain(&key, limits, out);
            }
            (Loading::Turn { key, .. }, Loaded::Events(events)) => {
                self.loaded_events(&key, events);
                self.drain(&key, limits, out);
            }
            (Loading::Look { parked }, Loaded::Run(stored)) => {
                self.loaded_look(parked, stored, limits, out);
            }
            (Loading::WakeUps { limit }, Loaded::WakeUps(rows)) => {
                self.loaded_wake_ups(rows, limit);
            }
            (Loading::Parked { queue, limit }, Loaded::Parked(rows)) => {
                self.loaded_parked(&queue, limit, rows, limits, out);
            }
            (loading, _) => {
                let error = ReadError::Corrupt("another load's result".to_owned());
                self.failed(loading, &error, limits, out);
            }
        }
        if !self.looks_under_way() {
            self.cache.nothing_left();
        }
        self.look(limits, out);
        self.evict(out);
    }

    /// Begins what a turn waits for, unless the store would still tell of what is no more.
    pub(super) fn begin(&mut self, key: &Arc<Key>, need: Need, out: &mut Vec<Output<K>>) {
        let durable = self.head.durable();
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if entry.hold > durable || entry.load.is_some() {
            return;
        }
        let front = entry.waiting.front();
        let background = front.is_some_and(|turn| turn.ticket().is_none());
        let load = self.loads.begin(Loading::Turn {
            key: Arc::clone(key),
            background,
        });
        entry.load = Some(load);
        out.push(Output::Load(match need {
            Need::Id {
                run,
                start_request_id,
            } => Load::Id {
                load,
                key: Key::clone(key),
                run,
                start_request_id,
            },
            Need::Events { run, ids } => Load::Events { load, run, ids },
        }));
    }

    pub(super) fn load(&mut self, loading: Loading) -> u64 {
        self.loads.begin(loading)
    }

    /// Loads under way that nobody asked for.
    pub(super) fn background(&self) -> usize {
        self.loads.background
    }

    pub(super) fn looks_under_way(&self) -> bool {
        self.loads.looking > 0
    }

    /// An item of an id is durable: the id may leave, or what waited for that may be loaded.
    pub(super) fn durable(&mut self, key: &Arc<Key>, number: u64, out: &mut Vec<Output<K>>) {
        let Some(entry) = self.entries.get(key) else {
            return;
        };
        if entry.last > number {
            return;
        }
        if entry.leaving {
            self.leave(key);
        } else if entry.load.is_some() {
        } else if let Some(turn) = entry.waiting.front() {
            let need = turn.need_id();
            self.begin(key, need, out);
        } else {
            self.drop_if_bare(key);
        }
    }

    fn loaded_id(
        &mut self,
        key: &Arc<Key>,
        found: Found,
        stored: Option<Box<Stored>>,
        out: &mut Vec<Output<K>>,
    ) {
        let own = |row: &Row| row.namespace == key.namespace && row.workflow_id == key.workflow_id;
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.load = None;
        if let Some(turn) = entry.waiting.front_mut() {
            turn.looked = true;
            turn.repeated = found.repeated.filter(own);
        }
        match found.current.filter(own) {
            Some(row) => self.found_current(key, &row),
            None if entry.current == Current::Unknown => entry.current = Current::None,
            None => {}
        }
        // A run of another id is none of ours, whoever names it.
        if let Some(stored) = stored.filter(|stored| own(&stored.row)) {
            self.insert(key, stored.row.run, *stored, out);
        }
    }

    fn loaded_events(&mut self, key: &Arc<Key>, events: Vec<HistoryEvent>) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.load = None;
        if let Some(turn) = entry.waiting.front_mut() {
            turn.events.extend(events);
        }
    }

    /// What the table says of the current run; memory knows better if it knows.
    pub(super) fn found_current(&mut self, key: &Arc<Key>, row: &Row) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.current == Current::Unknown
        {
            entry.current = Current::Run(row.run, row.nth);
        }
    }

    /// A run that was read becomes loaded, unless it is or cannot be. What it owes is offered again. The caller drains the id.
    pub(super) fn insert(
        &mut self,
        key: &Arc<Key>,
        run: RunId,
        stored: Stored,
        out: &mut Vec<Output<K>>,
    ) {
        if self.quarantined.contains(&run) || self.loaded.contains_key(&run) {
            return;
        }
        match Cached::<K>::fold(key, stored) {
            Ok(mut cached) => {
                let before = self.wakes.forget(run);
                cached.wake_at = cached.found_wake(before);
                self.cache.runs += 1;
                self.loaded.insert(run, Arc::clone(key));
                let wake = K::next_wake(&cached.state, &cached.volatile);
                let Some(entry) = self.entries.get_mut(key) else {
                    return;
                };
                entry.touched = self.now;
                entry.runs.push(cached);
                if wake.is_some_and(|wake| wake <= self.now) {
                    // Whatever is due happened before whoever asks now.
                    entry.waiting.push_front(Turn::wake(run));
                    self.waiting += 1;
                } else {
                    let before = out.len();
                    self.settle(key, run, out);
                    if planted(Fault::OfferNotMadeAgain) {
                        let offers =
                            |output: &mut Output<K>| matches!(output, Output::Offer { .. });
                        out.extract_if(before.., offers).for_each(drop);
                    }
                }
            }
            Err(Illegal(why)) => self.quarantine(run, why, out),
        }
    }

    /// Sets a run aside. Its neighbours go on.
    pub(super) fn quarantine(&mut self, run: RunId, why: String, out: &mut Vec<Output<K>>) {
        self.gone(Some(run), out);
        if self.quarantined.insert(run) {
            out.push(Output::Quarantined(run, why));
        }
    }

    /// A read could not be done: who asked is told so, what nobody asked for is tried again later.
    fn failed(
        &mut self,
        loading: Loading,
        error: &ReadError,
        limits: &Limits,
        out: &mut Vec<Output<K>>,
    ) {
        match loading {
            Loading::Turn { key, .. } => self.failed_turns(&key, error, out),
            Loading::Look { parked } => {
                if let ReadError::Corrupt(why) = error {
                    self.quarantine(parked.run, why.clone(), out);
                    self.look_over(&parked.queue, out);
                } else {
                    self.put_back(&parked, out);
                }
            }
            Loading::WakeUps { .. } => self.failed_wake_ups(),
            Loading::Parked { queue, .. } => self.failed_parked(queue),
        }
        self.look(limits, out);
    }

    fn failed_turns(&mut self, key: &Arc<Key>, error: &ReadError, out: &mut Vec<Output<K>>) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if !planted(Fault::LockLeakedOnLoadError) {
            entry.load = None;
        }
        let turns = std::mem::take(&mut entry.waiting);
        self.waiting -= turns.len();
        let why = match (error, turns.front().and_then(|turn| turn.run)) {
            (ReadError::Corrupt(why), Some(run)) if entry.run(run).is_none() => {
                self.quarantine(run, why.clone(), out);
                Unavailable::Quarantined
            }
            _ => Unavailable::Store,
        };
        for turn in turns {
            if let Some(ticket) = turn.ticket() {
                self.askers.remove(&ticket);
            }
            self.retry_turn(key, turn, why, out);
        }
        self.drop_if_bare(key);
    }

    fn retry_turn(
        &mut self,
        key: &Arc<Key>,
        turn: Turn<K>,
        why: Unavailable,
        out: &mut Vec<Output<K>>,
    ) {
        match turn.what {
            What::Question(..) => self.fail_turn(turn, why, out),
            What::Wake => {
                if let Some(run) = turn.run.filter(|run| !self.quarantined.contains(run)) {
                    let later = self.now.after(self.config.retry);
                    self.wakes.pin(key, run, later);
                }
            }
            What::Look(parked) => self.put_back(&parked, out),
            What::Send(effect) | What::Delivered(effect, _) => self.send_later(turn.run, &effect),
        }
    }
}
