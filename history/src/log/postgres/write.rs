//! What a transaction writes: one statement per table, whose parameters are columns (UNNEST), so that a group of a hundred
//! transitions costs hardly more round trips than one.

use sqlx::postgres::{PgArguments, PgConnection, PgPool};
use sqlx::query::Query;
use sqlx::{Error, PgExecutor};

use super::super::net::{Net, Run};
use super::super::{Committed, Namespace, Parked, Row, ShardBatch};
use super::rows::queue_key;
use crate::id::{Epoch, RunId, ShardId};
use crate::planted::{Fault, planted};

type Result<T> = std::result::Result<T, Error>;
type Statement<'a> = Query<'a, sqlx::Postgres, PgArguments>;

/// A value that no column can hold: the batch is refused.
fn integer(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|error| Error::Encode(error.into()))
}

/// One column of many rows.
fn column<T, V>(rows: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

async fn execute(connection: &mut PgConnection, statement: Statement<'_>) -> Result<()> {
    statement.execute(connection).await.map(|_| ())
}

pub(super) async fn take_over(
    connection: &mut PgConnection,
    shard: ShardId,
    owner: &str,
) -> Result<Epoch> {
    let epoch: i64 = sqlx::query_scalar(include_str!("queries/take_over.sql"))
        .bind(i64::from(shard.0))
        .bind(owner.as_bytes())
        .fetch_one(connection)
        .await?;
    Ok(Epoch(epoch.unsigned_abs()))
}

pub(super) async fn take_from(
    connection: &mut PgConnection,
    shard: ShardId,
    owner: &str,
    from: Epoch,
) -> Result<Option<Epoch>> {
    let epoch: Option<i64> = sqlx::query_scalar(include_str!("queries/take_from.sql"))
        .bind(i64::from(shard.0))
        .bind(owner.as_bytes())
        .bind(integer(from.0)?)
        .fetch_optional(connection)
        .await?;
    Ok(epoch.map(|epoch| Epoch(epoch.unsigned_abs())))
}

pub(super) async fn release(
    connection: &mut PgConnection,
    shard: ShardId,
    epoch: Epoch,
) -> Result<()> {
    let statement = sqlx::query(include_str!("queries/release.sql"))
        .bind(i64::from(shard.0))
        .bind(integer(epoch.0)?);
    execute(connection, statement).await
}

/// Which shards have lost their epoch, without a transaction: for batches that write nothing.
pub(super) async fn prove(pool: &PgPool, batches: &[ShardBatch]) -> Result<Committed> {
    lost(pool, include_str!("queries/epochs.sql"), batches).await
}

async fn lost(
    executor: impl PgExecutor<'_>,
    sql: &'static str,
    batches: &[ShardBatch],
) -> Result<Committed> {
    if batches.is_empty() {
        return Ok(Committed::default());
    }
    let rows: Vec<(i64, i64)> = sqlx::query_as(sql)
        .bind(column(batches, |batch| i64::from(batch.shard.0)))
        .fetch_all(executor)
        .await?;
    let mut committed = Committed::default();
    for batch in batches {
        let is_owned = rows.iter().any(|(shard, epoch)| {
            *shard == i64::from(batch.shard.0) && u64::try_from(*epoch) == Ok(batch.epoch.0)
        });
        if !is_owned && !planted(Fault::NoEpochProof) && !committed.lost.contains(&batch.shard) {
            committed.lost.push(batch.shard);
        }
    }
    Ok(committed)
}

/// Writes what the shards that still own their epoch have, and says which do not.
pub(super) async fn batches(
    connection: &mut PgConnection,
    batches: &[ShardBatch],
) -> Result<Committed> {
    let sql = if planted(Fault::EpochReadWithoutLock) {
        include_str!("queries/epochs.sql")
    } else {
        include_str!("queries/lock_epochs.sql")
    };
    let committed = lost(&mut *connection, sql, batches).await?;
    let net = Net::of(
        batches
            .iter()
            .filter(|batch| !committed.lost.contains(&batch.shard)),
    );
    delete(connection, &net).await?;
    append(connection, &net).await?;
    // One statement each: a unique index is checked row by row.
    for rows in net.rows() {
        put_rows(connection, &rows).await?;
    }
    set_wakes(connection, &net).await?;
    put_terms(connection, &net).await?;
    put_snapshots(connection, &net).await?;
    park(connection, &net).await?;
    put_heartbeats(connection, &net).await?;
    Ok(committed)
}

async fn delete(connection: &mut PgConnection, net: &Net<'_>) -> Result<()> {
    let gone: Vec<&[u8]> = net
        .runs
        .iter()
        .filter(|(_, run)| run.deleted)
        .map(|(id, _)| &id.0[..])
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    for sql in [
        include_str!("queries/delete_log.sql"),
        include_str!("queries/delete_runs.sql"),
        include_str!("queries/delete_snapshots.sql"),
        include_str!("queries/delete_heartbeats.sql"),
        include_str!("queries/forget_terms.sql"),
        include_str!("queries/unpark_runs.sql"),
    ] {
        execute(connection, sqlx::query(sql).bind(&gone)).await?;
    }
    Ok(())
}

async fn append(connection: &mut PgConnection, net: &Net<'_>) -> Result<()> {
    let records: Vec<_> = net
        .runs
        .iter()
        .flat_map(|(id, run)| run.records.iter().map(move |record| (id, *record)))
        .collect();
    if records.is_empty() {
        return Ok(());
    }
    let seqs: Vec<i64> = records
        .iter()
        .map(|(_, record)| integer(record.seq))
        .collect::<Result<_>>()?;
    let epochs: Vec<i64> = records
        .iter()
        .map(|(_, record)| integer(record.epoch.0))
        .collect::<Result<_>>()?;
    let statement = sqlx::query(include_str!("queries/insert_records.sql"))
        .bind(column(&records, |(id, _)| &id.0[..]))
        .bind(column(&records, |(_, record)| record.first_event_id))
        .bind(seqs)
        .bind(epochs)
        .bind(column(&records, |(_, record)| record.time.0))
        .bind(column(&records, |(_, record)| {
            i64::from(record.event_count)
        }))
        .bind(column(&records, |(_, record)| &record.chain[..]))
        .bind(column(&records, |(_, record)| &record.changes[..]))
        .bind(column(&records, |(_, record)| &record.events[..]));
    execute(connection, statement).await
}

async fn put_rows(connection: &mut PgConnection, rows: &[(&Run<'_>, &Row)]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let nths: Vec<i64> = rows
        .iter()
        .map(|(_, row)| integer(row.nth))
        .collect::<Result<_>>()?;
    let relative_id = |of: fn(&Row) -> &Option<(String, RunId)>| {
        column(rows, |(_, row)| {
            of(row).as_ref().map(|(id, _)| id.as_bytes())
        })
    };
    let relative_run = |of: fn(&Row) -> &Option<(String, RunId)>| {
        column(rows, |(_, row)| of(row).as_ref().map(|(_, run)| &run.0[..]))
    };
    let statement = sqlx::query(include_str!("queries/put_rows.sql"))
        .bind(column(rows, |(_, row)| &row.run.0[..]))
        .bind(column(rows, |(_, row)| &row.namespace.0[..]))
        .bind(column(rows, |(_, row)| i16::from(row.kind)))
        .bind(column(rows, |(_, row)| row.workflow_id.as_bytes()))
        .bind(nths)
        .bind(column(rows, |(_, row)| row.start_request_id.as_bytes()))
        .bind(column(rows, |(_, row)| &row.first_run.0[..]))
        .bind(column(rows, |(_, row)| row.status))
        .bind(column(rows, |(_, row)| row.workflow_type.as_bytes()))
        .bind(column(rows, |(_, row)| row.task_queue.as_bytes()))
        .bind(column(rows, |(_, row)| row.start_time.0))
        .bind(column(rows, |(_, row)| row.execution_time.0))
        .bind(column(rows, |(_, row)| row.close_time.map(|at| at.0)))
        .bind(column(rows, |(_, row)| row.history_length))
        .bind(column(rows, |(_, row)| row.history_size_bytes))
        .bind(column(rows, |(_, row)| row.state_transition_count))
        .bind(relative_id(|row| &row.parent))
        .bind(relative_run(|row| &row.parent))
        .bind(relative_id(|row| &row.root))
        .bind(relative_run(|row| &row.root))
        .bind(column(rows, |(_, row)| &row.memo[..]))
        .bind(column(rows, |(_, row)| &row.search_attributes[..]))
        .bind(column(rows, |(_, row)| row.workers.as_bytes()))
        .bind(column(rows, |(run, _)| i64::from(run.shard.0)))
        .bind(column(rows, |(run, _)| run.wake.flatten().map(|at| at.0)));
    execute(connection, statement).await
}

async fn set_wakes(connection: &mut PgConnection, net: &Net<'_>) -> Result<()> {
    let wakes: Vec<_> = net.wakes().collect();
    if wakes.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(include_str!("queries/set_wakes.sql"))
        .bind(column(&wakes, |(id, _)| id.0))
        .bind(column(&wakes, |(_, at)| at.map(|at| at.0)));
    execute(connection, statement).await
}

/// Replaces what runs are found by.
async fn put_terms(connection: &mut PgConnection, net: &Net<'_>) -> Result<()> {
    let with: Vec<_> = net
        .runs
        .iter()
        .filter_map(|(id, run)| Some((id, run.terms?)))
        .collect();
    if with.is_empty() {
        return Ok(());
    }
    let runs = column(&with, |(id, _)| &id.0[..]);
    let sql = include_str!("queries/forget_terms.sql");
    execute(connection, sqlx::query(sql).bind(runs)).await?;
    let terms: Vec<_> = with
        .iter()
        .flat_map(|(id, terms)| terms.iter().map(move |term| (id, term)))
        .collect();
    if terms.is_empty() {
        return Ok(());
    }
    let statement = sqlx::query(include_str!("queries/put_terms.sql"))
        .bind(column(&terms, |(_, term)| &term.attribute[..]))
        .bind(column(&terms, |(_, term)| &term.value[..]))
        .bind(column(&terms, |(id, _)| &id.0[..]));
    execute(connection, statement).await
}

async fn put_snapshots(connection: &mut PgConnection, net: &Net<'_>) -> Result<()> {
    let snapshots: Vec<_> = net
        .runs
        .iter()
        .filter_map(|(id, run)| Some((id, run.snapshot?)))
        .collect();
    if snapshots.is_empty() {
        return Ok(());
    }
    let seqs: Vec<i64> = snapshots
        .iter()
        .map(|(_, snapshot)| integer(snapshot.seq))
        .collect::<Result<_>>()?;
    let statement = sqlx::query(include_str!("queries/put_snapshots.sql"))
        .bind(column(&snapshots, |(id, _)| &id.0[..]))
        .bind(seqs)
        .bind(column(&snapshots, |(_, snapshot)| &snapshot.chain[..]))
        .bind(column(&snapshots, |(_, snapshot)| &snapshot.state[..]));
    execute(connection, statement).await
}

/// Stale offers go before others come.
async fn park(connection: &mut PgConnection, net: &Net<'_>) -> Result<()> {
    let stale: Vec<(ShardId, &Parked)> = net.unparked.iter().copied().collect();
    if !stale.is_empty() {
        let sql = include_str!("queries/unpark.sql");
        execute(connection, parked_columns(sqlx::query(sql), &stale)).await?;
    }
    let with: Vec<_> = net
        .runs
        .iter()
        .filter_map(|(id, run)| Some((id, run.shard, run.parked.as_ref()?)))
        .collect();
    if with.is_empty() {
        return Ok(());
    }
    let replaced = column(&with, |(id, ..)| &id.0[..]);
    let sql = include_str!("queries/unpark_runs.sql");
    execute(connection, sqlx::query(sql).bind(replaced)).await?;
    let fresh: Vec<(ShardId, &Parked)> = with
        .iter()
        .flat_map(|(_, shard, parked)| parked.iter().map(|parked| (*shard, *parked)))
        .collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let sql = include_str!("queries/park.sql");
    execute(connection, parked_columns(sqlx::query(sql), &fresh)).await
}

/// Both statements name every column of the key.
fn parked_columns<'a>(
    statement: Statement<'a>,
    rows: &'a [(ShardId, &'a Parked)],
) -> Statement<'a> {
    let keys = column(rows, |(_, parked)| queue_key(&parked.queue));
    statement
        .bind(column(rows, |(shard, _)| i64::from(shard.0)))
        .bind(column(rows, |(_, parked)| &parked.queue.namespace.0[..]))
        .bind(column(rows, |(_, parked)| parked.queue.name.as_bytes()))
        .bind(column(&keys, |(work, ..)| *work))
        .bind(column(&keys, |(_, sticky, _)| *sticky))
        .bind(column(&keys, |(.., of)| of.as_bytes()))
        .bind(column(rows, |(_, parked)| i16::from(parked.priority)))
        .bind(column(rows, |(_, parked)| parked.pass))
        .bind(column(rows, |(_, parked)| parked.time.0))
        .bind(column(rows, |(_, parked)| &parked.run.0[..]))
}

async fn put_heartbeats(connection: &mut PgConnection, net: &Net<'_>) -> Result<()> {
    let registers = net.runs.iter().flat_map(|(id, run)| {
        run.heartbeats
            .iter()
            .map(move |(scheduled, details)| (id, *scheduled, &details[..]))
    });
    let (gone, beats): (Vec<_>, Vec<_>) = registers.partition(|(.., details)| details.is_empty());
    if !gone.is_empty() {
        let statement = sqlx::query(include_str!("queries/forget_heartbeats.sql"))
            .bind(column(&gone, |(id, ..)| &id.0[..]))
            .bind(column(&gone, |(_, scheduled, _)| *scheduled));
        execute(connection, statement).await?;
    }
    if !beats.is_empty() {
        let statement = sqlx::query(include_str!("queries/put_heartbeats.sql"))
            .bind(column(&beats, |(id, ..)| &id.0[..]))
            .bind(column(&beats, |(_, scheduled, _)| *scheduled))
            .bind(column(&beats, |(.., details)| *details));
        execute(connection, statement).await?;
    }
    Ok(())
}

pub(super) async fn namespace(
    connection: &mut PgConnection,
    namespace: &Namespace,
    before: Option<&[u8]>,
) -> Result<bool> {
    let statement = sqlx::query(include_str!("queries/put_namespace.sql"))
        .bind(&namespace.id.0[..])
        .bind(namespace.name.as_bytes())
        .bind(&namespace.record[..])
        .bind(before);
    let done = statement.execute(connection).await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn setting(
    connection: &mut PgConnection,
    name: &str,
    fresh: &[u8],
) -> Result<Vec<u8>> {
    let offer = sqlx::query(include_str!("queries/offer_setting.sql"))
        .bind(name.as_bytes())
        .bind(fresh);
    execute(&mut *connection, offer).await?;
    sqlx::query_scalar(include_str!("queries/setting.sql"))
        .bind(name.as_bytes())
        .fetch_one(connection)
        .await
}
