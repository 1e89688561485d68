//! What a query is made of.

/// An expression. Of what can never be asked only its name is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Paren(Box<Expr>),
    Compare {
        left: Box<Expr>,
        operator: &'static str,
        right: Box<Expr>,
    },
    Between {
        left: Box<Expr>,
        negated: bool,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    Is {
        left: Box<Expr>,
        what: Is,
    },
    Column(String),
    Text(String),
    /// A number as it was written.
    Number(String),
    Bool(bool),
    Tuple(Vec<Expr>),
    Function,
    /// A sign before something that is not a number.
    Unary(&'static str),
    /// Something else, as the reference calls it.
    Other(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    Null,
    NotNull,
    Else,
}

/// A whole query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) condition: Option<Expr>,
    pub(crate) group_by: Vec<Expr>,
    pub(crate) order_by: Vec<Expr>,
    pub(crate) limited: bool,
}
