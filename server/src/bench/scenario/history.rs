//! Reading one long history from the first event to the last, page after page.
//!
//! Deliberately absent: replay, which is an SDK's cost and not the server's.

use anyhow::{Context, bail};
use tokio::time::timeout;
use tonic::Status;

use super::throughput::Starter;
use super::{Bench, Outcome, whole};
use crate::bench::measure::Meter;
use crate::bench::pace::{self, LONGEST};
use crate::bench::program::{Milestone, Program};
use crate::bench::verify;

/// Servers terminate a run above 51,200 events.
const EVENTS_MAX: u64 = 50_000;

/// Fills a history with markers, then reads it again and again.
pub(crate) async fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let markers = bench.args.events.clamp(1, EVENTS_MAX);
    let program = Program::Markers { count: markers };
    let starter = Starter::new(bench, program);
    let filled = starter.to_milestone(0, Milestone::Completed);
    if timeout(LONGEST, filled).await.is_err() {
        bail!("no history of {markers} events within a minute");
    }
    let id = starter.id(0);
    let events = bench.client.history(&id).await;
    let events = events.context("the history cannot be read")?;
    if !verify::is_whole(&events, program) {
        bail!("the history has gaps");
    }
    let expected = events.len();
    let client = bench.client.clone();
    let meter = Meter::start(bench.server);
    let ran = pace::closed(bench.limits(), 1, move |_| {
        let (client, id) = (client.clone(), id.clone());
        async move {
            if client.history(&id).await?.len() == expected {
                Ok(())
            } else {
                Err(Status::data_loss("the history has another length"))
            }
        }
    })
    .await;
    let cost = meter.read();
    let mut outcome = Outcome::new("reads", &ran, ran.done.len() as u64, cost);
    let events = whole(expected as u64);
    outcome.more.insert("events", events);
    outcome
        .more
        .insert("events_per_second", events * outcome.per_second);
    Ok(outcome.with_worker(starter.worker()))
}
