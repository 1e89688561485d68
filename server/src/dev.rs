//! `cairn server start-dev`: the reference's development server, flag by flag, so that test suites and scripts need no change.
//!
//! It is in memory unless a file is named. Flags of parts that are not served (the web UI's) are accepted and do nothing.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::config::{AttributeType, Config, Url};
use crate::{logs, serve};

/// Flags of the reference, one to one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File for what must outlast the process. Default: everything is gone with it.
    #[arg(long, short = 'f')]
    db_filename: Option<PathBuf>,
    /// A namespace that exists from the start, beside `default`. Can be given again.
    #[arg(long, short = 'n')]
    namespace: Vec<String>,
    /// Port for gRPC.
    #[arg(long, short = 'p', default_value_t = 7233)]
    port: u16,
    /// Port for the HTTP API. Default: a free one.
    #[arg(long)]
    http_port: Option<u16>,
    /// Port for /metrics and /healthz. Default: a free one.
    #[arg(long)]
    metrics_port: Option<u16>,
    /// Port for the web UI. Default: --port + 1000.
    #[arg(long)]
    ui_port: Option<u16>,
    /// No web UI.
    #[arg(long)]
    headless: bool,
    /// Address for gRPC, HTTP API and metrics.
    #[arg(long, default_value = "localhost")]
    ip: String,
    /// Address for the web UI. Default: the value of --ip.
    #[arg(long)]
    ui_ip: Option<String>,
    /// Folder with another web UI.
    #[arg(long)]
    ui_asset_path: Option<String>,
    /// Base path of the web UI.
    #[arg(long)]
    ui_public_path: Option<String>,
    /// Codec endpoint that the web UI asks.
    #[arg(long)]
    ui_codec_endpoint: Option<String>,
    /// No newsfeed in the web UI.
    #[arg(long)]
    ui_disable_news_fetch: bool,
    /// SQLite pragma as PRAGMA=VALUE. Can be given again.
    #[arg(long)]
    sqlite_pragma: Vec<String>,
    /// Limit or switch as KEY=JSON; unknown keys are accepted. Can be given again.
    #[arg(long)]
    dynamic_config_value: Vec<String>,
    /// Print the configuration to standard error.
    #[arg(long)]
    log_config: bool,
    /// Search attribute to register as KEY=TYPE. Can be given again.
    #[arg(long)]
    search_attribute: Vec<String>,
    /// What is logged: debug, info, warn, error or never.
    #[arg(long, default_value = "warn")]
    log_level: logs::Level,
    /// How it looks: text (or pretty) or json.
    #[arg(long, default_value = "pretty")]
    log_format: logs::Format,
    /// Number of threads that carry the work. Default: the number of cores.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    global: Global,
}

/// Flags that the reference takes on every command and that mean nothing to a server.
#[derive(Debug, clap::Args)]
struct Global {
    #[arg(long, short = 'o', hide = true)]
    output: Option<String>,
    #[arg(long, hide = true)]
    time_format: Option<String>,
    #[arg(long, hide = true)]
    color: Option<String>,
    #[arg(long, hide = true)]
    env: Option<String>,
    #[arg(long, hide = true)]
    env_file: Option<String>,
    #[arg(long, hide = true)]
    profile: Option<String>,
    #[arg(long, hide = true)]
    config_file: Option<String>,
    #[arg(long, hide = true)]
    disable_config_env: bool,
    #[arg(long, hide = true)]
    disable_config_file: bool,
    #[arg(long, hide = true)]
    client_connect_timeout: Option<String>,
    #[arg(long, hide = true)]
    command_timeout: Option<String>,
    #[arg(long, hide = true)]
    no_json_shorthand_payloads: bool,
}

impl Args {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::default();
        config.server.ip = address(&self.ip)?;
        config.server.grpc.port = self.port;
        config.server.metrics.port = self.metrics_port.unwrap_or(0);
        config.database.url = match &self.db_filename {
            Some(path) => Url::Sqlite(path.clone()),
            None => Url::Memory,
        };
        config.log.level = self.log_level;
        config.log.format = self.log_format;
        for pragma in &self.sqlite_pragma {
            let (name, value) = pair("--sqlite-pragma", pragma)?;
            config.database.pragmas.insert(name, value);
        }
        for name in &self.namespace {
            config.namespaces.add(name.clone());
        }
        for value in &self.dynamic_config_value {
            config.dynamic.set(value)?;
        }
        for attribute in &self.search_attribute {
            let (name, kind) = pair("--search-attribute", attribute)?;
            let kind: AttributeType = kind.parse().map_err(anyhow::Error::msg)?;
            config.search_attributes.insert(name, kind);
        }
        Ok(config)
    }
}

fn pair(flag: &str, text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => bail!("{flag} {text:?} is not KEY=VALUE"),
    }
}

fn address(text: &str) -> anyhow::Result<IpAddr> {
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse()
        .with_context(|| format!("--ip {text:?} is not an IP address"))
}

/// Serves until a signal comes.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let config = args.config()?;
    if args.log_config {
        eprintln!("{}", toml::to_string(&config)?);
    }
    logs::start(config.log.level, config.log.format);
    let serving = serve::Serving::start(&config).await?;
    // Nobody has to listen: a closed terminal does not end a server.
    let _ = greet(&args, &config, &serving);
    serving.until_signal().await
}

fn greet(args: &Args, config: &Config, serving: &serve::Serving) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let version = env!("CARGO_PKG_VERSION");
    writeln!(out, "Cairn {version} (development server)\n")?;
    writeln!(out, "Server:   {}:{}", args.ip, serving.address.port())?;
    if let Some(address) = serving.metrics {
        writeln!(
            out,
            "Metrics:  http://{}:{}/metrics",
            args.ip,
            address.port()
        )?;
    }
    writeln!(out, "Database: {}", config.database.url)?;
    if config.database.url == Url::Memory {
        writeln!(
            out,
            "\nEverything is gone when this server stops; -f FILE keeps it."
        )?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use cairn_history::search_attribute::Kind;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn config(line: &str) -> anyhow::Result<Config> {
        Line::try_parse_from(["start-dev"].into_iter().chain(line.split_whitespace()))?
            .args
            .config()
    }

    #[test]
    fn the_command_line_of_the_official_test_suites_is_understood() {
        let config = config(
            "--port 7777 --namespace default --ip 127.0.0.1 --log-format pretty --log-level warn \
             --dynamic-config-value frontend.enableServerVersionCheck=false \
             --dynamic-config-value frontend.enableUpdateWorkflowExecution=true \
             --dynamic-config-value limit.historyCount.suggestContinueAsNew=50 \
             --headless --db-filename x.db --search-attribute CustomInt=Int --sqlite-pragma journal_mode=WAL",
        )
        .unwrap();
        assert_eq!(config.server.grpc.port, 7777);
        assert_eq!(config.namespaces.0, ["default"]);
        assert_eq!(config.database.url, Url::Sqlite("x.db".into()));
        assert_eq!(config.database.pragmas["journal_mode"], "WAL");
        assert_eq!(
            config.search_attributes["CustomInt"],
            AttributeType(Kind::Int)
        );
        assert_eq!(
            config.dynamic.switch("frontend.enableServerVersionCheck"),
            Some(false)
        );
    }

    #[test]
    fn without_flags_everything_is_in_memory() {
        let config = config("").unwrap();
        assert_eq!(config.database.url, Url::Memory);
        assert_eq!(config.server.grpc_address().to_string(), "127.0.0.1:7233");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "--search-attribute Foo=Bar",
            "--search-attribute Foo",
            "--dynamic-config-value a=b",
            "--sqlite-pragma x",
            "--ip nowhere",
            "--bogus",
        ] {
            assert!(config(line).is_err(), "{line}");
        }
    }
}
