//! The only mapping of a refusal to a status of the wire: code, message and detail as clients of the protocol expect them.

use cairn_proto::elsewhere::Elsewhere;
use cairn_proto::google::rpc;
use cairn_proto::operations::{self, Operation};
use cairn_proto::prost::{Message, Name};
use cairn_proto::prost_types::Any;
use cairn_proto::temporal::api::enums::v1::{ResourceExhaustedCause, ResourceExhaustedScope};
use cairn_proto::temporal::api::errordetails::v1::{
    NotFoundFailure, QueryFailedFailure, ResourceExhaustedFailure,
    WorkflowExecutionAlreadyStartedFailure, WorkflowNotReadyFailure,
};
use tonic::{Code, Status};

use crate::execution::Refusal;
use crate::id::RunId;
use crate::kind::Unavailable;

const MOVED: &str = "the shard of this workflow moved; try again";

/// As [`status`], where a run was named: then it is the run that there is not.
pub(super) fn status_about(refusal: Refusal, named: Option<&(String, RunId)>) -> Status {
    match (refusal, named) {
        (Refusal::NoSuchWorkflow(_), Some((workflow_id, run))) => not_found(format!(
            "workflow execution not found for workflow ID {} and run ID \"{run}\"",
            quoted(workflow_id)
        )),
        (refusal, _) => status(refusal),
    }
}

/// A text between quotes, with the escapes that clients of the protocol know from its messages.
fn quoted(text: &str) -> String {
    let inner: String = text.chars().map(escaped).collect();
    format!("\"{inner}\"")
}

fn escaped(char: char) -> String {
    let code = u32::from(char);
    match char {
        '\u{7}' => r"\a".to_owned(),
        '\u{8}' => r"\b".to_owned(),
        '\u{b}' => r"\v".to_owned(),
        '\u{c}' => r"\f".to_owned(),
        '\n' | '\r' | '\t' | '"' | '\\' => char.escape_default().to_string(),
        '\0'..' ' | '\u{7f}' => format!("\\x{code:02x}"),
        // Debug escapes what cannot be seen, and the apostrophe.
        '\'' => char.to_string(),
        _ if char.escape_debug().len() == 1 => char.to_string(),
        _ if code < 0x1_0000 => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

pub(super) fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Invalid(message)
        | Refusal::BadCommands(message)
        | Refusal::HistoryLimit(message) => Status::invalid_argument(message),
        Refusal::NoSuchWorkflow(message)
        | Refusal::NoSuchTask(message)
        | Refusal::NoSuchActivity(message) => not_found(message),
        Refusal::NoSuchUpdate(id) => not_found(format!("update {} not found", quoted(&id))),
        Refusal::UpdateAborted => not_found("workflow update was aborted by closing workflow"),
        Refusal::OfStart(why) => {
            operations::update_with_start([Operation::Failed(status(*why)), Operation::Aborted])
        }
        Refusal::OfUpdate { why, begun } => operations::update_with_start([
            if begun {
                Operation::Done
            } else {
                Operation::Aborted
            },
            Operation::Failed(status(*why)),
        ]),
        Refusal::StartRepeated => Status::unavailable("Workflow was not started: StartDeduped"),
        Refusal::Completed => not_found("workflow execution already completed"),
        Refusal::AlreadyStarted {
            message,
            request_id,
            run,
            first_run,
        } => {
            let detail = WorkflowExecutionAlreadyStartedFailure {
                start_request_id: request_id,
                run_id: run.to_string(),
                first_execution_run_id: first_run.to_string(),
            };
            detailed(Code::AlreadyExists, message, &detail)
        }
        Refusal::TaskTaken => Status::already_exists("the task was started by another poll"),
        Refusal::OtherQueue => Status::failed_precondition("the task waits on another queue"),
        Refusal::Busy(message) => busy(message, ResourceExhaustedCause::BusyWorkflow),
        Refusal::TooManyInFlight(message) => busy(message, ResourceExhaustedCause::ConcurrentLimit),
        Refusal::NotReady(message) => detailed(
            Code::FailedPrecondition,
            message,
            &WorkflowNotReadyFailure {},
        ),
        Refusal::Precondition(message) => Status::failed_precondition(message),
        Refusal::NotBuilt(message) => Status::unimplemented(message),
        Refusal::Unavailable(why) => unavailable(why),
    }
}

/// The shard went while a question was under way.
pub(super) fn moved() -> Status {
    unavailable(Unavailable::ShardMoved)
}

fn unavailable(why: Unavailable) -> Status {
    match why {
        Unavailable::ShardMoved => Elsewhere::Moved.status(MOVED),
        Unavailable::Elsewhere => Elsewhere::Never.status(MOVED),
        Unavailable::CommitRefused => {
            Status::unavailable("the store refused the change; nothing was written")
        }
        Unavailable::Busy => busy(
            "too much waits to be written; try again later",
            ResourceExhaustedCause::SystemOverloaded,
        ),
        Unavailable::Quarantined => {
            Status::data_loss("the history of this run is damaged; it was set aside")
        }
        Unavailable::Store => Status::unavailable("the store is unavailable"),
    }
}

pub(super) fn not_found(message: impl Into<String>) -> Status {
    detailed(Code::NotFound, message, &NotFoundFailure::default())
}

pub(super) fn query_failed(message: String, detail: &QueryFailedFailure) -> Status {
    detailed(Code::InvalidArgument, message, detail)
}

fn busy(message: impl Into<String>, cause: ResourceExhaustedCause) -> Status {
    let detail = ResourceExhaustedFailure {
        cause: cause.into(),
        scope: ResourceExhaustedScope::Namespace.into(),
    };
    detailed(Code::ResourceExhausted, message, &detail)
}

/// A status whose `grpc-status-details-bin` carries one message.
fn detailed<M: Message + Name>(code: Code, message: impl Into<String>, detail: &M) -> Status {
    let message = message.into();
    let type_url = format!("type.googleapis.com/{}", M::full_name());
    let any = Any {
        type_url,
        value: detail.encode_to_vec(),
    };
    let details = rpc::Status {
        code: code.into(),
        message: message.clone(),
        details: vec![any],
    };
    Status::with_details(code, message, details.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        assert_eq!(quoted("plain é 漢"), "\"plain é 漢\"");
        assert_eq!(
            quoted("a\"\\\n\u{7f}\u{200b}'\0\u{e0001}"),
            r#""a\"\\\n\x7f\u200b'\x00\U000e0001""#
        );
    }
}
