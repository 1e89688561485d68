//! Stories about a shard of toy runs over a table in memory; `laws` plays random ones.

mod failures;
mod frontier;
mod laws;
mod leaving;
mod loads;
mod offering;
mod sending;
mod toy;
mod waking;
mod world;
