//! How long one workflow takes, alone and when the server is half busy.
//!
//! Deliberately absent: latency at full load. In a closed loop that is concurrency divided by speed and says nothing new.

use std::time::Duration;

use super::throughput::{self, Starter};
use super::{Bench, Outcome};
use crate::bench::measure::Meter;
use crate::bench::pace::{self, Limits};
use crate::bench::program::Program;

const FIRST_LOOK: Duration = Duration::from_secs(3);
const FIRST_LOOK_CONCURRENCY: usize = 50;

/// One workflow after the other.
pub(crate) async fn alone(bench: &Bench<'_>, program: Program) -> Outcome {
    throughput::run(bench, program, 1).await
}

/// Noop workflows at half of `capacity`, which is measured first when nobody has.
pub(crate) async fn half_load(bench: &Bench<'_>, capacity: Option<f64>) -> Outcome {
    let capacity = match capacity {
        Some(capacity) => capacity,
        None => first_look(bench).await,
    };
    let starter = Starter::new(bench, Program::Noop);
    let meter = Meter::start(bench.server);
    let one = starter.clone();
    let ran = pace::open(bench.limits(), capacity / 2.0, move |number| {
        let starter = one.clone();
        async move { starter.to_completion(number).await }
    })
    .await;
    let cost = meter.read();
    let mut outcome = Outcome::new("workflows", &ran, ran.done.len() as u64, cost);
    outcome.more.insert("asked_per_second", capacity / 2.0);
    outcome
        .more
        .insert("latest_start_ms", ran.late.as_secs_f64() * 1e3);
    starter.finish(outcome, &ran.done).await
}

async fn first_look(bench: &Bench<'_>) -> f64 {
    let limits = Limits {
        count: u64::MAX,
        duration: FIRST_LOOK,
    };
    let look = throughput::within(bench, Program::Noop, FIRST_LOOK_CONCURRENCY, limits);
    look.await.per_second
}
