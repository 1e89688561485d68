//! The search attributes that every namespace has: names, types, and what of a run's row they stand for.

use std::collections::HashMap;

use cairn_history::log::visibility::Attribute;
use cairn_proto::temporal::api::enums::v1::IndexedValueType;

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Keyword,
    Int,
    Bool,
    Datetime,
    KeywordList,
}

impl Type {
    /// As metadata and error messages call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keyword => "Keyword",
            Self::Int => "Int",
            Self::Bool => "Bool",
            Self::Datetime => "Datetime",
            Self::KeywordList => "KeywordList",
        }
    }

    fn indexed(self) -> IndexedValueType {
        match self {
            Self::Keyword => IndexedValueType::Keyword,
            Self::Int => IndexedValueType::Int,
            Self::Bool => IndexedValueType::Bool,
            Self::Datetime => IndexedValueType::Datetime,
            Self::KeywordList => IndexedValueType::KeywordList,
        }
    }
}

/// A search attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    name: &'static str,
    kind: Type,
    field: Field,
}

/// Where the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// In every row; written by the system only.
    Row(Attribute),
    /// Written by clients, and not in any row.
    Unindexed,
    /// What hides the system's own runs: a query that does not name it finds none of them.
    Division,
}

impl Known {
    pub(crate) fn kind(&self) -> Type {
        self.kind
    }

    pub(crate) fn field(&self) -> Field {
        self.field
    }

    /// Written by the system only.
    pub(crate) fn is_system(&self) -> bool {
        matches!(self.field, Field::Row(_))
    }
}

const fn row(name: &'static str, kind: Type, attribute: Attribute) -> Known {
    Known {
        name,
        kind,
        field: Field::Row(attribute),
    }
}

const fn free(name: &'static str, kind: Type) -> Known {
    Known {
        name,
        kind,
        field: Field::Unindexed,
    }
}

#[rustfmt::skip]
static KNOWN: [Known; 33] = [
    row("WorkflowId", Type::Keyword, Attribute::WorkflowId),
    row("RunId", Type::Keyword, Attribute::RunId),
    row("WorkflowType", Type::Keyword, Attribute::WorkflowType),
    row("StartTime", Type::Datetime, Attribute::StartTime),
    row("ExecutionTime", Type::Datetime, Attribute::ExecutionTime),
    row("CloseTime", Type::Datetime, Attribute::CloseTime),
    row("ExecutionStatus", Type::Keyword, Attribute::ExecutionStatus),
    row("TaskQueue", Type::Keyword, Attribute::TaskQueue),
    row("HistoryLength", Type::Int, Attribute::HistoryLength),
    row("ExecutionDuration", Type::Int, Attribute::ExecutionDuration),
    row("StateTransitionCount", Type::Int, Attribute::StateTransitionCount),
    row("HistorySizeBytes", Type::Int, Attribute::HistorySizeBytes),
    row("ParentWorkflowId", Type::Keyword, Attribute::ParentWorkflowId),
    row("ParentRunId", Type::Keyword, Attribute::ParentRunId),
    row("RootWorkflowId", Type::Keyword, Attribute::RootWorkflowId),
    row("RootRunId", Type::Keyword, Attribute::RootRunId),
    free("TemporalChangeVersion", Type::KeywordList),
    free("BinaryChecksums", Type::KeywordList),
    free("BuildIds", Type::KeywordList),
    free("BatcherNamespace", Type::Keyword),
    free("BatcherUser", Type::Keyword),
    free("TemporalScheduledStartTime", Type::Datetime),
    free("TemporalScheduledById", Type::Keyword),
    free("TemporalSchedulePaused", Type::Bool),
    Known { name: "TemporalNamespaceDivision", kind: Type::Keyword, field: Field::Division },
    free("TemporalPauseInfo", Type::KeywordList),
    free("TemporalReportedProblems", Type::KeywordList),
    free("TemporalWorkerDeploymentVersion", Type::Keyword),
    free("TemporalWorkerDeployment", Type::Keyword),
    free("TemporalWorkflowVersioningBehavior", Type::Keyword),
    free("TemporalUsedWorkerDeploymentVersions", Type::KeywordList),
    free("TemporalExternalPayloadCount", Type::Int),
    free("TemporalExternalPayloadSizeBytes", Type::Int),
];

/// The attribute of exactly that name.
pub(crate) fn named(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// The attribute that a query means: the prefix `Temporal` may be left out or be too much.
pub(crate) fn meant(name: &str) -> Option<&'static Known> {
    const PREFIX: &str = "Temporal";
    let bare = name.strip_prefix(PREFIX);
    named(name)
        .or_else(|| match bare.unwrap_or(name) {
            "ScheduleId" => named("WorkflowId"),
            _ => named(&format!("{PREFIX}{name}")),
        })
        .or_else(|| named(bare?))
}

/// All names with the types of their values.
pub(crate) fn types() -> HashMap<String, i32> {
    KNOWN
        .iter()
        .map(|known| (known.name.to_owned(), known.kind.indexed().into()))
        .collect()
}
