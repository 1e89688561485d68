//! One run of a workflow as a pure state machine: ask, apply, owe. One file (or folder) per feature.
//!
//! Deliberately absent: I/O, clocks, randomness, requests of the wire. Events are proto (they are the published language);
//! questions, refusals and state are our own types.

pub mod command;
mod limits;
mod question;

pub use limits::Limits;
pub use question::*;
