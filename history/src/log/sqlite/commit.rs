//! One transaction of the writer, and what its failure means: refused, rolled back, unknown, or a failed sync.

use std::cell::Cell;

use rusqlite::{Connection, Error, ErrorCode, ffi};

use super::super::Failure;

thread_local! {
    /// The hook is a plain function, so it cannot hold its count itself.
    static WAL_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// Counts the pages of the WAL from now on.
pub(super) fn watch(writer: &Connection) {
    writer.wal_hook(Some(|_, pages| {
        WAL_PAGES.set(pages);
        Ok(())
    }));
}

/// Pages in the WAL after the last commit on this thread.
pub(super) fn wal_pages() -> i32 {
    WAL_PAGES.get()
}

/// Runs `write` in a transaction. An error says what is known of it.
pub(super) fn transaction<T>(
    writer: &Connection,
    write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, Failure> {
    if !writer.is_autocommit() {
        // A rollback failed before.
        execute(writer, "ROLLBACK").map_err(|error| failed_before_commit(error, Ok(())))?;
    }
    execute(writer, "BEGIN IMMEDIATE").map_err(|error| failed_before_commit(error, Ok(())))?;
    let done = write(writer).map_err(|error| failed_before_commit(error, roll_back(writer)))?;
    execute(writer, "COMMIT").map_err(|error| failed_in_commit(error, writer))?;
    Ok(done)
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Some errors have rolled back already.
fn roll_back(writer: &Connection) -> rusqlite::Result<()> {
    if writer.is_autocommit() {
        return Ok(());
    }
    execute(writer, "ROLLBACK")
}

/// Nothing is committed before COMMIT, whatever became of the rollback: a transaction left open is rolled back before the
/// next one begins, or with the connection.
fn failed_before_commit(error: Error, rolled_back: rusqlite::Result<()>) -> Failure {
    if let Err(error) = rolled_back {
        tracing::warn!(error = &error as &dyn std::error::Error, "rollback failed");
    }
    if is_sync(&error) {
        Failure::Sync(Box::new(error))
    } else if is_refusal(&error) {
        Failure::Refused(Box::new(error))
    } else {
        Failure::RolledBack(Box::new(error))
    }
}

/// Busy and full leave the transaction to us; after anything else the commit frame may be in the WAL, where a restart finds it.
fn failed_in_commit(error: Error, writer: &Connection) -> Failure {
    let rolled_back = roll_back(writer);
    if is_sync(&error) {
        return Failure::Sync(Box::new(error));
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) if rolled_back.is_ok() => {
            Failure::Refused(Box::new(error))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull)
            if rolled_back.is_ok() =>
        {
            Failure::RolledBack(Box::new(error))
        }
        _ => Failure::Unknown(Box::new(error)),
    }
}

/// The batch itself is at fault: a constraint, or a value that SQLite cannot hold.
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::ToSqlConversionFailure(_) | Error::QueryReturnedNoRows => true,
        _ => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
        ),
    }
}

/// After a failed fsync nobody knows what the disk holds; trying again could succeed and mean nothing.
pub(super) fn is_sync(error: &Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        matches!(
            error.extended_code,
            ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC
        )
    })
}
