//! Starts, with and without a signal.

use std::sync::Arc;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::temporal::api::enums::v1::EventType;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::Status;

use super::{wire, workflow_task};
use crate::execution::{Answer, Attach, Question, Signal, Start, Started};
use crate::id::Key;
use crate::search_attribute::Registry;
use crate::service::{Reply, Shell};

pub(super) async fn start(
    shell: &Arc<Shell>,
    request: history::StartWorkflowExecutionRequest,
) -> Result<public::StartWorkflowExecutionResponse, Status> {
    let history::StartWorkflowExecutionRequest {
        namespace_id,
        request,
        retention,
        search_attributes,
    } = request;
    let request = wire::required(request, "Request")?;
    let namespace = request.namespace.clone();
    let key = Key {
        namespace: wire::namespace(&namespace_id)?,
        workflow_id: request.workflow_id.clone(),
    };
    let start = Start {
        retention: wire::duration(retention),
        registry: search_attributes.map(Into::into).unwrap_or_default(),
        ..destructure(request)
    };
    let request_id = start.request_id.clone();
    let reply = ask(shell, key.clone(), start).await?;
    let Reply {
        answer: Answer::Started(started),
        events,
    } = reply
    else {
        return Err(wire::unexpected(&reply));
    };
    let Started {
        run,
        first_run,
        started,
        status,
        attached,
        eager_task,
    } = started;
    let eager_workflow_task = match eager_task {
        Some(task) => Some(workflow_task::response(shell, &key, *task, events).await?),
        None => None,
    };
    let reference = if attached {
        wire::request_reference(&request_id, EventType::WorkflowExecutionOptionsUpdated)
    } else {
        wire::event_reference(1, EventType::WorkflowExecutionStarted)
    };
    let link = wire::link(&namespace, &key.workflow_id, run, reference);
    Ok(public::StartWorkflowExecutionResponse {
        run_id: run.to_string(),
        first_execution_run_id: first_run.to_string(),
        started,
        status,
        eager_workflow_task,
        link: Some(link),
    })
}

pub(super) async fn signal_with_start(
    shell: &Arc<Shell>,
    request: history::SignalWithStartWorkflowExecutionRequest,
) -> Result<public::SignalWithStartWorkflowExecutionResponse, Status> {
    let history::SignalWithStartWorkflowExecutionRequest {
        namespace_id,
        request,
        retention,
        search_attributes,
    } = request;
    let request = wire::required(request, "Request")?;
    let key = Key {
        namespace: wire::namespace(&namespace_id)?,
        workflow_id: request.workflow_id.clone(),
    };
    let (namespace, workflow_id) = (request.namespace.clone(), request.workflow_id.clone());
    let reference =
        wire::request_reference(&request.request_id, EventType::WorkflowExecutionSignaled);
    let start = Start {
        retention: wire::duration(retention),
        registry: search_attributes.map(Into::into).unwrap_or_default(),
        ..destructure_with_signal(request)
    };
    let reply = ask(shell, key, start).await?;
    let Reply {
        answer:
            Answer::Started(Started {
                run,
                first_run,
                started,
                ..
            }),
        ..
    } = reply
    else {
        return Err(wire::unexpected(&reply));
    };
    let link = wire::link(&namespace, &workflow_id, run, reference);
    Ok(public::SignalWithStartWorkflowExecutionResponse {
        run_id: run.to_string(),
        first_execution_run_id: first_run.to_string(),
        started,
        signal_link: Some(link),
    })
}

async fn ask(shell: &Arc<Shell>, key: Key, start: Start) -> Result<Reply, Status> {
    let request_id = Some(start.request_id.clone());
    shell
        .ask(key, None, request_id, Question::Start(Box::new(start)))
        .await
}

pub(super) fn destructure(request: public::StartWorkflowExecutionRequest) -> Start {
    let public::StartWorkflowExecutionRequest {
        workflow_type,
        task_queue,
        input,
        workflow_execution_timeout,
        workflow_run_timeout,
        workflow_task_timeout,
        identity,
        request_id,
        workflow_id_reuse_policy,
        workflow_id_conflict_policy,
        retry_policy,
        cron_schedule,
        memo,
        search_attributes,
        header,
        request_eager_execution,
        workflow_start_delay,
        user_metadata,
        links,
        priority,
        on_conflict_options,
        continued_failure,
        last_completion_result,
        versioning_override,
        completion_callbacks,
        namespace,
        ..
    } = request;
    let attach = on_conflict_options.map(|it| Attach {
        request_id: it.attach_request_id,
        links: it.attach_links,
        callbacks: it.attach_completion_callbacks,
    });
    Start {
        request_id,
        identity,
        workflow_type: workflow_type.unwrap_or_default().name,
        task_queue: task_queue.unwrap_or_default().name,
        input,
        header,
        execution_timeout: workflow_execution_timeout.map(wire::span),
        run_timeout: workflow_run_timeout.map(wire::span),
        task_timeout: wire::duration(workflow_task_timeout),
        reuse_policy: workflow_id_reuse_policy,
        conflict_policy: workflow_id_conflict_policy,
        retry_policy,
        cron_schedule,
        continued_failure,
        last_completion_result,
        start_delay: wire::duration(workflow_start_delay),
        memo,
        search_attributes,
        registry: Registry::default(),
        user_metadata,
        links,
        callbacks: completion_callbacks,
        namespace_name: namespace,
        attach,
        versioning_override,
        priority,
        retention: std::time::Duration::ZERO,
        eager: request_eager_execution,
        signal: None,
        parent: None,
    }
}

fn destructure_with_signal(request: public::SignalWithStartWorkflowExecutionRequest) -> Start {
    let public::SignalWithStartWorkflowExecutionRequest {
        workflow_type,
        task_queue,
        input,
        workflow_execution_timeout,
        workflow_run_timeout,
        workflow_task_timeout,
        identity,
        request_id,
        workflow_id_reuse_policy,
        workflow_id_conflict_policy,
        signal_name,
        signal_input,
        retry_policy,
        cron_schedule,
        memo,
        search_attributes,
        header,
        workflow_start_delay,
        user_metadata,
        links,
        priority,
        versioning_override,
        ..
    } = request;
    let signal = Signal {
        name: signal_name,
        input: signal_input,
        header: header.clone(),
        identity: identity.clone(),
        request_id: request_id.clone(),
        links: links.clone(),
    };
    Start {
        request_id,
        identity,
        workflow_type: workflow_type.unwrap_or_default().name,
        task_queue: task_queue.unwrap_or_default().name,
        input,
        header,
        execution_timeout: workflow_execution_timeout.map(wire::span),
        run_timeout: workflow_run_timeout.map(wire::span),
        task_timeout: wire::duration(workflow_task_timeout),
        reuse_policy: workflow_id_reuse_policy,
        conflict_policy: workflow_id_conflict_policy,
        retry_policy,
        cron_schedule,
        continued_failure: None,
        last_completion_result: None,
        start_delay: wire::duration(workflow_start_delay),
        memo,
        search_attributes,
        registry: Registry::default(),
        user_metadata,
        links,
        callbacks: Vec::new(),
        namespace_name: String::new(),
        attach: None,
        versioning_override,
        priority,
        retention: std::time::Duration::ZERO,
        eager: false,
        signal: Some(signal),
        parent: None,
    }
}
