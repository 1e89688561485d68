//! The only mapping of a refusal to a status of the wire: code, message and detail as clients of the protocol expect them.

use cairn_proto::google::rpc;
use cairn_proto::prost::{Message, Name};
use cairn_proto::prost_types::Any;
use cairn_proto::temporal::api::enums::v1::{ResourceExhaustedCause, ResourceExhaustedScope};
use cairn_proto::temporal::api::errordetails::v1::{
    NotFoundFailure, QueryFailedFailure, ResourceExhaustedFailure,
    WorkflowExecutionAlreadyStartedFailure, WorkflowNotReadyFailure,
};
use tonic::{Code, Status};

use crate::execution::Refusal;
use crate::kind::Unavailable;

pub(super) fn status(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Invalid(message) | Refusal::BadCommands(message) => {
            Status::invalid_argument(message)
        }
        Refusal::NoSuchWorkflow(message)
        | Refusal::NoSuchTask(message)
        | Refusal::NoSuchActivity(message) => not_found(message),
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

fn unavailable(why: Unavailable) -> Status {
    match why {
        Unavailable::ShardMoved => {
            Status::unavailable("the shard of this workflow moved; try again")
        }
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
