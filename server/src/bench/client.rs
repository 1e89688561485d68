//! The few calls a starter and a worker need, over several connections.
//!
//! Deliberately absent: retries. A call that fails is counted, and whoever made it decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use cairn_proto::temporal::api::command::v1::Command;
use cairn_proto::temporal::api::common::v1::{Payloads, WorkflowExecution, WorkflowType};
use cairn_proto::temporal::api::enums::v1::{HistoryEventFilterType, TaskQueueKind};
use cairn_proto::temporal::api::history::v1::HistoryEvent;
use cairn_proto::temporal::api::taskqueue::v1::{StickyExecutionAttributes, TaskQueue};
use cairn_proto::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, DescribeNamespaceRequest, GetSystemInfoRequest,
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse,
    PollActivityTaskQueueRequest, PollActivityTaskQueueResponse, PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse, RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse,
    SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest, StartWorkflowExecutionResponse,
};
use cairn_proto::workflowservice::workflow_service_client::WorkflowServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use uuid::{Builder, Uuid};

/// As SDKs do: a call has 30 s, a long poll 70 s.
const CALL: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_secs(70);
/// As SDKs accept.
const MESSAGE_BYTES_MAX: usize = 128 << 20;
/// How long a workflow task waits for its sticky queue before any worker may have it.
const STICKY: Duration = Duration::from_secs(10);
const PAGE_EVENTS: i32 = 1_000;

/// Speaks to one frontend for one namespace; clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    stubs: Arc<[WorkflowServiceClient<Channel>]>,
    next: Arc<AtomicUsize>,
    namespace: Arc<str>,
    identity: Arc<str>,
}

/// A workflow to start.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) workflow_id: &'a str,
    pub(crate) queue: &'a str,
    pub(crate) eager: bool,
}

/// The answer to a workflow task.
#[derive(Clone, Debug)]
pub(crate) struct Completion<'a> {
    pub(crate) task_token: Vec<u8>,
    pub(crate) commands: Vec<Command>,
    pub(crate) sticky: &'a str,
    pub(crate) normal: &'a str,
    pub(crate) another: bool,
}

impl Client {
    /// Connections are made when first used, and again when lost.
    pub(crate) fn new(address: &str, connections: usize, namespace: &str) -> anyhow::Result<Self> {
        let uri = if address.contains("://") {
            address.to_owned()
        } else {
            format!("http://{address}")
        };
        let endpoint = Endpoint::from_shared(uri)
            .with_context(|| format!("{address} is no address"))?
            .connect_timeout(Duration::from_secs(5))
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(8 << 20);
        let stub = || {
            WorkflowServiceClient::new(endpoint.connect_lazy())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
        };
        Ok(Self {
            stubs: (0..connections.max(1)).map(|_| stub()).collect(),
            next: Arc::default(),
            namespace: namespace.into(),
            identity: format!("{}@bench", std::process::id()).into(),
        })
    }

    fn stub(&self) -> WorkflowServiceClient<Channel> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.stubs[next % self.stubs.len()].clone()
    }

    /// The version of a server that is up and knows the namespace.
    pub(crate) async fn version(&self) -> Result<String, Status> {
        let described = DescribeNamespaceRequest {
            namespace: self.namespace.to_string(),
            ..Default::default()
        };
        self.stub().describe_namespace(call(described)).await?;
        let system = self
            .stub()
            .get_system_info(call(GetSystemInfoRequest::default()))
            .await?;
        Ok(system.into_inner().server_version)
    }

    pub(crate) async fn start(
        &self,
        start: Start<'_>,
    ) -> Result<StartWorkflowExecutionResponse, Status> {
        let request = StartWorkflowExecutionRequest {
            namespace: self.namespace.to_string(),
            workflow_id: start.workflow_id.to_owned(),
            workflow_type: Some(WorkflowType {
                name: "bench".to_owned(),
            }),
            task_queue: Some(queue(start.queue, TaskQueueKind::Normal)),
            identity: self.identity.to_string(),
            request_id: unique().to_string(),
            request_eager_execution: start.eager,
            ..Default::default()
        };
        let answer = self.stub().start_workflow_execution(call(request)).await?;
        Ok(answer.into_inner())
    }

    pub(crate) async fn signal(&self, workflow_id: &str, name: &str) -> Result<(), Status> {
        let request = SignalWorkflowExecutionRequest {
            namespace: self.namespace.to_string(),
            workflow_execution: Some(execution(workflow_id)),
            signal_name: name.to_owned(),
            identity: self.identity.to_string(),
            request_id: unique().to_string(),
            ..Default::default()
        };
        self.stub().signal_workflow_execution(call(request)).await?;
        Ok(())
    }

    /// A task, or nothing when the poll expired.
    pub(crate) async fn poll_workflow_task(
        &self,
        polled: TaskQueue,
    ) -> Result<Option<PollWorkflowTaskQueueResponse>, Status> {
        let request = PollWorkflowTaskQueueRequest {
            namespace: self.namespace.to_string(),
            task_queue: Some(polled),
            identity: self.identity.to_string(),
            ..Default::default()
        };
        let answer = self.stub().poll_workflow_task_queue(poll(request)).await?;
        Ok(Some(answer.into_inner()).filter(|task| !task.task_token.is_empty()))
    }

    pub(crate) async fn complete_workflow_task(
        &self,
        completion: Completion<'_>,
    ) -> Result<RespondWorkflowTaskCompletedResponse, Status> {
        let request = RespondWorkflowTaskCompletedRequest {
            namespace: self.namespace.to_string(),
            identity: self.identity.to_string(),
            task_token: completion.task_token,
            commands: completion.commands,
            sticky_attributes: Some(StickyExecutionAttributes {
                worker_task_queue: Some(sticky(completion.sticky, completion.normal)),
                schedule_to_start_timeout: STICKY.try_into().ok(),
            }),
            return_new_workflow_task: true,
            force_create_new_workflow_task: completion.another,
            ..Default::default()
        };
        let answer = self
            .stub()
            .respond_workflow_task_completed(call(request))
            .await?;
        Ok(answer.into_inner())
    }

    /// A task, or nothing when the poll expired.
    pub(crate) async fn poll_activity_task(
        &self,
        name: &str,
    ) -> Result<Option<PollActivityTaskQueueResponse>, Status> {
        let request = PollActivityTaskQueueRequest {
            namespace: self.namespace.to_string(),
            task_queue: Some(queue(name, TaskQueueKind::Normal)),
            identity: self.identity.to_string(),
            ..Default::default()
        };
        let answer = self.stub().poll_activity_task_queue(poll(request)).await?;
        Ok(Some(answer.into_inner()).filter(|task| !task.task_token.is_empty()))
    }

    pub(crate) async fn complete_activity_task(&self, task_token: Vec<u8>) -> Result<(), Status> {
        let request = RespondActivityTaskCompletedRequest {
            namespace: self.namespace.to_string(),
            identity: self.identity.to_string(),
            task_token,
            result: Some(Payloads::default()),
            ..Default::default()
        };
        self.stub()
            .respond_activity_task_completed(call(request))
            .await?;
        Ok(())
    }

    /// One page of a history; an empty token asks for the first.
    pub(crate) async fn history_page(
        &self,
        workflow_id: &str,
        next_page_token: Vec<u8>,
    ) -> Result<GetWorkflowExecutionHistoryResponse, Status> {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: self.namespace.to_string(),
            execution: Some(execution(workflow_id)),
            maximum_page_size: PAGE_EVENTS,
            next_page_token,
            history_event_filter_type: HistoryEventFilterType::AllEvent.into(),
            ..Default::default()
        };
        let answer = self
            .stub()
            .get_workflow_execution_history(call(request))
            .await?;
        Ok(answer.into_inner())
    }

    /// Every event of a history.
    pub(crate) async fn history(&self, workflow_id: &str) -> Result<Vec<HistoryEvent>, Status> {
        let mut events = Vec::new();
        let mut token = Vec::new();
        loop {
            let page = self.history_page(workflow_id, token).await?;
            events.extend(page.history.unwrap_or_default().events);
            token = page.next_page_token;
            if token.is_empty() {
                return Ok(events);
            }
        }
    }

    /// Waits until the workflow has closed, as the client of an SDK does.
    pub(crate) async fn close_event(&self, workflow_id: &str) -> Result<HistoryEvent, Status> {
        let mut token = Vec::new();
        loop {
            let request = GetWorkflowExecutionHistoryRequest {
                namespace: self.namespace.to_string(),
                execution: Some(execution(workflow_id)),
                next_page_token: token,
                wait_new_event: true,
                history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
                ..Default::default()
            };
            let mut stub = self.stub();
            let answer = stub.get_workflow_execution_history(poll(request)).await?;
            let answer = answer.into_inner();
            if let Some(event) = answer.history.unwrap_or_default().events.pop() {
                return Ok(event);
            }
            token = answer.next_page_token;
            if token.is_empty() {
                return Err(Status::internal("no close event and no token"));
            }
        }
    }

    /// How many workflows visibility finds.
    pub(crate) async fn count(&self, query: &str) -> Result<i64, Status> {
        let request = CountWorkflowExecutionsRequest {
            namespace: self.namespace.to_string(),
            query: query.to_owned(),
        };
        let answer = self.stub().count_workflow_executions(call(request)).await?;
        Ok(answer.into_inner().count)
    }
}

/// Servers refuse polls without a deadline, and SDKs send one with every call.
fn call<T>(message: T) -> Request<T> {
    within(message, CALL)
}

fn poll<T>(message: T) -> Request<T> {
    within(message, POLL)
}

fn within<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// Nobody else has this one.
pub(crate) fn unique() -> Uuid {
    Builder::from_random_bytes(rand::random()).into_uuid()
}

fn execution(workflow_id: &str) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: String::new(),
    }
}

pub(crate) fn queue(name: &str, kind: TaskQueueKind) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        kind: kind.into(),
        normal_name: String::new(),
    }
}

pub(crate) fn sticky(name: &str, normal: &str) -> TaskQueue {
    TaskQueue {
        normal_name: normal.to_owned(),
        ..queue(name, TaskQueueKind::Sticky)
    }
}
