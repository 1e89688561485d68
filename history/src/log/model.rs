//! The log in memory: deterministic, complete within the call, and able to fail on request. For simulation and tests.
//!
//! Writes are carried out one after the other as [`Write`](super::Write) describes them, not reduced to net rows first: so it
//! also says whether the other stores reduce rightly. Deliberately absent: anything that lasts longer than the process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};

use super::{
    Audit, Committed, Failure, Found, Fragment, Namespace, Parked, ReadError, Record, Row,
    ShardBatch, Store, Stored, WakeUp, Whole, visibility,
};
use crate::id::{Epoch, Key, RunId, ShardId, Time};
use crate::kind::Queue;
use crate::placement::{Node, View};
use disk::Disk;

mod audit;
mod disk;
mod matches;
mod read;
mod table;

/// How a model is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub shards: u32,
    pub writers: usize,
    /// As if other processes could own the same database.
    pub reads_need_proof: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shards: 16,
            writers: 1,
            reads_need_proof: false,
        }
    }
}

/// What goes wrong with a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written, and the batch is said to be at fault.
    Refused,
    /// Nothing is written; it may be tried again.
    RolledBack,
    /// Nothing is written, but nobody knows.
    UnknownUndone,
    /// It is written, but nobody knows.
    UnknownDone,
    /// It is on its way, and written when the next takeover waits for it (unless its epoch has passed by then).
    UnknownYet,
    /// The disk fails to sync; nothing is written.
    Sync,
}

/// A process's handle on a database in memory. Clones are the same process.
#[derive(Clone, Debug)]
pub struct Model {
    options: Options,
    disk: Arc<Mutex<Disk>>,
    process: Arc<Mutex<Process>>,
}

/// What dies with the process.
#[derive(Debug, Default)]
struct Process {
    crashed: bool,
    /// For the next commits, in order; `None` lets one pass.
    faults: VecDeque<Option<Fault>>,
    reads_fail: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Injected(&'static str);

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl Model {
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    pub fn with(options: Options) -> Self {
        Self {
            options,
            disk: Arc::new(Mutex::new(Disk::new(options.shards))),
            process: Arc::default(),
        }
    }

    /// Another process on the same database.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            process: Arc::default(),
            ..self.clone()
        }
    }

    /// The process dies: this handle does nothing more. What was committed is there for the one that is returned.
    #[must_use]
    pub fn crash(&self) -> Self {
        self.process.lock().crashed = true;
        self.beside()
    }

    /// What happens to the next commits, behind what was said before; `None` lets one pass.
    pub fn plan(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.process.lock().faults.extend(faults);
    }

    /// Reads fail from now on, or succeed again.
    pub fn fail_reads(&self, fail: bool) {
        self.process.lock().reads_fail = fail;
    }

    /// Time passes on the clock of the database, which stands still otherwise.
    pub fn pass(&self, time: Duration) {
        let mut disk = self.disk.lock();
        disk.now = disk.now.after(time);
    }

    fn read(&self) -> Result<MutexGuard<'_, Disk>, ReadError> {
        let fails = {
            let process = self.process.lock();
            process.crashed || process.reads_fail
        };
        if fails {
            return Err(ReadError::Unavailable(Injected("reads fail").into()));
        }
        Ok(self.disk.lock())
    }

    /// A write that no fault is planned for.
    fn write(&self) -> Result<MutexGuard<'_, Disk>, Failure> {
        if self.process.lock().crashed {
            return Err(Failure::Unknown(Injected("crashed").into()));
        }
        Ok(self.disk.lock())
    }
}

#[async_trait]
impl Audit for Model {
    async fn next_run(&self, after: Option<RunId>) -> Result<Option<RunId>, ReadError> {
        Ok(self.read()?.next_run(after))
    }

    async fn whole(&self, run: RunId) -> Result<Whole, ReadError> {
        Ok(self.read()?.whole(run))
    }
}

#[async_trait]
impl Store for Model {
    fn shards(&self) -> u32 {
        self.options.shards
    }

    fn writers(&self) -> usize {
        self.options.writers
    }

    fn reads_need_proof(&self) -> bool {
        self.options.reads_need_proof
    }

    async fn take_over(&self, shard: ShardId, owner: &str) -> Result<Epoch, Failure> {
        self.write()?.take_over(shard, owner)
    }

    async fn take_from(
        &self,
        shard: ShardId,
        owner: &str,
        from: Epoch,
    ) -> Result<Option<Epoch>, Failure> {
        Ok(self.write()?.take_from(shard, owner, from))
    }

    async fn release(&self, shard: ShardId, epoch: Epoch) -> Result<(), Failure> {
        self.write()?.release(shard, epoch);
        Ok(())
    }

    async fn beat(&self, node: &Node) -> Result<View, Failure> {
        Ok(self.write()?.beat(node))
    }

    async fn commit(&self, _writer: usize, batches: &[ShardBatch]) -> Result<Committed, Failure> {
        let fault = self.process.lock().faults.pop_front().flatten();
        let mut disk = self.write()?;
        let Some(fault) = fault else {
            return disk.commit(batches);
        };
        let cause = Injected("planned").into();
        match fault {
            Fault::Refused => Err(Failure::Refused(cause)),
            Fault::RolledBack => Err(Failure::RolledBack(cause)),
            Fault::Sync => Err(Failure::Sync(cause)),
            Fault::UnknownUndone => Err(Failure::Unknown(cause)),
            Fault::UnknownDone => disk.commit(batches).and(Err(Failure::Unknown(cause))),
            Fault::UnknownYet => {
                disk.stray(batches);
                Err(Failure::Unknown(cause))
            }
        }
    }

    async fn find(&self, key: &Key, start_request_id: Option<&str>) -> Result<Found, ReadError> {
        Ok(self.read()?.find(key, start_request_id))
    }

    async fn load(&self, run: RunId) -> Result<Option<Stored>, ReadError> {
        Ok(self.read()?.load(run))
    }

    async fn records(&self, run: RunId) -> Result<Vec<Record>, ReadError> {
        Ok(self.read()?.records(run).cloned().collect())
    }

    async fn page(
        &self,
        run: RunId,
        from: i64,
        to: i64,
        limit: usize,
    ) -> Result<Vec<Fragment>, ReadError> {
        Ok(self.read()?.page(run, from, to, limit))
    }

    async fn page_reverse(
        &self,
        run: RunId,
        below: i64,
        limit: usize,
    ) -> Result<Vec<Fragment>, ReadError> {
        Ok(self.read()?.page_reverse(run, below, limit))
    }

    async fn wake_ups(
        &self,
        shard: ShardId,
        horizon: Time,
        after: Option<(Time, RunId)>,
        limit: usize,
    ) -> Result<Vec<WakeUp>, ReadError> {
        Ok(self.read()?.wake_ups(shard, horizon, after, limit))
    }

    async fn parked(
        &self,
        shard: ShardId,
        queue: &Queue,
        after: Option<&Parked>,
        limit: usize,
    ) -> Result<Vec<Parked>, ReadError> {
        Ok(self.read()?.parked(shard, queue, after, limit))
    }

    async fn parked_queues(&self, shard: ShardId) -> Result<Vec<(Queue, u64, Time)>, ReadError> {
        Ok(self.read()?.parked_queues(shard))
    }

    async fn list(
        &self,
        query: &visibility::Query,
        after: Option<&visibility::Position>,
        limit: usize,
    ) -> Result<Vec<Row>, ReadError> {
        Ok(self.read()?.list(query, after, limit))
    }

    async fn count(
        &self,
        query: &visibility::Query,
        grouped: bool,
    ) -> Result<Vec<(i32, i64)>, ReadError> {
        Ok(self.read()?.count(query, grouped))
    }

    async fn namespaces(&self) -> Result<Vec<Namespace>, ReadError> {
        Ok(self.read()?.namespaces())
    }

    async fn put_namespace(
        &self,
        namespace: &Namespace,
        before: Option<&[u8]>,
    ) -> Result<bool, Failure> {
        self.write()?.put_namespace(namespace, before)
    }

    async fn setting(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(self.write()?.setting(name, fresh))
    }

    async fn ping(&self) -> Result<(), ReadError> {
        self.read().map(|_| ())
    }

    async fn close(&self) {}
}

#[cfg(test)]
mod tests;
