//! Durations as people write them on the command line: `1h30m`, `250ms`, `2d`; and back again.

use std::fmt::Write;
use std::time::Duration;

/// Nanoseconds of each unit; longer names first, so that `ms` is not read as `m`.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("d", 86_400e9),
    ("h", 3_600e9),
    ("m", 60e9),
    ("s", 1e9),
];
/// A hundred years; what is longer is a slip of the finger.
const NANOS_MAX: f64 = 36_525.0 * 86_400e9;

/// Reads `1h30m`; a bare `0` needs no unit.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration such as 1h30m, 250ms or 2d");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut nanos = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let (unit, length) = UNITS
            .iter()
            .find(|(unit, _)| rest[digits..].starts_with(unit))
            .ok_or_else(wrong)?;
        nanos += number * length;
        rest = &rest[digits + unit.len()..];
    }
    if text.is_empty() || nanos > NANOS_MAX {
        return Err(wrong());
    }
    Ok(Duration::from_secs_f64(nanos / 1e9))
}

/// For a proto field; zero means that nothing was said.
pub(crate) fn proto(duration: Option<Duration>) -> Option<cairn_proto::prost_types::Duration> {
    let duration = duration.filter(|duration| !duration.is_zero())?;
    Some(cairn_proto::prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    })
}

/// From a proto field; what is negative counts as zero.
pub(crate) fn of(duration: &cairn_proto::prost_types::Duration) -> Duration {
    let seconds = u64::try_from(duration.seconds).unwrap_or_default();
    let nanos = u32::try_from(duration.nanos).unwrap_or_default();
    Duration::new(seconds, nanos.min(999_999_999))
}

/// Writes `24h0m0s`, `1.5s`, `60ms`.
pub(crate) fn shown(duration: Duration) -> String {
    if duration.is_zero() {
        return "0s".to_owned();
    }
    if duration < Duration::from_secs(1) {
        let (number, unit) = match duration.as_nanos() {
            nanos if nanos < 1_000 => (duration.as_secs_f64() * 1e9, "ns"),
            nanos if nanos < 1_000_000 => (duration.as_secs_f64() * 1e6, "µs"),
            _ => (duration.as_secs_f64() * 1e3, "ms"),
        };
        return format!("{}{unit}", rounded(number));
    }
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut text = String::new();
    // Writing to a String does not fail.
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let nanos = duration.subsec_nanos();
    if nanos == 0 {
        let _ = write!(text, "{}s", seconds % 60);
    } else {
        let fraction = format!("{nanos:09}");
        let _ = write!(text, "{}.{}s", seconds % 60, fraction.trim_end_matches('0'));
    }
    text
}

fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("0", 0.0),
            ("10s", 10.0),
            ("72h0m0s", 259_200.0),
            ("2d", 172_800.0),
            ("1.5h", 5_400.0),
            ("250ms", 0.25),
            ("1m30s", 90.0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "s", "1x", "-1s", "1..2s", "9999999d", "1h2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_written() {
        for (text, nanos) in [
            ("0s", 0),
            ("60ms", 60_000_000),
            ("1.5s", 1_500_000_000),
            ("24h0m0s", 86_400_000_000_000),
            ("1m2.05s", 62_050_000_000),
        ] {
            assert_eq!(shown(Duration::from_nanos(nanos)), text);
        }
    }
}
