//! Matching: who does the next task.
//!
//! Holds offers, not truth: what is lost here is offered again. Deliberately absent: any knowledge of workflows.

pub mod queue;
