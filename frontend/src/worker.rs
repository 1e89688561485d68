//! Calls of workers: polls, answers, heartbeats. What a worker carries from one to the next leaves and enters sealed.

use std::sync::Arc;

use cairn_proto::cairn::token::v1::{HistoryPage, Query, Task};
use cairn_proto::temporal::api::workflowservice::v1 as pb;

use crate::Frontend;
use crate::error::Error;
use crate::namespace::Namespace;
use crate::token::Token;

pub(crate) mod activity;
pub(crate) mod by_id;
pub(crate) mod poll;
pub(crate) mod registry;
pub(crate) mod workflow_task;

/// A token that says whose it is.
trait Owned: Token {
    fn namespace_id(&self) -> &[u8];
}

impl Owned for Task {
    fn namespace_id(&self) -> &[u8] {
        &self.namespace_id
    }
}

impl Owned for Query {
    fn namespace_id(&self) -> &[u8] {
        &self.namespace_id
    }
}

impl Frontend {
    /// Seals what a workflow task, polled or returned inline, carries.
    pub(crate) fn seal_workflow_task(&self, task: &mut pb::PollWorkflowTaskQueueResponse) {
        let token = std::mem::take(&mut task.task_token);
        task.task_token = if task.query.is_some() {
            self.seal.seal::<Query>(token)
        } else {
            self.seal.seal::<Task>(token)
        };
        let page = std::mem::take(&mut task.next_page_token);
        task.next_page_token = self.seal.seal::<HistoryPage>(page);
    }

    /// Seals what an activity task carries, and names its namespace, which only we know by name.
    pub(crate) fn seal_activity_task(
        &self,
        task: &mut pb::PollActivityTaskQueueResponse,
        namespace: &Namespace,
    ) {
        if task.task_token.is_empty() {
            return; // There was no task.
        }
        task.workflow_namespace.clone_from(&namespace.name);
        let token = std::mem::take(&mut task.task_token);
        task.task_token = self.seal.seal::<Task>(token);
    }

    /// The token that a worker gives back, and the namespace it is of, which is the request's if that names one.
    fn task<T: Owned>(&self, namespace: &str, sealed: &[u8]) -> Result<(Arc<Namespace>, T), Error> {
        if sealed.is_empty() {
            return Err(Error::invalid("Task token not set on request."));
        }
        let named = match namespace {
            "" => None,
            name => Some(self.namespace(name)?),
        };
        let forged = || Error::invalid("Error deserializing task token.");
        let token: T = self.seal.read(sealed).map_err(|_| forged())?;
        if let Some(named) = named {
            if named.id.0 != token.namespace_id() {
                return Err(Error::invalid(
                    "Operation requested with a token from a different namespace.",
                ));
            }
            return Ok((named, token));
        }
        let id = uuid::Uuid::from_slice(token.namespace_id()).map_err(|_| forged())?;
        let owner = self
            .namespaces
            .with_id(cairn_history::id::NamespaceId(id.into_bytes()));
        let owner = owner.ok_or_else(|| Error::NamespaceNotFound(id.to_string()))?;
        Ok((owner, token))
    }
}
