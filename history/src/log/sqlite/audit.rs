//! What the auditor reads, also beside the process that owns the file: for that the database is opened read-only, without its lock.
//!
//! A run is read in one transaction, and no transaction is longer than that: a checkpoint of the WAL does not wait for an audit.

use std::path::Path;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::{Connection, params};

use super::super::open::OpenError;
use super::super::whole::RIVALS_MAX;
use super::super::{Audit, Filed, ReadError, Whole};
use super::read::{all, count_of, error, one};
use super::{connection, read, rows};
use crate::id::{Epoch, RunId, ShardId, Time};

type Result<T> = rusqlite::Result<T>;

/// A SQLite database that somebody else may be writing to.
#[derive(Debug)]
pub struct ReadOnly {
    shards: u32,
    connection: Mutex<Connection>,
}

impl ReadOnly {
    /// Opens a database that is there. Nothing is created, migrated or locked.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        let (connection, shards) = connection::open_read_only(path)?;
        Ok(Self {
            shards,
            connection: Mutex::new(connection),
        })
    }

    /// How many shards this database was created with.
    pub fn shards(&self) -> u32 {
        self.shards
    }
}

#[async_trait]
impl Audit for ReadOnly {
    async fn next_run(
        &self,
        after: Option<RunId>,
    ) -> std::result::Result<Option<RunId>, ReadError> {
        next_run(&self.connection.lock(), after).map_err(error)
    }

    async fn whole(&self, run: RunId) -> std::result::Result<Whole, ReadError> {
        whole(&self.connection.lock(), run).map_err(error)
    }
}

pub(super) fn next_run(connection: &Connection, after: Option<RunId>) -> Result<Option<RunId>> {
    // No run id is as small as none at all.
    let after = after.as_ref().map_or(&[][..], |run| &run.0);
    one(
        connection,
        include_str!("queries/next_run.sql"),
        params![after],
        |row| Ok(RunId(row.get(0)?)),
    )
}

pub(super) fn whole(connection: &Connection, run: RunId) -> Result<Whole> {
    let moment = connection.unchecked_transaction()?;
    Ok(Whole {
        filed: filed(&moment, run)?,
        records: read::records(&moment, run)?,
        snapshot: one(
            &moment,
            include_str!("queries/snapshot.sql"),
            params![run.0],
            rows::snapshot,
        )?,
        heartbeats: all(
            &moment,
            include_str!("queries/heartbeats.sql"),
            params![run.0],
            rows::heartbeat,
        )?,
        terms: all(
            &moment,
            include_str!("queries/terms.sql"),
            params![run.0],
            rows::term,
        )?,
        parked: all(
            &moment,
            include_str!("queries/parked_of_run.sql"),
            params![run.0],
            rows::parked_of_run,
        )?,
    })
}

fn filed(moment: &Connection, run: RunId) -> Result<Option<Filed>> {
    let found = one(
        moment,
        include_str!("queries/filed.sql"),
        params![run.0],
        |row| {
            let epoch = row.get::<_, Option<i64>>(25)?.map(i64::unsigned_abs);
            let wake_at = row.get::<_, Option<i64>>(24)?.map(Time);
            let shard = ShardId(row.get(23)?);
            Ok((rows::run(row)?, shard, wake_at, epoch.map(Epoch)))
        },
    )?;
    let Some((row, shard, wake_at, epoch)) = found else {
        return Ok(None);
    };
    let (namespace, id) = (row.namespace.0, &row.workflow_id);
    let run_id = |row: &rusqlite::Row<'_>| Ok(RunId(row.get(0)?));
    let current = one(
        moment,
        include_str!("queries/current.sql"),
        params![namespace, id],
        run_id,
    )?;
    let rivals = all(
        moment,
        include_str!("queries/rivals.sql"),
        params![namespace, row.kind, id, run.0, count_of(RIVALS_MAX)],
        run_id,
    )?;
    Ok(Some(Filed {
        row,
        shard,
        wake_at,
        epoch,
        current: current.unwrap_or(run),
        rivals,
    }))
}
