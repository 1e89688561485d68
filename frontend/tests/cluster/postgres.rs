//! The life of a cluster on PostgreSQL, with a server of its own.

use std::sync::Arc;

use cairn_history::log::postgres::{Options, Postgres};

#[expect(dead_code, reason = "other tests stop and start it")]
#[path = "../../../history/tests/support/postgres.rs"]
mod support;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_lives_on_postgresql() {
    let server = support::Cluster::start(&[]);
    let options = Options {
        shards: super::SHARDS,
        ..Options::default()
    };
    let mut stores = Vec::new();
    for _ in 0..4 {
        let store = Postgres::connect(&server.url("postgres"), &options).await;
        stores.push(Arc::new(store.unwrap()));
    }
    let stores = parking_lot::Mutex::new(stores);
    super::live(|| stores.lock().pop().unwrap(), || None).await;
}
