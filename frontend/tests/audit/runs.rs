//! Runs of every shape that the tables can hold, made by the real engine: open with a timer, with an activity that waits for a worker or has
//! one, closed in each way, with a snapshot, with records of two owners.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cairn_frontend::Frontend;
use cairn_frontend::engine::{Engine, Options};
use cairn_history::execution::Limits;
use cairn_history::id::Time;
use cairn_history::log::sqlite::{self, Sqlite};
use cairn_history::service::{self, Clock, SystemClock};
use cairn_history::shard;
use cairn_proto::prost_types::Duration as Span;
use cairn_proto::temporal::api::command::v1 as command;
use cairn_proto::temporal::api::command::v1::command::Attributes;
use cairn_proto::temporal::api::common::v1::{
    ActivityType, Memo, Payload, Payloads, SearchAttributes, WorkflowExecution, WorkflowType,
};
use cairn_proto::temporal::api::failure::v1::Failure;
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::workflowservice::workflow_service_server::WorkflowService;
use rusqlite::{Connection, OpenFlags};
use tonic::Request;

/// Of each shape.
const COPIES: usize = 3;
/// Few enough that each has runs.
const SHARDS: u32 = 4;
/// The shapes whose workflow task somebody takes; `waiting` has nobody.
const WORKED_ON: [&str; 9] = [
    "timer",
    "activity",
    "beat",
    "completed",
    "failed",
    "continued",
    "long",
    "memo",
    "epochs",
];
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

/// Makes them in a new database, which is stopped in order.
pub(crate) async fn make(path: &Path) {
    let clock = Arc::new(Ahead::default());
    let before = path.with_extension("before");
    let engine = open(&before, &clock).await;
    begin(&engine.frontend()).await;
    quiet(&before, &clock).await;
    engine.close().await;
    // A process keeps its lock until it ends, so the next owner, who has another epoch, has another file.
    std::fs::copy(&before, path).unwrap();
    let engine = open(path, &clock).await;
    for copy in 0..COPIES {
        signal(&engine.frontend(), &format!("epochs-{copy}")).await;
    }
    quiet(path, &clock).await;
    engine.close().await;
}

async fn open(path: &Path, clock: &Arc<Ahead>) -> Engine {
    let options = Options {
        frontend: cairn_frontend::Config::default(),
        history: service::Config {
            limits: Limits::default(),
            shard: shard::Config {
                snapshot_records: 6,
                ..shard::Config::default()
            },
            owner: "test".to_owned(),
            member: None,
            caller: None,
        },
        cluster: None,
        namespaces: vec![("default".to_owned(), 24 * HOUR)],
        search_attributes: std::collections::BTreeMap::new(),
    };
    let store = sqlite::Options {
        shards: SHARDS,
        ..sqlite::Options::file(path)
    };
    let store = Sqlite::open(&store).unwrap();
    let clock = Arc::clone(clock);
    Engine::open(Arc::new(store), clock, options).await.unwrap()
}

/// Waits until every open run has left memory behind a checkpoint.
async fn quiet(path: &Path, clock: &Ahead) {
    clock.by.fetch_add(QUIET, Ordering::AcqRel);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = Connection::open_with_flags(path, flags).unwrap();
    let hot = "SELECT count(*) FROM runs WHERE wake_at = 0";
    while database
        .query_row(hot, [], |row| row.get::<_, i64>(0))
        .unwrap()
        > 0
    {
        tokio::task::yield_now().await;
    }
}

async fn begin(frontend: &Frontend) {
    for copy in 0..COPIES {
        for shape in WORKED_ON {
            start(frontend, shape, copy, "worked-on").await;
        }
        start(frontend, "waiting", copy, "nobody").await;
        start(frontend, "terminated", copy, "nobody").await;
    }
    for _ in 0..COPIES * WORKED_ON.len() {
        work(frontend).await;
    }
    for _ in 0..COPIES {
        beat(frontend).await;
    }
    for copy in 0..COPIES {
        for _ in 0..8 {
            signal(frontend, &format!("long-{copy}")).await;
        }
        terminate(frontend, &format!("terminated-{copy}")).await;
    }
}

fn queue(name: &str) -> TaskQueue {
    TaskQueue {
        name: name.to_owned(),
        ..TaskQueue::default()
    }
}

fn payload() -> Payload {
    Payload {
        data: b"some of the work is done".to_vec(),
        ..Payload::default()
    }
}

fn payloads() -> Payloads {
    Payloads {
        payloads: vec![payload()],
    }
}

fn execution(workflow_id: &str) -> WorkflowExecution {
    WorkflowExecution {
        workflow_id: workflow_id.to_owned(),
        run_id: String::new(),
    }
}

async fn start(frontend: &Frontend, shape: &str, copy: usize, task_queue: &str) {
    let fields = ["why", "who", "when"].map(|name| (name.to_owned(), payload()));
    let memo = Memo {
        fields: fields.into_iter().collect(),
    };
    let request = pb::StartWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_id: format!("{shape}-{copy}"),
        workflow_type: Some(WorkflowType {
            name: shape.to_owned(),
        }),
        task_queue: Some(queue(task_queue)),
        request_id: format!("{shape} {copy}"),
        memo: (shape == "memo").then_some(memo),
        search_attributes: (shape == "memo").then(|| SearchAttributes {
            indexed_fields: [(
                "BatcherUser".to_owned(),
                Payload {
                    metadata: [("encoding".to_owned(), b"json/plain".to_vec())].into(),
                    data: b"\"me\"".to_vec(),
                    ..Payload::default()
                },
            )]
            .into(),
        }),
        ..pb::StartWorkflowExecutionRequest::default()
    };
    frontend
        .start_workflow_execution(Request::new(request))
        .await
        .unwrap();
}

/// Takes one workflow task and completes it as the type of its run says.
async fn work(frontend: &Frontend) {
    let mut poll = Request::new(pb::PollWorkflowTaskQueueRequest {
        namespace: "default".to_owned(),
        task_queue: Some(queue("worked-on")),
        ..pb::PollWorkflowTaskQueueRequest::default()
    });
    poll.set_timeout(Duration::from_secs(30));
    let task = frontend
        .poll_workflow_task_queue(poll)
        .await
        .unwrap()
        .into_inner();
    let shape = task
        .workflow_type
        .expect("a task before the poll ends")
        .name;
    let completed = pb::RespondWorkflowTaskCompletedRequest {
        namespace: "default".to_owned(),
        task_token: task.task_token,
        commands: commands(&shape)
            .into_iter()
            .map(|attributes| command::Command {
                command_type: kind_of(&attributes).into(),
                attributes: Some(attributes),
                ..command::Command::default()
            })
            .collect(),
        ..pb::RespondWorkflowTaskCompletedRequest::default()
    };
    frontend
        .respond_workflow_task_completed(Request::new(completed))
        .await
        .unwrap();
}

fn kind_of(attributes: &Attributes) -> cairn_proto::temporal::api::enums::v1::CommandType {
    use cairn_proto::temporal::api::enums::v1::CommandType as Kind;
    match attributes {
        Attributes::StartTimerCommandAttributes(_) => Kind::StartTimer,
        Attributes::ScheduleActivityTaskCommandAttributes(_) => Kind::ScheduleActivityTask,
        Attributes::CompleteWorkflowExecutionCommandAttributes(_) => {
            Kind::CompleteWorkflowExecution
        }
        Attributes::FailWorkflowExecutionCommandAttributes(_) => Kind::FailWorkflowExecution,
        Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(_) => {
            Kind::ContinueAsNewWorkflowExecution
        }
        other => panic!("{other:?}"),
    }
}

fn commands(shape: &str) -> Vec<Attributes> {
    match shape {
        "timer" | "memo" => vec![Attributes::StartTimerCommandAttributes(
            command::StartTimerCommandAttributes {
                timer_id: "1".to_owned(),
                start_to_fire_timeout: Some(Span {
                    seconds: 3600,
                    nanos: 0,
                }),
            },
        )],
        "activity" | "beat" => vec![activity(shape)],
        "completed" => vec![Attributes::CompleteWorkflowExecutionCommandAttributes(
            command::CompleteWorkflowExecutionCommandAttributes {
                result: Some(payloads()),
            },
        )],
        "failed" => vec![Attributes::FailWorkflowExecutionCommandAttributes(
            command::FailWorkflowExecutionCommandAttributes {
                failure: Some(Failure {
                    message: "no".to_owned(),
                    ..Failure::default()
                }),
            },
        )],
        "continued" => vec![Attributes::ContinueAsNewWorkflowExecutionCommandAttributes(
            command::ContinueAsNewWorkflowExecutionCommandAttributes {
                workflow_type: Some(WorkflowType {
                    name: "waiting".to_owned(),
                }),
                task_queue: Some(queue("nobody")),
                ..command::ContinueAsNewWorkflowExecutionCommandAttributes::default()
            },
        )],
        _ => Vec::new(),
    }
}

/// One that nobody takes, or one that has a worker who tells how far it is.
fn activity(shape: &str) -> Attributes {
    Attributes::ScheduleActivityTaskCommandAttributes(
        command::ScheduleActivityTaskCommandAttributes {
            activity_id: "1".to_owned(),
            activity_type: Some(ActivityType {
                name: "Work".to_owned(),
            }),
            task_queue: Some(queue(if shape == "beat" {
                "activities"
            } else {
                "nobody"
            })),
            start_to_close_timeout: Some(Span {
                seconds: 3600,
                nanos: 0,
            }),
            ..command::ScheduleActivityTaskCommandAttributes::default()
        },
    )
}

/// Takes one activity and tells how far it is.
async fn beat(frontend: &Frontend) {
    let mut poll = Request::new(pb::PollActivityTaskQueueRequest {
        namespace: "default".to_owned(),
        task_queue: Some(queue("activities")),
        ..pb::PollActivityTaskQueueRequest::default()
    });
    poll.set_timeout(Duration::from_secs(30));
    let task = frontend
        .poll_activity_task_queue(poll)
        .await
        .unwrap()
        .into_inner();
    let heartbeat = pb::RecordActivityTaskHeartbeatRequest {
        namespace: "default".to_owned(),
        task_token: task.task_token,
        details: Some(payloads()),
        ..pb::RecordActivityTaskHeartbeatRequest::default()
    };
    frontend
        .record_activity_task_heartbeat(Request::new(heartbeat))
        .await
        .unwrap();
}

async fn signal(frontend: &Frontend, workflow_id: &str) {
    let request = pb::SignalWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_execution: Some(execution(workflow_id)),
        signal_name: "on".to_owned(),
        ..pb::SignalWorkflowExecutionRequest::default()
    };
    frontend
        .signal_workflow_execution(Request::new(request))
        .await
        .unwrap();
}

async fn terminate(frontend: &Frontend, workflow_id: &str) {
    let request = pb::TerminateWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        workflow_execution: Some(execution(workflow_id)),
        reason: "enough".to_owned(),
        ..pb::TerminateWorkflowExecutionRequest::default()
    };
    frontend
        .terminate_workflow_execution(Request::new(request))
        .await
        .unwrap();
}
