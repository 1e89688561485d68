//! The command `ContinueAsNewWorkflowExecution`: this run closes and another begins with a fresh history.

use std::collections::BTreeMap;
use std::time::Duration;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Memo, RetryPolicy, SearchAttributes, WorkflowType};
use cairn_proto::temporal::api::enums::v1::{
    ContinueAsNewInitiator as Initiator, TaskQueueKind, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionStartedEventAttributes,
};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;

use super::command::{Bad, ContinueAsNew, Signed, too_long};
use super::retry::Policy;
use super::start::{bounded, or_inherited, task_timeout};
use super::workflow_task::{Completing, asked_queue, normal_queue};
use super::{activity, payload_size, properties, successor, wire};
use crate::id::RunId;

/// What the next run is given.
struct Next {
    workflow_type: String,
    task_queue: TaskQueue,
    run_timeout: Duration,
    task_timeout: Duration,
    asked_backoff: Duration,
    backoff: Duration,
    policy: Option<RetryPolicy>,
    initiator: i32,
}

pub(crate) fn ask(it: &mut Completing<'_, '_>, asked: &ContinueAsNew) -> Result<(), Bad> {
    it.may_close()?;
    if let Some(attributes) = &asked.search_attributes {
        it.question
            .registry
            .known(attributes)
            .map_err(bad_search_attributes)?;
    }
    let next = check(it, asked)?;
    let (search_attributes, types) = search_attributes(it, asked, &next)?;
    if asked.inherit_build_id && next.task_queue.name != it.draft.state.origin.task_queue {
        return Err(Bad::Task(
            Cause::BadContinueAsNewAttributes,
            "ContinueAsNew with UseCompatibleVersion cannot run on different task queue."
                .to_owned(),
        ));
    }
    check_sizes(it, asked)?;
    let run = it.context.entropy.run_id(it.context.now);
    let continued = WorkflowExecutionContinuedAsNewEventAttributes {
        new_execution_run_id: run.to_string(),
        workflow_type: Some(WorkflowType {
            name: next.workflow_type.clone(),
        }),
        task_queue: Some(next.task_queue.clone()),
        input: asked.input.clone(),
        workflow_run_timeout: Some(wire::duration(next.run_timeout)),
        workflow_task_timeout: Some(wire::duration(next.task_timeout)),
        workflow_task_completed_event_id: it.completed_event_id,
        backoff_start_interval: asked.backoff.map(|_| wire::duration(next.asked_backoff)),
        initiator: asked.initiator,
        failure: asked.failure.clone(),
        last_completion_result: asked.last_completion_result.clone(),
        header: asked.header.clone(),
        memo: memo(asked),
        search_attributes: search_attributes.clone(),
        inherit_build_id: asked.inherit_build_id,
        ..Default::default()
    };
    let started = WorkflowExecutionStartedEventAttributes {
        search_attributes,
        ..started(it, asked, &next, run)
    };
    let links = successor::links(&it.draft.state, it.events)?;
    it.successor = Some(successor::begin(
        &it.draft.state,
        run,
        started,
        types,
        links,
        it.context,
    )?);
    it.write(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(
        continued,
    ));
    Ok(())
}

/// Those that the next run has, with the types that their metadata does not say.
fn search_attributes(
    it: &Completing<'_, '_>,
    asked: &ContinueAsNew,
    next: &Next,
) -> Result<(Option<SearchAttributes>, BTreeMap<String, i32>), Bad> {
    let Some(asked) = &asked.search_attributes else {
        return Ok(Default::default());
    };
    properties::begun_attributes(&it.question.registry, asked).map_err(|why| {
        bad_search_attributes(format!(
            "invalid SearchAttributes on ContinueAsNewWorkflowExecutionCommand: {why}. {}",
            next.named()
        ))
    })
}

fn bad_search_attributes(text: String) -> Bad {
    Bad::Task(Cause::BadSearchAttributes, text)
}

fn memo(asked: &ContinueAsNew) -> Option<Memo> {
    let fields = properties::begun(&asked.memo.as_ref()?.fields);
    fields.map(|fields| Memo { fields })
}

fn check(it: &Completing<'_, '_>, asked: &ContinueAsNew) -> Result<Next, Bad> {
    let bad = |text: String| Bad::Task(Cause::BadContinueAsNewAttributes, text);
    let (origin, limits) = (&it.draft.state.origin, it.draft.limits);
    let or = |value: Option<&String>, inherited: &str| match value.map(String::as_str) {
        None | Some("") => inherited.to_owned(),
        Some(value) => value.to_owned(),
    };
    let workflow_type = or(Some(&asked.workflow_type), &origin.workflow_type);
    let queue = asked.task_queue.as_ref();
    let task_queue = asked_queue(queue, &or(queue.map(|it| &it.name), &origin.task_queue));
    if workflow_type.len() > limits.id_bytes_max {
        let what = "WorkflowType on ContinueAsNewWorkflowExecutionCommand";
        return Err(bad(too_long(what, "WorkflowType", &workflow_type, limits)));
    }
    let of = named(&workflow_type, &task_queue);
    activity::check_queue(Some(&task_queue.name), limits).map_err(|why| {
        bad(format!(
            "error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: {why}. {of}"
        ))
    })?;
    let invalid = |name: &str, why: &str| {
        bad(format!(
            "Invalid {name} on ContinueAsNewWorkflowExecutionCommand: {why}. {of}"
        ))
    };
    let asked_run =
        Signed::checked(asked.run_timeout).map_err(|why| invalid("WorkflowRunTimeout", why))?;
    let asked_run = (!asked_run.is_zero()).then_some(asked_run);
    let run_timeout = bounded(asked_run.or(origin.run_timeout), origin.execution_timeout);
    let run_timeout = run_timeout.unwrap_or_default();
    let asked_task = or_inherited(asked.task_timeout, origin.task_timeout)
        .map_err(|why| invalid("WorkflowTaskTimeout", why))?;
    let asked_backoff =
        Signed::checked(asked.backoff).map_err(|why| invalid("BackoffStartInterval", why))?;
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
    Ok(Next {
        workflow_type,
        task_queue,
        run_timeout,
        task_timeout: task_timeout(asked_task, run_timeout, limits),
        asked_backoff,
        backoff: asked_backoff.max(successor::not_too_soon(&it.draft)),
        policy,
        initiator: match asked.initiator {
            0 => Initiator::Workflow.into(),
            initiator => initiator,
        },
    })
}

/// What the next run may not carry along.
fn check_sizes(it: &Completing<'_, '_>, asked: &ContinueAsNew) -> Result<(), Bad> {
    let limits = it.draft.limits;
    let too_large = |text: String| Err(Bad::Run(Cause::BadContinueAsNewAttributes, text));
    let exceeds = |what: &str| {
        too_large(format!(
            "ContinueAsNewWorkflowExecutionCommandAttributes. {what} exceeds size limit."
        ))
    };
    if payload_size(asked.input.as_ref()) > limits.blob_bytes_max {
        return exceeds("Input");
    }
    if asked.memo.as_ref().map_or(0, Message::encoded_len) > limits.memo_bytes_max {
        return exceeds("Memo");
    }
    match &asked.search_attributes {
        Some(attributes) => properties::check_sizes(attributes, limits).or_else(too_large),
        None => Ok(()),
    }
}

impl Next {
    fn named(&self) -> String {
        named(&self.workflow_type, &self.task_queue)
    }
}

/// Of what something is wrong, in the reference's words.
fn named(workflow_type: &str, queue: &TaskQueue) -> String {
    format!(
        "WorkflowType={workflow_type} TaskQueue={}",
        shown_queue(queue)
    )
}

/// A queue in the reference's words.
pub(crate) fn shown_queue(queue: &TaskQueue) -> String {
    let kind = TaskQueueKind::try_from(queue.kind).map_or_else(
        |_| queue.kind.to_string(),
        |kind| kind.as_str_name().to_owned(),
    );
    let normal_name = match &*queue.normal_name {
        "" => String::new(),
        name => format!("  normal_name:{name:?}"),
    };
    format!("name:{:?}  kind:{kind}{normal_name}", queue.name)
}

fn started(
    it: &Completing<'_, '_>,
    asked: &ContinueAsNew,
    next: &Next,
    run: RunId,
) -> WorkflowExecutionStartedEventAttributes {
    let origin = &it.draft.state.origin;
    let mut started = WorkflowExecutionStartedEventAttributes {
        workflow_type: Some(WorkflowType {
            name: next.workflow_type.clone(),
        }),
        task_queue: Some(normal_queue(&next.task_queue.name)),
        input: asked.input.clone(),
        workflow_execution_timeout: origin.execution_timeout.map(wire::duration),
        workflow_run_timeout: Some(wire::duration(next.run_timeout)),
        workflow_task_timeout: Some(wire::duration(next.task_timeout)),
        continued_execution_run_id: origin.run.to_string(),
        initiator: next.initiator,
        continued_failure: asked.failure.clone(),
        last_completion_result: asked.last_completion_result.clone(),
        original_execution_run_id: run.to_string(),
        identity: String::new(),
        first_execution_run_id: origin.first_run.to_string(),
        retry_policy: next.policy.clone(),
        cron_schedule: asked.cron_schedule.clone(),
        attempt: match Initiator::try_from(next.initiator) {
            Ok(Initiator::Retry) => origin.attempt.saturating_add(1),
            _ => 1,
        },
        workflow_execution_expiration_time: origin.execution_expiration.map(wire::timestamp),
        first_workflow_task_backoff: wire::some_duration(next.backoff),
        memo: memo(asked),
        header: asked.header.clone(),
        workflow_id: origin.workflow_id.clone(),
        prev_auto_reset_points: Some(it.draft.state.properties.points_for(&it.draft)),
        priority: origin.priority.clone(),
        completion_callbacks: it.draft.state.callbacks.handed_on(),
        ..Default::default()
    };
    if let Some(parent) = &origin.parent {
        parent.show(&mut started);
    }
    started
}
