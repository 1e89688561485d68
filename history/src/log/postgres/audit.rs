//! What the auditor reads, also beside the processes that own the database: for that it is opened for reading only.
//!
//! A run is read in one transaction, so a commit beside it is seen whole or not at all.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{Executor, Row as _};

use super::super::whole::RIVALS_MAX;
use super::super::{Audit, Filed, OpenError, ReadError, Whole};
use super::read::{all, count_of, error, one};
use super::rows::{self, Columns};
use super::{open, read};
use crate::id::{Epoch, RunId, ShardId, Time};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A PostgreSQL database that others may be writing to.
#[derive(Debug)]
pub struct ReadOnly {
    shards: u32,
    pool: PgPool,
}

impl ReadOnly {
    /// Connects to a database that is there. Nothing is created or migrated.
    pub async fn connect(url: &str, patience: Duration) -> std::result::Result<Self, OpenError> {
        let database = PgConnectOptions::from_str(url)
            .map_err(open::error)?
            .application_name("cairn verify");
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(patience)
            .after_connect(|connection, _| Box::pin(only_reads(connection)))
            .connect_lazy_with(database);
        let shards = open::check_read_only(&pool).await?;
        Ok(Self { shards, pool })
    }

    /// How many shards this database was created with.
    pub fn shards(&self) -> u32 {
        self.shards
    }
}

async fn only_reads(connection: &mut PgConnection) -> Result<()> {
    open::session(connection).await?;
    connection
        .execute("SET default_transaction_read_only = on")
        .await
        .map(|_| ())
}

#[async_trait]
impl Audit for ReadOnly {
    async fn next_run(
        &self,
        after: Option<RunId>,
    ) -> std::result::Result<Option<RunId>, ReadError> {
        next_run(&self.pool, after).await.map_err(error)
    }

    async fn whole(&self, run: RunId) -> std::result::Result<Whole, ReadError> {
        whole(&self.pool, run).await.map_err(error)
    }
}

pub(super) async fn next_run(pool: &PgPool, after: Option<RunId>) -> Result<Option<RunId>> {
    // No run id is as small as none at all.
    let after = after.as_ref().map_or(&[][..], |run| &run.0);
    let statement = sqlx::query(include_str!("queries/next_run.sql")).bind(after);
    one(pool, statement, |row| Columns(row).run_id(0)).await
}

pub(super) async fn whole(pool: &PgPool, run: RunId) -> Result<Whole> {
    let mut moment = pool
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let filed = filed(&mut moment, run).await?;
    let id = &run.0[..];
    let statement = sqlx::query(include_str!("queries/snapshot.sql")).bind(id);
    let snapshot = one(&mut *moment, statement, rows::snapshot).await?;
    let statement = sqlx::query(include_str!("queries/heartbeats.sql")).bind(id);
    let heartbeats = all(&mut *moment, statement, rows::heartbeat).await?;
    let statement = sqlx::query(include_str!("queries/parked_of_run.sql")).bind(id);
    let parked = all(&mut *moment, statement, rows::parked_of_run).await?;
    let statement = sqlx::query(include_str!("queries/terms.sql")).bind(id);
    let terms = all(&mut *moment, statement, rows::term).await?;
    let records = read::behind(&mut *moment, run, i64::MIN, -1).await?;
    moment.commit().await?;
    Ok(Whole {
        filed,
        records,
        snapshot,
        heartbeats,
        terms,
        parked,
    })
}

async fn filed(moment: &mut PgConnection, run: RunId) -> Result<Option<Filed>> {
    let statement = sqlx::query(include_str!("queries/filed.sql")).bind(&run.0[..]);
    let found = one(&mut *moment, statement, |row| {
        let shard = ShardId(Columns(row).number(23)?);
        let wake_at = row.try_get::<Option<i64>, _>(24)?.map(Time);
        let epoch = row.try_get::<Option<i64>, _>(25)?;
        let epoch = epoch.map(|epoch| Epoch(epoch.unsigned_abs()));
        Ok((rows::run(row)?, shard, wake_at, epoch))
    });
    let Some((row, shard, wake_at, epoch)) = found.await? else {
        return Ok(None);
    };
    let run_id = |row: &sqlx::postgres::PgRow| Columns(row).run_id(0);
    let statement = sqlx::query(include_str!("queries/current_run.sql"))
        .bind(&row.namespace.0[..])
        .bind(row.workflow_id.as_bytes());
    let current = one(&mut *moment, statement, run_id).await?;
    let statement = sqlx::query(include_str!("queries/rivals.sql"))
        .bind(&row.namespace.0[..])
        .bind(i16::from(row.kind))
        .bind(row.workflow_id.as_bytes())
        .bind(&run.0[..])
        .bind(count_of(RIVALS_MAX));
    let rivals = all(&mut *moment, statement, run_id).await?;
    Ok(Some(Filed {
        row,
        shard,
        wake_at,
        epoch,
        current: current.unwrap_or(run),
        rivals,
    }))
}
