//! A visibility query as SQL with bound parameters only, for both databases.
//!
//! Nothing that a user wrote gets into the text: names of columns come from [`Attribute`], values are parameters. A value
//! of the wrong type is unknown to the comparison, as NULL is, so it matches nothing; neither does its negation.

use bytes::Bytes;

use super::{Attribute, Comparison, Condition, Position, Query, Test, Value};

/// A statement and its parameters, in order.
#[derive(Debug)]
pub(in super::super) struct Statement {
    pub(in super::super) text: String,
    pub(in super::super) values: Vec<Bound>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Bound {
    Text(String),
    Int(i64),
    Bytes([u8; 16]),
    Ordered(Bytes),
}

/// What the two databases write differently.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Dialect {
    Sqlite,
    Postgres,
}

/// The columns of a row, in the order in which both databases read them.
pub(in super::super) const COLUMNS: &str = "run, namespace, kind, workflow_id, nth, start_request_id, first_run, status, \
     workflow_type, task_queue, start_time, execution_time, close_time, history_length, history_size_bytes, \
     state_transition_count, parent_workflow_id, parent_run, root_workflow_id, root_run, memo, search_attributes, workers";

/// A page of rows: open first, then by close time, start time and run, descending.
pub(in super::super) fn list(
    dialect: Dialect,
    query: &Query,
    after: Option<&Position>,
    limit: i64,
) -> Statement {
    let mut text = Text::new(dialect);
    text.push("SELECT ");
    text.push(COLUMNS);
    text.selection(query);
    if let Some(after) = after {
        text.push(" AND (list_time, start_time, run) < (");
        // As the column has it: open runs as if they closed last.
        text.bind(Bound::Int(after.close_time.map_or(i64::MAX, |at| at.0)));
        text.push(", ");
        text.bind(Bound::Int(after.start_time.0));
        text.push(", ");
        text.bind(Bound::Bytes(after.run.0));
        text.push(")");
    }
    text.push(" ORDER BY list_time DESC, start_time DESC, run DESC LIMIT ");
    text.bind(Bound::Int(limit));
    text.statement
}

/// How many rows match, by status or all together (then with status 0).
pub(in super::super) fn count(dialect: Dialect, query: &Query, grouped: bool) -> Statement {
    let mut text = Text::new(dialect);
    text.push(if grouped {
        "SELECT status, count(*)"
    } else {
        "SELECT 0, count(*)"
    });
    text.selection(query);
    if grouped {
        text.push(" GROUP BY status ORDER BY status");
    }
    text.statement
}

/// A statement that grows.
struct Text {
    dialect: Dialect,
    statement: Statement,
}

impl Text {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            statement: Statement {
                text: String::new(),
                values: Vec::new(),
            },
        }
    }

    fn push(&mut self, text: &str) {
        self.statement.text.push_str(text);
    }

    fn bind(&mut self, value: Bound) {
        self.statement.values.push(value);
        let mark = match self.dialect {
            Dialect::Sqlite => '?',
            Dialect::Postgres => '$',
        };
        self.statement.text.push(mark);
        let number = self.statement.values.len().to_string();
        self.push(&number);
    }

    fn selection(&mut self, query: &Query) {
        self.push(" FROM runs WHERE namespace = ");
        self.bind(Bound::Bytes(query.namespace.0));
        if let Some(condition) = &query.condition {
            self.push(" AND ");
            self.condition(condition);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(conditions) => self.joined(conditions, " AND ", "TRUE"),
            Condition::Any(conditions) => self.joined(conditions, " OR ", "FALSE"),
            Condition::Not(condition) => {
                self.push("(NOT ");
                self.condition(condition);
                self.push(")");
            }
            Condition::Compare(attribute, comparison, value) => {
                self.compare(*attribute, sign(*comparison), value);
            }
            Condition::In(attribute, values) => {
                let equal = |value: &Value| {
                    Condition::Compare(*attribute, Comparison::Equal, value.clone())
                };
                let any: Vec<_> = values.iter().map(equal).collect();
                self.joined(&any, " OR ", "FALSE");
            }
            Condition::Between(attribute, low, high) => {
                self.push("(");
                self.compare(*attribute, ">=", low);
                self.push(" AND ");
                self.compare(*attribute, "<=", high);
                self.push(")");
            }
            Condition::IsNull(attribute) => {
                self.push("(");
                self.push(column(self.dialect, *attribute));
                self.push(" IS NULL)");
            }
            Condition::StartsWith(attribute, prefix) => self.starts_with(*attribute, prefix),
            Condition::Has(attribute, test) => self.has(*attribute, test),
            Condition::Worker(text) => {
                self.push(match self.dialect {
                    Dialect::Sqlite => "(instr(workers, ",
                    Dialect::Postgres => "(position(",
                });
                self.bind(Bound::Text(text.clone()));
                self.push(match self.dialect {
                    Dialect::Sqlite => ") > 0)",
                    Dialect::Postgres => " IN workers) > 0)",
                });
            }
            Condition::Never => self.push("FALSE"),
        }
    }

    fn joined(&mut self, conditions: &[Condition], with: &str, none: &str) {
        if conditions.is_empty() {
            self.push(none);
            return;
        }
        self.push("(");
        for (at, condition) in conditions.iter().enumerate() {
            if at > 0 {
                self.push(with);
            }
            self.condition(condition);
        }
        self.push(")");
    }

    fn compare(&mut self, attribute: Attribute, sign: &str, value: &Value) {
        let Some(value) = bound(attribute, value) else {
            self.unknown();
            return;
        };
        self.push("(");
        self.push(column(self.dialect, attribute));
        self.push(" ");
        self.push(sign);
        self.push(" ");
        self.bind(value);
        self.push(")");
    }

    /// Found by an index, whatever else is asked.
    fn has(&mut self, attribute: [u8; 16], test: &Test) {
        self.push("(run IN (SELECT run FROM search WHERE attribute = ");
        self.bind(Bound::Bytes(attribute));
        match test {
            Test::Any => {}
            Test::Compare(comparison, value) => self.value(sign(*comparison), value),
            Test::Between(low, high) => {
                self.value(">=", low);
                self.value("<=", high);
            }
            Test::StartsWith(prefix) => {
                self.value(">=", prefix);
                if let Some(to) = behind_bytes(prefix) {
                    self.value("<", &to);
                }
            }
        }
        self.push("))");
    }

    fn value(&mut self, sign: &str, value: &Bytes) {
        self.push(" AND value ");
        self.push(sign);
        self.push(" ");
        self.bind(Bound::Ordered(value.clone()));
    }

    fn unknown(&mut self) {
        self.push(match self.dialect {
            Dialect::Sqlite => "NULL",
            Dialect::Postgres => "NULL::boolean",
        });
    }

    /// As a range, which an index can serve and which knows no wildcards.
    fn starts_with(&mut self, attribute: Attribute, prefix: &str) {
        let from = Value::Text(prefix.to_owned());
        match behind(prefix) {
            Some(to) => {
                self.push("(");
                self.compare(attribute, ">=", &from);
                self.push(" AND ");
                self.compare(attribute, "<", &Value::Text(to));
                self.push(")");
            }
            None => self.compare(attribute, ">=", &from),
        }
    }
}

/// The smallest text behind all that start with `prefix`, if there is one.
pub(in super::super) fn behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Skips the surrogates, which are no characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// The same of bytes.
fn behind_bytes(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut bytes = prefix[..=last].to_vec();
    bytes[last] += 1;
    Some(bytes.into())
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn column(dialect: Dialect, attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::WorkflowId => "workflow_id",
        Attribute::RunId => "run",
        Attribute::WorkflowType => "workflow_type",
        Attribute::TaskQueue => "task_queue",
        Attribute::ExecutionStatus => "status",
        Attribute::StartTime => "start_time",
        Attribute::ExecutionTime => "execution_time",
        Attribute::CloseTime => "close_time",
        Attribute::ExecutionDuration => match dialect {
            Dialect::Sqlite => "(close_time - execution_time)",
            // A difference that overflows is an error there.
            Dialect::Postgres => "(close_time::numeric - execution_time)",
        },
        Attribute::HistoryLength => "history_length",
        Attribute::HistorySizeBytes => "history_size_bytes",
        Attribute::StateTransitionCount => "state_transition_count",
        Attribute::ParentWorkflowId => "parent_workflow_id",
        Attribute::ParentRunId => "parent_run",
        Attribute::RootWorkflowId => "root_workflow_id",
        Attribute::RootRunId => "root_run",
    }
}

/// The value as a parameter, if it is of the attribute's type.
fn bound(attribute: Attribute, value: &Value) -> Option<Bound> {
    match (attribute, value) {
        (
            Attribute::WorkflowId
            | Attribute::WorkflowType
            | Attribute::TaskQueue
            | Attribute::ParentWorkflowId
            | Attribute::RootWorkflowId,
            Value::Text(text),
        ) => Some(Bound::Text(text.clone())),
        (Attribute::RunId | Attribute::ParentRunId | Attribute::RootRunId, Value::Run(run)) => {
            Some(Bound::Bytes(run.0))
        }
        (
            Attribute::ExecutionStatus
            | Attribute::ExecutionDuration
            | Attribute::HistoryLength
            | Attribute::HistorySizeBytes
            | Attribute::StateTransitionCount,
            Value::Int(number),
        ) => Some(Bound::Int(*number)),
        (
            Attribute::StartTime | Attribute::ExecutionTime | Attribute::CloseTime,
            Value::Time(time),
        ) => Some(Bound::Int(time.0)),
        _ => None,
    }
}
