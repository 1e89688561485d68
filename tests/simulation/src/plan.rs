//! What one seed is made of: how large the cluster is, what is asked of it, and what may go wrong.
//!
//! Everything here follows from the seed alone and can be taken away again piece by piece: that is how a failing seed shrinks.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use cairn_history::placement::{BEAT, LEASE};

use crate::random::Random;

/// One kind of thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Kill,
    Pause,
    HandOver,
    /// A node takes a shard whose owner has only stopped for a moment: a lease may be wrong, the epoch may not.
    Usurp,
    Partition,
    MessageLost,
    MessageTwice,
    MessageSlow,
    ClockOffset,
    ClockDrift,
    ClockStep,
    WorkerDeath,
    WorkerStall,
    CompletedTwice,
    StaleToken,
    CommitRefused,
    CommitRolledBack,
    CommitUnknownDone,
    CommitUnknownUndone,
    CommitLate,
    StoreSlow,
    StoreFull,
    StoreDown,
    ReadFails,
}

impl Fault {
    pub(crate) const ALL: [Self; 24] = [
        Self::Kill,
        Self::Pause,
        Self::HandOver,
        Self::Usurp,
        Self::Partition,
        Self::MessageLost,
        Self::MessageTwice,
        Self::MessageSlow,
        Self::ClockOffset,
        Self::ClockDrift,
        Self::ClockStep,
        Self::WorkerDeath,
        Self::WorkerStall,
        Self::CompletedTwice,
        Self::StaleToken,
        Self::CommitRefused,
        Self::CommitRolledBack,
        Self::CommitUnknownDone,
        Self::CommitUnknownUndone,
        Self::CommitLate,
        Self::StoreSlow,
        Self::StoreFull,
        Self::StoreDown,
        Self::ReadFails,
    ];

    /// Does it strike at a moment of its own? The others strike a message or a call in passing.
    pub(crate) fn is_an_act(self) -> bool {
        matches!(
            self,
            Self::Kill
                | Self::Pause
                | Self::HandOver
                | Self::Usurp
                | Self::Partition
                | Self::ClockStep
                | Self::WorkerDeath
                | Self::StoreSlow
                | Self::StoreFull
                | Self::StoreDown
        )
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.to_string() == text)
    }
}

/// `commit-late`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in format!("{self:?}").char_indices() {
            if letter.is_uppercase() && index > 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

/// How a seed ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Faults all along; only what must never happen is judged.
    Safety,
    /// Everything heals; then whatever is owed must happen in time.
    Liveness,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    pub(crate) nodes: usize,
    pub(crate) shards: u32,
    pub(crate) writers: usize,
    pub(crate) clients: usize,
    pub(crate) workers: usize,
    /// Workflow ids that the clients share.
    pub(crate) ids: u64,
    /// Between two questions of a client.
    pub(crate) think: Duration,
    /// How long things may go wrong.
    pub(crate) storm: Duration,
    /// Between two acts of the fates.
    pub(crate) calm: Duration,
    pub(crate) faults: BTreeSet<Fault>,
    /// How long a writer waits for more at most, as it does behind a busy disk: then commits are of several shards.
    pub(crate) gather: Duration,
    /// How many messages or calls in a thousand a fault strikes.
    pub(crate) rate: u64,
    /// Nodes say that they live so often.
    pub(crate) beat: Duration,
    /// Somebody who has not said so for this long is dead.
    pub(crate) lease: Duration,
    /// The longest timers.
    pub(crate) long: Duration,
    /// How long closed runs are kept.
    pub(crate) retention: Duration,
    /// Caches so small that runs come and go.
    pub(crate) tight: bool,
    /// Reads are proved by a commit (several processes may own the database).
    pub(crate) proof: bool,
}

impl Plan {
    pub(crate) fn new(seed: u64, mode: Option<Mode>) -> Self {
        let mut random = Random::new(seed);
        let drawn = if random.chance(500) {
            Mode::Safety
        } else {
            Mode::Liveness
        };
        let slow = random.chance(60);
        let beat = BEAT * if slow { 2 } else { 1 };
        let faults = drawn_faults(&mut random);
        let single = random.chance(150);
        Self {
            seed,
            mode: mode.unwrap_or(drawn),
            nodes: if single { 1 } else { 2 + random.index(3) },
            shards: 1 + u32::try_from(random.below(7)).unwrap_or(0),
            writers: if random.chance(300) { 2 } else { 1 },
            clients: 2 + random.index(3),
            workers: 2 + random.index(2),
            ids: 4 + random.below(10),
            think: random.between(Duration::from_millis(300), Duration::from_secs(8)),
            storm: random.between(Duration::from_secs(20), Duration::from_secs(90))
                * if slow { 20 } else { 1 },
            calm: random.between(Duration::from_secs(1), Duration::from_secs(10))
                * if slow { 20 } else { 1 },
            faults,
            gather: Duration::from_micros(*random.pick(&[1_000, 1_000, 50_000, 500_000])),
            rate: 1 + random.below(60),
            beat,
            lease: LEASE,
            long: if slow {
                Duration::from_hours(1)
            } else {
                Duration::from_mins(3)
            },
            retention: if random.chance(200) {
                Duration::from_mins(2)
            } else {
                Duration::from_hours(240)
            },
            tight: random.chance(400),
            proof: !single || random.chance(300),
        }
    }
}

/// Few kinds at once tell more than all of them; now and then all.
fn drawn_faults(random: &mut Random) -> BTreeSet<Fault> {
    let each = *random.pick(&[80, 250, 250, 500, 1_000]);
    Fault::ALL
        .into_iter()
        .filter(|_| random.chance(each))
        .collect()
}
