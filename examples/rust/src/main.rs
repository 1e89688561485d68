//! Hello world: a workflow with an activity, a query, an update and a signal, with the official Rust SDK.
//!
//!     cd examples/rust
//!     cargo run
//!
//! TEMPORAL_ADDRESS says where the server is; localhost:7233 otherwise.

use std::error::Error;
use std::time::Duration;

use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::{
    Client, ClientOptions, Connection, WorkflowExecuteUpdateOptions, WorkflowGetResultOptions,
    WorkflowQueryOptions, WorkflowSignalOptions, WorkflowStartOptions,
};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::{
    ActivityOptions, Runtime, SyncWorkflowContext, Worker, WorkerOptions, WorkflowContext,
    WorkflowContextView, WorkflowResult,
};

const TASK_QUEUE: &str = "hello-rust";

fn hello_in(language: &str) -> Option<&'static str> {
    match language {
        "English" => Some("Hello"),
        "French" => Some("Bonjour"),
        "Spanish" => Some("Hola"),
        _ => None,
    }
}

struct Greeter;

#[activities]
impl Greeter {
    #[activity]
    async fn compose_greeting(
        _ctx: ActivityContext,
        (language, name): (String, String),
    ) -> Result<String, ActivityError> {
        let hello = hello_in(&language).unwrap_or("Hello");
        Ok(format!("{hello}, {name}!"))
    }
}

/// Greets when it is told to, in a language that can be asked for and changed.
#[workflow]
struct Greeting {
    name: String,
    language: String,
    approved: bool,
}

#[workflow_methods]
impl Greeting {
    #[init]
    fn new(_ctx: &WorkflowContextView, name: String) -> Self {
        Self {
            name,
            language: "English".to_owned(),
            approved: false,
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.wait_condition(|greeting| greeting.approved).await?;
        let wanted = ctx.state(|greeting| (greeting.language.clone(), greeting.name.clone()));
        let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(10));
        Ok(ctx
            .execute_activity(Greeter::compose_greeting, wanted, options)
            .await?)
    }

    #[query]
    fn language(&self, _ctx: &WorkflowContextView) -> String {
        self.language.clone()
    }

    #[update]
    fn set_language(&mut self, _ctx: &mut SyncWorkflowContext<Self>, next: String) -> String {
        std::mem::replace(&mut self.language, next)
    }

    #[update_validator(set_language)]
    fn know_language(
        &self,
        _ctx: &WorkflowContextView,
        next: &String,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        match hello_in(next) {
            Some(_) => Ok(()),
            None => Err(format!("{next} is not spoken here").into()),
        }
    }

    #[signal]
    fn approve(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.approved = true;
    }
}

async fn greet(client: &Client) -> Result<(), Box<dyn Error>> {
    let id = format!("hello-{}", uuid::Uuid::new_v4());
    let options = WorkflowStartOptions::new(TASK_QUEUE, id).build();
    let greeting = client
        .start_workflow(Greeting::run, "world".to_owned(), options)
        .await?;

    let language = greeting
        .query(Greeting::language, (), WorkflowQueryOptions::default())
        .await?;
    println!("query: {language}");
    let before = greeting
        .execute_update(
            Greeting::set_language,
            "French".to_owned(),
            WorkflowExecuteUpdateOptions::default(),
        )
        .await?;
    println!("update: no longer {before}");
    greeting
        .signal(Greeting::approve, (), WorkflowSignalOptions::default())
        .await?;
    let result = greeting
        .get_result(WorkflowGetResultOptions::default())
        .await?;
    println!("result: {result}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (connection, client) =
        ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())?;
    let client = Client::new(Connection::connect(connection).await?, client)?;

    let runtime = Runtime::from_current_tokio(Default::default())?;
    let options = WorkerOptions::new(TASK_QUEUE)
        .register_workflow::<Greeting>()?
        .register_activities(Greeter)
        .build();
    let mut worker = Worker::new(&runtime, client.clone(), options)?;
    let shutdown = worker.shutdown_handle();
    let (greeted, worked) = tokio::join!(
        async {
            let greeted = greet(&client).await;
            shutdown();
            greeted
        },
        worker.run(),
    );
    worked?;
    greeted
}
