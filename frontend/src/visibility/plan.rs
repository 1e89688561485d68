//! What a parsed query asks of the `runs` table: names become attributes, values get their types, and every mistake is
//! refused in the reference's words.
//!
//! A negation is carried down to the comparisons; what a comparison means for a row is `truth`'s business.

use cairn_history::log::visibility::{Attribute, Comparison, Condition, Test};
use cairn_history::search_attribute::{Kind, datetime};
use cairn_proto::temporal::api::enums::v1::WorkflowExecutionStatus;

use super::attribute::{self, Field, Known};
use super::parse::{Expr, Is, Malformed, Parsed, parse};
use super::value;
use crate::namespace::Namespace;

mod literal;
mod truth;

use literal::Literal;
use truth::{Truth, all, any, comparison, null, one_of, starts_with, words};

/// Why a query cannot be answered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("invalid query: malformed SQL query: {0}")]
    Malformed(#[from] Malformed),
    #[error("invalid query: invalid search attribute: {0}")]
    Unknown(String),
    #[error("invalid query: invalid expression: {0}")]
    Invalid(String),
    #[error("invalid query: operation is not supported: {0}")]
    Unsupported(String),
}

type Result<T> = std::result::Result<T, Refusal>;

/// What a query asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    /// `None`: every run.
    pub(crate) condition: Option<Condition>,
    pub(crate) group_by: Option<Group>,
}

/// What rows are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Status,
    /// Of which all runs have the same: none.
    Division,
}

/// Bytes of a query at most.
const LONGEST: usize = 1024 * 1024;
/// More values than this no database takes in one statement.
const MOST_VALUES: usize = 16_000;

/// The names that a query may use, and which of them it has used.
struct Names<'a> {
    namespace: &'a Namespace,
    /// How many values there are.
    values: usize,
    /// It asks for a division: then it sees the system's own runs.
    division: bool,
}

/// Reads a query and says what it asks.
pub(crate) fn plan(namespace: &Namespace, query: &str) -> Result<Planned> {
    if query.len() > LONGEST {
        return Err(Refusal::Invalid(format!(
            "the query is longer than {LONGEST} bytes"
        )));
    }
    let Parsed {
        condition,
        group_by,
        order_by,
        limited,
    } = parse(query)?;
    if limited {
        return Err(unsupported("'LIMIT' clause"));
    }
    let mut names = Names {
        namespace,
        values: 0,
        division: false,
    };
    let condition = match condition {
        Some(expr) => expression(&expr, false, &mut names)?,
        None => Truth::Always,
    };
    let condition = if names.division {
        condition
    } else {
        all(vec![condition, Truth::If(no_division(namespace))])
    };
    let group_by = group(&group_by, &mut names)?;
    for expr in &order_by {
        column(expr, &mut names)?;
    }
    if !order_by.is_empty() {
        return Err(unsupported("'ORDER BY' clause"));
    }
    Ok(Planned {
        condition: match condition {
            Truth::Always => None,
            Truth::Never => Some(Condition::Never),
            Truth::If(condition) => Some(condition),
        },
        group_by,
    })
}

/// The system's own runs are not shown.
pub(crate) fn no_division(namespace: &Namespace) -> Condition {
    let division = attribute::division(namespace);
    Condition::Not(Box::new(Condition::Has(division, Test::Any)))
}

fn unsupported(what: impl Into<String>) -> Refusal {
    Refusal::Unsupported(what.into())
}

fn group(fields: &[Expr], names: &mut Names<'_>) -> Result<Option<Group>> {
    if fields.len() > 1 {
        return Err(unsupported(
            "'GROUP BY' clause supports only a single field",
        ));
    }
    let Some(field) = fields.first() else {
        return Ok(None);
    };
    let (known, alias) = column(field, names)?;
    match known.field() {
        Field::Row(Attribute::ExecutionStatus) => Ok(Some(Group::Status)),
        Field::Division(_) => Ok(Some(Group::Division)),
        _ => Err(unsupported(format!(
            "'GROUP BY' clause is not supported for search attribute {alias}"
        ))),
    }
}

fn expression(expr: &Expr, negated: bool, names: &mut Names<'_>) -> Result<Truth> {
    match expr {
        Expr::Paren(inner) => expression(inner, negated, names),
        Expr::Not(inner) => expression(inner, !negated, names),
        Expr::And(parts) | Expr::Or(parts) => {
            let parts = parts.iter().map(|part| expression(part, negated, names));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            let and = matches!(expr, Expr::And(_));
            Ok(if and == negated {
                any(parts)
            } else {
                all(parts)
            })
        }
        Expr::Compare {
            left,
            operator,
            right,
        } => compare(left, operator, right, negated, names),
        Expr::Between {
            left,
            negated: not,
            low,
            high,
        } => between(left, low, high, negated != *not, names),
        Expr::Is { left, what } => {
            let (known, _) = column(left, names)?;
            match what {
                Is::Null => Ok(null(known.field(), !negated)),
                Is::NotNull => Ok(null(known.field(), negated)),
                Is::Else => Err(Refusal::Invalid(
                    "'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'".to_owned(),
                )),
            }
        }
        Expr::Column(_) => Err(Refusal::Invalid("incomplete expression".to_owned())),
        Expr::Function => Err(unsupported("function expression")),
        other => Err(unsupported(format!("expression of type {}", kind(other)))),
    }
}

/// What the reference calls a kind of expression.
fn kind(expr: &Expr) -> &'static str {
    match expr {
        Expr::And(_) => "*sqlparser.AndExpr",
        Expr::Or(_) => "*sqlparser.OrExpr",
        Expr::Not(_) => "*sqlparser.NotExpr",
        Expr::Paren(_) => "*sqlparser.ParenExpr",
        Expr::Compare { .. } => "*sqlparser.ComparisonExpr",
        Expr::Between { .. } => "*sqlparser.RangeCond",
        Expr::Is { .. } => "*sqlparser.IsExpr",
        Expr::Column(_) => "*sqlparser.ColName",
        Expr::Text(_) | Expr::Number(_) => "*sqlparser.SQLVal",
        Expr::Bool(_) => "sqlparser.BoolVal",
        Expr::Tuple(_) => "sqlparser.ValTuple",
        Expr::Function => "*sqlparser.FuncExpr",
        Expr::Unary(_) => "*sqlparser.UnaryExpr",
        Expr::Other(name) => name,
    }
}

/// The attribute that an expression names, and how.
fn column<'e>(expr: &'e Expr, names: &mut Names<'_>) -> Result<(Known, &'e str)> {
    let Expr::Column(name) = expr else {
        return Err(Refusal::Invalid(format!(
            "must be a column name but was {}",
            kind(expr)
        )));
    };
    match attribute::meant(names.namespace, name) {
        Some(known) => {
            names.division |= matches!(known.field(), Field::Division(_));
            Ok((known, name))
        }
        None => Err(Refusal::Unknown(name.clone())),
    }
}

fn compare(
    left: &Expr,
    operator: &str,
    right: &Expr,
    negated: bool,
    names: &mut Names<'_>,
) -> Result<Truth> {
    let (known, alias) = column(left, names)?;
    let (list, is_list) = match right {
        Expr::Tuple(list) => (list.as_slice(), true),
        one => (std::slice::from_ref(one), false),
    };
    let list = list.iter().map(|value| operand(&known, alias, value));
    let list = list.collect::<Result<Vec<_>>>()?;
    names.values += list.len();
    if names.values > MOST_VALUES {
        return Err(Refusal::Invalid(format!("more than {MOST_VALUES} values")));
    }
    let sign = match operator {
        "=" => Some(Comparison::Equal),
        "!=" => Some(Comparison::NotEqual),
        "<" => Some(Comparison::Less),
        "<=" => Some(Comparison::LessOrEqual),
        ">" => Some(Comparison::Greater),
        ">=" => Some(Comparison::GreaterOrEqual),
        _ => None,
    };
    let equality = matches!(operator, "=" | "!=" | "in" | "not in");
    let text = matches!(operator, "starts_with" | "not starts_with");
    let supported = match known.kind() {
        Kind::Keyword => equality || text || sign.is_some(),
        Kind::KeywordList => equality,
        Kind::Text => matches!(operator, "=" | "!="),
        Kind::Int | Kind::Double | Kind::Bool | Kind::Datetime => equality || sign.is_some(),
    };
    if !supported {
        return Err(unsupported(format!(
            "operator '{}' not supported for {} type search attribute '{alias}'",
            operator.to_uppercase(),
            known.kind().name()
        )));
    }
    let negated = negated != operator.starts_with("not ");
    if known.kind() == Kind::Text {
        return contains(known.field(), alias, sign, &list, negated);
    }
    match (sign, list.as_slice()) {
        (Some(sign), [value]) if !is_list => Ok(comparison(known.field(), sign, value, negated)),
        (None, [value]) if text => Ok(starts_with(known.field(), value, negated)),
        (None, _) if equality => Ok(one_of(known.field(), &list, negated)),
        _ if known.kind() == Kind::KeywordList => Err(Refusal::Invalid(format!(
            "unexpected value type (expected string, got {})",
            literal::tuple(&list)
        ))),
        _ => Err(Refusal::Invalid(
            "unexpected value type sqlparser.ValTuple".to_owned(),
        )),
    }
}

/// A text with any of the words, or with none of them.
fn contains(
    field: Field,
    alias: &str,
    sign: Option<Comparison>,
    list: &[Literal],
    negated: bool,
) -> Result<Truth> {
    let [Literal::Text(text)] = list else {
        return Err(Refusal::Invalid(
            "unexpected value type sqlparser.ValTuple".to_owned(),
        ));
    };
    if text.trim().is_empty() {
        return Err(Refusal::Invalid(format!(
            "no tokens found filtering on Text type search attribute {alias}"
        )));
    }
    let negated = negated != (sign == Some(Comparison::NotEqual));
    Ok(words(field, text, negated))
}

fn between(
    left: &Expr,
    low: &Expr,
    high: &Expr,
    negated: bool,
    names: &mut Names<'_>,
) -> Result<Truth> {
    let (known, alias) = column(left, names)?;
    if !matches!(
        known.kind(),
        Kind::Datetime | Kind::Double | Kind::Int | Kind::Keyword
    ) {
        return Err(Refusal::Invalid(format!(
            "cannot do range condition on search attribute '{alias}' of type {}",
            known.kind().name()
        )));
    }
    let low = operand(&known, alias, low)?;
    let high = operand(&known, alias, high)?;
    names.values += 2;
    let ends = vec![
        comparison(known.field(), Comparison::GreaterOrEqual, &low, negated),
        comparison(known.field(), Comparison::LessOrEqual, &high, negated),
    ];
    Ok(if negated { any(ends) } else { all(ends) })
}

/// The value of an operand, as the attribute takes it.
fn operand(known: &Known, alias: &str, expr: &Expr) -> Result<Literal> {
    let literal = match expr {
        Expr::Text(text) => Literal::Text(text.clone()),
        Expr::Number(number) => Literal::number(number)
            .ok_or_else(|| Refusal::Invalid(format!("unable to parse value {number:?}")))?,
        Expr::Bool(value) => Literal::Bool(*value),
        Expr::Function => return Err(unsupported("nested func")),
        Expr::Unary(sign) => return Err(unsupported(format!("unary operator {sign:?}"))),
        Expr::Column(name) => {
            return Err(unsupported(format!(
                "column name on the right side of comparison expression (did you forget to quote {name:?}?)"
            )));
        }
        other => {
            return Err(Refusal::Invalid(format!(
                "unexpected value type {}",
                kind(other)
            )));
        }
    };
    match (known.field(), literal) {
        (_, literal @ Literal::Bool(_)) => typed(known, alias, literal),
        (Field::Row(Attribute::ExecutionStatus), literal) => status(literal),
        (Field::Row(Attribute::ExecutionDuration), literal) => duration(literal),
        (_, literal) => typed(known, alias, literal),
    }
}

fn typed(known: &Known, alias: &str, literal: Literal) -> Result<Literal> {
    match (known.kind(), literal) {
        (Kind::Keyword | Kind::KeywordList | Kind::Text, literal @ Literal::Text(_))
        | (Kind::Int | Kind::Double, literal @ (Literal::Int(_) | Literal::Float(_)))
        | (Kind::Bool, literal @ Literal::Bool(_))
        | (Kind::Datetime, literal @ Literal::Int(_)) => Ok(literal),
        (Kind::Datetime, Literal::Text(text)) => match datetime(&text) {
            Some(time) => Ok(Literal::Int(time.0)),
            None => Err(Refusal::Invalid(format!(
                "unable to parse datetime '{text}'"
            ))),
        },
        (kind, other) => Err(Refusal::Invalid(format!(
            "invalid value type for search attribute {alias} of type {}: {other} (type: {})",
            kind.name(),
            other.type_name()
        ))),
    }
}

/// A status by name or by number.
pub(crate) fn status(literal: Literal) -> Result<Literal> {
    const PREFIX: &str = "WORKFLOW_EXECUTION_STATUS_";
    let found = match &literal {
        Literal::Int(number) => i32::try_from(*number)
            .ok()
            .and_then(|number| WorkflowExecutionStatus::try_from(number).ok()),
        Literal::Text(name) if name.starts_with(PREFIX) => {
            WorkflowExecutionStatus::from_str_name(name)
        }
        Literal::Text(name) => STATUSES
            .iter()
            .find(|(_, known)| known == name)
            .map(|(status, _)| *status),
        other => {
            return Err(Refusal::Invalid(format!(
                "unexpected value type {} for search attribute ExecutionStatus",
                other.type_name()
            )));
        }
    };
    match (found, literal) {
        (Some(status), _) => Ok(Literal::Int(status as i64)),
        (None, Literal::Text(name)) => Err(Refusal::Invalid(format!(
            "invalid ExecutionStatus value '{name}'"
        ))),
        (None, other) => Err(Refusal::Invalid(format!(
            "invalid ExecutionStatus value {other}"
        ))),
    }
}

/// Statuses as queries and answers write them.
const STATUSES: [(WorkflowExecutionStatus, &str); 9] = [
    (WorkflowExecutionStatus::Unspecified, "Unspecified"),
    (WorkflowExecutionStatus::Running, "Running"),
    (WorkflowExecutionStatus::Completed, "Completed"),
    (WorkflowExecutionStatus::Failed, "Failed"),
    (WorkflowExecutionStatus::Canceled, "Canceled"),
    (WorkflowExecutionStatus::Terminated, "Terminated"),
    (WorkflowExecutionStatus::ContinuedAsNew, "ContinuedAsNew"),
    (WorkflowExecutionStatus::TimedOut, "TimedOut"),
    (WorkflowExecutionStatus::Paused, "Paused"),
];

/// The name of a status.
pub(crate) fn status_name(status: i32) -> &'static str {
    let known = STATUSES.iter().find(|(known, _)| *known as i32 == status);
    known.map_or("Unspecified", |(_, name)| name)
}

fn duration(literal: Literal) -> Result<Literal> {
    match literal {
        Literal::Int(nanos) => Ok(Literal::Int(nanos)),
        Literal::Text(text) => match value::execution_duration(&text) {
            Some(nanos) => Ok(Literal::Int(nanos)),
            None => Err(Refusal::Invalid(format!(
                "invalid duration value for search attribute ExecutionDuration: {text}"
            ))),
        },
        other => Err(Refusal::Invalid(format!(
            "unexpected value type {} for search attribute ExecutionDuration",
            other.type_name()
        ))),
    }
}

#[cfg(test)]
mod tests;
