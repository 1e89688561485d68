//! `cairn operator …`: namespaces, search attributes and the service itself.

use std::process::ExitCode;

use clap::Subcommand;

use super::{Client, Options};

mod cluster;
mod namespace;
mod search_attribute;

/// Commands for those who run the service.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look after namespaces.
    Namespace(Box<Noun<namespace::Command>>),
    /// Look after search attributes.
    SearchAttribute(Noun<search_attribute::Command>),
    /// Look at the service.
    Cluster(Noun<cluster::Command>),
}

#[derive(Debug, clap::Args)]
struct Noun<Verb: Subcommand> {
    #[command(subcommand)]
    verb: Verb,
}

/// Carries the command out.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { options, command } = args;
    Client::with(&options, async |client| {
        match command {
            Command::Namespace(namespace) => namespace.verb.run(client).await,
            Command::SearchAttribute(attribute) => attribute.verb.run(client).await,
            Command::Cluster(cluster) => cluster.verb.run(client).await,
        }?;
        Ok(ExitCode::SUCCESS)
    })
    .await
}
