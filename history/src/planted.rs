//! Bugs that are there on purpose, so that the tests can show that they would find them.
//!
//! Without the feature `planted` there are none: [`planted`] is a constant `false`, and the compiler takes out what hangs on
//! it. With it `CAIRN_PLANTED` names the one bug of this process. Each is one line, where the right decision is taken.

/// A bug to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer leaves at once, not with the commit that it speaks of.
    ReplyBeforeCommit,
    /// What changes nothing (a duplicate, a read, a refusal) is answered from a head that is not durable.
    DedupeBeforeFrontier,
    /// A commit does not compare its epoch.
    NoEpochProof,
    /// A commit whose outcome is unknown counts as done.
    MemoryKeptAfterUnknown,
    /// A closed run refuses a repeated request before it is recognized.
    DedupeAfterClosed,
    /// A checkpoint writes a wake-up later than the state has it.
    WakeAtTooLate,
    /// The table ends up as if a checkpoint were written behind the transition that was queued after it.
    CheckpointOvertakes,
    /// A run that is loaded does not offer what it owes.
    OfferNotMadeAgain,
    /// Events that waited in a buffer are not there after a takeover.
    BufferedEventDropped,
    /// SQLite does not wait for the disk.
    SynchronousNormal,
    /// A timer's moment is cut to whole seconds.
    TimerRoundedDown,
    /// An activity that has ended can end again.
    SecondActivityEnd,
    /// A task on a sticky queue waits for its worker for ever.
    StickyTaskLost,
    /// What is in memory is told although another may own the shard by now.
    ReadWithoutProof,
    /// An id whose load failed stays locked.
    LockLeakedOnLoadError,
    /// What is too large is refused, and written.
    SizeCheckedAfterWrite,
    /// One shard of a batch that lost its epoch takes the others with it.
    LostShardAbortsBatch,
    /// A commit on PostgreSQL reads its epoch and does not keep it: a takeover may come between.
    EpochReadWithoutLock,
    /// SQLite has committed the records of a batch before it writes the rows of their runs.
    RowOutsideTransaction,
    /// A page token of one namespace is good in another.
    PageTokenUnbound,
    /// A node judges who is dead by its own clock.
    OwnClockForLease,
    /// The row of a run that begins is written before that of the one that makes room for it.
    OpenBeforeClose,
    /// What a run owes to another one is sent before that is durable.
    EffectBeforeCommit,
    /// A run that goes on as new forgets what others have sent to it.
    EffectTwiceAcrossContinueAsNew,
    /// A speculative workflow task is recorded although its worker has only rejected.
    SpeculativeTaskRecorded,
    /// Whoever asks again for an update that was completed is told another outcome.
    UpdateOutcomeForgotten,
    /// A reset that is asked for again is done again.
    ResetRepeated,
}

/// Does this process have the bug?
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn planted(_fault: Fault) -> bool {
    false
}

/// Does this process have the bug?
#[cfg(feature = "planted")]
#[must_use]
pub fn planted(fault: Fault) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Fault>> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(chosen) == Some(fault)
}

#[cfg(feature = "planted")]
fn chosen() -> Option<Fault> {
    let name = std::env::var("CAIRN_PLANTED").ok()?;
    let fault = match name.as_str() {
        "reply-before-commit" => Fault::ReplyBeforeCommit,
        "dedupe-before-frontier" => Fault::DedupeBeforeFrontier,
        "no-epoch-proof" => Fault::NoEpochProof,
        "memory-kept-after-unknown" => Fault::MemoryKeptAfterUnknown,
        "dedupe-after-closed" => Fault::DedupeAfterClosed,
        "wake-at-too-late" => Fault::WakeAtTooLate,
        "checkpoint-overtakes" => Fault::CheckpointOvertakes,
        "offer-not-made-again" => Fault::OfferNotMadeAgain,
        "buffered-event-dropped" => Fault::BufferedEventDropped,
        "synchronous-normal" => Fault::SynchronousNormal,
        "timer-rounded-down" => Fault::TimerRoundedDown,
        "second-activity-end" => Fault::SecondActivityEnd,
        "sticky-task-lost" => Fault::StickyTaskLost,
        "read-without-proof" => Fault::ReadWithoutProof,
        "lock-leaked-on-load-error" => Fault::LockLeakedOnLoadError,
        "size-checked-after-write" => Fault::SizeCheckedAfterWrite,
        "lost-shard-aborts-batch" => Fault::LostShardAbortsBatch,
        "epoch-read-without-lock" => Fault::EpochReadWithoutLock,
        "row-outside-transaction" => Fault::RowOutsideTransaction,
        "page-token-unbound" => Fault::PageTokenUnbound,
        "own-clock-for-lease" => Fault::OwnClockForLease,
        "open-before-close" => Fault::OpenBeforeClose,
        "effect-before-commit" => Fault::EffectBeforeCommit,
        "effect-twice-across-continue-as-new" => Fault::EffectTwiceAcrossContinueAsNew,
        "speculative-task-recorded" => Fault::SpeculativeTaskRecorded,
        "update-outcome-forgotten" => Fault::UpdateOutcomeForgotten,
        "reset-repeated" => Fault::ResetRepeated,
        _ => {
            tracing::error!(name, "no such planted bug");
            std::process::abort()
        }
    };
    tracing::warn!(?fault, "this process has a bug on purpose");
    Some(fault)
}
