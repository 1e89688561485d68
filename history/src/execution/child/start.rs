//! The command `StartChildWorkflowExecution`: validity, and what the event will show.

use std::time::Duration;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Memo, RetryPolicy, SearchAttributes, WorkflowType};
use cairn_proto::temporal::api::enums::v1::{
    ParentClosePolicy, WorkflowIdReusePolicy as Reuse, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::history::v1::StartChildWorkflowExecutionInitiatedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;

use crate::execution::command::{Bad, Signed, StartChild, too_long};
use crate::execution::continue_as_new::shown_queue;
use crate::execution::cron::Schedule;
use crate::execution::retry::Policy;
use crate::execution::start::{bounded, task_timeout};
use crate::execution::workflow_task::{Completing, asked_queue};
use crate::execution::{activity, check_priority, external, payload_size, properties, wire};

const WHAT: &str = "StartChildWorkflowExecutionCommand";

/// What was computed from the command.
struct Checked {
    execution_timeout: Option<Duration>,
    run_timeout: Duration,
    task_timeout: Duration,
    retry_policy: Option<RetryPolicy>,
    search_attributes: Option<SearchAttributes>,
    task_queue: TaskQueue,
}

pub(crate) fn start(it: &mut Completing<'_, '_>, asked: &StartChild) -> Result<(), Bad> {
    let checked = check(it, asked)?;
    check_sizes(it, asked)?;
    let (count, max) = (
        it.draft.state.children.pending.len(),
        it.draft.limits.pending_children_max,
    );
    if count >= max {
        return Err(Bad::Task(
            Cause::PendingChildWorkflowsLimitExceeded,
            format!(
                "the number of pending child workflow executions, {count}, has reached the \
                 per-workflow limit of {max}"
            ),
        ));
    }
    let or = |value: i32, default: i32| if value == 0 { default } else { value };
    let memo = asked.memo.as_ref();
    let memo = memo.and_then(|memo| properties::begun(&memo.fields));
    let initiated = StartChildWorkflowExecutionInitiatedEventAttributes {
        namespace: it.question.namespace.clone(),
        namespace_id: it.draft.state.origin.namespace.to_string(),
        workflow_id: asked.workflow_id.clone(),
        workflow_type: Some(WorkflowType {
            name: asked.workflow_type.clone(),
        }),
        task_queue: Some(checked.task_queue),
        input: asked.input.clone(),
        workflow_execution_timeout: checked.execution_timeout.map(wire::duration),
        workflow_run_timeout: Some(wire::duration(checked.run_timeout)),
        workflow_task_timeout: Some(wire::duration(checked.task_timeout)),
        parent_close_policy: or(
            asked.parent_close_policy,
            ParentClosePolicy::Terminate.into(),
        ),
        control: asked.control.clone(),
        workflow_task_completed_event_id: it.completed_event_id,
        workflow_id_reuse_policy: or(asked.reuse_policy, Reuse::AllowDuplicate.into()),
        retry_policy: checked.retry_policy,
        cron_schedule: asked.cron_schedule.clone(),
        header: asked.header.clone(),
        memo: memo.map(|fields| Memo { fields }),
        search_attributes: checked.search_attributes,
        inherit_build_id: asked.inherit_build_id,
        priority: asked.priority.clone(),
        ..Default::default()
    };
    it.write(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(initiated));
    Ok(())
}

fn check(it: &Completing<'_, '_>, asked: &StartChild) -> Result<Checked, Bad> {
    let bad = |text: String| Bad::Task(Cause::BadStartChildExecutionAttributes, text);
    let limits = it.draft.limits;
    external::same_namespace(it, &asked.namespace).map_err(bad)?;
    let (id, kind, namespace) = (
        &asked.workflow_id,
        &asked.workflow_type,
        &it.question.namespace,
    );
    let of = format!("WorkflowId={id} WorkflowType={kind} Namespace={namespace}");
    if id.is_empty() {
        return Err(bad(format!(
            "Required field WorkflowId is not set on {WHAT}. WorkflowType={kind} \
             Namespace={namespace}"
        )));
    }
    if kind.is_empty() {
        return Err(bad(format!(
            "Required field WorkflowType is not set on {WHAT}. WorkflowId={id} \
             Namespace={namespace}"
        )));
    }
    if id.len() > limits.id_bytes_max {
        let text = too_long(&format!("WorkflowId on {WHAT}"), "WorkflowId", id, limits);
        return Err(bad(format!(
            "{text} WorkflowType={kind} Namespace={namespace}"
        )));
    }
    if kind.len() > limits.id_bytes_max {
        let name = format!("WorkflowId={id} WorkflowType");
        let text = too_long(&format!("WorkflowType on {WHAT}"), &name, kind, limits);
        return Err(bad(format!("{text} Namespace={namespace}")));
    }
    let timeout = |name: &str, value: Option<Signed>| {
        Signed::checked(value).map_err(|why| bad(format!("Invalid {name} on {WHAT}: {why}. {of}")))
    };
    let execution = timeout("WorkflowExecutionTimeout", asked.execution_timeout)?;
    let run = timeout("WorkflowRunTimeout", asked.run_timeout)?;
    let task = timeout("WorkflowTaskTimeout", asked.task_timeout)?;
    if let Some(priority) = &asked.priority {
        check_priority(priority).map_err(bad)?;
    }
    let retry_policy = asked.retry_policy.as_ref();
    let retry_policy = retry_policy
        .map(|policy| Policy::checked(Some(policy)))
        .transpose()
        .map_err(|why| {
            bad(format!(
                "invalid WorkflowRetryPolicy on {WHAT}: {why}. {of}"
            ))
        })?;
    let cron = &asked.cron_schedule;
    if !cron.is_empty() && Schedule::parse(cron).is_none() {
        let text = format!("invalid CronSchedule on {WHAT}: invalid CronSchedule.. {of}");
        return Err(bad(text));
    }
    let search_attributes = search_attributes(it, asked, &of)?;
    let queue = asked.task_queue.as_ref();
    let name = queue.map_or("", |queue| &queue.name);
    let name = if name.is_empty() {
        &it.draft.state.origin.task_queue
    } else {
        name
    };
    let task_queue = asked_queue(queue, name);
    activity::check_queue(Some(name), limits).map_err(|why| {
        let queue = shown_queue(&task_queue);
        bad(format!(
            "invalid TaskQueue on {WHAT}: {why}. {of} TaskQueue={queue}"
        ))
    })?;
    let execution_timeout = asked.execution_timeout.map(|_| execution);
    let run_timeout = bounded(Some(run), execution_timeout).unwrap_or_default();
    Ok(Checked {
        execution_timeout,
        run_timeout,
        task_timeout: task_timeout(task, run_timeout, limits),
        retry_policy,
        search_attributes,
        task_queue,
    })
}

/// Those that the child will have, with their types.
fn search_attributes(
    it: &Completing<'_, '_>,
    asked: &StartChild,
    of: &str,
) -> Result<Option<SearchAttributes>, Bad> {
    let bad = |text: String| Bad::Task(Cause::BadSearchAttributes, text);
    let Some(attributes) = &asked.search_attributes else {
        return Ok(None);
    };
    let registry = &it.question.registry;
    registry.known(attributes).map_err(bad)?;
    let begun = properties::begun_attributes(registry, attributes).map_err(|why| {
        bad(format!(
            "invalid SearchAttributes on StartChildWorkflowCommand: {why}. {of}"
        ))
    })?;
    Ok(begun.0)
}

/// What a child may not be given.
fn check_sizes(it: &Completing<'_, '_>, asked: &StartChild) -> Result<(), Bad> {
    let limits = it.draft.limits;
    let too_large = |text: String| Err(Bad::Run(Cause::BadStartChildExecutionAttributes, text));
    if payload_size(asked.input.as_ref()) > limits.blob_bytes_max {
        let text = "StartChildWorkflowExecutionCommandAttributes. Input exceeds size limit.";
        return too_large(text.to_owned());
    }
    if asked.memo.as_ref().map_or(0, Message::encoded_len) > limits.memo_bytes_max {
        let text = "StartChildWorkflowExecutionCommandAttributes.Memo exceeds size limit.";
        return too_large(text.to_owned());
    }
    match &asked.search_attributes {
        Some(attributes) => properties::check_sizes(attributes, limits).or_else(too_large),
        None => Ok(()),
    }
}
