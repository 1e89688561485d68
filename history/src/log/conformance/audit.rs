//! What the auditor reads is everything, and in order.

use bytes::Bytes;

use super::super::{Store, Whole, Write};
use super::Place;
use super::sample::*;
use crate::id::{RunId, Time};
use crate::kind::Heartbeat;

fn beat(number: u8) -> Write {
    Write::Heartbeat {
        run: run(number),
        heartbeat: Heartbeat {
            scheduled_event_id: 5,
            details: Bytes::from_static(b"half done"),
        },
    }
}

pub(super) async fn everything_of_a_run_is_there_at_once(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let records = [record(1, 1, 2), record(2, 3, 0), record(3, 3, 1)];
    let offers = [
        parked(1, queue("a"), 1, 0, 7),
        parked(1, queue("b"), 3, 2, 5),
    ];
    let mut writes = vec![put(records[0].clone(), row(1, "id"))];
    writes.extend(records[1..].iter().map(|record| append(1, record.clone())));
    writes.extend([snapshot(1, 2), park(1, offers.to_vec()), beat(1)]);
    commit(&*store, epoch, writes).await;
    let whole = store.whole(run(1)).await.unwrap();
    let filed = whole.filed.unwrap();
    assert_eq!((filed.row, filed.shard), (row(1, "id"), SHARD));
    assert_eq!((filed.wake_at, filed.epoch), (None, Some(epoch)));
    assert_eq!((filed.current, filed.rivals), (run(1), vec![]));
    assert_eq!(whole.records, records);
    let (snapshot, behind) = whole.snapshot.unwrap();
    assert_eq!((snapshot.seq, behind), (2, 3));
    assert_eq!(whole.heartbeats.len(), 1);
    assert_eq!(whole.parked, offers.map(|offer| (SHARD, offer)));
    // The next takeover and the next run of the id show.
    let epoch = own(&*store).await;
    let next = [
        put(record(4, 4, 1), closed(row(1, "id"), 9)),
        start(row(2, "id")),
        Write::Checkpoint {
            run: run(2),
            wake_at: Some(Time(12)),
            snapshot: None,
            parked: Vec::new(),
        },
    ];
    commit(&*store, epoch, next.to_vec()).await;
    let filed = store.whole(run(1)).await.unwrap().filed.unwrap();
    assert_eq!((filed.current, filed.epoch), (run(2), Some(epoch)));
    assert_eq!(filed.rivals, [run(2)]);
    let filed = store.whole(run(2)).await.unwrap().filed.unwrap();
    assert_eq!((filed.current, filed.rivals), (run(2), vec![]));
    assert_eq!(filed.wake_at, Some(Time(12)));
}

async fn named(store: &dyn Store) -> Vec<RunId> {
    let mut runs = Vec::new();
    while let Some(run) = store.next_run(runs.last().copied()).await.unwrap() {
        runs.push(run);
    }
    runs
}

pub(super) async fn a_run_is_found_in_whatever_table_names_it(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    assert_eq!(named(&*store).await, []);
    assert_eq!(store.whole(run(9)).await.unwrap(), Whole::default());
    let writes = vec![
        start(row(3, "id")),
        append(5, record(1, 1, 1)),
        append(5, record(2, 2, 1)),
        snapshot(1, 1),
        beat(4),
        park(2, vec![parked(2, queue("a"), 1, 0, 0)]),
    ];
    commit(&*store, epoch, writes).await;
    assert_eq!(
        named(&*store).await,
        [run(1), run(2), run(3), run(4), run(5)]
    );
    for number in [1, 2, 4, 5] {
        assert_eq!(store.whole(run(number)).await.unwrap().filed, None);
    }
    commit(&*store, epoch, vec![Write::Delete { run: run(4) }]).await;
    assert_eq!(store.next_run(Some(run(3))).await.unwrap(), Some(run(5)));
    assert_eq!(store.next_run(Some(run(5))).await.unwrap(), None);
}
