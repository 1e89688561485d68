//! The server as a client meets it: health, reflection, limits, metrics, and an orderly end.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};

use cairn_proto::temporal::api::common::v1::{Payload, Payloads, WorkflowExecution, WorkflowType};
use cairn_proto::temporal::api::enums::v1::HistoryEventFilterType;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, StartWorkflowExecutionRequest,
};
use cairn_proto::workflowservice::workflow_service_client::WorkflowServiceClient;
use rustix::process::{Pid, Signal, kill_process};
use tonic::Code;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

/// A development server of this test's own.
struct Server {
    child: Child,
    address: String,
    metrics: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(["server", "start-dev", "--ip", "127.0.0.1", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let mut address = None;
        let mut metrics = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(found) = line.strip_prefix("Server:   ") {
                address = Some(found.to_owned());
            }
            if let Some(found) = line.strip_prefix("Metrics:  http://") {
                metrics = Some(found.trim_end_matches("/metrics").to_owned());
                break;
            }
        }
        Self {
            child,
            address: address.expect("the server says where it is"),
            metrics: metrics.expect("the server says where its metrics are"),
        }
    }

    async fn channel(&self) -> Channel {
        let url = format!("http://{}", self.address);
        Channel::from_shared(url).unwrap().connect().await.unwrap()
    }

    /// A page beside the metrics, with its status line.
    fn page(&self, path: &str) -> String {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(&self.metrics).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    /// Asks the server to end, and waits on another thread, as clients have goodbyes to say on this one.
    async fn stop(mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        tokio::task::spawn_blocking(move || self.child.wait())
            .await
            .unwrap()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed leaves no server behind; one that stopped already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn health_is_told_for_each_service_also_with_gzip() {
    let server = Server::start();
    let mut health = HealthClient::new(server.channel().await)
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    for service in [
        "",
        "temporal.api.workflowservice.v1.WorkflowService",
        "temporal.api.operatorservice.v1.OperatorService",
    ] {
        let service = service.to_owned();
        let answer = health.check(HealthCheckRequest { service }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
    }
    let unknown = HealthCheckRequest {
        service: "nobody".to_owned(),
    };
    assert_eq!(
        health.check(unknown).await.unwrap_err().code(),
        Code::NotFound
    );
    assert!(server.page("/healthz/ready").starts_with("HTTP/1.1 200"));
    assert!(server.page("/healthz/live").starts_with("HTTP/1.1 200"));
    assert!(server.page("/healthz").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn reflection_shows_the_public_services_whole() {
    let server = Server::start();
    let mut reflection = ServerReflectionClient::new(server.channel().await)
        .send_compressed(Gzip)
        .accept_compressed(Gzip);
    let mut ask = async |request| {
        let request = ServerReflectionRequest {
            message_request: Some(request),
            ..Default::default()
        };
        let answers = reflection
            .server_reflection_info(tokio_stream::once(request))
            .await;
        let ServerReflectionResponse {
            message_response, ..
        } = answers
            .unwrap()
            .into_inner()
            .message()
            .await
            .unwrap()
            .unwrap();
        message_response.unwrap()
    };
    let MessageResponse::ListServicesResponse(services) =
        ask(MessageRequest::ListServices(String::new())).await
    else {
        panic!("not a list of services");
    };
    let names: Vec<_> = services.service.iter().map(|s| s.name.as_str()).collect();
    assert!(names.contains(&"temporal.api.workflowservice.v1.WorkflowService"));
    assert!(names.contains(&"temporal.api.operatorservice.v1.OperatorService"));
    assert!(!names.iter().any(|name| name.contains("cloud")));
    // What the services' file imports can be asked for too.
    for file in [
        "temporal/api/workflowservice/v1/service.proto",
        "nexusannotations/v1/options.proto",
    ] {
        let answer = ask(MessageRequest::FileByFilename(file.to_owned())).await;
        assert!(
            matches!(answer, MessageResponse::FileDescriptorResponse(_)),
            "{file}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_in_the_words_that_clients_know() {
    let server = Server::start();
    let large = || StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        input: Some(Payloads {
            payloads: vec![Payload {
                data: vec![7; 5 * 1024 * 1024],
                ..Default::default()
            }],
        }),
        ..Default::default()
    };
    let client = WorkflowServiceClient::new(server.channel().await);
    for mut client in [client.clone(), client.send_compressed(Gzip)] {
        let status = client.start_workflow_execution(large()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(
            status
                .message()
                .starts_with("grpc: received message larger than max"),
            "{status:?}"
        );
    }
    let metrics = server.page("/metrics");
    assert!(metrics.contains(
        "service_requests{operation=\"StartWorkflowExecution\",namespace=\"_unknown_\",service_name=\"frontend\"} 2"
    ), "{metrics}");
    assert!(
        metrics.contains("service_errors_resource_exhausted{"),
        "{metrics}"
    );
    assert!(metrics.contains("service_latency_bucket{"), "{metrics}");
}

#[tokio::test]
async fn a_reader_who_waits_for_news_is_answered_when_the_server_ends() {
    let server = Server::start();
    let mut client = WorkflowServiceClient::new(server.channel().await);
    let start = StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: "open".to_owned(),
        workflow_type: Some(WorkflowType {
            name: "Never".to_owned(),
        }),
        task_queue: Some(TaskQueue {
            name: "nobody".to_owned(),
            ..TaskQueue::default()
        }),
        request_id: "1".to_owned(),
        ..StartWorkflowExecutionRequest::default()
    };
    client.start_workflow_execution(start).await.unwrap();
    let read = GetWorkflowExecutionHistoryRequest {
        namespace: "default".to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: "open".to_owned(),
            run_id: String::new(),
        }),
        wait_new_event: true,
        history_event_filter_type: HistoryEventFilterType::CloseEvent.into(),
        ..GetWorkflowExecutionHistoryRequest::default()
    };
    let reader = tokio::spawn(async move { client.get_workflow_execution_history(read).await });
    let waits = |page: &str| {
        page.lines().any(|line| {
            line.starts_with("service_pending_requests{operation=\"GetWorkflowExecutionHistory\"")
                && line.ends_with(" 1")
        })
    };
    while !waits(&server.page("/metrics")) {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.stop().await.code(), Some(0));
    let answer = reader.await.unwrap().unwrap().into_inner();
    assert_eq!(answer.history.unwrap().events, [], "it is still open");
    assert!(!answer.next_page_token.is_empty(), "go on elsewhere");
}
