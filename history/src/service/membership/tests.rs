//! One node on the log in memory, and what others write into its tables.

use std::sync::atomic::AtomicI64;

use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;

use super::*;
use crate::execution::Limits;
use crate::id::{Key, NamespaceId};
use crate::log::Store;
use crate::log::model::{Model, Options};
use crate::service::{Clock, Config};

/// Takes no offer.
struct Nowhere;

impl MatchingService for Nowhere {}

/// Tells what it was set to.
#[derive(Debug)]
struct Told(AtomicI64);

impl Clock for Told {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::Acquire))
    }
}

struct World {
    store: Model,
    clock: Arc<Told>,
    history: History,
}

async fn world(clock: i64) -> World {
    let store = Model::with(Options {
        shards: 4,
        writers: 1,
        reads_need_proof: true,
    });
    let clock = Arc::new(Told(AtomicI64::new(clock)));
    let config = Config {
        limits: Limits::default(),
        shard: crate::shard::Config::default(),
        owner: "me".to_owned(),
        member: Some(Member {
            id: "me".to_owned(),
            address: String::new(),
        }),
        caller: None,
    };
    let history = History::start(Arc::new(store.clone()), Arc::clone(&clock) as _, config);
    let history = history.await.unwrap();
    history.connect(Arc::new(Nowhere));
    World {
        store,
        clock,
        history,
    }
}

/// A process that is there and wants nothing.
fn passive(id: &str) -> Node {
    Node {
        id: id.to_owned(),
        leaving: true,
        ..Node::default()
    }
}

impl World {
    async fn view(&self) -> View {
        self.store.beat(&passive("observer")).await.unwrap()
    }

    /// Looks until it is so.
    async fn until(&self, so: impl Fn(&History, &View) -> bool) {
        let looks = async {
            while !so(&self.history, &self.view().await) {
                self.history.look().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), looks)
            .await
            .unwrap();
    }
}

fn key(shard: ShardId) -> Key {
    let ids = (0..).map(|number: u32| Key {
        namespace: NamespaceId::default(),
        workflow_id: number.to_string(),
    });
    { ids }.find(|key| key.shard(4) == shard).unwrap()
}

fn all_mine(history: &History, view: &View) -> bool {
    let is_mine = |shard| history.owns(&key(shard));
    view.shards
        .iter()
        .all(|owned| owned.owner == "me" && is_mine(owned.shard))
}

fn none_mine(history: &History, view: &View) -> bool {
    let is_mine = |shard| history.owns(&key(shard));
    view.shards
        .iter()
        .all(|owned| owned.owner.is_empty() && !is_mine(owned.shard))
}

#[tokio::test]
async fn what_another_node_has_taken_is_not_taken_back() {
    let world = world(0).await;
    world.until(all_mine).await;
    let taken = ShardId(2);
    let view = world.store.beat(&passive("other")).await.unwrap();
    let epoch = view.ownership(taken).unwrap().epoch;
    let epoch = world.store.take_from(taken, "other", epoch).await.unwrap();
    world.until(|history, _| !history.owns(&key(taken))).await;
    for _ in 0..5 {
        world.history.look().await;
        let view = world.view().await;
        let owned = view.ownership(taken).unwrap();
        assert_eq!((owned.owner.as_str(), Some(owned.epoch)), ("other", epoch));
    }
    // Until it is dead.
    world.store.pass(LEASE * 2);
    let now = world.view().await.now;
    world.clock.0.store(now.0, Ordering::Release);
    world.until(|history, _| history.owns(&key(taken))).await;
    world.history.close().await;
}

#[tokio::test]
async fn a_node_that_leaves_releases_what_it_has() {
    let world = world(0).await;
    world.until(all_mine).await;
    world.history.leave().await;
    let view = world.view().await;
    assert!(none_mine(&world.history, &view), "{view:?}");
    world.history.close().await;
}

#[tokio::test]
async fn a_node_whose_clock_is_astray_owns_nothing() {
    let hour = 3_600_000_000_000;
    let world = world(0).await;
    world.until(all_mine).await;
    world.clock.0.store(hour, Ordering::Release);
    world.until(none_mine).await;
    world.clock.0.store(0, Ordering::Release);
    world.until(all_mine).await;
    world.clock.0.store(-hour, Ordering::Release);
    world.until(none_mine).await;
    world.history.close().await;
}

#[tokio::test]
async fn a_node_whose_name_another_process_has_owns_nothing() {
    let world = world(0).await;
    world.until(all_mine).await;
    world.store.pass(Duration::from_millis(1));
    let later = Node {
        id: "me".to_owned(),
        ..Node::default()
    };
    world.store.beat(&later).await.unwrap();
    world
        .until(|history, view| {
            let shards = view.shards.iter();
            { shards }.all(|owned| !history.owns(&key(owned.shard)))
        })
        .await;
    world.history.close().await;
}
