//! Other workflows, signaled or asked to cancel by a command.
//!
//! | in      | event                             | becomes | owes                                      |
//! |---------|-----------------------------------|---------|-------------------------------------------|
//! | –       | Initiated                         | pending | the message to its target, while the run is open |
//! | pending | Signaled, `CancelRequested`, Failed | gone    | a workflow task                           |
//!
//! A run that closes over a pending one forgets it: whether it got there, no event says.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_proto::cairn::effect::v1::Message;
use cairn_proto::cairn::effect::v1::message::What;
use cairn_proto::cairn::effect::v1::outcome::Outcome as Came;
use cairn_proto::cairn::record::v1::change::Change;
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::enums::v1::{
    CancelExternalWorkflowExecutionFailedCause as CancelFailed,
    SignalExternalWorkflowExecutionFailedCause as SignalFailed, WorkflowTaskFailedCause as Cause,
};
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    ExternalWorkflowExecutionCancelRequestedEventAttributes,
    ExternalWorkflowExecutionSignaledEventAttributes, HistoryEvent,
    RequestCancelExternalWorkflowExecutionFailedEventAttributes,
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
    SignalExternalWorkflowExecutionFailedEventAttributes,
    SignalExternalWorkflowExecutionInitiatedEventAttributes,
    WorkflowExecutionCancelRequestedEventAttributes, WorkflowExecutionSignaledEventAttributes,
};
use serde::{Deserialize, Serialize};

use super::command::{Bad, RequestCancelExternal, SignalExternal, too_long};
use super::effect::{self, Sender};
use super::inbox::Id;
use super::state::State;
use super::transition::Draft;
use super::workflow_task::Completing;
use super::{Outcome, Run, cancel, payload_size, signal, terminate, wire};
use crate::id::RunId;
use crate::kind::{Context, Stop};

/// What was asked for and not answered yet, by the event that asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::shared_map")]
    pending: BTreeMap<i64, Arc<Pending>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    kind: Kind,
    /// As the command named it: perhaps not at all.
    namespace: String,
    workflow_id: String,
    run_id: String,
    control: String,
    /// The run that began it, if a reset has taken it over: its target may have heard of it.
    begun_by: Option<RunId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Signal,
    Cancel,
}

impl Part {
    pub(crate) fn signal_initiated(
        &mut self,
        event_id: i64,
        it: &SignalExternalWorkflowExecutionInitiatedEventAttributes,
    ) -> bool {
        let target = it.workflow_execution.clone().unwrap_or_default();
        let pending = Pending {
            kind: Kind::Signal,
            namespace: it.namespace.clone(),
            workflow_id: target.workflow_id,
            run_id: target.run_id,
            control: it.control.clone(),
            begun_by: None,
        };
        self.pending.insert(event_id, Arc::new(pending)).is_none()
    }

    pub(crate) fn cancel_initiated(
        &mut self,
        event_id: i64,
        it: &RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
    ) -> bool {
        let target = it.workflow_execution.clone().unwrap_or_default();
        let pending = Pending {
            kind: Kind::Cancel,
            namespace: it.namespace.clone(),
            workflow_id: target.workflow_id,
            run_id: target.run_id,
            control: it.control.clone(),
            begun_by: None,
        };
        self.pending.insert(event_id, Arc::new(pending)).is_none()
    }

    /// All of this was begun by the run from which this one goes on.
    pub(crate) fn taken_over(&mut self, from: RunId) {
        for pending in self.pending.values_mut() {
            Arc::make_mut(pending).begun_by.get_or_insert(from);
        }
    }

    pub(crate) fn gone(&mut self, initiated_event_id: i64) -> bool {
        self.pending.remove(&initiated_event_id).is_some()
    }

    pub(crate) fn initiated(&self) -> impl Iterator<Item = i64> {
        self.pending.keys().copied()
    }

    fn count(&self, kind: Kind) -> usize {
        let pending = self.pending.values();
        pending.filter(|pending| pending.kind == kind).count()
    }
}

/// The command `SignalExternalWorkflowExecution`.
pub(crate) fn signal(it: &mut Completing<'_, '_>, asked: &SignalExternal) -> Result<(), Bad> {
    const CAUSE: Cause = Cause::BadSignalWorkflowExecutionAttributes;
    let target = check_signal(it, asked).map_err(|text| Bad::Task(CAUSE, text))?;
    if payload_size(asked.input.as_ref()) > it.draft.limits.blob_bytes_max {
        return Err(Bad::Run(
            CAUSE,
            "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.".to_owned(),
        ));
    }
    within(it, Kind::Signal)?;
    name_namespace(it, &asked.namespace);
    let initiated = SignalExternalWorkflowExecutionInitiatedEventAttributes {
        workflow_task_completed_event_id: it.completed_event_id,
        namespace: asked.namespace.clone(),
        namespace_id: it.draft.state.origin.namespace.to_string(),
        workflow_execution: Some(target),
        signal_name: asked.signal_name.clone(),
        input: asked.input.clone(),
        control: asked.control.clone(),
        child_workflow_only: asked.child_workflow_only,
        header: asked.header.clone(),
    };
    it.write(Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(initiated));
    Ok(())
}

fn check_signal(
    it: &Completing<'_, '_>,
    asked: &SignalExternal,
) -> Result<WorkflowExecution, String> {
    const WHAT: &str = "SignalExternalWorkflowExecutionCommand";
    same_namespace(it, &asked.namespace)?;
    let Some(target) = &asked.execution else {
        return Err(format!("Execution is not set on {WHAT}."));
    };
    let (namespace, name) = (&asked.namespace, &asked.signal_name);
    let (id, run) = (&target.workflow_id, &target.run_id);
    if id.is_empty() {
        return Err(format!(
            "WorkflowId is not set on {WHAT}. Namespace={namespace} RunId={run} SignalName={name}"
        ));
    }
    if id.len() > it.draft.limits.id_bytes_max {
        let what = format!("WorkflowId on {WHAT}");
        let text = too_long(&what, "WorkflowId", id, it.draft.limits);
        return Err(format!(
            "{text} Namespace={namespace} RunId={run} SignalName={name}"
        ));
    }
    if is_no_run(run) {
        return Err(format!(
            "Invalid RunId set on {WHAT}. WorkflowId={id} Namespace={namespace} RunId={run} \
             SignalName={name}"
        ));
    }
    if name.is_empty() {
        return Err(format!(
            "SignalName is not set on {WHAT}. WorkflowId={id} Namespace={namespace} RunId={run}"
        ));
    }
    Ok(target.clone())
}

/// The command `RequestCancelExternalWorkflowExecution`.
pub(crate) fn request_cancel(
    it: &mut Completing<'_, '_>,
    asked: &RequestCancelExternal,
) -> Result<(), Bad> {
    check_cancel(it, asked).map_err(|text| {
        Bad::Task(
            Cause::BadRequestCancelExternalWorkflowExecutionAttributes,
            text,
        )
    })?;
    within(it, Kind::Cancel)?;
    name_namespace(it, &asked.namespace);
    let initiated = RequestCancelExternalWorkflowExecutionInitiatedEventAttributes {
        workflow_task_completed_event_id: it.completed_event_id,
        namespace: asked.namespace.clone(),
        namespace_id: it.draft.state.origin.namespace.to_string(),
        workflow_execution: Some(WorkflowExecution {
            workflow_id: asked.workflow_id.clone(),
            run_id: asked.run_id.clone(),
        }),
        control: asked.control.clone(),
        child_workflow_only: asked.child_workflow_only,
        reason: asked.reason.clone(),
    };
    it.write(Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(initiated));
    Ok(())
}

fn check_cancel(it: &Completing<'_, '_>, asked: &RequestCancelExternal) -> Result<(), String> {
    const WHAT: &str = "RequestCancelExternalWorkflowExecutionCommand";
    same_namespace(it, &asked.namespace)?;
    let (namespace, id, run) = (&asked.namespace, &asked.workflow_id, &asked.run_id);
    if id.is_empty() {
        return Err(format!(
            "WorkflowId is not set on {WHAT}. Namespace={namespace} RunId={run}"
        ));
    }
    if id.len() > it.draft.limits.id_bytes_max {
        let what = format!("WorkflowId on {WHAT}");
        let text = too_long(&what, "WorkflowId", id, it.draft.limits);
        return Err(format!("{text} RunId={run} Namespace={namespace}"));
    }
    if is_no_run(run) {
        return Err(format!(
            "Invalid RunId set on {WHAT}. WorkflowId={id} RunId={run} Namespace={namespace}"
        ));
    }
    let children = &it.draft.state.children;
    if children.asked_since(it.completed_event_id, id) {
        return Err(format!(
            "Start and RequestCancel for child workflow is not allowed in same workflow task. \
             WorkflowId={id} RunId={run} Namespace={namespace}"
        ));
    }
    Ok(())
}

/// Nobody reaches into another namespace.
pub(crate) fn same_namespace(it: &Completing<'_, '_>, named: &str) -> Result<(), String> {
    if named.is_empty() || named == it.question.namespace {
        Ok(())
    } else {
        Err("cross namespace commands are not allowed".to_owned())
    }
}

fn is_no_run(run: &str) -> bool {
    !run.is_empty() && run.parse::<RunId>().is_err()
}

fn within(it: &Completing<'_, '_>, kind: Kind) -> Result<(), Bad> {
    let limits = it.draft.limits;
    let (max, cause, what) = match kind {
        Kind::Signal => (
            limits.pending_signals_max,
            Cause::PendingSignalsLimitExceeded,
            "pending signals to external workflows",
        ),
        Kind::Cancel => (
            limits.pending_cancels_max,
            Cause::PendingRequestCancelLimitExceeded,
            "pending requests to cancel external workflows",
        ),
    };
    let count = it.draft.state.externals.count(kind);
    if count < max {
        return Ok(());
    }
    Err(Bad::Task(
        cause,
        format!("the number of {what}, {count}, has reached the per-workflow limit of {max}"),
    ))
}

/// Where the command does not name the namespace, the event of its outcome will all the same.
fn name_namespace(it: &mut Completing<'_, '_>, named: &str) {
    if named.is_empty() && it.draft.state.namespace_name.is_empty() {
        let name = it.question.namespace.clone();
        it.draft.change(Change::NamespaceName(name));
    }
}

/// What the target is sent.
pub(crate) fn message(state: &State, initiated: &HistoryEvent) -> Option<Message> {
    let pending = state.externals.pending.get(&initiated.event_id)?;
    let what = match pending.kind {
        Kind::Signal => What::Signal(initiated.clone()),
        Kind::Cancel => What::Cancel(initiated.clone()),
    };
    let run = pending.run_id.parse::<RunId>();
    let run = run.map_or(Vec::new(), |run| run.0.to_vec());
    let sender = pending.begun_by.unwrap_or(state.origin.run);
    let id = &pending.workflow_id;
    Some(effect::sent_by(state, sender, id, run, what))
}

/// The event of what came of it.
pub(crate) fn concluded(draft: &mut Draft<'_>, initiated_event_id: i64, came: &Came) {
    let pending = draft.state.externals.pending.get(&initiated_event_id);
    let Some(pending) = pending.map(|pending| (**pending).clone()) else {
        return;
    };
    let namespace = if pending.namespace.is_empty() {
        draft.state.namespace_name.clone()
    } else {
        pending.namespace
    };
    let namespace_id = draft.state.origin.namespace.to_string();
    let target = Some(WorkflowExecution {
        workflow_id: pending.workflow_id,
        run_id: pending.run_id,
    });
    let event = match (pending.kind, came) {
        (Kind::Signal, Came::Done(_)) => {
            Attributes::ExternalWorkflowExecutionSignaledEventAttributes(
                ExternalWorkflowExecutionSignaledEventAttributes {
                    initiated_event_id,
                    namespace,
                    namespace_id,
                    workflow_execution: target,
                    control: pending.control,
                },
            )
        }
        (Kind::Signal, _) => Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(
            SignalExternalWorkflowExecutionFailedEventAttributes {
                cause: match came {
                    Came::TooManySignals(_) => SignalFailed::SignalCountLimitExceeded,
                    _ => SignalFailed::ExternalWorkflowExecutionNotFound,
                }
                .into(),
                workflow_task_completed_event_id: 0,
                namespace,
                namespace_id,
                workflow_execution: target,
                initiated_event_id,
                control: pending.control,
            },
        ),
        (Kind::Cancel, Came::Done(_)) => {
            Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(
                ExternalWorkflowExecutionCancelRequestedEventAttributes {
                    initiated_event_id,
                    namespace,
                    namespace_id,
                    workflow_execution: target,
                },
            )
        }
        (Kind::Cancel, _) => {
            Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(
                RequestCancelExternalWorkflowExecutionFailedEventAttributes {
                    cause: CancelFailed::ExternalWorkflowExecutionNotFound.into(),
                    workflow_task_completed_event_id: 0,
                    namespace,
                    namespace_id,
                    workflow_execution: target,
                    initiated_event_id,
                    control: String::new(),
                },
            )
        }
    };
    draft.happen(event);
    draft.want_task();
}

/// Another run signals this one.
pub(crate) fn signaled(
    run: Option<Run<'_>>,
    sender: &Sender,
    initiated: &HistoryEvent,
    context: &mut Context<'_>,
) -> Outcome {
    let not_found = Came::NotFound(true);
    let Some(Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(asked)) =
        &initiated.attributes
    else {
        return effect::nothing(not_found, context);
    };
    let Some(run) = reachable(run, sender, asked.child_workflow_only) else {
        return effect::nothing(not_found, context);
    };
    let id = Id::new(sender.run, initiated.event_id);
    let request_id = id.request_id();
    if run.state.signals.has_seen(&request_id) || run.state.received.has(id) {
        return effect::nothing(Came::Done(true), context);
    }
    if !run.state.is_open() {
        return effect::nothing(not_found, context);
    }
    if signal::is_full(run.state, context.limits) {
        return effect::nothing(Came::TooManySignals(true), context);
    }
    signal::check_closing(run.state).map_err(Stop::Refused)?;
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let signaled = WorkflowExecutionSignaledEventAttributes {
        signal_name: asked.signal_name.clone(),
        input: asked.input.clone(),
        identity: terminate::SERVER_IDENTITY.to_owned(),
        header: asked.header.clone(),
        external_workflow_execution: Some(sender.execution()),
        request_id,
        ..Default::default()
    };
    signal::happened(&mut draft, signaled, Vec::new());
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(effect::came(
        Some(run),
        transition,
        Came::Done(true),
        context,
    ))
}

/// Another run asks this one to cancel itself.
pub(crate) fn canceled(
    run: Option<Run<'_>>,
    sender: &Sender,
    initiated: &HistoryEvent,
    context: &mut Context<'_>,
) -> Outcome {
    let Some(Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(asked)) =
        &initiated.attributes
    else {
        return effect::nothing(Came::NotFound(true), context);
    };
    let Some(run) = reachable(run, sender, asked.child_workflow_only) else {
        return effect::nothing(Came::NotFound(true), context);
    };
    cancel_by(run, sender, initiated.event_id, &asked.reason, context)
}

/// The request of another run is an event, the first one; `initiated_event_id`: 0 if no command asked for it.
pub(crate) fn cancel_by(
    run: Run<'_>,
    sender: &Sender,
    initiated_event_id: i64,
    reason: &str,
    context: &mut Context<'_>,
) -> Outcome {
    let known = run
        .state
        .received
        .has(Id::new(sender.run, initiated_event_id));
    if known || run.state.cancel_requested || !run.state.is_open() {
        return effect::nothing(Came::Done(true), context);
    }
    let mut draft = Draft::new(run.state, context.now, context.limits);
    let requested = WorkflowExecutionCancelRequestedEventAttributes {
        cause: reason.to_owned(),
        external_initiated_event_id: initiated_event_id,
        external_workflow_execution: Some(sender.execution()),
        identity: terminate::SERVER_IDENTITY.to_owned(),
    };
    cancel::happened(&mut draft, requested, Vec::new());
    let transition = draft.finish().map_err(Stop::Refused)?;
    Ok(effect::came(
        Some(run),
        transition,
        Came::Done(true),
        context,
    ))
}

/// A run reaches others, not itself; some messages reach its children only.
fn reachable<'a>(run: Option<Run<'a>>, sender: &Sender, child_only: bool) -> Option<Run<'a>> {
    let run = run?;
    let origin = &run.state.origin;
    let is_itself = origin.workflow_id == sender.workflow_id;
    let parent = origin.parent.as_ref();
    let is_child = parent.is_some_and(|parent| parent.run == sender.run);
    (!is_itself && (is_child || !child_only)).then_some(run)
}
