//! What a run looks like from outside, and its visibility row.

use bytes::Bytes;
use cairn_proto::prost::Message;
use cairn_proto::prost_types::Timestamp;
use cairn_proto::temporal::api::common::v1::{
    ActivityType, SearchAttributes, WorkflowExecution, WorkflowType,
};
use cairn_proto::temporal::api::enums::v1::{
    EventType, PendingActivityState, PendingWorkflowTaskState, TimeoutType,
    WorkflowExecutionStatus as Status, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::workflow::v1::{
    PendingActivityInfo, PendingWorkflowTaskInfo, RequestIdInfo, WorkflowExecutionConfig,
    WorkflowExecutionExtendedInfo, WorkflowExecutionInfo,
};
use cairn_proto::temporal::api::workflowservice::v1::DescribeWorkflowExecutionResponse;

use super::activity::{self, Activity, Paused};
use super::child::Parent;
use super::retry::timeout_name;
use super::state::State;
use super::workflow_task::{PROBLEM_ATTEMPTS, Problem, cause_name, normal_queue};
use super::{Run, Volatile, pause, properties, wire};
use crate::id::Time;
use crate::log::Row;
use crate::search_attribute::{self, Term};

/// How the reference writes a time that is not set.
const NEVER: Timestamp = Timestamp {
    seconds: -62_135_596_800,
    nanos: 0,
};

/// The kind of a workflow in a row.
const KIND: u8 = 1;

pub(crate) fn describe(run: &Run<'_>, now: Time) -> DescribeWorkflowExecutionResponse {
    let state = run.state;
    DescribeWorkflowExecutionResponse {
        execution_config: Some(config(state)),
        workflow_execution_info: Some(info(state)),
        pending_activities: state
            .activities
            .pending
            .values()
            .map(|activity| pending_activity(activity, run.volatile, now))
            .collect(),
        pending_children: state.children.described(),
        pending_workflow_task: pending_workflow_task(state),
        callbacks: state.callbacks.described(),
        workflow_extended_info: Some(extended(state)),
        ..Default::default()
    }
}

fn config(state: &State) -> WorkflowExecutionConfig {
    let origin = &state.origin;
    WorkflowExecutionConfig {
        task_queue: Some(normal_queue(&origin.task_queue)),
        workflow_execution_timeout: origin.execution_timeout.map(wire::duration),
        workflow_run_timeout: origin.run_timeout.map(wire::duration),
        default_workflow_task_timeout: Some(wire::duration(origin.task_timeout)),
        user_metadata: origin.user_metadata.clone(),
    }
}

fn info(state: &State) -> WorkflowExecutionInfo {
    let origin = &state.origin;
    let execution = WorkflowExecution {
        workflow_id: origin.workflow_id.clone(),
        run_id: origin.run.to_string(),
    };
    let parent = origin.parent.as_deref();
    WorkflowExecutionInfo {
        execution: Some(execution.clone()),
        r#type: Some(WorkflowType {
            name: origin.workflow_type.clone(),
        }),
        start_time: Some(wire::timestamp(origin.start_time)),
        close_time: state
            .closed
            .as_ref()
            .map(|closed| wire::timestamp(closed.time)),
        status: status(state),
        history_length: state.next_event_id - 1,
        execution_time: Some(wire::timestamp(origin.execution_time())),
        memo: Some(state.properties.memo.clone()),
        search_attributes: Some(search_attributes(state)),
        auto_reset_points: Some(state.properties.points.clone()),
        most_recent_worker_version_stamp: state.properties.worker_version.clone(),
        task_queue: origin.task_queue.clone(),
        state_transition_count: state.transitions,
        history_size_bytes: i64::try_from(state.history_bytes).unwrap_or(i64::MAX),
        execution_duration: state
            .closed
            .as_ref()
            .map(|closed| wire::duration(closed.time.since(origin.execution_time()))),
        root_execution: Some(parent.map_or(execution, Parent::root)),
        parent_namespace_id: parent.map_or_else(String::new, |it| it.namespace_id.clone()),
        parent_execution: parent.map(Parent::execution),
        first_run_id: origin.first_run.to_string(),
        priority: origin.priority.clone(),
        versioning_info: state.options.described(),
        ..Default::default()
    }
}

/// Why workflow tasks fail, if they have failed so often that everybody should see it.
pub(crate) fn reported_problem(state: &State) -> Option<Problem> {
    let task = &state.task;
    let often = task.attempts_since_success >= PROBLEM_ATTEMPTS;
    task.problem.filter(|_| often)
}

/// What was set, and what we say ourselves.
fn search_attributes(state: &State) -> SearchAttributes {
    let mut attributes = state.properties.search_attributes.clone();
    if state.options.version.is_some() {
        attributes.indexed_fields.insert(
            "TemporalWorkflowVersioningBehavior".to_owned(),
            properties::keyword("AutoUpgrade"),
        );
    }
    let paused = what_is_paused(state);
    if !paused.is_empty() {
        attributes.indexed_fields.insert(
            "TemporalPauseInfo".to_owned(),
            properties::keyword_list(&paused),
        );
    }
    if let Some(problem) = reported_problem(state) {
        let (category, cause) = match problem {
            Problem::Failed(cause) => (
                "WorkflowTaskFailed",
                cause_name(Cause::try_from(cause).unwrap_or_default()),
            ),
            Problem::TimedOut(kind) => (
                "WorkflowTaskTimedOut",
                timeout_name(TimeoutType::try_from(kind).unwrap_or_default()).to_owned(),
            ),
        };
        let problems = [
            format!("category={category}"),
            format!("cause={category}Cause{cause}"),
        ];
        attributes.indexed_fields.insert(
            "TemporalReportedProblems".to_owned(),
            properties::keyword_list(&problems),
        );
    }
    attributes
}

/// The run, its activities, or both.
fn what_is_paused(state: &State) -> Vec<String> {
    let types = state.activities.paused_types.iter();
    let types = types.map(|name| format!("property:activityType={name}"));
    let run = state.paused.as_ref().map(|paused| {
        let workflow = format!("Workflow:{}", state.origin.workflow_id);
        let reason = format!("Reason:{}", paused.reason);
        let reason = Some(reason).filter(|_| !paused.reason.is_empty());
        [workflow].into_iter().chain(reason)
    });
    run.into_iter().flatten().chain(types).collect()
}

fn status(state: &State) -> i32 {
    match &state.closed {
        Some(closed) => closed.status,
        None if state.is_paused() => Status::Paused.into(),
        None => Status::Running.into(),
    }
}

fn extended(state: &State) -> WorkflowExecutionExtendedInfo {
    let origin = &state.origin;
    let started = RequestIdInfo {
        event_type: EventType::WorkflowExecutionStarted.into(),
        event_id: state.signals.start_event(),
        buffered: false,
    };
    let attached = state.attached.requests().map(|(request_id, event_id)| {
        let attached = RequestIdInfo {
            event_type: EventType::WorkflowExecutionOptionsUpdated.into(),
            event_id,
            buffered: event_id == 0,
        };
        (request_id.clone(), attached)
    });
    let updates = state.updates.requests().map(|(request_id, event_id)| {
        let accepted = RequestIdInfo {
            event_type: EventType::WorkflowExecutionUpdateAccepted.into(),
            event_id,
            buffered: false,
        };
        (request_id.clone(), accepted)
    });
    WorkflowExecutionExtendedInfo {
        execution_expiration_time: origin.execution_expiration.map(wire::timestamp),
        run_expiration_time: Some(origin.run_expiration().map_or(NEVER, wire::timestamp)),
        cancel_requested: state.cancel_requested,
        original_start_time: Some(wire::timestamp(origin.original_start_time)),
        last_reset_time: state
            .reset
            .request_id
            .as_ref()
            .map(|_| wire::timestamp(origin.start_time)),
        reset_run_id: state
            .reset
            .to
            .map(|run| run.to_string())
            .unwrap_or_default(),
        request_id_infos: [(origin.request_id.clone(), started)]
            .into_iter()
            .chain(attached)
            .chain(updates)
            .collect(),
        pause_info: state.paused.as_ref().map(pause::Paused::described),
        ..Default::default()
    }
}

fn pending_workflow_task(state: &State) -> Option<PendingWorkflowTaskInfo> {
    let task = state.task.current.as_ref()?;
    let pending = match task.started {
        Some(_) => PendingWorkflowTaskState::Started,
        None => PendingWorkflowTaskState::Scheduled,
    };
    Some(PendingWorkflowTaskInfo {
        state: pending.into(),
        scheduled_time: Some(wire::timestamp(task.scheduled_time)),
        original_scheduled_time: Some(wire::timestamp(task.original_time)),
        started_time: task
            .started
            .as_ref()
            .map(|started| wire::timestamp(started.time)),
        attempt: state.task.attempt,
    })
}

fn pending_activity(activity: &Activity, volatile: &Volatile, now: Time) -> PendingActivityInfo {
    let beat = volatile.heartbeats.get(&activity.scheduled_event_id);
    let (started, paused) = (activity.started.is_some(), activity.paused.is_some());
    let state = match (started, paused) {
        _ if activity.cancel_requested_event_id.is_some() => PendingActivityState::CancelRequested,
        (true, true) => PendingActivityState::PauseRequested,
        (false, true) => PendingActivityState::Paused,
        (true, false) => PendingActivityState::Started,
        (false, false) => PendingActivityState::Scheduled,
    };
    let waits = !started && !paused && activity.attempt > 1 && activity.scheduled_time > now;
    let mut options = activity::options(activity);
    if let Some(policy) = &mut options.retry_policy {
        policy.non_retryable_error_types.clear(); // As the reference has it.
    }
    PendingActivityInfo {
        activity_id: activity.id.clone(),
        activity_type: Some(ActivityType {
            name: activity.type_name.clone(),
        }),
        state: state.into(),
        heartbeat_details: beat.and_then(|beat| beat.details.clone()),
        last_heartbeat_time: beat.and_then(|beat| beat.time).map(wire::timestamp),
        last_started_time: activity
            .started
            .as_ref()
            .map(|started| wire::timestamp(started.time)),
        attempt: activity.attempt,
        maximum_attempts: activity.policy.maximum_attempts,
        scheduled_time: Some(wire::timestamp(activity.scheduled_time)),
        expiration_time: activity.expiration().map(wire::timestamp),
        last_failure: activity.last_failure.clone(),
        last_worker_identity: activity.last_worker_identity.clone(),
        current_retry_interval: waits.then(|| wire::duration(activity.retry_interval)),
        last_attempt_complete_time: activity.last_complete_time.map(wire::timestamp),
        next_attempt_schedule_time: waits.then(|| wire::timestamp(activity.scheduled_time)),
        priority: activity.priority.clone(),
        activity_options: Some(options),
        paused: activity.paused.is_some(),
        pause_info: activity.paused.as_ref().map(Paused::described),
        ..Default::default()
    }
}

/// By what the run is found beside its row.
pub(crate) fn terms(state: &State) -> Vec<Term> {
    let types = &state.properties.types;
    search_attribute::terms(state.origin.namespace, &search_attributes(state), types)
}

/// The visibility row. Which run of its id it is, the shard knows.
pub(crate) fn row(state: &State) -> Row {
    let origin = &state.origin;
    let encode = |empty: bool, encoded: Vec<u8>| if empty { Bytes::new() } else { encoded.into() };
    let parent = origin.parent.as_deref();
    let (memo, attributes) = (&state.properties.memo, search_attributes(state));
    Row {
        run: origin.run,
        namespace: origin.namespace,
        workflow_id: origin.workflow_id.clone(),
        kind: KIND,
        nth: 0,
        start_request_id: origin.request_id.clone(),
        first_run: origin.first_run,
        status: status(state),
        workflow_type: origin.workflow_type.clone(),
        task_queue: origin.task_queue.clone(),
        start_time: origin.start_time,
        execution_time: origin.execution_time(),
        close_time: state.closed.as_ref().map(|closed| closed.time),
        history_length: state.next_event_id - 1,
        history_size_bytes: i64::try_from(state.history_bytes).unwrap_or(i64::MAX),
        state_transition_count: state.transitions,
        parent: parent.map(|it| (it.workflow_id.clone(), it.run)),
        root: Some(parent.map_or_else(
            || (origin.workflow_id.clone(), origin.run),
            |it| it.root.clone(),
        )),
        memo: encode(memo.fields.is_empty(), memo.encode_to_vec()),
        search_attributes: encode(
            attributes.indexed_fields.is_empty(),
            attributes.encode_to_vec(),
        ),
        workers: search_attribute::workers(&attributes),
    }
}
