//! What a comparison says about a row.
//!
//! SQL knows true, false and unknown; the conditions made here know only the first two: a comparison that could be unknown
//! says itself that its attribute must be there, and its negation too. So all stores agree.

use cairn_history::id::Time;
use cairn_history::log::visibility::{Attribute, Comparison, Condition, Value};

use super::literal::Literal;
use crate::visibility::attribute::Field;
use crate::visibility::run;

/// A condition, or what is known of it before any row is seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Truth {
    Always,
    Never,
    If(Condition),
}

/// Databases parse a chain as a tree as deep as it is long; chains of chains are not.
pub(super) const CHAIN: usize = 100;

/// Is the field empty (`wanted`) or filled?
pub(super) fn null(field: Field, wanted: bool) -> Truth {
    let Field::Row(attribute) = field else {
        return if wanted { Truth::Always } else { Truth::Never };
    };
    let emptiness = match attribute {
        Attribute::CloseTime
        | Attribute::ExecutionDuration
        | Attribute::HistoryLength
        | Attribute::HistorySizeBytes
        | Attribute::StateTransitionCount => Condition::IsNull(Attribute::CloseTime),
        Attribute::ParentWorkflowId | Attribute::ParentRunId => Condition::IsNull(attribute),
        _ => return if wanted { Truth::Never } else { Truth::Always },
    };
    Truth::If(if wanted {
        emptiness
    } else {
        Condition::Not(Box::new(emptiness))
    })
}

/// Applies a test to a field: to its attribute, which must be there, and for the root of a run that has none to the run
/// itself.
fn test(field: Field, test: impl Fn(Attribute) -> Truth) -> Truth {
    let Field::Row(attribute) = field else {
        return Truth::Never;
    };
    let own = match attribute {
        Attribute::RootWorkflowId => Attribute::WorkflowId,
        Attribute::RootRunId => Attribute::RunId,
        _ => return all(vec![null(field, false), test(attribute)]),
    };
    let rootless = Condition::IsNull(attribute);
    any(vec![
        all(vec![Truth::If(rootless.clone()), test(own)]),
        all(vec![
            Truth::If(Condition::Not(Box::new(rootless))),
            test(attribute),
        ]),
    ])
}

pub(super) fn comparison(
    field: Field,
    sign: Comparison,
    literal: &Literal,
    negated: bool,
) -> Truth {
    let sign = if negated { opposite(sign) } else { sign };
    test(field, |attribute| simple(attribute, sign, literal))
}

fn opposite(sign: Comparison) -> Comparison {
    match sign {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}

/// A comparison of an attribute that is there.
fn simple(attribute: Attribute, sign: Comparison, literal: &Literal) -> Truth {
    let to = |value| Truth::If(Condition::Compare(attribute, sign, value));
    match (attribute, literal) {
        (Attribute::RunId | Attribute::ParentRunId | Attribute::RootRunId, Literal::Text(text)) => {
            run::compare(attribute, sign, text).map_or_else(constant, Truth::If)
        }
        (
            Attribute::StartTime | Attribute::ExecutionTime | Attribute::CloseTime,
            Literal::Int(nanos),
        ) => to(Value::Time(Time(*nanos))),
        (_, Literal::Text(text)) => to(Value::Text(text.clone())),
        (_, Literal::Int(number)) => to(Value::Int(*number)),
        (_, Literal::Float(number)) => fractional(attribute, sign, *number),
        (_, Literal::Bool(_)) => Truth::Never,
    }
}

fn constant(truth: bool) -> Truth {
    if truth { Truth::Always } else { Truth::Never }
}

/// A whole number compared with one that may not be whole.
fn fractional(attribute: Attribute, sign: Comparison, number: f64) -> Truth {
    let (floor, ceiling) = (number.floor(), number.ceil());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, which is what is wanted"
    )]
    let (below, above) = (floor as i64, ceiling as i64);
    let to = |sign, value| Truth::If(Condition::Compare(attribute, sign, Value::Int(value)));
    #[expect(clippy::float_cmp, reason = "is it whole?")]
    let whole = floor == ceiling && floor.abs() < 9e18;
    match sign {
        _ if whole => to(sign, below),
        Comparison::Equal => Truth::Never,
        Comparison::NotEqual => Truth::Always,
        Comparison::Less | Comparison::LessOrEqual => to(Comparison::LessOrEqual, below),
        Comparison::Greater | Comparison::GreaterOrEqual => to(Comparison::GreaterOrEqual, above),
    }
}

pub(super) fn starts_with(field: Field, literal: &Literal, negated: bool) -> Truth {
    let prefix = match literal {
        Literal::Text(prefix) => prefix.clone(),
        // Statuses are numbers here; whoever asks for the beginning of one gets that one.
        other => return comparison(field, Comparison::Equal, other, negated),
    };
    test(field, |attribute| {
        let found = match attribute {
            Attribute::RunId | Attribute::ParentRunId | Attribute::RootRunId => {
                run::starts_with(attribute, &prefix)
            }
            _ if prefix.is_empty() => Err(true),
            _ => Ok(Condition::StartsWith(attribute, prefix.clone())),
        };
        match found {
            Ok(condition) if negated => Truth::If(Condition::Not(Box::new(condition))),
            Ok(condition) => Truth::If(condition),
            Err(truth) => constant(truth != negated),
        }
    })
}

pub(super) fn one_of(field: Field, list: &[Literal], negated: bool) -> Truth {
    let sign = if negated {
        Comparison::NotEqual
    } else {
        Comparison::Equal
    };
    test(field, |attribute| {
        let each = list.iter().map(|literal| simple(attribute, sign, literal));
        let each = each.collect();
        if negated { all(each) } else { any(each) }
    })
}

pub(super) fn all(parts: Vec<Truth>) -> Truth {
    if parts.contains(&Truth::Never) {
        return Truth::Never;
    }
    chained(parts, Condition::All, Truth::Always)
}

pub(super) fn any(parts: Vec<Truth>) -> Truth {
    if parts.contains(&Truth::Always) {
        return Truth::Always;
    }
    chained(parts, Condition::Any, Truth::Never)
}

fn chained(parts: Vec<Truth>, join: fn(Vec<Condition>) -> Condition, none: Truth) -> Truth {
    let mut conditions: Vec<Condition> = parts
        .into_iter()
        .filter_map(|part| match part {
            Truth::If(condition) => Some(condition),
            Truth::Always | Truth::Never => None,
        })
        .collect();
    while conditions.len() > CHAIN {
        conditions = conditions
            .chunks(CHAIN)
            .map(|chunk| join(chunk.to_vec()))
            .collect();
    }
    match conditions.pop() {
        None => none,
        Some(only) if conditions.is_empty() => Truth::If(only),
        Some(last) => {
            conditions.push(last);
            Truth::If(join(conditions))
        }
    }
}
