//! The end by force: by somebody who asked, or by us.

use cairn_proto::temporal::api::common::v1::Payloads;
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::history::v1::WorkflowExecutionTerminatedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::transition::{Draft, Extra};
use super::{
    Answer, Outcome, Refusal, Run, Terminate, answer_step, query, refuse, step_of, workflow_task,
};
use crate::kind::{Context, Stop};

/// Who we are in a history.
pub(crate) const SERVER_IDENTITY: &str = "history-service";

pub(crate) fn terminate(run: Run<'_>, question: &Terminate, context: &mut Context<'_>) -> Outcome {
    if question
        .first_run
        .is_some_and(|first| first != run.state.origin.first_run)
    {
        return refuse(Refusal::NoSuchWorkflow(
            "workflow execution not found".to_owned(),
        ));
    }
    if !run.state.is_open() {
        return refuse(Refusal::Completed);
    }
    let mut draft = Draft::ending(run.state, context);
    let extra = Extra {
        user_metadata: None,
        links: question.links.clone(),
        ..Extra::default()
    };
    by(
        &mut draft,
        &question.reason,
        question.details.clone(),
        &question.identity,
        extra,
    );
    let transition = draft.finish().map_err(Stop::Refused)?;
    let mut step = answer_step(transition, context.ticket, Answer::Done);
    if let Some(transition) = &step.transition {
        step.answers
            .extend(query::released(run.volatile, &transition.state, run.id));
    }
    Ok(step)
}

/// Whatever waits is written, then the end.
pub(crate) fn by(
    draft: &mut Draft<'_>,
    reason: &str,
    details: Option<Payloads>,
    identity: &str,
    extra: Extra,
) {
    if draft.state.task.is_started() {
        workflow_task::force_fail(draft, Cause::ForceCloseCommand);
    }
    draft.flush();
    draft.write_with(
        Attributes::WorkflowExecutionTerminatedEventAttributes(
            WorkflowExecutionTerminatedEventAttributes {
                reason: reason.to_owned(),
                details,
                identity: identity.to_owned(),
            },
        ),
        extra,
    );
}

/// A run that something would bring over the limits of its history is ended instead.
pub(crate) fn over_the_limit(run: Run<'_>, why: &str, context: &Context<'_>) -> Outcome {
    let mut draft = Draft::ending(run.state, context);
    by_server(&mut draft, why);
    let transition = draft.finish().map_err(Stop::Refused)?;
    let mut step = step_of(transition);
    if let Some(transition) = &step.transition {
        step.answers = query::released(run.volatile, &transition.state, run.id);
    }
    Ok(step)
}

pub(crate) fn by_server(draft: &mut Draft<'_>, reason: &str) {
    by(draft, reason, None, SERVER_IDENTITY, Extra::default());
}
