//! `temporal.toml`: named profiles of connections, as every official SDK and command line reads them.
//!
//! Read only; which of flag, environment and file stands is in `options`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

/// A connection as one profile describes it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) address: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) tls: Option<Tls>,
    pub(crate) grpc_meta: BTreeMap<String, String>,
}

/// The TLS part of a profile. Its presence alone asks for TLS.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Tls {
    pub(crate) disabled: bool,
    pub(crate) client_cert_path: Option<PathBuf>,
    pub(crate) client_cert_data: Option<String>,
    pub(crate) client_key_path: Option<PathBuf>,
    pub(crate) client_key_data: Option<String>,
    pub(crate) server_ca_cert_path: Option<PathBuf>,
    pub(crate) server_ca_cert_data: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) disable_host_verification: bool,
}

// Keys that we do not know are for other programs: the file is shared.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    profile: BTreeMap<String, Profile>,
}

/// Reads a profile. A file or a profile that nobody named may be missing.
pub(crate) fn read(file: Option<&Path>, name: Option<&str>) -> anyhow::Result<Profile> {
    let path = match file {
        Some(path) => path.to_owned(),
        None => match usual() {
            Some(path) if path.exists() => path,
            _ => return missing(name),
        },
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("the profile file {} is unreadable", path.display()))?;
    parse(&text, name).with_context(|| format!("in the profile file {}", path.display()))
}

fn parse(text: &str, name: Option<&str>) -> anyhow::Result<Profile> {
    let mut file: File = toml::from_str(text)?;
    match file.profile.remove(name.unwrap_or("default")) {
        Some(profile) => Ok(profile),
        None => missing(name),
    }
}

fn missing(name: Option<&str>) -> anyhow::Result<Profile> {
    match name {
        Some(name) => bail!("there is no profile {name:?}"),
        None => Ok(Profile::default()),
    }
}

fn usual() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let folder = if cfg!(target_os = "macos") {
        variable("HOME")?.join("Library/Application Support")
    } else {
        match variable("XDG_CONFIG_HOME") {
            Some(folder) => folder,
            None => variable("HOME")?.join(".config"),
        }
    };
    Some(folder.join("temporalio/temporal.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [profile.default]
        address = "a:1"
        [profile.cloud]
        address = "b:2"
        api_key = "key"
        unknown_to_us = 1
        [profile.cloud.tls]
        server_name = "s"
        [profile.cloud.grpc_meta]
        tenant = "t"
    "#;

    #[test]
    fn profiles_are_found_by_name() {
        assert_eq!(parse(FILE, None).unwrap().address.as_deref(), Some("a:1"));
        let cloud = parse(FILE, Some("cloud")).unwrap();
        assert_eq!(cloud.api_key.as_deref(), Some("key"));
        assert_eq!(cloud.tls.unwrap().server_name.as_deref(), Some("s"));
        assert_eq!(cloud.grpc_meta["tenant"], "t");
    }

    #[test]
    fn only_a_profile_that_somebody_named_must_be_there() {
        assert_eq!(parse("", None).unwrap(), Profile::default());
        assert!(parse(FILE, Some("other")).is_err());
    }
}
