//! Where log lines go and how they look: to standard error, as JSON for machines or pretty for people.
//!
//! What is logged is decided where it happens, not here.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Pretty on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    #[value(alias = "text")]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The least important lines that are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Debug,
    #[default]
    Info,
    Warn,
    #[value(alias = "fatal")]
    Error,
    Never,
}

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
            Self::Never => LevelFilter::OFF,
        }
    }
}

/// Starts logging. `CAIRN_LOG`, then `RUST_LOG`, say more finely than `level` what is written.
pub(crate) fn start(level: Level, format: Format) {
    let finer = std::env::var("CAIRN_LOG").or_else(|_| std::env::var("RUST_LOG"));
    let filter = EnvFilter::builder()
        .with_default_directive(level.filter().into())
        .parse_lossy(finer.unwrap_or_default());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let pretty = match format {
        Format::Auto => std::io::stderr().is_terminal(),
        Format::Pretty => true,
        Format::Json => false,
    };
    // Logging is started once; a second start (in a test) leaves the first.
    let _ = if pretty {
        lines.with_ansi(std::io::stderr().is_terminal()).try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
}
