//! Matching of the whole cluster: each queue has one home.
//!
//! Everything may be made again: polls are the worker's to lose (a task that was started for a lost answer times out), offers are
//! known by their task, a query changes nothing, and a worker's second answer to one finds nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use cairn_history::id::{NamespaceId, Time};
use cairn_history::placement::{Node, Place, View};
use cairn_proto::cairn::matching::v1 as internal;
use cairn_proto::cairn::matching::v1::matching_service_client::MatchingServiceClient;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;
use cairn_proto::prost_types::Timestamp;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use futures::future::join_all;
use tonic::transport::Channel;
use tonic::{Request, Response};

use super::Router;
use super::ask::{Again, Answer, To};
use super::peers::MESSAGE_BYTES_MAX;

/// A node that does not take an offer within this is passed over until the offer is made again.
const OFFER_MAX: Duration = Duration::from_secs(2);
/// The same for a worker's goodbye, which is a courtesy.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

fn client(channel: Channel) -> MatchingServiceClient<Channel> {
    MatchingServiceClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// The queue that is asked for. A request without one is refused by any matching service.
fn place<'a>(namespace: &[u8], name: Option<&'a str>) -> Place<'a> {
    let namespace = NamespaceId(namespace.try_into().unwrap_or_default());
    Place::Queue(namespace, name.unwrap_or_default())
}

fn name(queue: Option<&TaskQueue>) -> Option<&str> {
    Some(&queue?.name)
}

fn time(deadline: Option<Timestamp>) -> Option<Time> {
    let Timestamp { seconds, nanos } = deadline?;
    let nanos = i64::from(nanos);
    Some(Time(
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos),
    ))
}

/// `method: Request => Response` where the queue that `place` finds is.
macro_rules! at_home {
    ($self:ident, $request:ident, $method:ident, $place:expr, $until:expr) => {
        $self
            .ask($place, Again::Yes, $until, |to| {
                let request = Request::new($request.clone());
                Box::pin(async move {
                    match to {
                        To::Here => MatchingService::$method(&$self.matching, request).await,
                        To::There(channel) => client(channel).$method(request).await,
                    }
                })
            })
            .await
    };
}

/// A poll: empty when its time is over or this node goes away, wherever it waits.
macro_rules! poll {
    ($self:ident, $request:ident, $method:ident) => {{
        let request = $request.into_inner();
        if $self.is_alone() {
            return MatchingService::$method(&$self.matching, Request::new(request)).await;
        }
        let until = time(request.deadline);
        let queue = request
            .request
            .as_ref()
            .and_then(|it| name(it.task_queue.as_ref()));
        let place = place(&request.namespace_id, queue);
        let mut draining = $self.draining.subscribe();
        tokio::select! {
            answer = async { at_home!($self, request, $method, place, until) } => {
                let over = until.is_some_and(|until| until <= $self.clock.now());
                match answer {
                    Err(_) if over => Ok(Response::new(Default::default())),
                    answer => answer,
                }
            }
            _ = draining.wait_for(|draining| *draining) => Ok(Response::new(Default::default())),
        }
    }};
}

#[async_trait]
impl MatchingService for Router {
    async fn poll_workflow_task_queue(
        &self,
        request: Request<internal::PollWorkflowTaskQueueRequest>,
    ) -> Answer<public::PollWorkflowTaskQueueResponse> {
        poll!(self, request, poll_workflow_task_queue)
    }

    async fn poll_activity_task_queue(
        &self,
        request: Request<internal::PollActivityTaskQueueRequest>,
    ) -> Answer<public::PollActivityTaskQueueResponse> {
        poll!(self, request, poll_activity_task_queue)
    }

    async fn offer(
        &self,
        request: Request<internal::OfferRequest>,
    ) -> Answer<internal::OfferResponse> {
        let request = request.into_inner();
        if self.is_alone() {
            return Ok(Response::new(self.matching.offer(request)));
        }
        let view = self.view();
        let mut all = internal::OfferResponse::default();
        let mut parts = Vec::new();
        for (home, part) in divide(&view, request) {
            let to = home.and_then(|node| self.to(&node.id, &node.address));
            match to {
                None => all.not_taken.extend(queues(&part)),
                Some(To::Here) => add(&mut all, self.matching.offer(part)),
                Some(To::There(channel)) => parts.push(offer_there(channel, part)),
            }
        }
        for answered in join_all(parts).await {
            add(&mut all, answered);
        }
        Ok(Response::new(all))
    }

    async fn query_workflow(
        &self,
        request: Request<internal::QueryWorkflowRequest>,
    ) -> Answer<internal::QueryWorkflowResponse> {
        let request = request.into_inner();
        if self.is_alone() {
            return MatchingService::query_workflow(&self.matching, Request::new(request)).await;
        }
        let until = time(request.deadline);
        let queue = request.queue.as_ref();
        let namespace = queue.map_or(&[][..], |queue| &queue.namespace_id);
        let place = place(namespace, queue.map(|queue| queue.name.as_str()));
        at_home!(self, request, query_workflow, place, until)
    }

    async fn respond_query_task_completed(
        &self,
        request: Request<internal::RespondQueryTaskCompletedRequest>,
    ) -> Answer<public::RespondQueryTaskCompletedResponse> {
        let request = request.into_inner();
        let token = request.token.as_ref();
        let namespace = token.map_or(&[][..], |token| &token.namespace_id);
        let place = place(namespace, token.map(|token| token.task_queue.as_str()));
        at_home!(self, request, respond_query_task_completed, place, None)
    }

    async fn describe_task_queue(
        &self,
        request: Request<internal::DescribeTaskQueueRequest>,
    ) -> Answer<public::DescribeTaskQueueResponse> {
        let request = request.into_inner();
        let asked = request.request.as_ref();
        let queue = asked.and_then(|it| name(it.task_queue.as_ref()));
        let place = place(&request.namespace_id, queue);
        at_home!(self, request, describe_task_queue, place, None)
    }

    /// Said on every node: a worker polls queues with different homes.
    async fn shutdown_worker(
        &self,
        request: Request<internal::ShutdownWorkerRequest>,
    ) -> Answer<public::ShutdownWorkerResponse> {
        let request = request.into_inner();
        let view = self.view();
        let others = view.nodes.iter().filter(|node| view.is_alive(node));
        let others = others.filter_map(|node| match self.to(&node.id, &node.address)? {
            To::Here => None,
            To::There(channel) => Some((node, channel)),
        });
        let goodbyes = others.map(|(node, channel)| {
            let request = Request::new(request.clone());
            async move {
                let said = async { client(channel).shutdown_worker(request).await };
                match tokio::time::timeout(GOODBYE_MAX, said).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(status)) => {
                        tracing::warn!(node = node.id, error = %status, "a worker's goodbye was not taken");
                    }
                    Err(_) => tracing::warn!(node = node.id, "a worker's goodbye was not answered"),
                }
            }
        });
        let goodbyes: Vec<_> = goodbyes.collect();
        let here = MatchingService::shutdown_worker(&self.matching, Request::new(request.clone()));
        let (_, answer) = tokio::join!(join_all(goodbyes), here);
        answer
    }
}

/// The parts of what a shard says, by the homes of the queues.
fn divide(
    view: &View,
    request: internal::OfferRequest,
) -> Vec<(Option<&Node>, internal::OfferRequest)> {
    let internal::OfferRequest {
        shard,
        epoch,
        offered,
        withdrawn,
        number,
    } = request;
    let home = |queue: Option<&internal::Queue>| {
        let queue = queue?;
        view.home(place(&queue.namespace_id, Some(&queue.name)))
    };
    let mut parts: BTreeMap<Option<&str>, (Option<&Node>, internal::OfferRequest)> =
        BTreeMap::new();
    let empty = || internal::OfferRequest {
        shard,
        epoch,
        number,
        ..internal::OfferRequest::default()
    };
    for offered in offered {
        let home = home(offered.queue.as_ref());
        let part = parts.entry(home.map(|home| home.id.as_str()));
        let (_, part) = part.or_insert_with(|| (home, empty()));
        part.offered.push(offered);
    }
    for withdrawn in withdrawn {
        let home = home(withdrawn.queue.as_ref());
        let part = parts.entry(home.map(|home| home.id.as_str()));
        let (_, part) = part.or_insert_with(|| (home, empty()));
        part.withdrawn.push(withdrawn);
    }
    parts.into_values().collect()
}

fn queues(part: &internal::OfferRequest) -> Vec<internal::Queue> {
    let queues = part.offered.iter().filter_map(|it| it.queue.clone());
    queues.collect()
}

fn add(all: &mut internal::OfferResponse, part: internal::OfferResponse) {
    all.sticky_worker_unavailable
        .extend(part.sticky_worker_unavailable);
    all.not_taken.extend(part.not_taken);
}

/// What another node does not take is offered again.
async fn offer_there(channel: Channel, part: internal::OfferRequest) -> internal::OfferResponse {
    let not_taken = queues(&part);
    let mut client = client(channel);
    let offered = client.offer(Request::new(part));
    match tokio::time::timeout(OFFER_MAX, offered).await {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(status)) => {
            tracing::debug!(error = %status, "another node did not take an offer");
            internal::OfferResponse {
                not_taken,
                ..internal::OfferResponse::default()
            }
        }
        Err(_) => internal::OfferResponse {
            not_taken,
            ..internal::OfferResponse::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn queue(name: &str) -> internal::Queue {
        internal::Queue {
            namespace_id: vec![7; 16],
            name: name.to_owned(),
            ..internal::Queue::default()
        }
    }

    #[test]
    fn what_a_shard_says_is_divided_by_the_homes_of_its_queues() {
        let node = |id: &str| Node {
            id: id.to_owned(),
            ..Node::default()
        };
        let view = View {
            nodes: vec![node("one"), node("two"), node("three")],
            ..View::default()
        };
        let names: BTreeSet<String> = (0..20).map(|number| format!("queue {number}")).collect();
        let request = internal::OfferRequest {
            shard: 3,
            epoch: 5,
            number: 9,
            offered: names
                .iter()
                .map(|name| internal::Offered {
                    queue: Some(queue(name)),
                    ..internal::Offered::default()
                })
                .collect(),
            withdrawn: vec![internal::Withdrawn {
                queue: Some(queue("queue 0")),
                ..internal::Withdrawn::default()
            }],
        };
        let namespace = NamespaceId([7; 16]);
        let parts = divide(&view, request);
        assert_eq!(parts.len(), 3);
        let mut seen = BTreeSet::new();
        for (home, part) in parts {
            assert_eq!((part.shard, part.epoch, part.number), (3, 5, 9));
            for queue in queues(&part) {
                assert_eq!(
                    home,
                    view.home(Place::Queue(NamespaceId([7; 16]), &queue.name))
                );
                assert!(seen.insert(queue.name));
            }
            for withdrawn in part.withdrawn {
                assert_eq!(home, view.home(Place::Queue(namespace, "queue 0")));
                assert_eq!(withdrawn.queue, Some(queue("queue 0")));
            }
        }
        assert_eq!(seen, names);
    }

    #[test]
    fn where_no_node_stays_nothing_is_taken() {
        let request = internal::OfferRequest {
            offered: vec![internal::Offered {
                queue: Some(queue("q")),
                ..internal::Offered::default()
            }],
            ..internal::OfferRequest::default()
        };
        let view = View::default();
        let parts = divide(&view, request);
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].0, None);
    }
}
