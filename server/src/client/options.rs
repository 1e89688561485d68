//! How a command reaches its server and prints: flags go over the environment, the environment over the profile file.
//!
//! The names are those of the official command line, so that scripts and habits carry over.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use super::duration;
use super::output::{Output, Printer};
use super::profile::{self, Profile};
use super::time;

/// Flags of every command that speaks to a server.
#[derive(Clone, Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the official command line"
)]
#[command(next_help_heading = "Connection and output")]
pub(crate) struct Options {
    /// The server's gRPC address [env: TEMPORAL_ADDRESS] [default: localhost:7233].
    #[arg(long, global = true, value_name = "HOST:PORT")]
    address: Option<String>,
    /// The namespace [env: TEMPORAL_NAMESPACE] [default: default].
    #[arg(long, short = 'n', global = true)]
    namespace: Option<String>,
    /// API key of the caller; asks for TLS [env: TEMPORAL_API_KEY].
    #[arg(long, global = true, hide_short_help = true)]
    api_key: Option<String>,
    /// A header of every request; can be given again [env: TEMPORAL_GRPC_META_NAME].
    #[arg(long, global = true, hide_short_help = true, value_name = "KEY=VALUE")]
    grpc_meta: Vec<String>,
    /// Use TLS [env: TEMPORAL_TLS].
    #[arg(long, global = true, hide_short_help = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tls: Option<bool>,
    /// Client certificate, as a file [env: TEMPORAL_TLS_CLIENT_CERT_PATH].
    #[arg(long, global = true, hide_short_help = true)]
    tls_cert_path: Option<PathBuf>,
    /// Client certificate, as PEM [env: TEMPORAL_TLS_CLIENT_CERT_DATA].
    #[arg(long, global = true, hide_short_help = true)]
    tls_cert_data: Option<String>,
    /// Client key, as a file [env: TEMPORAL_TLS_CLIENT_KEY_PATH].
    #[arg(long, global = true, hide_short_help = true)]
    tls_key_path: Option<PathBuf>,
    /// Client key, as PEM [env: TEMPORAL_TLS_CLIENT_KEY_DATA].
    #[arg(long, global = true, hide_short_help = true)]
    tls_key_data: Option<String>,
    /// Certificate authority of the server, as a file [env: TEMPORAL_TLS_SERVER_CA_CERT_PATH].
    #[arg(long, global = true, hide_short_help = true)]
    tls_ca_path: Option<PathBuf>,
    /// Certificate authority of the server, as PEM [env: TEMPORAL_TLS_SERVER_CA_CERT_DATA].
    #[arg(long, global = true, hide_short_help = true)]
    tls_ca_data: Option<String>,
    /// The name that the server's certificate must bear [env: TEMPORAL_TLS_SERVER_NAME].
    #[arg(long, global = true, hide_short_help = true)]
    tls_server_name: Option<String>,
    /// Refused: this command line always verifies the server.
    #[arg(long, global = true, hide = true)]
    tls_disable_host_verification: bool,
    /// Who is asking, as history records it [default: cairn-cli:USER@HOST].
    #[arg(long, global = true)]
    identity: Option<String>,
    /// Form of the output.
    #[arg(long, short = 'o', global = true, default_value = "text")]
    output: Output,
    /// How times are written in text.
    #[arg(long, global = true, default_value = "relative")]
    time_format: time::Format,
    /// Accepted and without effect: output is not coloured.
    #[arg(long, global = true, hide = true)]
    color: Option<String>,
    /// Show payloads as they are, also in JSON.
    #[arg(long, global = true, hide_short_help = true)]
    no_json_shorthand_payloads: bool,
    /// Time that the whole command may take.
    #[arg(long, global = true, hide_short_help = true, value_parser = duration::parse)]
    command_timeout: Option<Duration>,
    /// Time that connecting may take [default: 10s].
    #[arg(long, global = true, hide_short_help = true, value_parser = duration::parse)]
    client_connect_timeout: Option<Duration>,
    /// Profile in the profile file [env: TEMPORAL_PROFILE] [default: default].
    #[arg(long, global = true, hide_short_help = true)]
    profile: Option<String>,
    /// Profile file [env: TEMPORAL_CONFIG_FILE].
    #[arg(long, global = true, hide_short_help = true)]
    config_file: Option<PathBuf>,
    /// Do not read the environment.
    #[arg(long, global = true, hide_short_help = true)]
    disable_config_env: bool,
    /// Do not read the profile file.
    #[arg(long, global = true, hide_short_help = true)]
    disable_config_file: bool,
    /// Accepted and without effect: a command line logs nothing.
    #[arg(long, global = true, hide = true)]
    log_level: Option<String>,
    /// Accepted and without effect: a command line logs nothing.
    #[arg(long, global = true, hide = true)]
    log_format: Option<String>,
}

/// Where a server is and who asks it: all sources taken together.
#[derive(Debug, PartialEq)]
pub(crate) struct Connection {
    pub(crate) address: String,
    pub(crate) namespace: String,
    pub(crate) identity: String,
    pub(crate) api_key: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: Option<Tls>,
    pub(crate) connect_timeout: Duration,
}

/// What TLS needs, as PEM.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tls {
    pub(crate) ca: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) server_name: Option<String>,
}

impl Options {
    /// How the command prints.
    pub(crate) fn printer(&self) -> Printer {
        Printer {
            output: self.output,
        }
    }

    /// How the command writes times.
    pub(crate) fn time_format(&self) -> time::Format {
        self.time_format
    }

    /// Whether payloads are shown in shorthand.
    pub(crate) fn shorthand(&self) -> bool {
        !self.no_json_shorthand_payloads
    }

    /// Time that the whole command may take.
    pub(crate) fn command_timeout(&self) -> Option<Duration> {
        self.command_timeout.filter(|timeout| !timeout.is_zero())
    }

    /// Takes all sources together.
    pub(crate) fn connection(&self) -> anyhow::Result<Connection> {
        let variables: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, value)| name.starts_with("TEMPORAL_") && !value.is_empty())
            .filter(|_| !self.disable_config_env)
            .collect();
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| name == wanted)?;
            Some(found.1.clone())
        };
        let profile = if self.disable_config_file {
            Profile::default()
        } else {
            let file = self
                .config_file
                .clone()
                .or_else(|| variable("TEMPORAL_CONFIG_FILE").map(PathBuf::from));
            let name = self
                .profile
                .clone()
                .or_else(|| variable("TEMPORAL_PROFILE"));
            profile::read(file.as_deref(), name.as_deref())?
        };
        self.resolve(&variables, profile)
    }

    fn resolve(
        &self,
        variables: &[(String, String)],
        profile: Profile,
    ) -> anyhow::Result<Connection> {
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| name == wanted)?;
            Some(found.1.clone())
        };
        let first = |flag: &Option<String>, name: &str, file: Option<String>| {
            flag.clone().or_else(|| variable(name)).or(file)
        };
        let mut headers: Vec<(String, String)> = profile.grpc_meta.into_iter().collect();
        for (name, value) in variables {
            if let Some(name) = name.strip_prefix("TEMPORAL_GRPC_META_") {
                headers.push((name.to_lowercase().replace('_', "-"), value.clone()));
            }
        }
        for pair in &self.grpc_meta {
            let (name, value) = pair
                .split_once('=')
                .with_context(|| format!("--grpc-meta {pair:?} is not KEY=VALUE"))?;
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let api_key = first(&self.api_key, "TEMPORAL_API_KEY", profile.api_key);
        let asked = match (self.tls, variable("TEMPORAL_TLS")) {
            (Some(asked), _) => Some(asked),
            (None, Some(text)) => Some(matches!(text.as_str(), "true" | "1")),
            (None, None) => profile.tls.as_ref().map(|tls| !tls.disabled),
        };
        let unverified = self.tls_disable_host_verification
            || variable("TEMPORAL_TLS_DISABLE_HOST_VERIFICATION").as_deref() == Some("true")
            || profile
                .tls
                .as_ref()
                .is_some_and(|tls| tls.disable_host_verification);
        let tls = self.tls(&variable, profile.tls.unwrap_or_default())?;
        let tls = match asked {
            Some(asked) => asked.then_some(tls),
            None => (api_key.is_some() || tls != Tls::default()).then_some(tls),
        };
        if tls.is_some() && unverified {
            bail!(
                "the server is always verified; --tls-server-name and --tls-ca-path say what to expect"
            );
        }
        Ok(Connection {
            address: first(&self.address, "TEMPORAL_ADDRESS", profile.address)
                .unwrap_or_else(|| "localhost:7233".to_owned()),
            namespace: first(&self.namespace, "TEMPORAL_NAMESPACE", profile.namespace)
                .unwrap_or_else(|| "default".to_owned()),
            identity: self.identity.clone().unwrap_or_else(identity),
            api_key,
            headers,
            tls,
            connect_timeout: self
                .client_connect_timeout
                .unwrap_or(Duration::from_secs(10)),
        })
    }

    fn tls(
        &self,
        variable: &impl Fn(&str) -> Option<String>,
        file: profile::Tls,
    ) -> anyhow::Result<Tls> {
        // A flag goes over the environment, whichever of path and data each of them gives.
        let pem = |what: &str, path: &Option<PathBuf>, data: &Option<String>, of_file| {
            let named = |suffix: &str| variable(&format!("TEMPORAL_TLS_{what}_{suffix}"));
            let layers = [
                (path.clone(), data.clone()),
                (named("PATH").map(PathBuf::from), named("DATA")),
                of_file,
            ];
            let found = layers
                .into_iter()
                .find(|(path, data)| path.is_some() || data.is_some());
            match found {
                Some((_, Some(data))) => Ok(Some(data)),
                Some((Some(path), None)) => std::fs::read_to_string(&path)
                    .map(Some)
                    .with_context(|| format!("{} is unreadable", path.display())),
                _ => Ok(None),
            }
        };
        let from_file = (file.server_ca_cert_path, file.server_ca_cert_data);
        let ca = pem(
            "SERVER_CA_CERT",
            &self.tls_ca_path,
            &self.tls_ca_data,
            from_file,
        )?;
        let from_file = (file.client_cert_path, file.client_cert_data);
        let cert = pem(
            "CLIENT_CERT",
            &self.tls_cert_path,
            &self.tls_cert_data,
            from_file,
        )?;
        let from_file = (file.client_key_path, file.client_key_data);
        let key = pem(
            "CLIENT_KEY",
            &self.tls_key_path,
            &self.tls_key_data,
            from_file,
        )?;
        let server_name = self
            .tls_server_name
            .clone()
            .or_else(|| variable("TEMPORAL_TLS_SERVER_NAME"))
            .or(file.server_name);
        Ok(Tls {
            ca,
            cert,
            key,
            server_name,
        })
    }
}

fn identity() -> String {
    format!("cairn-cli:{}@{}", user(), host())
}

/// The name of the person at the keyboard, as far as it is known.
pub(crate) fn user() -> String {
    std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "unknown".to_owned())
}

fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn resolved(line: &str, variables: &[(&str, &str)], file: &str) -> anyhow::Result<Connection> {
        let words = ["cairn"].into_iter().chain(line.split_whitespace());
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Line::try_parse_from(words)?
            .options
            .resolve(&variables, toml::from_str(file)?)
    }

    #[test]
    fn flags_go_over_the_environment_and_that_over_the_file() {
        let file =
            "address = 'file:1'\nnamespace = 'file'\napi_key = 'file'\n[grpc_meta]\na = 'file'";
        let variables = [
            ("TEMPORAL_ADDRESS", "env:1"),
            ("TEMPORAL_NAMESPACE", "env"),
            ("TEMPORAL_GRPC_META_B_C", "env"),
        ];
        let found = resolved("--address flag:1 --grpc-meta d=flag", &variables, file).unwrap();
        assert_eq!(found.address, "flag:1");
        assert_eq!(found.namespace, "env");
        assert_eq!(found.api_key.as_deref(), Some("file"));
        let headers: Vec<_> = found
            .headers
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(headers, ["a=file", "b-c=env", "d=flag"]);
    }

    #[test]
    fn tls_is_used_when_asked_for_or_when_something_needs_it() {
        let tls = |line: &str, file: &str| resolved(line, &[], file).unwrap().tls.is_some();
        assert!(!tls("", ""));
        assert!(tls("--tls", ""));
        assert!(tls("--api-key k", ""));
        assert!(!tls("--api-key k --tls=false", ""));
        assert!(tls("--tls-ca-data x", ""));
        assert!(tls("", "[tls]"));
        assert!(!tls("", "[tls]\ndisabled = true"));
    }

    #[test]
    fn an_unverified_server_is_refused() {
        assert!(resolved("--tls --tls-disable-host-verification", &[], "").is_err());
    }
}
