//! Who starts the next operation, and when: as soon as one has ended, or at fixed moments.
//!
//! Deliberately absent: what an operation is.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tonic::Status;

use super::stats::Latencies;

/// An operation that takes longer has failed, so every measurement ends.
pub(crate) const LONGEST: Duration = Duration::from_mins(1);
const AFTER_FAILURE: Duration = Duration::from_millis(20);
/// More than this many in flight means that the server does not keep up with the fixed rate.
const IN_FLIGHT_MAX: usize = 5_000;

/// When to stop: after a number of operations or a time, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) count: u64,
    pub(crate) duration: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Numbers of the operations that succeeded.
    pub(crate) done: Vec<u64>,
    /// Successes that count for the rate, and the time from the first start to the last of them.
    pub(crate) counted: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Latencies,
    pub(crate) failures: BTreeMap<String, u64>,
    /// The latest that a start at a fixed moment was.
    pub(crate) late: Duration,
}

impl Ran {
    /// Operations per second.
    pub(crate) fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 operations")]
        let counted = self.counted as f64;
        if seconds > 0.0 {
            counted / seconds
        } else {
            0.0
        }
    }

    /// Adds what ran after it.
    pub(crate) fn extend(&mut self, later: &Self) {
        self.counted += later.counted;
        self.elapsed += later.elapsed;
        self.latencies.extend(&later.latencies);
        for (failure, times) in &later.failures {
            *self.failures.entry(failure.clone()).or_default() += times;
        }
    }
}

#[derive(Debug)]
struct Book {
    began: Instant,
    limits: Limits,
    ran: Mutex<Ran>,
    next: AtomicU64,
    in_flight: AtomicUsize,
}

impl Book {
    fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            limits,
            ran: Mutex::new(Ran {
                done: Vec::new(),
                counted: 0,
                elapsed: Duration::ZERO,
                latencies: Latencies::new(),
                failures: BTreeMap::new(),
                late: Duration::ZERO,
            }),
            next: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
        })
    }

    /// The number of the next operation, unless it is time to stop.
    fn next(&self) -> Option<u64> {
        if self.began.elapsed() >= self.limits.duration {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.limits.count).then_some(number)
    }

    /// Runs one operation; says whether it succeeded.
    async fn run(&self, number: u64, op: impl Future<Output = Result<(), Status>>) -> bool {
        let started = Instant::now();
        let result = timeout(LONGEST, op).await;
        let ended = Instant::now();
        let mut ran = self.ran.lock();
        let failure = match result {
            Ok(Ok(())) => {
                ran.done.push(number);
                ran.latencies.add(ended - started);
                if ended - self.began <= self.limits.duration {
                    ran.counted += 1;
                    ran.elapsed = ended - self.began;
                }
                return true;
            }
            Ok(Err(status)) => format!("{:?}: {}", status.code(), status.message()),
            Err(_) => "no answer within a minute".to_owned(),
        };
        *ran.failures.entry(failure).or_default() += 1;
        false
    }

    fn close(self: Arc<Self>) -> Ran {
        let ended = self.began.elapsed();
        let book = Arc::into_inner(self).expect("every task of the measurement has been joined");
        let mut ran = book.ran.into_inner();
        let done = ran.done.len() as u64;
        // The end, when fewer and fewer are in flight, is left out; unless a slow server has done most of its work there.
        if ran.counted * 2 < done {
            ran.counted = done;
            ran.elapsed = ended;
        }
        ran
    }
}

/// `concurrency` operations in flight, each followed by the next. Those begun within the limits are waited for.
pub(crate) async fn closed<F>(
    limits: Limits,
    concurrency: usize,
    op: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Ran
where
    F: Future<Output = Result<(), Status>> + Send,
{
    let book = Book::new(limits);
    let mut lanes = JoinSet::new();
    for _ in 0..concurrency {
        let (book, op) = (book.clone(), op.clone());
        lanes.spawn(async move {
            while let Some(number) = book.next() {
                if !book.run(number, op(number)).await {
                    sleep(AFTER_FAILURE).await;
                }
            }
        });
    }
    while lanes.join_next().await.is_some() {}
    book.close()
}

/// `rate` operations per second, whether or not earlier ones have ended.
pub(crate) async fn open<F>(
    limits: Limits,
    rate: f64,
    op: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Ran
where
    F: Future<Output = Result<(), Status>> + Send,
{
    let book = Book::new(limits);
    let gap = Duration::from_secs_f64(1.0 / rate.max(0.1));
    let mut due = book.began;
    let mut flight = JoinSet::new();
    loop {
        sleep_until(due.into()).await;
        let Some(number) = book.next() else { break };
        {
            let mut ran = book.ran.lock();
            ran.late = ran.late.max(due.elapsed());
        }
        if book.in_flight.load(Ordering::Relaxed) >= IN_FLIGHT_MAX {
            let mut ran = book.ran.lock();
            *ran.failures
                .entry("too many in flight".to_owned())
                .or_default() += 1;
        } else {
            book.in_flight.fetch_add(1, Ordering::Relaxed);
            let (book, op) = (book.clone(), op.clone());
            flight.spawn(async move {
                book.run(number, op(number)).await;
                book.in_flight.fetch_sub(1, Ordering::Relaxed);
            });
        }
        while flight.try_join_next().is_some() {}
        due += gap;
    }
    while flight.join_next().await.is_some() {}
    book.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_loop_runs_every_operation_once_and_counts_failures() {
        let limits = Limits {
            count: 100,
            duration: Duration::from_mins(1),
        };
        let mut ran = closed(limits, 7, |number| async move {
            match number {
                13 => Err(Status::aborted("unlucky")),
                _ => Ok(()),
            }
        })
        .await;
        ran.done.sort_unstable();
        assert_eq!(ran.done.len(), 99);
        assert!(!ran.done.contains(&13));
        assert_eq!(ran.counted, 99);
        assert_eq!(ran.failures["Aborted: unlucky"], 1);
    }

    #[tokio::test]
    async fn an_open_loop_does_not_wait_for_answers() {
        let limits = Limits {
            count: 10,
            duration: Duration::from_mins(1),
        };
        let all = Arc::new(tokio::sync::Barrier::new(10));
        let ran = open(limits, 10_000.0, move |_| {
            let all = all.clone();
            async move {
                all.wait().await;
                Ok(())
            }
        })
        .await;
        assert_eq!(ran.done.len(), 10);
    }

    #[tokio::test]
    async fn nothing_runs_after_the_time() {
        let limits = Limits {
            count: 10,
            duration: Duration::ZERO,
        };
        let ran = closed(limits, 2, |_| async { Ok(()) }).await;
        assert!(ran.done.is_empty());
        assert!(ran.rate().abs() < f64::EPSILON);
    }
}
