//! The auditor: does what is stored of each run keep the invariants? Reads only, repairs nothing.
//!
//! [`judge`] is pure: everything that the tables hold of one run, as of one moment, in; every violation out, with the number of the
//! invariant. [`Scan`] goes through a database run by run, in the order of run ids. Each run is read in one transaction and every
//! commit is one, so a database that is being written to is no false alarm.
//!
//! | number | what must hold | looked at |
//! |---|---|---|
//! | I-2 | records 1..n and events 1..n without a gap, the first is the start | `log` |
//! | I-3 | each record has the chain hash that follows from the one before | `log` |
//! | I-4 | a run is closed if and only if its last event closes it | `log`, `runs` |
//! | I-7 | an id has one open run, and that is its current one | `runs` |
//! | I-9 | `wake_at` is not later than the state needs somebody; what a run owes that is not hot is parked where its shard looks | `runs`, `parked` |
//! | I-10 | epochs of records never fall, nor are above their shard's | `log`, `shards` |
//! | I-11 | the log folds; a snapshot is the fold of its prefix; a state is what its encoding says | `log`, `snapshots` |
//! | I-14 | the row is the projection of the fold, in the shard of its id, and so is what the run is found by | `runs`, `search` |
//! | I-18 | nothing is left of a run that has no row | `log`, `snapshots`, `heartbeats`, `search` |
//!
//! What may lag: an open run's `history_length`, `history_size_bytes` and `state_transition_count` are those of the transition that
//! wrote the row last (start, upsert, close). That transition is known by its `state_transition_count`, so the whole row must
//! be the projection as of then, and all but those three columns and the search attributes `BuildIds` and `BinaryChecksums` (and `workers`, which says the same) as of now. A parked offer that nobody owes any more is legal until a look finds it,
//! and so is the heartbeat register of an activity that has ended, and a snapshot of another version.
//!
//! A log that is broken (I-2, I-3, I-4) is not folded, and a row that disagrees about the close is not compared further: what
//! follows from the first lie is not told as another. Deliberately absent: what the tables cannot show, such as a last record that is missing together with all that was written in its transaction.

use std::fmt;

use crate::id::RunId;
use crate::kind::Kind;
use crate::log::Whole;

mod fold;
mod records;
mod row;
mod scan;
mod tables;

#[cfg(test)]
pub(crate) use row::late;
pub use scan::{Scan, Seen};

/// A promise that the tables can show to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    Contiguity,
    Chain,
    Close,
    Uniqueness,
    Owed,
    Fencing,
    Fold,
    Row,
    Orphan,
}

impl Invariant {
    /// All that the auditor looks at.
    pub const ALL: [Self; 9] = [
        Self::Contiguity,
        Self::Chain,
        Self::Close,
        Self::Uniqueness,
        Self::Owed,
        Self::Fencing,
        Self::Fold,
        Self::Row,
        Self::Orphan,
    ];

    /// Its number in the list of promises.
    #[must_use]
    pub fn number(self) -> &'static str {
        match self {
            Self::Contiguity => "I-2",
            Self::Chain => "I-3",
            Self::Close => "I-4",
            Self::Uniqueness => "I-7",
            Self::Owed => "I-9",
            Self::Fencing => "I-10",
            Self::Fold => "I-11",
            Self::Row => "I-14",
            Self::Orphan => "I-18",
        }
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub invariant: Invariant,
    pub run: RunId,
    /// What is wrong, as a sentence.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.invariant.number();
        write!(f, "{number} run {}: {}", self.run, self.what)
    }
}

/// What was found of one run.
#[derive(Debug)]
struct Findings {
    run: RunId,
    violations: Vec<Violation>,
}

impl Findings {
    fn add(&mut self, invariant: Invariant, what: impl Into<String>) {
        self.violations.push(Violation {
            invariant,
            run: self.run,
            what: what.into(),
        });
    }
}

/// Every violation that the tables show of one run, in a database with so many shards.
#[must_use]
pub fn judge<K: Kind>(run: RunId, whole: &Whole, shards: u32) -> Vec<Violation> {
    let mut found = Findings {
        run,
        violations: Vec::new(),
    };
    let Some(filed) = &whole.filed else {
        tables::orphans(whole, &mut found);
        return found.violations;
    };
    tables::uniqueness(filed, &mut found);
    tables::shard(filed, shards, &mut found);
    records::fencing(filed, &whole.records, &mut found);
    let log = records::contiguity(&whole.records, &mut found);
    if let Some(log) = log
        && records::closes_once(&log, &mut found)
    {
        let agrees = records::close_is_filed(filed, &log, &mut found);
        if let Some(folded) = fold::fold::<K>(whole, filed, &mut found)
            && agrees
        {
            tables::owed::<K>(whole, filed, &folded.state, &mut found);
            row::projection::<K>(filed, &folded, &mut found);
            row::terms::<K>(&whole.terms, &folded, &mut found);
        }
    }
    found.violations
}
