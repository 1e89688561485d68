//! Who may write for a shard.

use super::super::{Committed, Failure};
use super::Place;
use super::sample::*;
use crate::id::{Epoch, ShardId};

pub(super) async fn each_takeover_raises_the_epoch(place: &mut dyn Place) {
    let store = place.open().await;
    let first = own(&*store).await;
    let second = own(&*store).await;
    assert_eq!(second, Epoch(first.0 + 1));
    // One shard's epoch is nothing to another.
    assert_eq!(store.take_over(OTHER, "conformance").await.unwrap(), first);
    let unknown = ShardId(store.shards());
    let failure = store.take_over(unknown, "conformance").await.unwrap_err();
    assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
}

pub(super) async fn a_shard_with_an_old_epoch_is_left_out(place: &mut dyn Place) {
    let store = place.open().await;
    let old = own(&*store).await;
    let other = store.take_over(OTHER, "conformance").await.unwrap();
    let new = own(&*store).await;
    let batches = [
        batch(SHARD, old, vec![start(row(1, "stale"))]),
        batch(OTHER, other, vec![start(row(2, "good"))]),
        batch(ShardId(u32::MAX), Epoch(0), vec![start(row(3, "nobody's"))]),
        batch(SHARD, Epoch(u64::MAX), vec![start(row(4, "never"))]),
    ];
    let committed = store.commit(0, &batches).await.unwrap();
    assert_eq!(committed.lost, [SHARD, ShardId(u32::MAX)]);
    let rows = store.list(&everything(), None, 10).await.unwrap();
    assert_eq!(rows, [row(2, "good")]);
    commit(&*store, new, vec![start(row(1, "fresh"))]).await;
}

pub(super) async fn a_batch_without_writes_is_a_proof(place: &mut dyn Place) {
    let store = place.open().await;
    let epoch = own(&*store).await;
    let proof = [batch(SHARD, epoch, vec![])];
    assert_eq!(store.commit(0, &proof).await.unwrap(), Committed::default());
    own(&*store).await;
    assert_eq!(store.commit(0, &proof).await.unwrap().lost, [SHARD]);
    assert_eq!(store.commit(0, &[]).await.unwrap(), Committed::default());
}

pub(super) async fn of_two_who_saw_the_same_epoch_one_gets_the_shard(place: &mut dyn Place) {
    let store = place.open().await;
    let old = own(&*store).await;
    let taken = store.take_from(SHARD, "one", old).await.unwrap();
    assert_eq!(taken, Some(Epoch(old.0 + 1)));
    assert_eq!(store.take_from(SHARD, "two", old).await.unwrap(), None);
    let unknown = ShardId(store.shards());
    let none = store.take_from(unknown, "one", Epoch(0)).await.unwrap();
    assert_eq!(none, None);
    let committed = store.commit(0, &[batch(SHARD, old, vec![])]).await.unwrap();
    assert_eq!(committed.lost, [SHARD]);
    commit(&*store, taken.unwrap(), vec![start(row(1, "fresh"))]).await;
}

pub(super) async fn what_was_released_is_nobodys_until_it_is_taken(place: &mut dyn Place) {
    let store = place.open().await;
    let old = own(&*store).await;
    store.release(SHARD, old).await.unwrap();
    let asking = crate::placement::Node::default();
    let owner = async || {
        let view = store.beat(&asking).await.unwrap();
        let owned = view.ownership(SHARD).unwrap();
        (owned.epoch, owned.owner.clone())
    };
    assert_eq!(owner().await, (old, String::new()));
    let new = store.take_from(SHARD, "two", old).await.unwrap().unwrap();
    // Too late: it has been taken.
    store.release(SHARD, old).await.unwrap();
    assert_eq!(owner().await, (new, "two".to_owned()));
}
