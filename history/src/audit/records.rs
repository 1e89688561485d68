//! The log by itself, and how it ends: I-2, I-3, I-4, I-10.

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::enums::v1::{EventType, WorkflowExecutionStatus as Status};
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};

use super::Findings;
use super::Invariant::{Chain, Close, Contiguity, Fencing};
use crate::log::{Filed, Record};

/// What a sound log says of its end.
#[derive(Debug, Default)]
pub(super) struct Log {
    closes: Vec<Closing>,
    last_event_id: i64,
}

/// An event that closes a run.
#[derive(Debug)]
struct Closing {
    event_id: i64,
    status: Status,
}

/// Where a reader of the log stands.
#[derive(Debug)]
struct Place {
    seq: u64,
    /// `None`: what said so was overwritten.
    next_event_id: Option<i64>,
    chain: [u8; 32],
}

/// Are records and events 1..n, each chained to the one before? `None`: they are not, so nothing can be derived from them.
pub(super) fn contiguity(records: &[Record], found: &mut Findings) -> Option<Log> {
    let before = found.violations.len();
    let mut log = Log::default();
    let mut place = Place {
        seq: 0,
        next_event_id: Some(1),
        chain: [0; 32],
    };
    if records.is_empty() {
        found.add(Contiguity, "there is no record");
    }
    for record in records {
        place = Place {
            next_event_id: step(&place, record, &mut log, found),
            seq: record.seq,
            chain: record.chain,
        };
    }
    log.last_event_id = place.next_event_id.map_or(0, |next| next - 1);
    (found.violations.len() == before).then_some(log)
}

/// Judges a record, and tells which event id comes behind it.
fn step(place: &Place, record: &Record, log: &mut Log, found: &mut Findings) -> Option<i64> {
    let (seq, before, first) = (record.seq, place.seq, record.first_event_id);
    let count = i64::from(record.event_count);
    let next = first.checked_add(count);
    if seq != before + 1 {
        // What it was chained to is not here.
        let last = place.next_event_id.map_or(0, |next| next - 1);
        let what =
            format!("record {seq} follows record {before}, event {first} follows event {last}");
        found.add(Contiguity, what);
        return next;
    }
    if record.chain != record.chained(&place.chain) {
        let what = format!("record {seq} is not what was chained to record {before}");
        found.add(Chain, what);
        return None;
    }
    if let Some(due) = place.next_event_id.filter(|due| *due != first) {
        let what = format!("event {first} of record {seq} follows event {}", due - 1);
        found.add(Contiguity, what);
        return next;
    }
    match History::decode(record.events.clone()) {
        Ok(history) => events(record, &history.events, log, found),
        Err(_) => found.add(
            Contiguity,
            format!("the events of record {seq} cannot be read"),
        ),
    }
    next
}

fn events(record: &Record, events: &[HistoryEvent], log: &mut Log, found: &mut Findings) {
    let seq = record.seq;
    if events.len() as u64 != u64::from(record.event_count) {
        let (count, said) = (events.len(), record.event_count);
        found.add(
            Contiguity,
            format!("record {seq} has {count} events and says {said}"),
        );
    }
    for (due, event) in (record.first_event_id..).zip(events) {
        let (id, kind) = (event.event_id, event.event_type());
        if id != due {
            let what = format!("event {id} stands where event {due} is due, in record {seq}");
            return found.add(Contiguity, what);
        }
        if id == 1 && kind != EventType::WorkflowExecutionStarted {
            found.add(Contiguity, format!("event 1 is {}", kind.as_str_name()));
        }
        if let Some(status) = closing(kind) {
            log.closes.push(Closing {
                event_id: id,
                status,
            });
        }
    }
}

/// The status of a run that ends with this event.
fn closing(kind: EventType) -> Option<Status> {
    Some(match kind {
        EventType::WorkflowExecutionCompleted => Status::Completed,
        EventType::WorkflowExecutionFailed => Status::Failed,
        EventType::WorkflowExecutionCanceled => Status::Canceled,
        EventType::WorkflowExecutionTerminated => Status::Terminated,
        EventType::WorkflowExecutionContinuedAsNew => Status::ContinuedAsNew,
        EventType::WorkflowExecutionTimedOut => Status::TimedOut,
        _ => return None,
    })
}

/// Is there no event behind the first one that closes the run? Records without any may follow: that what it owed to others was delivered, that it is to be
/// deleted, or was reset.
pub(super) fn closes_once(log: &Log, found: &mut Findings) -> bool {
    let Some(close) = log.closes.first() else {
        return true;
    };
    let before = found.violations.len();
    let id = close.event_id;
    if let Some(again) = log.closes.get(1) {
        let again = again.event_id;
        found.add(
            Close,
            format!("event {again} closes the run again that event {id} has closed"),
        );
    } else if log.last_event_id > id {
        let next = id + 1;
        found.add(
            Close,
            format!("event {next} follows event {id}, which closes the run"),
        );
    }
    found.violations.len() == before
}

/// Does the row say the same of the close as the log?
pub(super) fn close_is_filed(filed: &Filed, log: &Log, found: &mut Findings) -> bool {
    let row = &filed.row;
    let what = match (row.is_open(), log.closes.first()) {
        (true, Some(close)) => format!(
            "the row is open, and event {} closes the run",
            close.event_id
        ),
        (false, None) => "the row is closed, and no event closes the run".to_owned(),
        (false, Some(close)) if row.status != i32::from(close.status) => format!(
            "the row has status {}, and event {} says {}",
            row.status,
            close.event_id,
            i32::from(close.status)
        ),
        (true, None) | (false, Some(_)) => return true,
    };
    found.add(Close, what);
    false
}

/// Do epochs only rise, up to that of the shard?
pub(super) fn fencing(filed: &Filed, records: &[Record], found: &mut Findings) {
    let Some(owned) = filed.epoch else {
        return found.add(Fencing, format!("there is no shard {}", filed.shard.0));
    };
    let mut before = None;
    for record in records {
        let (seq, epoch) = (record.seq, record.epoch);
        if epoch > owned {
            let what = format!(
                "record {seq} is of epoch {}, and its shard is at epoch {}",
                epoch.0, owned.0
            );
            found.add(Fencing, what);
        } else if let Some(before) = before.filter(|before| epoch < *before) {
            let crate::id::Epoch(before) = before;
            let what = format!("record {seq} is of epoch {} behind epoch {before}", epoch.0);
            found.add(Fencing, what);
        }
        before = Some(epoch);
    }
}
