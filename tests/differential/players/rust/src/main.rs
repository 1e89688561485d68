//! A worker with the workflows of `tests.differential.scenarios.languages` in Rust, and a client that does as it is told.
//!
//! One line of JSON on standard input is one thing to do, one line on standard output its answer: `tests/differential/player.py` is the other end.
//! Knows workflows by name only, as those lines do: how a client with types looks is in `examples/rust`.

mod activities;
mod workflows;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use futures::TryStreamExt;
use futures::channel::mpsc;
use prost::Message;
use serde::Deserialize;
use serde_json::{Value, json};
use temporalio_client::errors::WorkflowUpdateError;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, UntypedQuery, UntypedSignal,
    UntypedUpdate, UntypedWorkflow, Url, WorkflowCancelOptions, WorkflowExecuteUpdateOptions,
    WorkflowGetResultOptions, WorkflowQueryOptions, WorkflowSignalOptions, WorkflowStartOptions,
};
use temporalio_common::MemoValues;
use temporalio_common::data_converters::{PayloadConverter, RawValue};
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_sdk::runtime::RuntimeOptions;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};

type Failed = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
struct Asked {
    n: u64,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum What {
    Start {
        #[serde(rename = "type")]
        kind: String,
        id: String,
        args: Vec<Value>,
        #[serde(default)]
        memo: BTreeMap<String, Value>,
    },
    Result {
        id: String,
    },
    Signal(Told),
    Query(Told),
    Update(Told),
    Cancel {
        id: String,
    },
    Replay {
        /// In protobuf's binary form: the SDK reads no JSON but its own.
        history: String,
    },
}

/// A signal, a query or an update.
#[derive(Deserialize)]
struct Told {
    id: String,
    name: String,
    args: Vec<Value>,
}

/// One thing to do; gives back what the SDK does.
async fn carry_out(client: &Client, queue: &str, what: What) -> Result<Value, Failed> {
    let handle = |id: String| client.get_workflow_handle::<UntypedWorkflow>(id);
    match what {
        What::Start {
            kind,
            id,
            args,
            memo,
        } => {
            let options = WorkflowStartOptions::new(queue, id)
                .maybe_memo((!memo.is_empty()).then(|| memo_of(memo)))
                .build();
            client
                .start_workflow(UntypedWorkflow::new(kind), raw(&args), options)
                .await?;
            Ok(Value::Null)
        }
        What::Result { id } => {
            let options = WorkflowGetResultOptions::default();
            Ok(value(handle(id).get_result(options).await?))
        }
        What::Signal(Told { id, name, args }) => {
            let options = WorkflowSignalOptions::default();
            handle(id)
                .signal(UntypedSignal::new(name), raw(&args), options)
                .await?;
            Ok(Value::Null)
        }
        What::Query(Told { id, name, args }) => {
            let options = WorkflowQueryOptions::default();
            let query = UntypedQuery::new(name);
            Ok(value(handle(id).query(query, raw(&args), options).await?))
        }
        What::Update(Told { id, name, args }) => {
            let options = WorkflowExecuteUpdateOptions::default();
            let update = UntypedUpdate::new(name);
            let answer = handle(id)
                .execute_update(update, raw(&args), options)
                .await?;
            Ok(value(answer))
        }
        What::Cancel { id } => {
            handle(id).cancel(WorkflowCancelOptions::default()).await?;
            Ok(Value::Null)
        }
        What::Replay { history } => {
            replay(&history).await?;
            Ok(Value::Null)
        }
    }
}

async fn replay(encoded: &str) -> Result<(), Failed> {
    let mut options = WorkflowReplayerOptions::new().build();
    workflows::in_replayer(&mut options)?;
    let replayer = WorkflowReplayer::new(options)?;
    let history = History::decode(&*BASE64_STANDARD.decode(encoded)?)?;
    Ok(replayer.replay_workflow(history.into()).await?)
}

fn memo_of(values: BTreeMap<String, Value>) -> MemoValues {
    let mut memo = MemoValues::new();
    for (key, value) in values {
        memo.insert(key, value);
    }
    memo
}

fn raw(arguments: &[Value]) -> RawValue {
    let converter = PayloadConverter::default();
    let payloads = |argument| RawValue::from_value(argument, &converter).payloads;
    RawValue::new(arguments.iter().flat_map(payloads).collect())
}

fn value(raw: RawValue) -> Value {
    raw.to_value(&PayloadConverter::default())
}

/// The last word of a chain of failures.
fn told(error: &(dyn Error + 'static)) -> String {
    if let Some(WorkflowUpdateError::Failed(failure)) = error.downcast_ref() {
        return failure.message.clone();
    }
    match error.source() {
        Some(cause) => told(cause),
        None => error.to_string(),
    }
}

async fn answer(client: &Client, queue: &str, line: String) -> Result<(), Failed> {
    let asked: Asked = serde_json::from_str(&line)?;
    let said = match carry_out(client, queue, asked.what).await {
        Ok(value) => json!({"n": asked.n, "value": value}),
        Err(error) => json!({"n": asked.n, "error": told(&*error)}),
    };
    println!("{said}");
    Ok(())
}

/// Standard input, read by a thread of its own: it ends when that does.
fn lines() -> mpsc::UnboundedReceiver<Result<String, Failed>> {
    let (sender, receiver) = mpsc::unbounded();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if sender.unbounded_send(line.map_err(Failed::from)).is_err() {
                break;
            }
        }
    });
    receiver
}

async fn play(address: &str, queue: &str) -> Result<(), Failed> {
    let target = Url::parse(&format!("http://{address}"))?;
    let connection = ConnectionOptions::new(target).identity("client").build();
    let options = ClientOptions::new("default").build();
    let client = Client::new(Connection::connect(connection).await?, options)?;

    let runtime = RuntimeOptions::builder().heartbeat_interval(None).build()?;
    let runtime = Runtime::from_current_tokio(runtime)?;
    // By itself the SDK takes a checksum of the program, which differs with where it is built.
    let build = WorkerDeploymentOptions::from_build_id("player".to_owned());
    let mut options = WorkerOptions::new(queue)
        .client_identity_override("worker")
        .deployment_options(build)
        .max_heartbeat_throttle_interval(Duration::from_millis(100))
        .register_activities(activities::Activities)
        .build();
    workflows::in_worker(&mut options)?;
    let mut worker = Worker::new(&runtime, client.clone(), options)?;

    let shutdown = worker.shutdown_handle();
    let playing = async {
        let played = lines().try_for_each_concurrent(None, |line| answer(&client, queue, line));
        let played = played.await;
        shutdown();
        played
    };
    let working = async { worker.run().await.map_err(Failed::from) };
    futures::future::try_join(playing, working).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, queue] = arguments.as_slice() else {
        return Err("usage: player ADDRESS QUEUE".into());
    };
    play(address, queue).await
}
