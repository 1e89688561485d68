//! The one task that comes back when time alone changes something: a delayed retry, a rate limit.
//!
//! Deliberately absent: the expiry of polls, which each poll keeps itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::Inner;

#[derive(Default)]
pub(super) struct Timekeeper {
    running: AtomicBool,
    call: Arc<Notify>,
}

impl Timekeeper {
    /// Something is due earlier than was known.
    pub(super) fn wake(&self) {
        self.call.notify_one();
    }

    /// Called by every poll, for nothing can be due without one, and polls are inside the runtime.
    #[expect(clippy::disallowed_methods, reason = "the shell keeps the time")]
    pub(super) fn ensure(&self, inner: &Arc<Inner>) {
        if !self.running.load(Ordering::Relaxed) && !self.running.swap(true, Ordering::Relaxed) {
            tokio::spawn(run(Arc::downgrade(inner), self.call.clone()));
        }
    }
}

impl Drop for Timekeeper {
    fn drop(&mut self) {
        self.call.notify_one();
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell keeps the time")]
async fn run(inner: Weak<Inner>, call: Arc<Notify>) {
    loop {
        let wait = match inner.upgrade() {
            Some(inner) => inner.tick_all(),
            None => return,
        };
        match wait {
            None => call.notified().await,
            Some(wait) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = call.notified() => {}
                }
            }
        }
    }
}

impl Inner {
    /// How long until something is due again; `None`: nothing is.
    fn tick_all(&self) -> Option<Duration> {
        let due = self
            .stripes
            .iter()
            .filter_map(|stripe| self.tick(stripe))
            .min()?;
        // The timer of the runtime has milliseconds: less would spin.
        Some(due.since(self.now()).max(Duration::from_millis(1)))
    }
}
