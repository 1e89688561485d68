//! The words of a query. Nothing is refused here: what is no word of any kind is broken, and refused where it stands.

use winnow::Parser;
use winnow::ascii::{digit1, multispace1};
use winnow::combinator::{alt, delimited, opt, preceded, repeat};
use winnow::error::ContextError;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{any, one_of, rest, take_till, take_until, take_while};

type Input<'a> = LocatingSlice<&'a str>;
type Result<T> = std::result::Result<T, ContextError>;

/// A word, and where it ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Word(String),
    Keyword(&'static str),
    Text(String),
    Number(String),
    Symbol(&'static str),
    Broken(String),
    End,
}

impl Kind {
    /// What a message about a misplaced word quotes.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Text(text) | Self::Number(text) | Self::Broken(text) => {
                Some(text)
            }
            Self::Keyword(keyword) => Some(keyword),
            Self::Symbol(_) | Self::End => None,
        }
    }
}

/// Words that cannot be names, unless in back quotes.
const KEYWORDS: [&str; 66] = [
    "all",
    "alter",
    "analyze",
    "and",
    "as",
    "asc",
    "between",
    "binary",
    "by",
    "case",
    "collate",
    "convert",
    "create",
    "cross",
    "default",
    "delete",
    "desc",
    "describe",
    "distinct",
    "div",
    "drop",
    "else",
    "end",
    "escape",
    "exists",
    "explain",
    "false",
    "for",
    "from",
    "group",
    "having",
    "if",
    "in",
    "index",
    "inner",
    "insert",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "left",
    "like",
    "limit",
    "lock",
    "mod",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "regexp",
    "replace",
    "right",
    "rlike",
    "select",
    "set",
    "starts_with",
    "then",
    "true",
    "union",
    "when",
    "where",
    "xor",
];

/// Longer ones first.
const SYMBOLS: [&str; 28] = [
    "<=>", "<=", ">=", "<>", "!=", "&&", "||", "<<", ">>", "=", "<", ">", "(", ")", ",", ".", "+",
    "-", "*", "/", "%", "&", "|", "^", "~", "!", ";", "?",
];

/// All words of a query, the last of them the end.
pub(super) fn tokens(query: &str) -> Vec<Token> {
    let mut input = LocatingSlice::new(query);
    let mut tokens = Vec::new();
    let mut parameters = 0;
    loop {
        // Never fails: there may be nothing to skip.
        let _skipped: Result<()> = repeat(0.., skipped).parse_next(&mut input);
        let Ok(mut kind) = word.parse_next(&mut input) else {
            break;
        };
        if kind == Kind::Symbol("?") {
            parameters += 1;
            kind = Kind::Number(format!(":v{parameters}"));
        }
        tokens.push(Token {
            kind,
            end: input.current_token_start(),
        });
    }
    tokens.push(Token {
        kind: Kind::End,
        end: query.len(),
    });
    tokens
}

fn skipped(input: &mut Input<'_>) -> Result<()> {
    alt((
        multispace1.void(),
        delimited("/*", take_until(0.., "*/"), "*/").void(),
        (alt(("--", "#")), take_till(0.., '\n')).void(),
    ))
    .parse_next(input)
}

fn word(input: &mut Input<'_>) -> Result<Kind> {
    // A comment that nobody closes, too.
    let comment = ("/*", rest)
        .take()
        .map(|text: &str| Kind::Broken(text.to_owned()));
    alt((
        comment,
        hex,
        number,
        quoted_name,
        text,
        parameter,
        name,
        symbol,
        broken,
    ))
    .parse_next(input)
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn name(input: &mut Input<'_>) -> Result<Kind> {
    let first = |c: char| c.is_alphabetic() || c == '_' || c == '@';
    let further = |c: char| c.is_alphanumeric() || c == '_' || c == '@' || c == '$';
    let name: &str = (one_of(first), take_while(0.., further))
        .take()
        .parse_next(input)?;
    let lower = name.to_ascii_lowercase();
    let keyword = KEYWORDS.iter().find(|keyword| **keyword == lower);
    Ok(keyword.map_or_else(
        || Kind::Word(name.to_owned()),
        |keyword| Kind::Keyword(keyword),
    ))
}

fn quoted_name(input: &mut Input<'_>) -> Result<Kind> {
    delimited('`', take_while(1.., |c| c != '`'), '`')
        .map(|name: &str| Kind::Word(name.to_owned()))
        .parse_next(input)
}

fn number(input: &mut Input<'_>) -> Result<Kind> {
    let exponent = || (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1);
    alt((
        (
            digit1,
            opt(('.', take_while(0.., is_digit))),
            opt(exponent()),
        )
            .take(),
        ('.', digit1, opt(exponent())).take(),
    ))
    .map(|number: &str| Kind::Number(number.to_owned()))
    .parse_next(input)
}

/// `0x41` stays as it is written, `X'41'` becomes what is in its quotes.
fn hex(input: &mut Input<'_>) -> Result<Kind> {
    let digits = || take_while(1.., |c: char| c.is_ascii_hexdigit());
    alt((
        ("0x", digits()).take(),
        delimited((one_of(['x', 'X']), '\''), digits(), '\''),
    ))
    .map(|number: &str| Kind::Number(number.to_owned()))
    .parse_next(input)
}

/// A parameter of a statement, which nobody can fill in.
fn parameter(input: &mut Input<'_>) -> Result<Kind> {
    (
        ':',
        take_while(1.., |c: char| c.is_alphanumeric() || c == '_'),
    )
        .take()
        .map(|name: &str| Kind::Number(name.to_owned()))
        .parse_next(input)
}

/// Text in either kind of quotes: doubled quotes stand for one, a backslash makes the next character an ordinary one.
fn text(input: &mut Input<'_>) -> Result<Kind> {
    let quote = one_of(['\'', '"']).parse_next(input)?;
    let mut text = String::new();
    loop {
        let plain: &str = take_till(0.., |c| c == quote || c == '\\').parse_next(input)?;
        text.push_str(plain);
        let next: Result<char> = any.parse_next(input);
        match next {
            Ok('\\') => {
                let escaped: Result<char> = any.parse_next(input);
                match escaped {
                    Ok(escaped) => text.push(meant(escaped)),
                    Err(_) => return Ok(Kind::Broken(text)),
                }
            }
            Ok(_) => {
                let doubled: Option<char> = opt(quote).parse_next(input)?;
                match doubled {
                    Some(quote) => text.push(quote),
                    None => return Ok(Kind::Text(text)),
                }
            }
            Err(_) => return Ok(Kind::Broken(text)),
        }
    }
}

fn meant(escaped: char) -> char {
    match escaped {
        '0' => '\0',
        'b' => '\u{8}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1a}',
        other => other,
    }
}

fn symbol(input: &mut Input<'_>) -> Result<Kind> {
    for symbol in SYMBOLS {
        let found: Option<&str> = opt(symbol).parse_next(input)?;
        if found.is_some() {
            return Ok(Kind::Symbol(symbol));
        }
    }
    Err(ContextError::new())
}

fn broken(input: &mut Input<'_>) -> Result<Kind> {
    alt((
        // A back quote that nobody closes takes all that follows with it.
        preceded('`', rest).map(|text: &str| Kind::Broken(text.to_owned())),
        any.map(|c: char| Kind::Broken(c.to_string())),
    ))
    .parse_next(input)
}
