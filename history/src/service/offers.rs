//! What is owed, told to matching.

use std::collections::BTreeSet;
use std::sync::Arc;

use cairn_proto::cairn::matching::v1 as matching;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;
use tonic::Request;

use crate::id::{Epoch, Key, NamespaceId, RunId, ShardId};
use crate::kind::{Offer, Queue, Work};

/// Offers and withdrawals of one step.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) epoch: Epoch,
    /// The place of this batch among those of the epoch.
    pub(super) number: u64,
    pub(super) offered: Vec<(Key, RunId, Offer)>,
    pub(super) withdrawn: Vec<(Key, RunId, Offer)>,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Runs that must be offered on their normal queue: the sticky worker is away.
    pub(super) unavailable: Vec<(Key, RunId)>,
    /// Queues whose offers must be made again.
    pub(super) not_taken: BTreeSet<Queue>,
}

/// Gives a batch to matching.
pub(super) async fn offer(
    matching: Arc<dyn MatchingService>,
    shard: ShardId,
    batch: Batch,
) -> Told {
    let Batch {
        epoch,
        number,
        offered,
        withdrawn,
    } = batch;
    let request = matching::OfferRequest {
        shard: shard.0,
        epoch: epoch.0,
        number,
        offered: offered
            .iter()
            .map(|(key, run, offer)| offered_message(key, *run, offer))
            .collect(),
        withdrawn: withdrawn
            .iter()
            .map(|(key, run, offer)| withdrawn_message(key, *run, offer))
            .collect(),
    };
    match matching.offer(Request::new(request)).await {
        Ok(response) => {
            let matching::OfferResponse {
                sticky_worker_unavailable,
                not_taken,
            } = response.into_inner();
            let runs = sticky_worker_unavailable.iter().filter_map(address);
            Told {
                unavailable: runs.collect(),
                not_taken: not_taken.into_iter().filter_map(queue).collect(),
            }
        }
        Err(status) => {
            tracing::warn!(shard = shard.0, error = %status, "matching did not take an offer");
            let queues = offered.into_iter().map(|(.., offer)| offer.queue);
            Told {
                unavailable: Vec::new(),
                not_taken: queues.collect(),
            }
        }
    }
}

fn offered_message(key: &Key, run: RunId, offer: &Offer) -> matching::Offered {
    matching::Offered {
        queue: Some(queue_message(&offer.queue)),
        task: Some(task_message(key, run, offer)),
        priority: i32::from(offer.priority),
        time: offer.time.0,
    }
}

fn withdrawn_message(key: &Key, run: RunId, offer: &Offer) -> matching::Withdrawn {
    matching::Withdrawn {
        queue: Some(queue_message(&offer.queue)),
        task: Some(task_message(key, run, offer)),
    }
}

pub(super) fn queue_message(queue: &Queue) -> matching::Queue {
    let work = match queue.work {
        Work::Workflow => matching::Work::Workflow,
        Work::Activity => matching::Work::Activity,
    };
    matching::Queue {
        namespace_id: queue.namespace.0.to_vec(),
        name: queue.name.clone(),
        work: work.into(),
        sticky_of: queue.sticky_of.clone().unwrap_or_default(),
    }
}

fn queue(message: matching::Queue) -> Option<Queue> {
    let work = match message.work() {
        matching::Work::Workflow => Work::Workflow,
        matching::Work::Activity => Work::Activity,
        matching::Work::Unspecified => return None,
    };
    Some(Queue {
        namespace: NamespaceId(message.namespace_id.as_slice().try_into().ok()?),
        name: message.name,
        work,
        sticky_of: Some(message.sticky_of).filter(|of| !of.is_empty()),
    })
}

fn task_message(key: &Key, run: RunId, offer: &Offer) -> matching::Task {
    matching::Task {
        workflow_id: key.workflow_id.clone(),
        run_id: run.0.to_vec(),
        scheduled_event_id: offer.task.scheduled_event_id,
        attempt: offer.task.attempt,
    }
}

fn address(refused: &matching::Withdrawn) -> Option<(Key, RunId)> {
    let (queue, task) = (refused.queue.as_ref()?, refused.task.as_ref()?);
    let namespace = NamespaceId(queue.namespace_id.as_slice().try_into().ok()?);
    let run = RunId(task.run_id.as_slice().try_into().ok()?);
    Some((
        Key {
            namespace,
            workflow_id: task.workflow_id.clone(),
        },
        run,
    ))
}
