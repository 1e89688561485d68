//! What a worker answers to a workflow task, destructured from the wire.

use std::collections::HashMap;

use cairn_proto::temporal::api::common::v1::{
    Header, Memo, Payload, Payloads, Priority, RetryPolicy, SearchAttributes,
};
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::sdk::v1::UserMetadata;

/// One command, with the metadata that its event will carry.
#[derive(Clone, Debug)]
pub struct Command {
    pub user_metadata: Option<UserMetadata>,
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
    /// The command came without its attributes: fails the workflow task with the cause of its type.
    Missing {
        command_type: i32,
    },
    /// A feature that is not built yet: fails the workflow task with FEATURE_DISABLED and this name.
    NotBuilt {
        command_type: i32,
    },
}

#[derive(Clone, Debug)]
pub struct ScheduleActivity {
    pub activity_id: String,
    pub activity_type: String,
    pub task_queue: String,
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
    pub task_queue: String,
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
}
