//! What a worker answered about updates, message by message: commands say where in the order of events, the rest comes behind.
//!
//! What is accepted and completed is written to the draft at once; rejections are kept until the answer is known to be good.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_proto::cairn::record::v1::change::Change;
use cairn_proto::temporal::api::enums::v1::WorkflowTaskFailedCause as Cause;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    WorkflowExecutionUpdateAcceptedEventAttributes, WorkflowExecutionUpdateCompletedEventAttributes,
};
use cairn_proto::temporal::api::update::v1::{Meta, Outcome, Request};

use super::part::Standing;
use super::registry::{Pending, Registry, message_id};
use super::{Body, Message, not_processed};
use crate::execution::Refusal;
use crate::execution::command::Bad;
use crate::execution::workflow_task::Completing;

/// The messages of an answer on their way.
#[derive(Debug, Default)]
pub(crate) struct Answering<'q> {
    left: Vec<&'q Message>,
    pending: BTreeMap<String, Pending>,
    /// What this answer was about so far.
    touched: BTreeSet<String>,
    pub(super) rejected: Vec<(String, Option<Failure>)>,
}

impl<'q> Answering<'q> {
    pub(crate) fn new(messages: &'q [Message], registry: &Registry) -> Self {
        Self {
            left: messages.iter().collect(),
            pending: registry.pending().clone(),
            ..Self::default()
        }
    }

    /// Is there an update that no worker has, and of which this answer says nothing?
    pub(crate) fn leaves_one(&self, registry: &Registry) -> bool {
        let mut pending = registry.pending().iter();
        pending.any(|(id, it)| !it.sent && !self.touched.contains(id))
    }
}

/// How far an update is while an answer is being judged.
enum Now {
    Unknown,
    Admitted(Arc<Request>),
    /// `None`: the worker has the request from the history.
    Sent(Option<Arc<Request>>),
    Accepted {
        event_id: i64,
        now: bool,
    },
    Over {
        now: bool,
    },
}

impl Now {
    fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "Unspecified",
            Self::Admitted(_) => "Admitted",
            Self::Sent(_) => "Sent",
            Self::Accepted { now: true, .. } => "ProvisionallyAccepted",
            Self::Accepted { now: false, .. } => "Accepted",
            Self::Over { now: true } => "ProvisionallyCompleted",
            Self::Over { now: false } => "Completed",
        }
    }
}

/// The command `ProtocolMessage`: its message has its turn.
pub(crate) fn by_command(it: &mut Completing<'_, '_>, message_id: &str) -> Result<(), Bad> {
    if message_id.is_empty() {
        return Err(bad("MessageID is not set on ProtocolMessageCommand."));
    }
    let left = &mut it.updates.left;
    let Some(index) = left.iter().position(|message| message.id == message_id) else {
        return Err(bad(format!(
            "ProtocolMessageCommand referenced absent message ID {message_id}"
        )));
    };
    let message = left.remove(index);
    handle(it, message)
}

/// The messages that no command points to, in order.
pub(crate) fn leftovers(it: &mut Completing<'_, '_>) -> Result<(), Bad> {
    for message in std::mem::take(&mut it.updates.left) {
        // Behind a close nothing can be accepted, and who waits is told of the close.
        if it.draft.state.is_open() || message.rejects() {
            handle(it, message)?;
        }
    }
    Ok(())
}

fn handle(it: &mut Completing<'_, '_>, message: &Message) -> Result<(), Bad> {
    if message.bytes > it.draft.limits.blob_bytes_max {
        return Err(Bad::Run(
            Cause::BadUpdateWorkflowExecutionMessage,
            format!("Message type {} exceeds size limit.", message.type_name),
        ));
    }
    match &message.body {
        Body::Acceptance {
            sequencing_event_id,
            request,
        } => accept(
            it,
            &message.instance,
            *sequencing_event_id,
            request.as_ref(),
        ),
        Body::Rejection { request, failure } => {
            reject(it, &message.instance, request.is_some(), failure.as_ref())
        }
        Body::Response { meta, outcome } => {
            complete(it, &message.instance, meta.as_ref(), outcome.as_ref())
        }
        Body::Nameless(text) => Err(Bad::Refused(Refusal::Invalid(text.clone()))),
        Body::Bad(text) => Err(bad(text.clone())),
    }
}

fn standing(it: &Completing<'_, '_>, id: &str) -> Now {
    let now = it.updates.touched.contains(id);
    match it.draft.state.updates.find(id) {
        Some(Standing::Admitted) | None if now => return Now::Over { now },
        Some(Standing::Admitted) => return Now::Sent(None),
        Some(Standing::Accepted(event_id)) => return Now::Accepted { event_id, now },
        Some(Standing::Completed(_)) => return Now::Over { now },
        None => {}
    }
    match it.updates.pending.get(id) {
        None => Now::Unknown,
        Some(pending) if pending.sent => Now::Sent(Some(Arc::clone(&pending.request))),
        Some(pending) => Now::Admitted(Arc::clone(&pending.request)),
    }
}

/// An update that nobody here knows is taken as the worker has it: we have lost it, not the worker.
fn accept(
    it: &mut Completing<'_, '_>,
    id: &str,
    sequencing_event_id: i64,
    request: Option<&Request>,
) -> Result<(), Bad> {
    let accepted = match (standing(it, id), request) {
        (Now::Admitted(request) | Now::Sent(Some(request)), _) => Some((*request).clone()),
        (Now::Sent(None), _) => None,
        (Now::Unknown, Some(request)) => Some(request.clone()),
        (Now::Unknown, None) => return Err(lost(id)),
        (other, _) => return Err(out_of_turn(id, "Acceptance", &other)),
    };
    if sequencing_event_id == 0 {
        return Err(bad(
            "invalid *update.Acceptance: accepted_request_sequencing_event_id is not set",
        ));
    }
    it.draft
        .write(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(
            WorkflowExecutionUpdateAcceptedEventAttributes {
                protocol_instance_id: id.to_owned(),
                accepted_request_message_id: message_id(id),
                accepted_request_sequencing_event_id: sequencing_event_id,
                accepted_request: accepted,
            },
        ));
    it.updates.touched.insert(id.to_owned());
    Ok(())
}

fn reject(
    it: &mut Completing<'_, '_>,
    id: &str,
    known_to_worker: bool,
    failure: Option<&Failure>,
) -> Result<(), Bad> {
    match standing(it, id) {
        Now::Admitted(_) | Now::Sent(_) => {}
        Now::Unknown if known_to_worker => {}
        Now::Unknown => return Err(lost(id)),
        other => return Err(out_of_turn(id, "Rejection", &other)),
    }
    end(it, id, failure.cloned());
    Ok(())
}

/// Not accepted, and over.
fn end(it: &mut Completing<'_, '_>, id: &str, failure: Option<Failure>) {
    let draft = &mut it.draft;
    if draft.state.is_open() && draft.state.updates.find(id) == Some(Standing::Admitted) {
        draft.change(Change::UpdateRejected(id.to_owned()));
    }
    it.updates.touched.insert(id.to_owned());
    it.updates.rejected.push((id.to_owned(), failure));
}

/// The worker has read of these updates in the history and says nothing of them.
pub(crate) fn unmentioned(it: &mut Completing<'_, '_>) {
    if !it.draft.state.is_open() {
        return;
    }
    let admitted: Vec<_> = it.draft.state.updates.admitted().cloned().collect();
    for id in admitted {
        end(it, &id, Some(not_processed()));
    }
}

fn complete(
    it: &mut Completing<'_, '_>,
    id: &str,
    meta: Option<&Meta>,
    outcome: Option<&Outcome>,
) -> Result<(), Bad> {
    let accepted_event_id = match standing(it, id) {
        Now::Accepted { event_id, .. } => event_id,
        Now::Unknown => return Err(lost(id)),
        other => return Err(out_of_turn(id, "Response", &other)),
    };
    let meta = meta.ok_or_else(|| bad("invalid *update.Response: meta is not set"))?;
    if meta.update_id != id {
        return Err(bad(format!(
            "invalid *update.Response: meta.update_id != {id}"
        )));
    }
    let outcome = outcome.filter(|outcome| outcome.value.is_some());
    let outcome = outcome.ok_or_else(|| bad("invalid *update.Response: outcome is not set"))?;
    it.draft
        .write(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(
            WorkflowExecutionUpdateCompletedEventAttributes {
                meta: Some(meta.clone()),
                accepted_event_id,
                outcome: Some(outcome.clone()),
            },
        ));
    it.updates.touched.insert(id.to_owned());
    Ok(())
}

fn bad(text: impl Into<String>) -> Bad {
    Bad::Task(Cause::BadUpdateWorkflowExecutionMessage, text.into())
}

fn lost(id: &str) -> Bad {
    bad(format!(
        "update {id} wasn't found on the server. This is most likely a transient error which will be resolved automatically by \
         retries"
    ))
}

fn out_of_turn(id: &str, message: &str, now: &Now) -> Bad {
    bad(format!(
        "invalid state transition attempted for Update {id}: received *update.{message} message while in state {}",
        now.name()
    ))
}
