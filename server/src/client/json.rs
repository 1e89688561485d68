//! Messages as proto3-JSON, and payloads in shorthand: a payload that is plain JSON is shown as that JSON.
//!
//! Only output: requests are built from flags, field by field.

mod canonical;

use std::sync::OnceLock;

use cairn_proto::temporal::api::common::v1::{Payload, Payloads};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor};
use serde_json::{Map, Value};

use self::canonical::Canonical;

/// The public messages.
fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| {
        DescriptorPool::decode(cairn_proto::DESCRIPTORS)
            .expect("the descriptors were written by our own build")
    })
}

/// A message with payloads as they are, written as the official command line writes it.
pub(crate) fn raw<M: Message + Name>(message: &M) -> anyhow::Result<Canonical<DynamicMessage>> {
    Ok(Canonical(dynamic(message)?.0))
}

/// A message with payloads in shorthand.
pub(crate) fn short<M: Message + Name>(message: &M) -> anyhow::Result<Value> {
    let (dynamic, descriptor) = dynamic(message)?;
    let mut value = serde_json::to_value(&dynamic)?;
    shorten(&mut value, &descriptor);
    Ok(value)
}

/// A payload as JSON: shorthand if it is plain JSON, and as it is otherwise.
pub(crate) fn payload(payload: &Payload) -> Value {
    short(payload).unwrap_or(Value::Null)
}

/// Payloads as one value: nothing, the only one, or a list.
pub(crate) fn payloads(payloads: &Payloads) -> Value {
    match &*payloads.payloads {
        [] => Value::Null,
        [only] => payload(only),
        several => several.iter().map(payload).collect(),
    }
}

fn dynamic<M: Message + Name>(message: &M) -> anyhow::Result<(DynamicMessage, MessageDescriptor)> {
    let name = M::full_name();
    let descriptor = pool()
        .get_message_by_name(&name)
        .ok_or_else(|| anyhow::anyhow!("no descriptor of {name}"))?;
    let dynamic = DynamicMessage::decode(descriptor.clone(), &*message.encode_to_vec())?;
    Ok((dynamic, descriptor))
}

/// Replaces payloads wherever a message of this kind holds some.
fn shorten(value: &mut Value, descriptor: &MessageDescriptor) {
    match descriptor.full_name() {
        "temporal.api.common.v1.Payload" => {
            if let Some(shorthand) = shorthand(value) {
                *value = shorthand;
            }
        }
        "temporal.api.common.v1.Payloads" => {
            let mut list = value
                .get_mut("payloads")
                .map_or_else(|| Value::Array(Vec::new()), Value::take);
            for payload in list.as_array_mut().into_iter().flatten() {
                if let Some(shorthand) = shorthand(payload) {
                    *payload = shorthand;
                }
            }
            *value = list;
        }
        _ => {
            let Value::Object(fields) = value else { return };
            for field in descriptor.fields() {
                let Some(inner) = fields.get_mut(field.json_name()) else {
                    continue;
                };
                let Kind::Message(kind) = field.kind() else {
                    continue;
                };
                if field.is_map() {
                    if let Kind::Message(kind) = kind.map_entry_value_field().kind() {
                        each(inner, &kind);
                    }
                } else if field.is_list() {
                    each(inner, &kind);
                } else {
                    shorten(inner, &kind);
                }
            }
        }
    }
}

fn each(values: &mut Value, kind: &MessageDescriptor) {
    match values {
        Value::Array(list) => list.iter_mut().for_each(|value| shorten(value, kind)),
        Value::Object(map) => map.values_mut().for_each(|value| shorten(value, kind)),
        _ => {}
    }
}

/// What a payload says, if its encoding is one that JSON can show without loss.
fn shorthand(payload: &Value) -> Option<Value> {
    let metadata = payload.get("metadata")?.as_object()?;
    let text = |key: &str| String::from_utf8(decoded(metadata.get(key)?.as_str()?)?).ok();
    let data = || decoded(payload.get("data").and_then(Value::as_str).unwrap_or(""));
    match (text("encoding")?.as_str(), metadata.len()) {
        ("binary/null", 1) => Some(Value::Null),
        ("json/plain", 1) => serde_json::from_slice(&data()?).ok(),
        ("json/protobuf", 2) => {
            let kind = text("messageType")?;
            let mut fields: Map<String, Value> = serde_json::from_slice(&data()?).ok()?;
            fields.insert("_protoMessageType".to_owned(), kind.into());
            Some(Value::Object(fields))
        }
        _ => None,
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use cairn_proto::temporal::api::common::v1::{Memo, WorkflowExecution};
    use cairn_proto::temporal::api::workflow::v1::WorkflowExecutionInfo;

    use serde_json::json;

    use super::*;

    fn made(metadata: &[(&str, &str)], data: &str) -> Payload {
        Payload {
            metadata: metadata
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            data: data.as_bytes().to_vec(),
            ..Default::default()
        }
    }

    #[test]
    fn a_payload_of_plain_json_is_shown_as_that_json() {
        let shown = |metadata: &[_], data| payload(&made(metadata, data));
        assert_eq!(
            shown(&[("encoding", "json/plain")], r#"{"a":[1]}"#),
            json!({"a": [1]})
        );
        assert_eq!(shown(&[("encoding", "binary/null")], ""), Value::Null);
        assert_eq!(
            shown(
                &[("encoding", "json/protobuf"), ("messageType", "a.B")],
                r#"{"x":1}"#
            ),
            json!({"x": 1, "_protoMessageType": "a.B"})
        );
    }

    #[test]
    fn a_payload_that_shorthand_would_falsify_is_shown_as_it_is() {
        for (metadata, data) in [
            (vec![("encoding", "binary/plain")], "x"),
            (vec![("encoding", "json/plain"), ("type", "Keyword")], "1"),
            (vec![("encoding", "json/plain")], "not json"),
        ] {
            let payload = made(&metadata, data);
            let raw = serde_json::to_value(raw(&payload).unwrap()).unwrap();
            assert_eq!(short(&payload).unwrap(), raw);
        }
    }

    #[test]
    fn payloads_are_found_inside_messages() {
        let info = WorkflowExecutionInfo {
            execution: Some(WorkflowExecution {
                workflow_id: "w".into(),
                ..Default::default()
            }),
            history_length: 7,
            status: 2,
            memo: Some(Memo {
                fields: [(
                    "k".to_owned(),
                    made(&[("encoding", "json/plain")], "[true]"),
                )]
                .into(),
            }),
            ..Default::default()
        };
        assert_eq!(
            short(&info).unwrap(),
            json!({
                "execution": {"workflowId": "w"},
                "historyLength": "7",
                "status": "WORKFLOW_EXECUTION_STATUS_COMPLETED",
                "memo": {"fields": {"k": [true]}},
            })
        );
    }

    #[test]
    fn several_payloads_are_a_list() {
        let one = made(&[("encoding", "json/plain")], "1");
        let list = |payloads: &[&Payload]| {
            super::payloads(&Payloads {
                payloads: payloads.iter().copied().cloned().collect(),
            })
        };
        assert_eq!(list(&[]), Value::Null);
        assert_eq!(list(&[&one]), json!(1));
        assert_eq!(list(&[&one, &one]), json!([1, 1]));
    }
}
