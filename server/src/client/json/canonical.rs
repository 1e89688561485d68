//! A message as the official command line prints it, to the byte: fields as they are declared, maps by key, whole numbers without a fraction.
//!
//! Replayers take any order; people who compare two files do not. Numbers beyond 2^53 that are no integers of the protocol do not occur.

use base64::Engine;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, ReflectMessage, Value,
};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

/// A message that is written canonically.
#[derive(Debug)]
pub(crate) struct Canonical<M>(pub(super) M);

const WELL_KNOWN: &str = "google.protobuf";
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

impl Serialize for Canonical<DynamicMessage> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Canonical(&self.0).serialize(serializer)
    }
}

impl Serialize for Canonical<&DynamicMessage> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let descriptor = self.0.descriptor();
        if descriptor.package_name() == WELL_KNOWN {
            return self.0.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        for declared in &descriptor.descriptor_proto().field {
            let field = u32::try_from(declared.number())
                .ok()
                .and_then(|number| descriptor.get_field(number));
            if let Some(field) = field.filter(|field| self.0.has_field(field)) {
                let value = self.0.get_field(&field);
                map.serialize_entry(field.json_name(), &Field(&value, &field))?;
            }
        }
        map.end()
    }
}

/// The whole value of a field.
struct Field<'a>(&'a Value, &'a FieldDescriptor);

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, self.1.kind()) {
            (Value::List(list), kind) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                for one in list {
                    seq.serialize_element(&Single(one, &kind))?;
                }
                seq.end()
            }
            (Value::Map(entries), Kind::Message(entry)) => {
                let kind = entry.map_entry_value_field().kind();
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                let mut map = serializer.serialize_map(Some(sorted.len()))?;
                for (key, value) in sorted {
                    map.serialize_entry(&key_text(key), &Single(value, &kind))?;
                }
                map.end()
            }
            (single, kind) => Single(single, &kind).serialize(serializer),
        }
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(it) => it.to_string(),
        MapKey::I32(it) => it.to_string(),
        MapKey::I64(it) => it.to_string(),
        MapKey::U32(it) => it.to_string(),
        MapKey::U64(it) => it.to_string(),
        MapKey::String(it) => it.clone(),
    }
}

/// One value, with the kind that its field declares.
struct Single<'a>(&'a Value, &'a Kind);

impl Serialize for Single<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(it) => serializer.serialize_bool(*it),
            Value::I32(it) => serializer.serialize_i32(*it),
            Value::U32(it) => serializer.serialize_u32(*it),
            Value::I64(it) => serializer.serialize_str(&it.to_string()),
            Value::U64(it) => serializer.serialize_str(&it.to_string()),
            Value::F32(it) => number(*it, f64::from(*it), serializer),
            Value::F64(it) => number(*it, *it, serializer),
            Value::String(it) => serializer.serialize_str(it),
            Value::Bytes(it) => {
                serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(it))
            }
            Value::EnumNumber(it) => enumeration(*it, self.1.as_enum(), serializer),
            Value::Message(it) => Canonical(it).serialize(serializer),
            Value::List(_) | Value::Map(_) => {
                Err(serde::ser::Error::custom("a list in a list is no message"))
            }
        }
    }
}

fn enumeration<S: Serializer>(
    number: i32,
    kind: Option<&EnumDescriptor>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match kind.and_then(|kind| kind.get_value(number)) {
        Some(value) => serializer.serialize_str(value.name()),
        None => serializer.serialize_i32(number),
    }
}

/// `as_it_is` keeps the digits of its own type; `value` says whether there is a fraction, or a number at all.
fn number<S: Serializer>(
    as_it_is: impl Serialize,
    value: f64,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if value.is_nan() {
        serializer.serialize_str("NaN")
    } else if value.is_infinite() {
        serializer.serialize_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else if value.fract() == 0.0 && value.abs() < WHOLE_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
        serializer.serialize_i64(value as i64)
    } else {
        as_it_is.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use cairn_proto::temporal::api::common::v1::{Payload, RetryPolicy};
    use cairn_proto::temporal::api::history::v1::HistoryEvent;
    use cairn_proto::temporal::api::sdk::v1::UserMetadata;

    use super::super::raw;

    fn text<M: prost::Message + prost::Name>(message: &M) -> String {
        serde_json::to_string(&raw(message).unwrap()).unwrap()
    }

    #[test]
    fn fields_come_as_declared_and_not_by_number() {
        let event = HistoryEvent {
            event_id: 7,
            task_id: 9,
            worker_may_ignore: true,
            user_metadata: Some(UserMetadata::default()),
            ..HistoryEvent::default()
        };
        assert_eq!(
            text(&event),
            r#"{"eventId":"7","taskId":"9","workerMayIgnore":true,"userMetadata":{}}"#
        );
    }

    #[test]
    fn a_whole_number_has_no_fraction() {
        let policy = |backoff_coefficient| RetryPolicy {
            backoff_coefficient,
            ..RetryPolicy::default()
        };
        assert_eq!(text(&policy(2.0)), r#"{"backoffCoefficient":2}"#);
        assert_eq!(text(&policy(1.5)), r#"{"backoffCoefficient":1.5}"#);
    }

    #[test]
    fn maps_come_by_key() {
        let payload = Payload {
            metadata: ["b", "a", "c"]
                .map(|key| (key.to_owned(), vec![0xff]))
                .into(),
            ..Payload::default()
        };
        assert_eq!(
            text(&payload),
            r#"{"metadata":{"a":"/w==","b":"/w==","c":"/w=="}}"#
        );
    }
}
