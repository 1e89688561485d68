//! A connection that commits, and what the failure of a transaction means: refused, rolled back, or unknown.
//!
//! Until COMMIT has been sent nothing can have been written, whatever becomes of the connection. After that only an answer
//! without a warning is a success: PostgreSQL answers a COMMIT whose wait for the synchronous standby was cancelled with
//! nothing but a warning, and what it has acknowledged then is lost with the primary. A connection of which not everything
//! is known is given up.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Error, Executor};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::timeout;
use tracing::instrument::WithSubscriber;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

use super::Failure;
use super::open::session;

#[derive(Debug)]
pub(super) struct Writer {
    database: PgConnectOptions,
    patience: Duration,
    /// Taken out while in use: what is not put back is closed. And after how many silences of the database it was made.
    connection: Mutex<Option<(u64, PgConnection)>>,
    silences: watch::Receiver<u64>,
    warned: Arc<AtomicBool>,
    watch: Dispatch,
}

/// A transaction that has begun. Dropped without a commit, it ends with its connection.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    writer: &'a Writer,
    place: MutexGuard<'a, Option<(u64, PgConnection)>>,
    connection: Option<PgConnection>,
    /// The silences of the database before it began.
    silences: u64,
}

#[derive(Debug, thiserror::Error)]
enum Doubt {
    #[error("the database did not answer in time")]
    Silence,
    #[error("the database warned while it committed")]
    Warned,
    #[error("the transaction has ended")]
    Ended,
}

impl Writer {
    /// `silences`: how often the database was out of reach. Connections from before the last time are not waited for.
    pub(super) fn new(
        database: PgConnectOptions,
        patience: Duration,
        silences: watch::Receiver<u64>,
    ) -> Self {
        let warned = Arc::new(AtomicBool::new(false));
        Self {
            database,
            patience,
            connection: Mutex::new(None),
            silences,
            watch: Dispatch::new(Warnings(Arc::clone(&warned))),
            warned,
        }
    }

    /// Waits for the transaction before, and begins one. Connects if need be.
    pub(super) async fn begin(&self) -> Result<Transaction<'_>, Failure> {
        let mut place = self.connection.lock().await;
        let connection = place.take();
        let silences = *self.silences.borrow();
        let begun = self.answer(silences, async {
            let mut connection = match connection {
                Some((since, connection)) if since == silences => connection,
                _ => self.connect().await?,
            };
            connection.execute("BEGIN").await?;
            Ok(connection)
        });
        let connection = begun
            .await
            .map_err(|silence| Failure::RolledBack(silence.into()))?
            .map_err(|error: Error| Failure::RolledBack(error.into()))?;
        Ok(Transaction {
            writer: self,
            place,
            connection: Some(connection),
            silences,
        })
    }

    /// Waits for an answer of the database, unless it was silent since.
    async fn answer<T>(&self, silences: u64, asked: impl Future<Output = T>) -> Result<T, Doubt> {
        let mut counted = self.silences.clone();
        tokio::select! {
            biased;
            answer = timeout(self.patience, asked) => answer.map_err(|_| Doubt::Silence),
            Ok(_) = counted.wait_for(|now| *now != silences) => Err(Doubt::Silence),
        }
    }

    async fn connect(&self) -> Result<PgConnection, Error> {
        let mut connection = PgConnection::connect_with(&self.database).await?;
        session(&mut connection).await?;
        Ok(connection)
    }
}

impl Transaction<'_> {
    /// Carries out statements; if one fails, the transaction has ended.
    pub(super) async fn run<T>(
        &mut self,
        statements: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let Some(mut connection) = self.connection.take() else {
            return Err(Failure::RolledBack(Doubt::Ended.into()));
        };
        let (writer, silences) = (self.writer, self.silences);
        let answer = writer.answer(silences, statements(&mut connection));
        let error = match answer.await {
            Ok(Ok(done)) => {
                self.connection = Some(connection);
                return Ok(done);
            }
            Ok(Err(error)) => error,
            Err(silence) => return Err(Failure::RolledBack(silence.into())),
        };
        let rolled_back = writer.answer(silences, connection.execute("ROLLBACK"));
        if let Ok(Ok(_)) = rolled_back.await {
            *self.place = Some((silences, connection));
        }
        Err(before_commit(error))
    }

    /// Commits, and waits until that is on the disk.
    pub(super) async fn commit(mut self) -> Result<(), Failure> {
        let Some(mut connection) = self.connection.take() else {
            return Err(Failure::RolledBack(Doubt::Ended.into()));
        };
        self.writer.warned.store(false, Ordering::Relaxed);
        let commit = connection.execute("COMMIT");
        let commit = commit.with_subscriber(self.writer.watch.clone());
        match self.writer.answer(self.silences, commit).await {
            Err(silence) => Err(Failure::Unknown(silence.into())),
            Ok(Err(error)) => Err(in_commit(error)),
            Ok(Ok(_)) if self.writer.warned.load(Ordering::Relaxed) => {
                Err(Failure::Unknown(Doubt::Warned.into()))
            }
            Ok(Ok(_)) => {
                *self.place = Some((self.silences, connection));
                Ok(())
            }
        }
    }
}

/// The class of an error that the server reports (the first two characters of its SQLSTATE).
fn class(error: &Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    code.get(..2).map(str::to_owned)
}

/// The statements themselves are at fault: a constraint (23), a value (22), a limit of the database (54).
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Encode(_) | Error::RowNotFound)
        || matches!(class(error).as_deref(), Some("22" | "23" | "54"))
}

fn before_commit(error: Error) -> Failure {
    if is_refusal(&error) {
        Failure::Refused(error.into())
    } else {
        Failure::RolledBack(error.into())
    }
}

/// A server that says it has aborted the transaction (40) or found a constraint broken (23) has written nothing; whatever
/// else it says, it may have committed before.
fn in_commit(error: Error) -> Failure {
    match class(&error).as_deref() {
        Some("23") => Failure::Refused(error.into()),
        Some("40") => Failure::RolledBack(error.into()),
        _ => {
            tracing::warn!(error = error.source(), "commit without an answer");
            Failure::Unknown(error.into())
        }
    }
}

/// Notices whether the server warned: the library hands warnings to nobody but the log.
#[derive(Debug)]
struct Warnings(Arc<AtomicBool>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target() == "sqlx::postgres::notice"
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::WARN)
    }

    fn event(&self, _: &Event<'_>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
