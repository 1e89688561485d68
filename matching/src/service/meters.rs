//! Metrics under their public names, each handle registered once.
//!
//! Deliberately absent: labels for namespaces and queues. Their number has no bound here, and matching knows only ids.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::queue::{Extras, Work};

pub(super) struct Meters {
    workflow: OfWork,
    activity: OfWork,
    backlog: Gauge,
    queues: Gauge,
}

/// What is counted per kind of task.
pub(super) struct OfWork {
    success: Counter,
    success_sync: Counter,
    pub(super) timeouts: Counter,
    pub(super) no_poller: Counter,
    sync_latency: Histogram,
    async_latency: Histogram,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            workflow: OfWork::new("Workflow"),
            activity: OfWork::new("Activity"),
            backlog: gauge!("approximate_backlog_count", "service_name" => "matching"),
            queues: gauge!("loaded_task_queue_count", "service_name" => "matching"),
        }
    }

    pub(super) fn of(&self, work: Work) -> &OfWork {
        match work {
            Work::Workflow => &self.workflow,
            Work::Activity => &self.activity,
        }
    }

    pub(super) fn backlog_moved(&self, from: usize, to: usize) {
        moved(&self.backlog, from, to);
    }

    pub(super) fn queues_moved(&self, from: usize, to: usize) {
        moved(&self.queues, from, to);
    }
}

impl OfWork {
    fn new(task_type: &'static str) -> Self {
        macro_rules! of_work {
            ($kind:ident, $name:literal) => {
                $kind!($name, "service_name" => "matching", "task_type" => task_type)
            };
        }
        Self {
            success: of_work!(counter, "poll_success"),
            success_sync: of_work!(counter, "poll_success_sync"),
            timeouts: of_work!(counter, "poll_timeouts"),
            no_poller: of_work!(counter, "no_poller_tasks"),
            sync_latency: of_work!(histogram, "syncmatch_latency"),
            async_latency: of_work!(histogram, "asyncmatch_latency"),
        }
    }

    pub(super) fn started(&self, extras: &Extras) {
        self.success.increment(1);
        if extras.sync {
            self.success_sync.increment(1);
            self.sync_latency.record(seconds(extras.latency));
        } else {
            self.async_latency.record(seconds(extras.latency));
        }
    }

    pub(super) fn query_taken(&self) {
        self.success.increment(1);
    }
}

fn seconds(latency: Duration) -> f64 {
    latency.as_secs_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge; counts stay far below 2^52"
)]
fn moved(gauge: &Gauge, from: usize, to: usize) {
    gauge.increment(to as f64 - from as f64);
}
