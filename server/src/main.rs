//! The binary `cairn`, for now with nothing but its benchmark.

mod bench;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cairn", version)]
enum Command {
    /// Measure a server that speaks the public protocol, or two against each other.
    Bench(bench::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Bench(args) => bench::run(args).await,
    }
}
