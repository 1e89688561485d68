//! The values of search attributes: of which type they must be, and how the reference speaks of those that are not.
//!
//! Deliberately absent: names and sizes, and what a value means to a query.

use std::fmt::Write;

use cairn_proto::temporal::api::common::v1::Payload;
use serde_json::Value;

use super::Kind;
use super::time::datetime;

/// Is it a value of this type?
fn holds(kind: Kind, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null)
        | (Kind::Bool, Value::Bool(_))
        | (Kind::Keyword | Kind::Text, Value::String(_))
        | (Kind::Double, Value::Number(_)) => true,
        (Kind::Int, Value::Number(number)) => number.is_i64(),
        (Kind::Datetime, Value::String(text)) => datetime(text).is_some(),
        (Kind::KeywordList, Value::Array(values)) => are_words(values),
        // A list of one is that one.
        (_, Value::Array(values)) => match &values[..] {
            [] => true,
            [Value::Array(_)] => false,
            [value] => holds(kind, value),
            _ => false,
        },
        _ => false,
    }
}

/// A list of words, or a list of one such list.
fn are_words(values: &[Value]) -> bool {
    let is_word = |value: &Value| value.is_string() || value.is_null();
    match values {
        [Value::Array(inner)] => inner.iter().all(is_word),
        values => values.iter().all(is_word),
    }
}

/// Does an attribute of this type take the value?
pub(super) fn check(name: &str, kind: Kind, payload: &Payload) -> Result<(), String> {
    let wrong = match decoded(payload) {
        Some(value) if holds(kind, &value) => return Ok(()),
        Some(value) => plain(&value),
        None => format!("value from <{}>", spelled(payload)),
    };
    Err(format!(
        "invalid value for search attribute {name} of type {}: {wrong}",
        kind.name()
    ))
}

/// The value inside a payload, if it is one of this type.
pub(super) fn of_kind(kind: Kind, payload: &Payload) -> Option<Value> {
    decoded(payload).filter(|value| holds(kind, value))
}

/// The value inside a payload, if its encoding is one that can be read.
pub(super) fn decoded(payload: &Payload) -> Option<Value> {
    match payload.metadata.get("encoding").map(Vec::as_slice) {
        Some(b"binary/null") => Some(Value::Null),
        Some(b"json/plain") => serde_json::from_slice(&payload.data).ok(),
        Some(b"binary/plain") => Some(payload.data.iter().copied().map(Value::from).collect()),
        _ => None,
    }
}

/// A value as the reference prints it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(it) => it.to_string(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), float),
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(plain).collect();
            format!("[{}]", values.join(" "))
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{key}:{}", plain(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
    }
}

/// The shortest digits, with an exponent of at least two digits where the number is very large or very small.
fn float(number: f64) -> String {
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&power) {
        return number.to_string();
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.unsigned_abs())
}

/// A payload as the reference prints it.
fn spelled(payload: &Payload) -> String {
    let mut metadata: Vec<_> = payload.metadata.iter().collect();
    metadata.sort_unstable();
    let mut fields: Vec<_> = metadata
        .into_iter()
        .map(|(key, value)| {
            let (key, value) = (quoted(key.as_bytes()), quoted(value));
            format!("metadata:{{key:{key}  value:{value}}}")
        })
        .collect();
    if !payload.data.is_empty() {
        fields.push(format!("data:{}", quoted(&payload.data)));
    }
    fields.join("  ")
}

/// Bytes in quotation marks, readable as far as they are text.
fn quoted(bytes: &[u8]) -> String {
    let mut quoted = "\"".to_owned();
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '"' | '\\' => quoted.extend(['\\', letter]),
                '\0'..' ' | '\x7f' => escape(&mut quoted, &[letter as u8]),
                _ => quoted.push(letter),
            }
        }
        escape(&mut quoted, chunk.invalid());
    }
    quoted.push('"');
    quoted
}

fn escape(quoted: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(quoted, "\\x{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(encoding: &str, data: &[u8]) -> Payload {
        Payload {
            metadata: [("encoding".to_owned(), encoding.into())].into(),
            data: data.to_vec(),
            ..Default::default()
        }
    }

    fn wrong(kind: Kind, encoding: &str, data: &[u8]) -> String {
        check("A", kind, &payload(encoding, data)).map_or_else(
            |text| text.split_once(": ").unwrap().1.to_owned(),
            |()| "right".to_owned(),
        )
    }

    #[test]
    fn values_are_named_as_the_reference_does() {
        for (data, expect) in [
            (r"7", "7"),
            (r"7.5", "7.5"),
            (r"1e30", "1e+30"),
            (r"-1e-7", "-1e-07"),
            (r"true", "true"),
            (r#"["a","b"]"#, "[a b]"),
            (r#"{"b":[1,null],"a":"x"}"#, "map[a:x b:[1 <nil>]]"),
            (r#""word""#, "right"),
            (r#"["one"]"#, "right"),
            (r"[]", "right"),
            (r"null", "right"),
        ] {
            let found = wrong(Kind::Keyword, "json/plain", data.as_bytes());
            assert_eq!(found, expect, "{data}");
        }
    }

    #[test]
    fn numbers_and_times_are_of_their_type() {
        for (kind, data, expect) in [
            (Kind::Int, "7", "right"),
            (Kind::Int, "[7]", "right"),
            (Kind::Int, "7.0", "7"),
            (Kind::Int, "9223372036854775808", "9.223372036854776e+18"),
            (Kind::Int, "\"7\"", "7"),
            (Kind::Int, "1000000.5", "1.0000005e+06"),
            (Kind::Int, "123456.5", "123456.5"),
            (Kind::Double, "7", "right"),
            (Kind::Double, "1e308", "right"),
            (Kind::Double, "[1.5,2]", "[1.5 2]"),
            (Kind::Bool, "1", "1"),
            (Kind::Text, "\"words\"", "right"),
            (Kind::Text, "7", "7"),
            (Kind::Keyword, "[null]", "right"),
            (Kind::Keyword, "[[\"a\"]]", "[[a]]"),
            (Kind::Datetime, "\"2020-01-01T00:00:00Z\"", "right"),
            (Kind::Datetime, "\"2020-01-01\"", "2020-01-01"),
            (Kind::Datetime, "1577836800000000000", "1.5778368e+18"),
        ] {
            assert_eq!(wrong(kind, "json/plain", data.as_bytes()), expect, "{data}");
        }
    }

    #[test]
    fn a_list_wants_a_list() {
        assert_eq!(wrong(Kind::KeywordList, "json/plain", br#""one""#), "one");
        assert_eq!(wrong(Kind::KeywordList, "json/plain", b"[1]"), "[1]");
        assert_eq!(wrong(Kind::KeywordList, "json/plain", br#"["a"]"#), "right");
        assert_eq!(
            wrong(Kind::KeywordList, "json/plain", br#"["a",null]"#),
            "right"
        );
        assert_eq!(
            wrong(Kind::KeywordList, "json/plain", br#"[["a"]]"#),
            "right"
        );
    }

    #[test]
    fn what_cannot_be_read_is_spelled() {
        assert_eq!(
            wrong(Kind::Keyword, "json/plain", b"{"),
            r#"value from <metadata:{key:"encoding"  value:"json/plain"}  data:"{">"#
        );
        assert_eq!(
            wrong(Kind::Keyword, "what/ever", "\u{e4}\"\u{1}\n".as_bytes()),
            "value from <metadata:{key:\"encoding\"  value:\"what/ever\"}  \
             data:\"\u{e4}\\\"\\x01\\n\">"
        );
        assert_eq!(quoted(b"\xff"), r#""\xff""#);
        assert_eq!(wrong(Kind::Keyword, "binary/plain", b"ab"), "[97 98]");
    }
}
