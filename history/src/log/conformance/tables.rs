//! What is written comes back, and what is deleted is gone.

use bytes::Bytes;

use super::super::{Failure, Namespace, Record, Row, Write};
use super::Place;
use super::sample::*;
use crate::id::{NamespaceId, RunId, Time};
use crate::kind::Heartbeat;

pub(super) async fn a_run_comes_back_as_it_was_written(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let records = [record(1, 1, 2), record(2, 3, 0), record(3, 3, 4)];
    let beat = Heartbeat {
        scheduled_event_id: 5,
        details: Bytes::from_static(b"half done"),
    };
    commit(
        &*store,
        epoch,
        vec![
            put(records[0].clone(), row(1, "id")),
            append(1, records[1].clone()),
            append(1, records[2].clone()),
            Write::Heartbeat {
                run: run(1),
                heartbeat: beat.clone(),
            },
        ],
    )
    .await;
    let stored = store.load(run(1)).await.unwrap().unwrap();
    assert_eq!(stored.row, row(1, "id"));
    assert_eq!(stored.snapshot, None);
    assert_eq!(stored.records, records);
    assert_eq!(stored.heartbeats, [beat]);
    assert!(store.load(run(2)).await.unwrap().is_none());
    let found = store.find(&key("id"), None).await.unwrap();
    assert_eq!(found.current, Some(row(1, "id")));
    store.ping().await.unwrap();
}

pub(super) async fn numbers_and_texts_have_no_forbidden_values(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    for (number, extreme) in [(1, i64::MIN), (2, i64::MAX), (3, 0), (4, -1)] {
        let text = format!("\0 \u{10ffff} 'quoted' \" % _ \\ {number} \0");
        let extremes = Row {
            nth: extreme.unsigned_abs().min(i64::MAX as u64),
            start_request_id: text.clone(),
            status: i32::try_from(extreme).unwrap_or(i32::MIN),
            workflow_type: text.clone(),
            task_queue: text.clone(),
            kind: u8::MAX,
            start_time: Time(extreme),
            execution_time: Time(extreme),
            close_time: Some(Time(extreme)),
            history_length: extreme,
            history_size_bytes: extreme,
            state_transition_count: extreme,
            parent: Some((text.clone(), RunId([0; 16]))),
            root: Some((String::new(), RunId([255; 16]))),
            memo: Bytes::new(),
            search_attributes: Bytes::from_static(&[0, 255, 0]),
            ..row(number, &text)
        };
        let record = Record {
            seq: extreme.unsigned_abs().min(i64::MAX as u64),
            time: Time(extreme),
            first_event_id: extreme,
            event_count: u32::MAX,
            events: Bytes::new(),
            changes: Bytes::from_static(&[0]),
            ..record(1, 1, 1)
        };
        commit(&*store, epoch, vec![put(record.clone(), extremes.clone())]).await;
        let stored = store.load(run(number)).await.unwrap().unwrap();
        assert_eq!(stored.row, extremes);
        assert_eq!(stored.records, [record]);
        let found = store.find(&key(&text), Some(&text)).await.unwrap();
        assert_eq!(found.current.as_ref(), Some(&extremes));
        assert_eq!(found.repeated, Some(extremes));
        let shortened = store.find(&key("\0 \u{10ffff}"), None).await.unwrap();
        assert_eq!(shortened.current, None);
    }
    let bare = Row {
        parent: None,
        root: None,
        workflow_id: String::new(),
        ..row(9, "")
    };
    commit(&*store, epoch, vec![start(bare.clone())]).await;
    assert_eq!(store.load(run(9)).await.unwrap().unwrap().row, bare);
}

pub(super) async fn a_large_record_comes_back(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let large = Record {
        events: vec![0xab; 5 << 20].into(),
        changes: vec![0; 3 << 20].into(),
        ..record(1, 1, 1)
    };
    commit(&*store, epoch, vec![put(large.clone(), row(1, "id"))]).await;
    assert_eq!(store.load(run(1)).await.unwrap().unwrap().records, [large]);
}

pub(super) async fn what_cannot_be_stored_is_refused(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let too_far = Row {
        nth: u64::MAX,
        ..row(1, "id")
    };
    refused(&*store, epoch, vec![start(too_far)]).await;
    refused(
        &*store,
        epoch,
        vec![start(row(1, "id")), append(1, record(u64::MAX, 3, 1))],
    )
    .await;
    refused(
        &*store,
        epoch,
        vec![start(row(1, "id")), append(1, record(1, 1, 2))],
    )
    .await;
    assert!(store.load(run(1)).await.unwrap().is_none());
}

pub(super) async fn records_behind_a_snapshot_are_loaded(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let records = [
        record(1, 1, 2),
        record(2, 3, 0),
        record(3, 3, 1),
        record(4, 4, 0),
    ];
    let mut writes = vec![put(records[0].clone(), row(1, "id"))];
    writes.extend(records[1..].iter().map(|record| append(1, record.clone())));
    commit(&*store, epoch, writes).await;
    for seq in [1, 2, 3, 4] {
        commit(&*store, epoch, vec![snapshot(1, seq)]).await;
        let stored = store.load(run(1)).await.unwrap().unwrap();
        assert_eq!(stored.snapshot.unwrap().seq, seq);
        assert_eq!(stored.records, records[usize::try_from(seq).unwrap()..]);
        assert_eq!(store.records(run(1)).await.unwrap(), records);
    }
    // In the same batch as the records it stands for.
    let later = record(6, 6, 1);
    commit(
        &*store,
        epoch,
        vec![
            append(1, record(5, 4, 2)),
            snapshot(1, 5),
            append(1, later.clone()),
        ],
    )
    .await;
    let stored = store.load(run(1)).await.unwrap().unwrap();
    assert_eq!(stored.records, [later]);
    // A checkpoint without a snapshot keeps the one before.
    commit(&*store, epoch, vec![checkpoint(1, None)]).await;
    let stored = store.load(run(1)).await.unwrap().unwrap();
    assert_eq!(stored.snapshot.unwrap().state, &b"state 5"[..]);
}

pub(super) async fn a_heartbeat_register_is_replaced_and_forgotten(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    commit(&*store, epoch, vec![start(row(1, "id"))]).await;
    let beat = |scheduled_event_id, details: &'static [u8]| Write::Heartbeat {
        run: run(1),
        heartbeat: Heartbeat {
            scheduled_event_id,
            details: Bytes::from_static(details),
        },
    };
    let read = async || {
        let stored = store.load(run(1)).await.unwrap().unwrap();
        let shown = |beat: &Heartbeat| (beat.scheduled_event_id, beat.details.to_vec());
        stored.heartbeats.iter().map(shown).collect::<Vec<_>>()
    };
    commit(
        &*store,
        epoch,
        vec![beat(7, b"a"), beat(5, b"b"), beat(7, b"c")],
    )
    .await;
    assert_eq!(read().await, [(5, b"b".to_vec()), (7, b"c".to_vec())]);
    commit(&*store, epoch, vec![beat(5, b"d"), beat(7, b"")]).await;
    assert_eq!(read().await, [(5, b"d".to_vec())]);
    commit(
        &*store,
        epoch,
        vec![beat(6, b""), beat(5, b""), beat(5, b"e")],
    )
    .await;
    assert_eq!(read().await, [(5, b"e".to_vec())]);
}

pub(super) async fn a_deleted_run_leaves_nothing(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let offer = parked(1, queue("q"), 3, 0, 0);
    let full = || {
        vec![
            start(row(1, "id")),
            append(1, record(2, 3, 1)),
            snapshot(1, 1),
            park(1, vec![offer.clone()]),
            checkpoint(1, Some(5)),
            park(1, vec![offer.clone()]),
            Write::Heartbeat {
                run: run(1),
                heartbeat: Heartbeat {
                    scheduled_event_id: 5,
                    details: Bytes::from_static(b"x"),
                },
            },
        ]
    };
    commit(&*store, epoch, full()).await;
    commit(&*store, epoch, vec![start(row(2, "other"))]).await;
    commit(&*store, epoch, vec![Write::Delete { run: run(1) }]).await;
    let gone = async || {
        assert!(store.load(run(1)).await.unwrap().is_none());
        assert_eq!(store.page(run(1), 1, 100, 100).await.unwrap(), []);
        assert_eq!(
            store
                .find(&key("id"), Some("request 1"))
                .await
                .unwrap()
                .current,
            None
        );
        assert_eq!(store.parked_queues(SHARD).await.unwrap(), []);
        assert_eq!(
            store.list(&everything(), None, 10).await.unwrap(),
            [row(2, "other")]
        );
    };
    gone().await;
    // A run of the same id that comes later finds nothing that was left behind.
    commit(&*store, epoch, vec![start(row(1, "id"))]).await;
    let stored = store.load(run(1)).await.unwrap().unwrap();
    assert_eq!((stored.snapshot, stored.heartbeats), (None, vec![]));
    assert_eq!(stored.records, [record(1, 1, 2)]);
    // All in one batch.
    let mut writes = vec![Write::Delete { run: run(1) }];
    writes.extend(full());
    writes.push(Write::Delete { run: run(1) });
    commit(&*store, epoch, writes).await;
    gone().await;
}

pub(super) async fn a_database_is_there_when_opened_again(place: &mut dyn Place) {
    let store = place.open().await;
    let (shards, epoch) = (store.shards(), own(&*store).await);
    commit(&*store, epoch, vec![start(row(1, "id")), snapshot(1, 1)]).await;
    store.close().await;
    commit(&*store, epoch, vec![append(1, record(2, 3, 1))]).await;
    drop(store);
    let store = place.open().await;
    assert_eq!(store.shards(), shards);
    let stored = store.load(run(1)).await.unwrap().unwrap();
    assert_eq!(
        (stored.row, stored.records),
        (row(1, "id"), vec![record(2, 3, 1)])
    );
    assert!(own(&*store).await > epoch);
}

pub(super) async fn a_namespace_keeps_its_id_and_a_name_its_namespace(place: &mut dyn Place) {
    let store = place.open().await;
    let namespace = |id, name: &str, record: &'static [u8]| Namespace {
        id: NamespaceId([id; 16]),
        name: name.to_owned(),
        record: Bytes::from_static(record),
    };
    let put = async |namespace, before: Option<&[u8]>| {
        let put = store.put_namespace(&namespace, before).await;
        put.map_err(|failure| matches!(failure, Failure::Refused(_)))
    };
    assert_eq!(put(namespace(1, "b\0", b"1"), None).await, Ok(true));
    assert_eq!(put(namespace(2, "a", b"2"), None).await, Ok(true));
    assert_eq!(put(namespace(1, "b\0", b"3"), Some(b"1")).await, Ok(true));
    assert_eq!(put(namespace(3, "a", b"4"), None).await, Err(true));
    let all = [namespace(2, "a", b"2"), namespace(1, "b\0", b"3")];
    assert_eq!(store.namespaces().await.unwrap(), all);
    assert_eq!(put(namespace(2, "c", b"5"), Some(b"2")).await, Ok(true));
    assert_eq!(put(namespace(3, "a", b"6"), None).await, Ok(true));
    // Of two who have read the same, the second writes nothing.
    assert_eq!(put(namespace(2, "c", b"7"), Some(b"2")).await, Ok(false));
    assert_eq!(put(namespace(2, "c", b"7"), None).await, Ok(false));
    let all = [
        namespace(3, "a", b"6"),
        namespace(1, "b\0", b"3"),
        namespace(2, "c", b"5"),
    ];
    assert_eq!(store.namespaces().await.unwrap(), all);
}

pub(super) async fn a_setting_is_what_it_was_first(place: &mut dyn Place) {
    let store = place.open().await;
    assert_eq!(store.setting("key", &[0, 1]).await.unwrap(), [0, 1]);
    assert_eq!(store.setting("key", &[2]).await.unwrap(), [0, 1]);
    assert_eq!(store.setting("key\0", &[]).await.unwrap(), [0; 0]);
    drop(store);
    let store = place.open().await;
    assert_eq!(store.setting("key", &[3]).await.unwrap(), [0, 1]);
}
