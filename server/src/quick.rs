//! `cairn` alone: serves durably from a file in this folder and says what to type next.

use std::io::Write;

use crate::config::{Config, Url};
use crate::{logs, serve};

/// Flags of `cairn` without a command: few, the rest is what `cairn server` is for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Number of threads that carry the work. Default: the number of cores.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// Serves until a signal comes.
pub(crate) async fn run(_args: Args) -> anyhow::Result<()> {
    let mut config = Config::default();
    config.log.level = logs::Level::Warn;
    config.log.format = logs::Format::Pretty;
    config.server.metrics.enabled = false;
    logs::start(config.log.level, config.log.format);
    let serving = serve::Serving::start(&config).await?;
    // Nobody has to listen: a closed terminal does not end a server.
    let _ = greet(&config, &serving);
    serving.until_signal().await
}

fn greet(config: &Config, serving: &serve::Serving) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let version = env!("CARGO_PKG_VERSION");
    writeln!(out, "Cairn {version}\n")?;
    writeln!(out, "Address:  {}", serving.address)?;
    if let Url::Sqlite(path) = &config.database.url {
        let path = std::path::absolute(path)?;
        writeln!(out, "Database: {}", path.display())?;
    }
    writeln!(out, "\nNext, in another terminal:\n")?;
    writeln!(out, "  cairn workflow list")?;
    writeln!(out, "\nCtrl-C stops the server; nothing is lost.")?;
    out.flush()
}
