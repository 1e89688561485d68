//! The commands that speak to a server, ours or another: only public gRPC.

use std::process::ExitCode;

pub(crate) mod workflow {
    #[derive(Debug, clap::Args)]
    pub struct Args {}
    pub async fn run(_: Args) -> anyhow::Result<super::ExitCode> {
        anyhow::bail!("-")
    }
}
pub(crate) mod operator {
    #[derive(Debug, clap::Args)]
    pub struct Args {}
    pub async fn run(_: Args) -> anyhow::Result<super::ExitCode> {
        anyhow::bail!("-")
    }
}
pub(crate) mod task_queue {
    #[derive(Debug, clap::Args)]
    pub struct Args {}
    pub async fn run(_: Args) -> anyhow::Result<super::ExitCode> {
        anyhow::bail!("-")
    }
}
