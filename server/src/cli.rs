//! The command line as a table of contents: which commands there are and which module carries each out.
//!
//! Flags are beside the code that obeys them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{bench, client, config, dev, production, quick, verify};

/// Durable workflows as code.
///
/// Without a command: serves durably from ./cairn.db on 127.0.0.1:7233.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    quick: quick::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: for production, or a development server with `start-dev`.
    Server(ServerArgs),
    /// Look at the server's configuration.
    Config(ConfigArgs),
    /// Start, look at, talk to and end workflow executions.
    #[command(visible_alias = "wf")]
    Workflow(client::workflow::Args),
    /// Complete, fail, pause and otherwise steer activities of workflow executions.
    Activity(client::activity::Args),
    /// Look after namespaces and the service itself.
    Operator(client::operator::Args),
    /// Look at task queues.
    TaskQueue(client::task_queue::Args),
    /// Check that everything in a database fits together, while a server has it or not.
    Verify(verify::Args),
    /// Measure this server, and another beside it.
    Bench(bench::Args),
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
struct ServerArgs {
    #[command(flatten)]
    production: production::Args,
    #[command(subcommand)]
    command: Option<ServerCommand>,
}

#[derive(Debug, Subcommand)]
enum ServerCommand {
    /// Run a development server: in memory unless --db-filename is given.
    StartDev(Box<dev::Args>),
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the configuration that `cairn server` would run with.
    Print(config::print::Args),
}

impl Cli {
    /// How many threads carry the work, if the command says so; the number of cores otherwise.
    pub(crate) fn threads(&self) -> Option<usize> {
        match &self.command {
            None => self.quick.threads,
            Some(Command::Server(server)) => match &server.command {
                None => server.production.threads,
                Some(ServerCommand::StartDev(dev)) => dev.threads,
            },
            Some(_) => None,
        }
    }

    /// Carries the command out.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => quick::run(self.quick).await?,
            Some(Command::Server(server)) => match server.command {
                None => production::run(server.production).await?,
                Some(ServerCommand::StartDev(dev)) => dev::run(*dev).await?,
            },
            Some(Command::Config(config)) => match config.command {
                ConfigCommand::Print(args) => config::print::run(&args)?,
            },
            Some(Command::Workflow(args)) => return Box::pin(client::workflow::run(args)).await,
            Some(Command::Activity(args)) => return client::activity::run(args).await,
            Some(Command::Operator(args)) => return client::operator::run(args).await,
            Some(Command::TaskQueue(args)) => return client::task_queue::run(args).await,
            Some(Command::Verify(args)) => return Ok(verify::run(args).await),
            Some(Command::Bench(args)) => bench::run(args).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
