//! Where a shard finds what needs it: wake-ups and parked offers.

use super::super::{Parked, Store, Write};
use super::Place;
use super::sample::*;
use crate::id::{RunId, Time};
use crate::kind::{Queue, Work};

async fn wakes(store: &dyn Store, horizon: i64) -> Vec<(i64, RunId)> {
    let due = store
        .wake_ups(SHARD, Time(horizon), None, 100)
        .await
        .unwrap();
    due.iter().map(|wake| (wake.time.0, wake.run)).collect()
}

pub(super) async fn runs_wake_up_in_order(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let times = [
        (1, 30),
        (2, 10),
        (3, 20),
        (4, 20),
        (5, i64::MIN),
        (6, i64::MAX),
    ];
    let mut writes = Vec::new();
    for (number, at) in times {
        writes.push(start(row(number, &format!("id {number}\0"))));
        writes.push(checkpoint(number, Some(at)));
    }
    writes.push(start(row(7, "asleep")));
    writes.push(checkpoint(7, None));
    commit(&*store, epoch, writes).await;
    let other = store.take_over(OTHER, "conformance").await.unwrap();
    store
        .commit(0, &[batch(OTHER, other, vec![start(row(8, "elsewhere"))])])
        .await
        .unwrap();

    let all = [
        (i64::MIN, run(5)),
        (10, run(2)),
        (20, run(3)),
        (20, run(4)),
        (30, run(1)),
        (i64::MAX, run(6)),
    ];
    assert_eq!(wakes(&*store, i64::MAX).await, all);
    assert_eq!(wakes(&*store, 20).await, all[..4]);
    assert_eq!(wakes(&*store, 19).await, all[..2]);
    // One after the other, each page behind the one before.
    let (mut after, mut seen) = (None, Vec::new());
    while let Some(wake) = store
        .wake_ups(SHARD, Time(i64::MAX), after, 1)
        .await
        .unwrap()
        .pop()
    {
        assert_eq!(wake.namespace, NAMESPACE);
        assert!(wake.workflow_id.starts_with("id ") && wake.workflow_id.ends_with('\0'));
        seen.push((wake.time.0, wake.run));
        after = Some((wake.time, wake.run));
    }
    assert_eq!(seen, all);
}

pub(super) async fn a_checkpoint_decides_when_a_run_wakes(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    // A row is hot while open.
    commit(&*store, epoch, vec![start(row(1, "id"))]).await;
    assert_eq!(wakes(&*store, i64::MAX).await, [(0, run(1))]);
    // A transition without a row leaves it so.
    commit(&*store, epoch, vec![append(1, record(2, 3, 1))]).await;
    assert_eq!(wakes(&*store, i64::MAX).await, [(0, run(1))]);
    commit(&*store, epoch, vec![checkpoint(1, Some(50))]).await;
    commit(&*store, epoch, vec![append(1, record(3, 4, 1))]).await;
    assert_eq!(wakes(&*store, i64::MAX).await, [(50, run(1))]);
    // The first transition behind a checkpoint says what it becomes; within a batch the last word counts.
    let hot = |seq, wake_at| Write::Append {
        run: run(1),
        record: record(seq, 5, 0),
        row: None,
        terms: None,
        wake_at: Some(Time(wake_at)),
    };
    commit(
        &*store,
        epoch,
        vec![hot(4, 0), checkpoint(1, Some(60)), hot(5, 7)],
    )
    .await;
    assert_eq!(wakes(&*store, i64::MAX).await, [(7, run(1))]);
    commit(&*store, epoch, vec![hot(6, 0), checkpoint(1, None)]).await;
    assert_eq!(wakes(&*store, i64::MAX).await, []);
    commit(&*store, epoch, vec![put(record(7, 5, 0), row(1, "id"))]).await;
    assert_eq!(wakes(&*store, i64::MAX).await, [(0, run(1))]);
    // A closed run is hot only if somebody says so.
    commit(
        &*store,
        epoch,
        vec![put(record(8, 5, 1), closed(row(1, "id"), 9))],
    )
    .await;
    assert_eq!(wakes(&*store, i64::MAX).await, []);
    let owing = Write::Append {
        run: run(1),
        record: record(9, 6, 0),
        row: Some(closed(row(1, "id"), 9)),
        terms: None,
        wake_at: Some(Time(3)),
    };
    commit(&*store, epoch, vec![owing]).await;
    assert_eq!(wakes(&*store, i64::MAX).await, [(3, run(1))]);
}

fn queues() -> Vec<Queue> {
    let plain = queue("a");
    let sticky = |of: &str| Queue {
        sticky_of: Some(of.to_owned()),
        ..plain.clone()
    };
    let activity = Queue {
        work: Work::Activity,
        ..plain.clone()
    };
    let mut all = vec![
        queue("a\0"),
        queue("b"),
        sticky(""),
        sticky("b"),
        activity,
        plain.clone(),
    ];
    all.sort();
    all
}

pub(super) async fn parked_offers_come_in_order(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let mut expected = Vec::new();
    for (number, queue) in (1..).zip(queues()) {
        let mut offers = Vec::new();
        for (priority, pass, time) in [
            (1, i64::MIN, 5),
            (1, 0, 9),
            (1, 0, 3),
            (5, -1, 0),
            (0, i64::MAX, i64::MIN),
            (255, 0, i64::MAX),
        ] {
            offers.push(parked(number, queue.clone(), priority, pass, time));
        }
        commit(
            &*store,
            epoch,
            vec![
                start(row(number, &number.to_string())),
                park(number, offers.clone()),
            ],
        )
        .await;
        let since = offers.iter().map(|offer| offer.time).min().unwrap();
        expected.push((queue.clone(), 6, since));
        offers.sort();
        assert_eq!(
            store.parked(SHARD, &queue, None, 100).await.unwrap(),
            offers
        );
        let (mut after, mut seen): (Option<Parked>, _) = (None, Vec::new());
        while let Some(next) = store
            .parked(SHARD, &queue, after.as_ref(), 1)
            .await
            .unwrap()
            .pop()
        {
            seen.push(next.clone());
            after = Some(next);
        }
        assert_eq!(seen, offers);
        assert_eq!(store.parked(OTHER, &queue, None, 100).await.unwrap(), []);
    }
    assert_eq!(store.parked_queues(SHARD).await.unwrap(), expected);
    assert_eq!(store.parked_queues(OTHER).await.unwrap(), []);
}

pub(super) async fn a_checkpoint_replaces_what_was_parked(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let offer = |number, time| parked(number, queue("q"), 3, 0, time);
    let read = async || {
        let offers = store.parked(SHARD, &queue("q"), None, 100).await.unwrap();
        offers
            .iter()
            .map(|offer| (offer.run, offer.time.0))
            .collect::<Vec<_>>()
    };
    let unpark = |stale| Write::Unpark { stale };
    commit(
        &*store,
        epoch,
        vec![
            start(row(1, "1")),
            start(row(2, "2")),
            park(1, vec![offer(1, 1), offer(1, 2)]),
            park(2, vec![offer(2, 1)]),
        ],
    )
    .await;
    commit(
        &*store,
        epoch,
        vec![park(1, vec![offer(1, 3), offer(1, 2), offer(1, 2)])],
    )
    .await;
    assert_eq!(read().await, [(run(2), 1), (run(1), 2), (run(1), 3)]);
    commit(
        &*store,
        epoch,
        vec![unpark(vec![offer(1, 2), offer(1, 77)])],
    )
    .await;
    assert_eq!(read().await, [(run(2), 1), (run(1), 3)]);
    // Within a batch, too, what comes later counts.
    commit(
        &*store,
        epoch,
        vec![
            unpark(vec![offer(1, 3)]),
            park(1, vec![offer(1, 3)]),
            park(2, vec![offer(2, 5), offer(2, 6)]),
            unpark(vec![offer(2, 5)]),
        ],
    )
    .await;
    assert_eq!(read().await, [(run(1), 3), (run(2), 6)]);
    commit(&*store, epoch, vec![park(1, vec![]), checkpoint(2, None)]).await;
    assert_eq!(read().await, []);
}
