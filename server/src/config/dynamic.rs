//! Limits and switches under the names that people already use, such as `limit.blobSize.error`.
//!
//! Unknown names are kept and otherwise ignored: test suites pass many that mean nothing here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Values by name; names are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Dynamic(BTreeMap<String, Value>);

/// Why `KEY=JSON` was not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("dynamic config value {0:?} is not KEY=VALUE")]
    NoValue(String),
    #[error("the value of dynamic config key {key:?} is not JSON")]
    NotJson {
        key: String,
        #[source]
        source: serde_json::Error,
    },
}

#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the engine behind the port will ask for its limits"
    )
)]
impl Dynamic {
    /// Reads `KEY=JSON` and keeps it; the last of several values stands.
    pub(crate) fn set(&mut self, pair: &str) -> Result<(), Error> {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::NoValue(pair.to_owned()))?;
        let value = serde_json::from_str(value).map_err(|source| Error::NotJson {
            key: key.to_owned(),
            source,
        })?;
        self.0.retain(|known, _| !known.eq_ignore_ascii_case(key));
        self.0.insert(key.to_owned(), value);
        Ok(())
    }

    /// What was set under a name.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
    }

    /// A number set under a name; anything else there counts as not set.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_u64()
    }

    /// A switch set under a name; anything else there counts as not set.
    pub(crate) fn switch(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// Everything that was set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_json_and_the_last_stands() {
        let mut dynamic = Dynamic::default();
        for pair in [
            "limit.historyCount.suggestContinueAsNew=50",
            "frontend.enableX=true",
            r#"some.list=[{"a":"b=c"}]"#,
            "LIMIT.historycount.suggestContinueAsNew=30",
        ] {
            dynamic.set(pair).unwrap();
        }
        assert_eq!(
            dynamic.number("limit.historyCount.suggestContinueAsNew"),
            Some(30)
        );
        assert_eq!(dynamic.switch("frontend.enableX"), Some(true));
        assert_eq!(dynamic.number("frontend.enableX"), None);
        assert_eq!(
            dynamic.get("some.list"),
            Some(&serde_json::json!([{"a": "b=c"}]))
        );
        assert_eq!(dynamic.iter().count(), 3);
    }

    #[test]
    fn what_is_not_a_pair_of_name_and_json_is_refused() {
        let mut dynamic = Dynamic::default();
        assert!(matches!(dynamic.set("key"), Err(Error::NoValue(_))));
        assert!(matches!(dynamic.set("key=yes"), Err(Error::NotJson { .. })));
    }
}
