//! What can be asked of the `runs` table: a small tree that both databases translate to SQL with bound parameters only.
//!
//! The text of a user's query is parsed by the frontend, which alone knows names, aliases and error texts.

use bytes::Bytes;

use crate::id::{NamespaceId, RunId, Time};

#[cfg(feature = "shell")]
pub(super) mod sql;

/// Rows of one namespace that satisfy a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub namespace: NamespaceId,
    /// `None`: all.
    pub condition: Option<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare(Attribute, Comparison, Value),
    In(Attribute, Vec<Value>),
    /// Both ends included.
    Between(Attribute, Value, Value),
    IsNull(Attribute),
    StartsWith(Attribute, String),
    /// Of the attribute that this stands for (`search_attribute::attribute`) the run has such a value.
    Has([u8; 16], Test),
    /// A text is a part of `workers`.
    Worker(String),
    /// Matches nothing (an attribute that no run has).
    Never,
}

/// The attributes that every run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    WorkflowId,
    RunId,
    WorkflowType,
    TaskQueue,
    ExecutionStatus,
    StartTime,
    ExecutionTime,
    CloseTime,
    /// Close time minus execution time, in nanoseconds.
    ExecutionDuration,
    HistoryLength,
    HistorySizeBytes,
    StateTransitionCount,
    ParentWorkflowId,
    ParentRunId,
    RootWorkflowId,
    RootRunId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Int(i64),
    Time(Time),
    Run(RunId),
}

/// What a value of a search attribute must be, in bytes that are in the order of the values.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Anything.
    Any,
    Compare(Comparison, Bytes),
    /// Both ends included.
    Between(Bytes, Bytes),
    StartsWith(Bytes),
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    pub close_time: Option<Time>,
    pub start_time: Time,
    pub run: RunId,
}
