//! The scenarios: each runs against one server and gives one [`Outcome`].
//!
//! Deliberately absent: starting and stopping servers; that is [`super::versus`].

pub(crate) mod history;
pub(crate) mod latency;
pub(crate) mod signals;
pub(crate) mod sleeping;
pub(crate) mod throughput;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde::Serialize;

use super::args::{Args, Case, Scenario};
use super::client::{Client, unique};
use super::measure::Cost;
use super::metrics;
use super::pace::{Limits, Ran};
use super::program::Program;
use super::stats::{Latency, ratio};
use super::verify::Verified;
use super::worker::Worker;

/// Activities of one fan-out.
const FAN_OUT: u32 = 100;

/// One server and how it is to be measured.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) args: &'a Args,
    pub(crate) client: Client,
    pub(crate) server: Option<u32>,
    pub(crate) metrics: Option<String>,
    pub(crate) version: String,
}

/// What later scenarios take over from earlier ones on the same server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Noop workflows per second.
    pub(crate) capacity: Option<f64>,
}

/// What one scenario came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    pub(crate) case: String,
    /// What is counted.
    pub(crate) unit: &'static str,
    pub(crate) count: u64,
    pub(crate) per_second: f64,
    pub(crate) latency: Option<Latency>,
    pub(crate) client_cpu_ms_each: f64,
    pub(crate) server: Option<PerOperation>,
    pub(crate) verified: Option<Verified>,
    pub(crate) failures: BTreeMap<String, u64>,
    /// Figures of this scenario alone.
    pub(crate) more: BTreeMap<&'static str, f64>,
}

/// The server's cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct PerOperation {
    pub(crate) cpu_ms_each: f64,
    pub(crate) written_bytes_each: f64,
    pub(crate) rss_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) threads: u64,
}

impl<'a> Bench<'a> {
    /// Fails when nobody answers there.
    pub(crate) async fn connect(
        args: &'a Args,
        address: &str,
        server: Option<u32>,
    ) -> anyhow::Result<Self> {
        let client = Client::new(address, args.connections, &args.namespace)?;
        let version = client.version().await;
        let version =
            version.with_context(|| format!("no server with this namespace at {address}"))?;
        Ok(Self {
            args,
            client,
            server,
            metrics: None,
            version,
        })
    }

    /// Measures one case.
    pub(crate) async fn run(&self, case: &Case, memory: &mut Memory) -> anyhow::Result<Outcome> {
        let before = self.commits().await;
        let mut outcome = match case.scenario {
            Scenario::Noop | Scenario::Activity | Scenario::FanOut => {
                throughput::run(self, self.program(case.scenario), case.concurrency).await
            }
            Scenario::Latency | Scenario::LatencyActivity => {
                latency::alone(self, self.program(case.scenario)).await
            }
            Scenario::HalfLoad => latency::half_load(self, memory.capacity).await,
            Scenario::Signals => signals::to_one(self, case.concurrency).await?,
            Scenario::SignalsMany => signals::to_many(self, case.concurrency).await?,
            Scenario::History => history::run(self).await?,
            Scenario::Sleeping => sleeping::start_only(self, case.concurrency).await,
        };
        outcome.case = case.to_string();
        if let Some((before, after)) = before.zip(self.commits().await) {
            let each = ratio(after - before, whole(outcome.count));
            outcome
                .more
                .insert("commits_each", each.unwrap_or_default());
        }
        if case.scenario == Scenario::Noop {
            let best = memory.capacity.unwrap_or_default().max(outcome.per_second);
            memory.capacity = Some(best);
        }
        Ok(outcome)
    }

    async fn commits(&self) -> Option<f64> {
        metrics::commits(self.metrics.as_deref()?).await
    }

    fn program(&self, scenario: Scenario) -> Program {
        let activities = |count| Program::Activities {
            count,
            eager: self.args.eager,
        };
        match scenario {
            Scenario::Activity | Scenario::LatencyActivity => activities(1),
            Scenario::FanOut => activities(FAN_OUT),
            _ => Program::Noop,
        }
    }

    /// A task queue nobody else uses; it also names the workflows.
    pub(crate) fn queue() -> String {
        format!("bench-{}", unique().simple())
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            count: self.args.count.unwrap_or(u64::MAX),
            duration: self.args.seconds(),
        }
    }
}

impl Outcome {
    /// Speed and cost of `count` operations, of which `ran` knows the latencies.
    pub(crate) fn new(unit: &'static str, ran: &Ran, count: u64, cost: Cost) -> Self {
        let each = |sum: f64| ratio(sum, whole(count)).unwrap_or_default();
        Self {
            unit,
            count,
            per_second: ran.rate(),
            latency: ran.latencies.summary(),
            client_cpu_ms_each: each(cost.client_cpu_ms),
            server: cost.server.map(|server| PerOperation {
                cpu_ms_each: each(server.cpu_ms),
                written_bytes_each: each(whole(server.written_bytes)),
                rss_kib: server.rss_kib,
                peak_kib: server.peak_kib,
                threads: server.threads,
            }),
            failures: ran.failures.clone(),
            ..Self::default()
        }
    }

    /// Adds what failed for the worker.
    pub(crate) fn with_worker(mut self, worker: &Worker) -> Self {
        let (failures, last) = worker.failures();
        if let (1.., Some(last)) = (failures, last) {
            let entry = self.failures.entry(format!("worker, last: {last}"));
            *entry.or_default() += failures;
        }
        self
    }

    /// Nothing failed that must not fail.
    fn holds(&self) -> bool {
        self.count > 0 && self.verified.as_ref().is_none_or(Verified::holds)
    }
}

/// An error when an acknowledged operation is not in the histories, or a scenario did nothing.
pub(crate) fn verdict<'o>(outcomes: impl IntoIterator<Item = &'o Outcome>) -> anyhow::Result<()> {
    let broken: Vec<&str> = outcomes
        .into_iter()
        .filter(|outcome| !outcome.holds())
        .map(|outcome| outcome.case.as_str())
        .collect();
    if !broken.is_empty() {
        bail!(
            "the histories do not show what was acknowledged: {}",
            broken.join(", ")
        );
    }
    Ok(())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes far below 2^52"
)]
pub(crate) fn whole(number: u64) -> f64 {
    number as f64
}
