//! Matching: who does the next task.
//!
//! Soft state: it holds offers, not truth; what is lost here is offered again. [`queue`] is the pure part, [`Matching`] the
//! shell that keeps time and calls history. Deliberately absent: any knowledge of workflows, and anything that must last.

pub mod queue;
#[cfg(feature = "shell")]
mod service;

#[cfg(feature = "shell")]
pub use service::{Clock, Matching, Mine};
