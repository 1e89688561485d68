//! Checkpoints: pages of the WAL go back into the database, on a thread of their own.
//!
//! Usually beside the writer (`PASSIVE`: it waits for nobody). A WAL that has grown all the same, because commits never
//! paused, is restarted while the writer waits at its lock.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::super::Failure;
use super::commit;

/// 4 MiB of new pages: worth a checkpoint at once.
const PAGES: i32 = 1024;
/// 64 MiB: the writer waits for a restart.
const PAGES_MAX: i32 = 16_384;
/// Less than that waits so long.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Thread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    progress: Mutex<Progress>,
    moved: Condvar,
    writer: Arc<Mutex<Connection>>,
    connection: Mutex<Connection>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Pages in the WAL after the last commit, and how many of them the last checkpoint wrote back.
    pages: i32,
    written_back: i32,
    stop: bool,
    /// A sync failed: nothing more may be acknowledged.
    broken: bool,
}

impl Progress {
    /// A WAL that was restarted begins anew.
    fn waiting(&self) -> i32 {
        if self.pages < self.written_back {
            self.pages
        } else {
            self.pages - self.written_back
        }
    }
}

impl Thread {
    pub(super) fn start(
        connection: Connection,
        writer: Arc<Mutex<Connection>>,
    ) -> Result<Self, std::io::Error> {
        let shared = Arc::new(Shared {
            progress: Mutex::default(),
            moved: Condvar::new(),
            writer,
            connection: Mutex::new(connection),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || own.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// The writer has committed; the WAL has this many pages.
    pub(super) fn noted(&self, pages: i32) {
        let mut progress = self.shared.progress.lock();
        progress.pages = pages;
        if progress.waiting() >= PAGES {
            self.shared.moved.notify_one();
        }
    }

    /// Has every sync succeeded so far?
    pub(super) fn healthy(&self) -> Result<(), Failure> {
        if self.shared.progress.lock().broken {
            return Err(Failure::Sync("an earlier sync failed".into()));
        }
        Ok(())
    }

    /// Writes back everything and empties the WAL.
    pub(super) fn finish(&self) {
        let _writer = self.shared.writer.lock();
        self.shared.checkpoint("TRUNCATE");
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.shared.progress.lock().stop = true;
        self.shared.moved.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

impl Shared {
    fn run(&self) {
        loop {
            let mut progress = self.progress.lock();
            if !progress.stop && progress.waiting() < PAGES {
                self.moved.wait_for(&mut progress, PAUSE);
            }
            if progress.stop {
                return;
            }
            let waiting = progress.waiting();
            drop(progress);
            if waiting > 0 {
                self.write_back();
            }
        }
    }

    fn write_back(&self) {
        self.checkpoint("PASSIVE");
        if self.progress.lock().pages > PAGES_MAX {
            // The writer yields. What was just written back need not be again, so it does not wait long.
            let _writer = self.writer.lock();
            self.checkpoint("RESTART");
        }
    }

    fn checkpoint(&self, mode: &str) {
        let connection = self.connection.lock();
        let done = connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| {
            Ok((row.get::<_, i32>(1)?, row.get::<_, i32>(2)?))
        });
        drop(connection);
        let mut progress = self.progress.lock();
        match done {
            Ok((pages, written_back)) => {
                let restarted = mode != "PASSIVE" && written_back >= pages;
                progress.written_back = if restarted { 0 } else { written_back.max(0) };
                if restarted {
                    progress.pages = 0;
                }
            }
            Err(error) => {
                progress.broken |= commit::is_sync(&error);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "checkpoint failed"
                );
            }
        }
    }
}
