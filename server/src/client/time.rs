//! Points in time for people: `3 seconds ago`, or exactly.

use std::time::SystemTime;

use cairn_proto::prost_types::Timestamp;

/// How times are written in text output.
#[derive(Clone, Copy, Debug, Default, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    /// `3 seconds ago`.
    #[default]
    Relative,
    /// `2026-01-31T10:00:00Z`.
    Iso,
    /// As exactly as it is known.
    Raw,
}

impl Format {
    /// A time as it is seen now; nothing for one that is not set.
    pub(crate) fn shown(self, time: Option<&Timestamp>) -> String {
        let Some(time) = time else {
            return String::new();
        };
        match self {
            Self::Relative => {
                let now = SystemTime::now()
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .map_or(0, |since| {
                        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
                    });
                relative(time.seconds, now)
            }
            Self::Iso => iso(time),
            Self::Raw => time.to_string(),
        }
    }
}

/// To the second.
pub(crate) fn iso(time: &Timestamp) -> String {
    Timestamp { nanos: 0, ..*time }.to_string()
}

/// The shortest true words for a distance.
fn relative(then: i64, now: i64) -> String {
    const UNITS: [(i64, &str); 7] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (7 * 86_400, "week"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let distance = now.saturating_sub(then);
    let direction = if distance < 0 { "from now" } else { "ago" };
    let distance = distance.saturating_abs();
    match UNITS.iter().find(|(length, _)| distance >= *length) {
        None => "now".to_owned(),
        Some((length, unit)) => {
            let count = distance / length;
            let plural = if count == 1 { "" } else { "s" };
            format!("{count} {unit}{plural} {direction}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_said_in_words() {
        for (words, distance) in [
            ("now", 0),
            ("1 second ago", 1),
            ("59 seconds ago", 59),
            ("2 minutes ago", 179),
            ("1 week ago", 8 * 86_400),
            ("3 hours from now", -3 * 3_600),
        ] {
            assert_eq!(relative(1_000_000, 1_000_000 + distance), words);
        }
    }

    #[test]
    fn times_are_written_exactly() {
        let time = Timestamp {
            seconds: 1_769_853_600,
            nanos: 5_000_000,
        };
        assert_eq!(iso(&time), "2026-01-31T10:00:00Z");
        assert_eq!(Format::Raw.shown(Some(&time)), "2026-01-31T10:00:00.005Z");
        assert_eq!(Format::Raw.shown(None), "");
    }
}
