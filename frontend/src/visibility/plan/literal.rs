//! Values as a query writes them, and as messages quote them.

use std::fmt;

/// A value of a query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Literal {
    /// A number from its digits. `None`: it is none, or too large for one.
    pub(super) fn number(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Some(Self::Int(number));
        }
        // Rust reads more (`inf`, `nan`) than anybody can write here.
        let number: f64 = text
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())?;
        Some(Self::Float(number))
    }

    /// The type as the reference calls it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Int(_) => "int64",
            Self::Float(_) => "float64",
            Self::Bool(_) => "bool",
        }
    }
}

/// Several, as they stand in a query.
pub(super) fn tuple(list: &[Literal]) -> String {
    let shown = list.iter().map(|literal| match literal {
        Literal::Text(text) => format!("'{text}'"),
        other => other.to_string(),
    });
    format!("({})", shown.collect::<Vec<_>>().join(", "))
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Int(number) => number.fmt(f),
            Self::Float(number) => float(*number, f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

/// The shortest digits, with an exponent of at least two digits where the number is very large or very small.
fn float(number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&power) {
        return write!(f, "{number}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    write!(f, "{digits}e{sign}{:02}", power.unsigned_abs())
}
