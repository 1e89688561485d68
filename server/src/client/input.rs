//! Payloads from the command line: inputs, memo, search attributes and headers.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, bail};
use base64::Engine;
use cairn_proto::temporal::api::common::v1::{Header, Payload, Payloads};

/// Flags for arguments of a workflow, signal or query.
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(clippy::struct_field_names, reason = "the flags are named so")]
pub(crate) struct Input {
    /// An argument, as JSON. Can be given again.
    #[arg(
        long,
        short = 'i',
        value_name = "JSON",
        conflicts_with = "input_file",
        allow_hyphen_values = true
    )]
    input: Vec<String>,
    /// File with an argument, as JSON. Can be given again.
    #[arg(long, value_name = "PATH")]
    input_file: Vec<PathBuf>,
    /// Metadata of the arguments; `encoding` says that they are not JSON. The n-th of a key is for the n-th argument.
    #[arg(long, value_name = "KEY=VALUE")]
    input_meta: Vec<String>,
    /// Arguments are base64.
    #[arg(long)]
    input_base64: bool,
}

impl Input {
    /// The arguments as payloads; none if none were given.
    pub(crate) fn payloads(&self) -> anyhow::Result<Option<Payloads>> {
        let mut texts: Vec<Vec<u8>> = self.input.iter().map(|text| text.clone().into()).collect();
        for path in &self.input_file {
            let bytes = std::fs::read(path)
                .with_context(|| format!("the input file {} is unreadable", path.display()))?;
            texts.push(bytes);
        }
        if texts.is_empty() {
            return Ok(None);
        }
        let metadata = self.metadata()?;
        let payloads = texts
            .into_iter()
            .enumerate()
            .map(|(index, data)| self.payload(index, data, &metadata))
            .collect::<anyhow::Result<_>>()?;
        Ok(Some(Payloads { payloads }))
    }

    fn payload(
        &self,
        index: usize,
        mut data: Vec<u8>,
        metadata: &HashMap<String, Vec<String>>,
    ) -> anyhow::Result<Payload> {
        if self.input_base64 {
            data = base64::engine::general_purpose::STANDARD
                .decode(data.trim_ascii())
                .with_context(|| format!("input {} is not base64", index + 1))?;
        }
        let mut own = HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]);
        for (key, values) in metadata {
            // One value is for all arguments, of several each has its own.
            if let Some(value) = values.get(index.min(values.len() - 1)) {
                own.insert(key.clone(), value.clone().into());
            }
        }
        if own["encoding"].starts_with(b"json/") {
            serde_json::from_slice::<serde::de::IgnoredAny>(&data)
                .with_context(|| format!("input {} is not valid JSON", index + 1))?;
        }
        Ok(Payload {
            metadata: own,
            data,
            ..Default::default()
        })
    }

    fn metadata(&self) -> anyhow::Result<HashMap<String, Vec<String>>> {
        let mut metadata: HashMap<String, Vec<String>> = HashMap::new();
        for text in &self.input_meta {
            let (key, value) = pair("--input-meta", text)?;
            metadata.entry(key).or_default().push(value);
        }
        Ok(metadata)
    }
}

/// Payloads by name from `KEY=JSON`.
pub(crate) fn fields(flag: &str, pairs: &[String]) -> anyhow::Result<HashMap<String, Payload>> {
    pairs
        .iter()
        .map(|text| {
            let (key, value) = pair(flag, text)?;
            serde_json::from_str::<serde::de::IgnoredAny>(&value)
                .with_context(|| format!("{flag} {key}: the value is not valid JSON"))?;
            let payload = Payload {
                metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
                data: value.into(),
                ..Default::default()
            };
            Ok((key, payload))
        })
        .collect()
}

/// A workflow's headers from `KEY=JSON`; none if none were given.
pub(crate) fn header(pairs: &[String]) -> anyhow::Result<Option<Header>> {
    let fields = fields("--headers", pairs)?;
    Ok((!fields.is_empty()).then_some(Header { fields }))
}

/// A text as a JSON payload.
pub(crate) fn text(text: &str) -> Payload {
    Payload {
        metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
        data: serde_json::Value::from(text).to_string().into(),
        ..Default::default()
    }
}

/// Splits `KEY=VALUE`.
pub(crate) fn pair(flag: &str, text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => bail!("{flag} {text:?} is not KEY=VALUE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn arguments_are_json_unless_said_otherwise() {
        let input = Input {
            input: texts(&["{\"a\":1}", "2"]),
            ..Input::default()
        };
        let payloads = input.payloads().unwrap().unwrap().payloads;
        assert_eq!(payloads[0].metadata["encoding"], b"json/plain");
        assert_eq!(payloads[1].data, b"2");
        let input = Input {
            input: texts(&["aGk=", "aG8="]),
            input_meta: texts(&["encoding=binary/plain", "n=1", "n=2"]),
            input_base64: true,
            ..Input::default()
        };
        let payloads = input.payloads().unwrap().unwrap().payloads;
        assert_eq!(payloads[1].metadata["encoding"], b"binary/plain");
        assert_eq!(payloads[0].metadata["n"], b"1");
        assert_eq!(payloads[1].metadata["n"], b"2");
        assert_eq!(payloads[1].data, b"ho");
    }

    #[test]
    fn what_is_not_json_is_refused_before_it_is_sent() {
        let input = Input {
            input: texts(&["{"]),
            ..Input::default()
        };
        assert!(input.payloads().is_err());
        assert!(fields("--memo", &texts(&["a=b"])).is_err());
        assert!(fields("--memo", &texts(&["a"])).is_err());
        assert!(Input::default().payloads().unwrap().is_none());
    }
}
