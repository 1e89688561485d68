//! Ids, time and bounded numbers of the history service, validated where they enter.
//!
//! Deliberately absent: any way to make an id or a time from nothing. Both come in as arguments.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the Unix epoch, by the server's clock.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub i64);

impl Time {
    /// The moment `delay` later; saturates instead of wrapping.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(delay.as_nanos()).unwrap_or(i64::MAX)),
        )
    }

    /// How long it is from `earlier` to here; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                uuid::Uuid::from_bytes(self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                uuid::Uuid::parse_str(text).map(|id| Self(id.into_bytes())).map_err(|_| Malformed)
            }
        }
    };
}

uuid_id! {
    /// The id of a run: a `UUIDv7`, so that keys arrive in order.
    RunId
}
uuid_id! {
    /// The id of a namespace, made by the server.
    NamespaceId
}

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct Malformed;

/// A workflow id within its namespace: what a shard is chosen by and what may have one open run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub namespace: NamespaceId,
    pub workflow_id: String,
}

impl Key {
    /// The shard of this id. The same for ever: `shards` is fixed when a database is created.
    pub fn shard(&self, shards: u32) -> ShardId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.namespace.0);
        hasher.update(self.workflow_id.as_bytes());
        let mut word = [0; 4];
        word.copy_from_slice(&hasher.finalize().as_bytes()[..4]);
        ShardId(u32::from_le_bytes(word) % shards.max(1))
    }
}

/// One of the fixed number of parts into which all runs are divided.
#[expect(
    clippy::module_name_repetitions,
    reason = "`Shard` is the state machine, this is its number"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

/// Which ownership of a shard: raised by each takeover, proved by each commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Who waits for an answer. The shell makes tickets and knows what is behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Where randomness comes from. Seeded in tests, the operating system's in production.
pub trait Entropy: fmt::Debug + Send {
    /// 128 bits that nobody can guess.
    fn bits(&mut self) -> u128;

    /// A fresh run id of this moment.
    fn run_id(&mut self, now: Time) -> RunId {
        let millis = u64::try_from(now.0 / 1_000_000).unwrap_or(0);
        let random = self.bits().to_le_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[..10]);
        RunId(
            uuid::Builder::from_unix_timestamp_millis(millis, &tail)
                .into_uuid()
                .into_bytes(),
        )
    }
}
