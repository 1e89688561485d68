//! Durations as people write them in queries.

use cairn_history::search_attribute::decimals;
use winnow::Parser;
use winnow::ascii::digit1;
use winnow::combinator::{alt, opt, preceded, repeat, seq};
use winnow::error::ContextError;
use winnow::token::{one_of, take_while};

type Fault = ContextError;

const SECOND: i64 = 1_000_000_000;

/// The whole text, if it is what the parser reads.
fn read<'a, T>(mut parser: impl Parser<&'a str, T, Fault>, text: &'a str) -> Option<T> {
    parser.parse(text).ok()
}

/// `.5` in nanoseconds; digits behind the ninth are dropped.
fn fraction(text: &mut &str) -> Result<i64, Fault> {
    let digits: &str = preceded(one_of(['.', ',']), digit1).parse_next(text)?;
    Ok(decimals(digits))
}

/// A number of nanoseconds, a duration with units (`1h2m`, `1.5d`, `-3ms`) or a time of the clock (`01:02:03`).
pub(crate) fn execution_duration(text: &str) -> Option<i64> {
    let nanos = text.parse().ok();
    nanos.or_else(|| duration(text)).or_else(|| clock(text))
}

/// A duration with units, in nanoseconds.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let sign = opt(one_of(['+', '-']));
    let parts = repeat(1.., part).fold(
        || Some(0_i128),
        |sum: Option<i128>, part| sum?.checked_add(part?),
    );
    let (sign, sum): (_, Option<i128>) = read((sign, parts), text)?;
    let sum = sum?;
    i64::try_from(if sign == Some('-') { -sum } else { sum }).ok()
}

/// `1.5h` in nanoseconds, if that can be told.
fn part(text: &mut &str) -> Result<Option<i128>, Fault> {
    let digits = |c: char| c.is_ascii_digit();
    let mut number = (
        take_while(0.., digits),
        opt(preceded('.', take_while(0.., digits))),
    )
        .verify(|(whole, behind): &(&str, Option<&str>)| {
            !whole.is_empty() || behind.is_some_and(|behind| !behind.is_empty())
        });
    let (whole, behind) = number.parse_next(text)?;
    let unit = alt((
        "ns".value(1),
        alt(("us", "µs", "μs")).value(1_000),
        "ms".value(1_000_000),
        "s".value(SECOND),
        "m".value(60 * SECOND),
        "h".value(3_600 * SECOND),
        "d".value(86_400 * SECOND),
    ))
    .parse_next(text)?;
    let unit = i128::from(unit);
    let behind = i128::from(decimals(behind.unwrap_or(""))) * unit / i128::from(SECOND);
    let whole = if whole.is_empty() {
        Some(0)
    } else {
        whole.parse::<i64>().ok()
    };
    Ok(whole.map(|whole| i128::from(whole) * unit + behind))
}

/// `hh:mm:ss` with any number of hours, in nanoseconds.
fn clock(text: &str) -> Option<i64> {
    let whole = seq!(hours, _: ':', below_60, _: ':', below_60, opt(fraction));
    let (hours, minutes, seconds, nanos) = read(whole, text)?;
    let seconds = hours
        .checked_mul(3600)?
        .checked_add(minutes * 60 + seconds)?;
    seconds.checked_mul(SECOND)?.checked_add(nanos.unwrap_or(0))
}

fn hours(text: &mut &str) -> Result<i64, Fault> {
    digit1.parse_to().parse_next(text)
}

/// Minutes or seconds.
fn below_60(text: &mut &str) -> Result<i64, Fault> {
    take_while(1..=2, |c: char| c.is_ascii_digit())
        .parse_to()
        .verify(|value: &i64| *value < 60)
        .parse_next(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("5s", 5.0),
            ("1h2m", 3720.0),
            ("1d", 86400.0),
            ("01:02:03", 3723.0),
            ("1:2:3", 3723.0),
            ("-5s", -5.0),
            ("1.5h", 5400.0),
            ("100:00:00", 360_000.0),
            ("1d2h", 93600.0),
            ("01:02:03.5", 3723.5),
            ("1.5d", 129_600.0),
            ("1000000000", 1.0),
            ("-1000000000", -1.0),
            ("300ms", 0.3),
            (".5s", 0.5),
            ("+1m", 60.0),
        ] {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the table's values are small"
            )]
            let nanos = (seconds * 1e9) as i64;
            assert_eq!(execution_duration(text), Some(nanos), "{text}");
        }
        for bad in [
            "",
            "foo",
            "00:60:00",
            "5",
            "5 s",
            "s",
            ".s",
            "1h 2m",
            "99999999999999999999s",
            "9999999999h",
            "1:2",
        ] {
            assert_eq!(duration(bad).or_else(|| clock(bad)), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".*") {
            execution_duration(&text);
        }
    }
}
