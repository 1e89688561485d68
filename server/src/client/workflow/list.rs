//! `cairn workflow list` and `count`.

use cairn_proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use cairn_proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use cairn_proto::temporal::api::workflowservice::v1::{
    CountWorkflowExecutionsRequest, ListArchivedWorkflowExecutionsRequest,
    ListWorkflowExecutionsRequest,
};
use serde_json::Value;

use super::super::connect::Client;
use super::super::output::Side;
use super::super::{json, refused};
use super::word;

/// Flags of a list.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Which ones, as a list filter.
    #[arg(long, short = 'q')]
    query: Option<String>,
    /// At most so many.
    #[arg(long)]
    limit: Option<usize>,
    /// So many in one request.
    #[arg(long)]
    page_size: Option<i32>,
    /// Archived ones only.
    #[arg(long)]
    archived: bool,
}

/// Flags of a count.
#[derive(Debug, clap::Args)]
pub(super) struct Count {
    /// Which ones, as a list filter; may end with GROUP BY.
    #[arg(long, short = 'q')]
    query: Option<String>,
}

struct Page {
    executions: Vec<WorkflowExecutionInfo>,
    next: Vec<u8>,
}

impl List {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let mut left = self.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let mut token = Vec::new();
        let mut first = true;
        let mut list = None;
        while left > 0 {
            let mut page = self.page(&mut client, token, left).await?;
            page.executions.truncate(left);
            left -= page.executions.len();
            if list.is_none() {
                // Only now: a refused query prints an error and nothing else.
                list = Some(client.printer.list()?);
            }
            for execution in &page.executions {
                if let Some(list) = list.as_mut().filter(|_| !client.printer.text()) {
                    list.item(&json::raw(execution)?)?;
                }
            }
            if !page.executions.is_empty() {
                table(&client, &page.executions, first)?;
                first = false;
            }
            token = page.next;
            if token.is_empty() {
                break;
            }
        }
        if let Some(list) = list {
            list.end()?;
        }
        Ok(())
    }

    async fn page(&self, client: &mut Client, token: Vec<u8>, left: usize) -> anyhow::Result<Page> {
        let namespace = client.namespace.clone();
        let query = self.query.clone().unwrap_or_default();
        let wanted = i32::try_from(left.min(1000)).unwrap_or(1000);
        let page_size = self.page_size.map_or(wanted, |size| size.min(wanted));
        let failed = |status: tonic::Status| refused("failed listing workflows", &status);
        if self.archived {
            let request = ListArchivedWorkflowExecutionsRequest {
                namespace,
                page_size,
                next_page_token: token,
                query,
            };
            let answer = client
                .workflows
                .list_archived_workflow_executions(request)
                .await
                .map_err(failed)?
                .into_inner();
            return Ok(Page {
                executions: answer.executions,
                next: answer.next_page_token,
            });
        }
        let request = ListWorkflowExecutionsRequest {
            namespace,
            page_size,
            next_page_token: token,
            query,
        };
        let answer = client
            .workflows
            .list_workflow_executions(request)
            .await
            .map_err(failed)?
            .into_inner();
        Ok(Page {
            executions: answer.executions,
            next: answer.next_page_token,
        })
    }
}

fn table(client: &Client, executions: &[WorkflowExecutionInfo], head: bool) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = executions
        .iter()
        .map(|info| {
            let execution = info.execution.clone().unwrap_or_default();
            let kind = info.r#type.clone().unwrap_or_default();
            vec![
                status(info.status),
                execution.workflow_id,
                kind.name,
                client.time_format.shown(info.start_time.as_ref()),
            ]
        })
        .collect();
    let columns = ["Status", "WorkflowId", "Type", "StartTime"].map(|name| (name, Side::Left));
    client.printer.table(&columns, &rows, head)?;
    Ok(())
}

/// A status in one word.
pub(super) fn status(number: i32) -> String {
    WorkflowExecutionStatus::try_from(number).map_or_else(
        |_| number.to_string(),
        |status| word(status.as_str_name(), "WORKFLOW_EXECUTION_STATUS_"),
    )
}

impl Count {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let answer = client
            .workflows
            .count_workflow_executions(CountWorkflowExecutionsRequest {
                namespace: client.namespace.clone(),
                query: self.query.unwrap_or_default(),
            })
            .await
            .map_err(|status| refused("failed counting workflows", &status))?
            .into_inner();
        client.printer.line(&format!("Total: {}", answer.count))?;
        let mut value = serde_json::to_value(json::raw(&answer)?)?;
        for (index, group) in answer.groups.iter().enumerate() {
            // Values of groups say their type in the metadata, which ordinary shorthand would keep; here only the value counts.
            let values: Vec<Value> = group
                .group_values
                .iter()
                .map(|payload| serde_json::from_slice(&payload.data).unwrap_or(Value::Null))
                .collect();
            let words: Vec<String> = values
                .iter()
                .map(|value| {
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                })
                .collect();
            client.printer.line(&format!(
                "Group total: {}, values: {}",
                group.count,
                words.join(", ")
            ))?;
            if let Some(shown) = value.pointer_mut(&format!("/groups/{index}/groupValues")) {
                *shown = values.into();
            }
        }
        client.printer.value(&value)?;
        Ok(())
    }
}
