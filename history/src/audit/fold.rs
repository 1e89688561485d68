//! The fold of a log, and the snapshot that must be a part of it: I-11.

use super::Findings;
use super::Invariant::Fold;
use crate::id::Time;
use crate::kind::{Illegal, Kind};
use crate::log::{Filed, Record, Snapshot, Whole};
use crate::shard::unseal;

/// What a log folds to.
#[derive(Debug)]
pub(super) struct Folded<K: Kind> {
    pub(super) state: K::State,
    pub(super) records: u64,
    /// The state when the row was written last, if the log goes that far.
    pub(super) filed: Option<K::State>,
}

/// Folds a sound log. `None`: it does not fold.
pub(super) fn fold<K: Kind>(
    whole: &Whole,
    filed: &Filed,
    found: &mut Findings,
) -> Option<Folded<K>> {
    let written = u64::try_from(filed.row.state_transition_count).unwrap_or(0);
    let mut state = None;
    let mut then = None;
    let mut time = Time(i64::MIN);
    if let Some((snapshot, behind)) = &whole.snapshot {
        place(&whole.records, snapshot, *behind, found);
    }
    for record in &whole.records {
        state = match K::apply(state, found.run, record) {
            Ok(state) => Some(state),
            Err(Illegal(why)) => {
                found.add(Fold, format!("record {} does not fold: {why}", record.seq));
                return None;
            }
        };
        time = time.max(record.time);
        if record.seq == written {
            then.clone_from(&state);
        }
        if let Some((snapshot, _)) = &whole.snapshot
            && snapshot.seq == record.seq
            && let Some(state) = &state
        {
            content::<K>(snapshot, time, state, found);
        }
    }
    let state = state?;
    let encoded = K::encode(&state);
    if K::decode(&encoded).as_ref() != Some(&state) {
        found.add(Fold, "the state is not what its encoding says");
    }
    Some(Folded {
        state,
        records: whole.records.len() as u64,
        filed: then,
    })
}

/// Does a snapshot stand where it says, in a log without gaps?
fn place(records: &[Record], snapshot: &Snapshot, behind: i64, found: &mut Findings) {
    let (seq, last) = (snapshot.seq, records.len());
    let record = usize::try_from(seq)
        .ok()
        .and_then(|seq| records.get(seq.checked_sub(1)?));
    let Some(record) = record else {
        let what = format!("the snapshot is of record {seq}, and there are {last}");
        return found.add(Fold, what);
    };
    if snapshot.chain != record.chain {
        found.add(
            Fold,
            format!("the snapshot has another chain hash than record {seq}"),
        );
    }
    if behind != record.first_event_id {
        let first = record.first_event_id;
        let what = format!(
            "records behind the snapshot are looked for from event {behind}, not from event {first}"
        );
        found.add(Fold, what);
    }
}

/// Is a snapshot the state after its record? One of another version is no part of the truth.
fn content<K: Kind>(snapshot: &Snapshot, time: Time, state: &K::State, found: &mut Findings) {
    let seq = snapshot.seq;
    let bytes = K::encode(state);
    let Some((sealed_time, sealed)) = unseal::<K>(snapshot) else {
        // A version stands in front of the state, behind the time.
        if snapshot
            .state
            .get(8)
            .is_none_or(|version| bytes.first() == Some(version))
        {
            found.add(Fold, format!("the snapshot of record {seq} cannot be read"));
        }
        return;
    };
    // The length says whether anything stands behind the state; maps inside have no order.
    if sealed_time != time || sealed != *state || snapshot.state.len() != bytes.len() + 8 {
        let what = format!("the snapshot is not the fold of records 1 to {seq}");
        found.add(Fold, what);
    }
}
