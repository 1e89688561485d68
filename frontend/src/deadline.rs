//! How long a caller is willing to wait, and until when a long poll is held.

use std::time::Duration;

use cairn_history::id::Time;
use cairn_proto::prost_types::Timestamp;
use tonic::metadata::MetadataMap;

use crate::error::Error;

/// How long a poll of a task queue is held.
const TASK_POLL: Duration = Duration::from_mins(1);
/// How long a wait for a new event is held.
const HISTORY_WAIT: Duration = Duration::from_secs(20);
/// How long a query waits for a worker if its caller sets no limit.
const QUERY: Duration = Duration::from_secs(30);
/// A shorter poll is a mistake: it would be over before it has begun.
const SHORTEST_POLL: Duration = Duration::from_secs(2);
/// What is left of the caller's time for the answer's way back.
const TAIL: Duration = Duration::from_secs(1);
const QUERY_TAIL: Duration = Duration::from_millis(100);

/// Until when the caller waits, as its metadata says.
pub(crate) fn of(metadata: &MetadataMap, now: Time) -> Option<Time> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    Some(now.after(timeout(text)?))
}

/// `TimeoutValue TimeoutUnit` of the gRPC protocol: at most eight digits and a letter.
fn timeout(text: &str) -> Option<Duration> {
    let unit_at = text.len().checked_sub(1)?;
    let (digits, unit) = text.split_at_checked(unit_at)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit())
    {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

/// A poll of a task queue must say how long it waits, and wait long enough.
pub(crate) fn check_poll(deadline: Option<Time>, now: Time) -> Result<(), Error> {
    let deadline = deadline.ok_or_else(|| Error::invalid("Context timeout is not set."))?;
    if deadline.since(now) < SHORTEST_POLL {
        return Err(Error::Precondition("Context timeout is too short."));
    }
    Ok(())
}

/// Until when a poll of a task queue is held.
pub(crate) fn task_poll(deadline: Option<Time>, now: Time) -> Time {
    held(deadline, now, TASK_POLL, TAIL)
}

/// Until when a wait for a new event is held.
pub(crate) fn history_wait(deadline: Option<Time>, now: Time) -> Time {
    held(deadline, now, HISTORY_WAIT, TAIL)
}

/// Until when a query looks for a worker.
pub(crate) fn query(deadline: Option<Time>, now: Time) -> Time {
    match deadline {
        Some(deadline) => Time(deadline.0.saturating_sub(nanos(QUERY_TAIL))),
        None => now.after(QUERY),
    }
}

fn held(deadline: Option<Time>, now: Time, longest: Duration, tail: Duration) -> Time {
    let longest = now.after(longest);
    deadline.map_or(longest, |deadline| {
        longest.min(Time(deadline.0.saturating_sub(nanos(tail))))
    })
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A moment as protobuf writes it.
pub(crate) fn timestamp(time: Time) -> Timestamp {
    const SECOND: i64 = 1_000_000_000;
    Timestamp {
        seconds: time.0.div_euclid(SECOND),
        nanos: i32::try_from(time.0.rem_euclid(SECOND)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read() {
        assert_eq!(timeout("70S"), Some(Duration::from_secs(70)));
        assert_eq!(timeout("99999999H"), Some(Duration::from_hours(99_999_999)));
        assert_eq!(
            timeout("69999995u"),
            Some(Duration::from_micros(69_999_995))
        );
        for bad in ["", "S", "5", "-5S", "5s", "123456789S", "5ä", "1.5S"] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_poll_ends_before_its_caller_does() {
        let now = Time(0);
        let in_seconds = |seconds| now.after(Duration::from_secs(seconds));
        assert_eq!(task_poll(Some(in_seconds(70)), now), in_seconds(60));
        assert_eq!(task_poll(Some(in_seconds(10)), now), in_seconds(9));
        assert_eq!(history_wait(None, now), in_seconds(20));
        assert!(check_poll(Some(in_seconds(2)), now).is_ok());
        assert!(check_poll(Some(in_seconds(1)), now).is_err());
        assert!(check_poll(None, now).is_err());
    }

    #[test]
    fn moments_before_the_epoch_have_positive_nanos() {
        assert_eq!(
            timestamp(Time(-1)),
            Timestamp {
                seconds: -1,
                nanos: 999_999_999
            }
        );
    }
}
