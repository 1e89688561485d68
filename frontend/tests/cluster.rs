//! Three processes on one database: whatever is asked of any of them is answered by the owner, also after one of them died and
//! another took its leave.
//!
//! Each engine has a runtime and an internal port of its own. On the log in memory always; on PostgreSQL with the feature
//! `postgres-tests`. Deliberately absent: how long a takeover takes; that is measured, not tested.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]
#![expect(clippy::doc_markdown, reason = "PostgreSQL is a name")]

use std::sync::Arc;
use std::time::Duration;

use cairn_frontend::Frontend;
use cairn_frontend::engine::{Cluster, Engine, Options, Tls};
use cairn_history::execution::Limits;
use cairn_history::log::Store;
use cairn_history::placement::{Node, Place, View};
use cairn_history::service::{self, SystemClock};
use cairn_history::shard;
use cairn_proto::temporal::api::command::v1::command::Attributes;
use cairn_proto::temporal::api::command::v1::{
    Command, CompleteWorkflowExecutionCommandAttributes,
};
use cairn_proto::temporal::api::common::v1::{WorkflowExecution, WorkflowType};
use cairn_proto::temporal::api::enums::v1::{
    CommandType, EventType, HistoryEventFilterType, QueryResultType,
};
use cairn_proto::temporal::api::namespace::v1::UpdateNamespaceInfo;
use cairn_proto::temporal::api::query::v1::WorkflowQuery;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::workflowservice::workflow_service_server::WorkflowService;
use futures::future::join_all;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::Request;

#[path = "cluster/memory.rs"]
mod memory;
#[cfg(feature = "postgres-tests")]
#[path = "cluster/postgres.rs"]
mod postgres;
#[path = "cluster/tls.rs"]
mod tls;

const NAMESPACE: &str = "everywhere";
const SHARDS: u32 = 8;
/// Enough for every shard, more than once.
const RUNS: usize = 40;

/// A process, but for its address space.
struct Process {
    runtime: Option<Runtime>,
    engine: Engine,
    /// Its internal port.
    address: String,
}

impl Process {
    async fn start(name: &str, store: Arc<dyn Store>, tls: Option<Tls>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let name = name.to_owned();
        let (engine, address) = runtime
            .spawn(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap().to_string();
                let options = Options {
                    frontend: cairn_frontend::Config::default(),
                    history: service::Config {
                        limits: Limits::default(),
                        shard: shard::Config::default(),
                        owner: String::new(),
                        member: None,
                        caller: None,
                    },
                    namespaces: vec![("default".to_owned(), Duration::from_hours(24))],
                    search_attributes: std::collections::BTreeMap::new(),
                    cluster: Some(Cluster {
                        node: name,
                        address: address.clone(),
                        listener,
                        tls,
                    }),
                };
                let clock = Arc::new(SystemClock::default());
                let engine = Engine::open(store, clock, options).await.unwrap();
                (engine, address)
            })
            .await
            .unwrap();
        Self {
            runtime: Some(runtime),
            engine,
            address,
        }
    }

    fn frontend(&self) -> Arc<Frontend> {
        self.engine.frontend()
    }

    /// All of its tasks end where they are; its sockets close.
    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until every shard has its home at one of these nodes.
async fn settled(store: &dyn Store, nodes: &[&str]) {
    let observer = Node {
        id: "observer".to_owned(),
        leaving: true,
        ..Node::default()
    };
    let is_settled = |view: &View| {
        let members: Vec<_> = view.members().map(|node| node.id.as_str()).collect();
        members == nodes
            && view.shards.iter().all(|owned| {
                let home = view.home(Place::Shard(owned.shard));
                home.is_some_and(|home| home.id == owned.owner)
            })
    };
    let rest = async {
        while !is_settled(&store.beat(&observer).await.unwrap()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), rest)
        .await
        .unwrap();
}

fn queue() -> TaskQueue {
    TaskQueue {
        name: "queue".to_owned(),
        ..TaskQueue::default()
    }
}

fn id(number: usize) -> String {
    format!("workflow-{number}")
}

fn execution(number: usize) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: id(number),
        ..WorkflowExecution::default()
    }
}

/// Adds a note of its own to the namespace.
async fn note(frontend: &Frontend, number: usize) {
    let request = pb::UpdateNamespaceRequest {
        namespace: NAMESPACE.to_owned(),
        update_info: Some(UpdateNamespaceInfo {
            data: [(id(number), String::new())].into(),
            ..UpdateNamespaceInfo::default()
        }),
        ..pb::UpdateNamespaceRequest::default()
    };
    let updated = frontend.update_namespace(Request::new(request));
    updated.await.unwrap();
}

async fn start(frontend: &Frontend, number: usize) {
    let request = pb::StartWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_id: id(number),
        workflow_type: Some(WorkflowType {
            name: "Waits".to_owned(),
        }),
        task_queue: Some(queue()),
        request_id: number.to_string(),
        ..pb::StartWorkflowExecutionRequest::default()
    };
    let started = frontend.start_workflow_execution(Request::new(request));
    started.await.unwrap();
}

async fn signal(frontend: &Frontend, number: usize) {
    let request = pb::SignalWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution(number)),
        signal_name: "end".to_owned(),
        request_id: format!("end {number}"),
        ..pb::SignalWorkflowExecutionRequest::default()
    };
    let signaled = frontend.signal_workflow_execution(Request::new(request));
    signaled.await.unwrap();
}

/// Waits until the workflow has completed.
async fn completed(frontend: &Frontend, number: usize) {
    let mut token = Vec::new();
    loop {
        let request = pb::GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(execution(number)),
            wait_new_event: true,
            history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
            next_page_token: token,
            ..pb::GetWorkflowExecutionHistoryRequest::default()
        };
        let read = frontend.get_workflow_execution_history(Request::new(request));
        let read = read.await.unwrap().into_inner();
        if let Some(event) = read.history.unwrap().events.first() {
            return assert_eq!(event.event_type(), EventType::WorkflowExecutionCompleted);
        }
        token = read.next_page_token;
    }
}

async fn query(frontend: &Frontend, number: usize) {
    let request = pb::QueryWorkflowRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution(number)),
        query: Some(WorkflowQuery {
            query_type: "state".to_owned(),
            ..WorkflowQuery::default()
        }),
        ..pb::QueryWorkflowRequest::default()
    };
    frontend
        .query_workflow(Request::new(request))
        .await
        .unwrap();
}

/// A worker: ends a workflow that was told to end, and answers every query. Its answers go through another process than its polls.
async fn work(polls: Arc<Frontend>, answers: Arc<Frontend>) {
    loop {
        let mut request = Request::new(pb::PollWorkflowTaskQueueRequest {
            namespace: NAMESPACE.to_owned(),
            task_queue: Some(queue()),
            identity: "worker".to_owned(),
            ..pb::PollWorkflowTaskQueueRequest::default()
        });
        request.set_timeout(Duration::from_mins(1));
        let task = polls.poll_workflow_task_queue(request).await;
        let task = task.unwrap().into_inner();
        if task.query.is_some() {
            let answer = pb::RespondQueryTaskCompletedRequest {
                task_token: task.task_token,
                namespace: NAMESPACE.to_owned(),
                completed_type: QueryResultType::Answered.into(),
                ..pb::RespondQueryTaskCompletedRequest::default()
            };
            let answered = answers.respond_query_task_completed(Request::new(answer));
            answered.await.unwrap();
        } else if !task.task_token.is_empty() {
            let events = task.history.unwrap().events;
            let ends = |kind| kind == EventType::WorkflowExecutionSignaled;
            let ends = events.iter().any(|event| ends(event.event_type()));
            let done = pb::RespondWorkflowTaskCompletedRequest {
                task_token: task.task_token,
                namespace: NAMESPACE.to_owned(),
                commands: ends.then(end).into_iter().collect(),
                ..pb::RespondWorkflowTaskCompletedRequest::default()
            };
            // It may have taken too long, or its owner may have died: then there is another task.
            let _refused = answers
                .respond_workflow_task_completed(Request::new(done))
                .await;
        } else {
            // A process that goes away answers polls at once.
            tokio::task::yield_now().await;
        }
    }
}

fn end() -> Command {
    let attributes = CompleteWorkflowExecutionCommandAttributes::default();
    Command {
        command_type: CommandType::CompleteWorkflowExecution.into(),
        attributes: Some(Attributes::CompleteWorkflowExecutionCommandAttributes(
            attributes,
        )),
        ..Command::default()
    }
}

/// A life of a cluster. `store` makes the handle of one more process on the same database, `tls` what one more shows to others.
async fn live(store: impl Fn() -> Arc<dyn Store> + Send, tls: impl Fn() -> Option<Tls> + Send) {
    let observer = store();
    let one = Process::start("one", store(), tls()).await;
    let two = Process::start("two", store(), tls()).await;
    let mut three = Process::start("three", store(), tls()).await;
    settled(&*observer, &["one", "three", "two"]).await;
    let (first, second, third) = (one.frontend(), two.frontend(), three.frontend());

    // What one process writes, the others know.
    let register = pb::RegisterNamespaceRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution_retention_period: Some(cairn_proto::prost_types::Duration {
            seconds: 86_400,
            nanos: 0,
        }),
        ..pb::RegisterNamespaceRequest::default()
    };
    let registered = second.register_namespace(Request::new(register));
    registered.await.unwrap();
    let worker = tokio::spawn(work(Arc::clone(&first), Arc::clone(&second)));

    // What all of them write at once is all there.
    let all = [&first, &second, &third];
    join_all((0..RUNS).map(|number| note(all[number % 3], number))).await;
    let describe = pb::DescribeNamespaceRequest {
        namespace: NAMESPACE.to_owned(),
        ..pb::DescribeNamespaceRequest::default()
    };
    let described = first.describe_namespace(Request::new(describe)).await;
    let info = described.unwrap().into_inner().namespace_info.unwrap();
    assert_eq!(info.data.len(), RUNS);

    // Everything goes through every process.
    join_all((0..RUNS).map(|number| start(&third, number))).await;
    join_all((0..RUNS).map(|number| query(&second, number))).await;
    join_all((0..RUNS / 4).map(|number| signal(&first, number))).await;
    join_all((0..RUNS / 4).map(|number| completed(&third, number))).await;

    // Who dies takes nothing along: neither what it had, nor who waits for it elsewhere.
    let waits = tokio::spawn(async move {
        join_all((RUNS / 4..RUNS / 2).map(|number| completed(&second, number))).await;
    });
    three.kill();
    join_all((RUNS / 4..RUNS / 2).map(|number| signal_on(&first, number))).await;
    waits.await.unwrap();
    settled(&*observer, &["one", "two"]).await;

    // Nor who leaves.
    two.engine.drain().await;
    settled(&*observer, &["one"]).await;
    worker.abort();
    let worker = tokio::spawn(work(Arc::clone(&first), Arc::clone(&first)));
    let second = two.frontend();
    join_all((RUNS / 2..RUNS).map(|number| signal(&second, number))).await;
    join_all((RUNS / 2..RUNS).map(|number| completed(&first, number))).await;
    two.engine.close().await;
    query(&first, 0).await;
    worker.abort();
    one.engine.close().await;
}

/// Signals as a client does that comes again while the owner is looked for.
async fn signal_on(frontend: &Frontend, number: usize) {
    let request = pb::SignalWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution(number)),
        signal_name: "end".to_owned(),
        request_id: format!("end {number}"),
        ..pb::SignalWorkflowExecutionRequest::default()
    };
    loop {
        let signaled = frontend.signal_workflow_execution(Request::new(request.clone()));
        match signaled.await {
            Ok(_) => return,
            Err(status) => assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}"),
        }
    }
}
