//! Two servers against each other: each on a fresh file in the same folder, one alive at a time, in alternation.
//!
//! Every pass is a whole life: start, some idle seconds, a warm-up, the scenarios, stop. Both sides get the same command line,
//! the same raised limits and the same client. Deliberately absent: tuning one side; whoever wants that passes other options.

mod disk;
mod server;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;
use tokio::time::sleep;

use super::args::{Args, Case, Pragmas, Scenario};
use super::measure::{Usage, load_average};
use super::pace::Limits;
use super::program::Program;
use super::report;
use super::scenario::{self, Bench, Memory, Outcome, sleeping, throughput};
use server::Server;

/// Before the idle server is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// While it is.
const IDLE: Duration = Duration::from_secs(2);
const WARM_UP: Limits = Limits {
    count: u64::MAX,
    duration: Duration::from_secs(2),
};
const WARM_UP_CONCURRENCY: usize = 10;
/// Somebody else uses the machine.
const LOAD_MAX: f64 = 1.5;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    pub(crate) machine: Machine,
    pub(crate) ours: Side,
    pub(crate) reference: Side,
    pub(crate) warnings: Vec<String>,
}

/// Where it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpus: usize,
    pub(crate) load_before: Option<f64>,
    pub(crate) syncs_per_second: f64,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
}

/// One of the two servers.
#[derive(Debug, Serialize)]
pub(crate) struct Side {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
    pub(crate) options: Vec<String>,
    pub(crate) passes: Vec<Pass>,
}

/// One life of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Pass {
    pub(crate) load_before: Option<f64>,
    pub(crate) cold_start_ms: f64,
    pub(crate) idle_rss_kib: u64,
    pub(crate) idle_cpu_percent: f64,
    pub(crate) peak_rss_kib: u64,
    pub(crate) written_bytes: u64,
    pub(crate) file: Option<disk::Database>,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Document {
    /// An error when a history does not show what was acknowledged.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        self.ours.verdict()?;
        self.reference.verdict()
    }
}

impl Side {
    fn new(path: &Path, options: &[&str]) -> anyhow::Result<Self> {
        let path = path
            .canonicalize()
            .with_context(|| format!("{} cannot be run", path.display()))?;
        Ok(Self {
            path,
            version: String::new(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            passes: Vec::new(),
        })
    }

    /// An error when a history does not show what was acknowledged.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        scenario::verdict(self.passes.iter().flat_map(|pass| &pass.outcomes))
    }
}

/// Measures one life of our server.
pub(crate) async fn alone(args: &Args) -> anyhow::Result<Side> {
    let folder = folder(args)?;
    let mut side = Side::new(&ours(args)?, &[])?;
    let file = folder.path().join("ours.db");
    let pass = pass(args, &mut side, &file).await?;
    side.passes.push(pass);
    Ok(side)
}

fn ours(args: &Args) -> std::io::Result<PathBuf> {
    match &args.ours {
        Some(path) => Ok(path.clone()),
        None => std::env::current_exe(),
    }
}

/// Where the databases of a comparison are; gone with it.
fn folder(args: &Args) -> anyhow::Result<tempfile::TempDir> {
    disk::refuse_memory(&args.dir)?;
    tempfile::Builder::new()
        .prefix("cairn-bench-")
        .tempdir_in(&args.dir)
        .with_context(|| format!("no folder for databases in {}", args.dir.display()))
}

/// Measures both sides `args.rounds` times.
pub(crate) async fn run(args: &Args, reference: &Path) -> anyhow::Result<Document> {
    let folder = folder(args)?;
    let pragmas: &[&str] = match args.reference_pragmas {
        Pragmas::Default => &[],
        Pragmas::Wal => &[
            "--sqlite-pragma",
            "journal_mode=WAL",
            "--sqlite-pragma",
            "synchronous=NORMAL",
        ],
    };
    let mut document = Document {
        machine: Machine {
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            load_before: load_average(),
            syncs_per_second: disk::syncs_per_second(folder.path())?,
            rounds: args.rounds,
            seconds: args.seconds().as_secs(),
        },
        ours: Side::new(&ours(args)?, &[])?,
        reference: Side::new(reference, pragmas)?,
        warnings: Vec::new(),
    };
    announce(args, &mut document);
    let began = Instant::now();
    for round in 1..=args.rounds {
        for (name, side) in [
            ("ours", &mut document.ours),
            ("reference", &mut document.reference),
        ] {
            let file = folder.path().join(format!("{name}-{round}.db"));
            let life = format!("round {round} of {}, {name}", args.rounds);
            report::progress(&format!("[{:>4} s] {life}", began.elapsed().as_secs()));
            let pass = pass(args, side, &file).await.with_context(|| life)?;
            side.passes.push(pass);
            disk::remove(&file);
        }
    }
    Ok(document)
}

fn announce(args: &Args, document: &mut Document) {
    let load = document.machine.load_before.unwrap_or_default();
    if load > LOAD_MAX {
        let warning =
            format!("load average {load} before the start: something else uses this machine");
        report::progress(&format!("warning: {warning}"));
        document.warnings.push(warning);
    }
    let cases = u64::try_from(args.cases().len()).unwrap_or_default();
    // Besides its seconds a case drains and is checked; a life starts, idles, warms up and stops.
    let pass = cases * (args.seconds().as_secs() + 2) + 9;
    let minutes = (2 * pass * args.rounds as u64).div_ceil(60);
    report::progress(&format!(
        "{} rounds of {cases} cases on both sides, about {minutes} minutes",
        args.rounds
    ));
}

async fn pass(args: &Args, side: &mut Side, file: &Path) -> anyhow::Result<Pass> {
    let load_before = load_average();
    let began = Instant::now();
    let mut server = Server::start(&side.path, &side.options, file)?;
    let version = server.ready(args).await?;
    let mut pass = Pass {
        load_before,
        cold_start_ms: began.elapsed().as_secs_f64() * 1e3,
        ..Pass::default()
    };
    side.version = version;
    sleep(SETTLE).await;
    idle(&mut pass, server.pid()).await?;
    let measured = scenarios(args, &mut server, &mut pass).await;
    let measured = measured.with_context(|| server.last_words());
    if let Some(usage) = Usage::of(server.pid()) {
        pass.peak_rss_kib = pass.peak_rss_kib.max(usage.peak_kib);
        pass.written_bytes += usage.written;
    }
    server.stop().await;
    measured?;
    pass.file = disk::Database::open(file);
    Ok(pass)
}

async fn idle(pass: &mut Pass, pid: u32) -> anyhow::Result<()> {
    let before = Usage::of(pid).context("the server is gone")?;
    sleep(IDLE).await;
    let after = Usage::of(pid).context("the server is gone")?;
    pass.idle_rss_kib = after.rss_kib;
    let busy = after.cpu.saturating_sub(before.cpu);
    pass.idle_cpu_percent = 100.0 * busy.as_secs_f64() / IDLE.as_secs_f64();
    Ok(())
}

async fn scenarios(args: &Args, server: &mut Server, pass: &mut Pass) -> anyhow::Result<()> {
    let mut bench = Bench::connect(args, &server.address(), Some(server.pid())).await?;
    bench.metrics = Some(server.metrics());
    throughput::within(&bench, Program::Noop, WARM_UP_CONCURRENCY, WARM_UP).await;
    let mut memory = Memory::default();
    for case in args.cases() {
        let outcome = match case.scenario {
            Scenario::Sleeping => restarted(args, server, pass, &case).await?,
            _ => bench.run(&case, &mut memory).await?,
        };
        report::progress(&report::line(&outcome));
        pass.outcomes.push(outcome);
    }
    Ok(())
}

/// The process changes under this one, so what the first one used is added up here.
async fn restarted(
    args: &Args,
    server: &mut Server,
    pass: &mut Pass,
    case: &Case,
) -> anyhow::Result<Outcome> {
    let bench = Bench::connect(args, &server.address(), Some(server.pid())).await?;
    let mut outcome = sleeping::through_a_restart(&bench, case.concurrency, || {
        if let Some(usage) = Usage::of(server.pid()) {
            pass.peak_rss_kib = pass.peak_rss_kib.max(usage.peak_kib);
            pass.written_bytes += usage.written;
        }
        server.kill_and_restart()?;
        Ok(server.pid())
    })
    .await?;
    if !server.is_alive() {
        bail!("the server did not survive its restart");
    }
    outcome.case = case.to_string();
    Ok(outcome)
}
