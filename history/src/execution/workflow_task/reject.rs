//! The answer to a workflow task is refused, durably: its task has failed, or its run ends, and the worker hears why.
//!
//! Deliberately absent: why. The rules of the commands say so.

use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;

use super::fail;
use crate::execution::transition::{Draft, Extra};
use crate::execution::{
    CompleteWorkflowTask, Outcome, Refusal, Run, Step, Transition, query, start, terminate,
};
use crate::kind::{Answered, Context, Stop};

/// The workflow task has failed; a transient one runs into its timeout.
pub(super) fn task(
    run: Run<'_>,
    question: &CompleteWorkflowTask,
    cause: Cause,
    text: &str,
    context: &mut Context<'_>,
) -> Outcome {
    let message = fail::message(cause, text);
    if run.state.task.is_transient() && cause != Cause::UnhandledCommand {
        return refused(run, None, message, context);
    }
    if message.len() > context.limits.transaction_bytes_max {
        return too_large(run, message.len(), context);
    }
    let mut draft = failed(&run, question, cause, &message, context);
    fail::next_attempt(&mut draft);
    let transition = draft.finish().map_err(Stop::Refused)?;
    refused(run, transition, message, context)
}

/// A command that the run does not survive.
pub(super) fn whole_run(
    run: Run<'_>,
    question: &CompleteWorkflowTask,
    cause: Cause,
    text: &str,
    context: &mut Context<'_>,
) -> Outcome {
    let message = fail::message(cause, text);
    let mut draft = failed(&run, question, cause, &message, context);
    draft.flush();
    terminate::by_server(&mut draft, &message);
    ended(run, draft, message, context)
}

/// A message quotes what was sent, in more room than that took: one that no history could hold ends the run.
fn too_large(run: Run<'_>, bytes: usize, context: &mut Context<'_>) -> Outcome {
    let message = format!(
        "transaction size of {bytes} bytes exceeds limit of {} bytes",
        context.limits.transaction_bytes_max
    );
    let mut draft = Draft::ending(run.state, context);
    terminate::by(
        &mut draft,
        "Transaction size exceeds limit.",
        Some(start::text_payload(&message)),
        terminate::SERVER_IDENTITY,
        Extra::default(),
    );
    ended(run, draft, message, context)
}

fn failed<'c>(
    run: &Run<'_>,
    question: &CompleteWorkflowTask,
    cause: Cause,
    message: &str,
    context: &Context<'c>,
) -> Draft<'c> {
    let version = question.worker_version.as_ref();
    let mut draft = Draft::by(run.state, &question.identity, version, context);
    fail::write_failed(
        &mut draft,
        cause.into(),
        Some(fail::server_failure(message)),
        &question.identity,
        "",
    );
    draft
}

fn ended(run: Run<'_>, draft: Draft<'_>, message: String, context: &Context<'_>) -> Outcome {
    let transition = draft.finish().map_err(Stop::Refused)?;
    let released = transition
        .as_ref()
        .map(|transition| query::released(run.volatile, &transition.state, run.id));
    let mut step = refused(run, transition, message, context)?;
    step.answers.extend(released.unwrap_or_default());
    Ok(step)
}

/// The worker hears why, and so do those whose updates it had.
fn refused(
    run: Run<'_>,
    transition: Option<Transition>,
    message: String,
    context: &Context<'_>,
) -> Outcome {
    let mut answers = run.volatile.updates.task_failed(run.state, run.id);
    answers.push((
        context.ticket,
        Answered {
            result: Err(Refusal::BadCommands(message)),
            reads: None,
        },
    ));
    Ok(Step {
        transition,
        successor: None,
        answers,
        heartbeats: Vec::new(),
    })
}
