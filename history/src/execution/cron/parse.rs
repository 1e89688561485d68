//! The text of a cron schedule, read as the reference reads it.

use super::{Calendar, Field, Schedule, zone};

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Smallest and largest value of a field, and names of values from the smallest on.
struct Range(u32, u32, &'static [&'static str]);

const RANGES: [Range; 5] = [
    Range(0, 59, &[]),
    Range(0, 23, &[]),
    Range(1, 31, &[]),
    Range(1, 12, MONTHS),
    Range(0, 6, WEEKDAYS),
];

pub(super) fn schedule(text: &str) -> Option<Schedule> {
    let zoned = ["CRON_TZ=", "TZ="]
        .iter()
        .find_map(|it| text.strip_prefix(it));
    let (name, text) = match zoned {
        Some(zoned) => zoned
            .split_once(' ')
            .map(|(name, rest)| (name, rest.trim()))?,
        None => ("", text),
    };
    let zone = zone(name)?;
    if let Some(interval) = text.strip_prefix("@every ") {
        return every(interval);
    }
    let fields = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        fields => fields,
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let fields: &[&str; 5] = fields.as_slice().try_into().ok()?;
    let [minutes, hours, days, months, weekdays] = fields;
    let [minute, hour, day, month, weekday] = &RANGES;
    Some(Schedule::Calendar(Box::new(Calendar {
        zone,
        minutes: field(minutes, minute)?,
        hours: field(hours, hour)?,
        days: field(days, day)?,
        months: field(months, month)?,
        weekdays: field(weekdays, weekday)?,
    })))
}

/// Whole seconds, and at least one.
fn every(interval: &str) -> Option<Schedule> {
    let seconds = i64::try_from(nanos(interval)? / 1_000_000_000).ok()?;
    Some(Schedule::Every(seconds.max(1)))
}

/// `1h30m`, `-1.5s` in nanoseconds, as far as they fit into 64 bits.
fn nanos(text: &str) -> Option<i128> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut rest = rest;
    let mut sum = 0_i128;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let end = behind
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        sum = sum.checked_add(amount(number, unit)?)?;
        rest = behind;
        if rest.is_empty() {
            return i64::try_from(sum).ok().map(|sum| sign * i128::from(sum));
        }
    }
}

/// So many of a unit, in nanoseconds.
fn amount(number: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, behind) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && behind.is_empty() {
        return None;
    }
    let digits = |text: &str| match text {
        "" => Some(0),
        text => text.parse::<i64>().ok().map(i128::from),
    };
    let behind = &behind[..behind.len().min(18)];
    let tens = 10_i128.checked_pow(u32::try_from(behind.len()).ok()?)?;
    Some(digits(whole)? * unit + digits(behind)? * unit / tens)
}

/// Parts behind commas.
fn field(text: &str, range: &Range) -> Option<Field> {
    let mut field = Field::default();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let one = self::part(part, range)?;
        field.values |= one.values;
        field.any |= one.any;
    }
    Some(field)
}

/// A value, a range or everything, with an optional step.
fn part(text: &str, Range(low, high, names): &Range) -> Option<Field> {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(number(step)?)),
        None => (text, None),
    };
    let (from, to) = match range.split_once('-') {
        Some((from, to)) => (from, Some(to)),
        None => (range, None),
    };
    let is_all = matches!(from, "*" | "?");
    let (from, to) = if is_all {
        (*low, *high)
    } else {
        let from = value(from, *low, names)?;
        match to {
            Some(to) => (from, value(to, *low, names)?),
            None if step.is_some() => (from, *high),
            None => (from, from),
        }
    };
    let step = step.unwrap_or(1);
    if from < *low || to > *high || from > to || step == 0 {
        return None;
    }
    let values = (from..=to).step_by(usize::try_from(step).ok()?);
    Some(Field {
        values: values.fold(0, |values, value| values | 1 << value),
        any: is_all && step == 1,
    })
}

fn value(text: &str, low: u32, names: &[&str]) -> Option<u32> {
    let name = text.to_ascii_lowercase();
    if let Some(at) = names.iter().position(|known| *known == name) {
        return u32::try_from(at).ok().map(|at| at + low);
    }
    number(text)
}

fn number(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().ok())?
}
