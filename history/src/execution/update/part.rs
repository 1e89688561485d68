//! What lasts of updates: which were admitted again behind a reset, which were accepted, and where the outcome of each completed one is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_proto::temporal::api::history::v1::{
    WorkflowExecutionUpdateAcceptedEventAttributes, WorkflowExecutionUpdateAdmittedEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
};
use serde::{Deserialize, Serialize};

use super::id_of;
use crate::execution::wire;

/// Updates by id, with the events that hold them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Admitted by an event, which holds the request, and not accepted.
    admitted: BTreeSet<String>,
    /// Accepted and not completed: the event of the acceptance.
    accepted: BTreeMap<String, i64>,
    /// The event of the outcome, in shared chunks: one more costs a chunk, not two thousand ids.
    #[serde(with = "wire::shared_list")]
    completed: Vec<Arc<BTreeMap<String, i64>>>,
    /// The request ids that came with updates, and the events of their acceptance.
    requests: BTreeMap<String, i64>,
}

/// How many completed updates are in a chunk.
const CHUNK: usize = 64;

/// How far an update has come, and its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Admitted,
    Accepted(i64),
    Completed(i64),
}

impl Part {
    pub(crate) fn admit(&mut self, it: &WorkflowExecutionUpdateAdmittedEventAttributes) -> bool {
        let id = it.request.as_ref().map_or("", id_of);
        self.find(id).is_none() && self.admitted.insert(id.to_owned())
    }

    /// Those that a worker reads of in the history and has not answered.
    pub(crate) fn admitted(&self) -> impl Iterator<Item = &String> {
        self.admitted.iter()
    }

    pub(crate) fn reject(&mut self, id: &str) -> bool {
        self.admitted.remove(id)
    }

    pub(crate) fn accept(
        &mut self,
        event_id: i64,
        it: &WorkflowExecutionUpdateAcceptedEventAttributes,
    ) -> bool {
        let id = &it.protocol_instance_id;
        if !self.admitted.remove(id) && self.find(id).is_some() {
            return false;
        }
        if let Some(request) = &it.accepted_request
            && !request.request_id.is_empty()
        {
            self.requests.insert(request.request_id.clone(), event_id);
        }
        self.accepted.insert(id.clone(), event_id);
        true
    }

    pub(crate) fn complete(
        &mut self,
        event_id: i64,
        it: &WorkflowExecutionUpdateCompletedEventAttributes,
    ) -> bool {
        let id = it.meta.as_ref().map_or("", |meta| &meta.update_id);
        let Some((id, accepted)) = self.accepted.remove_entry(id) else {
            return false;
        };
        match self
            .completed
            .last_mut()
            .filter(|chunk| chunk.len() < CHUNK)
        {
            Some(chunk) => {
                Arc::make_mut(chunk).insert(id, event_id);
            }
            None => self.completed.push(Arc::new([(id, event_id)].into())),
        }
        accepted == it.accepted_event_id
    }

    pub(crate) fn find(&self, id: &str) -> Option<Standing> {
        if self.admitted.contains(id) {
            return Some(Standing::Admitted);
        }
        if let Some(event_id) = self.accepted.get(id) {
            return Some(Standing::Accepted(*event_id));
        }
        let completed = self.completed.iter().find_map(|chunk| chunk.get(id));
        completed.map(|event_id| Standing::Completed(*event_id))
    }

    /// Those that have no outcome.
    pub(crate) fn in_flight(&self) -> usize {
        self.admitted.len() + self.accepted.len()
    }

    /// All that there ever were.
    pub(crate) fn count(&self) -> usize {
        let completed: usize = self.completed.iter().map(|chunk| chunk.len()).sum();
        completed + self.in_flight()
    }

    pub(crate) fn requests(&self) -> impl Iterator<Item = (&String, i64)> {
        self.requests.iter().map(|(id, event)| (id, *event))
    }
}
