//! The text of a visibility query as a tree: the `WHERE` clause of SQL, with `GROUP BY`, `ORDER BY` and `LIMIT` behind it.
//!
//! More is understood here than can be asked (functions, arithmetic, tuples), so that what cannot be asked is refused by
//! its name and not as a mistake of writing. What names and values mean is `plan`'s business.

mod expr;
mod token;

pub(crate) use expr::{Expr, Is, Parsed};
use token::{Kind, Token};

/// Where the query stops making sense, counted as if it stood in a whole statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("syntax error at position {0}")]
    At(usize),
    #[error("syntax error at position {0} near '{1}'")]
    Near(usize, String),
    #[error("the query is nested too deeply")]
    TooDeep,
}

type Result<T> = std::result::Result<T, Malformed>;

/// What stands before the query in the statement that positions are counted in.
const STATEMENT: usize = "select * from table1 ".len();
const WHERE: usize = "where ".len();
/// Deeper nesting is nobody's question, and would cost stack.
const DEEPEST: usize = 250;

pub(crate) fn parse(query: &str) -> Result<Parsed> {
    let query = query.trim();
    let mut parser = Parser {
        tokens: token::tokens(query),
        at: 0,
        base: STATEMENT,
        depth: 0,
    };
    let mut parsed = Parsed::default();
    let begins = |with: &str| {
        query
            .get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    if !query.is_empty() && !begins("order by") && !begins("group by") {
        parser.base += WHERE;
        parsed.condition = Some(parser.expression()?);
    }
    if parser.keyword("group") {
        parser.expect_keyword("by")?;
        parsed.group_by = parser.list()?;
    }
    if parser.keyword("having") {
        parser.expression()?;
    }
    if parser.keyword("order") {
        parser.expect_keyword("by")?;
        loop {
            parsed.order_by.push(parser.expression()?);
            let _direction = parser.keyword("asc") || parser.keyword("desc");
            if !parser.symbol(",") {
                break;
            }
        }
    }
    if parser.keyword("limit") {
        parsed.limited = true;
        parser.expression()?;
        if parser.symbol(",") || parser.keyword("offset") {
            parser.expression()?;
        }
    }
    parser.symbol(";");
    match parser.peek() {
        Kind::End => Ok(parsed),
        _ => Err(parser.fault()),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    base: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Kind {
        self.peek_behind(0)
    }

    fn peek_behind(&self, count: usize) -> &Kind {
        self.tokens
            .get(self.at + count)
            .map_or(&Kind::End, |token| &token.kind)
    }

    /// The next token cannot stand here.
    fn fault(&self) -> Malformed {
        let Some(token) = self
            .tokens
            .get(self.at.min(self.tokens.len().saturating_sub(1)))
        else {
            return Malformed::At(self.base + 1);
        };
        let position = self.base + token.end + 1;
        match token.kind.text() {
            Some(text) => Malformed::Near(position, text.to_owned()),
            None => Malformed::At(position),
        }
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Kind::Symbol(next) if *next == symbol);
        self.at += usize::from(found);
        found
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Kind::Keyword(next) if *next == keyword);
        self.at += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.symbol(symbol) {
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    fn expect_keyword(&mut self, keyword: &str) -> Result<()> {
        if self.keyword(keyword) {
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Malformed::TooDeep);
        }
        let result = inside(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Result<Expr> {
        self.joined(&["or", "||"], Expr::Or, |parser| {
            parser.joined(&["and", "&&"], Expr::And, Self::negation)
        })
    }

    fn joined(
        &mut self,
        with: &[&str; 2],
        join: fn(Vec<Expr>) -> Expr,
        operand: impl Fn(&mut Self) -> Result<Expr>,
    ) -> Result<Expr> {
        let first = operand(self)?;
        let mut all = vec![first];
        while self.keyword(with[0]) || self.symbol(with[1]) {
            all.push(operand(self)?);
        }
        if all.len() > 1 {
            return Ok(join(all));
        }
        all.pop().ok_or_else(|| self.fault())
    }

    fn negation(&mut self) -> Result<Expr> {
        if self.keyword("not") {
            let inner = self.deeper(Self::negation)?;
            return Ok(Expr::Not(Box::new(inner)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr> {
        let mut left = self.value()?;
        if let Some(operator) = self.comparator() {
            left = compare(left, operator, self.value()?);
        } else {
            left = self.predicate(left)?;
        }
        while self.keyword("is") {
            let what = self.is_what()?;
            left = Expr::Is {
                left: Box::new(left),
                what,
            };
        }
        Ok(left)
    }

    fn comparator(&mut self) -> Option<&'static str> {
        const SIGNS: [(&str, &str); 8] = [
            ("=", "="),
            ("!=", "!="),
            ("<>", "!="),
            ("<=", "<="),
            (">=", ">="),
            ("<=>", "<=>"),
            ("<", "<"),
            (">", ">"),
        ];
        let found = SIGNS.iter().find(|(sign, _)| self.symbol(sign));
        found.map(|(_, operator)| *operator)
    }

    /// `IN`, `LIKE`, `BETWEEN` and their like, or nothing.
    fn predicate(&mut self, left: Expr) -> Result<Expr> {
        let negated = self.keyword("not");
        let name = |plain, negative| if negated { negative } else { plain };
        if self.keyword("in") {
            self.expect_symbol("(")?;
            let values = self.deeper(Self::list)?;
            self.expect_symbol(")")?;
            return Ok(compare(left, name("in", "not in"), Expr::Tuple(values)));
        }
        if self.keyword("starts_with") {
            let operator = name("starts_with", "not starts_with");
            return Ok(compare(left, operator, self.value()?));
        }
        if self.keyword("like") {
            let like = compare(left, name("like", "not like"), self.value()?);
            if self.keyword("escape") {
                self.value()?;
            }
            return Ok(like);
        }
        if self.keyword("regexp") || self.keyword("rlike") {
            return Ok(compare(left, name("regexp", "not regexp"), self.value()?));
        }
        if self.keyword("between") {
            let low = self.value()?;
            self.expect_keyword("and")?;
            let high = self.value()?;
            return Ok(Expr::Between {
                left: Box::new(left),
                negated,
                low: Box::new(low),
                high: Box::new(high),
            });
        }
        if negated { Err(self.fault()) } else { Ok(left) }
    }

    fn is_what(&mut self) -> Result<Is> {
        let negated = self.keyword("not");
        if self.keyword("null") {
            return Ok(if negated { Is::NotNull } else { Is::Null });
        }
        if self.keyword("true") || self.keyword("false") {
            return Ok(Is::Else);
        }
        Err(self.fault())
    }

    fn list(&mut self) -> Result<Vec<Expr>> {
        let mut all = vec![self.expression()?];
        while self.symbol(",") {
            all.push(self.expression()?);
        }
        Ok(all)
    }

    /// Operands and what computes with them.
    fn value(&mut self) -> Result<Expr> {
        const OPERATORS: [&str; 9] = ["+", "-", "*", "/", "%", "&", "|", "^", "<<"];
        let mut left = self.operand()?;
        while OPERATORS.iter().any(|operator| self.symbol(operator))
            || self.symbol(">>")
            || self.keyword("div")
            || self.keyword("mod")
        {
            self.operand()?;
            left = Expr::Other("*sqlparser.BinaryExpr");
        }
        if self.keyword("collate") {
            match self.peek() {
                Kind::Word(_) | Kind::Text(_) => self.at += 1,
                _ => return Err(self.fault()),
            }
            left = Expr::Other("*sqlparser.CollateExpr");
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expr> {
        match self.peek().clone() {
            Kind::Word(name) => {
                self.at += 1;
                self.column_or_function(name)
            }
            Kind::Text(text) => self.took(Expr::Text(text)),
            Kind::Number(number) => self.took(Expr::Number(number)),
            Kind::Keyword("true") => self.took(Expr::Bool(true)),
            Kind::Keyword("false") => self.took(Expr::Bool(false)),
            Kind::Keyword("null") => self.took(Expr::Other("*sqlparser.NullVal")),
            Kind::Keyword("exists") => {
                self.at += 1;
                self.skip_parens()?;
                Ok(Expr::Other("*sqlparser.ExistsExpr"))
            }
            Kind::Keyword("case") => {
                while !self.keyword("end") {
                    if matches!(self.peek(), Kind::End) {
                        return Err(self.fault());
                    }
                    self.at += 1;
                }
                Ok(Expr::Other("*sqlparser.CaseExpr"))
            }
            Kind::Symbol("(") if matches!(self.peek_behind(1), Kind::Keyword("select")) => {
                self.skip_parens()?;
                Ok(Expr::Other("*sqlparser.Subquery"))
            }
            Kind::Symbol("(") => {
                self.at += 1;
                let mut values = self.deeper(Self::list)?;
                self.expect_symbol(")")?;
                match values.pop() {
                    Some(only) if values.is_empty() => Ok(Expr::Paren(Box::new(only))),
                    last => {
                        values.extend(last);
                        Ok(Expr::Tuple(values))
                    }
                }
            }
            Kind::Symbol(sign @ ("-" | "+" | "!" | "~")) => {
                self.at += 1;
                let inner = self.deeper(Self::operand)?;
                Ok(match (sign, inner) {
                    ("-", Expr::Number(number)) => match number.strip_prefix('-') {
                        Some(positive) => Expr::Number(positive.to_owned()),
                        None => Expr::Number(format!("-{number}")),
                    },
                    ("+", number @ Expr::Number(_)) => number,
                    (sign, _) => Expr::Unary(sign),
                })
            }
            _ => Err(self.fault()),
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "an arm among others that may fail"
    )]
    fn took(&mut self, value: Expr) -> Result<Expr> {
        self.at += 1;
        Ok(value)
    }

    fn column_or_function(&mut self, mut name: String) -> Result<Expr> {
        let mut parts = 1;
        while parts < 3 && self.symbol(".") {
            parts += 1;
            let Kind::Word(part) = self.peek().clone() else {
                return Err(self.fault());
            };
            self.at += 1;
            name.push('.');
            name.push_str(&part);
        }
        if !matches!(self.peek(), Kind::Symbol("(")) {
            return Ok(Expr::Column(name));
        }
        self.at += 1;
        if !self.symbol(")") {
            self.keyword("distinct");
            if !self.symbol("*") {
                self.deeper(Self::list)?;
            }
            self.expect_symbol(")")?;
        }
        Ok(Expr::Function)
    }

    /// Skips what stands in parentheses, without understanding it.
    fn skip_parens(&mut self) -> Result<()> {
        self.expect_symbol("(")?;
        let mut open = 1_usize;
        while open > 0 {
            match self.peek() {
                Kind::Symbol("(") => open += 1,
                Kind::Symbol(")") => open -= 1,
                Kind::End | Kind::Broken(_) => return Err(self.fault()),
                _ => {}
            }
            self.at += 1;
        }
        Ok(())
    }
}

fn compare(left: Expr, operator: &'static str, right: Expr) -> Expr {
    Expr::Compare {
        left: Box::new(left),
        operator,
        right: Box::new(right),
    }
}

#[cfg(test)]
mod tests;
