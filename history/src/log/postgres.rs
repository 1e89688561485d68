//! The log in PostgreSQL (or what speaks its protocol): a few writer connections, and a pool of readers.
//!
//! READ COMMITTED and `synchronous_commit=on`. A commit locks the epochs of its shards FOR SHARE, so a takeover waits until
//! it has ended, and whoever comes later finds a higher epoch. Other processes may own the same database, so answers from
//! the head need a proof. Plain SQL only. Deliberately absent: COPY (it stalls on small groups), advisory locks,
//! LISTEN/NOTIFY, extensions.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::sync::watch;

use super::{
    Audit, Committed, Failure, Found, Fragment, Namespace, OpenError, Parked, ReadError, Record,
    Row, ShardBatch, Store, Stored, WakeUp, Whole, visibility,
};
use crate::id::{Epoch, Key, RunId, ShardId, Time};
use crate::kind::Queue;
use crate::placement::{BEAT, LEASE, Node, View};
use writer::Writer;

mod audit;
mod nodes;
mod open;
mod read;
mod rows;
mod write;
mod writer;

pub use audit::ReadOnly;

/// How a PostgreSQL database is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many shards a database that is new is created with.
    pub shards: u32,
    /// Connections that commit; shards are spread over them.
    pub writers: usize,
    /// At most so many connections that read.
    pub readers: u32,
    /// How long the statements of a transaction may take, and then its COMMIT, before the connection is given up.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shards: 16,
            writers: 2,
            readers: 8,
            patience: Duration::from_secs(30),
        }
    }
}

/// A PostgreSQL database of runs.
#[derive(Debug)]
pub struct Postgres {
    shards: u32,
    writers: Vec<Writer>,
    /// For takeovers and rare rows: they must not wait behind a commit that hangs.
    aside: Writer,
    /// A takeover may wait for a commit of an owner that hangs. What says that this node lives may not wait with it.
    beats: Writer,
    readers: RwLock<PgPool>,
    /// When a beat was answered last, by the database's clock, and how often that was after a silence.
    beat: Mutex<Option<Time>>,
    silences: watch::Sender<u64>,
    database: PgConnectOptions,
    options: Options,
}

impl Postgres {
    /// Connects to a database, and brings its tables up to date.
    pub async fn connect(url: &str, options: &Options) -> Result<Self, OpenError> {
        let shards = super::open::check_shards(options.shards)?;
        let database = PgConnectOptions::from_str(url)
            .map_err(open::error)?
            .application_name("cairn");
        let shards = open::prepare(&database, shards).await?;
        let silences = watch::Sender::new(0);
        let writer = || Writer::new(database.clone(), options.patience, silences.subscribe());
        Ok(Self {
            shards,
            writers: std::iter::repeat_with(writer)
                .take(options.writers.max(1))
                .collect(),
            aside: writer(),
            // Its own connection is the one that knows.
            beats: Writer::new(
                database.clone(),
                BEAT * 2,
                watch::Sender::new(0).subscribe(),
            ),
            readers: RwLock::new(pool(&database, options)),
            beat: Mutex::default(),
            silences,
            database,
            options: options.clone(),
        })
    }

    fn readers(&self) -> PgPool {
        self.readers.read().clone()
    }

    /// A beat was answered. After a silence the other connections may be dead and not know: TCP tries again ever more seldom, and
    /// says so after minutes only. They are made anew, and who waits for one is told.
    fn answered(&self, now: Time) {
        let before = self.beat.lock().replace(now);
        if before.is_some_and(|before| now.since(before) > LEASE) {
            tracing::warn!("the database was out of reach; its connections are made anew");
            *self.readers.write() = pool(&self.database, &self.options);
            self.silences.send_modify(|silences| *silences += 1);
        }
    }
}

fn pool(database: &PgConnectOptions, options: &Options) -> PgPool {
    PgPoolOptions::new()
        .max_connections(options.readers.max(1))
        .acquire_timeout(options.patience)
        .after_connect(|connection, _| Box::pin(open::session(connection)))
        .connect_lazy_with(database.clone())
}

#[async_trait]
impl Audit for Postgres {
    async fn next_run(&self, after: Option<RunId>) -> Result<Option<RunId>, ReadError> {
        audit::next_run(&self.readers(), after)
            .await
            .map_err(read::error)
    }

    async fn whole(&self, run: RunId) -> Result<Whole, ReadError> {
        audit::whole(&self.readers(), run)
            .await
            .map_err(read::error)
    }
}

#[async_trait]
impl Store for Postgres {
    fn shards(&self) -> u32 {
        self.shards
    }

    fn writers(&self) -> usize {
        self.writers.len()
    }

    fn reads_need_proof(&self) -> bool {
        true
    }

    async fn take_over(&self, shard: ShardId, owner: &str) -> Result<Epoch, Failure> {
        let mut transaction = self.aside.begin().await?;
        let done = transaction
            .run(async |connection| write::take_over(connection, shard, owner).await)
            .await?;
        transaction.commit().await.map(|()| done)
    }

    async fn take_from(
        &self,
        shard: ShardId,
        owner: &str,
        from: Epoch,
    ) -> Result<Option<Epoch>, Failure> {
        let mut transaction = self.aside.begin().await?;
        let done = transaction
            .run(async |connection| write::take_from(connection, shard, owner, from).await)
            .await?;
        transaction.commit().await.map(|()| done)
    }

    async fn release(&self, shard: ShardId, epoch: Epoch) -> Result<(), Failure> {
        let mut transaction = self.aside.begin().await?;
        transaction
            .run(async |connection| write::release(connection, shard, epoch).await)
            .await?;
        transaction.commit().await
    }

    async fn beat(&self, node: &Node) -> Result<View, Failure> {
        let mut transaction = self.beats.begin().await?;
        let view = transaction
            .run(async |connection| nodes::beat(connection, node).await)
            .await?;
        transaction.commit().await?;
        self.answered(view.now);
        Ok(view)
    }

    async fn commit(&self, writer: usize, batches: &[ShardBatch]) -> Result<Committed, Failure> {
        if batches.iter().all(|batch| batch.items.is_empty()) {
            return write::prove(&self.readers(), batches)
                .await
                .map_err(|error| Failure::RolledBack(error.into()));
        }
        let mut transaction = self.writers[writer % self.writers.len()].begin().await?;
        let done = transaction
            .run(async |connection| write::batches(connection, batches).await)
            .await?;
        transaction.commit().await.map(|()| done)
    }

    async fn find(&self, key: &Key, start_request_id: Option<&str>) -> Result<Found, ReadError> {
        read::find(&self.readers(), key, start_request_id)
            .await
            .map_err(read::error)
    }

    async fn load(&self, run: RunId) -> Result<Option<Stored>, ReadError> {
        read::load(&self.readers(), run).await.map_err(read::error)
    }

    async fn records(&self, run: RunId) -> Result<Vec<Record>, ReadError> {
        read::records(&self.readers(), run)
            .await
            .map_err(read::error)
    }

    async fn page(
        &self,
        run: RunId,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<Fragment>, ReadError> {
        read::page(&self.readers(), run, from, to, limit)
            .await
            .map_err(read::error)
    }

    async fn page_reverse(
        &self,
        run: RunId,
        below: i64,
        limit: usize,
    ) -> Result<Vec<Fragment>, ReadError> {
        read::page_reverse(&self.readers(), run, below, limit)
            .await
            .map_err(read::error)
    }

    async fn wake_ups(
        &self,
        shard: ShardId,
        horizon: Time,
        after: Option<(Time, RunId)>,
        limit: usize,
    ) -> Result<Vec<WakeUp>, ReadError> {
        read::wake_ups(&self.readers(), shard, horizon, after, limit)
            .await
            .map_err(read::error)
    }

    async fn parked(
        &self,
        shard: ShardId,
        queue: &Queue,
        after: Option<&Parked>,
        limit: usize,
    ) -> Result<Vec<Parked>, ReadError> {
        read::parked(&self.readers(), shard, queue, after, limit)
            .await
            .map_err(read::error)
    }

    async fn parked_queues(&self, shard: ShardId) -> Result<Vec<(Queue, u64, Time)>, ReadError> {
        read::parked_queues(&self.readers(), shard)
            .await
            .map_err(read::error)
    }

    async fn list(
        &self,
        query: &visibility::Query,
        after: Option<&visibility::Position>,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        read::list(&self.readers(), query, after, limit)
            .await
            .map_err(read::error)
    }

    async fn count(
        &self,
        query: &visibility::Query,
        grouped: bool,
    ) -> Result<Vec<(i32, i64)>, ReadError> {
        read::count(&self.readers(), query, grouped)
            .await
            .map_err(read::error)
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>, ReadError> {
        read::namespaces(&self.readers()).await.map_err(read::error)
    }

    async fn put_namespace(
        &self,
        namespace: &Namespace,
        before: Option<&[u8]>,
    ) -> Result<bool, Failure> {
        let mut transaction = self.aside.begin().await?;
        let written = transaction
            .run(async |connection| write::namespace(connection, namespace, before).await)
            .await?;
        transaction.commit().await?;
        Ok(written)
    }

    async fn setting(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut transaction = self.aside.begin().await?;
        let value = transaction
            .run(async |connection| write::setting(connection, name, fresh).await)
            .await?;
        transaction.commit().await.map(|()| value)
    }

    async fn ping(&self) -> Result<(), ReadError> {
        read::ping(&self.readers()).await.map_err(read::error)
    }

    /// What is committed is in the server's hands.
    async fn close(&self) {}
}
