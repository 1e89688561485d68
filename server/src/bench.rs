//! `cairn bench`: how fast is a server that speaks the public protocol, and what does it cost? Starter and worker are in this
//! process and talk raw gRPC, so the client's own cost is small, the same for every server, and reported.
//!
//! Deliberately absent: an SDK (its replay would be most of what is measured), any private way into our own server, and
//! payloads (a benchmark of copying bytes is another one).

mod args;
mod client;
mod measure;
mod metrics;
mod pace;
mod program;
mod report;
mod scenario;
mod stats;
mod verify;
mod versus;
mod worker;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use args::Args;
use scenario::{Bench, Memory};

/// Measures what `args` names and prints it.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    args.check()?;
    // The client has a runtime of its own, so that its cost does not depend on how the rest of the process is set up.
    tokio::task::spawn_blocking(move || {
        let runtime = match args.threads {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        }
        .worker_threads(args.threads.max(1))
        .enable_all()
        .build()
        .context("no runtime for the client")?;
        let result = runtime.block_on(until_told_to_stop(&args));
        runtime.shutdown_background();
        result
    })
    .await
    .context("the benchmark died")?
}

/// Servers that we started must not outlive us: dropping the work ends them.
async fn until_told_to_stop(args: &Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = measure(args) => result,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    if let Some(reference) = &args.versus {
        let document = versus::run(args, reference).await?;
        report::print(args.output, &report::versus(&document), &document)?;
        return document.verdict();
    }
    if args.alone {
        let side = versus::alone(args).await?;
        report::print(args.output, &report::alone(&side), &side)?;
        return side.verdict();
    }
    let mut bench = Bench::connect(args, &args.address, args.server_pid).await?;
    bench.metrics.clone_from(&args.metrics);
    let mut memory = Memory::default();
    let mut outcomes = Vec::new();
    for case in args.cases() {
        let outcome = bench.run(&case, &mut memory).await?;
        report::progress(&report::line(&outcome));
        outcomes.push(outcome);
    }
    report::print(
        args.output,
        &report::single(&bench.version, &outcomes),
        &outcomes,
    )?;
    scenario::verdict(&outcomes)
}
