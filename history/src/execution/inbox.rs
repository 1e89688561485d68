//! What other runs have sent here: each message is heard once, also if it comes again to the run that follows in the chain.
//!
//! Within a run its own events know what was sent (a signal its request id, a request to cancel that there was one). What a
//! successor must know besides is kept here, the newest only: a message comes again while its sender has no answer, not for ever.

use cairn_proto::temporal::api::history::v1::{
    WorkflowExecutionCancelRequestedEventAttributes, WorkflowExecutionSignaledEventAttributes,
};
use serde::{Deserialize, Serialize};

use crate::id::RunId;

/// How many messages a run hands down to its successor.
const KEPT: usize = 512;

/// A message, by where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Id([u8; 16]);

impl Id {
    /// What the sender's event asks for; 0: what its close does to a child.
    pub(crate) fn new(sender: RunId, initiated_event_id: i64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&sender.0);
        hasher.update(&initiated_event_id.to_le_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(id)
    }

    /// As the request id of an event.
    pub(crate) fn request_id(self) -> String {
        uuid::Uuid::from_bytes(self.0).to_string()
    }
}

/// The newest messages that came to the chain of a run, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    ids: Vec<Id>,
}

impl Part {
    /// What a run inherits.
    pub(crate) fn inherited(received: &[Vec<u8>]) -> Self {
        let ids = received
            .iter()
            .filter_map(|id| id.as_slice().try_into().ok());
        Self {
            ids: ids.map(Id).collect(),
        }
    }

    /// What its successor inherits.
    pub(crate) fn bequeathed(&self) -> Vec<Vec<u8>> {
        self.ids.iter().map(|id| id.0.to_vec()).collect()
    }

    pub(crate) fn has(&self, id: Id) -> bool {
        self.ids.contains(&id)
    }

    fn add(&mut self, id: Id) {
        if self.ids.len() >= KEPT {
            self.ids.remove(0);
        }
        self.ids.push(id);
    }

    pub(crate) fn signaled(&mut self, it: &WorkflowExecutionSignaledEventAttributes) {
        if let Ok(id) = uuid::Uuid::parse_str(&it.request_id) {
            self.add(Id(id.into_bytes()));
        }
    }

    pub(crate) fn cancel_requested(
        &mut self,
        it: &WorkflowExecutionCancelRequestedEventAttributes,
    ) {
        let sender = it.external_workflow_execution.as_ref();
        if let Some(run) = sender.and_then(|sender| sender.run_id.parse().ok()) {
            self.add(Id::new(run, it.external_initiated_event_id));
        }
    }
}
