//! The workflows of `tests.differential.scenarios.languages` in Rust.
//!
//! The SDK has no side effects: what is random or of the clock is given by the workflow's context. Nor has it a condition with a timeout.

use std::error::Error;
use std::time::Duration;

use temporalio_common::RetryPolicy;
use temporalio_common::search_attributes::SearchAttributeKey;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::workflow_replayer::WorkflowReplayerOptions;
use temporalio_sdk::workflows::{join_all, select};
use temporalio_sdk::{
    ActivityCancellationType, ActivityExecutionError, ActivityOptions, ApplicationFailure,
    CancellableFuture, ChildWorkflowOptions, ContinueAsNewOptions, LocalActivityOptions, MemoValue,
    SignalWorkflowOptions, SyncWorkflowContext, TimerResult, WorkerOptions,
    WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowRegistrationError,
    WorkflowResult, WorkflowTermination,
};

use crate::activities::Activities;

const SOON: Duration = Duration::from_millis(10);
const LATE: Duration = Duration::from_secs(3600);
const WORK: Duration = Duration::from_secs(10);
const COLOUR: SearchAttributeKey<String> = SearchAttributeKey::keyword("Colour");

type Registered = Result<(), WorkflowRegistrationError>;

/// A worker and a replayer are told of workflows in the same words, but by no common trait.
macro_rules! registered {
    ($($workflow:ident)*) => {
        pub fn in_worker(options: &mut WorkerOptions) -> Registered {
            $(options.register_workflow::<$workflow>()?;)*
            Ok(())
        }

        pub fn in_replayer(options: &mut WorkflowReplayerOptions) -> Registered {
            $(options.register_workflow::<$workflow>()?;)*
            Ok(())
        }
    };
}

registered! {
    Sequence FanOut Retries Refused Timers Patience Signals Queries Scope Cancelled ContinueAsNew LocalActivities
    SideEffect Patched Leaf Child ChildFails Receiver ExternalSignal Updates Memo SearchAttributes Heartbeat Saga Failing
}

fn plain() -> ActivityOptions {
    ActivityOptions::start_to_close_timeout(WORK)
}

fn retry() -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(SOON)
        .backoff_coefficient(1.0)
        .maximum_attempts(5)
        .build()
}

async fn echo<W>(
    ctx: &WorkflowContext<W>,
    text: impl Into<String>,
) -> Result<String, ActivityExecutionError> {
    ctx.execute_activity(Activities::echo, text.into(), plain())
        .await
}

fn for_good(message: &'static str, kind: &str) -> ApplicationFailure {
    ApplicationFailure::builder(message)
        .type_name(kind.to_owned())
        .non_retryable(true)
        .build()
}

#[workflow]
#[derive(Default)]
struct Sequence;

#[workflow_methods]
impl Sequence {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let mut all = String::new();
        for text in ["a", "b", "c"] {
            all += &echo(ctx, text).await?;
        }
        Ok(all)
    }
}

#[workflow]
#[derive(Default)]
struct FanOut;

#[workflow_methods]
impl FanOut {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let started = ["0", "1", "2", "3", "4"].map(|text| echo(ctx, text));
        let all: Result<String, _> = join_all(started).await.into_iter().collect();
        Ok(all?)
    }
}

#[workflow]
#[derive(Default)]
struct Retries;

#[workflow_methods]
impl Retries {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let options = ActivityOptions::with_start_to_close_timeout(WORK)
            .retry_policy(retry())
            .build();
        Ok(ctx
            .execute_activity(Activities::flaky, "there".to_owned(), options)
            .await?)
    }
}

#[workflow]
#[derive(Default)]
struct Refused;

#[workflow_methods]
impl Refused {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let answer = ctx
            .execute_activity(Activities::refuse, "no".to_owned(), plain())
            .await;
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => match error.reason() {
                Some(reason) => Ok(format!("refused: {reason}")),
                None => Err(error.into()),
            },
        }
    }
}

#[workflow]
#[derive(Default)]
struct Timers;

#[workflow_methods]
impl Timers {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let late = ctx.timer(LATE);
        ctx.timer(SOON).await;
        late.cancel();
        ctx.timer(SOON).await;
        Ok("done".to_owned())
    }
}

#[workflow]
#[derive(Default)]
struct Patience {
    told: bool,
}

#[workflow_methods]
impl Patience {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let in_time = select! {
            met = ctx.wait_condition(|_| false) => { met?; true }
            _ = ctx.timer(SOON) => false,
        };
        if !in_time {
            // A timer that nobody waits for runs on, until it is cancelled.
            let mut late = ctx.timer(LATE);
            select! {
                met = ctx.wait_condition(|patience| patience.told) => { met?; late.cancel(); }
                _ = late => {}
            }
        }
        Ok(echo(ctx, "in time").await?)
    }

    #[signal]
    fn go(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.told = true;
    }
}

#[workflow]
#[derive(Default)]
struct Signals {
    words: Vec<String>,
}

#[workflow_methods]
impl Signals {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.wait_condition(|signals| signals.words.len() == 3)
            .await?;
        Ok(ctx.state(|signals| signals.words.join(" ")))
    }

    #[signal]
    fn add(&mut self, _ctx: &mut SyncWorkflowContext<Self>, word: String) {
        self.words.push(word);
    }
}

#[workflow]
struct Queries {
    step: String,
}

#[workflow_methods]
impl Queries {
    #[init]
    fn new(_ctx: &WorkflowContextView) -> Self {
        Self {
            step: "started".to_owned(),
        }
    }

    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.wait_condition(|queries| queries.step == "finished")
            .await?;
        Ok(ctx.state(|queries| queries.step.clone()))
    }

    #[query]
    fn state(&self, _ctx: &WorkflowContextView) -> String {
        self.step.clone()
    }

    #[signal]
    fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.step = "finished".to_owned();
    }
}

#[workflow]
#[derive(Default)]
struct Scope {
    stopped: bool,
}

#[workflow_methods]
impl Scope {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let options = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(60))
            .heartbeat_timeout(Duration::from_secs(20))
            .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
            .build();
        let hanging = ctx.execute_activity(Activities::hang, (), options);
        ctx.wait_condition(|scope| scope.stopped).await?;
        hanging.cancel();
        match hanging.await {
            Err(ActivityExecutionError::Cancelled(_)) => Ok(echo(ctx, "cleaned").await?),
            ended => Ok(ended?),
        }
    }

    #[signal]
    fn stop(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.stopped = true;
    }
}

#[workflow]
#[derive(Default)]
struct Cancelled;

#[workflow_methods]
impl Cancelled {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        match ctx.timer(LATE).await {
            TimerResult::Fired => Ok("late".to_owned()),
            TimerResult::Cancelled => {
                let options = ActivityOptions::with_start_to_close_timeout(WORK)
                    .cancellation_token(WorkflowCancellationToken::new())
                    .build();
                ctx.execute_activity(Activities::echo, "cleaned".to_owned(), options)
                    .await?;
                Err(WorkflowTermination::cancelled())
            }
        }
    }
}

#[workflow]
#[derive(Default)]
struct ContinueAsNew;

#[workflow_methods]
impl ContinueAsNew {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, left: u32) -> WorkflowResult<String> {
        if left > 0 {
            ctx.continue_as_new(left - 1, ContinueAsNewOptions::default())?;
        }
        Ok("done".to_owned())
    }
}

#[workflow]
#[derive(Default)]
struct LocalActivities;

#[workflow_methods]
impl LocalActivities {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let options = LocalActivityOptions::builder()
            .start_to_close_timeout(WORK)
            .build();
        let mut all = String::new();
        for text in ["a", "b"] {
            all += &ctx
                .execute_local_activity(Activities::echo, text.to_owned(), options.clone())
                .await?;
        }
        Ok(all)
    }
}

#[workflow]
#[derive(Default)]
struct SideEffect;

#[workflow_methods]
impl SideEffect {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        Ok(echo(ctx, "seven").await?)
    }
}

#[workflow]
#[derive(Default)]
struct Patched;

#[workflow_methods]
impl Patched {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let way = if ctx.patched("change") { "new" } else { "old" };
        Ok(echo(ctx, way).await?)
    }
}

#[workflow]
#[derive(Default)]
struct Leaf;

#[workflow_methods]
impl Leaf {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>, text: String) -> WorkflowResult<String> {
        Ok(format!("leaf {text}"))
    }
}

fn as_child<W>(ctx: &WorkflowContext<W>) -> ChildWorkflowOptions {
    ChildWorkflowOptions::workflow_id(format!("{}-child", ctx.workflow_id()))
}

#[workflow]
#[derive(Default)]
struct Child;

#[workflow_methods]
impl Child {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let leaf = ctx
            .start_child_workflow(Leaf::run, "green".to_owned(), as_child(ctx))
            .await?;
        Ok(leaf.result().await?)
    }
}

#[workflow]
#[derive(Default)]
struct ChildFails;

#[workflow_methods]
impl ChildFails {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let failing = ctx
            .start_child_workflow(Failing::run, (), as_child(ctx))
            .await?;
        match failing.result().await {
            Ok(answer) => Ok(answer),
            Err(error) => match error.reason() {
                Some(reason) => Ok(format!("child failed: {reason}")),
                None => Err(error.into()),
            },
        }
    }
}

#[workflow]
#[derive(Default)]
struct Receiver {
    word: String,
}

#[workflow_methods]
impl Receiver {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.wait_condition(|receiver| !receiver.word.is_empty())
            .await?;
        Ok(ctx.state(|receiver| receiver.word.clone()))
    }

    #[signal]
    fn add(&mut self, _ctx: &mut SyncWorkflowContext<Self>, word: String) {
        self.word = word;
    }
}

#[workflow]
#[derive(Default)]
struct ExternalSignal;

#[workflow_methods]
impl ExternalSignal {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>, target: String) -> WorkflowResult<String> {
        let word = "from outside".to_owned();
        ctx.external_workflow(target, None)
            .signal(Receiver::add, word, SignalWorkflowOptions::default())
            .await?;
        Ok("sent".to_owned())
    }
}

#[workflow]
#[derive(Default)]
struct Updates {
    words: Vec<String>,
    finished: bool,
}

#[workflow_methods]
impl Updates {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.wait_condition(|updates| updates.finished).await?;
        Ok(ctx.state(|updates| updates.words.join(" ")))
    }

    #[update]
    async fn append(
        ctx: &mut WorkflowContext<Self>,
        word: String,
    ) -> Result<String, Box<dyn Error + Send + Sync>> {
        let word = echo(ctx, word).await?;
        Ok(ctx.state_mut(|updates| {
            updates.words.push(word);
            updates.words.join(" ")
        }))
    }

    #[update_validator(append)]
    fn check(
        &self,
        _ctx: &WorkflowContextView,
        word: &String,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        if word.is_empty() {
            let empty = ApplicationFailure::builder("empty").type_name("Empty".to_owned());
            return Err(empty.build().into());
        }
        Ok(())
    }

    #[signal]
    fn finish(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.finished = true;
    }
}

#[workflow]
#[derive(Default)]
struct Memo;

#[workflow_methods]
impl Memo {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.upsert_memo([("step", Some(MemoValue::new("one".to_owned())))])?;
        let note: Option<String> = ctx.memo().get("note")?;
        Ok(echo(ctx, note.unwrap_or_default()).await?)
    }
}

#[workflow]
#[derive(Default)]
struct SearchAttributes;

#[workflow_methods]
impl SearchAttributes {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        ctx.upsert_search_attributes([COLOUR.value_set("blue".to_owned())]);
        Ok(echo(ctx, "blue").await?)
    }
}

#[workflow]
#[derive(Default)]
struct Heartbeat;

#[workflow_methods]
impl Heartbeat {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let options = ActivityOptions::with_start_to_close_timeout(WORK)
            .retry_policy(retry())
            .heartbeat_timeout(Duration::from_secs(20))
            .build();
        Ok(ctx.execute_activity(Activities::beat, (), options).await?)
    }
}

#[workflow]
#[derive(Default)]
struct Saga;

#[workflow_methods]
impl Saga {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        let mut done = Vec::new();
        match Self::trip(ctx, &mut done).await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                for step in done.iter().rev() {
                    echo(ctx, format!("no {step}")).await?;
                }
                Err(for_good("no trip", "Saga").into())
            }
        }
    }

    async fn trip(
        ctx: &WorkflowContext<Self>,
        done: &mut Vec<String>,
    ) -> Result<String, ActivityExecutionError> {
        for step in ["hotel", "flight"] {
            done.push(echo(ctx, step).await?);
        }
        ctx.execute_activity(Activities::refuse, "car".to_owned(), plain())
            .await
    }
}

#[workflow]
#[derive(Default)]
struct Failing;

#[workflow_methods]
impl Failing {
    #[run]
    async fn run(_ctx: &mut WorkflowContext<Self>) -> WorkflowResult<String> {
        Err(for_good("broken", "Broken").into())
    }
}
