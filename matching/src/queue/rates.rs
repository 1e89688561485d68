//! How fast: the rate at which tasks come and go, and the limit on how fast they may go.
//!
//! Both are driven by the time in the question. The limit is a token bucket kept as one number, the time at which it would
//! be full again, so that nothing has to be refilled.

use super::Time;

const SLOTS: usize = 6;
const SLOTS_SIGNED: i64 = 6;
/// Nanoseconds of one slot: five seconds.
const SLOT: i64 = 5_000_000_000;

/// How many of something happened in the last 30 seconds.
#[derive(Clone, Debug)]
pub(super) struct Window {
    counts: [u64; SLOTS],
    /// The slot of time that the newest count is for.
    slot: i64,
    since: Time,
}

impl Window {
    pub(super) fn new(now: Time) -> Self {
        Self {
            counts: [0; SLOTS],
            slot: slot(now),
            since: now,
        }
    }

    pub(super) fn add(&mut self, now: Time) {
        self.turn(now);
        self.counts[index(self.slot)] += 1;
    }

    /// Per second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate shown to people and compared by tenths"
    )]
    pub(super) fn rate(&self, now: Time) -> f32 {
        let mut seen = self.clone();
        seen.turn(now);
        // The oldest slots are whole; a window younger than its length is divided by its age, but never by next to nothing.
        let begun = SLOT * (seen.slot - SLOTS_SIGNED + 1);
        let since = Time(begun.max(self.since.0));
        let seconds = now.since(since).as_secs_f32().max(1.0);
        seen.counts.iter().sum::<u64>() as f32 / seconds
    }

    /// Forgets the slots between the newest and now.
    fn turn(&mut self, now: Time) {
        let target = slot(now);
        for back in 0..(target - self.slot).clamp(0, SLOTS_SIGNED) {
            self.counts[index(target - back)] = 0;
        }
        self.slot = self.slot.max(target);
    }
}

fn slot(now: Time) -> i64 {
    now.0.div_euclid(SLOT)
}

fn index(slot: i64) -> usize {
    usize::try_from(slot.rem_euclid(SLOTS_SIGNED)).expect("a remainder is not negative")
}

/// At most so many per second, with a burst of one second's worth.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    rate: f64,
    /// Nanoseconds per token; `None`: nothing may pass.
    interval: Option<i64>,
    /// When the bucket would be full again.
    full_at: Time,
}

impl Limit {
    pub(super) fn new(rate: f64, now: Time) -> Self {
        Self {
            rate,
            interval: interval(rate),
            full_at: now,
        }
    }

    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// When the next one may pass; `None`: never at this rate.
    pub(super) fn ready_at(&self) -> Option<Time> {
        let burst = (1_000_000_000 / self.interval?).max(1);
        let slack = self.interval?.saturating_mul(burst - 1);
        Some(Time(self.full_at.0.saturating_sub(slack)))
    }

    pub(super) fn is_ready(&self, now: Time) -> bool {
        self.ready_at().is_some_and(|ready| ready <= now)
    }

    pub(super) fn take(&mut self, now: Time) {
        let from = self.full_at.max(now);
        self.full_at = Time(from.0.saturating_add(self.interval.unwrap_or(0)));
    }

    /// What was taken led to nothing.
    pub(super) fn give_back(&mut self) {
        self.full_at = Time(self.full_at.0.saturating_sub(self.interval.unwrap_or(0)));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to what fits before"
)]
fn interval(rate: f64) -> Option<i64> {
    // A year between two tasks is as good as never and keeps the arithmetic far from its ends.
    (rate > 0.0).then(|| (1e9 / rate).clamp(1.0, 3.2e16) as i64)
}
