//! `cairn operator search-attribute …`: create, list and remove.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::bail;
use cairn_history::search_attribute::Kind;
use cairn_proto::temporal::api::operatorservice::v1::{
    AddSearchAttributesRequest, ListSearchAttributesRequest, RemoveSearchAttributesRequest,
};
use clap::Subcommand;

use super::super::connect::Client;
use super::super::output::Side;
use super::super::{json, refused};

/// Commands about the search attributes of a namespace.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add custom search attributes.
    Create {
        /// What it is called. Can be given again, with a type each.
        #[arg(long, required = true)]
        name: Vec<String>,
        /// What its values are: Text, Keyword, Int, Double, Bool, Datetime or `KeywordList`.
        #[arg(long = "type", required = true, value_parser = kind)]
        kind: Vec<Kind>,
    },
    /// List all search attributes.
    List,
    /// Remove custom search attributes.
    Remove {
        /// What it is called. Can be given again.
        #[arg(long, required = true)]
        name: Vec<String>,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::named(name.as_bytes())
        .ok_or_else(|| format!("not one of {}", Kind::ALL.map(Kind::name).join(", ")))
}

impl Command {
    pub(super) async fn run(self, client: Client) -> anyhow::Result<()> {
        match self {
            Self::Create { name, kind } => create(client, name, kind).await,
            Self::List => list(client).await,
            Self::Remove { name, yes } => remove(client, name, yes).await,
        }
    }
}

async fn create(mut client: Client, names: Vec<String>, kinds: Vec<Kind>) -> anyhow::Result<()> {
    if names.len() != kinds.len() {
        bail!("each --name needs a --type");
    }
    let numbered = |(name, kind): (String, Kind)| (name, kind.indexed().into());
    let request = AddSearchAttributesRequest {
        search_attributes: names.into_iter().zip(kinds).map(numbered).collect(),
        namespace: client.namespace.clone(),
    };
    client
        .operator
        .add_search_attributes(request)
        .await
        .map_err(|status| refused("unable to add search attributes", &status))?;
    client.printer.line("Search attributes have been added")?;
    Ok(())
}

async fn list(mut client: Client) -> anyhow::Result<()> {
    let request = ListSearchAttributesRequest {
        namespace: client.namespace.clone(),
    };
    let answer = client
        .operator
        .list_search_attributes(request)
        .await
        .map_err(|status| refused("unable to list search attributes", &status))?
        .into_inner();
    let sorted = |attributes: &std::collections::HashMap<String, i32>| -> BTreeMap<_, _> {
        let attributes = attributes.iter();
        attributes
            .map(|(name, kind)| (name.clone(), *kind))
            .collect()
    };
    let all = sorted(&answer.system_attributes)
        .into_iter()
        .chain(sorted(&answer.custom_attributes));
    let rows: Vec<_> = all
        .map(|(name, number)| {
            let kind = Kind::numbered(number).map_or("Unspecified", Kind::name);
            vec![name, kind.to_owned()]
        })
        .collect();
    let columns = [("Name", Side::Left), ("Type", Side::Left)];
    client.printer.table(&columns, &rows, true)?;
    client.printer.value(&json::raw(&answer)?)?;
    Ok(())
}

async fn remove(mut client: Client, names: Vec<String>, yes: bool) -> anyhow::Result<()> {
    if !yes {
        confirm(&names)?;
    }
    let request = RemoveSearchAttributesRequest {
        search_attributes: names,
        namespace: client.namespace.clone(),
    };
    client
        .operator
        .remove_search_attributes(request)
        .await
        .map_err(|status| refused("unable to remove search attributes", &status))?;
    client.printer.line("Search attributes have been removed")?;
    Ok(())
}

fn confirm(names: &[String]) -> anyhow::Result<()> {
    write!(
        std::io::stderr(),
        "Remove the search attributes {}? y/N ",
        names.join(", ")
    )?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("not confirmed: nothing was removed");
    }
    Ok(())
}
