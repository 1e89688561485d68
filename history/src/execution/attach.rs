//! Starts that found their run open and were attached to it: each request id is an event, at most once.

use std::collections::BTreeMap;

use cairn_proto::temporal::api::history::v1::WorkflowExecutionOptionsUpdatedEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use serde::{Deserialize, Serialize};

use super::transition::{Draft, Extra};
use super::{Answer, Outcome, Run, Start, Started, answer_step, callback};
use crate::kind::{Context, Stop};

/// The event of each attached request; zero while it has no id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    by_request: BTreeMap<String, i64>,
}

impl Part {
    /// Attached, or its event has its id now.
    pub(crate) fn attached(
        &mut self,
        event_id: i64,
        it: &WorkflowExecutionOptionsUpdatedEventAttributes,
    ) {
        if !it.attached_request_id.is_empty() {
            let request_id = it.attached_request_id.clone();
            self.by_request.insert(request_id, event_id);
        }
    }

    pub(crate) fn knows(&self, request_id: &str) -> bool {
        self.by_request.contains_key(request_id)
    }

    pub(crate) fn requests(&self) -> impl Iterator<Item = (&String, i64)> {
        self.by_request.iter().map(|(id, event)| (id, *event))
    }
}

/// A start uses the run that is open, and asks to be known to it.
pub(crate) fn attach(
    run: &Run<'_>,
    question: &Start,
    started: Started,
    context: &mut Context<'_>,
) -> Outcome {
    let asked = question.attach.unwrap_or_default();
    let answer = Answer::Started(Started {
        attached: asked.request_id || run.state.attached.knows(&question.request_id),
        ..started
    });
    if run.state.attached.knows(&question.request_id) {
        return Ok(answer_step(None, context.ticket, answer));
    }
    let callbacks = if asked.callbacks {
        question.callbacks.clone()
    } else {
        Vec::new()
    };
    callback::check_room(run.state, callbacks.len(), context.limits.callbacks_max)
        .map_err(Stop::Refused)?;
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let updated = WorkflowExecutionOptionsUpdatedEventAttributes {
        attached_completion_callbacks: callbacks,
        attached_request_id: if asked.request_id {
            question.request_id.clone()
        } else {
            String::new()
        },
        ..Default::default()
    };
    let links = asked.links.then(|| question.links.clone());
    let extra = Extra {
        links: links.unwrap_or_default(),
        ..Extra::default()
    };
    let now = draft.now;
    draft.happen_with(
        Attributes::WorkflowExecutionOptionsUpdatedEventAttributes(updated),
        now,
        extra,
    );
    callback::name_namespace(&mut draft, &question.namespace_name);
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(answer_step(transition, context.ticket, answer))
}
