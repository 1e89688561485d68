//! Who serves the database: one row per node, which it writes once a second.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, Executor, Row as _};

use crate::id::{Epoch, ShardId, Time};
use crate::placement::{FORGOTTEN, Node, Ownership, View};

type Result<T> = std::result::Result<T, Error>;

/// Shards are read before nodes: an owner was written after its node, so each that lives is then among them.
pub(super) async fn beat(connection: &mut PgConnection, node: &Node) -> Result<View> {
    // A row that is lost with the power is written again: no beat waits for the disk.
    connection
        .execute("SET LOCAL synchronous_commit = off")
        .await?;
    sqlx::query(include_str!("queries/beat.sql"))
        .bind(node.id.as_bytes())
        .bind(node.address.as_bytes())
        .bind(node.started.0)
        .bind(node.leaving)
        .execute(&mut *connection)
        .await?;
    sqlx::query(include_str!("queries/forget_nodes.sql"))
        .bind(Time(0).after(FORGOTTEN).0)
        .execute(&mut *connection)
        .await?;
    let shards = sqlx::query(include_str!("queries/shards.sql"))
        .fetch_all(&mut *connection)
        .await?;
    let nodes = sqlx::query(include_str!("queries/nodes.sql"))
        .fetch_all(connection)
        .await?;
    let now = nodes.first().ok_or(Error::RowNotFound)?.try_get(5)?;
    Ok(View {
        now: Time(now),
        nodes: nodes.iter().map(self::node).collect::<Result<_>>()?,
        shards: shards.iter().map(ownership).collect::<Result<_>>()?,
    })
}

fn node(row: &PgRow) -> Result<Node> {
    Ok(Node {
        id: text(row, 0)?,
        address: text(row, 1)?,
        started: Time(row.try_get(2)?),
        leaving: row.try_get(3)?,
        beat: Time(row.try_get(4)?),
    })
}

fn ownership(row: &PgRow) -> Result<Ownership> {
    let shard = u32::try_from(row.try_get::<i64, _>(0)?);
    Ok(Ownership {
        shard: ShardId(shard.map_err(|error| Error::Decode(error.into()))?),
        epoch: Epoch(row.try_get::<i64, _>(1)?.unsigned_abs()),
        owner: text(row, 2)?,
    })
}

fn text(row: &PgRow, column: usize) -> Result<String> {
    String::from_utf8(row.try_get(column)?).map_err(|error| Error::Decode(error.into()))
}
