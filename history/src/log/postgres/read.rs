//! Reads, on any connection of the pool.

use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::query::Query as Statement;
use sqlx::{AssertSqlSafe, Error, PgExecutor, Row as _};

use super::super::visibility::{Position, Query, sql};
use super::super::{
    Found, Fragment, Namespace, PAGE_BYTES, Parked, ReadError, Record, Row, Stored, WakeUp,
};
use super::rows::{self, Columns};
use crate::id::{Key, RunId, ShardId, Time};
use crate::kind::Queue;

type Result<T> = std::result::Result<T, Error>;

/// What a failed read means to the caller.
pub(super) fn error(error: Error) -> ReadError {
    match error {
        Error::ColumnDecode { .. } | Error::Decode(_) => ReadError::Corrupt(error.to_string()),
        _ => ReadError::Unavailable(error.into()),
    }
}

pub(super) async fn all<T>(
    executor: impl PgExecutor<'_>,
    statement: Statement<'_, sqlx::Postgres, PgArguments>,
    read: impl FnMut(&PgRow) -> Result<T>,
) -> Result<Vec<T>> {
    let rows = statement.fetch_all(executor).await?;
    rows.iter().map(read).collect()
}

pub(super) async fn one<T>(
    executor: impl PgExecutor<'_>,
    statement: Statement<'_, sqlx::Postgres, PgArguments>,
    read: impl FnOnce(&PgRow) -> Result<T>,
) -> Result<Option<T>> {
    let row = statement.fetch_optional(executor).await?;
    row.as_ref().map(read).transpose()
}

/// PostgreSQL counts in `i64`.
pub(super) fn count_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) async fn find(
    pool: &PgPool,
    key: &Key,
    start_request_id: Option<&str>,
) -> Result<Found> {
    let statement = sqlx::query(include_str!("queries/find.sql"))
        .bind(&key.namespace.0[..])
        .bind(key.workflow_id.as_bytes())
        // Equal to nothing if it is absent.
        .bind(start_request_id.map(str::as_bytes));
    let rows = all(pool, statement, |row| {
        Ok((row.try_get::<bool, _>(23)?, rows::run(row)?))
    });
    let mut found = Found::default();
    for (is_repeated, row) in rows.await? {
        if is_repeated {
            found.repeated = Some(row);
        } else {
            found.current = Some(row);
        }
    }
    Ok(found)
}

pub(super) async fn load(pool: &PgPool, run: RunId) -> Result<Option<Stored>> {
    // All tables at the same moment.
    let mut moment = pool
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let id = &run.0[..];
    let statement = sqlx::query(include_str!("queries/row.sql")).bind(id);
    let Some(row) = one(&mut *moment, statement, rows::run).await? else {
        return Ok(None);
    };
    let statement = sqlx::query(include_str!("queries/snapshot.sql")).bind(id);
    let snapshot = one(&mut *moment, statement, rows::snapshot).await?;
    let (seq, first_event_id) = match &snapshot {
        Some((snapshot, behind)) => (i64::try_from(snapshot.seq).unwrap_or(i64::MAX), *behind),
        None => (-1, i64::MIN),
    };
    let records = behind(&mut *moment, run, first_event_id, seq).await?;
    let statement = sqlx::query(include_str!("queries/heartbeats.sql")).bind(id);
    let heartbeats = all(&mut *moment, statement, rows::heartbeat).await?;
    moment.commit().await?;
    Ok(Some(Stored {
        row,
        snapshot: snapshot.map(|(snapshot, _)| snapshot),
        records,
        heartbeats,
    }))
}

pub(super) async fn records(pool: &PgPool, run: RunId) -> Result<Vec<Record>> {
    behind(pool, run, i64::MIN, -1).await
}

pub(super) async fn behind(
    connection: impl sqlx::PgExecutor<'_>,
    run: RunId,
    first_event_id: i64,
    seq: i64,
) -> Result<Vec<Record>> {
    let statement = sqlx::query(include_str!("queries/records.sql"))
        .bind(&run.0[..])
        .bind(first_event_id)
        .bind(seq);
    all(connection, statement, rows::record).await
}

pub(super) async fn page(
    pool: &PgPool,
    run: RunId,
    from: i64,
    to: i64,
    limit: usize,
) -> Result<Vec<Fragment>> {
    let statement = sqlx::query(include_str!("queries/page.sql"))
        .bind(&run.0[..])
        .bind(from.max(1))
        .bind(to)
        .bind(count_of(limit))
        .bind(count_of(PAGE_BYTES));
    all(pool, statement, rows::fragment).await
}

pub(super) async fn page_reverse(
    pool: &PgPool,
    run: RunId,
    below: i64,
    limit: usize,
) -> Result<Vec<Fragment>> {
    let statement = sqlx::query(include_str!("queries/page_reverse.sql"))
        .bind(&run.0[..])
        .bind(below)
        .bind(count_of(limit))
        .bind(count_of(PAGE_BYTES));
    all(pool, statement, rows::fragment).await
}

pub(super) async fn wake_ups(
    pool: &PgPool,
    shard: ShardId,
    horizon: Time,
    after: Option<(Time, RunId)>,
    limit: usize,
) -> Result<Vec<WakeUp>> {
    // No run id is as small as none at all.
    let (time, run) = after
        .as_ref()
        .map_or((i64::MIN, &[][..]), |(time, run)| (time.0, &run.0));
    let statement = sqlx::query(include_str!("queries/wake_ups.sql"))
        .bind(i64::from(shard.0))
        .bind(horizon.0)
        .bind(time)
        .bind(run)
        .bind(count_of(limit));
    all(pool, statement, rows::wake_up).await
}

pub(super) async fn parked(
    pool: &PgPool,
    shard: ShardId,
    queue: &Queue,
    after: Option<&Parked>,
    limit: usize,
) -> Result<Vec<Parked>> {
    let (work, sticky, sticky_of) = rows::queue_key(queue);
    let (priority, pass, time, run) = after.map_or((-1, 0, 0, &[][..]), |after| {
        (
            i16::from(after.priority),
            after.pass,
            after.time.0,
            &after.run.0,
        )
    });
    let statement = sqlx::query(include_str!("queries/parked.sql"))
        .bind(i64::from(shard.0))
        .bind(&queue.namespace.0[..])
        .bind(queue.name.as_bytes())
        .bind(work)
        .bind(sticky)
        .bind(sticky_of.as_bytes())
        .bind(priority)
        .bind(pass)
        .bind(time)
        .bind(run)
        .bind(count_of(limit));
    all(pool, statement, |row| rows::parked(row, queue)).await
}

pub(super) async fn parked_queues(
    pool: &PgPool,
    shard: ShardId,
) -> Result<Vec<(Queue, u64, Time)>> {
    let statement = sqlx::query(include_str!("queries/parked_queues.sql")).bind(i64::from(shard.0));
    all(pool, statement, rows::parked_queue).await
}

/// A statement with its parameters. Its text is ours: what users wrote is in the parameters.
fn bound(statement: sql::Statement) -> Statement<'static, sqlx::Postgres, PgArguments> {
    let query = sqlx::query(AssertSqlSafe(statement.text));
    statement
        .values
        .into_iter()
        .fold(query, |query, value| match value {
            sql::Bound::Text(text) => query.bind(text.into_bytes()),
            sql::Bound::Int(number) => query.bind(number),
            sql::Bound::Bytes(bytes) => query.bind(bytes.to_vec()),
            sql::Bound::Ordered(bytes) => query.bind(bytes.to_vec()),
        })
}

pub(super) async fn list(
    pool: &PgPool,
    query: &Query,
    after: Option<&Position>,
    limit: usize,
) -> Result<Vec<Row>> {
    let statement = sql::list(sql::Dialect::Postgres, query, after, count_of(limit));
    all(pool, bound(statement), rows::run).await
}

pub(super) async fn count(pool: &PgPool, query: &Query, grouped: bool) -> Result<Vec<(i32, i64)>> {
    let statement = sql::count(sql::Dialect::Postgres, query, grouped);
    all(pool, bound(statement), |row| {
        Ok((row.try_get(0)?, row.try_get(1)?))
    })
    .await
}

pub(super) async fn namespaces(pool: &PgPool) -> Result<Vec<Namespace>> {
    let statement = sqlx::query(include_str!("queries/namespaces.sql"));
    all(pool, statement, |row| {
        let row = Columns(row);
        Ok(Namespace {
            id: row.namespace_id(0)?,
            name: row.text(1)?,
            record: row.bytes(2)?,
        })
    })
    .await
}

pub(super) async fn ping(pool: &PgPool) -> Result<()> {
    one(pool, sqlx::query("SELECT 1"), |_| Ok(()))
        .await
        .map(|_| ())
}
