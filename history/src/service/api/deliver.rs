//! Messages of other runs.

use std::sync::Arc;

use cairn_proto::cairn::effect::v1::{Message, Outcome};
use tonic::Status;

use super::wire;
use crate::execution::{Answer, Question, started_by};
use crate::id::Key;
use crate::service::Shell;

pub(in crate::service) async fn deliver(
    shell: &Arc<Shell>,
    message: Message,
) -> Result<Outcome, Status> {
    let key = Key {
        namespace: wire::namespace(&message.namespace_id)?,
        workflow_id: message.workflow_id.clone(),
    };
    let run = wire::run_bytes(&message.run_id)?;
    let start_request_id = started_by(&message);
    let question = Question::Deliver(Box::new(message));
    let reply = shell.ask(key, run, start_request_id, question).await?;
    match reply.answer {
        Answer::Delivered(outcome) => Ok(*outcome),
        _ => Err(wire::unexpected(&reply)),
    }
}
