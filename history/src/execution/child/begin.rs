//! How a child begins: its parent sends the start, the child asks whether it may begin, the parent records that it is started.
//!
//! The answer to the start and the question of the child say the same to the parent; whichever comes first is recorded.

use cairn_proto::cairn::effect::v1::message::What;
use cairn_proto::cairn::effect::v1::outcome::Outcome as Came;
use cairn_proto::cairn::effect::v1::{
    ChildBegun, Message, Outcome as Told, Run as Root, StartChild,
};
use cairn_proto::cairn::record::v1::change::Change;
use cairn_proto::cairn::record::v1::{Delivered, delivered};
use cairn_proto::temporal::api::common::v1::{Header, SearchAttributes, WorkflowType};
use cairn_proto::temporal::api::enums::v1::StartChildWorkflowExecutionFailedCause as Failed;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    ChildWorkflowExecutionStartedEventAttributes, HistoryEvent,
    StartChildWorkflowExecutionFailedEventAttributes,
    StartChildWorkflowExecutionInitiatedEventAttributes,
};

use super::Parent;
use super::close::BY_POLICY;
use crate::execution::effect::{self, Sender};
use crate::execution::state::State;
use crate::execution::transition::{Draft, Extra};
use crate::execution::{Answer, Asked, Outcome, Refusal, Start, inherited, terminate, wire};
use crate::id::RunId;
use crate::kind::{Context, Stop};
use crate::search_attribute::{Kind, Registry};

/// What the child is sent, so that it starts.
pub(crate) fn start_message(state: &State, initiated: &HistoryEvent) -> Option<Message> {
    let child = state.children.get(initiated.event_id)?;
    let origin = &state.origin;
    let (workflow_id, run) = match &origin.parent {
        Some(parent) => (parent.root.0.clone(), parent.root.1),
        None => (origin.workflow_id.clone(), origin.run),
    };
    let start = StartChild {
        initiated: Some(initiated.clone()),
        root: Some(Root {
            workflow_id,
            run_id: run.0.to_vec(),
        }),
        priority: origin.priority.clone(),
        retention: Some(wire::duration(origin.retention)),
    };
    let what = What::StartChild(start);
    let sender = child.begun_by.unwrap_or(origin.run);
    let id = &child.workflow_id;
    Some(effect::sent_by(state, sender, id, Vec::new(), what))
}

/// The request id of the start that an event asks for.
pub(crate) fn started_by(sender: &Sender, start: &StartChild) -> Option<String> {
    let initiated = start.initiated.as_ref()?;
    Some(format!("{}:{}:0", sender.run, initiated.event_id))
}

/// A parent wants this id to run as its child.
pub(crate) fn start(
    asked: Asked<'_>,
    sender: &Sender,
    message: &StartChild,
    context: &mut Context<'_>,
) -> Outcome {
    let Some(question) = question(sender, message) else {
        return Err(Stop::Refused(Refusal::Invalid(
            "a start that says nothing".to_owned(),
        )));
    };
    match crate::execution::start::start(asked, &question, context) {
        Ok(mut step) => {
            for (_, answered) in &mut step.answers {
                if let Ok(Answer::Started(started)) = &answered.result {
                    let came = Came::Started(started.run.0.to_vec());
                    let told = Told {
                        outcome: Some(came),
                    };
                    answered.result = Ok(Answer::Delivered(Box::new(told)));
                }
            }
            Ok(step)
        }
        Err(Stop::Refused(Refusal::AlreadyStarted { .. })) => {
            effect::nothing(Came::AlreadyExists(true), context)
        }
        Err(other) => Err(other),
    }
}

fn question(sender: &Sender, message: &StartChild) -> Option<Start> {
    let initiated = message.initiated.as_ref()?;
    let root = message.root.as_ref()?;
    let Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(it)) =
        &initiated.attributes
    else {
        return None;
    };
    let parent = Parent {
        namespace: it.namespace.clone(),
        namespace_id: it.namespace_id.clone(),
        workflow_id: sender.workflow_id.clone(),
        run: sender.run,
        initiated_event_id: initiated.event_id,
        root: (
            root.workflow_id.clone(),
            RunId(root.run_id.as_slice().try_into().ok()?),
        ),
    };
    let it = it.clone();
    Some(Start {
        request_id: started_by(sender, message)?,
        identity: String::new(),
        workflow_type: it.workflow_type.map(|it| it.name).unwrap_or_default(),
        task_queue: it.task_queue.map(|it| it.name).unwrap_or_default(),
        input: it.input,
        header: it.header,
        execution_timeout: wire::optional_span(it.workflow_execution_timeout.as_ref()),
        run_timeout: wire::optional_span(it.workflow_run_timeout.as_ref()),
        task_timeout: wire::span(it.workflow_task_timeout.as_ref()),
        reuse_policy: it.workflow_id_reuse_policy,
        conflict_policy: 0,
        retry_policy: it.retry_policy,
        cron_schedule: it.cron_schedule,
        start_delay: std::time::Duration::ZERO,
        memo: it.memo,
        registry: registry(it.search_attributes.as_ref()),
        search_attributes: it.search_attributes,
        user_metadata: initiated.user_metadata.clone(),
        links: Vec::new(),
        attach: None,
        callbacks: Vec::new(),
        namespace_name: String::new(),
        versioning_override: None,
        priority: inherited(message.priority.as_ref(), it.priority.as_ref()),
        retention: wire::span(message.retention.as_ref()),
        eager: false,
        signal: None,
        continued_failure: None,
        last_completion_result: None,
        parent: Some(Box::new(parent)),
    })
}

/// What the namespace knew of the child's search attributes when its parent set them: the type that each one says, or one that it can have.
fn registry(attributes: Option<&SearchAttributes>) -> Registry {
    let mut registry = Registry::default();
    for (name, payload) in attributes.iter().flat_map(|it| &it.indexed_fields) {
        let said = payload.metadata.get("type").and_then(|it| Kind::named(it));
        let fits = |kind: &Kind| {
            let custom = [(name.clone(), *kind)].into();
            let one = Registry {
                custom,
                ..Registry::default()
            };
            let indexed_fields = [(name.clone(), payload.clone())].into();
            one.typed(&SearchAttributes { indexed_fields }).is_ok()
        };
        let kind = said.into_iter().chain(Kind::ALL).find(fits);
        registry
            .custom
            .extend(kind.map(|kind| (name.clone(), kind)));
    }
    registry
}

/// What a child asks its parent.
pub(crate) fn begun_message(state: &State) -> Option<Message> {
    let parent = state.origin.parent.as_ref()?;
    let what = What::ChildBegun(ChildBegun {
        initiated_event_id: parent.initiated_event_id,
    });
    let run = state.as_child.parent_moved.unwrap_or(parent.run).0.to_vec();
    Some(effect::addressed(state, &parent.workflow_id, run, what))
}

/// A child is there and asks whether it may begin.
pub(crate) fn begun(
    asked: Asked<'_>,
    sender: &Sender,
    initiated: i64,
    context: &mut Context<'_>,
) -> Outcome {
    let Some(run) = asked.run else {
        return effect::nothing(Came::Orphaned(true), context);
    };
    let open = run.state.is_open();
    if let Some(to) = run.state.reset.to.filter(|_| !open) {
        return effect::nothing(Came::Moved(to.0.to_vec()), context);
    }
    let child = run.state.children.get(initiated);
    let known = match child.filter(|child| child.workflow_id == sender.workflow_id) {
        None if open => Came::Done(true), // It has closed, as its parent knows.
        None => Came::Orphaned(true),
        Some(child) => match child.run {
            Some(first) if first == sender.run => Came::Done(true),
            None if open => {
                let mut draft = Draft::new(run.state, context.now, context.limits);
                record_started(&mut draft, initiated, sender.run, asked.events)?;
                let transition = draft.finish().map_err(Stop::Refused)?;
                let run = Some(run);
                return Ok(effect::came(run, transition, Came::Done(true), context));
            }
            Some(_) | None => Came::Orphaned(true),
        },
    };
    effect::nothing(known, context)
}

/// The child is there, as its own shard or itself says: recorded, unless it is.
pub(crate) fn record_started(
    draft: &mut Draft<'_>,
    initiated_event_id: i64,
    first_run: RunId,
    events: &[HistoryEvent],
) -> Result<(), Stop<Refusal>> {
    let child = draft.state.children.get(initiated_event_id);
    let Some(child) = child.filter(|child| child.run.is_none()) else {
        return Ok(());
    };
    let started = ChildWorkflowExecutionStartedEventAttributes {
        namespace: child.namespace.clone(),
        namespace_id: draft.state.origin.namespace.to_string(),
        initiated_event_id,
        workflow_execution: Some(child.execution(first_run)),
        workflow_type: Some(WorkflowType {
            name: child.workflow_type.clone(),
        }),
        header: header(initiated_event_id, events)?,
    };
    draft.happen(Attributes::ChildWorkflowExecutionStartedEventAttributes(
        started,
    ));
    draft.want_task();
    Ok(())
}

fn header(initiated: i64, events: &[HistoryEvent]) -> Result<Option<Header>, Stop<Refusal>> {
    let event = events.iter().find(|event| event.event_id == initiated);
    match event.map(|event| &event.attributes) {
        Some(Some(Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(it))) => {
            let StartChildWorkflowExecutionInitiatedEventAttributes { header, .. } = it;
            Ok(header.clone())
        }
        Some(_) => Ok(None),
        None => Err(Stop::Needs(vec![initiated])),
    }
}

/// What came of the start.
pub(crate) fn started(
    draft: &mut Draft<'_>,
    initiated_event_id: i64,
    came: &Came,
    events: &[HistoryEvent],
) -> Result<(), Stop<Refusal>> {
    if let Came::Started(run) = came {
        let run = run.as_slice().try_into().map(RunId).unwrap_or_default();
        return record_started(draft, initiated_event_id, run, events);
    }
    let Some(child) = draft.state.children.get(initiated_event_id) else {
        return Ok(());
    };
    let failed = StartChildWorkflowExecutionFailedEventAttributes {
        namespace: child.namespace.clone(),
        namespace_id: draft.state.origin.namespace.to_string(),
        workflow_id: child.workflow_id.clone(),
        workflow_type: Some(WorkflowType {
            name: child.workflow_type.clone(),
        }),
        cause: Failed::WorkflowAlreadyExists.into(),
        control: child.control.clone(),
        initiated_event_id,
        workflow_task_completed_event_id: 0,
    };
    draft.happen(Attributes::StartChildWorkflowExecutionFailedEventAttributes(failed));
    draft.want_task();
    Ok(())
}

/// The parent has answered: the child has its first workflow task, or ends.
pub(crate) fn may_begin(draft: &mut Draft<'_>, came: &Came) {
    if let Came::Done(_) = came {
        draft.change(Change::Delivered(Delivered {
            effect: Some(delivered::Effect::Begun(true)),
        }));
        draft.want_task();
    } else {
        let identity = terminate::SERVER_IDENTITY;
        terminate::by(draft, BY_POLICY, None, identity, Extra::default());
    }
}
