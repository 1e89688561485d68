//! Connecting: what each session is set to, what the server must not be set to, migrations.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{Connection, Executor};

use super::super::open::{check_version, missing};
use super::OpenError;

/// The migrations, from version 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/postgres/0001_tables.sql"),
    include_str!("../migrations/postgres/0002_nodes.sql"),
    include_str!("../migrations/postgres/0003_search.sql"),
];

/// How often several nodes that create the same database at the same moment may get in each other's way.
const ATTEMPTS: usize = 5;

pub(super) fn error(error: sqlx::Error) -> OpenError {
    OpenError::Database(Box::new(error))
}

/// What each connection is set to.
pub(super) async fn session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection
        .execute(include_str!("queries/session.sql"))
        .await
        .map(|_| ())
}

/// Checks the server, brings the tables up to date, and answers how many shards there are.
pub(super) async fn prepare(database: &PgConnectOptions, shards: u32) -> Result<u32, OpenError> {
    let mut connection = PgConnection::connect_with(database).await.map_err(error)?;
    session(&mut connection).await.map_err(error)?;
    check(&mut connection).await?;
    let mut attempts = 0;
    let created = loop {
        attempts += 1;
        match migrate(&mut connection, shards).await {
            Err(OpenError::Database(cause)) if attempts < ATTEMPTS && collided(&cause) => {}
            outcome => break outcome?,
        }
    };
    connection.close().await.map_err(error)?;
    Ok(created)
}

/// Is this a database that can be read as it is? The number of its shards.
pub(super) async fn check_read_only(pool: &PgPool) -> Result<u32, OpenError> {
    let found = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM migrations")
        .fetch_one(pool)
        .await
        .map_err(error)?;
    check_version(MIGRATIONS, found)?;
    let shards: i64 = sqlx::query_scalar("SELECT count(*) FROM shards")
        .fetch_one(pool)
        .await
        .map_err(error)?;
    Ok(u32::try_from(shards).unwrap_or(u32::MAX))
}

/// `CREATE TABLE IF NOT EXISTS` fails if another connection creates it at the same moment.
fn collided(cause: &super::super::Cause) -> bool {
    cause
        .downcast_ref::<sqlx::Error>()
        .and_then(sqlx::Error::as_database_error)
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "23505" || code == "42P07")
}

/// Refuses a server whose crash would lose acknowledged writes.
async fn check(connection: &mut PgConnection) -> Result<(), OpenError> {
    for (setting, query) in [
        ("fsync", "SHOW fsync"),
        ("full_page_writes", "SHOW full_page_writes"),
        ("synchronous_commit", "SHOW synchronous_commit"),
    ] {
        let value: String = sqlx::query_scalar(query)
            .fetch_one(&mut *connection)
            .await
            .map_err(error)?;
        if value != "on" {
            return Err(OpenError::Unsafe {
                setting,
                value,
                wanted: "on",
            });
        }
    }
    Ok(())
}

async fn migrate(connection: &mut PgConnection, shards: u32) -> Result<u32, OpenError> {
    let mut transaction = connection.begin().await.map_err(error)?;
    transaction
        .execute("CREATE TABLE IF NOT EXISTS migrations (version bigint PRIMARY KEY)")
        .await
        .map_err(error)?;
    // One node at a time.
    transaction
        .execute("LOCK TABLE migrations IN EXCLUSIVE MODE")
        .await
        .map_err(error)?;
    let found = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM migrations")
        .fetch_one(&mut *transaction)
        .await
        .map_err(error)?;
    for (version, migration) in missing(MIGRATIONS, found)? {
        transaction.execute(migration).await.map_err(error)?;
        sqlx::query("INSERT INTO migrations (version) VALUES ($1)")
            .bind(version)
            .execute(&mut *transaction)
            .await
            .map_err(error)?;
    }
    let created = create_shards(&mut transaction, shards)
        .await
        .map_err(error)?;
    transaction.commit().await.map_err(error)?;
    Ok(created)
}

async fn create_shards(connection: &mut PgConnection, shards: u32) -> Result<u32, sqlx::Error> {
    sqlx::query(
        "INSERT INTO shards (shard, epoch, owner) SELECT generate_series(0, $1 - 1), 0, ''
         WHERE NOT EXISTS (SELECT FROM shards)",
    )
    .bind(i64::from(shards))
    .execute(&mut *connection)
    .await?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM shards")
        .fetch_one(connection)
        .await?;
    u32::try_from(count).map_err(|error| sqlx::Error::Decode(error.into()))
}
