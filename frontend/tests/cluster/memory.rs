//! The life of a cluster on the log in memory.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cairn_history::log::model::{Model, Options};
use tokio::task::JoinHandle;

/// The clock of the database goes with the machine's.
async fn keep_time(model: Model, mut then: SystemTime) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    loop {
        ticks.tick().await;
        let now = SystemTime::now();
        model.pass(now.duration_since(then).unwrap_or_default());
        then = now;
    }
}

/// A database, and the task that moves its clock.
pub(super) fn database() -> (Model, JoinHandle<()>) {
    let model = Model::with(Options {
        shards: super::SHARDS,
        writers: 2,
        reads_need_proof: true,
    });
    let now = SystemTime::now();
    model.pass(now.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    let time = tokio::spawn(keep_time(model.clone(), now));
    (model, time)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_lives_on_the_log_in_memory() {
    let (model, time) = database();
    super::live(|| Arc::new(model.beside()), || None).await;
    time.abort();
}
