//! Signals per second, with a worker that takes them as they come: to one workflow at a time, and to many.
//!
//! The last signal completes the workflow; afterwards its history must hold exactly the signals that were acknowledged.

use std::sync::Arc;

use anyhow::Context;
use tokio::time::timeout;

use super::throughput::Starter;
use super::{Bench, Outcome};
use crate::bench::measure::Meter;
use crate::bench::pace::{self, LONGEST, Limits, Ran};
use crate::bench::program::{FINISH, Milestone, Program, SIGNAL};
use crate::bench::verify::{self, Verified};

/// Workflows that share the signals in `signals-many`.
const MANY: u64 = 200;

/// Workflows one after the other, so that a fast server is measured as long as a slow one.
pub(crate) async fn to_one(bench: &Bench<'_>, concurrency: usize) -> anyhow::Result<Outcome> {
    let limits = bench.limits();
    let storm = Storm::new(bench);
    let meter = Meter::start(bench.server);
    let mut total: Option<Ran> = None;
    let mut verified = Verified::default();
    let mut sent = 0;
    for number in 0.. {
        let elapsed = total.as_ref().map(|ran| ran.elapsed).unwrap_or_default();
        let rest = Limits {
            count: (limits.count - sent).min(bench.args.signals),
            duration: limits.duration.saturating_sub(elapsed),
        };
        if rest.count == 0 || rest.duration.as_millis() < 100 {
            break;
        }
        let id = storm.open(number).await?;
        let ran = storm.send(rest, concurrency, vec![id.clone()]).await;
        let acknowledged = ran.done.len() as u64;
        storm.close(&id, acknowledged, &mut verified).await?;
        sent += acknowledged;
        match &mut total {
            Some(total) => total.extend(&ran),
            None => total = Some(ran),
        }
        if acknowledged == 0 {
            break;
        }
    }
    let total = total.context("no time for a single signal")?;
    Ok(storm.outcome(&total, sent, &meter, verified))
}

/// All at once, in turn.
pub(crate) async fn to_many(bench: &Bench<'_>, concurrency: usize) -> anyhow::Result<Outcome> {
    let storm = Storm::new(bench);
    let mut ids = Vec::new();
    for number in 0..MANY {
        ids.push(storm.open(number).await?);
    }
    let meter = Meter::start(bench.server);
    let mut limits = bench.limits();
    limits.count = limits.count.min(MANY * bench.args.signals);
    let ran = storm.send(limits, concurrency, ids.clone()).await;
    let cost_until_here = meter.read();
    let mut acknowledged = vec![0; ids.len()];
    for number in &ran.done {
        acknowledged[usize::try_from(number % MANY)?] += 1;
    }
    let mut verified = Verified::default();
    for (id, signals) in ids.iter().zip(acknowledged) {
        storm.close(id, signals, &mut verified).await?;
    }
    let sent = ran.done.len() as u64;
    let outcome = Outcome::new("signals", &ran, sent, cost_until_here);
    Ok(storm.checked(outcome, verified))
}

struct Storm {
    starter: Starter,
    client: crate::bench::client::Client,
}

impl Storm {
    fn new(bench: &Bench<'_>) -> Self {
        Self {
            starter: Starter::new(bench, Program::Signals),
            client: bench.client.clone(),
        }
    }

    async fn open(&self, number: u64) -> anyhow::Result<String> {
        self.starter
            .start(number)
            .await
            .context("no workflow to signal")
    }

    async fn send(&self, limits: Limits, concurrency: usize, ids: Vec<String>) -> Ran {
        let ids: Arc<[String]> = ids.into();
        let client = self.client.clone();
        pace::closed(limits, concurrency, move |number| {
            let (ids, client) = (ids.clone(), client.clone());
            async move {
                let index = usize::try_from(number).unwrap_or_default() % ids.len();
                client.signal(&ids[index], SIGNAL).await
            }
        })
        .await
    }

    /// Ends one workflow and compares its history with what was acknowledged.
    async fn close(&self, id: &str, signals: u64, verified: &mut Verified) -> anyhow::Result<()> {
        let completed = self.starter.worker().reaches(id, Milestone::Completed);
        self.client
            .signal(id, FINISH)
            .await
            .context("the last signal was refused")?;
        let completed = timeout(LONGEST, completed).await.is_ok();
        let events = self.client.history(id).await;
        let events = events.context("no history of a signalled workflow")?;
        let whole = completed
            && verify::is_whole(&events, Program::Signals)
            && verify::signals(&events) >= signals;
        verified.sampled += 1;
        verified.wrong += u64::from(!whole);
        verified.acknowledged += signals;
        verified.counted = Some(verified.counted.unwrap_or_default() + verify::signals(&events));
        Ok(())
    }

    fn outcome(&self, ran: &Ran, sent: u64, meter: &Meter, verified: Verified) -> Outcome {
        let outcome = Outcome::new("signals", ran, sent, meter.read());
        self.checked(outcome, verified)
    }

    fn checked(&self, outcome: Outcome, verified: Verified) -> Outcome {
        let mut outcome = outcome.with_worker(self.starter.worker());
        let tasks = super::whole(self.starter.worker().workflow_tasks());
        outcome.more.insert("workflow_tasks", tasks);
        outcome.verified = Some(verified);
        outcome
    }
}
