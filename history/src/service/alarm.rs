//! The alarm: one task that ticks each shard when its next wake-up has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::Shell;
use crate::id::Time;

/// The clock of the machine may be set: never sleep longer than this on its word.
const NAP_MAX: Duration = Duration::from_secs(1);
/// What is due but must wait (for the disk, for a read) is not asked for more often than this.
const NAP_MIN: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Alarm {
    /// When the task means to wake.
    planned: AtomicI64,
    earlier: Notify,
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            planned: AtomicI64::new(i64::MAX),
            earlier: Notify::new(),
        }
    }
}

impl Alarm {
    /// Somebody must look at a shard at this time.
    pub(super) fn at_latest(&self, time: Time) {
        if time.0 < self.planned.load(Ordering::Acquire) {
            self.planned.fetch_min(time.0, Ordering::AcqRel);
            self.earlier.notify_one();
        }
    }

    pub(super) fn ring(&self) {
        self.at_latest(Time(i64::MIN));
    }
}

pub(super) fn spawn(shell: &Arc<Shell>) {
    let shell = Arc::clone(shell);
    let runtime = shell.runtime.clone();
    runtime.spawn(async move {
        for slot in shell.slots.iter().filter(|slot| slot.is_here()) {
            slot.recover(&shell).await;
        }
        while !shell.closing() {
            rest(&shell).await;
            let now = shell.clock.now();
            for slot in &shell.slots {
                if slot.next_tick().is_some_and(|next| next <= now) {
                    slot.tick(&shell);
                }
            }
        }
    });
}

/// Sleeps until the earliest wake-up of all shards, or until somebody names an earlier one.
async fn rest(shell: &Shell) {
    shell.alarm.planned.store(i64::MAX, Ordering::Release);
    let next = shell
        .slots
        .iter()
        .filter_map(super::slot::Slot::next_tick)
        .min();
    let now = shell.clock.now();
    let nap = next
        .map_or(NAP_MAX, |next| next.since(now))
        .clamp(NAP_MIN, NAP_MAX);
    shell
        .alarm
        .planned
        .fetch_min(now.after(nap).0, Ordering::AcqRel);
    tokio::select! {
        () = tokio::time::sleep(nap) => {}
        () = shell.alarm.earlier.notified() => {}
    }
}
