//! Clients and servers that do not fit together are told so before anything else is said.

use tonic::metadata::MetadataMap;

use crate::Frontend;
use crate::cluster::{SERVER_VERSION, SUPPORTED_CLIENTS};
use crate::error::Error;

impl Frontend {
    /// May this client, as its metadata describes it, be served?
    pub(crate) fn admit(&self, metadata: &MetadataMap) -> Result<(), Error> {
        if !self.config.version_check {
            return Ok(());
        }
        let said = |name: &str| {
            metadata
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
        };
        let (client_name, client_version) = (said("client-name"), said("client-version"));
        if client_name.is_empty() || client_version.is_empty() {
            return Ok(());
        }
        let known = SUPPORTED_CLIENTS
            .iter()
            .find(|(name, _)| *name == client_name);
        if let Some((_, supported)) = known {
            let version = Version::read(client_version).ok_or_else(|| {
                Error::invalid(
                    "Unable to parse client version: No Major.Minor.Patch elements found",
                )
            })?;
            if !contains(supported, version).unwrap_or(true) {
                return Err(Error::ClientVersion {
                    name: client_name.to_owned(),
                    version: client_version.to_owned(),
                    supported,
                });
            }
        }
        let wanted = said("supported-server-versions");
        let own = Version::read(SERVER_VERSION);
        let fits = own.is_none_or(|own| wanted.is_empty() || contains(wanted, own).unwrap_or(true));
        if fits {
            Ok(())
        } else {
            Err(Error::ServerVersion(wanted.to_owned()))
        }
    }
}

/// The three numbers of a semantic version, and whether it is before the release they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    numbers: [u64; 3],
    released: bool,
}

impl Version {
    fn read(text: &str) -> Option<Self> {
        let (text, _build) = text.split_once('+').unwrap_or((text, ""));
        let (numbers, pre) = text
            .split_once('-')
            .map_or((text, None), |(text, pre)| (text, Some(pre)));
        let mut parts = numbers.split('.').map(|part| part.parse::<u64>().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Self {
            numbers,
            released: pre.is_none(),
        })
    }
}

/// Is the version in the range (`>=1.0.0 <2.0.0 || 3.0.0`)? `None`: it is not a range.
fn contains(range: &str, version: Version) -> Option<bool> {
    let mut any = false;
    for alternative in range.split("||") {
        let mut all = true;
        for comparator in alternative.split_whitespace() {
            let at = comparator.find(|c: char| c.is_ascii_digit())?;
            let (sign, bound) = comparator.split_at(at);
            let bound = Version::read(bound)?;
            all &= match sign {
                "<" => version < bound,
                "<=" => version <= bound,
                ">" => version > bound,
                ">=" => version >= bound,
                "" | "=" | "==" => version == bound,
                "!" | "!=" => version != bound,
                _ => return None,
            };
        }
        any |= all;
    }
    Some(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let within = |range, version| contains(range, Version::read(version).unwrap());
        assert_eq!(within("<2.0.0", "1.48.0"), Some(true));
        assert_eq!(within("<2.0.0", "2.0.0"), Some(false));
        assert_eq!(within("<2.0.0", "2.0.0-beta.1"), Some(true));
        assert_eq!(within(">=1.0.0 <2.0.0", "1.32.0"), Some(true));
        assert_eq!(within(">=3.0.0 || <1.0.0", "1.32.0"), Some(false));
        assert_eq!(within("latest", "1.32.0"), None);
        assert_eq!(Version::read("x"), None);
        assert_eq!(Version::read("1.2"), None);
    }
}
