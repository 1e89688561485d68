//! Search attributes: which there are, of which type each is, what may be set, and the terms by which runs are found.
//!
//! The registry of a namespace is an argument wherever it is needed: no state holds it, and folding a log never asks it. Deliberately
//! absent: where registries are kept (the frontend's namespaces), and what a query means.

use std::collections::BTreeMap;

use cairn_proto::cairn::history::v1 as internal;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Payload, SearchAttributes};
use cairn_proto::temporal::api::enums::v1::IndexedValueType;

mod term;
mod time;
mod value;

pub use term::{Term, TermValue, WORKERS, attribute, terms, worker_line, worker_prefix, workers};
pub use time::{datetime, decimals};

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Text = 1,
    Keyword,
    Int,
    Double,
    Bool,
    Datetime,
    KeywordList,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Text,
        Self::Keyword,
        Self::Int,
        Self::Double,
        Self::Bool,
        Self::Datetime,
        Self::KeywordList,
    ];

    /// As metadata and error messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Keyword => "Keyword",
            Self::Int => "Int",
            Self::Double => "Double",
            Self::Bool => "Bool",
            Self::Datetime => "Datetime",
            Self::KeywordList => "KeywordList",
        }
    }

    /// The type of that name.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
    }

    pub fn indexed(self) -> IndexedValueType {
        match self {
            Self::Text => IndexedValueType::Text,
            Self::Keyword => IndexedValueType::Keyword,
            Self::Int => IndexedValueType::Int,
            Self::Double => IndexedValueType::Double,
            Self::Bool => IndexedValueType::Bool,
            Self::Datetime => IndexedValueType::Datetime,
            Self::KeywordList => IndexedValueType::KeywordList,
        }
    }

    /// The type of that number, if there is one.
    pub fn numbered(number: i32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| i32::from(kind.indexed()) == number)
    }
}

pub const BUILD_IDS: &str = "BuildIds";
pub const BINARY_CHECKSUMS: &str = "BinaryChecksums";

/// Predefined search attributes that may be written from outside, with their types.
const WRITABLE: [(&str, Kind); 11] = [
    ("BatcherNamespace", Kind::Keyword),
    ("BatcherUser", Kind::Keyword),
    (BINARY_CHECKSUMS, Kind::KeywordList),
    (BUILD_IDS, Kind::KeywordList),
    ("TemporalChangeVersion", Kind::KeywordList),
    ("TemporalNamespaceDivision", Kind::Keyword),
    ("TemporalPauseInfo", Kind::KeywordList),
    ("TemporalReportedProblems", Kind::KeywordList),
    ("TemporalScheduledById", Kind::Keyword),
    ("TemporalScheduledStartTime", Kind::Datetime),
    ("TemporalSchedulePaused", Kind::Bool),
];

/// What only we say of a run.
const RESERVED: [(&str, Kind); 22] = [
    ("CloseTime", Kind::Datetime),
    ("ExecutionDuration", Kind::Int),
    ("ExecutionStatus", Kind::Keyword),
    ("ExecutionTime", Kind::Datetime),
    ("HistoryLength", Kind::Int),
    ("HistorySizeBytes", Kind::Int),
    ("ParentRunId", Kind::Keyword),
    ("ParentWorkflowId", Kind::Keyword),
    ("RootRunId", Kind::Keyword),
    ("RootWorkflowId", Kind::Keyword),
    ("RunId", Kind::Keyword),
    ("StartTime", Kind::Datetime),
    ("StateTransitionCount", Kind::Int),
    ("TaskQueue", Kind::Keyword),
    ("TemporalExternalPayloadCount", Kind::Int),
    ("TemporalExternalPayloadSizeBytes", Kind::Int),
    ("TemporalUsedWorkerDeploymentVersions", Kind::KeywordList),
    ("TemporalWorkerDeployment", Kind::Keyword),
    ("TemporalWorkerDeploymentVersion", Kind::Keyword),
    ("TemporalWorkflowVersioningBehavior", Kind::Keyword),
    ("WorkflowId", Kind::Keyword),
    ("WorkflowType", Kind::Keyword),
];

/// All attributes that every namespace has, with their types.
pub fn predefined() -> impl Iterator<Item = (&'static str, Kind)> {
    WRITABLE.into_iter().chain(RESERVED)
}

/// The type of an attribute that every namespace has.
pub fn predefined_kind(name: &str) -> Option<Kind> {
    predefined()
        .find(|(known, _)| *known == name)
        .map(|(_, kind)| kind)
}

/// The attributes that a namespace has beside the predefined ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// Its name, for what is wrong.
    pub namespace: String,
    pub custom: BTreeMap<String, Kind>,
}

impl From<internal::SearchAttributeRegistry> for Registry {
    fn from(it: internal::SearchAttributeRegistry) -> Self {
        let internal::SearchAttributeRegistry { namespace, custom } = it;
        let known = |(name, number)| Some((name, Kind::numbered(number)?));
        Self {
            namespace,
            custom: custom.into_iter().filter_map(known).collect(),
        }
    }
}

impl From<&Registry> for internal::SearchAttributeRegistry {
    fn from(it: &Registry) -> Self {
        let numbered = |(name, kind): (&String, &Kind)| (name.clone(), kind.indexed().into());
        Self {
            namespace: it.namespace.clone(),
            custom: it.custom.iter().map(numbered).collect(),
        }
    }
}

/// Search attributes that may be set, with the type that readers need in the metadata of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Typed {
    pub attributes: SearchAttributes,
    /// The types of those whose metadata, as the client gave it, says something else.
    pub others: BTreeMap<String, i32>,
}

impl Registry {
    /// Are these attributes that the namespace has?
    pub fn known(&self, asked: &SearchAttributes) -> Result<(), String> {
        let names = asked.indexed_fields.keys();
        let unknown = names
            .filter(|name| !self.custom.contains_key(*name) && predefined_kind(name).is_none())
            .min();
        unknown.map_or(Ok(()), |name| {
            Err(format!(
                "Namespace {} has no mapping defined for search attribute {name}",
                self.namespace
            ))
        })
    }

    /// The attributes with their types, or what is wrong with them.
    pub fn typed(&self, asked: &SearchAttributes) -> Result<Typed, String> {
        self.known(asked)?;
        let mut names: Vec<_> = asked.indexed_fields.keys().collect();
        names.sort_unstable();
        let mut typed = Typed {
            attributes: asked.clone(),
            others: BTreeMap::new(),
        };
        for name in names {
            let fields = &mut typed.attributes.indexed_fields;
            let (Some(kind), Some(payload)) = (self.settable(name), fields.get_mut(name)) else {
                return Err(format!("{name} attribute can't be set in SearchAttributes"));
            };
            value::check(name, kind, payload)?;
            let said = payload.metadata.entry("type".to_owned());
            let said = said.or_insert_with(|| kind.name().into());
            if said != kind.name().as_bytes() {
                typed.others.insert(name.clone(), kind.indexed().into());
            }
        }
        Ok(typed)
    }

    /// The type of an attribute that may be set.
    fn settable(&self, name: &str) -> Option<Kind> {
        let mut writable = WRITABLE.into_iter();
        let writable = writable.find(|(known, _)| *known == name);
        let kind = writable.map(|(_, kind)| kind);
        kind.or_else(|| self.custom.get(name).copied())
    }
}

/// Are search attributes small enough? The text says which is not.
pub fn check_sizes(
    asked: &SearchAttributes,
    value_bytes_max: usize,
    bytes_max: usize,
) -> Result<(), String> {
    let fields = asked.indexed_fields.iter();
    let sizes = fields.map(|(name, value)| (name, value.data.len()));
    if let Some((name, size)) = sizes.filter(|(_, size)| *size > value_bytes_max).min() {
        return Err(format!(
            "search attribute {name} value size {size} exceeds size limit {value_bytes_max}"
        ));
    }
    let size = asked.encoded_len();
    if size > bytes_max {
        return Err(format!(
            "total size of search attributes {size} exceeds size limit {bytes_max}"
        ));
    }
    Ok(())
}

/// A value that takes its attribute away.
pub fn is_nothing(payload: &Payload) -> bool {
    let encoding = payload.metadata.get("encoding").map(Vec::as_slice);
    payload.data.is_empty()
        || encoding == Some(b"binary/null")
        || (payload.data == b"null" || payload.data == b"[]") && encoding == Some(b"json/plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry {
            namespace: "shop".to_owned(),
            custom: [
                ("Color".to_owned(), Kind::Keyword),
                ("Size".to_owned(), Kind::Int),
            ]
            .into(),
        }
    }

    fn asked(fields: &[(&str, &str, &str)]) -> SearchAttributes {
        let payload = |kind: &str, data: &str| {
            let said = (!kind.is_empty()).then(|| ("type".to_owned(), kind.into()));
            let encoding = ("encoding".to_owned(), b"json/plain".to_vec());
            let metadata = [encoding].into_iter().chain(said).collect();
            Payload {
                metadata,
                data: data.into(),
                ..Payload::default()
            }
        };
        SearchAttributes {
            indexed_fields: fields
                .iter()
                .map(|(name, kind, data)| ((*name).to_owned(), payload(kind, data)))
                .collect(),
        }
    }

    #[test]
    fn names_must_be_known_to_the_namespace() {
        let wrong = |name| registry().typed(&asked(&[(name, "", "7")])).unwrap_err();
        assert_eq!(
            wrong("Weight"),
            "Namespace shop has no mapping defined for search attribute Weight"
        );
        assert_eq!(
            wrong("RunId"),
            "RunId attribute can't be set in SearchAttributes"
        );
        assert_eq!(
            wrong("Color"),
            "invalid value for search attribute Color of type Keyword: 7"
        );
        let of_another = Registry::default().typed(&asked(&[("Color", "", "\"red\"")]));
        assert!(of_another.is_err());
    }

    #[test]
    fn what_is_unknown_is_told_before_what_is_wrong() {
        let both = asked(&[("Color", "", "7"), ("Weight", "", "1"), ("RunId", "", "1")]);
        assert_eq!(
            registry().typed(&both).unwrap_err(),
            "Namespace shop has no mapping defined for search attribute Weight"
        );
    }

    #[test]
    fn a_type_is_added_and_one_that_is_there_is_kept() {
        let typed = registry()
            .typed(&asked(&[("Color", "Int", "\"red\""), ("Size", "", "7")]))
            .unwrap();
        let kind = |name: &str| &typed.attributes.indexed_fields[name].metadata["type"];
        assert_eq!(kind("Color"), b"Int");
        assert_eq!(kind("Size"), b"Int");
        assert_eq!(typed.others, [("Color".to_owned(), 2)].into());
    }

    #[test]
    fn a_registry_crosses_the_wire() {
        let there = internal::SearchAttributeRegistry::from(&registry());
        assert_eq!(Registry::from(there), registry());
    }

    #[test]
    fn names_and_numbers_of_types_are_the_published_ones() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name().as_bytes()), Some(kind));
            assert_eq!(Kind::numbered(kind.indexed().into()), Some(kind));
            assert_eq!(Kind::numbered(kind as i32), Some(kind));
        }
        assert_eq!(Kind::numbered(0), None);
        assert_eq!(Kind::named(b""), None);
    }

    #[test]
    fn a_null_removes_and_what_looks_like_one_does_not() {
        let payload = |encoding: &str, data: &str| Payload {
            metadata: [("encoding".to_owned(), encoding.as_bytes().to_vec())].into(),
            data: data.as_bytes().to_vec(),
            ..Payload::default()
        };
        let nothing = [
            ("json/plain", "null"),
            ("json/plain", "[]"),
            ("json/plain", ""),
            ("binary/null", ""),
            ("binary/null", "anything"),
        ];
        for (encoding, data) in nothing {
            assert!(is_nothing(&payload(encoding, data)), "{encoding} {data}");
        }
        for (encoding, data) in [
            ("binary/plain", "null"),
            ("binary/plain", "[]"),
            ("json/plain", "0"),
            ("json/plain", "[null]"),
        ] {
            assert!(!is_nothing(&payload(encoding, data)), "{encoding} {data}");
        }
    }
}
