//! The search attributes of a namespace: names, types, and where their values are.

use std::collections::HashMap;

use cairn_history::log::visibility::Attribute;
use cairn_history::search_attribute::{self, Kind, WORKERS};

use crate::namespace::Namespace;
use crate::namespace::attributes::columns;

/// A search attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    kind: Kind,
    field: Field,
}

/// Where the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// In every row; written by the system only.
    Row(Attribute),
    /// In `search`, under what stands for it there.
    Term([u8; 16], Kind),
    /// Among those who have worked on a run.
    Worker(&'static str),
    /// What hides the system's own runs: a query that does not name it finds none of them.
    Division([u8; 16]),
}

impl Known {
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn field(&self) -> Field {
        self.field
    }
}

const DIVISION: &str = "TemporalNamespaceDivision";

const ROW: [(&str, Attribute); 16] = [
    ("WorkflowId", Attribute::WorkflowId),
    ("RunId", Attribute::RunId),
    ("WorkflowType", Attribute::WorkflowType),
    ("StartTime", Attribute::StartTime),
    ("ExecutionTime", Attribute::ExecutionTime),
    ("CloseTime", Attribute::CloseTime),
    ("ExecutionStatus", Attribute::ExecutionStatus),
    ("TaskQueue", Attribute::TaskQueue),
    ("HistoryLength", Attribute::HistoryLength),
    ("ExecutionDuration", Attribute::ExecutionDuration),
    ("StateTransitionCount", Attribute::StateTransitionCount),
    ("HistorySizeBytes", Attribute::HistorySizeBytes),
    ("ParentWorkflowId", Attribute::ParentWorkflowId),
    ("ParentRunId", Attribute::ParentRunId),
    ("RootWorkflowId", Attribute::RootWorkflowId),
    ("RootRunId", Attribute::RootRunId),
];

/// The attribute of exactly that name.
fn named(namespace: &Namespace, name: &str) -> Option<Known> {
    let term = |name, kind| search_attribute::attribute(namespace.id, name, kind);
    if let Some(kind) = namespace.registry.custom.get(name) {
        let field = Field::Term(term(name, *kind), *kind);
        return Some(Known { kind: *kind, field });
    }
    if let Some(known) = predefined(namespace, name) {
        return Some(known);
    }
    // A column by its own name, whatever attribute has it.
    let (_, kind) = columns().find(|(column, _)| column == name)?;
    let alias = namespace.record.custom_search_attribute_aliases.get(name);
    let field = Field::Term(term(alias.map_or(name, |alias| alias), kind), kind);
    Some(Known { kind, field })
}

/// The attribute of that name that every namespace has.
fn predefined(namespace: &Namespace, name: &str) -> Option<Known> {
    let kind = search_attribute::predefined_kind(name)?;
    let term = || search_attribute::attribute(namespace.id, name, kind);
    let row = ROW.iter().find(|(known, _)| *known == name);
    let worker = WORKERS.into_iter().find(|known| *known == name);
    let field = match (row, worker) {
        (Some((_, attribute)), _) => Field::Row(*attribute),
        (None, Some(worker)) => Field::Worker(worker),
        (None, None) if name == DIVISION => Field::Division(term()),
        (None, None) => Field::Term(term(), kind),
    };
    Some(Known { kind, field })
}

/// The attribute that a query means: the prefix `Temporal` may be left out or be too much.
pub(crate) fn meant(namespace: &Namespace, name: &str) -> Option<Known> {
    const PREFIX: &str = "Temporal";
    let predefined = |name: &str| predefined(namespace, name);
    let bare = name.strip_prefix(PREFIX);
    named(namespace, name)
        .or_else(|| match bare.unwrap_or(name) {
            "ScheduleId" => predefined("WorkflowId"),
            _ => predefined(&format!("{PREFIX}{name}")),
        })
        .or_else(|| predefined(bare?))
}

/// What stands for the division that a run is of.
pub(crate) fn division(namespace: &Namespace) -> [u8; 16] {
    search_attribute::attribute(namespace.id, DIVISION, Kind::Keyword)
}

/// All names that every namespace has, with the types of their values.
pub(crate) fn types() -> HashMap<String, i32> {
    search_attribute::predefined()
        .map(|(name, kind)| (name.to_owned(), kind.indexed().into()))
        .collect()
}
