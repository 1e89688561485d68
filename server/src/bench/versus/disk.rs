//! The disk under the comparison: that it is one, how fast it syncs, and what the servers left on it.
//!
//! Deliberately absent: `synchronous`. It belongs to a connection and is not in the file; the options say what was asked for.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{fdatasync, statfs};
use serde::Serialize;

const TMPFS: i64 = 0x0102_1994;
const RAMFS: i64 = 0x8584_58f6;
const SYNC_FOR: Duration = Duration::from_secs(1);

/// What a stopped server left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Database {
    pub(crate) journal_mode: String,
    pub(crate) page_size: i64,
    pub(crate) bytes: u64,
}

impl Database {
    /// Nothing if there is no readable database.
    pub(crate) fn open(file: &Path) -> Option<Self> {
        let bytes = fs::metadata(file).ok()?.len();
        let connection =
            Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        let journal_mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0));
        let page_size = connection.query_row("PRAGMA page_size", [], |row| row.get(0));
        Some(Self {
            journal_mode: journal_mode.ok()?,
            page_size: page_size.ok()?,
            bytes,
        })
    }
}

/// A database in memory would compare something else.
pub(crate) fn refuse_memory(folder: &Path) -> anyhow::Result<()> {
    let found = statfs(folder).with_context(|| format!("{} cannot be used", folder.display()))?;
    if is_memory(found.f_type) {
        bail!(
            "{} is in memory; --dir names a folder on a disk",
            folder.display()
        );
    }
    Ok(())
}

fn is_memory(filesystem: i64) -> bool {
    [TMPFS, RAMFS].contains(&filesystem)
}

/// How often 4 KiB can be appended and made durable.
pub(crate) fn syncs_per_second(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("sync");
    let mut file = File::create(&path).context("the folder cannot be written")?;
    let began = Instant::now();
    let mut syncs = 0;
    while began.elapsed() < SYNC_FOR {
        file.write_all(&[0x5a; 4096])?;
        fdatasync(&file)?;
        syncs += 1;
    }
    let rate = f64::from(syncs) / began.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// Makes room for the next round; what is left goes with the folder.
pub(crate) fn remove(file: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut path = file.as_os_str().to_owned();
        path.push(suffix);
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_mode_of_a_stopped_server_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let connection = Connection::open(&file).unwrap();
        let wal: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .unwrap();
        connection.execute("CREATE TABLE t (a)", []).unwrap();
        drop(connection);
        let database = Database::open(&file).unwrap();
        assert_eq!(
            (wal.as_str(), database.journal_mode.as_str()),
            ("wal", "wal")
        );
        assert!(database.bytes > 0);
        remove(&file);
        assert_eq!(Database::open(&file), None);
    }

    #[test]
    fn a_folder_in_memory_is_refused() {
        assert!(is_memory(0x0102_1994));
        assert!(!is_memory(0xef53)); // ext4
        assert!(refuse_memory(Path::new("/no such folder")).is_err());
    }
}
