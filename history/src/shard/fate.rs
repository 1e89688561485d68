//! What becomes of a shard's part of a commit that has ended.
//!
//! The four failures of a commit are told apart here and nowhere else, for the server and for the simulation alike. Deliberately
//! absent: carrying it out.

use crate::id::ShardId;
use crate::log::{Committed, Failure};
use crate::planted::{Fault, planted};

/// What must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is durable: `Shard::committed`.
    Release,
    /// Memory is worth nothing any more: `Shard::drop_all`, and a higher epoch before anything is answered.
    Lose(&'static str),
    /// Nothing was written: `Shard::rolled_back`, and the same again after a while.
    Again,
    /// Something in it is at fault: each item in a transaction of its own, and `Shard::refused` for the one that fails alone.
    OneByOne,
    /// Nothing in this process may be believed: it ends.
    Die,
}

/// The fate of one shard's part of a commit.
pub fn fate(ended: &Result<Committed, Failure>, shard: ShardId) -> Fate {
    match ended {
        Ok(committed) if committed.lost.contains(&shard) => Fate::Lose("its epoch has passed"),
        Ok(committed) if planted(Fault::LostShardAbortsBatch) && !committed.lost.is_empty() => {
            Fate::Lose("another shard of the batch lost its epoch")
        }
        Ok(_) => Fate::Release,
        Err(Failure::Unknown(_)) if planted(Fault::MemoryKeptAfterUnknown) => Fate::Release,
        Err(Failure::Unknown(_)) => Fate::Lose("the outcome of a commit is unknown"),
        Err(Failure::RolledBack(_)) => Fate::Again,
        Err(Failure::Refused(_)) => Fate::OneByOne,
        Err(Failure::Sync(_)) => Fate::Die,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_fate() {
        let (mine, other) = (ShardId(1), ShardId(2));
        let committed = |lost: &[ShardId]| {
            Ok(Committed {
                lost: lost.to_vec(),
            })
        };
        let why = || "why".into();
        assert_eq!(fate(&committed(&[]), mine), Fate::Release);
        assert_eq!(fate(&committed(&[other]), mine), Fate::Release);
        assert!(matches!(fate(&committed(&[mine]), mine), Fate::Lose(_)));
        let unknown = Err(Failure::Unknown(why()));
        assert!(matches!(fate(&unknown, mine), Fate::Lose(_)));
        assert_eq!(fate(&Err(Failure::RolledBack(why())), mine), Fate::Again);
        assert_eq!(fate(&Err(Failure::Refused(why())), mine), Fate::OneByOne);
        assert_eq!(fate(&Err(Failure::Sync(why())), mine), Fate::Die);
    }
}
