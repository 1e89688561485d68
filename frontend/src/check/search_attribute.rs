//! Search attributes that a client sets: known, of their type and not too large.
//!
//! No namespace has attributes of its own yet.

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Payload, SearchAttributes};
use serde_json::Value;

use crate::config::Config;
use crate::error::Error;
use crate::visibility::attribute::{self, Type};
use crate::visibility::value;

/// Checks what a request sets, and writes each attribute's type into its metadata, where SDKs look for it.
pub(crate) fn set(
    config: &Config,
    namespace: &str,
    attributes: Option<&mut SearchAttributes>,
) -> Result<(), Error> {
    let Some(attributes) = attributes else {
        return Ok(());
    };
    let mut names: Vec<String> = attributes.indexed_fields.keys().cloned().collect();
    names.sort_unstable();
    let unmapped = names.iter().find(|name| attribute::named(name).is_none());
    if let Some(name) = unmapped {
        return Err(Error::invalid(format!(
            "Namespace {namespace} has no mapping defined for search attribute {name}"
        )));
    }
    let (count, limit) = (names.len(), config.search_attribute_keys);
    if count > limit {
        return Err(Error::invalid(format!(
            "number of search attributes {count} exceeds limit {limit}"
        )));
    }
    for name in &names {
        if let (Some(known), Some(payload)) = (
            attribute::named(name),
            attributes.indexed_fields.get_mut(name),
        ) {
            if known.is_system() {
                return Err(Error::invalid(format!(
                    "{name} attribute can't be set in SearchAttributes"
                )));
            }
            one(name, known.kind(), payload)?;
        }
    }
    sizes(config, &names, attributes)?;
    annotate(attributes);
    Ok(())
}

/// Writes the type of each known attribute into its metadata.
pub(crate) fn annotate(attributes: &mut SearchAttributes) {
    for (name, payload) in &mut attributes.indexed_fields {
        if let Some(known) = attribute::named(name) {
            payload
                .metadata
                .entry("type".to_owned())
                .or_insert_with(|| known.kind().name().into());
        }
    }
}

fn one(name: &str, kind: Type, payload: &Payload) -> Result<(), Error> {
    let invalid = |value: &str| {
        Error::invalid(format!(
            "invalid value for search attribute {name} of type {}: {value}",
            kind.name()
        ))
    };
    let encoding = payload.metadata.get("encoding").map(Vec::as_slice);
    // Nothing at all takes the attribute away.
    if encoding == Some(b"binary/null") {
        return Ok(());
    }
    let Ok(value) = serde_json::from_slice::<Value>(&payload.data) else {
        return Err(invalid(&format!(
            "value from <{}>",
            String::from_utf8_lossy(&payload.data)
        )));
    };
    let fits = |value: &Value| match (kind, value) {
        (Type::Keyword | Type::KeywordList, Value::String(_)) | (Type::Bool, Value::Bool(_)) => {
            true
        }
        (Type::Int, Value::Number(number)) => number.is_i64(),
        (Type::Datetime, Value::String(text)) => value::datetime(text).is_some(),
        _ => false,
    };
    let right = match &value {
        Value::Null => true,
        Value::Array(values) if kind == Type::KeywordList => values.iter().all(fits),
        // A list of one is that one.
        Value::Array(values) => values.len() == 1 && values.iter().all(fits),
        value => fits(value),
    };
    if right {
        return Ok(());
    }
    Err(match &value {
        Value::String(text) => invalid(text),
        other => invalid(&other.to_string()),
    })
}

fn sizes(config: &Config, names: &[String], attributes: &SearchAttributes) -> Result<(), Error> {
    let limit = config.search_attribute_value_size;
    for name in names {
        let size = attributes
            .indexed_fields
            .get(name)
            .map_or(0, |payload| payload.data.len());
        if size > limit {
            return Err(Error::invalid(format!(
                "search attribute {name} value size {size} exceeds size limit {limit}"
            )));
        }
    }
    let (size, limit) = (attributes.encoded_len(), config.search_attribute_total_size);
    if size > limit {
        return Err(Error::invalid(format!(
            "total size of search attributes {size} exceeds size limit {limit}"
        )));
    }
    Ok(())
}
