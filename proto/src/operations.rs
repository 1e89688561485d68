//! What is said of several operations of one call where one of them could not be executed: a status for each, in one status.

use prost::{Message, Name};
use prost_types::Any;
use tonic::{Code, Status};

use crate::google::rpc;
use crate::temporal::api::errordetails::v1::MultiOperationExecutionFailure;
use crate::temporal::api::errordetails::v1::multi_operation_execution_failure::OperationStatus;
use crate::temporal::api::failure::v1::MultiOperationExecutionAborted;

/// What became of one operation.
#[derive(Debug)]
pub enum Operation {
    Done,
    /// Not executed, because of another.
    Aborted,
    Failed(Status),
}

/// The status of an update with start, with the code of the first operation that failed.
pub fn update_with_start(operations: [Operation; 2]) -> Status {
    let code = operations.iter().find_map(|operation| match operation {
        Operation::Failed(status) => Some(status.code()),
        Operation::Done | Operation::Aborted => None,
    });
    let code = code.unwrap_or(Code::Internal);
    let failure = MultiOperationExecutionFailure {
        statuses: operations.into_iter().map(said).collect(),
    };
    let message = "Update-with-Start could not be executed.";
    let status = rpc::Status {
        code: code.into(),
        message: message.to_owned(),
        details: vec![packed(&failure)],
    };
    Status::with_details(code, message, status.encode_to_vec().into())
}

fn said(operation: Operation) -> OperationStatus {
    match operation {
        Operation::Done => OperationStatus::default(),
        Operation::Aborted => OperationStatus {
            code: Code::Aborted.into(),
            message: "Operation was aborted.".to_owned(),
            details: vec![packed(&MultiOperationExecutionAborted {})],
        },
        Operation::Failed(status) => OperationStatus {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: rpc::Status::decode(status.details())
                .map(|status| status.details)
                .unwrap_or_default(),
        },
    }
}

fn packed<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{}", M::full_name()),
        value: message.encode_to_vec(),
    }
}
