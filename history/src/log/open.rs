//! Opening a database: the migrations both databases share, and why opening is refused.

use std::path::PathBuf;

use super::Cause;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the database.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A newer release has migrated the database.
    #[error(
        "the database is at version {found}, this release knows versions up to {known}: run the release that wrote it, or a later one"
    )]
    Newer { found: i64, known: i64 },
    /// An older release has written the database, and nothing may be migrated now.
    #[error(
        "the database is at version {found}, this release reads version {known}: serve it once with this release"
    )]
    Older { found: i64, known: i64 },
    /// A setting under which acknowledged writes can be lost.
    #[error("`{setting}` is `{value}`: acknowledged writes could be lost, {wanted} is needed")]
    Unsafe {
        setting: &'static str,
        value: String,
        wanted: &'static str,
    },
    /// The number of shards is out of bounds.
    #[error("a database has between 1 and {most} shards, not {asked}")]
    Shards { asked: u32, most: u32 },
    #[error("the files of the database cannot be used")]
    Io(#[from] std::io::Error),
    #[error("the database cannot be opened")]
    Database(#[source] Cause),
}

/// The most shards a database can have: each costs a row, an epoch and an owner.
pub(super) const SHARDS_MAX: u32 = 16_384;

/// Is this a number of shards that a database can be created with?
pub(super) fn check_shards(asked: u32) -> Result<u32, OpenError> {
    match asked {
        1..=SHARDS_MAX => Ok(asked),
        _ => Err(OpenError::Shards {
            asked,
            most: SHARDS_MAX,
        }),
    }
}

/// Can a database at version `found` be read as it is?
pub(super) fn check_version(all: &'static [&'static str], found: i64) -> Result<(), OpenError> {
    let known = i64::try_from(all.len()).unwrap_or(i64::MAX);
    match missing(all, found)?.next() {
        Some(_) => Err(OpenError::Older { found, known }),
        None => Ok(()),
    }
}

/// The migrations of `all` that a database at version `found` still needs, each with its version.
pub(super) fn missing(
    all: &'static [&'static str],
    found: i64,
) -> Result<impl Iterator<Item = (i64, &'static str)>, OpenError> {
    let known = i64::try_from(all.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    Ok((1..)
        .zip(all.iter().copied())
        .filter(move |(version, _)| *version > found))
}
