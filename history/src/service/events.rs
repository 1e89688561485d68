//! Reading: what a shard wants from the store, and events put together from memory and log.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};
use tonic::Status;

use crate::execution::Workflow;
use crate::id::{RunId, ShardId};
use crate::log::{Fragment, ReadError, Snapshot, Store, Stored};
use crate::shard::{Load, Loaded, Slice};

/// The most fragments (transitions) of one page; the reference counts the same way.
pub(super) const PAGE_FRAGMENTS_MAX: usize = 256;
/// The most bytes of events that one answer carries, well under the message limit.
pub(super) const PAGE_BYTES_MAX: usize = 2 << 20;

/// Does a load; its number goes back to the shard with what was found.
pub(super) fn load(
    store: Arc<dyn Store>,
    shard: ShardId,
    load: Load,
) -> (u64, impl Future<Output = Loaded> + Send + 'static) {
    let number = match &load {
        Load::Id { load, .. }
        | Load::Events { load, .. }
        | Load::WakeUps { load, .. }
        | Load::Parked { load, .. }
        | Load::Run { load, .. } => *load,
    };
    (number, async move {
        read(&*store, shard, load)
            .await
            .unwrap_or_else(Loaded::Failed)
    })
}

async fn read(store: &dyn Store, shard: ShardId, load: Load) -> Result<Loaded, ReadError> {
    Ok(match load {
        Load::Id {
            key,
            run,
            start_request_id,
            ..
        } => {
            let found = store.find(&key, start_request_id.as_deref()).await?;
            let wanted = run.or_else(|| found.current.as_ref().map(|row| row.run));
            let stored = match wanted {
                Some(run) => run_of(store, run).await?,
                None => None,
            };
            Loaded::Id { found, stored }
        }
        Load::Events { run, ids, .. } => {
            let mut events = Vec::with_capacity(ids.len());
            for id in ids {
                events.extend(stored(store, run, id..id + 1, 1).await?.0);
            }
            Loaded::Events(events)
        }
        Load::WakeUps {
            horizon,
            after,
            limit,
            ..
        } => Loaded::WakeUps(store.wake_ups(shard, horizon, after, limit).await?),
        Load::Parked {
            queue,
            after,
            limit,
            ..
        } => Loaded::Parked(store.parked(shard, &queue, after.as_ref(), limit).await?),
        Load::Run { run, .. } => Loaded::Run(run_of(store, run).await?),
    })
}

/// A run with what is needed to fold it: every record if its snapshot is one that another version wrote.
async fn run_of(store: &dyn Store, run: RunId) -> Result<Option<Box<Stored>>, ReadError> {
    let Some(mut stored) = store.load(run).await? else {
        return Ok(None);
    };
    if stored.snapshot.as_ref().is_some_and(|it| !is_readable(it)) {
        stored.snapshot = None;
        stored.records = store.records(run).await?;
    }
    Ok(Some(Box::new(stored)))
}

fn is_readable(snapshot: &Snapshot) -> bool {
    crate::shard::is_readable::<Workflow>(snapshot)
}

/// Events of a run from the log, as many as fit one page, and the id behind the last of them if the range goes on.
pub(super) async fn stored(
    store: &dyn Store,
    run: RunId,
    range: Range<i64>,
    fragments_max: usize,
) -> Result<(Vec<HistoryEvent>, Option<i64>), ReadError> {
    let (events, rest, _) = counted(store, run, range, fragments_max).await?;
    Ok((events, rest))
}

/// The same, and how many fragments that were.
async fn counted(
    store: &dyn Store,
    run: RunId,
    range: Range<i64>,
    fragments_max: usize,
) -> Result<(Vec<HistoryEvent>, Option<i64>, usize), ReadError> {
    let mut events: Vec<HistoryEvent> = Vec::new();
    let mut next = range.start;
    let (mut fragments, mut bytes) = (0, 0);
    while next < range.end && fragments < fragments_max && bytes < PAGE_BYTES_MAX {
        let page = store
            .page(run, next, range.end, fragments_max - fragments)
            .await?;
        if page.is_empty() {
            break;
        }
        for fragment in page {
            fragments += 1;
            bytes += fragment.events.len();
            next = fragment.first_event_id + i64::from(fragment.event_count);
            events.extend(
                decode(&fragment)?
                    .into_iter()
                    .filter(|event| range.contains(&event.event_id)),
            );
        }
    }
    Ok((events, (next < range.end).then_some(next), fragments))
}

/// The newest events below `below`, newest first, as many as fit one page, and the id to go on below.
pub(super) async fn stored_reverse(
    store: &dyn Store,
    run: RunId,
    below: i64,
    limit: usize,
) -> Result<(Vec<HistoryEvent>, Option<i64>), ReadError> {
    let mut events = Vec::new();
    let mut end = below;
    for fragment in store.page_reverse(run, below, limit).await? {
        end = fragment.first_event_id;
        events.extend(
            decode(&fragment)?
                .into_iter()
                .rev()
                .filter(|event| event.event_id < below),
        );
    }
    Ok((events, (end > 1 && end < below).then_some(end)))
}

/// Everything a slice stands for; what does not fit one page is named by its first id.
pub(super) async fn assemble(
    store: &dyn Store,
    slice: Slice,
) -> Result<(Vec<HistoryEvent>, Option<i64>), Status> {
    let (mut events, mut fragments) = (Vec::new(), 0);
    if let Some(missing) = slice.missing {
        let read = counted(store, slice.run, missing, PAGE_FRAGMENTS_MAX).await;
        let (read, rest, count) = read.map_err(unreadable)?;
        if rest.is_some() {
            return Ok((read, rest));
        }
        (events, fragments) = (read, count);
    }
    for fragment in slice.fragments {
        let next = events.last().map(|event| event.event_id + 1);
        if fragments >= PAGE_FRAGMENTS_MAX && next.is_some() {
            return Ok((events, next));
        }
        events.extend(decode_bytes(fragment).map_err(unreadable)?);
        fragments += 1;
    }
    Ok((events, None))
}

fn decode(fragment: &Fragment) -> Result<Vec<HistoryEvent>, ReadError> {
    decode_bytes(fragment.events.clone())
}

fn decode_bytes(bytes: Bytes) -> Result<Vec<HistoryEvent>, ReadError> {
    match History::decode(bytes) {
        Ok(history) => Ok(history.events),
        Err(error) => Err(ReadError::Corrupt(format!(
            "a fragment of a history: {error}"
        ))),
    }
}

/// The one mapping of failed reads to what a caller is told.
pub(super) fn unreadable(error: ReadError) -> Status {
    match &error {
        ReadError::Unavailable(cause) => tracing::warn!(error = %cause, "store unavailable"),
        ReadError::Corrupt(what) => tracing::error!(what, "stored bytes are damaged"),
    }
    match error {
        ReadError::Unavailable(_) => Status::unavailable("the store is unavailable"),
        ReadError::Corrupt(what) => Status::data_loss(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::sample::{self, commit};
    use crate::log::model::Model;

    #[tokio::test]
    async fn a_page_from_memory_is_no_longer_than_one_from_the_log() {
        let fragment = |event_id| {
            let event = HistoryEvent {
                event_id,
                ..HistoryEvent::default()
            };
            let events = vec![event];
            Bytes::from(History { events }.encode_to_vec())
        };
        for (count, rest) in [(256, None), (257, Some(257)), (300, Some(257))] {
            let slice = Slice {
                run: sample::run(1),
                missing: None,
                fragments: (1..=count).map(fragment).collect(),
            };
            let (events, next) = assemble(&Model::new(), slice).await.unwrap();
            assert_eq!((events.len(), next), (256, rest), "{count}");
        }
    }

    #[tokio::test]
    async fn behind_a_snapshot_of_another_version_every_record_is_read() {
        let store = Model::new();
        let epoch = sample::own(&store).await;
        let begin = sample::start(sample::row(1, "id"));
        commit(&store, epoch, vec![begin, sample::snapshot(1, 1)]).await;
        let later = sample::append(1, sample::record(2, 3, 1));
        commit(&store, epoch, vec![later]).await;
        let read = store.load(sample::run(1)).await.unwrap().unwrap();
        assert_eq!((read.snapshot.is_some(), read.records.len()), (true, 1));
        let read = run_of(&store, sample::run(1)).await.unwrap().unwrap();
        assert_eq!((read.snapshot.is_some(), read.records.len()), (false, 2));
    }
}
