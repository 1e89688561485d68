//! What an operator does to activities of a workflow: the older calls, which name activities by id, by type or all together, and
//! the newer ones, which name one.
//!
//! Deliberately absent: activities without a workflow. There are none.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::history::v1::operate_activities_request::{Activities, Operation};
use cairn_proto::prost_types::{Duration, FieldMask};
use cairn_proto::temporal::api::activity::v1::ActivityOptions;
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use pb::pause_activity_request::Activity as Paused;
use pb::reset_activity_request::Activity as Reset;
use pb::unpause_activity_request::Activity as Unpaused;
use pb::update_activity_options_request::Activity as Updated;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) mod execution;

/// The fields that the newer call may name in its mask.
const PATHS: [&str; 15] = [
    "task_queue.name",
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
    "start_to_close_timeout",
    "heartbeat_timeout",
    "retry_policy",
    "retry_policy.initial_interval",
    "retry_policy.backoff_coefficient",
    "retry_policy.maximum_interval",
    "retry_policy.maximum_attempts",
    "priority",
    "priority.priority_key",
    "priority.fairness_key",
    "priority.fairness_weight",
    "start_delay",
];

pub(crate) async fn pause(
    frontend: &Frontend,
    request: pb::PauseActivityRequest,
) -> Result<pb::PauseActivityResponse, Error> {
    let activities = request.activity.map(|it| match it {
        Paused::Id(id) => Activities::Id(id),
        Paused::Type(name) => Activities::Type(name),
    });
    let operation = Operation::Pause(history::PauseActivities {
        reason: request.reason,
        request_id: request.request_id,
    });
    let older = Older {
        namespace: &request.namespace,
        execution: request.execution,
        activities,
        identity: request.identity,
    };
    older.ask(frontend, operation).await?;
    Ok(pb::PauseActivityResponse {})
}

pub(crate) async fn unpause(
    frontend: &Frontend,
    request: pb::UnpauseActivityRequest,
) -> Result<pb::UnpauseActivityResponse, Error> {
    let activities = request.activity.map(|it| match it {
        Unpaused::Id(id) => Activities::Id(id),
        Unpaused::Type(name) => Activities::Type(name),
        Unpaused::UnpauseAll(it) => Activities::All(it),
    });
    let operation = Operation::Unpause(history::UnpauseActivities {
        reset_attempts: request.reset_attempts,
        reset_heartbeat: request.reset_heartbeat,
        jitter: not_negative(request.jitter),
    });
    let older = Older {
        namespace: &request.namespace,
        execution: request.execution,
        activities,
        identity: request.identity,
    };
    older.ask(frontend, operation).await?;
    Ok(pb::UnpauseActivityResponse {})
}

pub(crate) async fn reset(
    frontend: &Frontend,
    request: pb::ResetActivityRequest,
) -> Result<pb::ResetActivityResponse, Error> {
    let activities = request.activity.map(|it| match it {
        Reset::Id(id) => Activities::Id(id),
        Reset::Type(name) => Activities::Type(name),
        Reset::MatchAll(it) => Activities::All(it),
    });
    let operation = Operation::Reset(history::ResetActivities {
        reset_heartbeat: request.reset_heartbeat,
        keep_paused: request.keep_paused,
        restore_original_options: request.restore_original_options,
        jitter: not_negative(request.jitter),
    });
    let older = Older {
        namespace: &request.namespace,
        execution: request.execution,
        activities,
        identity: request.identity,
    };
    older.ask(frontend, operation).await?;
    Ok(pb::ResetActivityResponse {})
}

pub(crate) async fn update_options(
    frontend: &Frontend,
    request: pb::UpdateActivityOptionsRequest,
) -> Result<pb::UpdateActivityOptionsResponse, Error> {
    let activities = request.activity.map(|it| match it {
        Updated::Id(id) => Activities::Id(id),
        Updated::Type(name) => Activities::Type(name),
        Updated::MatchAll(it) => Activities::All(it),
    });
    let options = request.activity_options;
    check::priority(options.as_ref().and_then(|it| it.priority.as_ref()))?;
    let operation = update(options, request.update_mask, request.restore_original);
    let older = Older {
        namespace: &request.namespace,
        execution: request.execution,
        activities,
        identity: request.identity,
    };
    let activity_options = older.ask(frontend, operation).await?.options;
    Ok(pb::UpdateActivityOptionsResponse { activity_options })
}

fn update(
    options: Option<ActivityOptions>,
    mask: Option<FieldMask>,
    restore_original: bool,
) -> Operation {
    Operation::Update(history::UpdateActivityOptions {
        options,
        mask,
        restore_original,
    })
}

/// The reference breaks over what the newer calls refuse.
fn not_negative(jitter: Option<Duration>) -> Option<Duration> {
    jitter.filter(|it| it.seconds >= 0 && it.nanos >= 0)
}

/// What the older calls have in common.
struct Older<'a> {
    namespace: &'a str,
    execution: Option<WorkflowExecution>,
    activities: Option<Activities>,
    identity: String,
}

impl Older<'_> {
    async fn ask(
        self,
        frontend: &Frontend,
        operation: Operation,
    ) -> Result<history::OperateActivitiesResponse, Error> {
        let execution = self.execution.unwrap_or_default();
        if execution.workflow_id.is_empty() {
            return Err(Error::invalid("WorkflowId is not set on request."));
        }
        let activities = self.activities.ok_or_else(|| {
            Error::invalid("Either Activity.Id or Activity.Type should be set on request.")
        })?;
        let namespace_id = frontend.namespace(self.namespace)?.id_bytes();
        if !execution.run_id.is_empty() && uuid::Uuid::parse_str(&execution.run_id).is_err() {
            return Err(Error::invalid("RunId is not valid UUID."));
        }
        let message = history::OperateActivitiesRequest {
            namespace_id,
            execution: Some(execution),
            activities: Some(activities),
            identity: self.identity,
            operation: Some(operation),
        };
        answer(
            frontend
                .history
                .operate_activities(Request::new(message))
                .await,
        )
    }
}
