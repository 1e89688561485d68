//! `cairn verify`: does everything in a database fit together? Reads only; a server may have the database meanwhile.
//!
//! Exit code 0: yes; 1: something is wrong, and was printed; 2: not everything could be read. What is judged, and what is not, is
//! in `cairn_history::audit`. Deliberately absent: repair.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use cairn_history::audit::{Scan, Violation};
use cairn_history::id::RunId;
use cairn_history::log::{Audit, postgres, sqlite};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Url;
use crate::production::Base;
use pace::Pace;
use position::Position;

pub(crate) mod pace;
mod position;

/// What is checked, and how fast.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    base: Base,
    /// Runs to read per second. Default: as many as it can.
    #[arg(long)]
    rate: Option<NonZeroU32>,
    /// File that keeps the position: a check that was interrupted goes on where it was. Gone when the check is through.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// How to print: text, or json (one value a line, the summary last).
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

/// The form of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, clap::ValueEnum)]
enum Output {
    #[default]
    Text,
    Json,
}

/// How long a PostgreSQL server may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the position is stored.
const STORED: Duration = Duration::from_secs(1);

/// Checks, prints, and says how it ended.
pub(crate) async fn run(args: Args) -> ExitCode {
    match verify(&args).await {
        Ok(Ended::Clean) => ExitCode::SUCCESS,
        Ok(Ended::Violated) => ExitCode::from(1),
        Ok(Ended::Interrupted) => ExitCode::from(2),
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Clean,
    Violated,
    Interrupted,
}

async fn verify(args: &Args) -> anyhow::Result<Ended> {
    let url = args.base.layers()?.config()?.database.url;
    let (store, shards) = open(&url)
        .await
        .with_context(|| format!("database {url} cannot be read"))?;
    let before = match &args.resume {
        Some(path) => Position::read(path)?,
        None => Position::default(),
    };
    let began = Instant::now();
    let after = before.run.as_deref().map(str::parse::<RunId>).transpose();
    let after = after.context("the stored position is not a run id")?;
    let mut scan = Scan::new(store, shards, after);
    // From here on no signal ends the process before the position is stored.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let read = tokio::select! {
        read = walk(&mut scan, args, &before) => Some(read),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    let position = position_of(&before, &scan);
    let interrupted = !matches!(read, Some(Ok(())));
    match &args.resume {
        Some(path) if interrupted => position.write(path)?,
        Some(path) => Position::forget(path)?,
        None => {}
    }
    summarize(args.output, &position, began.elapsed(), interrupted)?;
    read.transpose()?;
    Ok(match position.violations {
        _ if interrupted => Ended::Interrupted,
        0 => Ended::Clean,
        _ => Ended::Violated,
    })
}

async fn open(url: &Url) -> anyhow::Result<(Arc<dyn Audit>, u32)> {
    Ok(match url {
        Url::Memory => bail!("what is in memory is in another process"),
        Url::Sqlite(path) => {
            let store = sqlite::ReadOnly::open(path)?;
            let shards = store.shards();
            (Arc::new(store), shards)
        }
        Url::Postgres(url) => {
            let store = postgres::ReadOnly::connect(url, PATIENCE).await?;
            let shards = store.shards();
            (Arc::new(store), shards)
        }
    })
}

/// Goes through all runs that are left.
async fn walk(scan: &mut Scan, args: &Args, before: &Position) -> anyhow::Result<()> {
    let mut pace = Pace::new(args.rate);
    let mut stored = Instant::now();
    while let Some(violations) = scan.next().await? {
        for violation in &violations {
            tell(args.output, violation)?;
        }
        if let Some(path) = args.resume.as_ref().filter(|_| stored.elapsed() >= STORED) {
            position_of(before, scan).write(path)?;
            stored = Instant::now();
        }
        pace.step().await;
    }
    Ok(())
}

fn position_of(before: &Position, scan: &Scan) -> Position {
    before.and(scan.position().map(|run| run.to_string()), scan.seen())
}

fn tell(output: Output, violation: &Violation) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Text => writeln!(out, "{violation}"),
        Output::Json => {
            let value = json!({
                "invariant": violation.invariant.number(),
                "runId": violation.run.to_string(),
                "what": violation.what,
            });
            writeln!(out, "{value}")
        }
    }
}

fn summarize(
    output: Output,
    position: &Position,
    took: Duration,
    interrupted: bool,
) -> std::io::Result<()> {
    let Position {
        run: _,
        runs,
        records,
        events,
        violations,
    } = position;
    let seconds = took.as_secs_f64();
    let mut out = std::io::stdout().lock();
    match output {
        Output::Text => {
            let end = if interrupted { ", not to the end" } else { "" };
            writeln!(
                out,
                "{violations} violations in {runs} runs, {records} records, {events} events; {seconds:.1} s{end}"
            )
        }
        Output::Json => {
            let value = json!({
                "violations": violations,
                "runs": runs,
                "records": records,
                "events": events,
                "seconds": seconds,
                "complete": !interrupted,
            });
            writeln!(out, "{value}")
        }
    }
}
