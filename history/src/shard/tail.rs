//! The last events of a loaded run, as the fragments that were (or will be) stored.
//!
//! Polls nearly always want the newest events: they are spliced from here without a read. Deliberately absent: decoding, but
//! for single events that a question cannot be judged without.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Buf, Bytes};
use cairn_proto::prost::Message;
use cairn_proto::prost::encoding::decode_varint;
use cairn_proto::temporal::api::history::v1::HistoryEvent;

use super::Slice;
use crate::id::RunId;
use crate::log::Record;

/// The newest events of a run, without a gap up to its head.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

#[derive(Debug)]
struct Piece {
    first: i64,
    count: u32,
    events: Bytes,
    /// The item that makes it durable.
    number: u64,
}

impl Piece {
    fn end(&self) -> i64 {
        self.first + i64::from(self.count)
    }

    /// The part of the fragment that holds the events of a range; cut without decoding them.
    fn part(&self, range: &Range<i64>) -> Bytes {
        let skip = range.start.saturating_sub(self.first).max(0);
        let upto = range.end.min(self.end()).saturating_sub(self.first).max(0);
        if skip == 0 && upto == i64::from(self.count) {
            return self.events.clone();
        }
        let start = offset(&self.events, skip);
        let end = offset(&self.events, upto).max(start);
        self.events.slice(start..end)
    }
}

impl Tail {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the events of a record. `number`: the item that makes them durable, 0 if they are.
    pub(super) fn push(&mut self, record: &Record, number: u64) {
        if record.event_count == 0 {
            return;
        }
        self.bytes += record.events.len();
        self.pieces.push_back(Piece {
            first: record.first_event_id,
            count: record.event_count,
            events: record.events.clone(),
            number,
        });
    }

    /// Lets the oldest events go, but never one that cannot be read back yet.
    pub(super) fn trim(&mut self, bytes_max: usize, durable: u64) {
        while self.bytes > bytes_max
            && self
                .pieces
                .front()
                .is_some_and(|piece| piece.number <= durable)
            && let Some(piece) = self.pieces.pop_front()
        {
            self.bytes -= piece.events.len();
        }
    }

    /// The events of a range: what is here, and what must be read before it.
    pub(super) fn slice(&self, run: RunId, range: &Range<i64>) -> Slice {
        let held = self.pieces.front().map_or(range.end, |piece| piece.first);
        let missing = range.start..range.end.min(held);
        let fragments = self
            .pieces
            .iter()
            .filter(|piece| piece.end() > range.start && piece.first < range.end)
            .map(|piece| piece.part(range))
            .filter(|part| !part.is_empty())
            .collect();
        Slice {
            run,
            missing: (!missing.is_empty()).then_some(missing),
            fragments,
        }
    }

    /// A single event, if it is here.
    pub(super) fn event(&self, id: i64) -> Option<HistoryEvent> {
        let piece = self.pieces.iter().rev().find(|piece| piece.first <= id)?;
        if id >= piece.end() {
            return None;
        }
        let mut part = piece.part(&(id..id + 1));
        part.try_get_u8().ok()?;
        HistoryEvent::decode_length_delimited(part).ok()
    }
}

/// Events as a fragment of an encoded `History`: field 1, again and again.
pub(super) fn encode(events: &[HistoryEvent]) -> Bytes {
    let mut buffer = Vec::with_capacity(events.iter().map(|event| event.encoded_len() + 6).sum());
    for event in events {
        cairn_proto::prost::encoding::message::encode(1, event, &mut buffer);
    }
    Bytes::from(buffer)
}

/// Where the event behind `skip` others begins in a fragment; its end if there are fewer.
fn offset(fragment: &Bytes, skip: i64) -> usize {
    let mut rest = &fragment[..];
    for _ in 0..skip {
        if !rest.has_remaining() {
            break;
        }
        rest.advance(1);
        let length = decode_varint(&mut rest).map_or(usize::MAX, |length| {
            usize::try_from(length).unwrap_or(usize::MAX)
        });
        rest.advance(length.min(rest.len()));
    }
    fragment.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Epoch, Time};
    use cairn_proto::temporal::api::history::v1::History;

    fn record(first: i64, count: u32) -> Record {
        let events: Vec<HistoryEvent> = (first..first + i64::from(count))
            .map(|event_id| HistoryEvent {
                event_id,
                task_id: event_id * 1000,
                ..HistoryEvent::default()
            })
            .collect();
        Record {
            seq: 1,
            epoch: Epoch(1),
            time: Time(1),
            first_event_id: first,
            event_count: count,
            events: encode(&events),
            changes: Bytes::new(),
            chain: [0; 32],
        }
    }

    fn tail() -> Tail {
        let mut tail = Tail::default();
        tail.push(&record(5, 3), 1);
        tail.push(&record(8, 0), 2);
        tail.push(&record(8, 2), 3);
        tail
    }

    fn ids(slice: &Slice) -> Vec<i64> {
        let bytes = slice.fragments.concat();
        let history = History::decode(&bytes[..]).unwrap();
        history.events.iter().map(|event| event.event_id).collect()
    }

    #[test]
    fn a_slice_begins_and_ends_exactly_where_asked() {
        let tail = tail();
        for start in 5..=10 {
            for end in start..=10 {
                let slice = tail.slice(RunId::default(), &(start..end));
                assert_eq!(ids(&slice), (start..end).collect::<Vec<_>>());
                assert_eq!(slice.missing, None, "{start}..{end}");
            }
        }
    }

    #[test]
    fn what_is_not_held_is_missing() {
        let slice = tail().slice(RunId::default(), &(1..7));
        assert_eq!(
            (slice.missing.clone(), ids(&slice)),
            (Some(1..5), vec![5, 6])
        );
        let slice = tail().slice(RunId::default(), &(2..4));
        assert_eq!((slice.missing.clone(), ids(&slice)), (Some(2..4), vec![]));
        let slice = Tail::default().slice(RunId::default(), &(2..4));
        assert_eq!(slice.missing, Some(2..4));
    }

    #[test]
    fn only_durable_events_are_let_go() {
        let mut tail = tail();
        tail.trim(0, 2);
        assert_eq!(tail.slice(RunId::default(), &(5..10)).missing, Some(5..8));
        tail.trim(0, 3);
        assert_eq!(tail.bytes(), 0);
    }

    #[test]
    fn single_events_are_found_or_not() {
        let tail = tail();
        let found = |id| tail.event(id).map(|event| event.task_id);
        assert_eq!([found(9), found(5)], [Some(9000), Some(5000)]);
        assert_eq!([found(4), found(10)], [None, None]);
    }
}
