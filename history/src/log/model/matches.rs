//! Whether a row satisfies a condition, in SQL's logic of three values: `None` is unknown, and so is its negation.

use std::cmp::Ordering;

use super::super::Row;
use super::super::visibility::{Attribute, Comparison, Condition, Test, Value};
use crate::id::{RunId, Time};
use crate::search_attribute::Term;

/// `terms`: by what the run of the row is found.
pub(super) fn matches(condition: &Condition, row: &Row, terms: &[&Term]) -> Option<bool> {
    match condition {
        Condition::All(conditions) => conditions
            .iter()
            .map(|condition| matches(condition, row, terms))
            .fold(Some(true), and),
        Condition::Any(conditions) => conditions
            .iter()
            .map(|condition| matches(condition, row, terms))
            .fold(Some(false), or),
        Condition::Not(condition) => matches(condition, row, terms).map(|is| !is),
        Condition::Compare(attribute, comparison, value) => {
            compare(row, *attribute, value).map(|order| holds(*comparison, order))
        }
        Condition::In(attribute, values) => values
            .iter()
            .map(|value| compare(row, *attribute, value).map(Ordering::is_eq))
            .fold(Some(false), or),
        Condition::Between(attribute, low, high) => and(
            compare(row, *attribute, low).map(Ordering::is_ge),
            compare(row, *attribute, high).map(Ordering::is_le),
        ),
        Condition::IsNull(attribute) => Some(field(row, *attribute).is_none()),
        Condition::StartsWith(attribute, prefix) => match field(row, *attribute)? {
            Field::Text(text) => Some(text.starts_with(prefix.as_str())),
            Field::Int(_) | Field::Time(_) | Field::Run(_) => None,
        },
        Condition::Has(attribute, test) => {
            let mut own = terms.iter().filter(|term| term.attribute == *attribute);
            Some(own.any(|term| passes(test, &term.value)))
        }
        Condition::Worker(text) => Some(row.workers.contains(text.as_str())),
        Condition::Never => Some(false),
    }
}

fn passes(test: &Test, value: &[u8]) -> bool {
    match test {
        Test::Any => true,
        Test::Compare(comparison, other) => holds(*comparison, value.cmp(other)),
        Test::Between(low, high) => value >= &low[..] && value <= &high[..],
        Test::StartsWith(prefix) => value.starts_with(prefix),
    }
}

fn and(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn or(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    and(one.map(|is| !is), other.map(|is| !is)).map(|is| !is)
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// What an attribute is in a row.
enum Field<'a> {
    Text(&'a str),
    /// Wide, for a difference of two times.
    Int(i128),
    Time(Time),
    Run(RunId),
}

/// Unknown where there is nothing to compare, or it is of another type.
fn compare(row: &Row, attribute: Attribute, value: &Value) -> Option<Ordering> {
    match (field(row, attribute)?, value) {
        (Field::Text(is), Value::Text(value)) => Some(is.cmp(value.as_str())),
        (Field::Int(is), Value::Int(value)) => Some(is.cmp(&i128::from(*value))),
        (Field::Time(is), Value::Time(value)) => Some(is.cmp(value)),
        (Field::Run(is), Value::Run(value)) => Some(is.cmp(value)),
        _ => None,
    }
}

fn field(row: &Row, attribute: Attribute) -> Option<Field<'_>> {
    let (parent, root) = (row.parent.as_ref(), row.root.as_ref());
    match attribute {
        Attribute::WorkflowId => Some(Field::Text(&row.workflow_id)),
        Attribute::RunId => Some(Field::Run(row.run)),
        Attribute::WorkflowType => Some(Field::Text(&row.workflow_type)),
        Attribute::TaskQueue => Some(Field::Text(&row.task_queue)),
        Attribute::ExecutionStatus => Some(Field::Int(row.status.into())),
        Attribute::StartTime => Some(Field::Time(row.start_time)),
        Attribute::ExecutionTime => Some(Field::Time(row.execution_time)),
        Attribute::CloseTime => row.close_time.map(Field::Time),
        Attribute::ExecutionDuration => row
            .close_time
            .map(|at| Field::Int(i128::from(at.0) - i128::from(row.execution_time.0))),
        Attribute::HistoryLength => Some(Field::Int(row.history_length.into())),
        Attribute::HistorySizeBytes => Some(Field::Int(row.history_size_bytes.into())),
        Attribute::StateTransitionCount => Some(Field::Int(row.state_transition_count.into())),
        Attribute::ParentWorkflowId => parent.map(|(id, _)| Field::Text(id)),
        Attribute::ParentRunId => parent.map(|(_, run)| Field::Run(*run)),
        Attribute::RootWorkflowId => root.map(|(id, _)| Field::Text(id)),
        Attribute::RootRunId => root.map(|(_, run)| Field::Run(*run)),
    }
}
