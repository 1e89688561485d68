//! The closing check: what was counted while measuring must be in the histories.
//!
//! While measuring, an operation counts when the server has acknowledged it: the answer to the completion of the last
//! workflow task, which a server may only give once it is durable. Asking for every close event would cost as much as the
//! workflow itself (`--observe` does it anyway). Afterwards visibility counts all of them and a sample of histories is read.

use std::time::{Duration, Instant};

use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use serde::Serialize;
use tokio::time::sleep;
use tonic::Code;

use super::client::Client;
use super::program::{Program, SIGNAL};

/// Visibility may lag behind.
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(250);
const SAMPLE: usize = 20;

/// What the histories say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verified {
    /// Completions that the server acknowledged.
    pub(crate) acknowledged: u64,
    /// Completed workflows in visibility; nothing if the server cannot count.
    pub(crate) counted: Option<u64>,
    /// Histories read, and how many of them were not as they must be.
    pub(crate) sampled: u64,
    pub(crate) wrong: u64,
}

impl Verified {
    /// Nothing acknowledged is missing.
    pub(crate) fn holds(&self) -> bool {
        self.wrong == 0
            && self
                .counted
                .is_none_or(|counted| counted >= self.acknowledged)
    }
}

/// Checks the completed workflows `{queue}-{number}`.
pub(crate) async fn completed(
    client: &Client,
    queue: &str,
    program: Program,
    numbers: &[u64],
) -> Verified {
    let mut verified = Verified {
        acknowledged: numbers.len() as u64,
        ..Verified::default()
    };
    for number in sample(numbers) {
        verified.sampled += 1;
        let history = client.history(&format!("{queue}-{number}")).await;
        verified.wrong += u64::from(!history.is_ok_and(|events| is_whole(&events, program)));
    }
    verified.counted = counted(client, queue, verified.acknowledged).await;
    verified
}

/// Evenly spread, first and last included.
fn sample(numbers: &[u64]) -> impl Iterator<Item = u64> {
    let step = numbers.len().div_ceil(SAMPLE).max(1);
    let last = numbers.last().filter(|_| step > 1);
    numbers.iter().step_by(step).chain(last).copied()
}

async fn counted(client: &Client, queue: &str, expected: u64) -> Option<u64> {
    let query = format!("TaskQueue = '{queue}' AND ExecutionStatus = 'Completed'");
    let began = Instant::now();
    let mut last = None;
    while began.elapsed() < PATIENCE {
        match client.count(&query).await {
            Ok(count) => last = u64::try_from(count).ok(),
            Err(status) if status.code() == Code::Unimplemented => return None,
            Err(_) => {}
        }
        if last.is_some_and(|count| count >= expected) {
            break;
        }
        sleep(AGAIN).await;
    }
    last
}

/// Ids without a gap, a completion at the end, and in between what the program does.
pub(crate) fn is_whole(events: &[HistoryEvent], program: Program) -> bool {
    let closed = events.last().is_some_and(|event| {
        matches!(
            event.attributes,
            Some(Attributes::WorkflowExecutionCompletedEventAttributes(_))
        )
    });
    let gapless = (1..).zip(events).all(|(id, event)| event.event_id == id);
    let activities = count(events, |attributes| {
        matches!(
            attributes,
            Attributes::ActivityTaskCompletedEventAttributes(_)
        )
    });
    let expected = match program {
        Program::Activities { count, .. } => u64::from(count),
        _ => 0,
    };
    closed && gapless && activities == expected
}

/// The counted signals in a history.
pub(crate) fn signals(events: &[HistoryEvent]) -> u64 {
    count(events, |attributes| match attributes {
        Attributes::WorkflowExecutionSignaledEventAttributes(signal) => {
            signal.signal_name == SIGNAL
        }
        _ => false,
    })
}

fn count(events: &[HistoryEvent], which: impl Fn(&Attributes) -> bool) -> u64 {
    let attributes = events.iter().filter_map(|event| event.attributes.as_ref());
    attributes.filter(|attributes| which(attributes)).count() as u64
}

#[cfg(test)]
mod tests {
    use cairn_proto::temporal::api::history::v1::{
        ActivityTaskCompletedEventAttributes, WorkflowExecutionCompletedEventAttributes,
    };

    use super::*;

    fn history(ids: &[i64]) -> Vec<HistoryEvent> {
        let activity = ActivityTaskCompletedEventAttributes::default();
        let done = WorkflowExecutionCompletedEventAttributes::default();
        let last = ids.len() - 1;
        let events = ids.iter().enumerate().map(|(nth, id)| HistoryEvent {
            event_id: *id,
            attributes: Some(if nth == last {
                Attributes::WorkflowExecutionCompletedEventAttributes(done.clone())
            } else {
                Attributes::ActivityTaskCompletedEventAttributes(activity.clone())
            }),
            ..Default::default()
        });
        events.collect()
    }

    #[test]
    fn a_history_with_a_gap_or_a_missing_activity_is_not_whole() {
        let program = Program::Activities {
            count: 2,
            eager: false,
        };
        assert!(is_whole(&history(&[1, 2, 3]), program));
        assert!(!is_whole(&history(&[1, 2, 4]), program));
        assert!(!is_whole(&history(&[1, 2]), program));
        assert!(!is_whole(&history(&[1, 2, 3])[..2], program));
        assert!(!is_whole(&[], Program::Noop));
    }

    #[test]
    fn a_sample_is_bounded_and_has_both_ends() {
        let numbers: Vec<u64> = (0..1000).collect();
        let sampled: Vec<u64> = sample(&numbers).collect();
        assert_eq!(sampled.len(), SAMPLE + 1);
        assert_eq!((sampled[0], sampled[SAMPLE]), (0, 999));
        assert_eq!(sample(&[7]).collect::<Vec<_>>(), [7]);
        assert_eq!(sample(&[]).count(), 0);
    }

    #[test]
    fn nothing_acknowledged_may_be_missing() {
        let verified = |counted| Verified {
            acknowledged: 5,
            counted,
            ..Verified::default()
        };
        assert!(verified(Some(5)).holds() && verified(Some(6)).holds() && verified(None).holds());
        assert!(!verified(Some(4)).holds());
    }
}
