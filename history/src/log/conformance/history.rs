//! Pages of a history are ranges of the log.

use super::super::{Fragment, PAGE_BYTES, Record, Store, Write};
use super::Place;
use super::sample::*;

/// Events 1–2, nothing, 3–6, nothing, 7, 8–10, nothing; and other runs around it.
async fn written(place: &mut dyn Place) -> Box<dyn Store> {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let mut writes: Vec<Write> = vec![
        start(row(1, "before")),
        start(row(3, "behind")),
        start(row(2, "id")),
    ];
    for (seq, first, count) in [
        (2, 3, 0),
        (3, 3, 4),
        (4, 7, 0),
        (5, 7, 1),
        (6, 8, 3),
        (7, 11, 0),
    ] {
        writes.push(append(2, record(seq, first, count)));
    }
    commit(&*store, epoch, writes).await;
    store
}

fn firsts(page: &[Fragment]) -> Vec<(i64, u32)> {
    page.iter()
        .map(|fragment| (fragment.first_event_id, fragment.event_count))
        .collect()
}

pub(super) async fn a_page_begins_with_the_fragment_that_holds_the_event(place: &mut dyn Place) {
    let store = written(place).await;
    let all = [(1, 2), (3, 4), (7, 1), (8, 3)];
    for (from, skipped) in [
        (i64::MIN, 0),
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 1),
        (6, 1),
        (7, 2),
        (8, 3),
        (10, 3),
        (11, 4),
        (12, 4),
        (i64::MAX, 4),
    ] {
        let page = store.page(run(2), from, i64::MAX, 100).await.unwrap();
        assert_eq!(firsts(&page), all[skipped..], "from {from}");
    }
    let page = store.page(run(2), 1, 3, 100).await.unwrap();
    assert_eq!(page[0].events, record(1, 1, 2).events);
    assert_eq!(store.page(run(9), 1, 100, 100).await.unwrap(), []);
}

pub(super) async fn a_page_ends_at_its_limits(place: &mut dyn Place) {
    let store = written(place).await;
    for (to, fragments) in [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 1),
        (4, 2),
        (7, 2),
        (8, 3),
        (9, 4),
        (99, 4),
    ] {
        let page = store.page(run(2), 1, to, 100).await.unwrap();
        assert_eq!(page.len(), fragments, "to {to}");
    }
    let page = store.page(run(2), 2, i64::MAX, 2).await.unwrap();
    assert_eq!(firsts(&page), [(1, 2), (3, 4)]);
    // Fragments of 60 % of a page: the second one ends it.
    let epoch = own(&*store).await;
    let large = |seq: u64| Record {
        events: vec![1; PAGE_BYTES * 6 / 10].into(),
        ..record(seq, 9 + seq.cast_signed(), 1)
    };
    commit(
        &*store,
        epoch,
        (2..6).map(|seq| append(1, large(seq))).collect(),
    )
    .await;
    let page = store.page(run(1), 11, i64::MAX, 100).await.unwrap();
    assert_eq!(firsts(&page), [(11, 1), (12, 1)]);
    let page = store.page_reverse(run(1), i64::MAX, 100).await.unwrap();
    assert_eq!(firsts(&page), [(14, 1), (13, 1)]);
}

pub(super) async fn a_page_backwards_begins_below_the_event(place: &mut dyn Place) {
    let store = written(place).await;
    let all = [(8, 3), (7, 1), (3, 4), (1, 2)];
    for (below, skipped) in [
        (i64::MAX, 0),
        (11, 0),
        (9, 0),
        (8, 1),
        (7, 2),
        (4, 2),
        (3, 3),
        (2, 3),
        (1, 4),
        (0, 4),
    ] {
        let page = store.page_reverse(run(2), below, 100).await.unwrap();
        assert_eq!(firsts(&page), all[skipped..], "below {below}");
    }
    let page = store.page_reverse(run(2), 8, 2).await.unwrap();
    assert_eq!(firsts(&page), [(7, 1), (3, 4)]);
}
