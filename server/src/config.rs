//! What can be configured, with its defaults. Composed here from the parts' own settings.
//!
//! Where values come from (file, environment, flags) is in `layers`; limits that change while the server runs are in
//! `dynamic`. A limit that nobody needs to turn is a constant beside the code that keeps it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use cairn_history::search_attribute::Kind;
use serde::{Deserialize, Serialize};

use crate::logs;

pub(crate) mod dynamic;
pub(crate) mod layers;
pub(crate) mod print;

use dynamic::Dynamic;

/// Everything that a server needs to know before it starts. No key is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) database: Database,
    pub(crate) log: Log,
    pub(crate) audit: Audit,
    /// Namespaces that exist from the start: [name], retention 24 hours. Default: `["default"]`.
    pub(crate) namespaces: Namespaces,
    /// Custom search attributes registered at the start: name = type. Default: none.
    pub(crate) search_attributes: BTreeMap<String, AttributeType>,
    /// Limits and switches by their well-known names, such as `"limit.blobSize.error" = 2097152`. Default: none set.
    pub(crate) dynamic: Dynamic,
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    /// The address that every port is opened on. Default: 127.0.0.1.
    pub(crate) ip: IpAddr,
    /// This process among those that serve the same PostgreSQL database: no two at a time have the same name. One that comes back
    /// under its name has its shards again at once. Default: the address at which other nodes reach it, with its gRPC port.
    pub(crate) node: String,
    pub(crate) grpc: Grpc,
    pub(crate) internal: Internal,
    pub(crate) metrics: Metrics,
}

/// The gRPC port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Grpc {
    /// TCP port; 0 lets the system choose. Default: 7233.
    pub(crate) port: u16,
    /// Largest request, in bytes. Default: 4194304 (4 MiB).
    pub(crate) message_bytes_max: usize,
    /// Calls at once on one connection. Default: 10000 (a worker's connection carries all of its polls).
    pub(crate) streams_max: u32,
    /// Age at which a connection is asked to go, in seconds. Default: 300.
    pub(crate) connection_age_seconds: u64,
    /// Time that a call has to end on a connection that was asked to go, in seconds. Default: 70 (longer than a poll).
    pub(crate) connection_grace_seconds: u64,
    /// Time that calls in flight have to end at shutdown, in seconds. Default: 30.
    pub(crate) shutdown_seconds: u64,
}

/// The port for the other nodes of a PostgreSQL database. Whoever reaches it may do everything: without certificates it is opened on
/// a loopback address only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Internal {
    /// TCP port; 0 lets the system choose. Default: 0.
    pub(crate) port: u16,
    /// Host name or address at which other nodes reach this one. Default: server.ip.
    pub(crate) address: String,
    /// PEM file with the authority that signs the nodes' certificates. Default: none, no TLS.
    pub(crate) ca: PathBuf,
    /// PEM file with the certificate of this node, for its `address`. Needed with `ca`.
    pub(crate) cert: PathBuf,
    /// PEM file with the key of the certificate. Needed with `ca`.
    pub(crate) key: PathBuf,
    /// Whether the port is opened without TLS on addresses that others can reach. Default: false.
    pub(crate) insecure: bool,
}

/// The port for Prometheus and health checks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metrics {
    /// Whether the port is opened. Default: true.
    pub(crate) enabled: bool,
    /// TCP port of `/metrics` and `/healthz`; 0 lets the system choose. Default: 9090.
    pub(crate) port: u16,
}

/// Where everything is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
    /// A path of a SQLite file, `:memory:`, or `postgres://…`. Default: `cairn.db`.
    pub(crate) url: Url,
    /// Further SQLite pragmas: name = value. Settings that lose acknowledged writes are refused. Default: none.
    pub(crate) pragmas: BTreeMap<String, String>,
    /// Number of shards, fixed when the database is created. Default: 16.
    pub(crate) shards: u32,
}

/// A database, as it is written in the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum Url {
    /// Gone when the process ends.
    Memory,
    Sqlite(PathBuf),
    Postgres(String),
}

/// What is logged, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// debug, info, warn, error or never; `CAIRN_LOG` and `RUST_LOG` say it more finely. Default: info.
    pub(crate) level: logs::Level,
    /// auto (pretty on a terminal, else JSON), pretty or json. Default: auto.
    pub(crate) format: logs::Format,
}

/// How the server looks over what it has stored (as `cairn verify` does), while it serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Audit {
    /// Time from the beginning of one scan to that of the next, in seconds; 0 turns it off. Default: 3600.
    pub(crate) interval_seconds: u64,
    /// Runs that a scan reads at most, per second. Default: 50.
    pub(crate) runs_per_second: NonZeroU32,
}

/// Names of namespaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Namespaces(pub Vec<String>);

/// The type of a search attribute, by its name in the protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AttributeType(pub(crate) Kind);

impl Server {
    /// The address of the gRPC port.
    pub(crate) fn grpc_address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.grpc.port)
    }

    /// The address of the internal port.
    pub(crate) fn internal_address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.internal.port)
    }

    /// The address of the metrics port, if it is to be opened.
    pub(crate) fn metrics_address(&self) -> Option<SocketAddr> {
        let Metrics { enabled, port } = self.metrics;
        enabled.then(|| SocketAddr::new(self.ip, port))
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            node: String::new(),
            grpc: Grpc::default(),
            internal: Internal::default(),
            metrics: Metrics::default(),
        }
    }
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            port: 7233,
            message_bytes_max: 4 * 1024 * 1024,
            streams_max: 10_000,
            connection_age_seconds: 300,
            connection_grace_seconds: 70,
            shutdown_seconds: 30,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            enabled: true,
            port: 9090,
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: Url::Sqlite("cairn.db".into()),
            pragmas: BTreeMap::new(),
            shards: 16,
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            interval_seconds: 3600,
            runs_per_second: const { NonZeroU32::new(50).expect("50 is not 0") },
        }
    }
}

impl Default for Namespaces {
    fn default() -> Self {
        Self(vec!["default".to_owned()])
    }
}

impl Namespaces {
    /// Adds a name that is not yet there.
    pub(crate) fn add(&mut self, name: String) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }
}

impl From<String> for Url {
    fn from(text: String) -> Self {
        if text == ":memory:" {
            Self::Memory
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::Postgres(text)
        } else {
            let path = text.strip_prefix("sqlite://").unwrap_or(&text);
            Self::Sqlite(path.into())
        }
    }
}

impl From<Url> for String {
    fn from(url: Url) -> Self {
        match url {
            Url::Memory => ":memory:".to_owned(),
            Url::Sqlite(path) => path.to_string_lossy().into_owned(),
            Url::Postgres(url) => url,
        }
    }
}

/// For people: a password is not shown.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("in memory"),
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

/// A URL with stars where its password was.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}:***{}", &rest[user.len()..])
        }
        None => url.to_owned(),
    }
}

impl std::str::FromStr for AttributeType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Kind::named(name.as_bytes()).map(Self).ok_or_else(|| {
            let names = Kind::ALL.map(Kind::name).join(", ");
            format!("unknown type {name:?}: one of {names}")
        })
    }
}

impl Serialize for AttributeType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for AttributeType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_known_by_its_url() {
        let url = |text: &str| Url::from(text.to_owned());
        assert_eq!(url(":memory:"), Url::Memory);
        assert_eq!(url("a/b.db"), Url::Sqlite("a/b.db".into()));
        assert_eq!(url("sqlite:///a/b.db"), Url::Sqlite("/a/b.db".into()));
        assert_eq!(
            url("postgres://u@h/d"),
            Url::Postgres("postgres://u@h/d".to_owned())
        );
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            without_password("postgres://u:p@ss@h:1/d?x"),
            "postgres://u:***@h:1/d?x"
        );
        assert_eq!(without_password("postgres://h/d"), "postgres://h/d");
        assert_eq!(without_password("a.db"), "a.db");
    }
}
