//! The shell of matching: polls that wait as tasks, the clock, and the calls to history.
//!
//! Queues are spread over stripes by namespace and name, each behind its own lock; no lock is held across an await. Tokens
//! leave here unsealed: the token of a query task is the plain encoding of `cairn.token.v1.Query`, and the frontend seals
//! and opens every token at the edge. Deliberately absent: what a task is (history's), and who may ask (the frontend's).

mod describe;
mod meters;
mod poll;
mod query;
mod stripe;
mod timekeeper;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;
use cairn_proto::cairn::matching::v1::{
    DescribeTaskQueueRequest, OfferRequest, OfferResponse, PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest, QueryWorkflowRequest, QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest, ShutdownWorkerRequest,
};
use cairn_proto::temporal::api::workflowservice::v1 as public;
use parking_lot::RwLock;
use tonic::{Request, Response, Status};

use crate::queue::{Name, Refusal, Time, Word, Work};
use meters::Meters;
use stripe::Stripe;
use timekeeper::Timekeeper;

/// Nanoseconds since the Unix epoch, never backwards.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Is the queue of this namespace and name one of this node's?
pub type Mine = Arc<dyn Fn(&[u8; 16], &str) -> bool + Send + Sync>;

const STRIPES: usize = 16;

/// The matching service. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Matching {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    history: OnceLock<Arc<dyn HistoryService>>,
    stripes: [Stripe; STRIPES],
    /// Under which epoch each shard was last heard; each stripe has its own copy, which decides.
    epochs: RwLock<BTreeMap<u32, u64>>,
    timekeeper: Timekeeper,
    meters: Meters,
    draining: AtomicBool,
    /// `None`: every queue is this node's.
    mine: RwLock<Option<Mine>>,
    seed: u64,
    ids: AtomicU64,
}

impl Matching {
    /// A service without queues. `seed` must differ from process to process (ids of polls and queries are made from it) and
    /// may be fixed in a simulation. Metrics are registered here: install the recorder before.
    pub fn new(clock: Clock, seed: u64) -> Self {
        let inner = Inner {
            clock,
            history: OnceLock::new(),
            stripes: std::array::from_fn(|_| Stripe::default()),
            epochs: RwLock::default(),
            timekeeper: Timekeeper::default(),
            meters: Meters::new(),
            draining: AtomicBool::new(false),
            mine: RwLock::default(),
            seed,
            ids: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Introduces history. The first call counts; until then polls are answered UNAVAILABLE.
    pub fn connect(&self, history: Arc<dyn HistoryService>) {
        // A second introduction changes nothing.
        let _ = self.inner.history.set(history);
    }

    /// The server goes away: all waiting polls end empty, new ones at once; queries that nobody took are UNAVAILABLE.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Release);
        for stripe in &self.inner.stripes {
            self.inner.step(stripe, |state, _, out| state.close(out));
        }
    }

    /// From now on only these queues are this node's. Whoever waits at another is told to ask elsewhere; what was offered there is
    /// forgotten, and offered again by its shards.
    pub fn place(&self, mine: &Mine) {
        *self.inner.mine.write() = Some(Arc::clone(mine));
        // Whoever comes to a stripe behind this asks the new judge, under the same lock.
        for stripe in &self.inner.stripes {
            self.inner.step(stripe, |state, _, out| {
                state.give_up(|namespace, name| !mine(namespace, name), out);
            });
        }
    }

    /// Takes what a shard offers and withdraws. Never waits: the same as the RPC, for callers in this process.
    pub fn offer(&self, request: OfferRequest) -> OfferResponse {
        let OfferRequest {
            shard,
            epoch,
            offered,
            withdrawn,
            number,
        } = request;
        let mut response = OfferResponse::default();
        let by = Word {
            shard,
            epoch,
            number,
        };
        self.inner.raise_everywhere(shard, epoch);
        for withdrawn in withdrawn {
            self.inner.withdraw(by, withdrawn);
        }
        for offered in offered {
            self.inner.offer(by, offered, &mut response);
        }
        response
    }
}

impl fmt::Debug for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matching").finish_non_exhaustive()
    }
}

#[async_trait]
impl MatchingService for Matching {
    async fn poll_workflow_task_queue(
        &self,
        request: Request<PollWorkflowTaskQueueRequest>,
    ) -> Result<Response<public::PollWorkflowTaskQueueResponse>, Status> {
        poll::workflow(&self.inner, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn poll_activity_task_queue(
        &self,
        request: Request<PollActivityTaskQueueRequest>,
    ) -> Result<Response<public::PollActivityTaskQueueResponse>, Status> {
        poll::activity(&self.inner, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn offer(
        &self,
        request: Request<OfferRequest>,
    ) -> Result<Response<OfferResponse>, Status> {
        Ok(Response::new(self.offer(request.into_inner())))
    }

    async fn query_workflow(
        &self,
        request: Request<QueryWorkflowRequest>,
    ) -> Result<Response<QueryWorkflowResponse>, Status> {
        query::ask(&self.inner, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn respond_query_task_completed(
        &self,
        request: Request<RespondQueryTaskCompletedRequest>,
    ) -> Result<Response<public::RespondQueryTaskCompletedResponse>, Status> {
        query::answer(&self.inner, request.into_inner()).map(Response::new)
    }

    async fn describe_task_queue(
        &self,
        request: Request<DescribeTaskQueueRequest>,
    ) -> Result<Response<public::DescribeTaskQueueResponse>, Status> {
        describe::describe(&self.inner, request.into_inner()).map(Response::new)
    }

    async fn shutdown_worker(
        &self,
        request: Request<ShutdownWorkerRequest>,
    ) -> Result<Response<public::ShutdownWorkerResponse>, Status> {
        self.inner.shutdown_worker(request.into_inner())?;
        Ok(Response::new(public::ShutdownWorkerResponse::default()))
    }
}

impl Inner {
    fn now(&self) -> Time {
        Time((self.clock)())
    }

    /// How long until `deadline`, by the server's clock.
    fn until(&self, deadline: Time) -> Duration {
        deadline.since(self.now())
    }

    fn history(&self) -> Result<Arc<dyn HistoryService>, Status> {
        let history = self.history.get().cloned();
        history.ok_or_else(|| Status::unavailable("the history service is not there yet"))
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    fn stripe(&self, namespace: &[u8; 16], name: &str) -> &Stripe {
        // FNV-1a: the same in every process, and these are a few dozen bytes.
        let bytes = namespace.iter().chain(name.as_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The high bits are the better mixed ones.
        let index = usize::try_from(hash >> 60).expect("four bits");
        &self.stripes[index]
    }

    /// An id that no other poll or query has.
    fn fresh_id(&self) -> u128 {
        let nth = self.ids.fetch_add(1, Ordering::Relaxed);
        let high = mix(self.seed ^ mix(nth));
        let low = mix(high ^ self.seed.rotate_left(32) ^ nth);
        (u128::from(high) << 64) | u128::from(low)
    }

    fn raise_everywhere(&self, shard: u32, epoch: u64) {
        let knows = |known: &u64| epoch <= *known;
        if self.epochs.read().get(&shard).is_some_and(knows) {
            return;
        }
        for stripe in &self.stripes {
            self.step(stripe, |state, _, _| state.queues.raise(shard, epoch));
        }
        // Last: whoever finds the epoch here finds it in every stripe.
        let mut epochs = self.epochs.write();
        let latest = epochs.entry(shard).or_default();
        *latest = epoch.max(*latest);
    }

    fn is_mine(&self, namespace: &[u8; 16], name: &str) -> bool {
        self.mine
            .read()
            .as_ref()
            .is_none_or(|mine| mine(namespace, name))
    }

    fn offer(&self, by: Word, offered: wire::Offered, response: &mut OfferResponse) {
        let sticky_of = wire::sticky_of(&offered);
        let queue = offered.queue.clone();
        let Some((name, offer)) = wire::offered(by, offered) else {
            tracing::warn!(by.shard, "an offer without queue or task is dropped");
            return;
        };
        let back = sticky_of.map(|normal| wire::withdrawn(&name, normal, &offer));
        let work = name.work;
        let stripe = self.stripe(&name.namespace, &name.name);
        let taken = self.step(stripe, |state, now, out| {
            self.is_mine(&name.namespace, &name.name)
                .then(|| state.queues.offer(name, offer, now, out))
        });
        match taken {
            None => response.not_taken.extend(queue),
            Some(Ok(false)) => {}
            Some(Ok(true)) => self.meters.of(work).no_poller.increment(1),
            Some(Err(Refusal::StickyWorkerUnavailable)) => {
                response.sticky_worker_unavailable.extend(back);
            }
            Some(Err(Refusal::StaleEpoch)) => {
                tracing::debug!(by.shard, by.epoch, "an offer of a former owner is dropped");
            }
        }
    }

    fn withdraw(&self, by: Word, withdrawn: wire::Withdrawn) {
        let (Some(name), Some(task)) = (
            withdrawn.queue.and_then(wire::name),
            withdrawn.task.as_ref().and_then(wire::task_id),
        ) else {
            tracing::warn!(by.shard, "a withdrawal without queue or task is dropped");
            return;
        };
        let stripe = self.stripe(&name.namespace, &name.name);
        self.step(stripe, |state, _, _| {
            state.queues.withdraw(&name, by, task);
        });
    }

    fn shutdown_worker(&self, request: ShutdownWorkerRequest) -> Result<(), Status> {
        let namespace = wire::namespace(&request.namespace_id)?;
        let worker = request.request.unwrap_or_default();
        for stripe in &self.stripes {
            self.step(stripe, |state, now, out| {
                let key = &worker.worker_instance_key;
                state.queues.worker_gone(namespace, key, now, out);
            });
        }
        if worker.sticky_task_queue.is_empty() {
            return Ok(());
        }
        let name = Name {
            namespace,
            name: worker.sticky_task_queue,
            work: Work::Workflow,
            sticky: true,
        };
        let stripe = self.stripe(&namespace, &name.name);
        self.step(stripe, |state, _, out| {
            state.queues.forget_sticky(&name, out);
        });
        Ok(())
    }
}

/// The finaliser of `SplitMix64`: spreads a counter over all bits.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
