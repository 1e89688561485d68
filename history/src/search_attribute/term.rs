//! Terms: by what a run is found. A term says that an attribute of a run has a value; `search` has a row for each.
//!
//! | type                               | terms                                                      |
//! |------------------------------------|------------------------------------------------------------|
//! | Keyword, Int, Double, Bool, Datetime | one, the value, in bytes that are in the order of the values |
//! | `KeywordList`                      | one for each word of the list, in small letters            |
//! | Text                               | one for each word of the text, in small letters without accents |
//!
//! A list or a text without words has one term without bytes: the attribute is there. Who has worked on a run (`BuildIds`,
//! `BinaryChecksums`) is no term, because nearly every run would pay for it: that is a column of its row.

use std::collections::BTreeMap;

use bytes::Bytes;
use cairn_proto::temporal::api::common::v1::SearchAttributes;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::time::datetime;
use super::value::{decoded, of_kind};
use super::{BINARY_CHECKSUMS, BUILD_IDS, Kind, is_nothing, predefined_kind};
use crate::id::NamespaceId;

/// An attribute of a run has a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// See [`attribute`].
    pub attribute: [u8; 16],
    pub value: Bytes,
}

/// Longer values are cut: an index has no place for more. They are then found by their beginning.
const VALUE_BYTES_MAX: usize = 2_048;

/// What says who has worked on a run.
pub const WORKERS: [&str; 2] = [BINARY_CHECKSUMS, BUILD_IDS];

/// What stands for an attribute of a namespace: short, whatever its name is.
pub fn attribute(namespace: NamespaceId, name: &str, kind: Kind) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&namespace.0);
    hasher.update(&[kind as u8]);
    hasher.update(name.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    short
}

/// Values as terms have them.
#[derive(Clone, Copy, Debug)]
pub struct TermValue;

impl TermValue {
    pub fn keyword(text: &str) -> Bytes {
        cut(text.as_bytes())
    }

    pub fn int(number: i64) -> Bytes {
        let ordered = number.cast_unsigned() ^ (1 << 63);
        Bytes::copy_from_slice(&ordered.to_be_bytes())
    }

    pub fn double(number: f64) -> Bytes {
        // Both zeros are one.
        let bits = (number + 0.0).to_bits();
        let ordered = if bits >> 63 == 0 {
            bits | 1 << 63
        } else {
            !bits
        };
        Bytes::copy_from_slice(&ordered.to_be_bytes())
    }

    pub fn bool(value: bool) -> Bytes {
        Bytes::copy_from_slice(&[u8::from(value)])
    }

    /// A word of a list.
    pub fn listed(text: &str) -> Bytes {
        let small: String = text.chars().map(small).collect();
        cut(small.as_bytes())
    }

    /// The words of a text.
    pub fn words(text: &str) -> Vec<Bytes> {
        let letters: String = text
            .nfd()
            .filter(|letter| !is_combining_mark(*letter))
            .map(small)
            .collect();
        let words = letters.split(|letter: char| !letter.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(|word| cut(word.as_bytes()))
            .collect()
    }
}

/// One letter stays one letter.
fn small(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

fn cut(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&bytes[..bytes.len().min(VALUE_BYTES_MAX)])
}

/// The terms of a run with these attributes, in order. `others`: types that the metadata does not say.
pub fn terms(
    namespace: NamespaceId,
    attributes: &SearchAttributes,
    others: &BTreeMap<String, i32>,
) -> Vec<Term> {
    let mut terms = Vec::new();
    for (name, payload) in &attributes.indexed_fields {
        if WORKERS.contains(&name.as_str()) || is_nothing(payload) {
            continue;
        }
        let said = || Kind::named(payload.metadata.get("type")?);
        let kind = predefined_kind(name)
            .or_else(|| Kind::numbered(*others.get(name)?))
            .or_else(said);
        let Some(kind) = kind else { continue };
        let Some(value) = of_kind(kind, payload) else {
            continue;
        };
        let attribute = attribute(namespace, name, kind);
        let values = values(kind, &value).into_iter();
        terms.extend(values.map(|value| Term { attribute, value }));
    }
    terms.sort_unstable();
    terms.dedup();
    terms
}

fn values(kind: Kind, value: &Value) -> Vec<Bytes> {
    let words = match kind {
        Kind::KeywordList => listed(value),
        Kind::Text => TermValue::words(one(value).as_str().unwrap_or_default()),
        single => return vec![single_value(single, one(value))],
    };
    if words.is_empty() {
        vec![Bytes::new()]
    } else {
        words
    }
}

/// A list of one is that one.
fn one(value: &Value) -> &Value {
    match value {
        Value::Array(values) => values.first().unwrap_or(&Value::Null),
        value => value,
    }
}

fn listed(value: &Value) -> Vec<Bytes> {
    let values = match value {
        Value::Array(values) => &values[..],
        _ => &[],
    };
    let values = match values {
        [Value::Array(inner)] => &inner[..],
        values => values,
    };
    let words = values.iter().filter_map(Value::as_str);
    words
        .filter(|word| !word.is_empty())
        .map(TermValue::listed)
        .collect()
}

/// A null inside a list of one is what the type has for nothing.
fn single_value(kind: Kind, value: &Value) -> Bytes {
    match kind {
        Kind::Int => TermValue::int(value.as_i64().unwrap_or(0)),
        Kind::Double => TermValue::double(value.as_f64().unwrap_or(0.0)),
        Kind::Bool => TermValue::bool(value.as_bool().unwrap_or(false)),
        Kind::Datetime => {
            let text = value.as_str().unwrap_or("0001-01-01T00:00:00Z");
            TermValue::int(datetime(text).map_or(i64::MIN, |time| time.0))
        }
        Kind::Keyword | Kind::Text | Kind::KeywordList => {
            TermValue::keyword(value.as_str().unwrap_or_default())
        }
    }
}

/// Who has worked on a run, as a row has it: a line for each, with the attribute that says it. Lines stand between line feeds, so
/// that one is found in the text.
pub fn workers(attributes: &SearchAttributes) -> String {
    let mut text = String::new();
    for name in WORKERS {
        let payload = attributes.indexed_fields.get(name);
        let value = payload.and_then(decoded).unwrap_or(Value::Null);
        let Value::Array(values) = value else {
            continue;
        };
        for word in values.iter().filter_map(Value::as_str) {
            text.push_str(&worker_line(name, word));
        }
    }
    text
}

/// How the lines of an attribute begin.
pub fn worker_prefix(name: &str) -> String {
    format!("\n{name}=")
}

/// The line that says that a worker is in an attribute.
pub fn worker_line(name: &str, word: &str) -> String {
    let small: String = word.chars().map(small).collect();
    format!("{}{}\n", worker_prefix(name), small.escape_debug())
}

#[cfg(test)]
mod tests {
    use cairn_proto::temporal::api::common::v1::Payload;
    use proptest::prelude::*;

    use super::*;

    const NAMESPACE: NamespaceId = NamespaceId([7; 16]);

    fn of(kind: Kind, data: &str) -> Vec<Bytes> {
        let payload = Payload {
            metadata: [
                ("encoding".to_owned(), b"json/plain".to_vec()),
                ("type".to_owned(), kind.name().into()),
            ]
            .into(),
            data: data.into(),
            ..Payload::default()
        };
        let attributes = SearchAttributes {
            indexed_fields: [("A".to_owned(), payload)].into(),
        };
        let terms = terms(NAMESPACE, &attributes, &BTreeMap::new());
        let own = attribute(NAMESPACE, "A", kind);
        assert!(terms.iter().all(|term| term.attribute == own));
        terms.into_iter().map(|term| term.value).collect()
    }

    #[test]
    fn each_type_has_its_terms() {
        assert_eq!(of(Kind::Keyword, "\"Red\""), ["Red"]);
        assert_eq!(of(Kind::Keyword, "[\"Red\"]"), ["Red"]);
        assert_eq!(of(Kind::Int, "7"), [TermValue::int(7)]);
        assert_eq!(of(Kind::Double, "7"), [TermValue::double(7.0)]);
        assert_eq!(of(Kind::Bool, "true"), [TermValue::bool(true)]);
        let at = of(Kind::Datetime, "\"1970-01-01T00:00:01Z\"");
        assert_eq!(at, [TermValue::int(1_000_000_000)]);
        assert_eq!(of(Kind::KeywordList, "[\"b\",\"A\",\"b\"]"), ["a", "b"]);
        assert_eq!(
            of(Kind::Text, "\"The Éclair, the_fox\""),
            ["eclair", "fox", "the"]
        );
    }

    #[test]
    fn what_has_no_words_is_there_all_the_same() {
        assert_eq!(of(Kind::Text, "\"\""), [""]);
        assert_eq!(of(Kind::KeywordList, "[null]"), [""]);
        assert_eq!(of(Kind::KeywordList, "[]"), [""; 0]);
        assert_eq!(of(Kind::Keyword, "null"), [""; 0]);
    }

    #[test]
    fn another_type_is_another_attribute() {
        let int = attribute(NAMESPACE, "A", Kind::Int);
        assert_ne!(int, attribute(NAMESPACE, "A", Kind::Keyword));
        assert_ne!(int, attribute(NamespaceId([8; 16]), "A", Kind::Int));
    }

    #[test]
    fn long_values_fit_into_an_index() {
        assert_eq!(
            TermValue::keyword(&"x".repeat(5_000)).len(),
            VALUE_BYTES_MAX
        );
    }

    #[test]
    fn a_worker_is_found_by_its_line_and_not_by_a_part_of_it() {
        let attributes = SearchAttributes {
            indexed_fields: [(
                BUILD_IDS.to_owned(),
                Payload {
                    metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
                    data: br#"["unversioned","a\nBuildIds=b"]"#.to_vec(),
                    ..Payload::default()
                },
            )]
            .into(),
        };
        let text = workers(&attributes);
        assert!(text.contains(&worker_line(BUILD_IDS, "unversioned")));
        assert!(text.contains(&worker_line(BUILD_IDS, "a\nBuildIds=b")));
        assert!(!text.contains(&worker_line(BUILD_IDS, "b")));
        assert!(!text.contains(&worker_line(BINARY_CHECKSUMS, "unversioned")));
        assert_eq!(workers(&SearchAttributes::default()), "");
    }

    proptest! {
        #[test]
        fn bytes_are_in_the_order_of_numbers(one in any::<i64>(), other in any::<i64>()) {
            prop_assert_eq!(TermValue::int(one).cmp(&TermValue::int(other)), one.cmp(&other));
        }

        #[test]
        fn bytes_are_in_the_order_of_fractions(one in any::<f64>(), other in any::<f64>()) {
            if let Some(order) = one.partial_cmp(&other) {
                prop_assert_eq!(TermValue::double(one).cmp(&TermValue::double(other)), order);
            }
        }

        #[test]
        fn a_text_is_found_by_each_of_its_words(words in prop::collection::vec("[a-zé]{1,9}", 1..9)) {
            let text = words.join(" ");
            let found = TermValue::words(&text);
            for word in &words {
                prop_assert!(found.contains(&TermValue::words(word)[0]));
            }
        }
    }
}
