//! Where configuration comes from: defaults, then a TOML file, then the environment, then flags; the last to speak is heard.
//!
//! Each value keeps the name of its source, so that `cairn config print --source` can say it and an error can name it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use toml::{Table, Value};

use super::Config;

/// Variables with this prefix are configuration: `CAIRN__SERVER__GRPC__PORT=7000` is `server.grpc.port`.
const PREFIX: &str = "CAIRN__";

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Configuration under construction.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    table: Table,
    sources: BTreeMap<Vec<String>, Source>,
}

impl Layers {
    /// The defaults.
    pub(crate) fn new() -> Self {
        let table =
            Table::try_from(Config::default()).expect("the defaults can be written as TOML");
        Self {
            table,
            sources: BTreeMap::new(),
        }
    }

    /// Lays a TOML file over what is there.
    pub(crate) fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the configuration file {} is unreadable", path.display()))?;
        self.text(path, &text)
            .with_context(|| format!("in the configuration file {}", path.display()))
    }

    fn text(&mut self, path: &Path, text: &str) -> anyhow::Result<()> {
        // Read as Config first: that names line and column of what is wrong.
        toml::from_str::<Config>(text)?;
        let table: Table = toml::from_str(text)?;
        self.lay(&[], table, &Source::File(path.to_owned()));
        Ok(())
    }

    /// Lays the variables of the environment over what is there.
    pub(crate) fn environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<()> {
        for (name, value) in variables {
            if let Some(rest) = name.strip_prefix(PREFIX) {
                let path: Vec<_> = rest.split("__").map(str::to_lowercase).collect();
                self.set(&path, &value, &Source::Environment(name.clone()))
                    .with_context(|| format!("in the environment variable {name}"))?;
            }
        }
        Ok(())
    }

    /// Lays a flag, if it was given, over the value at a dotted path.
    pub(crate) fn flag(
        &mut self,
        name: &str,
        path: &str,
        value: Option<impl ToString>,
    ) -> anyhow::Result<()> {
        let Some(value) = value else { return Ok(()) };
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        self.set(&path, &value.to_string(), &Source::Flag(name.to_owned()))
            .with_context(|| format!("in the flag {name}"))
    }

    /// The configuration that comes of it.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        Ok(self.table.clone().try_into()?)
    }

    /// Every single value with its path and its source.
    pub(crate) fn values(&self) -> Vec<(Vec<String>, &Value, Source)> {
        let mut values = Vec::new();
        gather(&self.table, &mut Vec::new(), &mut values);
        values
            .into_iter()
            .map(|(path, value)| {
                let source = self.source(&path);
                (path, value, source)
            })
            .collect()
    }

    fn source(&self, path: &[String]) -> Source {
        self.sources.get(path).cloned().unwrap_or(Source::Default)
    }

    /// A text is what TOML makes of it if that fits, and otherwise just a text.
    fn set(&mut self, path: &[String], text: &str, source: &Source) -> anyhow::Result<()> {
        let read = toml::from_str::<Table>(&format!("value = {text}"))
            .ok()
            .and_then(|mut table| table.remove("value"));
        let plain = Value::String(text.to_owned());
        let mut refusal = anyhow!("no value");
        for value in read.into_iter().chain([plain]) {
            let mut next = self.clone();
            match next.put(path, value, source.clone()) {
                Ok(()) => {
                    *self = next;
                    return Ok(());
                }
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    fn put(&mut self, path: &[String], value: Value, source: Source) -> anyhow::Result<()> {
        let (last, folders) = path.split_last().context("no key")?;
        let mut table = &mut self.table;
        for folder in folders {
            table = table
                .entry(folder)
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut()
                .with_context(|| format!("{folder} has no parts"))?;
        }
        table.insert(last.clone(), value);
        self.sources.insert(path.to_vec(), source);
        self.config().map(|_| ())
    }

    fn lay(&mut self, folder: &[String], table: Table, source: &Source) {
        for (key, value) in table {
            let mut path = folder.to_vec();
            path.push(key);
            match value {
                Value::Table(inner) => self.lay(&path, inner, source),
                value => {
                    // The table was read as Config, so it fits.
                    let _ = self.put(&path, value, source.clone());
                }
            }
        }
    }
}

fn gather<'a>(
    table: &'a Table,
    path: &mut Vec<String>,
    values: &mut Vec<(Vec<String>, &'a Value)>,
) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            Value::Table(inner) => gather(inner, path, values),
            value => values.push((path.clone(), value)),
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Url;
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn source(layers: &Layers, path: &str) -> String {
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        layers.source(&path).to_string()
    }

    #[test]
    fn the_last_to_speak_is_heard_and_named() {
        let mut layers = Layers::new();
        layers
            .text(
                Path::new("c.toml"),
                "[server.grpc]\nport = 1\nstreams_max = 5\n[database]\nurl = 'f.db'\n[dynamic]\n\"limit.blobSize.error\" = 7",
            )
            .unwrap();
        layers
            .environment(variables(&[
                ("CAIRN__SERVER__GRPC__PORT", "2"),
                ("CAIRN__DATABASE__URL", "7"),
                ("CAIRN_LOG", "debug"),
            ]))
            .unwrap();
        layers
            .flag("--port", "server.grpc.port", Some(3_u16))
            .unwrap();
        layers.flag("--ip", "server.ip", None::<String>).unwrap();
        let config = layers.config().unwrap();
        assert_eq!(config.server.grpc.port, 3);
        assert_eq!(config.server.grpc.streams_max, 5);
        assert_eq!(config.database.url, Url::Sqlite("7".into()));
        assert_eq!(config.dynamic.number("limit.blobSize.error"), Some(7));
        assert_eq!(source(&layers, "server.grpc.port"), "flag --port");
        assert_eq!(source(&layers, "server.grpc.streams_max"), "file c.toml");
        assert_eq!(
            source(&layers, "database.url"),
            "environment CAIRN__DATABASE__URL"
        );
        assert_eq!(source(&layers, "log.level"), "default");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_source() {
        let mut layers = Layers::new();
        let error = layers
            .environment(variables(&[("CAIRN__SERVER__GRCP__PORT", "2")]))
            .unwrap_err();
        assert!(format!("{error:#}").contains("CAIRN__SERVER__GRCP__PORT"));
        assert!(format!("{error:#}").contains("unknown field `grcp`"));
        let error = layers
            .text(Path::new("c.toml"), "[server]\nprot = 1")
            .unwrap_err();
        assert!(format!("{error:#}").contains("line 2"), "{error:#}");
        // What was refused has left no trace.
        assert_eq!(layers.config().unwrap(), Config::default());
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused() {
        let error = Layers::new()
            .environment(variables(&[("CAIRN__SERVER__GRPC__PORT", "many")]))
            .unwrap_err();
        assert!(format!("{error:#}").contains("u16"), "{error:#}");
    }
}
