//! The clock of a node: a seam from the first day, so that tests can bring their own.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::id::Time;

/// Tells the time, and never an earlier one than before.
pub trait Clock: Debug + Send + Sync + 'static {
    fn now(&self) -> Time;
}

/// The operating system's clock, held still while it steps back.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        let read = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos());
        let read = i64::try_from(read).unwrap_or(i64::MAX);
        Time(self.latest.fetch_max(read, Ordering::AcqRel).max(read))
    }
}
