//! Calls from the outside, against services that only note what they are asked.

use std::sync::Arc;
use std::time::Duration;

use cairn_history::id::{RunId, Time};
use cairn_history::log::Row;
use cairn_proto::cairn::token::v1::{HistoryPage, Task};
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{Payload, Payloads, WorkflowExecution, WorkflowType};
use cairn_proto::temporal::api::enums::v1::{
    QueryResultType, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::workflowservice::workflow_service_server::WorkflowService;
use tonic::{Code, Request};

use crate::{Clock, Config, Frontend};

mod fakes;

use fakes::{Memory, Queues, RUN, Runs};

struct World {
    store: Arc<Memory>,
    runs: Arc<Runs>,
    queues: Arc<Queues>,
    frontend: Frontend,
}

async fn world() -> World {
    let store = Arc::new(Memory::default());
    let runs = Arc::new(Runs::default());
    let queues = Arc::new(Queues::default());
    let clock: Clock = Arc::new(|| Time(1_000_000_000_000));
    let frontend = Frontend::new(
        store.clone(),
        runs.clone(),
        queues.clone(),
        Config::default(),
        clock,
    )
    .await
    .unwrap();
    for name in ["default", "other"] {
        let day = Duration::from_hours(24);
        frontend.ensure_namespace(name, day).await.unwrap();
    }
    World {
        store,
        runs,
        queues,
        frontend,
    }
}

fn start() -> pb::StartWorkflowExecutionRequest {
    pb::StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: "w".to_owned(),
        workflow_type: Some(WorkflowType {
            name: "t".to_owned(),
        }),
        task_queue: Some(queue("q")),
        ..Default::default()
    }
}

fn queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        ..Default::default()
    }
}

fn within<T>(timeout: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let timeout = timeout.parse().unwrap();
    request.metadata_mut().insert("grpc-timeout", timeout);
    request
}

async fn poll(world: &World, name: &str) -> pb::PollWorkflowTaskQueueResponse {
    let request = pb::PollWorkflowTaskQueueRequest {
        namespace: "default".to_owned(),
        task_queue: Some(queue(name)),
        ..Default::default()
    };
    let polled = world
        .frontend
        .poll_workflow_task_queue(within("70S", request))
        .await;
    polled.unwrap().into_inner()
}

#[tokio::test]
async fn a_start_arrives_filled_in() {
    let world = world().await;
    let response = world
        .frontend
        .start_workflow_execution(Request::new(start()))
        .await;
    assert_eq!(response.unwrap().into_inner().run_id, RUN.to_string());
    let started = world.runs.started.lock().unwrap().take().unwrap();
    let namespace = world.frontend.namespaces.named("default").unwrap();
    assert_eq!(started.namespace_id, namespace.id.0);
    assert_eq!(started.retention.unwrap().seconds, 24 * 3600);
    let request = started.request.unwrap();
    assert!(uuid::Uuid::parse_str(&request.request_id).is_ok());
    assert_eq!(
        request.workflow_id_reuse_policy(),
        WorkflowIdReusePolicy::AllowDuplicate
    );
    assert_eq!(
        request.workflow_id_conflict_policy(),
        WorkflowIdConflictPolicy::Fail
    );
}

#[tokio::test]
async fn an_unknown_namespace_is_told_apart() {
    let world = world().await;
    let request = pb::StartWorkflowExecutionRequest {
        namespace: "nope".to_owned(),
        ..start()
    };
    let refusal = world
        .frontend
        .start_workflow_execution(Request::new(request))
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    assert_eq!(refusal.message(), "Namespace nope is not found.");
    let detail = cairn_proto::google::rpc::Status::decode(refusal.details()).unwrap();
    assert_eq!(
        detail.details[0].type_url,
        "type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure"
    );
}

#[tokio::test]
async fn a_task_s_token_comes_back_as_it_left_history() {
    let world = world().await;
    let task = poll(&world, "q").await;
    let completed = pb::RespondWorkflowTaskCompletedRequest {
        namespace: "default".to_owned(),
        task_token: task.task_token.clone(),
        ..Default::default()
    };
    let response = world
        .frontend
        .respond_workflow_task_completed(Request::new(completed))
        .await;
    let response = response.unwrap().into_inner();
    let got = world.runs.completed.lock().unwrap().take().unwrap();
    assert_eq!(got.token.unwrap().run_id, RUN.0);
    // What is returned inline is sealed as well.
    assert_eq!(response.workflow_task.unwrap().task_token, task.task_token);
    let activity = pb::RespondActivityTaskCompletedRequest {
        task_token: response.activity_tasks[0].task_token.clone(),
        ..Default::default()
    };
    let response = world
        .frontend
        .respond_activity_task_completed(Request::new(activity))
        .await;
    assert!(response.is_ok());
    assert!(world.runs.activity.lock().unwrap().is_some());
}

#[tokio::test]
async fn a_token_that_was_not_given_out_is_refused() {
    let world = world().await;
    let task = poll(&world, "q").await;
    let answer = |namespace: &str, task_token: Vec<u8>| pb::RespondWorkflowTaskFailedRequest {
        namespace: namespace.to_owned(),
        task_token,
        ..Default::default()
    };
    let mut forged = task.task_token.clone();
    forged[3] ^= 1;
    let plain = Task {
        workflow_id: "w".to_owned(),
        ..Default::default()
    }
    .encode_to_vec();
    for (request, message) in [
        (
            answer("default", Vec::new()),
            "Task token not set on request.",
        ),
        (answer("default", forged), "Error deserializing task token."),
        (answer("default", plain), "Error deserializing task token."),
        (
            answer("default", b"garbage".to_vec()),
            "Error deserializing task token.",
        ),
        (
            answer("default", task.next_page_token),
            "Error deserializing task token.",
        ),
        (
            answer("other", task.task_token),
            "Operation requested with a token from a different namespace.",
        ),
    ] {
        let refusal = world
            .frontend
            .respond_workflow_task_failed(Request::new(request))
            .await;
        let refusal = refusal.unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.message()),
            (Code::InvalidArgument, message)
        );
    }
}

#[tokio::test]
async fn a_query_s_token_is_of_its_own_kind() {
    let world = world().await;
    let task = poll(&world, "queries").await;
    let neither = pb::RespondQueryTaskCompletedRequest {
        task_token: task.task_token.clone(),
        ..Default::default()
    };
    let refusal = world
        .frontend
        .respond_query_task_completed(Request::new(neither))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.message()),
        (
            Code::InvalidArgument,
            "CompletedType is neither answered nor failed."
        )
    );
    let answer = pb::RespondQueryTaskCompletedRequest {
        task_token: task.task_token.clone(),
        completed_type: QueryResultType::Answered.into(),
        query_result: Some(large()),
        ..Default::default()
    };
    let response = world
        .frontend
        .respond_query_task_completed(Request::new(answer))
        .await;
    assert!(response.is_ok());
    let answered = world.queues.answered.lock().unwrap().take().unwrap();
    assert_eq!(answered.token.unwrap().query_id, "1");
    let request = answered.request.unwrap();
    assert_eq!(request.error_message, "Blob data size exceeds limit.");
    assert_eq!(request.query_result, None);
    let answer = pb::RespondWorkflowTaskCompletedRequest {
        task_token: task.task_token,
        ..Default::default()
    };
    let refused = world
        .frontend
        .respond_workflow_task_completed(Request::new(answer))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

fn large() -> Payloads {
    Payloads {
        payloads: vec![Payload {
            data: vec![0; 2 * 1024 * 1024 + 1],
            ..Default::default()
        }],
    }
}

#[tokio::test]
async fn an_empty_poll_is_the_default_message() {
    let world = world().await;
    assert_eq!(
        poll(&world, "empty").await,
        pb::PollWorkflowTaskQueueResponse::default()
    );
}

#[tokio::test]
async fn a_poll_must_say_how_long_it_waits() {
    let world = world().await;
    let request = || pb::PollActivityTaskQueueRequest {
        namespace: "default".to_owned(),
        task_queue: Some(queue("q")),
        ..Default::default()
    };
    let refusal = world
        .frontend
        .poll_activity_task_queue(Request::new(request()))
        .await
        .unwrap_err();
    assert_eq!(refusal.message(), "Context timeout is not set.");
    let refusal = world
        .frontend
        .poll_activity_task_queue(within("1S", request()))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.message()),
        (Code::FailedPrecondition, "Context timeout is too short.")
    );
}

#[tokio::test]
async fn a_page_of_a_history_belongs_to_its_run() {
    let world = world().await;
    let ask = |namespace: &str, workflow_id: &str, run_id: &str, token: &[u8]| {
        let request = pb::GetWorkflowExecutionHistoryRequest {
            namespace: namespace.to_owned(),
            execution: Some(WorkflowExecution {
                workflow_id: workflow_id.to_owned(),
                run_id: run_id.to_owned(),
            }),
            next_page_token: token.to_owned(),
            ..Default::default()
        };
        world
            .frontend
            .get_workflow_execution_history(Request::new(request))
    };
    let first = ask("default", "w", "", b"").await.unwrap().into_inner();
    let token = first.next_page_token;
    assert!(ask("default", "w", &RUN.to_string(), &token).await.is_ok());
    let asked = world
        .runs
        .history
        .lock()
        .unwrap()
        .take()
        .unwrap()
        .request
        .unwrap();
    assert_eq!(asked.maximum_page_size, 256);
    let page = HistoryPage::decode(&*asked.next_page_token).unwrap();
    assert_eq!(page.next_event_id, 5);
    for (namespace, workflow_id, run, code, message) in [
        (
            "default",
            "w",
            RunId([8; 16]),
            Code::InvalidArgument,
            "RunId in the request does not match the NextPageToken.".to_owned(),
        ),
        (
            "other",
            "w",
            RUN,
            Code::NotFound,
            format!("workflow execution not found for workflow ID \"w\" and run ID \"{RUN}\""),
        ),
        (
            "default",
            "v",
            RUN,
            Code::NotFound,
            format!("workflow execution not found for workflow ID \"v\" and run ID \"{RUN}\""),
        ),
    ] {
        let refusal = ask(namespace, workflow_id, &run.to_string(), &token)
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.message()),
            (code, message.as_str())
        );
    }
    let refusal = ask("default", "w", "", b"garbage").await.unwrap_err();
    assert_eq!(refusal.message(), "Invalid NextPageToken.");
}

#[tokio::test]
async fn a_list_is_paged() {
    let world = world().await;
    for n in (0..5).rev() {
        world.store.rows.lock().unwrap().push(Row {
            run: RunId([n; 16]),
            workflow_id: format!("w{n}"),
            start_time: Time(n.into()),
            status: Row::RUNNING,
            ..Default::default()
        });
    }
    let mut seen = Vec::new();
    let mut token = Vec::new();
    loop {
        let request = pb::ListWorkflowExecutionsRequest {
            namespace: "default".to_owned(),
            page_size: 2,
            next_page_token: token.clone(),
            ..Default::default()
        };
        let page = world
            .frontend
            .list_workflow_executions(Request::new(request))
            .await;
        let page = page.unwrap().into_inner();
        seen.extend(page.executions.into_iter().filter_map(|run| run.execution));
        if page.next_page_token.is_empty() {
            break;
        }
        token = page.next_page_token;
    }
    let seen: Vec<_> = seen.iter().map(|run| run.workflow_id.as_str()).collect();
    assert_eq!(seen, ["w4", "w3", "w2", "w1", "w0"]);
    // Of another list, and of the same list in another namespace.
    for (namespace, query) in [("default", "WorkflowId='w1'"), ("other", "")] {
        let other_list = pb::ListWorkflowExecutionsRequest {
            namespace: namespace.to_owned(),
            query: query.to_owned(),
            next_page_token: token.clone(),
            ..Default::default()
        };
        let refusal = world
            .frontend
            .list_workflow_executions(Request::new(other_list))
            .await;
        assert_eq!(refusal.unwrap_err().message(), "Invalid NextPageToken.");
    }
}

#[tokio::test]
async fn a_deprecated_namespace_starts_nothing() {
    let world = world().await;
    let request = pb::DeprecateNamespaceRequest {
        namespace: "default".to_owned(),
        ..Default::default()
    };
    let deprecated = world
        .frontend
        .deprecate_namespace(Request::new(request))
        .await;
    assert!(deprecated.is_ok());
    let refusal = world
        .frontend
        .start_workflow_execution(Request::new(start()))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.message()),
        (
            Code::FailedPrecondition,
            "Namespace has invalid state: Deprecated. Must be Registered."
        )
    );
    assert!(!poll(&world, "q").await.task_token.is_empty());
}

#[tokio::test]
async fn another_node_s_namespace_is_seen_after_a_refresh() {
    let one = world().await;
    let clock: Clock = Arc::new(|| Time(0));
    let other = Frontend::new(
        one.store.clone(),
        one.runs.clone(),
        one.queues.clone(),
        Config::default(),
        clock,
    )
    .await
    .unwrap();
    one.frontend
        .ensure_namespace("late", Duration::from_hours(1))
        .await
        .unwrap();
    assert!(other.namespaces.named("late").is_none());
    other.refresh().await.unwrap();
    assert!(other.namespaces.named("late").is_some());
    // Both know the same secret: what one gave out the other takes.
    let task = poll(&one, "q").await;
    let answer = pb::RespondWorkflowTaskCompletedRequest {
        task_token: task.task_token,
        ..Default::default()
    };
    let response = other
        .respond_workflow_task_completed(Request::new(answer))
        .await;
    assert!(response.is_ok());
}
