//! The history service: what happened to each run and what follows from it.
//!
//! * [`execution`]: one run as a pure state machine.
//! * [`shard`]: the owner of many runs: head and frontier, wake-ups, cache, commit batches. Pure too.
//! * [`log`]: the event log and its stores.
//! * [`placement`]: which node owns which shard and task queue. Pure as well.
//! * [`search_attribute`]: which there are, their values, and the terms by which runs are found. Pure.
//! * [`service`]: the shell with tasks, clock and wire.
//! * [`audit`]: does what is stored keep the promises?
//! * [`planted`]: bugs on purpose, of this crate and of `frontend`; without the feature of that name there are none.

pub mod audit;
pub mod execution;
pub mod id;
pub mod kind;
pub mod log;
pub mod placement;
pub mod planted;
pub mod search_attribute;
#[cfg(feature = "shell")]
pub mod service;
pub mod shard;
