//! A workflow task fails: a worker says so, or we do, because its answer is bad or its run is being closed.

use cairn_proto::cairn::record::v1::{self as record, change::Change};
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::failure::v1::failure::FailureInfo;
use cairn_proto::temporal::api::failure::v1::{Failure, ServerFailureInfo};
use cairn_proto::temporal::api::history::v1::WorkflowTaskFailedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::complete::holds;
use super::schedule_now;
use crate::execution::transition::Draft;
use crate::execution::{
    Answer, FailWorkflowTask, Outcome, Refusal, Run, answer_step, command, query, refuse, terminate,
};
use crate::kind::{Context, Stop};

pub(crate) fn fail(
    run: Run<'_>,
    question: &FailWorkflowTask,
    context: &mut Context<'_>,
) -> Outcome {
    if !run.state.is_open() {
        return refuse(Refusal::Completed);
    }
    if !holds(run.state, question.token) {
        return refuse(Refusal::NoSuchTask("Workflow task not found.".to_owned()));
    }
    let cause = Cause::try_from(question.cause).unwrap_or(Cause::Unspecified);
    let mut draft = Draft::by(
        run.state,
        &question.identity,
        question.worker_version.as_ref(),
        context,
    );
    if cause == Cause::GrpcMessageTooLarge {
        terminate::by_server(&mut draft, &cause_name(cause));
    } else {
        write_failed(
            &mut draft,
            question.cause, // also one that we do not know
            question.failure.clone(),
            &question.identity,
            &question.binary_checksum,
        );
        next_attempt(&mut draft);
    }
    let transition = draft.finish().map_err(Stop::Refused)?;
    let mut step = answer_step(transition, context.ticket, Answer::Done);
    if let Some(transition) = &step.transition
        && !transition.state.is_open()
    {
        step.answers
            .extend(query::released(run.volatile, &transition.state, run.id));
    }
    Ok(step)
}

/// The started task has failed; of a transient one history hears nothing.
pub(crate) fn write_failed(
    draft: &mut Draft<'_>,
    cause: i32,
    failure: Option<Failure>,
    identity: &str,
    binary_checksum: &str,
) {
    let Some((task, started)) = draft.state.task.started_task() else {
        return;
    };
    if !task.written {
        draft.change(Change::TransientFailed(record::TransientFailed {
            timed_out: false,
            cause,
        }));
        return;
    }
    let failed = WorkflowTaskFailedEventAttributes {
        scheduled_event_id: task.scheduled_event_id,
        started_event_id: started.event_id,
        cause,
        failure,
        identity: identity.to_owned(),
        binary_checksum: binary_checksum.to_owned(),
        ..Default::default()
    };
    draft.write(Attributes::WorkflowTaskFailedEventAttributes(failed));
}

/// The task that is scheduled will not be taken. Of a further attempt history hears nothing.
pub(crate) fn withdraw(draft: &mut Draft<'_>, cause: Cause) {
    let Some(task) = draft.state.task.current.as_ref().filter(|it| it.written) else {
        return;
    };
    let failed = WorkflowTaskFailedEventAttributes {
        scheduled_event_id: task.scheduled_event_id,
        started_event_id: task.started.as_ref().map_or(0, |it| it.event_id),
        cause: cause.into(),
        identity: terminate::SERVER_IDENTITY.to_owned(),
        ..Default::default()
    };
    draft.write(Attributes::WorkflowTaskFailedEventAttributes(failed));
}

/// Behind a failed or timed-out task: what waited is written, and there is another attempt. New events make it a first one.
pub(crate) fn next_attempt(draft: &mut Draft<'_>) {
    let fresh = !draft.state.buffer.is_empty();
    draft.flush();
    if draft.state.is_open() && draft.state.task.current.is_none() {
        schedule_now(draft, fresh);
    }
}

/// We need the worker's hands off the run.
pub(crate) fn force_fail(draft: &mut Draft<'_>, cause: Cause) {
    write_failed(draft, cause.into(), None, terminate::SERVER_IDENTITY, "");
    draft.flush();
}

/// The same, and the worker tries again with what was buffered: a second attempt, though with new events.
pub(crate) fn force_next_attempt(draft: &mut Draft<'_>, cause: Cause) {
    force_fail(draft, cause);
    if draft.state.is_open() && draft.state.task.current.is_none() {
        schedule_now(draft, false);
    }
}

/// `Cause: detail`, or the cause alone.
pub(super) fn message(cause: Cause, text: &str) -> String {
    let name = cause_name(cause);
    if text.is_empty() {
        name
    } else {
        format!("{name}: {text}")
    }
}

pub(crate) fn cause_name(cause: Cause) -> String {
    command::pascal(cause.as_str_name(), "WORKFLOW_TASK_FAILED_CAUSE_")
}

pub(super) fn server_failure(message: &str) -> Failure {
    Failure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ServerFailureInfo(ServerFailureInfo {
            non_retryable: false,
        })),
        ..Default::default()
    }
}
