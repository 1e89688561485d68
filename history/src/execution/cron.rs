//! Cron schedules: what they say, and when they next come.
//!
//! Five fields, `@every`, `@daily` and its like, behind an optional zone (`CRON_TZ=Europe/Berlin`); without one in UTC. The rules are those that
//! the protocol's users know: a day comes if both day fields match, or, where both are restricted, if one of them does; an hour that a zone
//! skips does not come that day, one that it repeats comes twice.
//!
//! Deliberately absent: a clock. Zones are those that were compiled in, on every node the same.

use std::time::Duration;

use jiff::civil::{Date, Time as Clock};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

use crate::id::Time;

mod parse;

/// A schedule that can be read.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// Whole seconds from one time to the next.
    Every(i64),
    Calendar(Box<Calendar>),
}

/// Which minutes come.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// The values that a field stands for.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    /// A bit for each value.
    values: u64,
    /// It restricts nothing.
    any: bool,
}

impl Field {
    fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.values & (1 << value) != 0)
    }

    fn all(self) -> impl Iterator<Item = i8> {
        (0..60).filter(move |value| self.has(*value))
    }
}

/// How many years ahead a time is looked for.
const YEARS_MAX: i16 = 5;

impl Schedule {
    /// Reads a schedule. `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        parse::schedule(text)
    }

    /// The first time behind `after`, and not before `earliest`. `None`: none for years.
    fn next(&self, after: Time, earliest: Time) -> Option<Time> {
        let begin = seconds(after) + 1;
        match self {
            Self::Every(interval) => {
                let late = ceil_seconds(earliest).saturating_sub(seconds(after));
                let steps = late.saturating_add(interval - 1).div_euclid(*interval);
                Some(at(seconds(after) + interval * steps.max(1)))
            }
            Self::Calendar(calendar) => calendar.next(begin.max(ceil_seconds(earliest))).map(at),
        }
    }

    /// Does it ever come, seen from `now`?
    pub fn comes(&self, now: Time) -> bool {
        self.next(now, now).is_some()
    }

    /// How long the next run of a schedule waits, if the last one was due at `due`: to the next time that has not passed, in whole seconds.
    pub(crate) fn backoff(&self, due: Time, now: Time) -> Option<Duration> {
        let next = if now < due { due } else { self.next(due, now)? };
        let wait = next.since(now);
        let more = u64::from(wait.subsec_nanos() > 0);
        Some(Duration::from_secs(wait.as_secs() + more))
    }
}

/// How long the next run of a schedule waits. `None`: there is no schedule, or none that comes.
pub(crate) fn backoff(schedule: &str, due: Time, now: Time) -> Option<Duration> {
    if schedule.is_empty() {
        return None;
    }
    Schedule::parse(schedule)?.backoff(due, now)
}

impl Calendar {
    /// The first second from `begin` on at which it comes.
    fn next(&self, begin: i64) -> Option<i64> {
        let first = self
            .zone
            .to_datetime(Timestamp::from_second(begin).ok()?)
            .date();
        let last = first.year().checked_add(YEARS_MAX)?;
        let mut date = first;
        while date.year() <= last {
            if !self.months.has(date.month()) {
                date = date.first_of_month().checked_add(1.month()).ok()?;
                continue;
            }
            if self.comes_on(date)
                && let Some(second) = self.first_of_day(date, begin)
            {
                return Some(second);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn comes_on(&self, date: Date) -> bool {
        let day = self.days.has(date.day());
        let weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset());
        if self.days.any || self.weekdays.any {
            day && weekday
        } else {
            day || weekday
        }
    }

    /// The first second of a day, from `begin` on. On a day with a change of the clocks their order is not that of the clock.
    fn first_of_day(&self, date: Date, begin: i64) -> Option<i64> {
        let clocks = self
            .hours
            .all()
            .flat_map(|hour| self.minutes.all().map(move |minute| (hour, minute)));
        let mut seconds = clocks
            .filter_map(|(hour, minute)| Clock::new(hour, minute, 0, 0).ok())
            .flat_map(|clock| self.seconds(date, clock))
            .flatten()
            .filter(|second| *second >= begin);
        if self.is_steady(date) {
            seconds.next()
        } else {
            seconds.min()
        }
    }

    /// The clocks do not change on this day.
    fn is_steady(&self, date: Date) -> bool {
        let offset = |date: Date| {
            self.zone
                .to_ambiguous_timestamp(date.to_datetime(Clock::midnight()))
        };
        let tomorrow = date.tomorrow().ok().map(offset);
        match (offset(date).offset(), tomorrow.map(|it| it.offset())) {
            (
                AmbiguousOffset::Unambiguous { offset: today },
                Some(AmbiguousOffset::Unambiguous { offset: tomorrow }),
            ) => today == tomorrow,
            _ => false,
        }
    }

    /// When a clock shows this: once, twice, or not at all.
    fn seconds(&self, date: Date, clock: Clock) -> [Option<i64>; 2] {
        let shown = date.to_datetime(clock);
        let second = |offset: jiff::tz::Offset| Some(offset.to_timestamp(shown).ok()?.as_second());
        match self.zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => [second(offset), None],
            AmbiguousOffset::Gap { .. } => [None, None],
            AmbiguousOffset::Fold { before, after } => [second(before), second(after)],
        }
    }
}

/// A zone by its name, spelled as it is.
fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "" | "UTC" | "Local") {
        return Some(TimeZone::UTC);
    }
    let zone = TimeZoneDatabase::bundled().get(name).ok()?;
    (zone.iana_name() == Some(name)).then_some(zone)
}

const NANOS: i64 = 1_000_000_000;

fn at(seconds: i64) -> Time {
    Time(seconds.saturating_mul(NANOS))
}

fn seconds(time: Time) -> i64 {
    time.0.div_euclid(NANOS)
}

fn ceil_seconds(time: Time) -> i64 {
    time.0.div_euclid(NANOS) + i64::from(time.0.rem_euclid(NANOS) > 0)
}

#[cfg(test)]
mod tests;
