//! Who polls a queue, and when each was last seen: what people see of the workers behind a queue.
//!
//! Deliberately absent: the polls themselves. A poller is an identity; it may have many polls or, right now, none.

use std::collections::BTreeMap;

use cairn_proto::temporal::api::common::v1::WorkerVersionCapabilities;
use cairn_proto::temporal::api::deployment::v1::WorkerDeploymentOptions;

use super::{REMEMBERED, Time};

/// More identities than any real queue has; beyond it the one seen longest ago is forgotten.
const POLLERS_MAX: usize = 1000;

/// What a poll says of its worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Poller {
    pub identity: String,
    /// One worker process, for shutdown; may be empty.
    pub worker_instance_key: String,
    /// The limit that the worker wants for the whole queue.
    pub max_tasks_per_second: Option<f64>,
    pub capabilities: Option<WorkerVersionCapabilities>,
    pub deployment: Option<WorkerDeploymentOptions>,
}

/// A poller as it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub last: Time,
    pub max_tasks_per_second: Option<f64>,
    pub capabilities: Option<WorkerVersionCapabilities>,
    pub deployment: Option<WorkerDeploymentOptions>,
}

/// The pollers of one queue by identity.
#[derive(Debug, Default)]
pub(super) struct Pollers {
    seen: BTreeMap<String, Seen>,
    last: Option<Time>,
}

impl Pollers {
    pub(super) fn arrives(&mut self, poller: &mut Poller, now: Time) {
        self.last = Some(now);
        let seen = Seen {
            last: now,
            max_tasks_per_second: poller.max_tasks_per_second,
            capabilities: poller.capabilities.take(),
            deployment: poller.deployment.take(),
        };
        if let Some(known) = self.seen.get_mut(&poller.identity) {
            *known = seen;
            return;
        }
        if self.seen.len() >= POLLERS_MAX {
            self.forget_oldest();
        }
        self.seen.insert(poller.identity.clone(), seen);
    }

    /// A poll of this identity ended well: its worker is alive.
    pub(super) fn touch(&mut self, identity: &str, now: Time) {
        self.last = Some(now);
        if let Some(seen) = self.seen.get_mut(identity) {
            seen.last = now;
        }
    }

    /// When anybody was last seen.
    pub(super) fn last(&self) -> Option<Time> {
        self.last
    }

    pub(super) fn recent(&self, now: Time) -> impl Iterator<Item = (&String, &Seen)> {
        self.seen
            .iter()
            .filter(move |(_, seen)| now.since(seen.last) <= REMEMBERED)
    }

    pub(super) fn sweep(&mut self, now: Time) {
        self.seen
            .retain(|_, seen| now.since(seen.last) <= REMEMBERED);
    }

    fn forget_oldest(&mut self) {
        let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.last);
        if let Some(identity) = oldest.map(|(identity, _)| identity.clone()) {
            self.seen.remove(&identity);
        }
    }
}
