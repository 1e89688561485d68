//! The conformance suite, the model as referee, and what is SQLite's own: locks, pragmas, checkpoints, plans.

use async_trait::async_trait;
use bytes::Bytes;
use futures::executor::block_on;

use super::super::conformance::{Place, SCENARIOS, script};
use super::super::model::Model;
use super::super::visibility::{self, sql};
use super::super::{Audit, Committed, Failure, OpenError, Record, ShardBatch, Store, Write};
use super::{Options, ReadOnly, Sqlite};
use crate::id::{Epoch, NamespaceId, RunId, ShardId, Time};

struct InFolder(tempfile::TempDir);

impl InFolder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options(&self) -> Options {
        Options::file(self.0.path().join("cairn.db"))
    }
}

#[async_trait]
impl Place for InFolder {
    async fn open(&mut self) -> Box<dyn Store> {
        Box::new(Sqlite::open(&self.options()).unwrap())
    }
}

#[test]
fn the_store_conforms() {
    for (name, scenario) in SCENARIOS {
        println!("{name}");
        block_on(scenario(&mut InFolder::new()));
    }
}

#[test]
fn the_model_agrees() {
    for seed in 0..3 {
        let (store, model) = (Sqlite::open(&Options::memory()).unwrap(), Model::new());
        block_on(script::agree(seed, script::steps(1_000), &model, &store));
    }
}

/// The statement as SQLite would carry it out. Its parameters may be anything.
fn plan(store: &Sqlite, sql: &str) -> String {
    let writer = store.writer.lock();
    let mut statement = writer
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let details = statement.raw_query().mapped(|row| row.get("detail"));
    details
        .collect::<Result<Vec<String>, _>>()
        .unwrap()
        .join("; ")
}

#[test]
fn each_query_finds_its_index() {
    let store = Sqlite::open(&Options::memory()).unwrap();
    for (sql, index) in [
        (include_str!("queries/current.sql"), "runs_nth"),
        (include_str!("queries/repeated.sql"), "runs_start_request"),
        (include_str!("queries/wake_ups.sql"), "runs_wake"),
        (include_str!("queries/unpark_run.sql"), "parked_run"),
        (include_str!("queries/records.sql"), "PRIMARY KEY (run=?"),
        (include_str!("queries/filed.sql"), "PRIMARY KEY (run=?"),
        (include_str!("queries/rivals.sql"), "runs_open"),
        (include_str!("queries/parked_of_run.sql"), "parked_run"),
        (include_str!("queries/page.sql"), "PRIMARY KEY (run=?"),
        (
            include_str!("queries/page_reverse.sql"),
            "PRIMARY KEY (run=?",
        ),
        (include_str!("queries/parked.sql"), "PRIMARY KEY (shard=?"),
        (
            include_str!("queries/parked_queues.sql"),
            "PRIMARY KEY (shard=?",
        ),
    ] {
        let plan = plan(&store, sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}

#[test]
fn the_next_run_is_a_step_in_each_table() {
    let store = Sqlite::open(&Options::memory()).unwrap();
    let plan = plan(&store, include_str!("queries/next_run.sql"));
    assert_eq!(plan.matches("(run>?)").count(), 6, "{plan}");
}

#[test]
fn a_database_is_read_beside_the_process_that_has_it() {
    let place = InFolder::new();
    let path = place.0.path().join("cairn.db");
    assert!(matches!(ReadOnly::open(&path), Err(OpenError::Database(_))));
    let store = Sqlite::open(&place.options()).unwrap();
    let epoch = block_on(store.take_over(ShardId(0), "owner")).unwrap();
    let beside = ReadOnly::open(&path).unwrap();
    assert_eq!(beside.shards(), store.shards());
    assert_eq!(block_on(beside.next_run(None)).unwrap(), None);
    let run = RunId([1; 16]);
    let write = Write::Heartbeat {
        run,
        heartbeat: crate::kind::Heartbeat {
            scheduled_event_id: 5,
            details: Bytes::from_static(b"x"),
        },
    };
    let batch = ShardBatch {
        shard: ShardId(0),
        epoch,
        items: vec![vec![write]],
    };
    block_on(store.commit(0, &[batch])).unwrap();
    assert_eq!(block_on(beside.next_run(None)).unwrap(), Some(run));
    let whole = block_on(beside.whole(run)).unwrap();
    assert_eq!(whole.heartbeats.len(), 1);
    assert_eq!(whole, block_on(store.whole(run)).unwrap());
    assert_eq!(block_on(beside.next_run(Some(run))).unwrap(), None);
}

#[test]
fn a_list_is_read_in_the_order_of_its_index() {
    let store = Sqlite::open(&Options::memory()).unwrap();
    let query = |condition| visibility::Query {
        namespace: NamespaceId::default(),
        condition,
    };
    let after = visibility::Position {
        close_time: None,
        start_time: Time(0),
        run: RunId::default(),
    };
    let by_type = visibility::Condition::Compare(
        visibility::Attribute::WorkflowType,
        visibility::Comparison::Equal,
        visibility::Value::Text("Type".to_owned()),
    );
    for condition in [None, Some(by_type)] {
        let list = sql::list(sql::Dialect::Sqlite, &query(condition), Some(&after), 10);
        let plan = plan(&store, &list.text);
        assert!(
            plan.contains("runs_list") && !plan.contains("TEMP B-TREE"),
            "{plan}"
        );
        assert!(
            plan.contains("(namespace=? AND (list_time,start_time,run)<(?,?,?))"),
            "{plan}"
        );
    }
    for (attribute, value, index) in [
        (
            visibility::Attribute::WorkflowId,
            visibility::Value::Text("id".to_owned()),
            "(namespace=? AND workflow_id=?)",
        ),
        (
            visibility::Attribute::RunId,
            visibility::Value::Run(RunId::default()),
            "PRIMARY KEY (run=?)",
        ),
    ] {
        let equal = visibility::Comparison::Equal;
        let condition = visibility::Condition::Compare(attribute, equal, value);
        let list = sql::list(sql::Dialect::Sqlite, &query(Some(condition)), None, 10);
        let plan = plan(&store, &list.text);
        assert!(plan.contains(index), "{plan}");
    }
}

#[test]
fn a_file_belongs_to_one_process() {
    let folder = InFolder::new();
    let store = Sqlite::open(&folder.options()).unwrap();
    let refused = Sqlite::open(&folder.options());
    assert!(matches!(refused, Err(OpenError::InUse(_))), "{refused:?}");
    drop(store);
    Sqlite::open(&folder.options()).unwrap();
}

#[test]
fn settings_that_lose_writes_are_refused() {
    for (name, value) in [
        ("synchronous", "NORMAL"),
        ("synchronous", "OFF"),
        ("journal_mode", "DELETE"),
        ("journal_mode", "MEMORY"),
    ] {
        let folder = InFolder::new();
        let mut options = folder.options();
        options.pragmas = vec![(name.to_owned(), value.to_owned())];
        let refused = Sqlite::open(&options);
        match refused {
            Err(OpenError::Unsafe { setting, .. }) => assert_eq!(setting, name),
            other => panic!("{name} = {value}: {other:?}"),
        }
    }
    let folder = InFolder::new();
    let mut options = folder.options();
    options.pragmas = vec![("synchronous".to_owned(), "EXTRA".to_owned())];
    Sqlite::open(&options).unwrap();
}

#[test]
fn a_database_of_a_newer_release_is_refused() {
    let folder = InFolder::new();
    let store = Sqlite::open(&folder.options()).unwrap();
    let newer = "INSERT INTO migrations (version) VALUES (1000)";
    store.writer.lock().execute_batch(newer).unwrap();
    drop(store);
    let refused = Sqlite::open(&folder.options()).unwrap_err();
    let told = refused.to_string();
    assert!(
        told.starts_with("the database is at version 1000, this release knows"),
        "{told}"
    );
}

#[test]
fn the_number_of_shards_is_fixed_at_creation() {
    let folder = InFolder::new();
    let with = |shards| {
        Sqlite::open(&Options {
            shards,
            ..folder.options()
        })
    };
    assert_eq!(with(5).unwrap().shards(), 5);
    assert_eq!(with(7).unwrap().shards(), 5);
    for shards in [0, u32::MAX] {
        assert!(matches!(with(shards), Err(OpenError::Shards { .. })));
    }
}

#[test]
fn a_database_in_memory_leaves_no_file() {
    let store = Sqlite::open(&Options::memory()).unwrap();
    let path = store.writer.lock().path().unwrap().to_owned();
    assert!(!std::path::Path::new(&path).parent().unwrap().exists());
    let epoch = block_on(store.take_over(ShardId(0), "test")).unwrap();
    assert_eq!(epoch, Epoch(1));
    block_on(store.close());
    assert_eq!(
        block_on(store.take_over(ShardId(0), "test")).unwrap(),
        Epoch(2)
    );
}

/// A record of its own run, of a size.
fn append(number: u64, bytes: usize) -> Vec<Write> {
    let mut run = [0; 16];
    run[..8].copy_from_slice(&number.to_be_bytes());
    vec![Write::Append {
        run: RunId(run),
        record: Record {
            seq: 1,
            epoch: Epoch(1),
            time: Time(0),
            first_event_id: 1,
            event_count: 1,
            events: vec![0; bytes].into(),
            changes: Bytes::new(),
            chain: [0; 32],
        },
        row: None,
        terms: None,
        wake_at: None,
    }]
}

fn commit(store: &Sqlite, items: Vec<Vec<Write>>) -> Result<Committed, Failure> {
    let batch = ShardBatch {
        shard: ShardId(0),
        epoch: Epoch(0),
        items,
    };
    block_on(store.commit(0, &[batch]))
}

#[test]
fn a_full_database_rolls_back_and_goes_on() {
    let folder = InFolder::new();
    let store = Sqlite::open(&folder.options()).unwrap();
    let most = |pages: u32| {
        store
            .writer
            .lock()
            .pragma_update(None, "max_page_count", pages)
            .unwrap();
    };
    most(100);
    let failure = commit(&store, vec![append(1, 1_000), append(2, 1 << 20)]).unwrap_err();
    assert!(matches!(failure, Failure::RolledBack(_)), "{failure:?}");
    assert_eq!(block_on(store.page(RunId::default(), 1, 9, 9)).unwrap(), []);
    most(100_000);
    commit(&store, vec![append(1, 1_000), append(2, 1 << 20)]).unwrap();
}

#[test]
fn a_busy_database_rolls_back() {
    let folder = InFolder::new();
    let store = Sqlite::open(&folder.options()).unwrap();
    let intruder = rusqlite::Connection::open(folder.0.path().join("cairn.db")).unwrap();
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();
    store
        .writer
        .lock()
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    let failure = commit(&store, vec![append(1, 1)]).unwrap_err();
    assert!(matches!(failure, Failure::RolledBack(_)), "{failure:?}");
    intruder.execute_batch("ROLLBACK").unwrap();
    commit(&store, vec![append(1, 1)]).unwrap();
}

#[test]
fn the_wal_stays_small_while_commits_go_on() {
    let folder = InFolder::new();
    let store = Sqlite::open(&folder.options()).unwrap();
    // Half as much again as the WAL may hold before the writer waits.
    for number in 0..96 {
        commit(&store, vec![append(number, 1 << 20)]).unwrap();
    }
    let wal = folder.0.path().join("cairn.db-wal");
    let size = std::fs::metadata(&wal).unwrap().len();
    assert!(size < 72 << 20, "{size}");
    block_on(store.close());
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), 0);
}
