//! The way out of the cluster: completion callbacks are made by somebody who knows HTTP.
//!
//! Deliberately absent: when one is made, and when again (`execution::callback`, `shard`).

use std::fmt::Debug;

use async_trait::async_trait;
use cairn_proto::cairn::effect::v1::{Call, Outcome, outcome};
use cairn_proto::temporal::api::failure::v1::Failure;
use tonic::Status;

use super::Shell;

/// Makes completion callbacks.
#[async_trait]
pub trait Caller: Debug + Send + Sync {
    /// Tells whoever asked to be called how it ended. The failure of one that was not heard is non-retryable if it never will be.
    async fn call(&self, call: Call) -> Result<(), Failure>;
}

pub(super) async fn make(shell: &Shell, call: Call) -> Result<Outcome, Status> {
    let Some(caller) = &shell.caller else {
        return Err(Status::unimplemented("nobody here makes calls"));
    };
    let came = match caller.call(call).await {
        Ok(()) => outcome::Outcome::Done(true),
        Err(failure) => outcome::Outcome::Unheard(failure),
    };
    Ok(Outcome {
        outcome: Some(came),
    })
}
