//! The log in PostgreSQL, against a server of its own: the conformance suite, the model as referee, and what can become of a
//! commit between two processes and a server.

#![expect(
    clippy::unwrap_used,
    reason = "all of this is test code, functions beside the tests too"
)]

#[path = "support/postgres.rs"]
mod support;
#[path = "support/wire.rs"]
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cairn_history::id::{Epoch, RunId, ShardId, Time};
use cairn_history::log::conformance::{Place, SCENARIOS, script};
use cairn_history::log::model::Model;
use cairn_history::log::postgres::{Options, Postgres};
use cairn_history::log::{Committed, Failure, OpenError, Record, ShardBatch, Store, Write};
use cairn_history::placement::{LEASE, Node};
use sqlx::{Connection, Executor, PgConnection};
use support::Cluster;
use wire::Wire;

/// A database of its own in a server.
struct Database<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl<'a> Database<'a> {
    async fn new(cluster: &'a Cluster) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        let mut connection = PgConnection::connect(&cluster.url("postgres"))
            .await
            .unwrap();
        sqlx::query(create).execute(&mut connection).await.unwrap();
        Self { cluster, name }
    }

    async fn store(&self) -> Postgres {
        self.store_with(&Options::default()).await
    }

    async fn store_with(&self, options: &Options) -> Postgres {
        Postgres::connect(&self.cluster.url(&self.name), options)
            .await
            .unwrap()
    }

    async fn intruder(&self) -> PgConnection {
        PgConnection::connect(&self.cluster.url(&self.name))
            .await
            .unwrap()
    }
}

#[async_trait]
impl Place for Database<'_> {
    async fn open(&mut self) -> Box<dyn Store> {
        Box::new(self.store().await)
    }
}

const SHARD: ShardId = ShardId(0);

async fn own(store: &Postgres) -> Epoch {
    store.take_over(SHARD, "test").await.unwrap()
}

/// Commits one record of a run.
async fn commit(store: &Postgres, epoch: Epoch, run: u8) -> Result<Committed, Failure> {
    let write = Write::Append {
        run: RunId([run; 16]),
        record: Record {
            seq: 1,
            epoch,
            time: Time(0),
            first_event_id: 1,
            event_count: 1,
            events: Bytes::from_static(b"event"),
            changes: Bytes::new(),
            chain: [0; 32],
        },
        row: None,
        terms: None,
        wake_at: None,
    };
    let batch = ShardBatch {
        shard: SHARD,
        epoch,
        items: vec![vec![write]],
    };
    store.commit(0, &[batch]).await
}

async fn is_there(store: &Postgres, run: u8) -> bool {
    let page = store.page(RunId([run; 16]), 1, 2, 1).await.unwrap();
    !page.is_empty()
}

/// The server process with this in its query, once it waits for this event.
async fn waiting(intruder: &mut PgConnection, query: &str, event: &str) -> i32 {
    let found = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let found: Option<i32> = sqlx::query_scalar(
                "SELECT pid FROM pg_stat_activity
                 WHERE datname = current_database() AND query LIKE '%' || $1 || '%' AND wait_event = $2
                     AND pid <> pg_backend_pid()",
            )
            .bind(query)
            .bind(event)
            .fetch_optional(&mut *intruder)
            .await
            .unwrap();
            if let Some(process) = found {
                return process;
            }
        }
    });
    found
        .await
        .unwrap_or_else(|_| panic!("nobody waits for {event} with {query}"))
}

#[tokio::test]
async fn the_store_conforms() {
    let cluster = Cluster::start(&[]);
    for (name, scenario) in SCENARIOS {
        println!("{name}");
        scenario(&mut Database::new(&cluster).await).await;
    }
}

#[tokio::test]
async fn the_model_agrees() {
    let cluster = Cluster::start(&[]);
    for seed in 100..102 {
        let store = Database::new(&cluster).await.store().await;
        script::agree(seed, script::steps(500), &Model::new(), &store).await;
    }
}

#[tokio::test]
async fn a_server_that_loses_writes_is_refused() {
    for setting in ["fsync", "full_page_writes"] {
        let cluster = Cluster::start(&[(setting, "off")]);
        let refused = Postgres::connect(&cluster.url("postgres"), &Options::default()).await;
        match refused {
            Err(OpenError::Unsafe { setting: told, .. }) => assert_eq!(told, setting),
            other => panic!("{setting}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn defaults_of_server_and_role_do_not_count() {
    let cluster = Cluster::start(&[("synchronous_commit", "off")]);
    let database = Database::new(&cluster).await;
    let role = "ALTER ROLE postgres SET synchronous_commit = local";
    database.intruder().await.execute(role).await.unwrap();
    // Refused, if what the session asks for had not been granted.
    database.store().await;
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_refused() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    database.store().await;
    let newer = "INSERT INTO migrations (version) VALUES (1000)";
    database.intruder().await.execute(newer).await.unwrap();
    let refused = Postgres::connect(&cluster.url(&database.name), &Options::default()).await;
    assert!(
        matches!(refused, Err(OpenError::Newer { found: 1000, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn nodes_may_create_a_database_together() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let options = |shards| Options {
        shards,
        ..Options::default()
    };
    let (three, five) = (options(3), options(5));
    let (one, other) = tokio::join!(database.store_with(&three), database.store_with(&five));
    assert_eq!(one.shards(), other.shards());
}

#[tokio::test]
async fn a_takeover_waits_for_a_commit_and_fences_the_next() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let store = database.store().await;
    let epoch = own(&store).await;
    // Another node's commit has locked the epoch and written, and has not committed yet.
    let mut node = database.intruder().await;
    node.execute("BEGIN").await.unwrap();
    node.execute("SELECT epoch FROM shards WHERE shard = 0 FOR SHARE")
        .await
        .unwrap();
    let mut intruder = database.intruder().await;
    let taken = async {
        waiting(&mut intruder, "UPDATE shards", "transactionid").await;
        node.execute("COMMIT").await.unwrap();
    };
    let (next, ()) = tokio::join!(own(&store), taken);
    assert_eq!(next, Epoch(epoch.0 + 1));
    assert_eq!(commit(&store, epoch, 1).await.unwrap().lost, [SHARD]);
    assert!(!is_there(&store, 1).await);
}

#[tokio::test]
async fn a_commit_that_waits_for_a_takeover_finds_its_epoch_passed() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let store = database.store().await;
    let epoch = own(&store).await;
    // A takeover has raised the epoch, and has not committed yet.
    let mut node = database.intruder().await;
    node.execute("BEGIN").await.unwrap();
    node.execute("UPDATE shards SET epoch = epoch + 1 WHERE shard = 0")
        .await
        .unwrap();
    let mut intruder = database.intruder().await;
    let taken = async {
        waiting(&mut intruder, "FOR SHARE", "transactionid").await;
        node.execute("COMMIT").await.unwrap();
    };
    let (committed, ()) = tokio::join!(commit(&store, epoch, 1), taken);
    assert_eq!(committed.unwrap().lost, [SHARD]);
    assert!(!is_there(&store, 1).await);
}

#[tokio::test]
async fn a_takeover_sees_what_a_commit_that_had_proved_its_epoch_writes() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let store = database.store().await;
    let epoch = own(&store).await;
    // The commit proves its epoch, and must wait for the table before it writes.
    let mut node = database.intruder().await;
    node.execute("BEGIN").await.unwrap();
    node.execute("LOCK TABLE log IN EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut intruder = database.intruder().await;
    let takeover = async {
        waiting(&mut intruder, "INSERT INTO log", "relation").await;
        let seen = async {
            own(&store).await;
            is_there(&store, 1).await
        };
        tokio::pin!(seen);
        tokio::select! {
            // Nothing held it up: the commit goes on behind it.
            seen = &mut seen => {
                node.execute("COMMIT").await.unwrap();
                seen
            }
            _ = waiting(&mut intruder, "UPDATE shards", "transactionid") => {
                node.execute("COMMIT").await.unwrap();
                seen.await
            }
        }
    };
    let (committed, seen) = tokio::join!(commit(&store, epoch, 1), takeover);
    assert_eq!(committed.unwrap().lost, []);
    assert!(seen, "a commit went on behind a takeover");
}

#[tokio::test]
async fn a_paused_node_holds_up_a_takeover_for_seconds_only() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let store = database.store().await;
    own(&store).await;
    let mut node = database.intruder().await;
    node.execute("SET idle_in_transaction_session_timeout = '200ms'")
        .await
        .unwrap();
    node.execute("BEGIN").await.unwrap();
    node.execute("SELECT epoch FROM shards WHERE shard = 0 FOR SHARE")
        .await
        .unwrap();
    own(&store).await;
    assert!(node.execute("COMMIT").await.is_err());
}

#[tokio::test]
async fn a_connection_lost_before_the_commit_rolls_back() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let store = database.store().await;
    let epoch = own(&store).await;
    let mut node = database.intruder().await;
    node.execute("BEGIN").await.unwrap();
    node.execute("SELECT epoch FROM shards WHERE shard = 0 FOR UPDATE")
        .await
        .unwrap();
    let mut intruder = database.intruder().await;
    let cut = async {
        let process = waiting(&mut intruder, "FOR SHARE", "transactionid").await;
        let kill = sqlx::query("SELECT pg_terminate_backend($1)").bind(process);
        kill.execute(&mut intruder).await.unwrap();
    };
    let (outcome, ()) = tokio::join!(commit(&store, epoch, 1), cut);
    assert!(
        matches!(outcome, Err(Failure::RolledBack(_))),
        "{outcome:?}"
    );
    node.execute("ROLLBACK").await.unwrap();
    // The next one connects again.
    commit(&store, epoch, 1).await.unwrap();
    assert!(is_there(&store, 1).await);
}

/// A server that waits for a standby that does not exist, as soon as it is told to.
async fn wait_for_a_standby(intruder: &mut PgConnection) {
    let settings = "ALTER SYSTEM SET synchronous_standby_names = 'nobody'";
    intruder.execute(settings).await.unwrap();
    intruder.execute("SELECT pg_reload_conf()").await.unwrap();
    loop {
        let names: String = sqlx::query_scalar("SHOW synchronous_standby_names")
            .fetch_one(&mut *intruder)
            .await
            .unwrap();
        if names == "nobody" {
            return;
        }
    }
}

#[tokio::test]
async fn a_commit_is_unknown_whose_wait_for_a_standby_is_cancelled() {
    for kill in [
        "SELECT pg_cancel_backend($1)",
        "SELECT pg_terminate_backend($1)",
    ] {
        let cluster = Cluster::start(&[]);
        let database = Database::new(&cluster).await;
        let store = database.store().await;
        let epoch = own(&store).await;
        let mut intruder = database.intruder().await;
        wait_for_a_standby(&mut intruder).await;
        let cancel = async {
            let process = waiting(&mut intruder, "COMMIT", "SyncRep").await;
            let kill = sqlx::query(kill).bind(process);
            kill.execute(&mut intruder).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(commit(&store, epoch, 1), cancel);
        assert!(
            matches!(outcome, Err(Failure::Unknown(_))),
            "{kill}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_commit_is_unknown_that_is_not_answered_in_time() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let options = Options {
        patience: Duration::from_millis(500),
        ..Options::default()
    };
    let store = database.store_with(&options).await;
    let epoch = own(&store).await;
    let mut intruder = database.intruder().await;
    wait_for_a_standby(&mut intruder).await;
    let outcome = commit(&store, epoch, 1).await;
    assert!(matches!(outcome, Err(Failure::Unknown(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_until_it_is_back() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let options = Options {
        patience: Duration::from_secs(2),
        ..Options::default()
    };
    let store = database.store_with(&options).await;
    let epoch = own(&store).await;
    commit(&store, epoch, 1).await.unwrap();
    cluster.stop();
    let outcome = commit(&store, epoch, 2).await;
    assert!(
        matches!(outcome, Err(Failure::RolledBack(_))),
        "{outcome:?}"
    );
    assert!(store.ping().await.is_err());
    cluster.run();
    assert!(is_there(&store, 1).await);
    commit(&store, epoch, 2).await.unwrap();
    assert!(is_there(&store, 2).await);
}

#[tokio::test]
async fn what_a_broken_wire_holds_is_given_up_when_the_database_is_heard_of_again() {
    let cluster = Cluster::start(&[]);
    let database = Database::new(&cluster).await;
    let wire = Wire::to(cluster.port()).await;
    let options = Options {
        patience: Duration::from_hours(1),
        ..Options::default()
    };
    let url = format!("postgres://postgres@{}/{}", wire.address, database.name);
    let store = Arc::new(Postgres::connect(&url, &options).await.unwrap());
    let node = Node {
        id: "one".to_owned(),
        ..Node::default()
    };
    let epoch = own(&store).await;
    commit(&store, epoch, 1).await.unwrap();
    assert!(is_there(&store, 1).await);
    store.beat(&node).await.unwrap();

    wire.cut();
    let (began, hangs) = (Instant::now(), Arc::clone(&store));
    let hangs = tokio::spawn(async move { commit(&hangs, epoch, 2).await });
    while began.elapsed() <= LEASE {
        store.beat(&node).await.unwrap_err();
    }
    wire.mend();
    let goes_on = async {
        while store.beat(&node).await.is_err() {}
        let outcome = hangs.await.unwrap();
        assert!(
            matches!(outcome, Err(Failure::RolledBack(_))),
            "{outcome:?}"
        );
        commit(&store, epoch, 2).await.unwrap();
        assert!(is_there(&store, 2).await);
    };
    tokio::time::timeout(Duration::from_mins(1), goes_on)
        .await
        .unwrap();
}
