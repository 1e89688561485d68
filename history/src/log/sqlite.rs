//! The log in a SQLite file: one writer, a few readers, checkpoints on a thread of their own.
//!
//! WAL and `synchronous=FULL`: what COMMIT has answered is on the disk. The file lock says that no other process writes, so
//! answers from the head need no proof; the epoch is the second guard. Calls block the thread they are made on: a point
//! read takes some ten microseconds, and `commit` is meant for a thread that does nothing else. Deliberately absent: a
//! queue in front of the writer, and any rule of a workflow.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;

use super::open::OpenError;
use super::{
    Audit, Committed, Failure, Found, Fragment, Namespace, Parked, ReadError, Record, Row,
    ShardBatch, Store, Stored, WakeUp, Whole, visibility,
};
use crate::id::{Epoch, Key, RunId, ShardId, Time};
use crate::kind::Queue;
use crate::placement::{Node, View};

mod audit;
mod checkpoint;
mod commit;
mod connection;
mod nodes;
mod read;
mod rows;
mod write;

pub use audit::ReadOnly;

/// How a SQLite database is opened.
#[derive(Clone, Debug)]
pub struct Options {
    pub place: Place,
    /// How many shards a database that is not there yet is created with.
    pub shards: u32,
    /// Set on each connection after our own; what loses acknowledged writes is refused, except in memory.
    pub pragmas: Vec<(String, String)>,
}

/// Where a SQLite database is.
#[derive(Clone, Debug)]
pub enum Place {
    File(PathBuf),
    /// On an unlinked file, never synced: gone with the process, asked for by name.
    Memory,
}

impl Options {
    /// The number of shards unless told otherwise: enough to keep the locks of two dozen cores apart.
    pub const SHARDS: u32 = 16;

    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::at(Place::File(path.into()))
    }

    pub fn memory() -> Self {
        Self::at(Place::Memory)
    }

    fn at(place: Place) -> Self {
        Self {
            place,
            shards: Self::SHARDS,
            pragmas: Vec::new(),
        }
    }
}

/// A SQLite database of runs.
#[derive(Debug)]
pub struct Sqlite {
    // Dropped first: its thread has a connection of its own.
    checkpoints: checkpoint::Thread,
    shards: u32,
    writer: Arc<Mutex<Connection>>,
    readers: Vec<Mutex<Connection>>,
    next_reader: AtomicUsize,
    // Dropped last: until then nobody else has the file.
    _lock: Option<connection::Lock>,
}

/// More readers than threads that read at the same time are of no use; each has a page cache.
const READERS: usize = 4;

impl Sqlite {
    /// Opens or creates a database, and brings its tables up to date.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let shards = super::open::check_shards(options.shards)?;
        let place = connection::prepare(&options.place)?;
        let connect = || connection::open(place.path(), options);
        let mut writer = connect()?;
        let shards = connection::migrate(&mut writer, shards)?;
        let readers = (0..READERS)
            .map(|_| {
                let reader = connect()?;
                connection::only_reads(&reader)?;
                Ok(Mutex::new(reader))
            })
            .collect::<Result<_, OpenError>>()?;
        let checkpointer = connect()?;
        commit::watch(&writer);
        let writer = Arc::new(Mutex::new(writer));
        Ok(Self {
            checkpoints: checkpoint::Thread::start(checkpointer, Arc::clone(&writer))?,
            shards,
            writer,
            readers,
            next_reader: AtomicUsize::new(0),
            _lock: place.into_lock(),
        })
    }

    /// A reader that is free, else the one whose turn it is.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed);
        (0..self.readers.len())
            .find_map(|step| self.readers[(turn + step) % self.readers.len()].try_lock())
            .unwrap_or_else(|| self.readers[turn % self.readers.len()].lock())
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        read(&self.reader()).map_err(read::error)
    }

    /// A read whose length nobody bounds: it must not hold up the other tasks of its thread.
    fn long_read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ReadError> {
        use tokio::runtime::{Handle, RuntimeFlavor};
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| self.read(read)),
            _ => self.read(read),
        }
    }

    /// A small transaction of its own.
    fn change<T>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        self.checkpoints.healthy()?;
        let done = commit::transaction(&self.writer.lock(), write)?;
        self.checkpoints.noted(commit::wal_pages());
        Ok(done)
    }
}

#[async_trait]
impl Audit for Sqlite {
    async fn next_run(&self, after: Option<RunId>) -> Result<Option<RunId>, ReadError> {
        self.read(|reader| audit::next_run(reader, after))
    }

    async fn whole(&self, run: RunId) -> Result<Whole, ReadError> {
        self.long_read(|reader| audit::whole(reader, run))
    }
}

#[async_trait]
impl Store for Sqlite {
    fn shards(&self) -> u32 {
        self.shards
    }

    fn writers(&self) -> usize {
        1
    }

    fn reads_need_proof(&self) -> bool {
        false
    }

    async fn take_over(&self, shard: ShardId, owner: &str) -> Result<Epoch, Failure> {
        self.change(|writer| write::take_over(writer, shard, owner))
    }

    async fn take_from(
        &self,
        shard: ShardId,
        owner: &str,
        from: Epoch,
    ) -> Result<Option<Epoch>, Failure> {
        self.change(|writer| write::take_from(writer, shard, owner, from))
    }

    async fn release(&self, shard: ShardId, epoch: Epoch) -> Result<(), Failure> {
        self.change(|writer| write::release(writer, shard, epoch))
    }

    async fn beat(&self, node: &Node) -> Result<View, Failure> {
        self.change(|writer| nodes::beat(writer, node))
    }

    async fn commit(&self, _writer: usize, batches: &[ShardBatch]) -> Result<Committed, Failure> {
        self.change(|writer| write::batches(writer, batches))
    }

    async fn find(&self, key: &Key, start_request_id: Option<&str>) -> Result<Found, ReadError> {
        self.read(|reader| read::find(reader, key, start_request_id))
    }

    async fn load(&self, run: RunId) -> Result<Option<Stored>, ReadError> {
        self.read(|reader| read::load(reader, run))
    }

    async fn records(&self, run: RunId) -> Result<Vec<Record>, ReadError> {
        self.long_read(|reader| read::records(reader, run))
    }

    async fn page(
        &self,
        run: RunId,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<Fragment>, ReadError> {
        self.read(|reader| read::page(reader, run, from, to, limit))
    }

    async fn page_reverse(
        &self,
        run: RunId,
        below: i64,
        limit: usize,
    ) -> Result<Vec<Fragment>, ReadError> {
        self.read(|reader| read::page_reverse(reader, run, below, limit))
    }

    async fn wake_ups(
        &self,
        shard: ShardId,
        horizon: Time,
        after: Option<(Time, RunId)>,
        limit: usize,
    ) -> Result<Vec<WakeUp>, ReadError> {
        self.read(|reader| read::wake_ups(reader, shard, horizon, after, limit))
    }

    async fn parked(
        &self,
        shard: ShardId,
        queue: &Queue,
        after: Option<&Parked>,
        limit: usize,
    ) -> Result<Vec<Parked>, ReadError> {
        self.read(|reader| read::parked(reader, shard, queue, after, limit))
    }

    async fn parked_queues(&self, shard: ShardId) -> Result<Vec<(Queue, u64, Time)>, ReadError> {
        self.long_read(|reader| read::parked_queues(reader, shard))
    }

    async fn list(
        &self,
        query: &visibility::Query,
        after: Option<&visibility::Position>,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        self.long_read(|reader| read::list(reader, query, after, limit))
    }

    async fn count(
        &self,
        query: &visibility::Query,
        grouped: bool,
    ) -> Result<Vec<(i32, i64)>, ReadError> {
        self.long_read(|reader| read::count(reader, query, grouped))
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>, ReadError> {
        self.read(read::namespaces)
    }

    async fn put_namespace(
        &self,
        namespace: &Namespace,
        before: Option<&[u8]>,
    ) -> Result<bool, Failure> {
        self.change(|writer| write::namespace(writer, namespace, before))
    }

    async fn setting(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, Failure> {
        self.change(|writer| write::setting(writer, name, fresh))
    }

    async fn ping(&self) -> Result<(), ReadError> {
        self.read(read::ping)
    }

    async fn close(&self) {
        self.checkpoints.finish();
    }
}

#[cfg(test)]
mod tests;
