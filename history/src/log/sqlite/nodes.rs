//! Who serves the database, as in every store. A file has one process: nothing here is on a path that must be fast.

use rusqlite::{Connection, params};

use crate::id::{Epoch, ShardId, Time};
use crate::placement::{FORGOTTEN, Node, Ownership, View};

type Result<T> = rusqlite::Result<T>;

pub(super) fn beat(connection: &Connection, node: &Node) -> Result<View> {
    let now: i64 = connection
        .prepare_cached(include_str!("queries/clock.sql"))?
        .query_row([], |row| row.get(0))?;
    connection
        .prepare_cached(include_str!("queries/beat.sql"))?
        .execute(params![
            node.id,
            node.address,
            node.started.0,
            node.leaving,
            now
        ])?;
    connection
        .prepare_cached(include_str!("queries/forget_nodes.sql"))?
        .execute([now - Time(0).after(FORGOTTEN).0])?;
    Ok(View {
        now: Time(now),
        shards: shards(connection)?,
        nodes: nodes(connection)?,
    })
}

fn shards(connection: &Connection) -> Result<Vec<Ownership>> {
    let mut statement = connection.prepare_cached(include_str!("queries/shards.sql"))?;
    let rows = statement.query_map([], |row| {
        Ok(Ownership {
            shard: ShardId(row.get(0)?),
            epoch: Epoch(row.get::<_, i64>(1)?.unsigned_abs()),
            owner: row.get(2)?,
        })
    })?;
    rows.collect()
}

fn nodes(connection: &Connection) -> Result<Vec<Node>> {
    let mut statement = connection.prepare_cached(include_str!("queries/nodes.sql"))?;
    let rows = statement.query_map([], |row| {
        Ok(Node {
            id: row.get(0)?,
            address: row.get(1)?,
            started: Time(row.get(2)?),
            leaving: row.get(3)?,
            beat: Time(row.get(4)?),
        })
    })?;
    rows.collect()
}
