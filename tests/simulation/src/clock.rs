//! The clock of a node: off by something, faster or slower than the world's, and set now and then. It never steps back for whoever
//! reads it.

use std::time::Duration;

use cairn_history::id::Time;

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// The world's time and this clock's when it was last set.
    since: Time,
    then: i64,
    /// Gained per million.
    drift: i64,
    shown: i64,
}

impl Clock {
    pub(crate) fn new(now: Time, offset: i64, drift: i64) -> Self {
        Self {
            since: now,
            then: now.0 + offset,
            drift,
            shown: i64::MIN,
        }
    }

    fn at(&self, now: Time) -> i64 {
        let passed = now.0 - self.since.0;
        self.then + passed + passed / 1_000_000 * self.drift
    }

    pub(crate) fn read(&mut self, now: Time) -> Time {
        self.shown = self.shown.max(self.at(now));
        Time(self.shown)
    }

    pub(crate) fn step(&mut self, now: Time, by: i64) {
        self.then = self.at(now) + by;
        self.since = now;
    }

    /// How far off it is.
    pub(crate) fn error(&self, now: Time) -> Duration {
        Duration::from_nanos((self.at(now) - now.0).unsigned_abs())
    }

    /// Does it go wrong, or is it?
    pub(crate) fn is_off(&self, now: Time) -> bool {
        self.drift != 0 || self.error(now) > Duration::from_secs(1)
    }

    /// How long the world takes until this clock shows `time`.
    pub(crate) fn until(&self, now: Time, time: Time) -> Duration {
        let left = u64::try_from(time.0.saturating_sub(self.at(now))).unwrap_or(0);
        // A slow clock needs longer; a little more never hurts.
        let slower = u64::try_from(-self.drift).unwrap_or(0);
        Duration::from_nanos(
            left.saturating_add(left / 1_000_000 * slower)
                .saturating_add(1_000),
        )
    }
}
