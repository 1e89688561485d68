//! Signals: each is an event, at most once per request id, at most so many per run.

use std::collections::BTreeSet;
use std::sync::Arc;

use cairn_proto::temporal::api::common::v1::Link;
use cairn_proto::temporal::api::history::v1::WorkflowExecutionSignaledEventAttributes;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use serde::{Deserialize, Serialize};

use super::state::State;
use super::transition::{Draft, Extra};
use super::{
    Answer, Limits, Outcome, Refusal, Run, Signal, answer_now, answer_step, payload_size, refuse,
    wire,
};
use crate::kind::{Answered, Context, Stop};
use crate::planted::{Fault, planted};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    count: u64,
    /// The request ids seen, in shared chunks: one more costs a chunk, not ten thousand ids.
    #[serde(with = "wire::shared_list")]
    request_ids: Vec<Arc<BTreeSet<String>>>,
    /// The event of the signal that came with the request of the start, as a description names it; zero without one.
    of_start: i64,
}

/// How many request ids are in a chunk.
const CHUNK: usize = 64;

impl Part {
    pub(crate) fn signaled(&mut self, it: &WorkflowExecutionSignaledEventAttributes) {
        self.count += 1;
        if !it.request_id.is_empty() {
            self.see(it.request_id.clone());
        }
    }

    /// A signal that came with the request of the start has its id.
    pub(crate) fn came_with_start(&mut self, event_id: i64) {
        self.of_start = event_id;
    }

    /// The event of the request of the start.
    pub(crate) fn start_event(&self) -> i64 {
        self.of_start.max(1)
    }

    pub(crate) fn has_seen(&self, request_id: &str) -> bool {
        !request_id.is_empty() && self.request_ids.iter().any(|ids| ids.contains(request_id))
    }

    fn see(&mut self, request_id: String) {
        match self.request_ids.last_mut().filter(|ids| ids.len() < CHUNK) {
            Some(ids) => {
                Arc::make_mut(ids).insert(request_id);
            }
            None => self.request_ids.push(Arc::new([request_id].into())),
        }
    }
}

pub(crate) fn signal(run: Run<'_>, question: &Signal, context: &mut Context<'_>) -> Outcome {
    if planted(Fault::DedupeAfterClosed) && !run.state.is_open() {
        return refuse(Refusal::Completed);
    }
    if run.state.signals.has_seen(&question.request_id) {
        let again = Answer::Signaled {
            run: run.id,
            again: true,
        };
        return answer_now(context.ticket, again);
    }
    if !run.state.is_open() {
        return refuse(Refusal::Completed);
    }
    if let Err(refusal) = check(run.state, question, context.limits)
        && !planted(Fault::SizeCheckedAfterWrite)
    {
        return refuse(refusal);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    add(&mut draft, question);
    let transition = draft.finish().map_err(Stop::Refused)?;
    if planted(Fault::SizeCheckedAfterWrite)
        && let Err(refusal) = check_size(question, context.limits)
    {
        let result = Err(refusal);
        let reads = None;
        return super::step(transition, context.ticket, Answered { result, reads });
    }
    let signaled = Answer::Signaled {
        run: run.id,
        again: false,
    };
    Ok(answer_step(transition, context.ticket, signaled))
}

/// A run that tries to close over signals takes no more of them until it has tried again.
pub(crate) fn check_closing(state: &State) -> Result<(), Refusal> {
    if state.task.close_attempted && state.task.is_started() {
        return Err(Refusal::Busy(
            "workflow operation can not be applied because workflow is closing".to_owned(),
        ));
    }
    Ok(())
}

/// Has it had as many signals as it may?
pub(crate) fn is_full(state: &State, limits: &Limits) -> bool {
    state.signals.count >= limits.signals_max
}

/// May this signal come in?
pub(crate) fn check(state: &State, signal: &Signal, limits: &Limits) -> Result<(), Refusal> {
    check_closing(state)?;
    if is_full(state, limits) {
        return Err(Refusal::Invalid(
            "exceeded workflow execution limit for signal events".to_owned(),
        ));
    }
    check_size(signal, limits)
}

pub(crate) fn check_size(signal: &Signal, limits: &Limits) -> Result<(), Refusal> {
    if payload_size(signal.input.as_ref()) > limits.blob_bytes_max {
        return Err(Refusal::Invalid("Blob data size exceeds limit.".to_owned()));
    }
    Ok(())
}

pub(crate) fn add(draft: &mut Draft<'_>, signal: &Signal) {
    let signaled = WorkflowExecutionSignaledEventAttributes {
        signal_name: signal.name.clone(),
        input: signal.input.clone(),
        identity: signal.identity.clone(),
        header: signal.header.clone(),
        request_id: signal.request_id.clone(),
        ..Default::default()
    };
    happened(draft, signaled, signal.links.clone());
}

pub(crate) fn happened(
    draft: &mut Draft<'_>,
    signaled: WorkflowExecutionSignaledEventAttributes,
    links: Vec<Link>,
) {
    let extra = Extra {
        links,
        ..Extra::default()
    };
    let now = draft.now;
    draft.happen_with(
        Attributes::WorkflowExecutionSignaledEventAttributes(signaled),
        now,
        extra,
    );
    draft.want_task();
}
