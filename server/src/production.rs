//! `cairn server`: serves as a configuration file, the environment and a few flags say.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::config::layers::Layers;
use crate::{logs, serve};

/// Serve with a configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Number of threads that carry the work. Default: the number of cores.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// Which database it is about, and where the rest of the configuration comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct Base {
    /// TOML file with the configuration.
    #[arg(long, short = 'c', env = "CAIRN_CONFIG")]
    config: Option<PathBuf>,
    /// A path of a SQLite file, or postgres://…
    #[arg(long)]
    database: Option<String>,
}

/// Where configuration comes from; each flag goes over file and environment.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    #[command(flatten)]
    base: Base,
    /// Address to listen on.
    #[arg(long)]
    ip: Option<IpAddr>,
    /// Port for gRPC.
    #[arg(long, short)]
    port: Option<u16>,
    /// Port for /metrics and /healthz.
    #[arg(long)]
    metrics_port: Option<u16>,
    /// Port for the other nodes of a PostgreSQL database.
    #[arg(long)]
    internal_port: Option<u16>,
    /// Name of this node among those of a PostgreSQL database.
    #[arg(long)]
    node: Option<String>,
    /// debug, info, warn, error or never.
    #[arg(long)]
    log_level: Option<String>,
    /// auto, pretty or json.
    #[arg(long)]
    log_format: Option<String>,
}

impl Base {
    /// Defaults, file, environment and the database's flag, one over the other.
    pub(crate) fn layers(&self) -> anyhow::Result<Layers> {
        let mut layers = Layers::new();
        if let Some(path) = &self.config {
            layers.file(path)?;
        }
        layers.environment(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))?;
        layers.flag("--database", "database.url", self.database.as_ref())?;
        Ok(layers)
    }
}

impl Settings {
    /// Defaults, file, environment and flags, one over the other.
    pub(crate) fn layers(&self) -> anyhow::Result<Layers> {
        let mut layers = self.base.layers()?;
        layers.flag("--ip", "server.ip", self.ip)?;
        layers.flag("--port", "server.grpc.port", self.port)?;
        layers.flag("--metrics-port", "server.metrics.port", self.metrics_port)?;
        layers.flag(
            "--internal-port",
            "server.internal.port",
            self.internal_port,
        )?;
        layers.flag("--node", "server.node", self.node.as_ref())?;
        layers.flag("--log-level", "log.level", self.log_level.as_ref())?;
        layers.flag("--log-format", "log.format", self.log_format.as_ref())?;
        Ok(layers)
    }
}

/// Serves until a signal comes.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let config = args.settings.layers()?.config()?;
    logs::start(config.log.level, config.log.format);
    serve::Serving::start(&config).await?.until_signal().await
}
