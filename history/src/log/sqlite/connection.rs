//! Connections: where the file is, the pragmas of each connection and their check, the file lock, migrations.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rustix::fs::FlockOperation;

use super::super::open::{OpenError, check_version, missing};
use super::{Options, Place};
use crate::planted::{Fault, planted};

/// The migrations, from version 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/0001_tables.sql"),
    include_str!("../migrations/sqlite/0002_nodes.sql"),
    include_str!("../migrations/sqlite/0003_search.sql"),
];

/// How long a connection waits for another of this process (a checkpoint that restarts the WAL).
const BUSY: Duration = Duration::from_secs(5);

/// Prepared statements kept per connection: more than there are queries but for those of lists.
const STATEMENTS: usize = 64;

/// Held as long as the database is open: no other process may have it.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "dropping it unlocks")] File);

/// Where the database is found while it is being opened.
#[derive(Debug)]
pub(super) enum Opening {
    File(PathBuf, Lock),
    /// The directory goes when this is dropped; open connections keep the file.
    Memory(
        PathBuf,
        #[expect(dead_code, reason = "dropping it unlinks")] tempfile::TempDir,
    ),
}

impl Opening {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path, _) | Self::Memory(path, _) => path,
        }
    }

    pub(super) fn into_lock(self) -> Option<Lock> {
        match self {
            Self::File(_, lock) => Some(lock),
            Self::Memory(..) => None,
        }
    }
}

/// Locks the file (or makes one that only this process will ever see).
pub(super) fn prepare(place: &Place) -> Result<Opening, OpenError> {
    match place {
        Place::File(path) => Ok(Opening::File(path.clone(), lock(path)?)),
        Place::Memory => {
            let directory = tempfile::Builder::new().prefix("cairn-").tempdir()?;
            Ok(Opening::Memory(directory.path().join("memory"), directory))
        }
    }
}

/// The lock is a file of its own: closing any handle of the database file would drop SQLite's locks on it.
fn lock(path: &Path) -> Result<Lock, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(path.to_owned())),
        Err(error) => Err(OpenError::Io(error.into())),
    }
}

/// A connection with its pragmas set and checked.
pub(super) fn open(path: &Path, options: &Options) -> Result<Connection, OpenError> {
    // No URI names: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(database)?;
    configure(&connection, options).map_err(database)?;
    if matches!(options.place, Place::File(_)) {
        check(&connection)?;
    }
    // The first read opens the WAL too, which an unlinked file needs while it still has a name.
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(database)?;
    Ok(connection)
}

fn configure(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous(&options.place))?;
    // KiB. The upper pages of all trees stay in memory.
    connection.pragma_update(None, "cache_size", -4_096)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    for (name, value) in &options.pragmas {
        connection.pragma_update(None, name, value)?;
    }
    // Checkpoints are the checkpoint thread's business.
    connection.pragma_update(None, "wal_autocheckpoint", 0)
}

fn synchronous(place: &Place) -> &'static str {
    match place {
        Place::Memory => "OFF",
        Place::File(_) if planted(Fault::SynchronousNormal) => "NORMAL",
        Place::File(_) => "FULL",
    }
}

/// Refuses pragmas under which an acknowledged write can be lost.
fn check(connection: &Connection) -> Result<(), OpenError> {
    let journal: String = pragma(connection, "journal_mode")?;
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(OpenError::Unsafe {
            setting: "journal_mode",
            value: journal,
            wanted: "WAL",
        });
    }
    let synchronous: i64 = pragma(connection, "synchronous")?;
    let name = ["OFF", "NORMAL", "FULL", "EXTRA"];
    if synchronous < 2 && !planted(Fault::SynchronousNormal) {
        return Err(OpenError::Unsafe {
            setting: "synchronous",
            value: usize::try_from(synchronous)
                .ok()
                .and_then(|at| name.get(at))
                .map_or_else(|| synchronous.to_string(), ToString::to_string),
            wanted: "FULL",
        });
    }
    Ok(())
}

fn pragma<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> Result<T, OpenError> {
    connection
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(database)
}

/// A connection beside the process that has the database, and the number of shards. Nothing of ours is set, locked or created.
pub(super) fn open_read_only(path: &Path) -> Result<(Connection, u32), OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(database)?;
    connection.busy_timeout(BUSY).map_err(database)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let found = number("SELECT coalesce(max(version), 0) FROM migrations").map_err(database)?;
    check_version(MIGRATIONS, found)?;
    let shards = number("SELECT count(*) FROM shards").map_err(database)?;
    Ok((connection, u32::try_from(shards).unwrap_or(u32::MAX)))
}

/// A connection that cannot write, whatever it is asked.
pub(super) fn only_reads(connection: &Connection) -> Result<(), OpenError> {
    // KiB. Each commit of the writer empties the cache of a reader, at a cost that grows with its size.
    connection
        .pragma_update(None, "cache_size", -512)
        .map_err(database)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(database)
}

/// Brings the tables up to date and answers how many shards there are: of a new database, as many as asked for.
pub(super) fn migrate(connection: &mut Connection, shards: u32) -> Result<u32, OpenError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(database)?;
    transaction
        .execute_batch("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY)")
        .map_err(database)?;
    let found = transaction
        .query_row(
            "SELECT coalesce(max(version), 0) FROM migrations",
            [],
            |row| row.get(0),
        )
        .map_err(database)?;
    for (version, migration) in missing(MIGRATIONS, found)? {
        transaction.execute_batch(migration).map_err(database)?;
        transaction
            .execute("INSERT INTO migrations (version) VALUES (?1)", [version])
            .map_err(database)?;
    }
    let created = create_shards(&transaction, shards).map_err(database)?;
    transaction.commit().map_err(database)?;
    Ok(created)
}

fn create_shards(connection: &Connection, shards: u32) -> rusqlite::Result<u32> {
    let count = || connection.query_row("SELECT count(*) FROM shards", [], |row| row.get(0));
    if count()? == 0 {
        let mut insert =
            connection.prepare("INSERT INTO shards (shard, epoch, owner) VALUES (?1, 0, '')")?;
        for shard in 0..shards {
            insert.execute([shard])?;
        }
    }
    count()
}

fn database(error: rusqlite::Error) -> OpenError {
    OpenError::Database(Box::new(error))
}
