//! Reads: each a short read transaction on a connection that cannot write.

use rusqlite::{Connection, Error, ErrorCode, Params, Row as SqlRow, params};

use super::super::visibility::{Position, Query, sql};
use super::super::{
    Found, Fragment, Namespace, PAGE_BYTES, Parked, ReadError, Record, Row, Stored, WakeUp,
};
use super::rows;
use crate::id::{Key, NamespaceId, RunId, ShardId, Time};
use crate::kind::Queue;

type Result<T> = rusqlite::Result<T>;

/// What a failed read means to the caller.
pub(super) fn error(error: Error) -> ReadError {
    let corrupt = match &error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => true,
        _ => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        ),
    };
    if corrupt {
        ReadError::Corrupt(error.to_string())
    } else {
        ReadError::Unavailable(Box::new(error))
    }
}

pub(super) fn all<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&SqlRow<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    connection
        .prepare_cached(sql)?
        .query_map(values, read)?
        .collect()
}

pub(super) fn one<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnOnce(&SqlRow<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    rows.next()?.map(read).transpose()
}

/// SQLite counts in `i64`.
pub(super) fn count_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn find(
    connection: &Connection,
    key: &Key,
    start_request_id: Option<&str>,
) -> Result<Found> {
    let snapshot = connection.unchecked_transaction()?;
    let (namespace, id) = (key.namespace.0, &key.workflow_id);
    let current = one(
        &snapshot,
        include_str!("queries/current.sql"),
        params![namespace, id],
        rows::run,
    )?;
    let repeated = match start_request_id {
        // Nothing is kept of an id without a run.
        Some(request) if current.is_some() => one(
            &snapshot,
            include_str!("queries/repeated.sql"),
            params![namespace, id, request],
            rows::run,
        )?,
        _ => None,
    };
    Ok(Found { current, repeated })
}

pub(super) fn load(connection: &Connection, run: RunId) -> Result<Option<Stored>> {
    let moment = connection.unchecked_transaction()?;
    let run = params![run.0];
    let Some(row) = one(&moment, include_str!("queries/row.sql"), run, rows::run)? else {
        return Ok(None);
    };
    let snapshot = one(
        &moment,
        include_str!("queries/snapshot.sql"),
        run,
        rows::snapshot,
    )?;
    let (seq, first_event_id) = match &snapshot {
        Some((snapshot, behind)) => (count_of_seq(snapshot.seq), *behind),
        None => (-1, i64::MIN),
    };
    let records = behind(&moment, row.run, first_event_id, seq)?;
    let heartbeats = all(
        &moment,
        include_str!("queries/heartbeats.sql"),
        run,
        rows::heartbeat,
    )?;
    Ok(Some(Stored {
        row,
        snapshot: snapshot.map(|(snapshot, _)| snapshot),
        records,
        heartbeats,
    }))
}

/// A sequence number that came out of the database fits back into it.
fn count_of_seq(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(super) fn records(connection: &Connection, run: RunId) -> Result<Vec<Record>> {
    behind(connection, run, i64::MIN, -1)
}

fn behind(
    connection: &Connection,
    run: RunId,
    first_event_id: i64,
    seq: i64,
) -> Result<Vec<Record>> {
    all(
        connection,
        include_str!("queries/records.sql"),
        params![run.0, first_event_id, seq],
        rows::record,
    )
}

pub(super) fn page(
    connection: &Connection,
    run: RunId,
    from: i64,
    to: i64,
    limit: usize,
) -> Result<Vec<Fragment>> {
    fragments(
        connection,
        include_str!("queries/page.sql"),
        params![run.0, from.max(1), to, count_of(limit)],
    )
}

pub(super) fn page_reverse(
    connection: &Connection,
    run: RunId,
    below: i64,
    limit: usize,
) -> Result<Vec<Fragment>> {
    fragments(
        connection,
        include_str!("queries/page_reverse.sql"),
        params![run.0, below, count_of(limit)],
    )
}

/// As many as fit on a page, and at least one.
fn fragments(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<Fragment>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE_BYTES
        && let Some(row) = rows.next()?
    {
        let fragment = rows::fragment(row)?;
        bytes += fragment.events.len();
        page.push(fragment);
    }
    Ok(page)
}

pub(super) fn wake_ups(
    connection: &Connection,
    shard: ShardId,
    horizon: Time,
    after: Option<(Time, RunId)>,
    limit: usize,
) -> Result<Vec<WakeUp>> {
    // No run id is as small as none at all.
    let (time, run) = after
        .as_ref()
        .map_or((i64::MIN, &[][..]), |(time, run)| (time.0, &run.0));
    all(
        connection,
        include_str!("queries/wake_ups.sql"),
        params![shard.0, horizon.0, time, run, count_of(limit)],
        rows::wake_up,
    )
}

pub(super) fn parked(
    connection: &Connection,
    shard: ShardId,
    queue: &Queue,
    after: Option<&Parked>,
    limit: usize,
) -> Result<Vec<Parked>> {
    let (work, sticky, sticky_of) = rows::queue_key(queue);
    let (priority, pass, time, run) = after.map_or((-1, 0, 0, &[][..]), |after| {
        (
            i64::from(after.priority),
            after.pass,
            after.time.0,
            &after.run.0,
        )
    });
    let values = params![
        shard.0,
        queue.namespace.0,
        queue.name,
        work,
        sticky,
        sticky_of,
        priority,
        pass,
        time,
        run,
        count_of(limit),
    ];
    all(
        connection,
        include_str!("queries/parked.sql"),
        values,
        |row| rows::parked(row, queue),
    )
}

pub(super) fn parked_queues(
    connection: &Connection,
    shard: ShardId,
) -> Result<Vec<(Queue, u64, Time)>> {
    let sql = include_str!("queries/parked_queues.sql");
    all(connection, sql, [shard.0], |row| {
        let count: i64 = row.get(5)?;
        Ok((rows::queue(row)?, count.unsigned_abs(), Time(row.get(6)?)))
    })
}

pub(super) fn namespaces(connection: &Connection) -> Result<Vec<Namespace>> {
    all(
        connection,
        include_str!("queries/namespaces.sql"),
        [],
        |row| {
            Ok(Namespace {
                id: NamespaceId(row.get(0)?),
                name: row.get(1)?,
                record: row.get::<_, Vec<u8>>(2)?.into(),
            })
        },
    )
}

pub(super) fn ping(connection: &Connection) -> Result<()> {
    one(connection, include_str!("queries/ping.sql"), [], |_| Ok(())).map(|_| ())
}

pub(super) fn list(
    connection: &Connection,
    query: &Query,
    after: Option<&Position>,
    limit: usize,
) -> Result<Vec<Row>> {
    let sql::Statement { text, values } =
        sql::list(sql::Dialect::Sqlite, query, after, count_of(limit));
    all(
        connection,
        &text,
        rusqlite::params_from_iter(values),
        rows::run,
    )
}

pub(super) fn count(
    connection: &Connection,
    query: &Query,
    grouped: bool,
) -> Result<Vec<(i32, i64)>> {
    let sql::Statement { text, values } = sql::count(sql::Dialect::Sqlite, query, grouped);
    all(
        connection,
        &text,
        rusqlite::params_from_iter(values),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

impl rusqlite::ToSql for sql::Bound {
    fn to_sql(&self) -> Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Int(number) => number.to_sql(),
            Self::Bytes(bytes) => bytes.to_sql(),
            Self::Ordered(bytes) => Ok((&bytes[..]).into()),
        }
    }
}
