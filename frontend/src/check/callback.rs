//! Completion callbacks of a request: whom the server may call at all, and how much it keeps to say.
//!
//! Deliberately absent: whether anybody answers there.

use cairn_proto::temporal::api::common::v1::Callback;
use cairn_proto::temporal::api::common::v1::callback::{Nexus, Variant};

use super::link;
use crate::config::Config;
use crate::error::Error;

/// Addresses of this server itself, which need not be allowed.
const OWN: [&str; 2] = ["temporal://system", "temporal://internal"];

/// Each can be called; the names of headers are then in lower case.
pub(crate) fn callbacks(config: &Config, callbacks: &mut [Callback]) -> Result<(), Error> {
    if callbacks.len() > config.callbacks {
        return Err(Error::invalid(format!(
            "cannot attach more than {} callbacks to an execution",
            config.callbacks
        )));
    }
    for callback in callbacks {
        match &mut callback.variant {
            Some(Variant::Nexus(nexus)) => one(config, nexus)?,
            Some(Variant::Internal(_)) => {
                return Err(Error::invalid(
                    "unsupported callback variant: *common.Callback_Internal_",
                ));
            }
            Some(Variant::NexusHandler(_)) => {
                return Err(Error::invalid(
                    "unsupported callback variant: *common.Callback_NexusHandler_",
                ));
            }
            None => return Err(Error::off("unknown callback variant: <nil>")),
        }
        link::links(config, &callback.links)?;
    }
    Ok(())
}

fn one(config: &Config, nexus: &mut Nexus) -> Result<(), Error> {
    if nexus.url.len() > config.callback_url_size {
        return Err(Error::invalid(format!(
            "invalid url: url length longer than max length allowed of {}",
            config.callback_url_size
        )));
    }
    check_address(config, &nexus.url)?;
    let headers = nexus.header.iter();
    let size: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    if size > config.callback_header_size {
        return Err(Error::invalid(format!(
            "invalid header: header size longer than max allowed size of {}",
            config.callback_header_size
        )));
    }
    nexus.header = std::mem::take(&mut nexus.header)
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    Ok(())
}

fn check_address(config: &Config, url: &str) -> Result<(), Error> {
    if OWN.contains(&url) {
        return Ok(());
    }
    let broken =
        |why: String| Error::invalid(format!("invalid callback url: parse {url:?}: {why}"));
    let address = Address::parse(url).map_err(broken)?;
    if !matches!(&*address.scheme, "http" | "https") {
        return Err(Error::invalid(format!(
            "invalid url: unknown scheme: {url}"
        )));
    }
    if address.host.is_empty() {
        return Err(Error::invalid("invalid url: missing host"));
    }
    let allowed = config.callback_addresses.iter();
    let Some(allowed) = allowed.into_iter().find(|it| it.covers(address.host)) else {
        return Err(Error::invalid(format!(
            "invalid url: url does not match any configured callback address: {url}"
        )));
    };
    if address.scheme == "http" && !allowed.insecure {
        return Err(Error::invalid(format!(
            "invalid url: callback address does not allow insecure connections: {url}"
        )));
    }
    Ok(())
}

/// The beginning of a URL, which is all that is judged.
struct Address<'a> {
    /// In lower case; empty without one.
    scheme: String,
    /// With its port.
    host: &'a str,
}

impl<'a> Address<'a> {
    /// The wrong are told so in the words of Go.
    fn parse(url: &'a str) -> Result<Self, String> {
        if url.chars().any(|it| it.is_ascii_control()) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let named = |scheme: &&str| {
            scheme.starts_with(|it: char| it.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
        };
        let (scheme, rest) = match url.split_once(':').filter(|(scheme, _)| named(scheme)) {
            Some((scheme, rest)) => (scheme.to_lowercase(), rest),
            None => (String::new(), url),
        };
        let authority = rest.strip_prefix("//").unwrap_or_default();
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let port = match host.strip_prefix('[') {
            Some(literal) => match literal.split_once(']') {
                Some((_, port)) => port,
                None => return Err("missing ']' in host".to_owned()),
            },
            None => host.find(':').map_or("", |colon| &host[colon..]),
        };
        let digits = port.strip_prefix(':').unwrap_or(port);
        let is_port = port.is_empty() || port.starts_with(':');
        if !is_port || !digits.bytes().all(|it| it.is_ascii_digit()) {
            return Err(format!("invalid port {port:?} after host"));
        }
        Ok(Self { scheme, host })
    }
}
