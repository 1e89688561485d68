//! The auditor's way through a database: run by run, in the order of run ids, one run in memory at a time.
//!
//! Deliberately absent: pace, and where a scan goes on another day. Both are the caller's.

use std::sync::Arc;

use super::{Invariant, Violation, judge};
use crate::execution::Workflow;
use crate::id::RunId;
use crate::log::{Audit, ReadError, Whole};

/// The kind of run that workflows are, in a row.
const WORKFLOW: u8 = 1;

/// What a scan has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub runs: u64,
    pub records: u64,
    pub events: u64,
    pub violations: u64,
}

/// A scan under way.
#[derive(Debug)]
pub struct Scan {
    store: Arc<dyn Audit>,
    shards: u32,
    position: Option<RunId>,
    seen: Seen,
}

impl Scan {
    /// A scan of all runs behind `after`, of a database with so many shards.
    pub fn new(store: Arc<dyn Audit>, shards: u32, after: Option<RunId>) -> Self {
        Self {
            store,
            shards,
            position: after,
            seen: Seen::default(),
        }
    }

    /// Judges the next run. `None`: that was the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Violation>>, ReadError> {
        let Some(run) = self.store.next_run(self.position).await? else {
            return Ok(None);
        };
        let violations = match self.store.whole(run).await {
            Ok(whole) => self.examine(run, &whole),
            Err(ReadError::Corrupt(why)) => vec![Violation {
                invariant: Invariant::Fold,
                run,
                what: format!("what is stored cannot be read: {why}"),
            }],
            Err(error) => return Err(error),
        };
        self.position = Some(run);
        self.seen.violations += violations.len() as u64;
        Ok(Some(violations))
    }

    /// The last run that was judged.
    pub fn position(&self) -> Option<RunId> {
        self.position
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    fn examine(&mut self, run: RunId, whole: &Whole) -> Vec<Violation> {
        if *whole == Whole::default() {
            // It was deleted since it was found.
            return Vec::new();
        }
        let records = &whole.records;
        self.seen.runs += u64::from(whole.filed.is_some());
        self.seen.records += records.len() as u64;
        self.seen.events += records
            .iter()
            .map(|it| u64::from(it.event_count))
            .sum::<u64>();
        match &whole.filed {
            Some(filed) if filed.row.kind != WORKFLOW => vec![Violation {
                invariant: Invariant::Row,
                run,
                what: format!("it is of kind {}, which nothing here knows", filed.row.kind),
            }],
            _ => judge::<Workflow>(run, whole, self.shards),
        }
    }
}
