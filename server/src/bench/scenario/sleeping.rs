//! Workflows that sleep: how fast they fall asleep and what memory they take; with a server of ours to kill, also how soon it
//! answers after a restart on the same file and whether every sleeper wakes, and when.
//!
//! Deliberately absent: cleaning up. Sleepers of a server that is not ours are left to their timers.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use tokio::time::{sleep, timeout};
use tonic::Status;

use super::throughput::Starter;
use super::{Bench, Outcome, whole};
use crate::bench::measure::{Meter, Usage};
use crate::bench::pace::{self, LONGEST, Ran};
use crate::bench::program::{Milestone, Program};
use crate::bench::verify;

/// Between the last start and the first timer: the drain of the starts, their checkpoints, the kill and the restart.
const MARGIN: Duration = Duration::from_secs(75);
/// A server that has written nothing for so long has nothing left to write.
const QUIET: Duration = Duration::from_secs(8);
const QUIET_MAX: Duration = Duration::from_secs(25);
const PROBE: Duration = Duration::from_millis(10);
/// How long after their moment sleepers may take: so long, and so long for each.
const WAKING: Duration = Duration::from_secs(90);
const WAKING_EACH: Duration = Duration::from_millis(3);

/// Starts sleepers and leaves them asleep.
pub(crate) async fn start_only(bench: &Bench<'_>, concurrency: usize) -> Outcome {
    let until = SystemTime::now() + Duration::from_secs(bench.args.sleep);
    let starter = Starter::new(bench, Program::Sleep { until });
    let (ran, outcome) = fall_asleep(bench, &starter, concurrency).await;
    debug_assert_eq!(outcome.count, ran.done.len() as u64);
    outcome
}

/// Starts sleepers, has the server killed and restarted by `restart`, and waits for all of them to wake.
pub(crate) async fn through_a_restart(
    bench: &Bench<'_>,
    concurrency: usize,
    restart: impl FnOnce() -> anyhow::Result<u32>,
) -> anyhow::Result<Outcome> {
    let until = SystemTime::now() + bench.limits().duration + MARGIN;
    let program = Program::Sleep { until };
    let starter = Starter::new(bench, program);
    let (ran, mut outcome) = fall_asleep(bench, &starter, concurrency).await;
    outcome = outcome.with_worker(starter.worker()); // Later its polls fail because nobody is there.
    if let Some(pid) = bench.server {
        outcome.more.insert("rss_quiet_kib", quiet_kib(pid).await);
    }
    let began = Instant::now();
    let pid = restart()?;
    answers(bench).await?;
    outcome.more.insert("restart_to_answer_ms", millis(began));
    let probe = Starter::new(bench, Program::Noop);
    polled(&probe).await?;
    outcome.more.insert("restart_to_polled_ms", millis(began));
    outcome
        .more
        .insert("rss_restarted_kib", quiet_kib(pid).await);
    if SystemTime::now() > until {
        outcome
            .failures
            .insert("timers fell due before the restart was over".to_owned(), 1);
    }
    let woken = wake(&starter, until, ran.done.len() as u64).await;
    outcome.more.insert("woken", whole(woken));
    if let Some(lag) = starter.worker().lag().summary() {
        outcome.more.insert("wake_lag_p50_ms", lag.p50_ms);
        outcome.more.insert("wake_lag_p99_ms", lag.p99_ms);
        outcome.more.insert("wake_lag_max_ms", lag.max_ms);
    }
    let queue = starter.worker().queue();
    let verified = verify::completed(&bench.client, queue, program, &ran.done).await;
    outcome.verified = Some(verified);
    Ok(outcome)
}

async fn fall_asleep(bench: &Bench<'_>, starter: &Starter, concurrency: usize) -> (Ran, Outcome) {
    let before = bench.server.and_then(Usage::of);
    let meter = Meter::start(bench.server);
    let one = starter.clone();
    let ran = pace::closed(bench.limits(), concurrency, move |number| {
        let starter = one.clone();
        async move { starter.to_milestone(number, Milestone::Asleep).await }
    })
    .await;
    let cost = meter.read();
    let sleepers = ran.done.len() as u64;
    let mut outcome = Outcome::new("workflows", &ran, sleepers, cost);
    if let (Some(before), Some(after)) = (before, cost.server) {
        let grown = after.rss_kib.saturating_sub(before.rss_kib) * 1024;
        outcome.more.insert("rss_before_kib", whole(before.rss_kib));
        outcome.more.insert("rss_after_kib", whole(after.rss_kib));
        outcome
            .more
            .insert("rss_bytes_each", whole(grown) / whole(sleepers.max(1)));
    }
    (ran, outcome)
}

/// What a server takes when it has nothing left to write.
async fn quiet_kib(pid: u32) -> f64 {
    let began = Instant::now();
    let mut last = Usage::of(pid);
    let mut since = Instant::now();
    while since.elapsed() < QUIET && began.elapsed() < QUIET_MAX {
        sleep(Duration::from_millis(500)).await;
        let now = Usage::of(pid);
        if now.map(|usage| usage.written) != last.map(|usage| usage.written) {
            since = Instant::now();
        }
        last = now;
    }
    last.map_or(0.0, |usage| whole(usage.rss_kib))
}

/// Waits for the first good answer.
async fn answers(bench: &Bench<'_>) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < LONGEST {
        if bench.client.version().await.is_ok() {
            return Ok(());
        }
        sleep(PROBE).await;
    }
    bail!("the server did not answer within a minute of its restart")
}

/// Waits until a fresh workflow has been started, polled and completed.
async fn polled(probe: &Starter) -> anyhow::Result<()> {
    let mut last: Option<Status> = None;
    for number in 0..100 {
        match timeout(LONGEST, probe.to_completion(number)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(status)) => last = Some(status),
            Err(_) => bail!("no workflow completes within a minute of the restart"),
        }
        sleep(PROBE).await;
    }
    Err(last.context("never tried")?).context("no workflow completes after the restart")
}

async fn wake(starter: &Starter, until: SystemTime, sleepers: u64) -> u64 {
    let asleep = until.duration_since(SystemTime::now()).unwrap_or_default();
    let each = u32::try_from(sleepers).map_or(Duration::MAX, |count| WAKING_EACH * count);
    let patience = asleep + WAKING.saturating_add(each);
    let began = Instant::now();
    while starter.worker().completed() < sleepers && began.elapsed() < patience {
        sleep(Duration::from_millis(100)).await;
    }
    starter.worker().completed()
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
