//! Is a cron schedule one? Five fields, `@every`, `@daily` and its like, behind an optional zone.
//!
//! When it fires next is history's business.

use crate::error::Error;

/// The five fields: name, smallest, largest, names of values.
const FIELDS: [(u32, u32, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (
        1,
        12,
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];
/// The days that a month can have at most.
const DAYS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Empty is no schedule, which is fine.
pub(crate) fn schedule(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    let rest = without_zone(text).ok_or_else(invalid)?;
    if let Some(descriptor) = rest.strip_prefix('@') {
        return if is_descriptor(descriptor) {
            Ok(())
        } else {
            Err(invalid())
        };
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(invalid());
    }
    let mut values = Vec::new();
    for (field, (low, high, names)) in fields.iter().zip(FIELDS) {
        values.push(self::values(field, low, high, names).ok_or_else(invalid)?);
    }
    // A day of the week always comes; a day of the month that no chosen month has, never.
    let every_weekday = matches!(fields[4], "*" | "?");
    let comes = |month: &u32| {
        let days = DAYS.get(*month as usize - 1).copied().unwrap_or(0);
        values[2].iter().any(|day| *day <= days)
    };
    if every_weekday && !values[3].iter().any(comes) {
        return Err(Error::invalid(
            "invalid CronSchedule, no time can be found to satisfy the schedule",
        ));
    }
    Ok(())
}

fn invalid() -> Error {
    Error::invalid("invalid CronSchedule.")
}

fn without_zone(text: &str) -> Option<&str> {
    let zone = text
        .strip_prefix("CRON_TZ=")
        .or_else(|| text.strip_prefix("TZ="));
    let Some(zone) = zone else {
        return Some(text);
    };
    let (zone, rest) = zone.split_once(' ')?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte);
    zone.bytes().all(known).then(|| rest.trim())
}

fn is_descriptor(text: &str) -> bool {
    match text.strip_prefix("every ") {
        Some(interval) => crate::visibility::value::duration(interval).is_some(),
        None => matches!(
            text,
            "yearly" | "annually" | "monthly" | "weekly" | "daily" | "midnight" | "hourly"
        ),
    }
}

/// The values that a field stands for: parts behind commas, each a range with an optional step.
fn values(field: &str, low: u32, high: u32, names: &[&str]) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let stepped = part.contains('/');
        let (from, to) = if matches!(range, "*" | "?") {
            (low, high)
        } else {
            let (from, to) = range.split_once('-').unwrap_or((range, ""));
            let from = value(from, low, names)?;
            let to = match to {
                "" if range.contains('-') => return None,
                "" if stepped => high,
                "" => from,
                to => value(to, low, names)?,
            };
            (from, to)
        };
        if from < low || to > high || from > to {
            return None;
        }
        all.extend((from..=to).step_by(step as usize));
    }
    Some(all)
}

fn value(text: &str, low: u32, names: &[&str]) -> Option<u32> {
    let name = text.to_ascii_lowercase();
    if let Some(at) = names.iter().position(|known| *known == name) {
        return u32::try_from(at).ok().map(|at| at + low);
    }
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_told_from_nonsense() {
        for good in [
            "",
            "* * * * *",
            "@every 1h",
            "@every 10ms",
            "@daily",
            "0 12 * * mon-fri",
            "*/5 1,2 1-10/3 jan *",
            "CRON_TZ=Europe/Berlin 0 0 * * *",
            "0 0 29 2 *",
            "0 0 31 2 mon",
            "5/10 * ? * *",
        ] {
            assert!(schedule(good).is_ok(), "{good}");
        }
        for bad in [
            "foo",
            "* * * * * *",
            "61 * * * *",
            "*/0 * * * *",
            "@every",
            "@every x",
            "@often",
            "1-0 * * * *",
            "a * * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "CRON_TZ=UTC",
            ", * * * *",
            "-1 * * * *",
            "99999999999 * * * *",
        ] {
            let refusal = schedule(bad).map_err(|error| error.to_string());
            assert_eq!(refusal, Err("invalid CronSchedule.".to_owned()), "{bad}");
        }
        let never = schedule("0 0 30 2 *").map_err(|error| error.to_string());
        assert_eq!(
            never,
            Err("invalid CronSchedule, no time can be found to satisfy the schedule".to_owned())
        );
    }
}
