//! Children: what a run knows of the workflows that it has started, and what a child knows of its parent.
//!
//! | in        | event                              | becomes   | owes                                            |
//! |-----------|------------------------------------|-----------|-------------------------------------------------|
//! | –         | Initiated                          | initiated | the start of the child, while the run is open   |
//! | initiated | Started                            | started   | a workflow task; when the run has closed, its parent-close policy |
//! | initiated | `StartFailed`                      | gone      | a workflow task                                 |
//! | started   | Completed, Failed, Canceled, …     | gone      | a workflow task                                 |
//!
//! A child begins without a workflow task. It asks its parent, which records Started, and only then has its first one. When the
//! last run of its chain has closed it tells its parent, or the run that goes on for that behind a reset, also when the parent itself is kept no longer. A parent that closes over a child which is not started forgets it: should
//! the child be there all the same, it hears so when it asks, and ends.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::enums::v1::ParentClosePolicy as Policy;
use cairn_proto::temporal::api::history::v1::history_event::Attributes;
use cairn_proto::temporal::api::history::v1::{
    ChildWorkflowExecutionStartedEventAttributes, HistoryEvent,
    StartChildWorkflowExecutionInitiatedEventAttributes, WorkflowExecutionStartedEventAttributes,
};
use cairn_proto::temporal::api::workflow::v1::PendingChildExecutionInfo;
use serde::{Deserialize, Serialize};

use super::start::Origin;
use super::{buffer, wire};
use crate::id::RunId;

mod begin;
mod close;
mod start;

pub(crate) use begin::{
    begun, begun_message, may_begin, start as begin, start_message, started, started_by,
};
pub(crate) use close::{child_closed, closed_message, parent_closed, parent_closed_message};
pub(crate) use start::start;

/// The children of a run, by the event that asked for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(with = "wire::shared_map")]
    pending: BTreeMap<i64, Arc<Child>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Child {
    namespace: String,
    workflow_id: String,
    workflow_type: String,
    control: String,
    /// `temporal.api.enums.v1.ParentClosePolicy`.
    policy: i32,
    /// The first run, once the child is started.
    run: Option<RunId>,
    /// Zero while it has no id.
    started_event_id: i64,
    /// It knows that its parent has closed.
    told: bool,
    /// The run that asked for it, if a reset has taken it over: it may be there already.
    begun_by: Option<RunId>,
}

impl Child {
    fn execution(&self, run: RunId) -> WorkflowExecution {
        WorkflowExecution {
            workflow_id: self.workflow_id.clone(),
            run_id: run.to_string(),
        }
    }
}

impl Part {
    pub(crate) fn initiated(
        &mut self,
        event_id: i64,
        it: &StartChildWorkflowExecutionInitiatedEventAttributes,
    ) -> bool {
        let child = Child {
            namespace: it.namespace.clone(),
            workflow_id: it.workflow_id.clone(),
            workflow_type: it
                .workflow_type
                .as_ref()
                .map(|it| it.name.clone())
                .unwrap_or_default(),
            control: it.control.clone(),
            policy: it.parent_close_policy,
            run: None,
            started_event_id: 0,
            told: false,
            begun_by: None,
        };
        self.pending.insert(event_id, Arc::new(child)).is_none()
    }

    /// `event_id`: zero while the event waits in the buffer.
    pub(crate) fn started(
        &mut self,
        event_id: i64,
        it: &ChildWorkflowExecutionStartedEventAttributes,
    ) -> bool {
        let run = it.workflow_execution.as_ref();
        let run = run.and_then(|run| run.run_id.parse().ok());
        let Some(child) = self.pending.get_mut(&it.initiated_event_id) else {
            return false;
        };
        let child = Arc::make_mut(child);
        child.started_event_id = event_id;
        child.run.is_none() && {
            child.run = run;
            run.is_some()
        }
    }

    /// The event that had waited has its id; the child may be gone by now.
    pub(crate) fn numbered(
        &mut self,
        event_id: i64,
        it: &ChildWorkflowExecutionStartedEventAttributes,
    ) {
        if let Some(child) = self.pending.get_mut(&it.initiated_event_id) {
            Arc::make_mut(child).started_event_id = event_id;
        }
    }

    pub(crate) fn gone(&mut self, initiated_event_id: i64) -> bool {
        self.pending.remove(&initiated_event_id).is_some()
    }

    /// All of them were asked for by the run from which this one goes on.
    pub(crate) fn taken_over(&mut self, from: RunId) {
        for child in self.pending.values_mut() {
            Arc::make_mut(child).begun_by.get_or_insert(from);
        }
    }

    /// What an event of the base of a reset says of a child that is pending here, with the ids of this run.
    pub(crate) fn heard(&self, event: &HistoryEvent) -> Option<Attributes> {
        let mut event = event.clone();
        if let Some(Attributes::ChildWorkflowExecutionStartedEventAttributes(it)) =
            &event.attributes
        {
            let child = self.get(it.initiated_event_id)?;
            return child.run.is_none().then_some(event.attributes)?;
        }
        if let Some(Attributes::StartChildWorkflowExecutionFailedEventAttributes(it)) =
            &event.attributes
        {
            let child = self.get(it.initiated_event_id)?;
            return child.run.is_none().then_some(event.attributes)?;
        }
        let (initiated, _) = buffer::closed_child(&event)?;
        let child = self.get(initiated).filter(|child| child.run.is_some())?;
        buffer::point_to_started(&mut event, child.started_event_id);
        event.attributes
    }

    /// A child knows that its parent has closed.
    pub(crate) fn told(&mut self, initiated_event_id: i64) -> bool {
        let child = self.pending.get_mut(&initiated_event_id);
        child
            .map(|child| Arc::make_mut(child).told = true)
            .is_some()
    }

    fn get(&self, initiated_event_id: i64) -> Option<&Child> {
        self.pending.get(&initiated_event_id).map(|child| &**child)
    }

    /// Those that are to be started.
    pub(crate) fn unstarted(&self) -> impl Iterator<Item = i64> {
        let pending = self.pending.iter();
        let unstarted = pending.filter(|(_, child)| child.run.is_none());
        unstarted.map(|(initiated, _)| *initiated)
    }

    /// Those that a close of this run concerns, as long as they do not know of it.
    pub(crate) fn bereaved(&self) -> impl Iterator<Item = i64> {
        let pending = self.pending.iter();
        let bereaved = pending.filter(|(_, child)| {
            let policy = [Policy::Terminate, Policy::RequestCancel].map(i32::from);
            child.run.is_some() && !child.told && policy.contains(&child.policy)
        });
        bereaved.map(|(initiated, _)| *initiated)
    }

    /// Was a child of this id asked for behind this event?
    pub(crate) fn asked_since(&self, event_id: i64, workflow_id: &str) -> bool {
        let mut since = self.pending.range(event_id..);
        since.any(|(_, child)| child.workflow_id == workflow_id)
    }

    pub(crate) fn described(&self) -> Vec<PendingChildExecutionInfo> {
        let described = self.pending.iter().map(|(initiated, child)| {
            let run_id = child.run.map(|run| run.to_string()).unwrap_or_default();
            PendingChildExecutionInfo {
                workflow_id: child.workflow_id.clone(),
                run_id,
                workflow_type_name: child.workflow_type.clone(),
                initiated_id: *initiated,
                parent_close_policy: child.policy,
            }
        });
        described.collect()
    }
}

/// What a child has heard of its parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AsChild {
    /// It does not know yet that its parent knows of it.
    pub(crate) waits: bool,
    /// The parent knows that this run, the last of its chain, has closed.
    pub(crate) parent_told: bool,
    /// The parent was reset: this run goes on for it.
    pub(crate) parent_moved: Option<RunId>,
    /// That one is kept no longer: the current run of the id may go on for it.
    pub(crate) parent_gone: bool,
}

impl AsChild {
    pub(crate) fn new(origin: &Origin, it: &WorkflowExecutionStartedEventAttributes) -> Self {
        Self {
            waits: origin.parent.is_some() && it.continued_execution_run_id.is_empty(),
            ..Self::default()
        }
    }
}

/// Whose child a run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parent {
    pub(crate) namespace: String,
    pub(crate) namespace_id: String,
    pub(crate) workflow_id: String,
    pub(crate) run: RunId,
    pub(crate) initiated_event_id: i64,
    /// The first of all parents.
    pub(crate) root: (String, RunId),
}

impl Parent {
    /// As the first event of the child says.
    pub(crate) fn of(it: &WorkflowExecutionStartedEventAttributes) -> Option<Self> {
        let parent = it.parent_workflow_execution.as_ref()?;
        let run = parent.run_id.parse().ok()?;
        let root = it.root_workflow_execution.as_ref().unwrap_or(parent);
        Some(Self {
            namespace: it.parent_workflow_namespace.clone(),
            namespace_id: it.parent_workflow_namespace_id.clone(),
            workflow_id: parent.workflow_id.clone(),
            run,
            initiated_event_id: it.parent_initiated_event_id,
            root: (root.workflow_id.clone(), root.run_id.parse().unwrap_or(run)),
        })
    }

    pub(crate) fn execution(&self) -> WorkflowExecution {
        execution(&self.workflow_id, self.run)
    }

    pub(crate) fn root(&self) -> WorkflowExecution {
        execution(&self.root.0, self.root.1)
    }

    /// What the first event of a child, and of each run that follows it, says of its parent.
    pub(crate) fn show(&self, started: &mut WorkflowExecutionStartedEventAttributes) {
        started
            .parent_workflow_namespace
            .clone_from(&self.namespace);
        started
            .parent_workflow_namespace_id
            .clone_from(&self.namespace_id);
        started.parent_workflow_execution = Some(self.execution());
        started.parent_initiated_event_id = self.initiated_event_id;
        started.root_workflow_execution = Some(self.root());
    }
}

fn execution(workflow_id: &str, run: RunId) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: run.to_string(),
    }
}
