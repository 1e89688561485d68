//! `cairn config print`: the configuration that `cairn server` would run with, and who said each value.
//!
//! Output is a TOML file that can be used again, except that passwords are starred out.

use std::io::Write;

use toml::Value;

use super::layers::Source;
use super::without_password;
use crate::production;

/// What of the configuration is printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: production::Settings,
    /// Also print what nobody set, with its default.
    #[arg(long)]
    effective: bool,
    /// Say beside each value where it comes from.
    #[arg(long)]
    source: bool,
}

/// Prints the configuration to standard output.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let layers = args.settings.layers()?;
    let mut out = std::io::stdout().lock();
    for (path, value, source) in layers.values() {
        if source == Source::Default && !args.effective {
            continue;
        }
        let key: Vec<_> = path.iter().map(|part| quoted(part)).collect();
        write!(out, "{} = {}", key.join("."), shown(value))?;
        if args.source {
            write!(out, "  # {source}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => Value::String(without_password(text)).to_string(),
        other => other.to_string(),
    }
}

fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.chars().all(bare) {
        key.to_owned()
    } else {
        Value::String(key.to_owned()).to_string()
    }
}
