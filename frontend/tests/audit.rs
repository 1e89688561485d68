//! The auditor must notice: a database as real runs leave it is clean, and each of many lies told to a copy of it by hand is named, with
//! the number of the promise and the run, and nothing else.
//!
//! Deliberately absent: how the runs are made (`audit/runs.rs`), and corruptions of pages, which the database finds itself.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cairn_history::audit::{Scan, Violation};
use cairn_history::id::RunId;
use cairn_history::log::sqlite::ReadOnly;
use rusqlite::Connection;

#[path = "audit/lies.rs"]
mod lies;
#[path = "audit/runs.rs"]
mod runs;

use lies::{LIES, Lie};

/// Everything that the auditor has to say of a database.
async fn audit(path: &Path) -> (Vec<Violation>, u64) {
    let store = ReadOnly::open(path).unwrap();
    let shards = store.shards();
    let mut scan = Scan::new(Arc::new(store), shards, None);
    let mut found = Vec::new();
    while let Some(violations) = scan.next().await.unwrap() {
        found.extend(violations);
    }
    (found, scan.seen().runs)
}

/// The first and the last run of an id.
fn runs_of(database: &Connection, workflow_id: &str) -> (RunId, RunId) {
    let sql = "SELECT run FROM runs WHERE workflow_id = ?1 ORDER BY nth";
    let mut statement = database.prepare(sql).unwrap();
    let runs = statement.query_map([workflow_id], |row| row.get(0).map(RunId));
    let runs: Vec<_> = runs.unwrap().map(Result::unwrap).collect();
    (runs[0], runs[runs.len() - 1])
}

/// What is wrong, without the words for it.
fn named(found: &[Violation]) -> BTreeSet<(&'static str, RunId)> {
    let name = |it: &Violation| (it.invariant.number(), it.run);
    found.iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lie_is_named_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let truth = folder.path().join("truth.db");
    runs::make(&truth).await;
    let (found, count) = audit(&truth).await;
    assert_eq!(found, []);
    assert!(count >= 24, "{count} runs");
    assert!(LIES.len() >= 20);
    let mut failed = Vec::new();
    for lie in LIES {
        if let Err(why) = tell(lie, &truth, &folder.path().join("lie.db")).await {
            failed.push(format!("{}: {why}", lie.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

async fn tell(lie: &Lie, truth: &Path, copy: &Path) -> Result<(), String> {
    std::fs::copy(truth, copy).unwrap();
    let (first, last) = {
        let database = Connection::open(copy).unwrap();
        database
            .pragma_update(None, "journal_mode", "DELETE")
            .unwrap();
        let (first, last) = runs_of(&database, lie.workflow_id);
        lie.tell(&database, first);
        database.pragma_update(None, "journal_mode", "WAL").unwrap();
        (first, last)
    };
    let (found, _) = audit(copy).await;
    let wanted: BTreeSet<_> = lie.wanted(first, last).into_iter().collect();
    let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
    if named(&found) == wanted {
        Ok(())
    } else {
        Err(format!("wanted {wanted:?}, found {shown:?}"))
    }
}
