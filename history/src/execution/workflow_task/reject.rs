//! The answer to a workflow task is refused, durably: its task has failed, or its run ends, and the worker hears why.
//!
//! Deliberately absent: why. The rules of the commands say so.

use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;

use super::fail;
use crate::execution::transition::{Draft, Extra};
use crate::execution::{
    CompleteWorkflowTask, Outcome, Refusal, Run, Step, Transition, query, refuse, start, terminate,
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
        return refuse(Refusal::BadCommands(message));
    }
    if message.len() > context.limits.transaction_bytes_max {
        return too_large(run, message.len(), context);
    }
    let mut draft = failed(&run, question, cause, &message, context);
    fail::next_attempt(&mut draft);
    let transition = draft.finish().map_err(Stop::Refused)?;
    refused(transition, message, context)
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
    let mut draft = Draft::new(run.state, context.now, context.limits);
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
    let mut draft = Draft::new(run.state, context.now, context.limits);
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
    let mut step = refused(transition, message, context)?;
    if let Some(transition) = &step.transition {
        step.answers
            .extend(query::released(run.volatile, &transition.state, run.id));
    }
    Ok(step)
}

fn refused(transition: Option<Transition>, message: String, context: &Context<'_>) -> Outcome {
    Ok(Step {
        transition,
        successor: None,
        answers: vec![(
            context.ticket,
            Answered {
                result: Err(Refusal::BadCommands(message)),
                reads: None,
            },
        )],
        heartbeat: None,
    })
}
