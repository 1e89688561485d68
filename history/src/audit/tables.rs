//! What stands beside the log: I-7, I-9, I-18, and the shard of a row.

use super::Findings;
use super::Invariant::{Orphan, Owed, Row, Uniqueness};
use crate::id::Time;
use crate::kind::{Kind, Offer, found_at};
use crate::log::{Filed, Parked, Whole};

/// Rows of a run that is not there.
pub(super) fn orphans(whole: &Whole, found: &mut Findings) {
    let (records, registers) = (whole.records.len(), whole.heartbeats.len());
    if records > 0 {
        let what = format!("there is no such run, but the log has {records} records of it");
        found.add(Orphan, what);
    }
    if whole.snapshot.is_some() {
        found.add(
            Orphan,
            "there is no such run, but there is a snapshot of it",
        );
    }
    if registers > 0 {
        let what =
            format!("there is no such run, but there are {registers} heartbeat registers of it");
        found.add(Orphan, what);
    }
    let terms = whole.terms.len();
    if terms > 0 {
        let what = format!("there is no such run, but {terms} values find it");
        found.add(Orphan, what);
    }
    for (_, parked) in &whole.parked {
        let queue = &parked.queue.name;
        let what =
            format!("there is no such run, but an offer of it is parked for queue {queue:?}");
        found.add(Owed, what);
    }
}

/// An id has one open run, and finds it.
pub(super) fn uniqueness(filed: &Filed, found: &mut Findings) {
    if !filed.row.is_open() {
        return;
    }
    let id = &filed.row.workflow_id;
    if filed.rivals.is_empty() {
        let current = filed.current;
        if current != filed.row.run {
            found.add(
                Uniqueness,
                format!("it is open, and the current run of {id:?} is {current}"),
            );
        }
    }
    for rival in &filed.rivals {
        found.add(Uniqueness, format!("{id:?} has another open run, {rival}"));
    }
}

/// A row is in the shard of its id.
pub(super) fn shard(filed: &Filed, shards: u32, found: &mut Findings) {
    let due = filed.row.key().shard(shards);
    if filed.shard != due {
        let what = format!(
            "the row is in shard {}, and its id is of shard {}",
            filed.shard.0, due.0
        );
        found.add(Row, what);
    }
}

/// Whatever the state needs is found by the shard that owns the run.
pub(super) fn owed<K: Kind>(whole: &Whole, filed: &Filed, state: &K::State, found: &mut Findings) {
    let fresh = K::Volatile::default();
    let (stored, due) = (filed.wake_at, found_at::<K>(state, &fresh));
    if due.is_some_and(|due| stored.is_none_or(|stored| stored > due)) {
        let shown =
            |time: Option<Time>| time.map_or_else(|| "never".to_owned(), |time| time.0.to_string());
        let what = format!(
            "wake_at is {}, and the run needs somebody at {}",
            shown(stored),
            shown(due)
        );
        found.add(Owed, what);
    }
    for (shard, parked) in &whole.parked {
        if *shard != filed.shard {
            let (queue, shard, own) = (&parked.queue.name, shard.0, filed.shard.0);
            found.add(Owed, format!("an offer for queue {queue:?} is parked in shard {shard}, and the run is of shard {own}"));
        }
    }
    if stored == Some(HOT) {
        return;
    }
    // What becomes owed at `wake_at` or later, the wake-up finds.
    let asleep = stored.map_or(Time(i64::MAX), |stored| Time(stored.0.saturating_sub(1)));
    for offer in K::owe(state, &fresh, asleep) {
        let is_parked = whole
            .parked
            .iter()
            .any(|(_, parked)| leads_to(parked, &offer));
        if !is_parked {
            let Offer { queue, task, .. } = &offer;
            let what = format!(
                "a task for event {} is owed to queue {:?}, the run is not hot, and nothing is parked",
                task.scheduled_event_id, queue.name
            );
            found.add(Owed, what);
        }
    }
}

/// `wake_at` of a run that whoever takes its shard over looks at.
const HOT: Time = Time(0);

/// Does a look at this row find the offer? A sticky one may have been parked for the normal queue, when nobody polled its own.
fn leads_to(parked: &Parked, offer: &Offer) -> bool {
    let normal = offer.queue.sticky_of.as_ref();
    let is_normal = parked.queue.sticky_of.is_none() && Some(&parked.queue.name) == normal;
    let same =
        (parked.queue.namespace, parked.queue.work) == (offer.queue.namespace, offer.queue.work);
    (parked.queue == offer.queue || (is_normal && same))
        && (parked.priority, parked.time) == (offer.priority, offer.time)
}
