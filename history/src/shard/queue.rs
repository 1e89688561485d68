//! Head and durable frontier: what was decided, in order, and what of it is on disk.
//!
//! Every item has a number. What leaves the shard hangs on the item it was computed behind and leaves with it. Deliberately
//! absent: what an item means; how it gets to the disk.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Output, Released};
use crate::id::{Key, RunId, Ticket};
use crate::kind::Kind;
use crate::log::Write;
use crate::planted::{Fault, planted};

/// Items that are not durable yet. The oldest has the number behind the frontier.
#[derive(Debug)]
pub(super) struct Head<K: Kind> {
    items: VecDeque<Item<K>>,
    /// The frontier: everything up to this number is durable.
    durable: u64,
    /// How many of the items are on their way to the disk.
    taken: usize,
    bytes: usize,
    reads_need_proof: bool,
}

/// Writes that stand or fall together, and who waits for them. Without writes it is a place for a proof.
#[derive(Debug)]
pub(super) struct Item<K: Kind> {
    /// `None`: nobody's, for the proof alone.
    pub(super) key: Option<Arc<Key>>,
    pub(super) writes: Vec<Write>,
    pub(super) releases: Vec<Release<K>>,
    bytes: usize,
}

/// Items on their way to the disk, with their numbers.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Vec<Write>>,
    pub(super) numbers: Vec<u64>,
    pub(super) bytes: usize,
    pub(super) through: u64,
}

/// Answers that leave together.
#[derive(Debug)]
pub(super) struct Release<K: Kind> {
    pub(super) key: Arc<Key>,
    /// The item of the id whose head they were computed from.
    pub(super) head: u64,
    pub(super) answers: Vec<(Ticket, Released<K>)>,
}

impl<K: Kind> Release<K> {
    pub(super) fn give(self, out: &mut Vec<Output<K>>) {
        let answers = self.answers.into_iter();
        out.extend(answers.map(|(ticket, released)| Output::Answer(ticket, released)));
    }
}

impl<K: Kind> Head<K> {
    pub(super) fn new(reads_need_proof: bool) -> Self {
        Self {
            items: VecDeque::new(),
            durable: 0,
            taken: 0,
            bytes: 0,
            reads_need_proof: reads_need_proof && !planted(Fault::ReadWithoutProof),
        }
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number that the next item will have.
    pub(super) fn next(&self) -> u64 {
        self.durable + self.items.len() as u64 + 1
    }

    /// Queues writes that stand or fall together; the number of their item.
    pub(super) fn push(&mut self, key: Option<&Arc<Key>>, writes: Vec<Write>) -> u64 {
        let number = self.next();
        let bytes = writes.iter().map(bytes).sum();
        self.bytes += bytes;
        self.items.push_back(Item {
            key: key.cloned(),
            writes,
            releases: Vec::new(),
            bytes,
        });
        number
    }

    /// Binds answers to the item whose writes they speak of.
    pub(super) fn bind(&mut self, number: u64, release: Release<K>) -> Result<(), Release<K>> {
        match self.item_mut(number) {
            Some(item) => {
                item.releases.push(release);
                Ok(())
            }
            None => Err(release),
        }
    }

    /// The number behind which an answer from the head `head` may leave. It is durable already only if no proof is needed.
    /// With proofs it is an item that no commit has begun to write: a commit that began earlier proves nothing about now.
    pub(super) fn behind(&mut self, head: u64) -> u64 {
        if !self.reads_need_proof {
            return head;
        }
        if self.taken == self.items.len() {
            self.push(None, Vec::new());
        }
        head.max(self.durable + self.taken as u64 + 1)
    }

    /// The oldest items that are not on their way yet. Places for proofs are on their way with them, but carry nothing.
    pub(super) fn take(&mut self, items_max: usize, bytes_max: usize) -> Option<Batch> {
        let begin = self.taken;
        let mut batch = Batch::default();
        while let Some(item) = self.items.get(self.taken) {
            let full = batch.items.len() >= items_max || batch.bytes + item.bytes > bytes_max;
            if self.taken > begin && full {
                break;
            }
            batch.bytes += item.bytes;
            self.taken += 1;
            if !item.writes.is_empty() {
                batch.numbers.push(self.durable + self.taken as u64);
                batch.items.push(item.writes.clone());
            }
        }
        batch.through = self.durable + self.taken as u64;
        (self.taken > begin).then_some(batch)
    }

    /// Is there anything that was not taken?
    pub(super) fn waits(&self) -> bool {
        self.taken < self.items.len()
    }

    /// Moves the frontier by one item if that is at or before `through`.
    pub(super) fn commit(&mut self, through: u64) -> Option<(u64, Item<K>)> {
        if self.durable >= through || self.taken == 0 {
            return None;
        }
        let item = self.items.pop_front()?;
        self.taken -= 1;
        self.durable += 1;
        self.bytes -= item.bytes;
        Some((self.durable, item))
    }

    pub(super) fn rolled_back(&mut self) {
        self.taken = 0;
    }

    /// Strikes an item and all later ones of its id. Their places stay, so that numbers do; so does what others bound to them.
    pub(super) fn strike(&mut self, number: u64) -> Option<Struck> {
        let key = self.item_mut(number)?.key.clone()?;
        let first = usize::try_from(number - self.durable - 1).ok()?;
        let mut struck = Struck {
            key: Arc::clone(&key),
            last: 0,
            runs: Vec::new(),
            deleted: Vec::new(),
            tickets: Vec::new(),
        };
        for (index, item) in self.items.iter_mut().enumerate() {
            let own = item.key.as_ref() == Some(&key);
            if index < first {
                if own {
                    struck.last = self.durable + index as u64 + 1;
                }
                continue;
            }
            if own {
                if index == first {
                    struck.runs = item.writes.iter().filter_map(run_of).collect();
                }
                struck
                    .deleted
                    .extend(item.writes.iter().filter_map(deleted));
                item.writes.clear();
                self.bytes -= std::mem::take(&mut item.bytes);
                item.key = None;
            }
            let (failed, kept) = std::mem::take(&mut item.releases)
                .into_iter()
                .partition(|release| release.key == key && release.head >= number);
            item.releases = kept;
            let tickets = failed
                .into_iter()
                .flat_map(|release: Release<K>| release.answers);
            struck.tickets.extend(tickets.map(|(ticket, _)| ticket));
        }
        Some(struck)
    }

    /// Everybody who waits for an item.
    pub(super) fn tickets(&mut self) -> Vec<Ticket> {
        let items = std::mem::take(&mut self.items);
        self.taken = 0;
        self.bytes = 0;
        items
            .into_iter()
            .flat_map(|item| item.releases)
            .flat_map(|release| release.answers)
            .map(|(ticket, _)| ticket)
            .collect()
    }

    fn item_mut(&mut self, number: u64) -> Option<&mut Item<K>> {
        let index = number.checked_sub(self.durable + 1)?;
        self.items.get_mut(usize::try_from(index).ok()?)
    }
}

/// What a refused item takes with it.
#[derive(Debug)]
pub(super) struct Struck {
    pub(super) key: Arc<Key>,
    /// The last item of the id that remains; 0 if none.
    pub(super) last: u64,
    /// The runs of the item at fault.
    pub(super) runs: Vec<RunId>,
    /// Those that were to go, and are still there.
    pub(super) deleted: Vec<RunId>,
    /// Who waited for anything that is struck.
    pub(super) tickets: Vec<Ticket>,
}

/// The run that a write adds a record to.
pub(super) fn appended(write: &Write) -> Option<RunId> {
    match write {
        Write::Append { run, .. } => Some(*run),
        Write::Checkpoint { .. }
        | Write::Unpark { .. }
        | Write::Heartbeat { .. }
        | Write::Delete { .. } => None,
    }
}

const fn deleted(write: &Write) -> Option<RunId> {
    match write {
        Write::Delete { run } => Some(*run),
        _ => None,
    }
}

fn run_of(write: &Write) -> Option<RunId> {
    match write {
        Write::Append { run, .. }
        | Write::Checkpoint { run, .. }
        | Write::Heartbeat { run, .. }
        | Write::Delete { run } => Some(*run),
        Write::Unpark { stale } => stale.first().map(|parked| parked.run),
    }
}

/// What a write weighs, roughly.
fn bytes(write: &Write) -> usize {
    const ROW: usize = 256;
    const TERM: usize = 64;
    match write {
        Write::Append {
            record, row, terms, ..
        } => {
            let row = row
                .as_ref()
                .map_or(0, |row| ROW + row.memo.len() + row.search_attributes.len());
            let terms = terms.iter().flatten();
            let terms: usize = terms.map(|term| TERM + term.value.len()).sum();
            ROW + row + terms + record.events.len() + record.changes.len()
        }
        Write::Checkpoint {
            snapshot, parked, ..
        } => {
            ROW * (1 + parked.len()) + snapshot.as_ref().map_or(0, |snapshot| snapshot.state.len())
        }
        Write::Unpark { stale } => ROW * stale.len(),
        Write::Heartbeat { heartbeat, .. } => ROW + heartbeat.details.len(),
        Write::Delete { .. } => ROW,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::id::{Epoch, NamespaceId, Time};
    use crate::kind::{Heartbeat, Queue, Work};
    use crate::log::{Parked, Record, Row, Snapshot};
    use crate::search_attribute::Term;

    #[test]
    fn a_write_weighs_what_it_has() {
        let run = RunId([1; 16]);
        let some = |length| Bytes::from(vec![0; length]);
        let parked = Parked {
            queue: Queue {
                namespace: NamespaceId([1; 16]),
                name: "q".to_owned(),
                work: Work::Workflow,
                sticky_of: None,
            },
            priority: 0,
            pass: 0,
            time: Time(0),
            run,
        };
        let append = |row| Write::Append {
            run,
            record: Record {
                seq: 1,
                epoch: Epoch(1),
                time: Time(0),
                first_event_id: 1,
                event_count: 1,
                events: some(20),
                changes: some(3),
                chain: [0; 32],
            },
            row,
            terms: None,
            wake_at: None,
        };
        let row = Row {
            memo: some(7),
            search_attributes: some(3),
            ..Row::default()
        };
        let checkpoint = |snapshot, parked| Write::Checkpoint {
            run,
            wake_at: None,
            snapshot,
            parked,
        };
        let snapshot = Snapshot {
            seq: 1,
            chain: [0; 32],
            state: some(50),
        };
        let beat = Write::Heartbeat {
            run,
            heartbeat: Heartbeat {
                scheduled_event_id: 5,
                details: some(7),
            },
        };
        let both = vec![parked.clone(), parked.clone()];
        assert_eq!(bytes(&append(None)), 256 + 23);
        assert_eq!(bytes(&append(Some(row))), 256 + 23 + 256 + 10);
        let term = |length| Term {
            attribute: [0; 16],
            value: some(length),
        };
        let mut found = append(None);
        if let Write::Append { terms, .. } = &mut found {
            *terms = Some(vec![term(1), term(8)]);
        }
        assert_eq!(bytes(&found), 256 + 23 + 2 * 64 + 9);
        assert_eq!(bytes(&checkpoint(None, Vec::new())), 256);
        assert_eq!(
            bytes(&checkpoint(Some(snapshot), both.clone())),
            3 * 256 + 50
        );
        assert_eq!(bytes(&Write::Unpark { stale: both }), 2 * 256);
        assert_eq!(bytes(&beat), 256 + 7);
        assert_eq!(bytes(&Write::Delete { run }), 256);
    }
}
