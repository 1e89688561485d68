//! Times as search attributes and queries write them.

use winnow::Parser;
use winnow::ascii::digit1;
use winnow::combinator::{alt, opt, preceded, seq};
use winnow::error::ContextError;
use winnow::token::{one_of, take_while};

use crate::id::Time;

type Fault = ContextError;

const SECOND: i64 = 1_000_000_000;

/// The whole text, if it is what the parser reads.
fn read<'a, T>(mut parser: impl Parser<&'a str, T, Fault>, text: &'a str) -> Option<T> {
    parser.parse(text).ok()
}

/// RFC 3339. A time that does not fit into 64 bits of nanoseconds becomes the nearest one that does.
pub fn datetime(text: &str) -> Option<Time> {
    let mut date = seq!(number(4), _: '-', number(2), _: '-', number(2));
    let mut clock = seq!(number(2), _: ':', number(2), _: ':', number(2));
    let whole = seq!(date, _: 'T', clock, opt(fraction), offset);
    let ((year, month, day), (hour, minute, second), nanos, offset) = read(whole, text)?;
    let valid = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !valid {
        return None;
    }
    let clock = hour * 3600 + minute * 60 + second;
    let seconds = days_from_epoch(year, month, day) * 86_400 + clock - offset;
    let nanos = i128::from(seconds) * i128::from(SECOND) + i128::from(nanos.unwrap_or(0));
    Some(Time(saturated(nanos)))
}

fn saturated(nanos: i128) -> i64 {
    let nearest = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(nearest).unwrap_or(i64::MAX)
}

/// A number of exactly so many digits.
fn number<'a>(digits: usize) -> impl Parser<&'a str, i64, Fault> {
    take_while(digits, |c: char| c.is_ascii_digit()).parse_to()
}

/// `.5` in nanoseconds; digits behind the ninth are dropped.
fn fraction(text: &mut &str) -> Result<i64, Fault> {
    let digits: &str = preceded(one_of(['.', ',']), digit1).parse_next(text)?;
    Ok(decimals(digits))
}

/// Digits behind a decimal point, in billionths.
pub fn decimals(digits: &str) -> i64 {
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// `Z`, or how far the clock is ahead of it, in seconds.
fn offset(text: &mut &str) -> Result<i64, Fault> {
    let ahead = seq!(one_of(['+', '-']), number(2), _: ':', number(2))
        .verify(|(_, hours, minutes)| *hours < 24 && *minutes < 60)
        .map(|(sign, hours, minutes)| {
            let seconds = hours * 3600 + minutes * 60;
            if sign == '-' { -seconds } else { seconds }
        });
    alt(('Z'.value(0), ahead)).parse_next(text)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days between 1970-01-01 and a date of the Gregorian calendar.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March end with the leap day.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn datetimes() {
        let at = |text| datetime(text).map(|time| time.0);
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("2020-01-01T00:00:00Z"), Some(1_577_836_800 * SECOND));
        assert_eq!(
            at("2020-01-01T00:00:00.123456789+01:00"),
            Some((1_577_836_800 - 3600) * SECOND + 123_456_789)
        );
        assert_eq!(
            at("2020-02-29T00:00:00.5-00:30"),
            Some(1_582_936_200 * SECOND + 500_000_000)
        );
        assert_eq!(at("9999-12-31T23:59:59Z"), Some(i64::MAX));
        assert_eq!(at("0001-01-01T00:00:00Z"), Some(i64::MIN));
        for bad in [
            "",
            "2020-01-01",
            "2020-01-01 00:00:00",
            "2020-13-01T00:00:00Z",
            "2019-02-29T00:00:00Z",
            "2020-01-01T00:00:00z",
            "2020-01-01t00:00:00Z",
            "2020-01-01T00:00:00",
            "2020-01-01T00:00:00+0100",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:00:00.Z",
            "20-01-01T00:00:00Z",
            "2020-01-01T00:00:00Z ",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".*") {
            datetime(&text);
        }

        #[test]
        fn times_are_read_as_they_are_counted(days in -300_000_i64..300_000) {
            let (mut year, mut rest) = (1970, days);
            while rest < 0 { year -= 1; rest += (1..=12).map(|month| days_in(year, month)).sum::<i64>(); }
            let mut month = 1;
            while rest >= days_in(year, month) {
                rest -= days_in(year, month);
                (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            }
            prop_assert_eq!(days_from_epoch(year, month, rest + 1), days);
        }
    }
}
