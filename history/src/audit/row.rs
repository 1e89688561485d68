//! The row as the projection of the fold: I-14.

use bytes::Bytes;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Memo, SearchAttributes};

use super::Findings;
use super::Invariant::Row as Projection;
use super::fold::Folded;
use crate::kind::Kind;
use crate::log::{Filed, Row};
use crate::search_attribute::{Term, WORKERS};

/// Is the row what the log says?
pub(super) fn projection<K: Kind>(filed: &Filed, folded: &Folded<K>, found: &mut Findings) {
    let row = &filed.row;
    let counted = row.state_transition_count;
    let Some(then) = &folded.filed else {
        let records = folded.records;
        return found.add(
            Projection,
            format!("the row counts {counted} transitions, and there are {records} records"),
        );
    };
    let stale = differences(row, &K::row(then));
    if !stale.is_empty() {
        let columns = stale.join(", ");
        return found.add(
            Projection,
            format!("the row does not have what its log says as of record {counted}: {columns}"),
        );
    }
    let late = late(row, K::row(&folded.state));
    if !late.is_empty() {
        let (columns, last) = (late.join(", "), folded.records);
        found.add(
            Projection,
            format!("the row was written with record {counted}, and record {last} has changed: {columns}"),
        );
    }
}

/// Is the run found by what the log says, and by nothing else?
pub(super) fn terms<K: Kind>(stored: &[Term], folded: &Folded<K>, found: &mut Findings) {
    let due = K::terms(&folded.state);
    let extra = stored.iter().filter(|term| !due.contains(term)).count();
    let missing = due.iter().filter(|term| !stored.contains(term)).count();
    if extra > 0 || missing > 0 {
        let what = format!(
            "of {} values that the run has in its search attributes {missing} do not find it, and {extra} that it does not have do",
            due.len()
        );
        found.add(Projection, what);
    }
}

/// The columns in which a row is behind what the state is now, but for those that may be.
pub(crate) fn late(row: &Row, mut now: Row) -> Vec<&'static str> {
    if row.is_open() {
        // They are written with the row only.
        now.history_length = row.history_length;
        now.history_size_bytes = row.history_size_bytes;
        now.state_transition_count = row.state_transition_count;
        now.workers.clone_from(&row.workers);
        now.search_attributes = with_workers_of(&row.search_attributes, &now.search_attributes);
    }
    differences(row, &now)
}

/// Search attributes with the workers of others: a workflow task may change those without the row being written. It would cost each
/// run another write.
fn with_workers_of(others: &[u8], own: &Bytes) -> Bytes {
    let decoded = (
        SearchAttributes::decode(others),
        SearchAttributes::decode(&own[..]),
    );
    let (Ok(mut others), Ok(mut attributes)) = decoded else {
        return own.clone();
    };
    let fields = &mut attributes.indexed_fields;
    for name in WORKERS {
        fields.remove(name);
        fields.extend(others.indexed_fields.remove_entry(name));
    }
    attributes.encode_to_vec().into()
}

/// The columns in which a row is not as projected. Destructured, so that a new column is not forgotten.
fn differences(row: &Row, projected: &Row) -> Vec<&'static str> {
    let Row {
        run,
        namespace,
        workflow_id,
        kind,
        // The shard's, not the log's.
        nth: _,
        start_request_id,
        first_run,
        status,
        workflow_type,
        task_queue,
        start_time,
        execution_time,
        close_time,
        history_length,
        history_size_bytes,
        state_transition_count,
        parent,
        root,
        memo,
        search_attributes,
        workers,
    } = projected;
    let columns = [
        ("run", row.run == *run),
        ("namespace", row.namespace == *namespace),
        ("workflow_id", row.workflow_id == *workflow_id),
        ("kind", row.kind == *kind),
        (
            "start_request_id",
            row.start_request_id == *start_request_id,
        ),
        ("first_run", row.first_run == *first_run),
        ("status", row.status == *status),
        ("workflow_type", row.workflow_type == *workflow_type),
        ("task_queue", row.task_queue == *task_queue),
        ("start_time", row.start_time == *start_time),
        ("execution_time", row.execution_time == *execution_time),
        ("close_time", row.close_time == *close_time),
        ("history_length", row.history_length == *history_length),
        (
            "history_size_bytes",
            row.history_size_bytes == *history_size_bytes,
        ),
        (
            "state_transition_count",
            row.state_transition_count == *state_transition_count,
        ),
        ("parent", row.parent == *parent),
        ("root", row.root == *root),
        ("memo", same::<Memo>(&row.memo, memo)),
        ("workers", row.workers == *workers),
        (
            "search_attributes",
            same::<SearchAttributes>(&row.search_attributes, search_attributes),
        ),
    ];
    let differs = columns.into_iter().filter(|(_, equal)| !equal);
    differs.map(|(name, _)| name).collect()
}

/// Are two encoded messages equal? Their maps have no order.
fn same<M: Message + Default + PartialEq>(one: &[u8], other: &[u8]) -> bool {
    one == other
        || match (M::decode(one), M::decode(other)) {
            (Ok(decoded), Ok(same)) => decoded == same && one.len() == other.len(),
            _ => false,
        }
}
