//! Rows of runs: one net write each, and one open run of an id.

use super::super::{Row, Write};
use super::Place;
use super::sample::*;

pub(super) async fn a_refused_batch_leaves_nothing(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let other = store.take_over(OTHER, "conformance").await.unwrap();
    commit(&*store, epoch, vec![start(row(1, "id"))]).await;
    let batches = [
        batch(OTHER, other, vec![start(row(5, "innocent"))]),
        batch(
            SHARD,
            epoch,
            vec![
                append(1, record(2, 3, 1)),
                snapshot(1, 1),
                park(1, vec![parked(1, queue("q"), 1, 1, 1)]),
                start(row(2, "id")),
            ],
        ),
    ];
    let failure = store.commit(0, &batches).await.unwrap_err();
    assert!(
        matches!(failure, super::super::Failure::Refused(_)),
        "{failure:?}"
    );
    let stored = store.load(run(1)).await.unwrap().unwrap();
    assert_eq!(
        (stored.snapshot, stored.records),
        (None, vec![record(1, 1, 2)])
    );
    assert_eq!(store.parked_queues(SHARD).await.unwrap(), []);
    assert_eq!(
        store.list(&everything(), None, 10).await.unwrap(),
        [row(1, "id")]
    );
    // The store goes on.
    let committed = store.commit(0, &batches[..1]).await.unwrap();
    assert_eq!(committed.lost, []);
}

pub(super) async fn an_id_has_one_open_run(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    commit(&*store, epoch, vec![start(row(1, "id"))]).await;
    refused(&*store, epoch, vec![start(row(2, "id"))]).await;
    refused(
        &*store,
        epoch,
        vec![start(row(2, "two")), start(row(3, "two"))],
    )
    .await;
    // A run of another kind is another thing; so is the id in another namespace.
    let kind = Row {
        kind: 2,
        ..row(2, "id")
    };
    let namespace = Row {
        namespace: crate::id::NamespaceId([1; 16]),
        ..row(3, "id")
    };
    commit(&*store, epoch, vec![start(kind), start(namespace)]).await;
    let again = Row {
        nth: 1,
        ..closed(row(4, "id"), 9)
    };
    refused(&*store, epoch, vec![start(again)]).await;
}

pub(super) async fn a_close_makes_room_for_an_open_in_the_same_batch(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    // The new run's id is smaller once and larger once.
    for (old, new) in [(5, 6), (6, 1)] {
        let nth = |number: u8, nth| Row {
            nth,
            ..row(number, "id")
        };
        let (before, after) = (
            nth(old, if old == 5 { 1 } else { 2 }),
            nth(new, if old == 5 { 2 } else { 3 }),
        );
        if old == 5 {
            commit(&*store, epoch, vec![start(before.clone())]).await;
        }
        let close = put(record(2, 3, 1), closed(before, 50));
        commit(&*store, epoch, vec![close, start(after.clone())]).await;
        let found = store.find(&key("id"), None).await.unwrap();
        assert_eq!(found.current, Some(after));
    }
}

pub(super) async fn a_run_may_come_and_go_within_a_batch(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let mut writes = Vec::new();
    for number in 1..=5 {
        writes.push(start(row(number, "id")));
        writes.push(put(
            record(2, 3, 1),
            closed(row(number, "id"), 50 + i64::from(number)),
        ));
    }
    writes.push(start(row(6, "id")));
    writes.push(Write::Delete { run: run(3) });
    commit(&*store, epoch, writes).await;
    let rows = store.list(&everything(), None, 10).await.unwrap();
    let runs: Vec<_> = rows.iter().map(|row| row.nth).collect();
    assert_eq!(runs, [6, 5, 4, 2, 1]);
    assert_eq!(store.load(run(2)).await.unwrap().unwrap().records.len(), 2);
}

pub(super) async fn the_last_write_of_a_row_wins(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let changed = |length, status| Row {
        history_length: length,
        status,
        workflow_type: format!("Type {length}"),
        task_queue: format!("queue {length}"),
        memo: format!("memo {length}").into_bytes().into(),
        parent: None,
        ..row(1, "id")
    };
    commit(
        &*store,
        epoch,
        vec![
            start(row(1, "id")),
            put(record(2, 3, 1), changed(3, 1)),
            put(record(3, 4, 1), changed(4, 1)),
        ],
    )
    .await;
    assert_eq!(
        store.load(run(1)).await.unwrap().unwrap().row,
        changed(4, 1)
    );
    let last = closed(changed(5, 3), 77);
    commit(&*store, epoch, vec![put(record(4, 5, 1), last.clone())]).await;
    assert_eq!(
        store.find(&key("id"), None).await.unwrap().current,
        Some(last)
    );
}

pub(super) async fn the_current_run_has_the_largest_nth(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    for number in [9, 2, 7] {
        let nth = u64::from(100 - number);
        let row = Row {
            nth,
            ..closed(row(number, "id"), 50)
        };
        commit(&*store, epoch, vec![start(row)]).await;
    }
    let found = store.find(&key("id"), None).await.unwrap();
    assert_eq!(found.current.unwrap().run, run(2));
    let nothing = store.find(&key("ID"), Some("request 9")).await.unwrap();
    assert_eq!((nothing.current, nothing.repeated), (None, None));
}

pub(super) async fn a_start_request_finds_the_run_it_began(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let rows = [
        closed(row(1, "id"), 50),
        closed(row(2, "id"), 60),
        row(3, "id"),
        row(4, "other"),
    ];
    commit(&*store, epoch, rows.iter().cloned().map(start).collect()).await;
    for (request, begun) in [
        ("request 1", Some(1)),
        ("request 3", Some(3)),
        ("request 4", None),
        ("", None),
    ] {
        let found = store.find(&key("id"), Some(request)).await.unwrap();
        assert_eq!(found.current.unwrap().run, run(3));
        assert_eq!(found.repeated.map(|row| row.run), begun.map(run));
    }
}
