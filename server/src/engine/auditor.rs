//! The auditor beside a server that serves: one scan an hour, slowly, on a thread of its own.
//!
//! What it finds is counted and logged, each time a scan finds it. Deliberately absent: repair.

use std::sync::Arc;
use std::time::Duration;

use cairn_history::audit::{Invariant, Scan, Violation};
use cairn_history::log::{Audit, ReadError, Store};
use metrics::counter;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{error, info, warn};

use crate::config;
use crate::verify::pace::Pace;

const VIOLATIONS: &str = "invariant_violations_total";

/// Scans until it is stopped or dropped.
#[derive(Debug)]
pub(super) struct Auditor {
    stop: watch::Sender<bool>,
}

impl Auditor {
    /// Begins to wait for the first scan. `None`: it is turned off.
    pub(super) fn start(
        store: Arc<dyn Store>,
        config: &config::Audit,
    ) -> std::io::Result<Option<Self>> {
        if config.interval_seconds == 0 {
            return Ok(None);
        }
        for invariant in Invariant::ALL {
            counter!(VIOLATIONS, "invariant" => invariant.number()).absolute(0);
        }
        let (stop, stopped) = watch::channel(false);
        let (runtime, config) = (Handle::current(), config.clone());
        // A long history is folded in one go: no call waits behind that here.
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || runtime.block_on(until(stopped, scans(&store, &config))))?;
        Ok(Some(Self { stop }))
    }

    /// Ends the scan under way. It may still judge the run that it has read.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

async fn until(mut stopped: watch::Receiver<bool>, scans: impl Future<Output = ()>) {
    tokio::select! {
        _ = stopped.wait_for(|stopped| *stopped) => {}
        () = scans => {}
    }
}

async fn scans(store: &Arc<dyn Store>, config: &config::Audit) {
    let interval = Duration::from_secs(config.interval_seconds);
    let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let pace = Pace::new(Some(config.runs_per_second));
        match scan(store, pace).await {
            Ok(scan) => {
                let seen = scan.seen();
                info!(seen.runs, seen.violations, "audit.ended");
            }
            Err(cause) => warn!(
                error = &cause as &dyn std::error::Error,
                "audit.ended_early"
            ),
        }
    }
}

async fn scan(store: &Arc<dyn Store>, mut pace: Pace) -> Result<Scan, ReadError> {
    let shards = store.shards();
    let store: Arc<dyn Audit> = Arc::<dyn Store>::clone(store);
    let mut scan = Scan::new(store, shards, None);
    while let Some(violations) = scan.next().await? {
        violations.iter().for_each(tell);
        pace.step().await;
    }
    Ok(scan)
}

fn tell(violation: &Violation) {
    let invariant = violation.invariant.number();
    counter!(VIOLATIONS, "invariant" => invariant).increment(1);
    error!(run.id = %violation.run, invariant, what = violation.what, "audit.violation");
}
