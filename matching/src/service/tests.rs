//! The shell against a history that keeps books of what it is asked, on a paused clock.

#![expect(clippy::float_cmp, reason = "rates in these stories are exact")]
#![expect(
    clippy::unnecessary_wraps,
    reason = "a deadline is given the way requests hold it"
)]
#![expect(deprecated, reason = "older clients still ask in the enhanced mode")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cairn_proto::cairn::history::v1::RecordTaskStartedRequest;
use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::cairn::matching::v1::matching_service_server::MatchingService;
use cairn_proto::cairn::matching::v1::query_workflow_response::Outcome;
use cairn_proto::cairn::matching::v1::{
    DescribeTaskQueueRequest, OfferRequest, OfferResponse, Offered, PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest, QueryWorkflowRequest, Queue, RespondQueryTaskCompletedRequest,
    ShutdownWorkerRequest, Task, Withdrawn, Work,
};
use cairn_proto::cairn::token::v1 as token;
use cairn_proto::elsewhere::Elsewhere;
use cairn_proto::prost_types::Timestamp;
use cairn_proto::temporal::api::enums::v1::{RateLimitSource, TaskQueueKind};
use cairn_proto::temporal::api::query::v1::WorkflowQuery;
use cairn_proto::temporal::api::taskqueue::v1::{TaskQueue, TaskQueueMetadata};
use cairn_proto::temporal::api::workflowservice::v1 as public;
use futures::FutureExt;
use parking_lot::Mutex;
use prost::Message;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use super::{Matching, Mine};

const NAMESPACE: [u8; 16] = [1; 16];
const EPOCH_SECONDS: i64 = 1_700_000_000;

/// A history that starts what it is asked to start, unless it was told to refuse.
#[derive(Default)]
struct Books {
    started: Mutex<Vec<RecordTaskStartedRequest>>,
    refusals: Mutex<VecDeque<Code>>,
    /// Each start waits for this permit, if there is one.
    gate: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
}

impl Books {
    async fn start(&self, request: RecordTaskStartedRequest) -> Result<Vec<u8>, Status> {
        let token = request.workflow_id.clone().into_bytes();
        self.started.lock().push(request);
        let gate = self.gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        match self.refusals.lock().pop_front() {
            Some(code) => Err(Status::new(code, "refused")),
            None => Ok(token),
        }
    }

    fn asked_for(&self) -> Vec<String> {
        let started = self.started.lock();
        started
            .iter()
            .map(|start| start.workflow_id.clone())
            .collect()
    }
}

#[async_trait]
impl HistoryService for Books {
    async fn record_workflow_task_started(
        &self,
        request: Request<RecordTaskStartedRequest>,
    ) -> Result<Response<public::PollWorkflowTaskQueueResponse>, Status> {
        Ok(Response::new(public::PollWorkflowTaskQueueResponse {
            task_token: self.start(request.into_inner()).await?,
            ..Default::default()
        }))
    }

    async fn record_activity_task_started(
        &self,
        request: Request<RecordTaskStartedRequest>,
    ) -> Result<Response<public::PollActivityTaskQueueResponse>, Status> {
        Ok(Response::new(public::PollActivityTaskQueueResponse {
            task_token: self.start(request.into_inner()).await?,
            ..Default::default()
        }))
    }
}

struct Bench {
    matching: Matching,
    history: Arc<Books>,
    begun: Instant,
}

fn bench() -> Bench {
    let begun = Instant::now();
    let clock =
        move || EPOCH_SECONDS * 1_000_000_000 + i64::try_from(begun.elapsed().as_nanos()).unwrap();
    let matching = Matching::new(Arc::new(clock), 42);
    let history = Arc::new(Books::default());
    matching.connect(history.clone());
    Bench {
        matching,
        history,
        begun,
    }
}

impl Bench {
    fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    fn deadline(&self, seconds: i64) -> Option<Timestamp> {
        let now = i64::try_from(self.begun.elapsed().as_secs()).unwrap();
        Some(Timestamp {
            seconds: EPOCH_SECONDS + now + seconds,
            nanos: 0,
        })
    }

    fn offer(&self, name: &str, task: &str) -> OfferResponse {
        self.offer_on(queue(name, Work::Workflow), task)
    }

    fn offer_on(&self, queue: Queue, task: &str) -> OfferResponse {
        self.matching.offer(OfferRequest {
            shard: 1,
            epoch: 1,
            number: 1,
            offered: vec![Offered {
                queue: Some(queue),
                task: Some(self::task(task)),
                priority: 3,
                time: EPOCH_SECONDS * 1_000_000_000,
            }],
            withdrawn: Vec::new(),
        })
    }

    fn request(&self, name: &str, kind: TaskQueueKind) -> PollWorkflowTaskQueueRequest {
        PollWorkflowTaskQueueRequest {
            namespace_id: NAMESPACE.to_vec(),
            request: Some(public::PollWorkflowTaskQueueRequest {
                task_queue: Some(TaskQueue {
                    name: name.to_owned(),
                    kind: kind.into(),
                    normal_name: String::new(),
                }),
                identity: "worker".to_owned(),
                worker_instance_key: "instance".to_owned(),
                ..Default::default()
            }),
            deadline: self.deadline(60),
        }
    }

    fn poll(&self, name: &str) -> JoinHandle<public::PollWorkflowTaskQueueResponse> {
        self.spawn(self.request(name, TaskQueueKind::Normal))
    }

    fn poll_sticky(&self, name: &str) -> JoinHandle<public::PollWorkflowTaskQueueResponse> {
        self.spawn(self.request(name, TaskQueueKind::Sticky))
    }

    #[expect(clippy::disallowed_methods, reason = "a worker is a task of its own")]
    fn spawn(
        &self,
        request: PollWorkflowTaskQueueRequest,
    ) -> JoinHandle<public::PollWorkflowTaskQueueResponse> {
        let matching = self.matching.clone();
        tokio::spawn(async move {
            let answer = matching.poll_workflow_task_queue(Request::new(request));
            answer.await.unwrap().into_inner()
        })
    }

    #[expect(clippy::disallowed_methods, reason = "an asker is a task of its own")]
    fn query(&self, queue: Queue, seconds: i64) -> JoinHandle<Result<Outcome, Status>> {
        let matching = self.matching.clone();
        let request = QueryWorkflowRequest {
            queue: Some(queue),
            task: Some(public::PollWorkflowTaskQueueResponse {
                query: Some(WorkflowQuery {
                    query_type: "status".to_owned(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            deadline: self.deadline(seconds),
        };
        tokio::spawn(async move {
            let answer = matching.query_workflow(Request::new(request)).await?;
            Ok(answer.into_inner().outcome.unwrap())
        })
    }

    async fn answer(&self, token: token::Query, message: &str) -> Result<(), Status> {
        let request = RespondQueryTaskCompletedRequest {
            token: Some(token),
            request: Some(public::RespondQueryTaskCompletedRequest {
                error_message: message.to_owned(),
                ..Default::default()
            }),
        };
        let answer = self
            .matching
            .respond_query_task_completed(Request::new(request));
        answer.await.map(|_| ())
    }

    async fn describe(
        &self,
        request: public::DescribeTaskQueueRequest,
    ) -> Result<public::DescribeTaskQueueResponse, Status> {
        let request = DescribeTaskQueueRequest {
            namespace_id: NAMESPACE.to_vec(),
            request: Some(request),
        };
        let answer = self.matching.describe_task_queue(Request::new(request));
        answer.await.map(Response::into_inner)
    }

    async fn shutdown_worker(&self, sticky_task_queue: &str) {
        let request = ShutdownWorkerRequest {
            namespace_id: NAMESPACE.to_vec(),
            request: Some(public::ShutdownWorkerRequest {
                sticky_task_queue: sticky_task_queue.to_owned(),
                worker_instance_key: "instance".to_owned(),
                ..Default::default()
            }),
        };
        let answer = self.matching.shutdown_worker(Request::new(request));
        answer.await.unwrap();
    }
}

fn queue(name: &str, work: Work) -> Queue {
    Queue {
        namespace_id: NAMESPACE.to_vec(),
        name: name.to_owned(),
        work: work.into(),
        sticky_of: String::new(),
    }
}

fn sticky(name: &str) -> Queue {
    Queue {
        sticky_of: "normal".to_owned(),
        ..queue(name, Work::Workflow)
    }
}

fn task(name: &str) -> Task {
    Task {
        workflow_id: name.to_owned(),
        run_id: vec![name.as_bytes()[0]; 16],
        scheduled_event_id: 2,
        attempt: 1,
    }
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_offer_wakes_the_poll_and_history_answers_it() {
    let bench = bench();
    let poll = bench.poll("q");
    settle().await;
    bench.offer("q", "a");
    assert_eq!(poll.await.unwrap().task_token, b"a");
    let started = bench.history.started.lock();
    assert_eq!(started[0].identity, "worker");
    assert_eq!(started[0].task_queue.as_ref().unwrap().name, "q");
    assert_eq!(started[0].run_id, [b'a'; 16]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_work_ends_with_exactly_the_default_message() {
    let bench = bench();
    let answer = bench.poll("q").await.unwrap();
    assert_eq!(answer, public::PollWorkflowTaskQueueResponse::default());
    assert_eq!(bench.seconds().round(), 60.0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_start_is_dropped_and_the_poll_waits_on() {
    let bench = bench();
    let refusals = [
        Code::NotFound,
        Code::AlreadyExists,
        Code::FailedPrecondition,
    ];
    bench.history.refusals.lock().extend(refusals);
    for task in ["a", "b", "c", "d"] {
        bench.offer("q", task);
    }
    assert_eq!(bench.poll("q").await.unwrap().task_token, b"d");
    assert_eq!(bench.history.asked_for(), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_history_is_asked_again_with_the_same_request_id() {
    let bench = bench();
    bench.history.refusals.lock().push_back(Code::Unavailable);
    bench.offer("q", "a");
    assert_eq!(bench.poll("q").await.unwrap().task_token, b"a");
    let started = bench.history.started.lock();
    assert_eq!(started.len(), 2);
    assert_eq!(started[0].request_id, started[1].request_id);
    assert!(bench.seconds() < 0.1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_poll_leaves_the_offer_to_the_next() {
    let bench = bench();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *bench.history.gate.lock() = Some(gate);
    let waiting = bench.poll("q");
    let starting = bench.poll("q");
    settle().await;
    waiting.abort();
    settle().await;
    bench.offer("q", "a");
    settle().await;
    assert_eq!(bench.history.asked_for(), ["a"]);
    // The worker hangs up while history is being asked.
    starting.abort();
    settle().await;
    *bench.history.gate.lock() = None;
    assert_eq!(bench.poll("q").await.unwrap().task_token, b"a");
    let started = bench.history.started.lock();
    assert_ne!(started[0].request_id, started[1].request_id);
}

#[tokio::test(start_paused = true)]
async fn an_offer_on_a_sticky_queue_without_worker_comes_back() {
    let bench = bench();
    let response = bench.offer_on(sticky("s"), "a");
    let expected = Withdrawn {
        queue: Some(sticky("s")),
        task: Some(task("a")),
    };
    assert_eq!(response.sticky_worker_unavailable, [expected]);
    let poll = bench.poll_sticky("s");
    settle().await;
    let response = bench.offer_on(sticky("s"), "a");
    assert_eq!(response, OfferResponse::default());
    assert_eq!(poll.await.unwrap().task_token, b"a");
}

#[tokio::test(start_paused = true)]
async fn a_sticky_and_a_normal_queue_of_one_name_are_two() {
    let bench = bench();
    let poll = bench.poll_sticky("q");
    settle().await;
    bench.offer("q", "a");
    settle().await;
    assert_eq!(bench.history.asked_for(), [""; 0]);
    poll.abort();
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_offer_starts_nothing() {
    let bench = bench();
    bench.offer("q", "a");
    bench.matching.offer(OfferRequest {
        shard: 1,
        epoch: 1,
        number: 1,
        offered: Vec::new(),
        withdrawn: vec![Withdrawn {
            queue: Some(queue("q", Work::Workflow)),
            task: Some(task("a")),
        }],
    });
    let answer = bench.poll("q").await.unwrap();
    assert_eq!(answer, public::PollWorkflowTaskQueueResponse::default());
}

#[tokio::test(start_paused = true)]
async fn a_higher_epoch_voids_offers_on_every_queue() {
    let bench = bench();
    for name in ["q", "r", "s", "t"] {
        bench.offer(name, name);
    }
    bench.matching.offer(OfferRequest {
        shard: 1,
        epoch: 2,
        ..OfferRequest::default()
    });
    for name in ["q", "r", "s", "t"] {
        let answer = bench.poll(name).await.unwrap();
        assert_eq!(answer, public::PollWorkflowTaskQueueResponse::default());
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_is_answered_by_the_poller() {
    let bench = bench();
    bench.offer("q", "a");
    let query = bench.query(queue("q", Work::Workflow), 10);
    settle().await;
    let given = bench.poll("q").await.unwrap();
    assert_eq!(given.query.unwrap().query_type, "status");
    let token = token::Query::decode(&*given.task_token).unwrap();
    assert_eq!(token.task_queue, "q");
    bench.answer(token.clone(), "well").await.unwrap();
    let Outcome::Answer(answer) = query.await.unwrap().unwrap() else {
        panic!("no answer");
    };
    assert_eq!(answer.error_message, "well");
    let again = bench.answer(token, "well").await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
    assert_eq!(again.message(), "query task not found, or already expired");
    assert_eq!(bench.history.asked_for(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_query_without_pollers_says_so_a_second_before_its_deadline() {
    let bench = bench();
    let query = bench.query(queue("q", Work::Workflow), 5);
    assert_eq!(query.await.unwrap().unwrap(), Outcome::NoPoller(true));
    assert_eq!(bench.seconds().round(), 4.0);
}

#[tokio::test(start_paused = true)]
async fn a_query_that_a_worker_never_answers_times_out() {
    let bench = bench();
    let query = bench.query(queue("q", Work::Workflow), 40);
    settle().await;
    let given = bench.poll("q").await.unwrap();
    assert_eq!(query.await.unwrap().unwrap(), Outcome::TimedOut(true));
    let token = token::Query::decode(&*given.task_token).unwrap();
    let late = bench.answer(token, "late").await.unwrap_err();
    assert_eq!(late.code(), Code::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_query_whose_asker_left_goes_to_nobody() {
    let bench = bench();
    let query = bench.query(queue("q", Work::Workflow), 40);
    settle().await;
    query.abort();
    settle().await;
    let answer = bench.poll("q").await.unwrap();
    assert_eq!(answer, public::PollWorkflowTaskQueueResponse::default());
}

#[tokio::test(start_paused = true)]
async fn a_query_for_a_sticky_worker_that_is_away_returns_at_once() {
    let bench = bench();
    let query = bench.query(sticky("s"), 5);
    let outcome = query.await.unwrap().unwrap();
    assert_eq!(outcome, Outcome::StickyWorkerUnavailable(true));
    assert_eq!(bench.seconds(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_shuts_down_gets_its_polls_back_and_no_more_work() {
    let bench = bench();
    let normal = bench.poll("q");
    let stickily = bench.poll_sticky("s");
    settle().await;
    bench.shutdown_worker("s").await;
    let empty = public::PollWorkflowTaskQueueResponse::default();
    assert_eq!(normal.await.unwrap(), empty);
    assert_eq!(stickily.await.unwrap(), empty);
    assert_eq!(bench.poll("q").await.unwrap(), empty);
    assert_eq!(bench.seconds(), 0.0);
    let response = bench.offer_on(sticky("s"), "a");
    assert_eq!(response.sticky_worker_unavailable.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn draining_ends_polls_and_queries() {
    let bench = bench();
    let poll = bench.poll("q");
    let query = bench.query(queue("r", Work::Workflow), 30);
    settle().await;
    bench.matching.drain();
    let empty = public::PollWorkflowTaskQueueResponse::default();
    assert_eq!(poll.await.unwrap(), empty);
    let refused = query.await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(bench.poll("q").await.unwrap(), empty);
    assert_eq!(bench.seconds(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_lets_a_waiting_poll_go_on_when_it_may() {
    let bench = bench();
    for task in ["a", "b", "c"] {
        bench.offer_on(queue("q", Work::Activity), task);
    }
    for (task, seconds) in [("a", 0.0), ("b", 0.5), ("c", 1.0)] {
        let request = PollActivityTaskQueueRequest {
            namespace_id: NAMESPACE.to_vec(),
            request: Some(public::PollActivityTaskQueueRequest {
                task_queue: Some(TaskQueue {
                    name: "q".to_owned(),
                    ..Default::default()
                }),
                identity: "worker".to_owned(),
                task_queue_metadata: Some(TaskQueueMetadata {
                    max_tasks_per_second: Some(2.0),
                }),
                ..Default::default()
            }),
            deadline: None,
        };
        let answer = bench
            .matching
            .poll_activity_task_queue(Request::new(request));
        assert_eq!(
            answer.await.unwrap().into_inner().task_token,
            task.as_bytes()
        );
        // The first second's worth goes at once, then one each half second.
        let at = (seconds - 0.5_f64).max(0.0);
        assert!(
            (bench.seconds() - at).abs() < 0.01,
            "{task} at {}",
            bench.seconds()
        );
    }
    let seen = bench
        .describe(public::DescribeTaskQueueRequest {
            task_queue: Some(TaskQueue {
                name: "q".to_owned(),
                ..Default::default()
            }),
            task_queue_type: 2,
            report_stats: true,
            ..Default::default()
        })
        .await
        .unwrap();
    assert_eq!(seen.pollers[0].rate_per_second, 2.0);
    let limit = seen.effective_rate_limit.unwrap();
    assert_eq!(limit.requests_per_second, 2.0);
    assert_eq!(limit.rate_limit_source(), RateLimitSource::Worker);
    assert!(seen.stats.unwrap().rate_limiting_active);
}

#[tokio::test(start_paused = true)]
async fn a_described_queue_shows_backlog_and_pollers() {
    let bench = bench();
    bench.offer("q", "a");
    bench.offer("q", "b");
    tokio::time::advance(Duration::from_secs(2)).await;
    let given = bench.poll("q").await.unwrap();
    assert_eq!(given.backlog_count_hint, 1);
    let delta = given.poller_scaling_decision.unwrap();
    assert_eq!(delta.poll_request_delta_suggestion, 1);
    let asked = public::DescribeTaskQueueRequest {
        task_queue: Some(TaskQueue {
            name: "q".to_owned(),
            ..Default::default()
        }),
        report_stats: true,
        ..Default::default()
    };
    let seen = bench.describe(asked.clone()).await.unwrap();
    assert_eq!(seen.pollers[0].identity, "worker");
    let stats = seen.stats.unwrap();
    assert_eq!(stats.approximate_backlog_count, 1);
    assert_eq!(stats.approximate_backlog_age.unwrap().seconds, 2);
    assert_eq!(seen.stats_by_priority_key[&3], stats);
    let enhanced = public::DescribeTaskQueueRequest {
        api_mode: 1,
        ..asked
    };
    let seen = bench.describe(enhanced).await.unwrap();
    let info = &seen.versions_info[""].types_info;
    assert_eq!(info[&1].stats, Some(stats));
    assert!(info[&2].pollers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_nameless_queue_is_an_invalid_argument() {
    let bench = bench();
    let request = bench.request("", TaskQueueKind::Normal);
    let answer = bench
        .matching
        .poll_workflow_task_queue(Request::new(request));
    let refused = answer.now_or_never().unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

/// Leaves every queue but this one to other nodes.
fn keep(bench: &Bench, kept: &'static str) {
    bench
        .matching
        .place(&(Arc::new(move |_: &[u8; 16], name: &str| name == kept) as Mine));
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "a worker is a task of its own")]
async fn whoever_waits_at_a_queue_that_moves_is_sent_on() {
    let bench = bench();
    let matching = bench.matching.clone();
    let request = bench.request("q", TaskQueueKind::Normal);
    let poll = tokio::spawn(async move {
        matching
            .poll_workflow_task_queue(Request::new(request))
            .await
    });
    let kept = bench.poll("kept");
    let asked = bench.query(queue("r", Work::Workflow), 30);
    let handed = bench.query(queue("s", Work::Workflow), 30);
    settle().await;
    let worker = bench.poll("s").await.unwrap();
    keep(&bench, "kept");
    let moved = |status: &Status| Elsewhere::of(status) == Some(Elsewhere::Never);
    assert!(moved(&poll.await.unwrap().unwrap_err()));
    assert!(moved(&asked.await.unwrap().unwrap_err()));
    // Asked again there: the answer that the worker owes here is nobody's.
    assert!(moved(&handed.await.unwrap().unwrap_err()));
    let token = token::Query::decode(&*worker.task_token).unwrap();
    assert!(moved(&bench.answer(token, "late").await.unwrap_err()));
    bench.offer("kept", "a");
    assert_eq!(kept.await.unwrap().task_token, b"a");
}

#[tokio::test(start_paused = true)]
async fn what_belongs_elsewhere_is_not_taken() {
    let bench = bench();
    keep(&bench, "kept");
    let response = bench.offer("q", "a");
    assert_eq!(response.not_taken, [queue("q", Work::Workflow)]);
    assert_eq!(bench.offer("kept", "b").not_taken, []);
    let request = public::DescribeTaskQueueRequest {
        task_queue: Some(TaskQueue {
            name: "q".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let refused = bench.describe(request).await.unwrap_err();
    assert_eq!(Elsewhere::of(&refused), Some(Elsewhere::Never));
    assert_eq!(bench.seconds(), 0.0);
}
