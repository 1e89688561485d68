//! The commands that speak to a server, ours or another, with the grammar and flags that people know from `temporal`.
//!
//! They speak only the public gRPC protocol: nothing here knows how our server works inside.

mod connect;
pub(crate) mod duration;
mod input;
pub(crate) mod json;
mod options;
mod output;
mod profile;
mod time;

pub(crate) mod activity;
pub(crate) mod operator;
pub(crate) mod task_queue;
pub(crate) mod workflow;

use connect::Client;
use options::Options;

/// What went wrong, in the words of the command and of the server.
fn refused(doing: &str, status: &tonic::Status) -> anyhow::Error {
    if status.message().is_empty() {
        anyhow::anyhow!("{doing}: {}", status.code().description())
    } else {
        anyhow::anyhow!("{doing}: {}", status.message())
    }
}

/// A status or a kind without its prefix: `WORKFLOW_EXECUTION_STATUS_TIMED_OUT` is `TimedOut`.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .split('_')
        .map(|part| {
            let (first, rest) = part.split_at(part.len().min(1));
            first.to_owned() + &rest.to_lowercase()
        })
        .collect()
}
