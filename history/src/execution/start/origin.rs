//! What the first event of a run fixed, for as long as the run lives.
//!
//! Deliberately absent: payloads of the start; history holds them.

use std::time::Duration;

use cairn_proto::cairn::record::v1::Opened;
use cairn_proto::temporal::api::common::v1::Priority;
use cairn_proto::temporal::api::history::v1::{
    HistoryEvent, WorkflowExecutionStartedEventAttributes,
};
use cairn_proto::temporal::api::sdk::v1::UserMetadata;
use serde::{Deserialize, Serialize};

use super::super::child::Parent;
use super::super::retry::Policy;
use super::super::{kept, wire};
use crate::id::{NamespaceId, RunId, Time};
use crate::kind::Illegal;

/// What the first event fixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) run: RunId,
    pub(crate) namespace: NamespaceId,
    pub(crate) workflow_id: String,
    pub(crate) workflow_type: String,
    pub(crate) task_queue: String,
    pub(crate) request_id: String,
    pub(crate) first_run: RunId,
    pub(crate) original_run: String,
    /// None and zero: none. The event shows which.
    pub(crate) execution_timeout: Option<Duration>,
    pub(crate) run_timeout: Option<Duration>,
    pub(crate) task_timeout: Duration,
    pub(crate) execution_expiration: Option<Time>,
    pub(crate) attempt: i32,
    pub(crate) retry_policy: Option<Policy>,
    pub(crate) cron_schedule: String,
    pub(crate) start_time: Time,
    /// When history says that it began: earlier, if it was reset.
    pub(crate) original_start_time: Time,
    pub(crate) backoff: Duration,
    pub(crate) retention: Duration,
    #[serde(with = "wire::optional")]
    pub(crate) priority: Option<Priority>,
    #[serde(with = "wire::optional")]
    pub(crate) user_metadata: Option<UserMetadata>,
    /// The first event has links, which the next run of the chain has too.
    pub(crate) has_links: bool,
    /// Boxed: most runs have none.
    pub(crate) parent: Option<Box<Parent>>,
}

impl Origin {
    pub(crate) fn new(
        run: RunId,
        opened: &Opened,
        event: &HistoryEvent,
        it: &WorkflowExecutionStartedEventAttributes,
    ) -> Result<Self, Illegal> {
        let namespace = <[u8; 16]>::try_from(&*opened.namespace_id)
            .map_err(|_| Illegal("a namespace id that is none".to_owned()))?;
        let task_queue = it.task_queue.as_ref().map(|it| it.name.clone());
        Ok(Self {
            run,
            namespace: NamespaceId(namespace),
            workflow_id: it.workflow_id.clone(),
            workflow_type: it
                .workflow_type
                .as_ref()
                .map(|it| it.name.clone())
                .unwrap_or_default(),
            task_queue: task_queue.unwrap_or_default(),
            request_id: opened.start_request_id.clone(),
            first_run: it.first_execution_run_id.parse().unwrap_or(run),
            original_run: it.original_execution_run_id.clone(),
            execution_timeout: wire::optional_span(it.workflow_execution_timeout.as_ref()),
            run_timeout: wire::optional_span(it.workflow_run_timeout.as_ref()),
            task_timeout: wire::span(it.workflow_task_timeout.as_ref()),
            execution_expiration: it
                .workflow_execution_expiration_time
                .as_ref()
                .map(wire::time),
            attempt: it.attempt,
            retry_policy: it.retry_policy.as_ref().map(Policy::filled),
            cron_schedule: it.cron_schedule.clone(),
            start_time: event.event_time.as_ref().map_or(Time(0), wire::time),
            original_start_time: event.event_time.as_ref().map_or(Time(0), wire::time),
            backoff: wire::span(it.first_workflow_task_backoff.as_ref()),
            retention: wire::span(opened.retention.as_ref()),
            priority: kept(it.priority.as_ref()),
            user_metadata: event.user_metadata.clone(),
            has_links: !event.links.is_empty(),
            parent: Parent::of(it).map(Box::new),
        })
    }

    /// When the run begins to execute.
    pub(crate) fn execution_time(&self) -> Time {
        self.start_time.after(self.backoff)
    }

    pub(crate) fn backoff_until(&self) -> Option<Time> {
        (!self.backoff.is_zero()).then(|| self.execution_time())
    }

    /// When the time of this run is over.
    pub(crate) fn run_expiration(&self) -> Option<Time> {
        self.run_timeout
            .filter(|timeout| !timeout.is_zero())
            .map(|timeout| self.execution_time().after(timeout))
    }
}
