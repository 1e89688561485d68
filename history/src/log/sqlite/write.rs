//! What a transaction writes: single-row prepared statements, which are the fastest that SQLite has to offer.

use rusqlite::{Connection, Error, OptionalExtension, ToSql, params};

use super::super::net::{Net, Run};
use super::super::{Committed, Namespace, Parked, Record, Row, ShardBatch, Snapshot};
use super::rows::queue_key;
use crate::id::{Epoch, RunId, ShardId};
use crate::planted::{Fault, planted};
use crate::search_attribute::Term;

type Result<T> = rusqlite::Result<T>;

/// A value that no column can hold: the batch is refused.
fn integer(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

fn run(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<usize> {
    connection.prepare_cached(sql)?.execute(values)
}

pub(super) fn take_over(connection: &Connection, shard: ShardId, owner: &str) -> Result<Epoch> {
    connection
        .prepare_cached(include_str!("queries/take_over.sql"))?
        .query_row(params![shard.0, owner], |row| row.get::<_, i64>(0))
        .map(|epoch| Epoch(epoch.unsigned_abs()))
}

pub(super) fn take_from(
    connection: &Connection,
    shard: ShardId,
    owner: &str,
    from: Epoch,
) -> Result<Option<Epoch>> {
    connection
        .prepare_cached(include_str!("queries/take_from.sql"))?
        .query_row(params![shard.0, owner, integer(from.0)?], |row| {
            row.get::<_, i64>(0)
        })
        .map(|epoch| Epoch(epoch.unsigned_abs()))
        .optional()
}

pub(super) fn release(connection: &Connection, shard: ShardId, epoch: Epoch) -> Result<()> {
    let sql = include_str!("queries/release.sql");
    run(connection, sql, &[&shard.0, &integer(epoch.0)?]).map(|_| ())
}

/// Writes what the shards that still own their epoch have, and says which do not.
pub(super) fn batches(connection: &Connection, batches: &[ShardBatch]) -> Result<Committed> {
    let mut committed = Committed::default();
    for batch in batches {
        if !owns(connection, batch)?
            && !planted(Fault::NoEpochProof)
            && !committed.lost.contains(&batch.shard)
        {
            committed.lost.push(batch.shard);
        }
    }
    let net = Net::of(
        batches
            .iter()
            .filter(|batch| !committed.lost.contains(&batch.shard)),
    );
    write(connection, &net)?;
    Ok(committed)
}

fn owns(connection: &Connection, batch: &ShardBatch) -> Result<bool> {
    let mut epoch = connection.prepare_cached(include_str!("queries/epoch.sql"))?;
    let mut rows = epoch.query([batch.shard.0])?;
    let stored: Option<i64> = rows.next()?.map(|row| row.get(0)).transpose()?;
    Ok(stored.and_then(|epoch| u64::try_from(epoch).ok()) == Some(batch.epoch.0))
}

fn write(connection: &Connection, net: &Net<'_>) -> Result<()> {
    for (id, run) in &net.runs {
        if run.deleted {
            delete(connection, *id)?;
        }
        for record in &run.records {
            append(connection, *id, record)?;
        }
    }
    if planted(Fault::RowOutsideTransaction) {
        connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
    }
    for (run, row) in net.rows().into_iter().flatten() {
        put_row(connection, run, row)?;
    }
    for (id, wake_at) in net.wakes() {
        let sql = include_str!("queries/set_wake.sql");
        self::run(connection, sql, params![id.0, wake_at.map(|at| at.0)])?;
    }
    for (shard, stale) in &net.unparked {
        park(
            connection,
            include_str!("queries/unpark.sql"),
            *shard,
            stale,
        )?;
    }
    for (id, run) in &net.runs {
        put_rest(connection, *id, run)?;
    }
    Ok(())
}

fn append(connection: &Connection, id: RunId, record: &Record) -> Result<()> {
    let values = params![
        id.0,
        record.first_event_id,
        integer(record.seq)?,
        integer(record.epoch.0)?,
        record.time.0,
        record.event_count,
        record.chain,
        &record.changes[..],
        &record.events[..],
    ];
    run(
        connection,
        include_str!("queries/insert_record.sql"),
        values,
    )
    .map(|_| ())
}

fn put_row(connection: &Connection, run: &Run<'_>, row: &Row) -> Result<()> {
    let values = params![
        row.run.0,
        row.namespace.0,
        row.kind,
        row.workflow_id,
        integer(row.nth)?,
        row.start_request_id,
        row.first_run.0,
        row.status,
        row.workflow_type,
        row.task_queue,
        row.start_time.0,
        row.execution_time.0,
        row.close_time.map(|at| at.0),
        row.history_length,
        row.history_size_bytes,
        row.state_transition_count,
        row.parent.as_ref().map(|(id, _)| id),
        row.parent.as_ref().map(|(_, run)| run.0),
        row.root.as_ref().map(|(id, _)| id),
        row.root.as_ref().map(|(_, run)| run.0),
        &row.memo[..],
        &row.search_attributes[..],
        row.workers,
        run.shard.0,
        run.wake.flatten().map(|at| at.0),
    ];
    self::run(connection, include_str!("queries/put_row.sql"), values).map(|_| ())
}

/// What hangs on a run besides its row and its log.
fn put_rest(connection: &Connection, id: RunId, run: &Run<'_>) -> Result<()> {
    if let Some(terms) = run.terms {
        put_terms(connection, id, terms)?;
    }
    if let Some(Snapshot { seq, chain, state }) = run.snapshot {
        let values = params![id.0, integer(*seq)?, chain, &state[..]];
        self::run(connection, include_str!("queries/put_snapshot.sql"), values)?;
    }
    if let Some(parked) = &run.parked {
        self::run(
            connection,
            include_str!("queries/unpark_run.sql"),
            params![id.0],
        )?;
        for parked in parked {
            park(
                connection,
                include_str!("queries/park.sql"),
                run.shard,
                parked,
            )?;
        }
    }
    for (scheduled_event_id, details) in &run.heartbeats {
        if details.is_empty() {
            let sql = include_str!("queries/forget_heartbeat.sql");
            self::run(connection, sql, params![id.0, scheduled_event_id])?;
        } else {
            let sql = include_str!("queries/put_heartbeat.sql");
            self::run(
                connection,
                sql,
                params![id.0, scheduled_event_id, &details[..]],
            )?;
        }
    }
    Ok(())
}

/// Replaces what a run is found by.
fn put_terms(connection: &Connection, id: RunId, terms: &[Term]) -> Result<()> {
    let sql = include_str!("queries/forget_terms.sql");
    run(connection, sql, params![id.0])?;
    for Term { attribute, value } in terms {
        let sql = include_str!("queries/put_term.sql");
        run(connection, sql, params![attribute, &value[..], id.0])?;
    }
    Ok(())
}

/// Parks or unparks: both name every column of the key.
fn park(connection: &Connection, sql: &str, shard: ShardId, parked: &Parked) -> Result<()> {
    let (work, sticky, sticky_of) = queue_key(&parked.queue);
    let values = params![
        shard.0,
        parked.queue.namespace.0,
        parked.queue.name,
        work,
        sticky,
        sticky_of,
        parked.priority,
        parked.pass,
        parked.time.0,
        parked.run.0,
    ];
    run(connection, sql, values).map(|_| ())
}

fn delete(connection: &Connection, id: RunId) -> Result<()> {
    for sql in [
        include_str!("queries/delete_log.sql"),
        include_str!("queries/delete_runs.sql"),
        include_str!("queries/delete_snapshots.sql"),
        include_str!("queries/delete_heartbeats.sql"),
        include_str!("queries/forget_terms.sql"),
        include_str!("queries/unpark_run.sql"),
    ] {
        run(connection, sql, params![id.0])?;
    }
    Ok(())
}

pub(super) fn namespace(
    connection: &Connection,
    namespace: &Namespace,
    before: Option<&[u8]>,
) -> Result<bool> {
    let Namespace { id, name, record } = namespace;
    let values = params![id.0, name, &record[..], before];
    run(
        connection,
        include_str!("queries/put_namespace.sql"),
        values,
    )
    .map(|written| written > 0)
}

pub(super) fn setting(connection: &Connection, name: &str, fresh: &[u8]) -> Result<Vec<u8>> {
    run(
        connection,
        include_str!("queries/offer_setting.sql"),
        params![name, fresh],
    )?;
    connection
        .prepare_cached(include_str!("queries/setting.sql"))?
        .query_row([name], |row| row.get(0))
}
