//! Somebody asks a run to cancel itself: the workflow's code decides what follows.

use cairn_proto::temporal::api::common::v1::Link;
use cairn_proto::temporal::api::history::v1::WorkflowExecutionCancelRequestedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;

use super::transition::{Draft, Extra};
use super::{
    Answer, Outcome, Refusal, RequestCancel, Run, answer_now, answer_step, refuse, workflow_task,
};
use crate::kind::{Context, Stop};

pub(crate) fn request(
    run: Run<'_>,
    question: &RequestCancel,
    context: &mut Context<'_>,
) -> Outcome {
    if question
        .first_run
        .is_some_and(|first| first != run.state.origin.first_run)
    {
        return refuse(Refusal::NoSuchWorkflow(
            "workflow execution not found".to_owned(),
        ));
    }
    if !run.state.is_open() || run.state.cancel_requested {
        return answer_now(context.ticket, Answer::AlreadyDone);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let requested = WorkflowExecutionCancelRequestedEventAttributes {
        cause: question.reason.clone(),
        identity: question.identity.clone(),
        ..Default::default()
    };
    happened(&mut draft, requested, question.links.clone());
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(answer_step(transition, context.ticket, Answer::Done))
}

pub(crate) fn happened(
    draft: &mut Draft<'_>,
    requested: WorkflowExecutionCancelRequestedEventAttributes,
    links: Vec<Link>,
) {
    let extra = Extra {
        links,
        ..Extra::default()
    };
    let now = draft.now;
    draft.happen_with(
        Attributes::WorkflowExecutionCancelRequestedEventAttributes(requested),
        now,
        extra,
    );
    draft.want_task();
    workflow_task::schedule_despite_backoff(draft);
}
