//! What a comparison says about a row.
//!
//! SQL knows true, false and unknown; the conditions made here know only the first two: a comparison that could be unknown
//! says itself that its attribute must be there, and its negation too. So all stores agree.

use bytes::Bytes;
use cairn_history::id::Time;
use cairn_history::log::visibility::{Attribute, Comparison, Condition, Test, Value};
use cairn_history::search_attribute::{Kind, TermValue, worker_line, worker_prefix};

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
    let attribute = match field {
        Field::Row(attribute) => attribute,
        Field::Term(term, _) | Field::Division(term) => {
            return either(Condition::Has(term, Test::Any), wanted);
        }
        Field::Worker(name) => return either(Condition::Worker(worker_prefix(name)), wanted),
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
    either(emptiness, !wanted)
}

/// A condition or its opposite. Only for one that is never unknown.
fn either(condition: Condition, negated: bool) -> Truth {
    Truth::If(if negated {
        Condition::Not(Box::new(condition))
    } else {
        condition
    })
}

/// Applies a test to a field: to its attribute, which must be there, and for the root of a run that has none to the run
/// itself.
fn test(attribute: Attribute, test: impl Fn(Attribute) -> Truth) -> Truth {
    let own = match attribute {
        Attribute::RootWorkflowId => Attribute::WorkflowId,
        Attribute::RootRunId => Attribute::RunId,
        _ => return all(vec![null(Field::Row(attribute), false), test(attribute)]),
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
    match field {
        Field::Row(attribute) => test(attribute, |attribute| simple(attribute, sign, literal)),
        Field::Term(term, Kind::KeywordList) => listed(sign, literal, |word| {
            Condition::Has(term, equal(TermValue::listed(word)))
        }),
        Field::Worker(name) => listed(sign, literal, |word| {
            Condition::Worker(worker_line(name, word))
        }),
        Field::Term(term, kind) => valued(term, kind, sign, literal),
        Field::Division(term) => valued(term, Kind::Keyword, sign, literal),
    }
}

fn equal(value: Bytes) -> Test {
    Test::Compare(Comparison::Equal, value)
}

/// Is a word in a list, or not in it? Whoever has no list has it not in it. Nothing is in no list.
fn listed(sign: Comparison, literal: &Literal, has: impl Fn(&str) -> Condition) -> Truth {
    let negated = sign == Comparison::NotEqual;
    match literal {
        Literal::Text(word) if !word.is_empty() => either(has(word), negated),
        _ => constant(negated),
    }
}

/// A comparison of the one value that an attribute has, if it is there.
fn valued(term: [u8; 16], kind: Kind, sign: Comparison, literal: &Literal) -> Truth {
    let to = |sign, value| Truth::If(Condition::Has(term, Test::Compare(sign, value)));
    match (kind, literal) {
        (_, Literal::Text(text)) => to(sign, TermValue::keyword(text)),
        (_, Literal::Bool(value)) => to(sign, TermValue::bool(*value)),
        #[expect(
            clippy::cast_precision_loss,
            reason = "a fraction is what the attribute holds"
        )]
        (Kind::Double, Literal::Int(number)) => to(sign, TermValue::double(*number as f64)),
        (Kind::Double, Literal::Float(number)) => to(sign, TermValue::double(*number)),
        (_, Literal::Int(number)) => to(sign, TermValue::int(*number)),
        (_, Literal::Float(number)) => {
            let there = Truth::If(Condition::Has(term, Test::Any));
            let compared = fractional(sign, *number, |sign, value| to(sign, TermValue::int(value)));
            all(vec![there, compared])
        }
    }
}

/// A text with any of the words of another, or with none of them. What is written together must be there together.
pub(super) fn words(field: Field, text: &str, negated: bool) -> Truth {
    let Field::Term(term, _) = field else {
        return Truth::Never;
    };
    let phrases = text.split_whitespace().map(|phrase| {
        let words = TermValue::words(phrase).into_iter();
        let words: Vec<_> = words
            .map(|word| Truth::If(Condition::Has(term, equal(word))))
            .collect();
        if words.is_empty() {
            Truth::Never
        } else {
            all(words)
        }
    });
    match any(phrases.collect()) {
        Truth::If(condition) => either(condition, negated),
        constant => self::constant((constant == Truth::Always) != negated),
    }
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
    let to = |value| to_attribute(attribute, sign, value);
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
        (_, Literal::Float(number)) => fractional(sign, *number, |sign, value| {
            to_attribute(attribute, sign, Value::Int(value))
        }),
        (_, Literal::Bool(_)) => Truth::Never,
    }
}

fn to_attribute(attribute: Attribute, sign: Comparison, value: Value) -> Truth {
    Truth::If(Condition::Compare(attribute, sign, value))
}

fn constant(truth: bool) -> Truth {
    if truth { Truth::Always } else { Truth::Never }
}

/// A whole number compared with one that may not be whole.
fn fractional(sign: Comparison, number: f64, to: impl Fn(Comparison, i64) -> Truth) -> Truth {
    let (floor, ceiling) = (number.floor(), number.ceil());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, which is what is wanted"
    )]
    let (below, above) = (floor as i64, ceiling as i64);
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
    let attribute = match field {
        Field::Row(attribute) => attribute,
        Field::Term(term, _) | Field::Division(term) => {
            let begins = Condition::Has(term, Test::StartsWith(TermValue::keyword(&prefix)));
            return all(vec![null(field, false), either(begins, negated)]);
        }
        Field::Worker(_) => return Truth::Never,
    };
    test(attribute, |attribute| {
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
    let join = |each: Vec<_>| if negated { all(each) } else { any(each) };
    let Field::Row(attribute) = field else {
        let each = list.iter();
        return join(
            each.map(|literal| comparison(field, sign, literal, false))
                .collect(),
        );
    };
    test(attribute, |attribute| {
        let each = list.iter().map(|literal| simple(attribute, sign, literal));
        join(each.collect())
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
