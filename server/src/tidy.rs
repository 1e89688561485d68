//! Gives memory that was freed back to the system when a thread has nothing to do.
//!
//! The allocator keeps the pages of a burst for the next one, and looks only every few thousand allocations at what other
//! threads have freed for it: a server that fell quiet would hold on to them for ever. It does look, and returns what it finds,
//! before it refuses a request; so a thread that goes to sleep asks for more than there can be. That is the one way to ask for
//! it in safe code. Deliberately absent: bounds on what is in use (the caches have their own).

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// Not more often, because a busy thread goes to sleep a thousand times a second and has use for its pages.
const PAUSE: Duration = Duration::from_secs(1);

/// How often threads that sleep are woken, to go to sleep anew: what they hold may have been freed by others since.
const ROUND: Duration = Duration::from_secs(2);

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// To be called whenever the thread goes to sleep.
pub(crate) fn on_park() {
    let now = Instant::now();
    let due = |last: Instant| now.saturating_duration_since(last) >= PAUSE;
    if LAST.get().is_none_or(due) {
        LAST.set(Some(now));
        tidy();
    }
}

/// Wakes every thread of the runtime now and then. Never ends.
pub(crate) async fn rounds() {
    let threads = Handle::current().metrics().num_workers();
    let mut round = tokio::time::interval(ROUND);
    loop {
        round.tick().await;
        for _ in 0..threads {
            // Nothing to do, but enough for somebody to wake and look.
            drop(tokio::spawn(async {}));
        }
    }
}

/// Returns the free pages of this thread, and those that belong to none.
fn tidy() {
    let mut bytes = Vec::<u8>::new();
    let refused = bytes.try_reserve_exact(isize::MAX.unsigned_abs());
    debug_assert!(refused.is_err(), "more than an address space");
    black_box(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident_kib() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        kib.and_then(|kib| kib.parse().ok())
            .expect("a number of KiB")
    }

    /// Judged from the height of the burst on: the other tests of this binary come and go beside it.
    #[test]
    fn what_another_thread_freed_goes_back_to_the_system() {
        let burst: Vec<Box<[u8; 1024]>> = (0..128 << 10).map(|_| Box::new([1; 1024])).collect();
        let height = resident_kib();
        std::thread::spawn(move || drop(burst))
            .join()
            .expect("nothing to fail");
        tidy();
        let given_back = height.saturating_sub(resident_kib());
        assert!(
            given_back > 64 << 10,
            "of 128 MiB {given_back} KiB went back"
        );
    }
}
