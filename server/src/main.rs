//! `cairn`: the server and its command line in one binary.
//!
//! Here is only the way from an argument list to an exit code. What a command does is in the module of its name; what a
//! workflow is, is not known in this crate.

#![expect(
    clippy::doc_markdown,
    reason = "the doc comments of flags are their help text, without backticks"
)]

use std::process::ExitCode;

use clap::Parser;

mod bench;
mod callback;
mod cli;
mod client;
mod config;
mod dev;
mod engine;
mod logs;
mod production;
mod quick;
mod serve;
mod tidy;
mod verify;

/// A request is some hundred small allocations on several threads: a tenth of a server's time with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = match runtime(cli.threads()) {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("Error: no threads to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.spawn(tidy::rounds());
    let code = runtime
        .block_on(cli.run())
        .unwrap_or_else(|error| complain(&error));
    // A task that still runs (a second SIGTERM came, say) must not keep the process.
    runtime.shutdown_background();
    code
}

fn runtime(threads: Option<usize>) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads.max(1));
    }
    builder.enable_all().on_thread_park(tidy::on_park).build()
}

fn complain(error: &anyhow::Error) -> ExitCode {
    let closed = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(closed) {
        // `cairn workflow list | head` has what it wanted.
        return ExitCode::SUCCESS;
    }
    eprintln!("Error: {error:#}");
    ExitCode::FAILURE
}
