//! Which workers there are, as their heartbeats say. Soft: bounded, forgotten after a while, gone with the process.

use std::collections::BTreeMap;
use std::time::Duration;

use cairn_history::id::{NamespaceId, Time};
use cairn_proto::temporal::api::worker::v1::{WorkerHeartbeat, WorkerInfo};
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use parking_lot::Mutex;

use crate::Frontend;
use crate::error::Error;

/// A worker that has said nothing for so long is gone.
const KEPT: Duration = Duration::from_mins(5);
/// More workers than this are not remembered.
const MOST: usize = 100_000;

type Key = (NamespaceId, String);

/// The last heartbeat of each worker.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    workers: Mutex<BTreeMap<Key, (Time, WorkerHeartbeat)>>,
}

impl Registry {
    /// Takes in heartbeats. Who has no key cannot be told from others and is left out.
    pub(crate) fn seen(
        &self,
        namespace: NamespaceId,
        heartbeats: impl IntoIterator<Item = WorkerHeartbeat>,
        now: Time,
    ) {
        let mut workers = self.workers.lock();
        for heartbeat in heartbeats {
            let key = (namespace, heartbeat.worker_instance_key.clone());
            if key.1.is_empty() {
                continue;
            }
            if workers.len() >= MOST && !workers.contains_key(&key) {
                workers.retain(|_, (at, _)| now.since(*at) < KEPT);
            }
            if workers.len() < MOST || workers.contains_key(&key) {
                workers.insert(key, (now, heartbeat));
            }
        }
    }

    fn find(&self, namespace: NamespaceId, key: &str, now: Time) -> Option<WorkerHeartbeat> {
        let workers = self.workers.lock();
        let (at, heartbeat) = workers.get(&(namespace, key.to_owned()))?;
        (now.since(*at) < KEPT).then(|| heartbeat.clone())
    }
}

#[expect(clippy::unused_async, reason = "every RPC is an async function")]
pub(crate) async fn record(
    frontend: &Frontend,
    request: pb::RecordWorkerHeartbeatRequest,
) -> Result<pb::RecordWorkerHeartbeatResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    frontend
        .workers
        .seen(namespace.id, request.worker_heartbeat, frontend.now());
    Ok(pb::RecordWorkerHeartbeatResponse {})
}

#[expect(clippy::unused_async, reason = "every RPC is an async function")]
pub(crate) async fn describe(
    frontend: &Frontend,
    request: pb::DescribeWorkerRequest,
) -> Result<pb::DescribeWorkerResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let key = request.worker_instance_key;
    let found = frontend.workers.find(namespace.id, &key, frontend.now());
    let heartbeat = found.ok_or_else(|| Error::NotFound(format!("Worker {key} not found")))?;
    Ok(pb::DescribeWorkerResponse {
        worker_info: Some(WorkerInfo {
            worker_heartbeat: Some(heartbeat),
        }),
    })
}
