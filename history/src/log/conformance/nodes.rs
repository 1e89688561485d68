//! Which processes serve a database.

use super::super::Store;
use super::Place;
use super::sample::*;
use crate::id::{Epoch, ShardId, Time};
use crate::placement::{Node, View};

fn node(id: &str) -> Node {
    Node {
        id: id.to_owned(),
        address: format!("{id}:7234"),
        ..Node::default()
    }
}

/// The node as it was written, to beat again with.
async fn begin(store: &dyn Store, id: &str) -> Node {
    written(&store.beat(&node(id)).await.unwrap(), id)
}

fn written(view: &View, id: &str) -> Node {
    view.nodes
        .iter()
        .find(|node| node.id == id)
        .unwrap()
        .clone()
}

pub(super) async fn a_beat_shows_who_lives_and_who_owns_what(place: &mut dyn Place) {
    let store = place.open().await;
    let one = begin(&*store, "one").await;
    assert_eq!((one.address.as_str(), one.leaving), ("one:7234", false));
    assert!(one.started > Time(0) && one.beat >= one.started, "{one:?}");
    let epoch = store.take_over(OTHER, "one").await.unwrap();
    let two = begin(&*store, "two \0 ☃").await;
    let leaving = Node {
        leaving: true,
        ..one.clone()
    };
    let view = store.beat(&leaving).await.unwrap();
    let ids: Vec<_> = view.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["one", "two \0 ☃"]);
    let again = written(&view, "one");
    assert!(again.leaving && again.beat >= one.beat && again.started == one.started);
    assert_eq!(written(&view, &two.id), two);
    assert!(view.now >= again.beat, "{view:?}");
    assert!(view.nodes.iter().all(|node| view.is_alive(node)));
    assert_eq!(view.shards.len(), store.shards() as usize);
    let owned = view.ownership(OTHER).unwrap();
    assert_eq!((owned.epoch, owned.owner.as_str()), (epoch, "one"));
    let others = view.shards.iter().filter(|owned| owned.shard != OTHER);
    assert!(others.clone().all(|it| it.owner.is_empty()), "{view:?}");
    assert!(others.clone().all(|it| it.epoch == Epoch(0)), "{view:?}");
    let shards: Vec<_> = view.shards.iter().map(|owned| owned.shard).collect();
    let all: Vec<_> = (0..store.shards()).map(ShardId).collect();
    assert_eq!(shards, all);
}

pub(super) async fn a_later_process_has_the_name(place: &mut dyn Place) {
    let store = place.open().await;
    let early = begin(&*store, "one").await;
    let late = Node {
        started: Time(early.started.0 + 1),
        address: "elsewhere".to_owned(),
        ..early.clone()
    };
    let view = store.beat(&late).await.unwrap();
    assert!(view.is_superseded(&early) && !view.is_superseded(&late));
    let view = store.beat(&early).await.unwrap();
    let shown = written(&view, "one");
    assert_eq!(
        (shown.started, shown.address.as_str()),
        (late.started, "elsewhere")
    );
}
