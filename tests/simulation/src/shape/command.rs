//! Commands, as a worker writes them, and the values in them.

use std::time::Duration;

use cairn_proto::prost_types;
use cairn_proto::temporal::api::command::v1::command::Attributes as Wanted;
use cairn_proto::temporal::api::command::v1::{self as command, Command};
use cairn_proto::temporal::api::common::v1::{
    ActivityType, Memo, Payload, Payloads, RetryPolicy, WorkflowExecution, WorkflowType,
};
use cairn_proto::temporal::api::enums::v1::{CommandType, ParentClosePolicy};
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{ApplicationFailureInfo, Failure};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;

use super::{QUEUE, Shape};

fn command(kind: CommandType, attributes: Wanted) -> Command {
    Command {
        command_type: kind.into(),
        attributes: Some(attributes),
        ..Command::default()
    }
}

pub(super) fn activity(id: &str, kind: &str) -> Command {
    let attributes = command::ScheduleActivityTaskCommandAttributes {
        activity_id: id.to_owned(),
        activity_type: Some(ActivityType {
            name: kind.to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: QUEUE.to_owned(),
            ..TaskQueue::default()
        }),
        start_to_close_timeout: Some(seconds(20)),
        heartbeat_timeout: (kind == "beat").then(|| seconds(6)),
        retry_policy: Some(RetryPolicy {
            initial_interval: Some(seconds(1)),
            backoff_coefficient: 2.0,
            maximum_interval: Some(seconds(10)),
            ..RetryPolicy::default()
        }),
        ..command::ScheduleActivityTaskCommandAttributes::default()
    };
    command(
        CommandType::ScheduleActivityTask,
        Wanted::ScheduleActivityTaskCommandAttributes(attributes),
    )
}

pub(super) fn cancel_activity(scheduled_event_id: i64) -> Command {
    let attributes = command::RequestCancelActivityTaskCommandAttributes { scheduled_event_id };
    command(
        CommandType::RequestCancelActivityTask,
        Wanted::RequestCancelActivityTaskCommandAttributes(attributes),
    )
}

pub(super) fn timer(id: &str, delay: Duration) -> Command {
    let attributes = command::StartTimerCommandAttributes {
        timer_id: id.to_owned(),
        start_to_fire_timeout: Some(wire(delay)),
    };
    command(
        CommandType::StartTimer,
        Wanted::StartTimerCommandAttributes(attributes),
    )
}

pub(super) fn cancel_timer(id: &str) -> Command {
    let attributes = command::CancelTimerCommandAttributes {
        timer_id: id.to_owned(),
    };
    command(
        CommandType::CancelTimer,
        Wanted::CancelTimerCommandAttributes(attributes),
    )
}

pub(super) fn completed(result: &str) -> Command {
    let attributes = command::CompleteWorkflowExecutionCommandAttributes {
        result: Some(payloads(result)),
    };
    command(
        CommandType::CompleteWorkflowExecution,
        Wanted::CompleteWorkflowExecutionCommandAttributes(attributes),
    )
}

pub(super) fn failed(message: &str) -> Command {
    let attributes = command::FailWorkflowExecutionCommandAttributes {
        failure: Some(failure(message, false)),
    };
    command(
        CommandType::FailWorkflowExecution,
        Wanted::FailWorkflowExecutionCommandAttributes(attributes),
    )
}

pub(super) fn canceled() -> Command {
    let attributes = command::CancelWorkflowExecutionCommandAttributes::default();
    command(
        CommandType::CancelWorkflowExecution,
        Wanted::CancelWorkflowExecutionCommandAttributes(attributes),
    )
}

pub(super) fn again(shape: Shape) -> Command {
    let attributes = command::ContinueAsNewWorkflowExecutionCommandAttributes {
        workflow_type: Some(WorkflowType { name: shape.name() }),
        task_queue: Some(TaskQueue {
            name: QUEUE.to_owned(),
            ..TaskQueue::default()
        }),
        ..command::ContinueAsNewWorkflowExecutionCommandAttributes::default()
    };
    let wanted = Wanted::ContinueAsNewWorkflowExecutionCommandAttributes(attributes);
    command(CommandType::ContinueAsNewWorkflowExecution, wanted)
}

pub(super) fn child(id: &str, shape: Shape, policy: ParentClosePolicy) -> Command {
    let attributes = command::StartChildWorkflowExecutionCommandAttributes {
        workflow_id: id.to_owned(),
        workflow_type: Some(WorkflowType { name: shape.name() }),
        task_queue: Some(TaskQueue {
            name: QUEUE.to_owned(),
            ..TaskQueue::default()
        }),
        parent_close_policy: policy.into(),
        ..command::StartChildWorkflowExecutionCommandAttributes::default()
    };
    let wanted = Wanted::StartChildWorkflowExecutionCommandAttributes(attributes);
    command(CommandType::StartChildWorkflowExecution, wanted)
}

pub(super) fn call(id: &str, input: &str) -> Command {
    let attributes = command::SignalExternalWorkflowExecutionCommandAttributes {
        execution: Some(WorkflowExecution {
            workflow_id: id.to_owned(),
            run_id: String::new(),
        }),
        signal_name: "call".to_owned(),
        input: Some(payloads(input)),
        ..command::SignalExternalWorkflowExecutionCommandAttributes::default()
    };
    let wanted = Wanted::SignalExternalWorkflowExecutionCommandAttributes(attributes);
    command(CommandType::SignalExternalWorkflowExecution, wanted)
}

pub(super) fn cancel_external(id: &str) -> Command {
    let attributes = command::RequestCancelExternalWorkflowExecutionCommandAttributes {
        workflow_id: id.to_owned(),
        child_workflow_only: true,
        ..command::RequestCancelExternalWorkflowExecutionCommandAttributes::default()
    };
    let wanted = Wanted::RequestCancelExternalWorkflowExecutionCommandAttributes(attributes);
    command(CommandType::RequestCancelExternalWorkflowExecution, wanted)
}

pub(super) fn mark(name: &str) -> Command {
    let attributes = command::RecordMarkerCommandAttributes {
        marker_name: name.to_owned(),
        ..command::RecordMarkerCommandAttributes::default()
    };
    command(
        CommandType::RecordMarker,
        Wanted::RecordMarkerCommandAttributes(attributes),
    )
}

pub(super) fn memo() -> Command {
    let fields = [("color".to_owned(), payload("red"))].into();
    let attributes = command::ModifyWorkflowPropertiesCommandAttributes {
        upserted_memo: Some(Memo { fields }),
    };
    command(
        CommandType::ModifyWorkflowProperties,
        Wanted::ModifyWorkflowPropertiesCommandAttributes(attributes),
    )
}
/// The message of this id has its turn.
pub(super) fn message(id: &str) -> Command {
    let attributes = command::ProtocolMessageCommandAttributes {
        message_id: id.to_owned(),
    };
    command(
        CommandType::ProtocolMessage,
        Wanted::ProtocolMessageCommandAttributes(attributes),
    )
}

pub(crate) fn failure(message: &str, non_retryable: bool) -> Failure {
    let info = ApplicationFailureInfo {
        non_retryable,
        ..ApplicationFailureInfo::default()
    };
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Failure::default()
    }
}

fn payload(text: &str) -> Payload {
    Payload {
        data: text.as_bytes().to_vec(),
        ..Payload::default()
    }
}

pub(crate) fn payloads(text: &str) -> Payloads {
    Payloads {
        payloads: vec![payload(text)],
    }
}

pub(crate) fn text(payloads: Option<&Payloads>) -> String {
    let first = payloads.and_then(|payloads| payloads.payloads.first());
    first
        .map(|payload| String::from_utf8_lossy(&payload.data).into_owned())
        .unwrap_or_default()
}

fn wire(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

pub(super) fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}
