//! The command `ContinueAsNewWorkflowExecution`: this run closes and another begins with a fresh history.

use std::time::Duration;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::WorkflowType;
use cairn_proto::temporal::api::enums::v1::{
    ContinueAsNewInitiator as Initiator, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionStartedEventAttributes,
};

use super::command::{Bad, ContinueAsNew, Signed, too_long};
use super::retry::Policy;
use super::start::{bounded, or_inherited, task_timeout};
use super::transition::Extra;
use super::workflow_task::{Completing, normal_queue};
use super::{activity, close, payload_size, properties, wire};
use crate::id::RunId;

/// What the next run is given.
struct Next {
    workflow_type: String,
    task_queue: String,
    run_timeout: Option<Duration>,
    task_timeout: Duration,
    asked_backoff: Duration,
    backoff: Duration,
    policy: Option<Policy>,
    initiator: i32,
}

pub(crate) fn ask(it: &mut Completing<'_, '_>, asked: &ContinueAsNew) -> Result<(), Bad> {
    it.may_close()?;
    let next = check(it, asked)?;
    let run = it.context.entropy.run_id(it.context.now);
    let search_attributes = asked
        .search_attributes
        .as_ref()
        .map(properties::typed)
        .transpose()
        .map_err(|text| Bad::Task(Cause::BadSearchAttributes, text))?;
    let continued = WorkflowExecutionContinuedAsNewEventAttributes {
        new_execution_run_id: run.to_string(),
        workflow_type: Some(WorkflowType {
            name: next.workflow_type.clone(),
        }),
        task_queue: Some(normal_queue(&next.task_queue)),
        input: asked.input.clone(),
        workflow_run_timeout: next.run_timeout.map(wire::duration),
        workflow_task_timeout: Some(wire::duration(next.task_timeout)),
        workflow_task_completed_event_id: it.completed_event_id,
        backoff_start_interval: wire::some_duration(next.asked_backoff),
        initiator: asked.initiator,
        failure: asked.failure.clone(),
        last_completion_result: asked.last_completion_result.clone(),
        header: asked.header.clone(),
        memo: asked.memo.clone(),
        search_attributes: search_attributes.clone(),
        inherit_build_id: asked.inherit_build_id,
        ..Default::default()
    };
    let started = WorkflowExecutionStartedEventAttributes {
        search_attributes,
        ..started(it, asked, &next, run)
    };
    let extra = Extra {
        user_metadata: it.draft.state.origin.user_metadata.clone(),
        links: Vec::new(),
        ..Extra::default()
    };
    it.successor = Some(close::follow(
        &it.draft.state,
        run,
        started,
        extra,
        it.context,
    )?);
    it.write(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(
        continued,
    ));
    Ok(())
}

fn check(it: &Completing<'_, '_>, asked: &ContinueAsNew) -> Result<Next, Bad> {
    let bad = |text: String| Bad::Task(Cause::BadContinueAsNewAttributes, text);
    let (origin, limits) = (&it.draft.state.origin, it.draft.limits);
    if !asked.cron_schedule.is_empty() {
        return Err(Bad::Task(
            Cause::FeatureDisabled,
            "cron_schedule is not built yet".to_owned(),
        ));
    }
    let or = |value: &str, inherited: &str| match value {
        "" => inherited.to_owned(),
        value => value.to_owned(),
    };
    let workflow_type = or(&asked.workflow_type, &origin.workflow_type);
    let task_queue = or(&asked.task_queue, &origin.task_queue);
    if workflow_type.len() > limits.id_bytes_max {
        let what = "WorkflowType on ContinueAsNewWorkflowExecutionCommand";
        return Err(bad(too_long(what, "WorkflowType", &workflow_type, limits)));
    }
    // What is wrong is said of this.
    let of = format!(
        "WorkflowType={workflow_type} TaskQueue=name:{task_queue:?}  kind:TASK_QUEUE_KIND_NORMAL"
    );
    activity::check_queue(Some(&task_queue), limits).map_err(|why| {
        bad(format!(
            "error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: {why}. {of}"
        ))
    })?;
    let policy = asked
        .retry_policy
        .as_ref()
        .map(|policy| Policy::checked(Some(policy)))
        .transpose()
        .map_err(|why| {
            bad(format!(
                "invalid WorkflowRetryPolicy on ContinueAsNewWorkflowExecutionCommand: {why}. {of}"
            ))
        })?;
    let too_large = |what: &str| {
        Bad::Run(
            Cause::BadContinueAsNewAttributes,
            format!("ContinueAsNewWorkflowExecutionCommandAttributes. {what} exceeds size limit."),
        )
    };
    if payload_size(asked.input.as_ref()) > limits.blob_bytes_max {
        return Err(too_large("Input"));
    }
    if asked.memo.as_ref().map_or(0, Message::encoded_len) > limits.memo_bytes_max {
        return Err(too_large("Memo"));
    }
    let invalid = |name: &str, why: &str| {
        bad(format!(
            "Invalid {name} on ContinueAsNewWorkflowExecutionCommand: {why}. {of}"
        ))
    };
    let asked_run =
        Signed::checked(asked.run_timeout).map_err(|why| invalid("WorkflowRunTimeout", why))?;
    let asked_run = (!asked_run.is_zero()).then_some(asked_run);
    let run_timeout = bounded(asked_run.or(origin.run_timeout), origin.execution_timeout);
    let asked_task = or_inherited(asked.task_timeout, origin.task_timeout)
        .map_err(|why| invalid("WorkflowTaskTimeout", why))?;
    let asked_backoff =
        Signed::checked(asked.backoff).map_err(|why| invalid("BackoffStartInterval", why))?;
    Ok(Next {
        workflow_type,
        task_queue,
        run_timeout,
        task_timeout: task_timeout(asked_task, run_timeout.unwrap_or_default(), limits),
        asked_backoff,
        backoff: asked_backoff.max(close::not_too_soon(&it.draft)),
        policy,
        initiator: match asked.initiator {
            0 => Initiator::Workflow.into(),
            initiator => initiator,
        },
    })
}

fn started(
    it: &Completing<'_, '_>,
    asked: &ContinueAsNew,
    next: &Next,
    run: RunId,
) -> WorkflowExecutionStartedEventAttributes {
    let origin = &it.draft.state.origin;
    WorkflowExecutionStartedEventAttributes {
        workflow_type: Some(WorkflowType {
            name: next.workflow_type.clone(),
        }),
        task_queue: Some(normal_queue(&next.task_queue)),
        input: asked.input.clone(),
        workflow_execution_timeout: origin.execution_timeout.map(wire::duration),
        workflow_run_timeout: next.run_timeout.map(wire::duration),
        workflow_task_timeout: Some(wire::duration(next.task_timeout)),
        continued_execution_run_id: origin.run.to_string(),
        initiator: next.initiator,
        continued_failure: asked.failure.clone(),
        last_completion_result: asked.last_completion_result.clone(),
        original_execution_run_id: run.to_string(),
        identity: String::new(),
        first_execution_run_id: origin.first_run.to_string(),
        retry_policy: next.policy.as_ref().map(Policy::published),
        attempt: 1,
        workflow_execution_expiration_time: origin.execution_expiration.map(wire::timestamp),
        first_workflow_task_backoff: wire::some_duration(next.backoff),
        memo: asked.memo.clone(),
        header: asked.header.clone(),
        workflow_id: origin.workflow_id.clone(),
        prev_auto_reset_points: Some(it.draft.state.properties.points_for(&it.draft)),
        priority: origin.priority.clone(),
        ..Default::default()
    }
}
