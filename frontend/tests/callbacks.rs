//! A completion callback that was not heard is made again, also by the process that comes after the one that made it.
//!
//! Deliberately absent: HTTP, which is the edge's business; here somebody in the same process is called.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cairn_frontend::engine::{Engine, Options};
use cairn_history::execution::Limits;
use cairn_history::id::Time;
use cairn_history::log::model::{self, Model};
use cairn_history::service::{self, Caller, Clock, SystemClock};
use cairn_history::shard;
use cairn_proto::cairn::effect::v1::{Call, call::End};
use cairn_proto::temporal::api::common::v1::{Callback, WorkflowExecution, WorkflowType, callback};
use cairn_proto::temporal::api::enums::v1::CallbackState;
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::workflowservice::workflow_service_server::WorkflowService;
use tokio::sync::mpsc;
use tonic::Request;

/// An address of the server itself: it need not be allowed.
const URL: &str = "temporal://system";
const SECOND: i64 = 1_000_000_000;

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

/// Somebody who is called, and hears it or not.
#[derive(Debug)]
struct Called {
    hears: AtomicBool,
    calls: mpsc::UnboundedSender<Call>,
}

#[async_trait]
impl Caller for Called {
    async fn call(&self, call: Call) -> Result<(), Failure> {
        self.calls.send(call).unwrap();
        if self.hears.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(Failure::default())
    }
}

async fn open(store: &Model, clock: &Arc<Ahead>, caller: &Arc<Called>) -> Engine {
    let options = Options {
        frontend: cairn_frontend::Config::default(),
        history: service::Config {
            limits: Limits::default(),
            shard: shard::Config::default(),
            owner: "test".to_owned(),
            member: None,
            caller: Some(Arc::clone(caller) as _),
        },
        namespaces: vec![("default".to_owned(), Duration::from_hours(24))],
        search_attributes: std::collections::BTreeMap::new(),
        cluster: None,
    };
    let store = Arc::new(store.clone());
    let clock = Arc::clone(clock);
    Engine::open(store, clock, options).await.unwrap()
}

fn workflow() -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: "w".to_owned(),
        ..WorkflowExecution::default()
    }
}

async fn until(engine: &Engine, state: CallbackState) {
    loop {
        let request = pb::DescribeWorkflowExecutionRequest {
            namespace: "default".to_owned(),
            execution: Some(workflow()),
        };
        let frontend = engine.frontend();
        let described = frontend.describe_workflow_execution(Request::new(request));
        if described.await.unwrap().into_inner().callbacks[0].state() == state {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_heard_is_called_again_after_a_restart() {
    let (calls, mut heard) = mpsc::unbounded_channel();
    let callee = Arc::new(Called {
        hears: AtomicBool::new(false),
        calls,
    });
    let store = Model::with(model::Options::default());
    let clock = Arc::new(Ahead::default());
    let engine = open(&store, &clock, &callee).await;
    let nexus = callback::Nexus {
        url: URL.to_owned(),
        ..callback::Nexus::default()
    };
    let start = pb::StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: "w".to_owned(),
        workflow_type: Some(WorkflowType {
            name: "type".to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "queue".to_owned(),
            ..TaskQueue::default()
        }),
        completion_callbacks: vec![Callback {
            variant: Some(callback::Variant::Nexus(nexus)),
            ..Callback::default()
        }],
        ..pb::StartWorkflowExecutionRequest::default()
    };
    let frontend = engine.frontend();
    frontend
        .start_workflow_execution(Request::new(start))
        .await
        .unwrap();
    until(&engine, CallbackState::Standby).await;
    let terminate = pb::TerminateWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_execution: Some(workflow()),
        ..pb::TerminateWorkflowExecutionRequest::default()
    };
    frontend
        .terminate_workflow_execution(Request::new(terminate))
        .await
        .unwrap();
    let first = heard.recv().await.unwrap();
    until(&engine, CallbackState::BackingOff).await;

    let store = store.crash();
    callee.hears.store(true, Ordering::Release);
    clock.by.fetch_add(2 * SECOND, Ordering::AcqRel);
    let engine = open(&store, &clock, &callee).await;
    let second = heard.recv().await.unwrap();
    assert_eq!(first, second);
    assert!(matches!(&first.end, Some(End::Failure(it)) if it.message == "operation terminated"));
    assert_eq!(first.link.unwrap().namespace, "default");
    until(&engine, CallbackState::Succeeded).await;
    assert!(heard.try_recv().is_err(), "heard, and called again");
}
