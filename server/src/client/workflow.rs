//! `cairn workflow …`: start, look at, talk to and end workflow executions.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Client, Options, word};

mod change;
mod describe;
mod end;
mod history;
mod list;
mod outcome;
mod start;
mod talk;
mod update;

/// Commands about workflow executions.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a workflow and say which run it is.
    Start(Box<start::Start>),
    /// Start a workflow, follow it and show its result; exit code 1 if it does not complete.
    Execute(Box<start::Execute>),
    /// List workflow executions.
    List(list::List),
    /// Count workflow executions.
    Count(list::Count),
    /// Describe a workflow execution.
    Describe(describe::Describe),
    /// Show a workflow execution's history.
    Show(history::Show),
    /// Send a signal to a workflow execution.
    Signal(talk::Signal),
    /// Ask a workflow execution for some of its state.
    Query(talk::Query),
    /// Send an update to a workflow execution, and see what came of it.
    #[command(subcommand)]
    Update(update::Update),
    /// Ask a workflow execution to cancel itself.
    Cancel(end::Cancel),
    /// End a workflow execution by force.
    Terminate(end::Terminate),
    /// Go on from an earlier point of a workflow execution, as a new run.
    Reset(change::Reset),
    /// Delete a workflow execution; an open one is ended first.
    Delete(change::Delete),
    /// Change options of an open workflow execution.
    UpdateOptions(change::UpdateOptions),
    /// Pause a workflow execution.
    Pause(change::Pause),
    /// Let a paused workflow execution go on.
    Unpause(change::Pause),
    /// Wait for a workflow's result and show it; exit code 1 if it does not complete.
    Result(outcome::Wait),
}

/// One run, by workflow id and run id.
#[derive(Debug, clap::Args)]
struct Run {
    /// Workflow id.
    #[arg(long, short = 'w')]
    workflow_id: String,
    /// Run id. Default: the current run.
    #[arg(long, short = 'r')]
    run_id: Option<String>,
}

/// Carries the command out.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { options, command } = args;
    Client::with(&options, async |client| {
        match command {
            Command::Start(start) => start.run(client).await,
            Command::Execute(execute) => execute.run(client).await,
            Command::List(list) => list.run(client).await,
            Command::Count(count) => count.run(client).await,
            Command::Describe(describe) => describe.run(client).await,
            Command::Show(show) => show.run(client).await,
            Command::Signal(signal) => signal.run(client).await,
            Command::Query(query) => query.run(client).await,
            Command::Update(update) => update.run(client).await,
            Command::Cancel(cancel) => cancel.run(client).await,
            Command::Terminate(terminate) => terminate.run(client).await,
            Command::Reset(reset) => reset.run(client).await,
            Command::Delete(delete) => delete.run(client).await,
            Command::UpdateOptions(update) => update.run(client).await,
            Command::Pause(pause) => pause.pause(client).await,
            Command::Unpause(pause) => pause.unpause(client).await,
            Command::Result(wait) => wait.run(client).await,
        }?;
        Ok(ExitCode::SUCCESS)
    })
    .await
}
