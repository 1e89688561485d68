//! What a worker answers to a workflow task, destructured from the wire.

use std::collections::HashMap;
use std::time::Duration;

use cairn_proto::prost_types;
use cairn_proto::temporal::api::command::v1 as wire;
use cairn_proto::temporal::api::command::v1::command::Attributes as Wire;
use cairn_proto::temporal::api::common::v1::{
    Header, Memo, Payload, Payloads, Priority, RetryPolicy, SearchAttributes, WorkflowExecution,
};
use cairn_proto::temporal::api::enums::v1::{CommandType, WorkflowTaskFailedCause as Cause};
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::sdk::v1::{EventGroupMarker, UserMetadata};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;

use super::{Limits, Refusal};

/// One command, with the metadata that its event will carry.
#[derive(Clone, Debug)]
pub struct Command {
    pub user_metadata: Option<UserMetadata>,
    pub event_group_markers: Vec<EventGroupMarker>,
    pub attributes: Attributes,
}

/// `None` inside a variant is a missing attribute that the rules judge.
#[derive(Clone, Debug)]
pub enum Attributes {
    ScheduleActivity(Box<ScheduleActivity>),
    RequestCancelActivity {
        scheduled_event_id: i64,
    },
    StartTimer {
        timer_id: String,
        delay: Option<Signed>,
    },
    CancelTimer {
        timer_id: String,
    },
    CompleteWorkflow {
        result: Option<Payloads>,
    },
    FailWorkflow {
        failure: Option<Failure>,
    },
    CancelWorkflow {
        details: Option<Payloads>,
    },
    ContinueAsNew(Box<ContinueAsNew>),
    RecordMarker {
        name: String,
        details: HashMap<String, Payloads>,
        header: Option<Header>,
        failure: Option<Failure>,
    },
    UpsertSearchAttributes {
        search_attributes: Option<SearchAttributes>,
    },
    ModifyProperties {
        upserted_memo: Option<HashMap<String, Payload>>,
    },
    SignalExternal(Box<SignalExternal>),
    RequestCancelExternal(Box<RequestCancelExternal>),
    StartChild(Box<StartChild>),
    /// A command type that no version knows, or none: the request is refused.
    Unknown {
        command_type: i32,
    },
    /// The message of this id has its turn.
    ProtocolMessage {
        message_id: String,
    },
    /// The command came without its attributes: fails the workflow task with the cause of its type.
    Missing {
        command_type: i32,
    },
    /// A feature that is not built yet: fails the workflow task with `FEATURE_DISABLED` and this name.
    NotBuilt {
        command_type: i32,
    },
}

#[derive(Clone, Debug)]
pub struct ScheduleActivity {
    pub activity_id: String,
    pub activity_type: String,
    /// Absent and empty are different mistakes.
    pub task_queue: Option<TaskQueue>,
    pub header: Option<Header>,
    pub input: Option<Payloads>,
    pub schedule_to_close: Option<Signed>,
    pub schedule_to_start: Option<Signed>,
    pub start_to_close: Option<Signed>,
    pub heartbeat: Option<Signed>,
    pub retry_policy: Option<RetryPolicy>,
    pub request_eager_execution: bool,
    pub use_workflow_build_id: bool,
    pub priority: Option<Priority>,
}

/// A duration as the wire has it: it may be negative or absurd, and the rules say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    pub seconds: i64,
    pub nanos: i32,
}

#[derive(Clone, Debug)]
pub struct ContinueAsNew {
    pub workflow_type: String,
    pub task_queue: Option<TaskQueue>,
    pub input: Option<Payloads>,
    pub run_timeout: Option<Signed>,
    pub task_timeout: Option<Signed>,
    pub backoff: Option<Signed>,
    pub retry_policy: Option<RetryPolicy>,
    /// `temporal.api.enums.v1.ContinueAsNewInitiator`.
    pub initiator: i32,
    pub failure: Option<Failure>,
    pub last_completion_result: Option<Payloads>,
    pub cron_schedule: String,
    pub header: Option<Header>,
    pub memo: Option<Memo>,
    pub search_attributes: Option<SearchAttributes>,
    pub inherit_build_id: bool,
}

#[derive(Clone, Debug)]
pub struct SignalExternal {
    pub namespace: String,
    pub execution: Option<WorkflowExecution>,
    pub signal_name: String,
    pub input: Option<Payloads>,
    pub control: String,
    pub child_workflow_only: bool,
    pub header: Option<Header>,
}

#[derive(Clone, Debug)]
pub struct RequestCancelExternal {
    pub namespace: String,
    pub workflow_id: String,
    pub run_id: String,
    pub control: String,
    pub child_workflow_only: bool,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub struct StartChild {
    pub namespace: String,
    pub workflow_id: String,
    pub workflow_type: String,
    pub task_queue: Option<TaskQueue>,
    pub input: Option<Payloads>,
    pub execution_timeout: Option<Signed>,
    pub run_timeout: Option<Signed>,
    pub task_timeout: Option<Signed>,
    /// `temporal.api.enums.v1.ParentClosePolicy`, as asked.
    pub parent_close_policy: i32,
    pub control: String,
    /// `temporal.api.enums.v1.WorkflowIdReusePolicy`, as asked.
    pub reuse_policy: i32,
    pub retry_policy: Option<RetryPolicy>,
    pub cron_schedule: String,
    pub header: Option<Header>,
    pub memo: Option<Memo>,
    pub search_attributes: Option<SearchAttributes>,
    pub inherit_build_id: bool,
    pub priority: Option<Priority>,
}

/// Why a command is not done.
#[derive(Debug)]
pub(crate) enum Bad {
    /// The workflow task fails with this cause.
    Task(Cause, String),
    /// The run is terminated.
    Run(Cause, String),
    /// The request is refused; nothing is written.
    Refused(Refusal),
    /// It cannot be judged without these events.
    Needs(Vec<i64>),
}

/// The longest duration that means anything.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

impl Signed {
    /// A duration that may be used; absent is zero, and beyond a hundred years is a hundred years.
    pub(crate) fn checked(value: Option<Self>) -> Result<Duration, &'static str> {
        let Some(Self { seconds, nanos }) = value else {
            return Ok(Duration::ZERO);
        };
        if (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0) {
            return Err("duration has seconds and nanos with different signs");
        }
        match (u64::try_from(seconds), u32::try_from(nanos)) {
            (Ok(seconds), Ok(nanos)) => Ok(Duration::new(seconds, nanos).min(LONGEST)),
            _ => Err("negative duration"),
        }
    }
}

impl From<prost_types::Duration> for Signed {
    fn from(duration: prost_types::Duration) -> Self {
        Self {
            seconds: duration.seconds,
            nanos: duration.nanos,
        }
    }
}

impl Attributes {
    pub(crate) fn kind(&self) -> CommandType {
        match self {
            Self::ScheduleActivity(_) => CommandType::ScheduleActivityTask,
            Self::RequestCancelActivity { .. } => CommandType::RequestCancelActivityTask,
            Self::StartTimer { .. } => CommandType::StartTimer,
            Self::CancelTimer { .. } => CommandType::CancelTimer,
            Self::CompleteWorkflow { .. } => CommandType::CompleteWorkflowExecution,
            Self::FailWorkflow { .. } => CommandType::FailWorkflowExecution,
            Self::CancelWorkflow { .. } => CommandType::CancelWorkflowExecution,
            Self::ContinueAsNew(_) => CommandType::ContinueAsNewWorkflowExecution,
            Self::RecordMarker { .. } => CommandType::RecordMarker,
            Self::UpsertSearchAttributes { .. } => CommandType::UpsertWorkflowSearchAttributes,
            Self::ModifyProperties { .. } => CommandType::ModifyWorkflowProperties,
            Self::ProtocolMessage { .. } => CommandType::ProtocolMessage,
            Self::SignalExternal(_) => CommandType::SignalExternalWorkflowExecution,
            Self::RequestCancelExternal(_) => CommandType::RequestCancelExternalWorkflowExecution,
            Self::StartChild(_) => CommandType::StartChildWorkflowExecution,
            Self::Missing { command_type }
            | Self::NotBuilt { command_type }
            | Self::Unknown { command_type } => {
                CommandType::try_from(*command_type).unwrap_or_default()
            }
        }
    }

    /// `StartTimer`; the number of a type that no version knows.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Unknown { command_type } if *command_type != 0 => command_type.to_string(),
            known => name(known.kind()),
        }
    }
}

impl Bad {
    /// A command without its attributes fails with the cause of its type.
    pub(crate) fn missing(command_type: i32) -> Self {
        let kind = CommandType::try_from(command_type).unwrap_or_default();
        let cause = match kind {
            CommandType::ScheduleActivityTask => Cause::BadScheduleActivityAttributes,
            CommandType::RequestCancelActivityTask => Cause::BadRequestCancelActivityAttributes,
            CommandType::StartTimer => Cause::BadStartTimerAttributes,
            CommandType::CancelTimer => Cause::BadCancelTimerAttributes,
            CommandType::CompleteWorkflowExecution => Cause::BadCompleteWorkflowExecutionAttributes,
            CommandType::FailWorkflowExecution => Cause::BadFailWorkflowExecutionAttributes,
            CommandType::CancelWorkflowExecution => Cause::BadCancelWorkflowExecutionAttributes,
            CommandType::ContinueAsNewWorkflowExecution => Cause::BadContinueAsNewAttributes,
            CommandType::RecordMarker => Cause::BadRecordMarkerAttributes,
            CommandType::UpsertWorkflowSearchAttributes => Cause::BadSearchAttributes,
            CommandType::ModifyWorkflowProperties => Cause::BadModifyWorkflowPropertiesAttributes,
            CommandType::ProtocolMessage => Cause::BadUpdateWorkflowExecutionMessage,
            CommandType::SignalExternalWorkflowExecution => {
                Cause::BadSignalWorkflowExecutionAttributes
            }
            CommandType::RequestCancelExternalWorkflowExecution => {
                Cause::BadRequestCancelExternalWorkflowExecutionAttributes
            }
            CommandType::StartChildWorkflowExecution => Cause::BadStartChildExecutionAttributes,
            _ => Cause::Unspecified,
        };
        Self::Task(
            cause,
            format!("{0}CommandAttributes is not set on {0}Command.", name(kind)),
        )
    }

    pub(crate) fn not_built(command_type: i32) -> Self {
        let kind = CommandType::try_from(command_type).unwrap_or_default();
        Self::Task(
            Cause::FeatureDisabled,
            format!("the command {} is not built yet", name(kind)),
        )
    }
}

/// What is said of an id that is too long.
pub(crate) fn too_long(what: &str, name: &str, value: &str, limits: &Limits) -> String {
    format!(
        "{what} exceeds length limit. {name}={value} Length={} Limit={}",
        value.len(),
        limits.id_bytes_max
    )
}

fn name(kind: CommandType) -> String {
    pascal(kind.as_str_name(), "COMMAND_TYPE_")
}

/// `PREFIX_START_TIMER` without its prefix is `StartTimer`.
pub(crate) fn pascal(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .split('_')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_owned(), rest.to_lowercase()]
        })
        .collect()
}

impl From<wire::Command> for Command {
    fn from(command: wire::Command) -> Self {
        let wire::Command {
            command_type,
            user_metadata,
            event_group_markers,
            attributes,
        } = command;
        Self {
            user_metadata,
            event_group_markers,
            attributes: match CommandType::try_from(command_type) {
                Err(_) | Ok(CommandType::Unspecified) => Attributes::Unknown { command_type },
                Ok(kind) => destructure(kind, attributes),
            },
        }
    }
}

fn destructure(kind: CommandType, attributes: Option<Wire>) -> Attributes {
    let command_type = kind.into();
    match (kind, attributes) {
        (
            CommandType::ScheduleActivityTask,
            Some(Wire::ScheduleActivityTaskCommandAttributes(it)),
        ) => Attributes::ScheduleActivity(Box::new(it.into())),
        (
            CommandType::RequestCancelActivityTask,
            Some(Wire::RequestCancelActivityTaskCommandAttributes(it)),
        ) => Attributes::RequestCancelActivity {
            scheduled_event_id: it.scheduled_event_id,
        },
        (CommandType::StartTimer, Some(Wire::StartTimerCommandAttributes(it))) => {
            Attributes::StartTimer {
                timer_id: it.timer_id,
                delay: it.start_to_fire_timeout.map(Signed::from),
            }
        }
        (CommandType::CancelTimer, Some(Wire::CancelTimerCommandAttributes(it))) => {
            Attributes::CancelTimer {
                timer_id: it.timer_id,
            }
        }
        (
            CommandType::CompleteWorkflowExecution,
            Some(Wire::CompleteWorkflowExecutionCommandAttributes(it)),
        ) => Attributes::CompleteWorkflow { result: it.result },
        (
            CommandType::FailWorkflowExecution,
            Some(Wire::FailWorkflowExecutionCommandAttributes(it)),
        ) => Attributes::FailWorkflow {
            failure: it.failure,
        },
        (
            CommandType::CancelWorkflowExecution,
            Some(Wire::CancelWorkflowExecutionCommandAttributes(it)),
        ) => Attributes::CancelWorkflow {
            details: it.details,
        },
        (
            CommandType::ContinueAsNewWorkflowExecution,
            Some(Wire::ContinueAsNewWorkflowExecutionCommandAttributes(it)),
        ) => Attributes::ContinueAsNew(Box::new(it.into())),
        (CommandType::RecordMarker, Some(Wire::RecordMarkerCommandAttributes(it))) => {
            Attributes::RecordMarker {
                name: it.marker_name,
                details: it.details,
                header: it.header,
                failure: it.failure,
            }
        }
        (
            CommandType::UpsertWorkflowSearchAttributes,
            Some(Wire::UpsertWorkflowSearchAttributesCommandAttributes(it)),
        ) => Attributes::UpsertSearchAttributes {
            search_attributes: it.search_attributes,
        },
        (
            CommandType::ModifyWorkflowProperties,
            Some(Wire::ModifyWorkflowPropertiesCommandAttributes(it)),
        ) => Attributes::ModifyProperties {
            upserted_memo: it.upserted_memo.map(|memo| memo.fields),
        },
        (CommandType::ProtocolMessage, Some(Wire::ProtocolMessageCommandAttributes(it))) => {
            Attributes::ProtocolMessage {
                message_id: it.message_id,
            }
        }
        (
            CommandType::SignalExternalWorkflowExecution,
            Some(Wire::SignalExternalWorkflowExecutionCommandAttributes(it)),
        ) => Attributes::SignalExternal(Box::new(it.into())),
        (
            CommandType::RequestCancelExternalWorkflowExecution,
            Some(Wire::RequestCancelExternalWorkflowExecutionCommandAttributes(it)),
        ) => Attributes::RequestCancelExternal(Box::new(it.into())),
        (
            CommandType::StartChildWorkflowExecution,
            Some(Wire::StartChildWorkflowExecutionCommandAttributes(it)),
        ) => Attributes::StartChild(Box::new(it.into())),
        (
            CommandType::Unspecified
            | CommandType::ScheduleNexusOperation
            | CommandType::RequestCancelNexusOperation,
            _,
        ) => Attributes::NotBuilt { command_type },
        (_, _) => Attributes::Missing { command_type },
    }
}

impl From<wire::ScheduleActivityTaskCommandAttributes> for ScheduleActivity {
    fn from(it: wire::ScheduleActivityTaskCommandAttributes) -> Self {
        Self {
            activity_id: it.activity_id,
            activity_type: it.activity_type.map(|it| it.name).unwrap_or_default(),
            task_queue: it.task_queue,
            header: it.header,
            input: it.input,
            schedule_to_close: it.schedule_to_close_timeout.map(Signed::from),
            schedule_to_start: it.schedule_to_start_timeout.map(Signed::from),
            start_to_close: it.start_to_close_timeout.map(Signed::from),
            heartbeat: it.heartbeat_timeout.map(Signed::from),
            retry_policy: it.retry_policy,
            request_eager_execution: it.request_eager_execution,
            use_workflow_build_id: it.use_workflow_build_id,
            priority: it.priority,
        }
    }
}

impl From<wire::SignalExternalWorkflowExecutionCommandAttributes> for SignalExternal {
    fn from(it: wire::SignalExternalWorkflowExecutionCommandAttributes) -> Self {
        Self {
            namespace: it.namespace,
            execution: it.execution,
            signal_name: it.signal_name,
            input: it.input,
            control: it.control,
            child_workflow_only: it.child_workflow_only,
            header: it.header,
        }
    }
}

impl From<wire::RequestCancelExternalWorkflowExecutionCommandAttributes> for RequestCancelExternal {
    fn from(it: wire::RequestCancelExternalWorkflowExecutionCommandAttributes) -> Self {
        Self {
            namespace: it.namespace,
            workflow_id: it.workflow_id,
            run_id: it.run_id,
            control: it.control,
            child_workflow_only: it.child_workflow_only,
            reason: it.reason,
        }
    }
}

impl From<wire::StartChildWorkflowExecutionCommandAttributes> for StartChild {
    fn from(it: wire::StartChildWorkflowExecutionCommandAttributes) -> Self {
        Self {
            namespace: it.namespace,
            workflow_id: it.workflow_id,
            workflow_type: it.workflow_type.map(|it| it.name).unwrap_or_default(),
            task_queue: it.task_queue,
            input: it.input,
            execution_timeout: it.workflow_execution_timeout.map(Signed::from),
            run_timeout: it.workflow_run_timeout.map(Signed::from),
            task_timeout: it.workflow_task_timeout.map(Signed::from),
            parent_close_policy: it.parent_close_policy,
            control: it.control,
            reuse_policy: it.workflow_id_reuse_policy,
            retry_policy: it.retry_policy,
            cron_schedule: it.cron_schedule,
            header: it.header,
            memo: it.memo,
            search_attributes: it.search_attributes,
            inherit_build_id: it.inherit_build_id,
            priority: it.priority,
        }
    }
}

impl From<wire::ContinueAsNewWorkflowExecutionCommandAttributes> for ContinueAsNew {
    fn from(it: wire::ContinueAsNewWorkflowExecutionCommandAttributes) -> Self {
        Self {
            workflow_type: it.workflow_type.map(|it| it.name).unwrap_or_default(),
            task_queue: it.task_queue,
            input: it.input,
            run_timeout: it.workflow_run_timeout.map(Signed::from),
            task_timeout: it.workflow_task_timeout.map(Signed::from),
            backoff: it.backoff_start_interval.map(Signed::from),
            retry_policy: it.retry_policy,
            initiator: it.initiator,
            failure: it.failure,
            last_completion_result: it.last_completion_result,
            cron_schedule: it.cron_schedule,
            header: it.header,
            memo: it.memo,
            search_attributes: it.search_attributes,
            inherit_build_id: it.inherit_build_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_attributes_fails_with_the_cause_of_its_type() {
        let told: Vec<_> = (0..=20)
            .map(|command_type| match Bad::missing(command_type) {
                Bad::Task(cause, text) => format!("{command_type} {cause:?}: {text}"),
                other => format!("{command_type} {other:?}"),
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
