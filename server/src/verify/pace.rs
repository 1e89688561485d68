//! Not more than so many steps a second.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// How fast something goes. A pause that was too long is not made up for.
#[derive(Debug)]
pub(crate) struct Pace {
    step: Option<Duration>,
    next: Instant,
}

impl Pace {
    /// `None`: as fast as it can.
    pub(crate) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self {
            step: per_second.map(|rate| Duration::from_secs(1) / rate.get()),
            next: Instant::now(),
        }
    }

    /// Waits until the next step may be taken. Others have their turn in any case: a scan of a file never waits for anything else.
    pub(crate) async fn step(&mut self) {
        match self.until(Instant::now()) {
            Some(time) => tokio::time::sleep_until(time).await,
            None => tokio::task::yield_now().await,
        }
    }

    /// When the next step may be taken, if one has ended now.
    fn until(&mut self, now: Instant) -> Option<Instant> {
        self.next = self.next.max(now) + self.step?;
        Some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_not_closer_than_they_may_be() {
        let began = Instant::now();
        let after = |millis| began + Duration::from_millis(millis);
        let mut pace = Pace::new(NonZeroU32::new(5));
        pace.next = began;
        assert_eq!(pace.until(after(0)), Some(after(200)));
        assert_eq!(pace.until(after(50)), Some(after(400)));
        // A long step is not made up for.
        assert_eq!(pace.until(after(5_000)), Some(after(5_200)));
        assert_eq!(Pace::new(None).until(began), None);
    }
}
