//! Who is to be woken when.
//!
//! Of loaded runs every wake-up is here. Of the others those up to a horizon, bounded in number: what lies behind it is in the
//! table and read in time. Deliberately absent: what a wake-up leads to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::recover::Loading;
use super::turn::Turn;
use super::{Config, Load, Output, Shard};
use crate::execution::Limits;
use crate::id::{Key, RunId, Time};
use crate::kind::Kind;
use crate::log::WakeUp;

/// How many runs one tick wakes at most.
const WAKES_PER_TICK: usize = 1_000;

/// Wake-ups in memory, in order.
#[derive(Debug)]
pub(super) struct Wakes {
    /// Of loaded runs.
    loaded: Line,
    /// Of runs that are not loaded, as stored.
    asleep: Line,
    times: BTreeMap<RunId, Time>,
    /// Of runs that are not loaded and that the table may not show at this time: nothing but memory knows of them.
    pinned: Line,
    /// Every stored wake-up up to here is in memory. `None`: nothing was read yet.
    known: Option<(Time, RunId)>,
    /// There may be more behind `known` and before the horizon of the last read.
    more: bool,
    /// The horizon of the read under way.
    reading: Option<Time>,
    /// The earliest that was left to the table since that began: what it brings is not all that there is up to its horizon.
    left_out: Option<(Time, RunId)>,
    /// Not before this time.
    retry: Time,
    count_max: usize,
    horizon: Duration,
}

type Line = BTreeMap<(Time, RunId), Arc<Key>>;

impl Wakes {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            loaded: Line::new(),
            asleep: Line::new(),
            times: BTreeMap::new(),
            pinned: Line::new(),
            known: None,
            more: true,
            reading: None,
            left_out: None,
            retry: Time::default(),
            count_max: config.wake_ups_max.max(1),
            horizon: config.horizon,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.loaded.len() + self.asleep.len() + self.pinned.len()
    }

    /// A loaded run wakes at another time than it did.
    pub(super) fn arm(&mut self, key: &Arc<Key>, run: RunId, old: Option<Time>, new: Option<Time>) {
        if let Some(old) = old {
            self.loaded.remove(&(old, run));
        }
        if let Some(new) = new {
            self.loaded.insert((new, run), Arc::clone(key));
        }
    }

    /// A loaded run leaves memory.
    pub(super) fn disarm(&mut self, run: RunId, old: Time) {
        self.loaded.remove(&(old, run));
    }

    /// A run left memory; the table has `stored` for it. Before the horizon memory must know, behind it a later read will.
    pub(super) fn sleep(&mut self, key: &Arc<Key>, run: RunId, stored: Time) {
        let known = self.known.is_some_and(|known| (stored, run) <= known);
        let being_read = self.reading.is_some_and(|horizon| stored <= horizon);
        if known || being_read {
            self.insert(key, run, stored);
            self.shrink();
        }
    }

    /// A run that is not loaded must be looked at, whatever the table says.
    pub(super) fn pin(&mut self, key: &Arc<Key>, run: RunId, time: Time) {
        self.pinned.insert((time, run), Arc::clone(key));
    }

    /// A run is loaded now, or no more. What the table had for it, if that is known.
    pub(super) fn forget(&mut self, run: RunId) -> Option<Time> {
        let time = self.times.remove(&run)?;
        self.asleep.remove(&(time, run));
        Some(time)
    }

    fn insert(&mut self, key: &Arc<Key>, run: RunId, time: Time) {
        self.forget(run);
        self.times.insert(run, time);
        self.asleep.insert((time, run), Arc::clone(key));
    }

    /// Too many: the latest are left to the table, and the horizon comes nearer.
    fn shrink(&mut self) {
        while self.asleep.len() > self.count_max
            && let Some((latest, _)) = self.asleep.pop_last()
        {
            self.times.remove(&latest.1);
            if self.reading.is_some() {
                self.left_out = Some(self.left_out.map_or(latest, |it| it.min(latest)));
            }
            self.known = self
                .asleep
                .last_key_value()
                .map(|(last, _)| *last)
                .min(self.known);
            self.more = true;
        }
    }

    /// When wake-ups are to be read. `None`: not before something else happened.
    pub(super) fn next_read(&self) -> Option<Time> {
        let (known, _) = match self.known {
            _ if self.reading.is_some() => return None,
            None => return Some(self.retry),
            Some(known) => known,
        };
        if !self.more {
            let early = i64::try_from(self.horizon.as_nanos() / 2).unwrap_or(i64::MAX);
            Some(Time(known.0.saturating_sub(early)).max(self.retry))
        } else if self.asleep.len() * 2 <= self.count_max {
            Some(self.retry)
        } else {
            None
        }
    }

    fn read(&mut self, rows: Vec<WakeUp>, limit: usize, is_known: impl Fn(RunId) -> bool) {
        const LAST: RunId = RunId([u8::MAX; 16]);
        let Some(horizon) = self.reading.take() else {
            return;
        };
        self.more = rows.len() >= limit;
        let last = rows.last().map(|row| (row.time, row.run));
        self.known = match last {
            Some(last) if self.more => Some(last),
            _ => Some((horizon, LAST)),
        };
        for row in rows {
            if is_known(row.run) || self.times.contains_key(&row.run) {
                continue;
            }
            let key = Arc::new(Key {
                namespace: row.namespace,
                workflow_id: row.workflow_id,
            });
            self.insert(&key, row.run, row.time);
        }
        if let Some(left_out) = self.left_out.take() {
            let before = self.asleep.range(..left_out).next_back();
            self.known = self.known.min(before.map(|(it, _)| *it));
            self.more = true;
        }
        self.shrink();
    }

    fn first(line: &Line) -> Option<Time> {
        line.first_key_value().map(|((time, _), _)| *time)
    }

    fn pop(line: &mut Line, now: Time) -> Option<(RunId, Arc<Key>)> {
        let entry = line.first_entry()?;
        let (time, run) = *entry.key();
        (time <= now).then(|| (run, entry.remove()))
    }
}

impl<K: Kind> Shard<K> {
    /// Wakes whoever is due; loads those that are not here.
    pub(super) fn wake_due(&mut self, limits: &Limits, out: &mut Vec<Output<K>>) {
        for _ in 0..WAKES_PER_TICK {
            if self.busy() {
                return;
            }
            let Some((run, key)) = Wakes::pop(&mut self.wakes.loaded, self.now) else {
                break;
            };
            let cached = self
                .entries
                .get_mut(&key)
                .and_then(|entry| entry.run_mut(run));
            if let Some(cached) = cached {
                cached.wake = None;
                self.enqueue(&key, Turn::wake(run), limits, out);
            }
        }
        while !self.busy()
            && self.background() < self.loads_max()
            && let Some((run, key)) = self.next_asleep()
        {
            if self.quarantined.contains(&run) {
                continue;
            }
            let key = self.entry(Key::clone(&key));
            self.enqueue(&key, Turn::wake(run), limits, out);
        }
    }

    fn next_asleep(&mut self) -> Option<(RunId, Arc<Key>)> {
        if let Some(pinned) = Wakes::pop(&mut self.wakes.pinned, self.now) {
            return Some(pinned);
        }
        Wakes::pop(&mut self.wakes.asleep, self.now)
    }

    /// When somebody is due that can be woken.
    pub(super) fn next_wake_up(&self) -> Option<Time> {
        if self.busy() {
            return None;
        }
        let others = self.background() < self.loads_max();
        let others = others
            .then(|| {
                [
                    Wakes::first(&self.wakes.asleep),
                    Wakes::first(&self.wakes.pinned),
                ]
            })
            .into_iter()
            .flatten();
        others
            .chain([Wakes::first(&self.wakes.loaded)])
            .flatten()
            .min()
    }

    /// Reads the next wake-ups from the table if it is time; the first time this is the recovery.
    pub(super) fn read_wake_ups(&mut self, out: &mut Vec<Output<K>>) {
        if self.wakes.next_read().is_none_or(|time| time > self.now) {
            return;
        }
        let after = self.wakes.known;
        let horizon = self.now.after(self.config.horizon);
        let limit = self.config.page_max.max(1);
        self.wakes.reading = Some(horizon);
        let load = self.load(Loading::WakeUps { limit });
        out.push(Output::Load(Load::WakeUps {
            load,
            horizon,
            after,
            limit,
        }));
    }

    pub(super) fn loaded_wake_ups(&mut self, rows: Vec<WakeUp>, limit: usize) {
        let (loaded, quarantined, cache) = (&self.loaded, &self.quarantined, &self.cache);
        // What left since the read began is known better than the read can know it.
        let is_known = |run| {
            loaded.contains_key(&run) || quarantined.contains(&run) || cache.left_meanwhile(run)
        };
        self.wakes.read(rows, limit, is_known);
    }

    pub(super) fn failed_wake_ups(&mut self) {
        self.wakes.reading = None;
        self.wakes.left_out = None;
        self.wakes.retry = self.now.after(self.config.retry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NamespaceId;

    const HORIZON: Time = Time(100);

    fn run(number: u8) -> RunId {
        RunId([number; 16])
    }

    fn key() -> Arc<Key> {
        Arc::new(Key {
            namespace: NamespaceId([7; 16]),
            workflow_id: "w".to_owned(),
        })
    }

    fn row(time: i64, number: u8) -> WakeUp {
        WakeUp {
            time: Time(time),
            run: run(number),
            namespace: NamespaceId([7; 16]),
            workflow_id: "w".to_owned(),
        }
    }

    /// Room for two; 10 and 50 are known, and a read of what lies behind them is under way.
    fn reading() -> Wakes {
        let mut wakes = Wakes::new(&Config {
            wake_ups_max: 2,
            ..Config::default()
        });
        wakes.reading = Some(HORIZON);
        wakes.read(vec![row(10, 1), row(50, 5)], 2, |_| false);
        assert_eq!(wakes.known, Some((Time(50), run(5))));
        wakes.reading = Some(HORIZON);
        wakes
    }

    #[test]
    fn what_is_left_out_while_a_read_is_under_way_is_read_again() {
        let mut wakes = reading();
        wakes.sleep(&key(), run(2), Time(20)); // 50 is one too many now.
        wakes.read(Vec::new(), 2, |_| false);
        assert_eq!(wakes.known, Some((Time(20), run(2))));
        assert!(wakes.more, "there is 50, which only the table knows");
    }

    #[test]
    fn a_read_during_which_nothing_is_left_out_reaches_its_horizon() {
        let mut wakes = reading();
        wakes.read(vec![row(60, 6)], 2, |_| false);
        assert_eq!(wakes.known, Some((Time(50), run(5))), "60 was one too many");
        let mut wakes = reading();
        wakes.read(Vec::new(), 2, |_| false);
        assert_eq!(wakes.known.map(|(time, _)| time), Some(HORIZON));
    }
}
