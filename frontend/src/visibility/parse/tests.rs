//! One line per query: what it is, or where it stops making sense.

use proptest::prelude::*;

use super::*;

fn refused(query: &str) -> String {
    match parse(query) {
        Ok(parsed) => format!("{parsed:?}"),
        Err(malformed) => malformed.to_string(),
    }
}

#[test]
fn mistakes_are_found_where_they_are() {
    for (query, refusal) in [
        ("WorkflowId='a", "syntax error at position 41 near 'a'"),
        ("WorkflowId=", "syntax error at position 39"),
        ("= 'a'", "syntax error at position 29"),
        ("WorkflowId=='a'", "syntax error at position 40"),
        ("WorkflowId in ()", "syntax error at position 44"),
        ("WorkflowId in 'a'", "syntax error at position 45 near 'a'"),
        ("WorkflowId='a' AND", "syntax error at position 46"),
        (
            "WorkflowId='a' XOR RunId='b'",
            "syntax error at position 46 near 'xor'",
        ),
        ("(WorkflowId='a'", "syntax error at position 43"),
        ("WorkflowId='a')", "syntax error at position 43"),
        ("()", "syntax error at position 30"),
        ("limit 5", "syntax error at position 33 near 'limit'"),
        (
            "StartTime between '2020-01-01T00:00:00Z'",
            "syntax error at position 68",
        ),
        (
            "WorkflowId = 'a'; drop table x",
            "syntax error at position 50 near 'drop'",
        ),
        (
            "select * from x",
            "syntax error at position 34 near 'select'",
        ),
        (
            "WorkflowId='a' and or RunId='b'",
            "syntax error at position 49 near 'or'",
        ),
        (
            "WorkflowId='a' RunId='b'",
            "syntax error at position 48 near 'RunId'",
        ),
        ("\0", "syntax error at position 29 near '\0'"),
        ("HistoryLength = 5 and (", "syntax error at position 51"),
        (
            "where WorkflowId='a'",
            "syntax error at position 33 near 'where'",
        ),
        ("key='a'", "syntax error at position 31 near 'key'"),
        ("order='a'", "syntax error at position 33 near 'order'"),
        ("group='a'", "syntax error at position 33 near 'group'"),
        ("desc='a'", "syntax error at position 32 near 'desc'"),
        ("group by", "syntax error at position 30"),
        (
            "WorkflowId = _utf8'A'",
            "syntax error at position 49 near 'A'",
        ),
    ] {
        assert_eq!(refused(query), refusal, "{query}");
    }
}

#[test]
fn precedence() {
    let same = |one: &str, other: &str| {
        // Parentheses are kept, so they are taken out of the picture.
        let bare = |query: &str| {
            format!("{:?}", parse(query))
                .replace("Paren(", "")
                .replace(')', "")
        };
        assert_eq!(bare(one), bare(other));
    };
    same("a=1 and b=2 or c=3", "(a=1 and b=2) or c=3");
    same("a=1 or b=2 and c=3", "a=1 or (b=2 and c=3)");
    same("not a=1 and b=2", "(not (a=1)) and b=2");
    same("a=1 && b=2 || c=3", "a=1 AND b=2 OR c=3");
    same("a between 1 and 2 and b=3", "(a between 1 and 2) and b=3");
    same("a<>1 -- all of it", "a != 1 /* or not */");
}

#[test]
fn texts() {
    let text = |query: &str| match parse(query).map(|parsed| parsed.condition) {
        Ok(Some(Expr::Compare { right, .. })) => format!("{right:?}"),
        other => format!("{other:?}"),
    };
    assert_eq!(text("a='it''s'"), r#"Text("it's")"#);
    assert_eq!(text(r"a='it\'s'"), r#"Text("it's")"#);
    assert_eq!(text(r#"a="a'b""#), r#"Text("a'b")"#);
    assert_eq!(text(r"a='a\nb'"), r#"Text("a\nb")"#);
    assert_eq!(text("`a`='ä'"), r#"Text("ä")"#);
    assert_eq!(text("a=-1"), r#"Number("-1")"#);
    assert_eq!(text("a=.5e-3"), r#"Number(".5e-3")"#);
    assert_eq!(text("a=X'41'"), r#"Number("41")"#);
    assert_eq!(text("a=-1.5"), r#"Number("-1.5")"#);
    assert_eq!(text("a=!1"), r#"Unary("!")"#);
    assert_eq!(text("a=(1,2)"), r#"Tuple([Number("1"), Number("2")])"#);
    assert_eq!(text("a=lower('x')"), "Function");
}

#[test]
fn nothing_is_too_long_or_too_deep() {
    let long = vec!["a=1"; 10_000].join(" and ");
    assert!(parse(&long).is_ok());
    let deep = |depth: usize| format!("{}a=1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&deep(200)).is_ok());
    assert_eq!(parse(&deep(100_000)), Err(Malformed::TooDeep));
    assert_eq!(parse(&"not ".repeat(100_000)), Err(Malformed::TooDeep));
    assert_eq!(
        parse(&format!("a = {}1", "- ".repeat(100_000))),
        Err(Malformed::TooDeep)
    );
}

proptest! {
    #[test]
    fn no_text_panics(query in ".*") {
        let _ = parse(&query);
    }

    #[test]
    fn no_order_of_words_panics(words in prop::collection::vec(prop::sample::select(vec![
        "a", "`b`", "'c'", "\"", "'", "5", ".5", "0x1", "X'1", "(", ")", ",", ".", "=", "<=>", "-", "!", "and", "or", "not",
        "in", "is", "null", "like", "between", "case", "end", "exists", "select", "group by", "order by", "limit",
        "collate", "starts_with", "true", "?", ":x", "@", ";", "/*", "*/", "--", "\\", "\n", "ä",
    ]), 0..30)) {
        let _ = parse(&words.join(" "));
        let _ = parse(&words.concat());
    }
}
