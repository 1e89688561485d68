//! Thousands of runs of one shard that wait for a worker, out of memory, when the server dies: after the restart all of them get
//! their workflow task, in a small stack. (Each is read back because the one before it was.)
//!
//! Deliberately absent: speed; `cairn bench` measures that.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cairn_frontend::engine::{Engine, Options};
use cairn_history::audit::{Scan, Violation};
use cairn_history::execution::Limits;
use cairn_history::id::{ShardId, Time};
use cairn_history::log::Store;
use cairn_history::log::model::{self, Model};
use cairn_history::service::{self, Clock, SystemClock};
use cairn_history::shard;
use cairn_proto::temporal::api::common::v1::WorkflowType;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::workflowservice::workflow_service_server::WorkflowService;
use futures::future::join_all;
use tonic::Request;

const RUNS: usize = 2_000;
/// Enough for what one call needs in a debug build, not for one call in each run.
const STACK: usize = 512 << 10;
/// Nanoseconds after which a run that nobody touched leaves memory.
const QUIET: i64 = 6_000_000_000;
const HOUR: Duration = Duration::from_hours(1);

/// The machine's clock, put forward.
#[derive(Debug, Default)]
struct Ahead {
    clock: SystemClock,
    by: AtomicI64,
}

impl Clock for Ahead {
    fn now(&self) -> Time {
        Time(self.clock.now().0 + self.by.load(Ordering::Acquire))
    }
}

async fn open(store: &Model, clock: &Arc<Ahead>) -> Engine {
    let options = Options {
        frontend: cairn_frontend::Config::default(),
        history: service::Config {
            limits: Limits::default(),
            shard: shard::Config::default(),
            owner: "test".to_owned(),
            member: None,
            caller: None,
        },
        namespaces: vec![("default".to_owned(), 24 * HOUR)],
        search_attributes: std::collections::BTreeMap::new(),
        cluster: None,
    };
    let clock = Arc::clone(clock);
    Engine::open(Arc::new(store.clone()), clock, options)
        .await
        .unwrap()
}

fn queue() -> TaskQueue {
    TaskQueue {
        name: "queue".to_owned(),
        ..TaskQueue::default()
    }
}

fn start(number: usize) -> Request<pb::StartWorkflowExecutionRequest> {
    Request::new(pb::StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: format!("waiter-{number}"),
        workflow_type: Some(WorkflowType {
            name: "Waiter".to_owned(),
        }),
        task_queue: Some(queue()),
        request_id: number.to_string(),
        ..pb::StartWorkflowExecutionRequest::default()
    })
}

async fn parked(store: &Model) -> u64 {
    let queues = store.parked_queues(ShardId(0)).await.unwrap();
    queues.iter().map(|(_, count, _)| count).sum()
}

/// What does not fit together in what is stored.
async fn audit(store: &Model) -> Vec<Violation> {
    let mut scan = Scan::new(Arc::new(store.clone()), store.shards(), None);
    let mut found = Vec::new();
    while let Some(violations) = scan.next().await.unwrap() {
        found.extend(violations);
    }
    assert_eq!(scan.seen().runs, RUNS as u64);
    found
}

fn poll() -> Request<pb::PollWorkflowTaskQueueRequest> {
    let mut request = Request::new(pb::PollWorkflowTaskQueueRequest {
        namespace: "default".to_owned(),
        task_queue: Some(queue()),
        ..pb::PollWorkflowTaskQueueRequest::default()
    });
    request.set_timeout(Duration::from_secs(30));
    request
}

#[test]
fn thousands_of_parked_runs_are_read_back_after_a_restart() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::spawn(wake()).await.unwrap() });
}

async fn wake() {
    let store = Model::with(model::Options {
        shards: 1,
        ..model::Options::default()
    });
    let clock = Arc::new(Ahead::default());
    let engine = open(&store, &clock).await;
    let frontend = engine.frontend();
    for started in
        join_all((0..RUNS).map(|number| frontend.start_workflow_execution(start(number)))).await
    {
        started.unwrap();
    }
    clock.by.fetch_add(QUIET, Ordering::AcqRel);
    while parked(&store).await < RUNS as u64 {
        tokio::task::yield_now().await;
    }
    let store = store.crash();
    assert_eq!(audit(&store).await, []);
    let engine = open(&store, &clock).await;
    let frontend = engine.frontend();
    let mut woken = BTreeSet::new();
    while woken.len() < RUNS {
        let polls = join_all((0..100).map(|_| frontend.poll_workflow_task_queue(poll()))).await;
        for polled in polls {
            let task = polled.unwrap().into_inner();
            let execution = task
                .workflow_execution
                .expect("a task before the poll ends");
            woken.insert(execution.workflow_id);
        }
    }
    engine.close().await;
    assert_eq!(audit(&store).await, []);
}
