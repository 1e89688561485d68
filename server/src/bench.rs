//! `cairn bench`: measures this server, and another beside it. Not in this build.

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the benchmark.
#[expect(clippy::unused_async, reason = "the benchmark talks to servers")]
pub(crate) async fn run(Args {}: Args) -> anyhow::Result<()> {
    anyhow::bail!("the benchmark is not part of this build")
}
