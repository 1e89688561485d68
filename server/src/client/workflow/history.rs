//! `cairn workflow show`: a run's history, as a table, as sections, or as JSON that an SDK can replay.

use std::collections::BTreeMap;

use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::enums::v1::EventType;
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};
use cairn_proto::temporal::api::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryReverseRequest,
};
use serde_json::Value;

use super::super::connect::{Client, execution};
use super::super::{json, refused, time};
use super::outcome::Outcome;
use super::word;

/// Flags of `show`.
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    run: super::Run,
    /// Wait for new events until the run has ended.
    #[arg(long, short = 'f', conflicts_with = "reverse")]
    follow: bool,
    /// Newest event first.
    #[arg(long)]
    reverse: bool,
    /// Show events as sections.
    #[arg(long)]
    detailed: bool,
}

impl Show {
    pub(super) async fn run(self, mut client: Client) -> anyhow::Result<()> {
        let run = execution(&self.run.workflow_id, self.run.run_id.as_deref());
        if client.printer.text() && self.follow {
            let last = follow(&mut client, run.clone(), self.detailed).await?;
            return ending(&client, run, last);
        }
        let mut pages = Pages::new(run.clone(), self.reverse, false);
        let mut events = Vec::new();
        while let Some(page) = pages.next(&mut client).await? {
            events.extend(page);
        }
        if client.printer.text() {
            client.printer.line("Progress:")?;
            print(&client, &events, self.detailed, true)?;
            let last = if self.reverse {
                events.first()
            } else {
                events.last()
            };
            return ending(&client, run, last.cloned());
        }
        client.printer.value(&json::raw(&History { events })?)?;
        Ok(())
    }
}

/// Prints events as they come, until the run has ended; gives the last.
pub(super) async fn follow(
    client: &mut Client,
    run: WorkflowExecution,
    detailed: bool,
) -> anyhow::Result<Option<HistoryEvent>> {
    client.printer.line("Progress:")?;
    let mut pages = Pages::new(run, false, true);
    let mut first = true;
    let mut last = None;
    while let Some(mut page) = pages.next(client).await? {
        print(client, &page, detailed, first)?;
        first = false;
        last = page.pop().or(last);
    }
    Ok(last)
}

fn ending(
    client: &Client,
    run: WorkflowExecution,
    last: Option<HistoryEvent>,
) -> anyhow::Result<()> {
    if let Some(event) = last.filter(closes) {
        client.printer.line("")?;
        Outcome::of(run, event).print_text(client, None)?;
    }
    Ok(())
}

fn closes(event: &HistoryEvent) -> bool {
    matches!(
        event.event_type(),
        EventType::WorkflowExecutionCompleted
            | EventType::WorkflowExecutionFailed
            | EventType::WorkflowExecutionTimedOut
            | EventType::WorkflowExecutionCanceled
            | EventType::WorkflowExecutionTerminated
            | EventType::WorkflowExecutionContinuedAsNew
    )
}

/// Reads a history page by page.
struct Pages {
    run: WorkflowExecution,
    reverse: bool,
    wait: bool,
    token: Vec<u8>,
    done: bool,
}

impl Pages {
    fn new(run: WorkflowExecution, reverse: bool, wait: bool) -> Self {
        Self {
            run,
            reverse,
            wait,
            token: Vec::new(),
            done: false,
        }
    }

    async fn next(&mut self, client: &mut Client) -> anyhow::Result<Option<Vec<HistoryEvent>>> {
        if self.done {
            return Ok(None);
        }
        let failed = |status: tonic::Status| refused("failed getting history", &status);
        let namespace = client.namespace.clone();
        let execution = Some(self.run.clone());
        let next_page_token = std::mem::take(&mut self.token);
        let (history, token) = if self.reverse {
            let request = GetWorkflowExecutionHistoryReverseRequest {
                namespace,
                execution,
                next_page_token,
                ..Default::default()
            };
            let answer = client
                .workflows
                .get_workflow_execution_history_reverse(request)
                .await
                .map_err(failed)?
                .into_inner();
            (answer.history, answer.next_page_token)
        } else {
            let request = GetWorkflowExecutionHistoryRequest {
                namespace,
                execution,
                next_page_token,
                wait_new_event: self.wait,
                skip_archival: self.wait,
                ..Default::default()
            };
            let answer = client
                .workflows
                .get_workflow_execution_history(request)
                .await
                .map_err(failed)?
                .into_inner();
            (answer.history, answer.next_page_token)
        };
        self.done = token.is_empty();
        self.token = token;
        Ok(Some(history.unwrap_or_default().events))
    }
}

/// The columns have fixed widths, as rows may come one by one.
fn print(
    client: &Client,
    events: &[HistoryEvent],
    detailed: bool,
    head: bool,
) -> anyhow::Result<()> {
    if head && !detailed {
        let heading = format!("  {:^3}  {:^20}  {:^26}", "ID", "Time", "Type");
        client.printer.line(heading.trim_end())?;
    }
    for event in events {
        let kind = word(event.event_type().as_str_name(), "EVENT_TYPE_");
        if detailed {
            let line = format!(
                "--------------- [{}] {kind} ---------------",
                event.event_id
            );
            client.printer.line(&line)?;
            let mut lines = BTreeMap::new();
            flatten("", &sections(json::short(event)?), &mut lines);
            for (name, value) in lines {
                client.printer.line(&format!("{name}: {value}"))?;
            }
            client.printer.line("")?;
        } else {
            let time = event.event_time.as_ref().map(time::iso).unwrap_or_default();
            client
                .printer
                .line(&format!("  {:>3}  {time:20}  {kind}", event.event_id))?;
        }
    }
    Ok(())
}

/// An event's attributes stand beside its time, without what the section's title says.
fn sections(mut event: Value) -> Value {
    let Some(fields) = event.as_object_mut() else {
        return event;
    };
    fields.remove("eventId");
    fields.remove("eventType");
    let names: Vec<String> = fields
        .keys()
        .filter(|name| name.ends_with("EventAttributes"))
        .cloned()
        .collect();
    for name in names {
        if let Some(Value::Object(attributes)) = fields.remove(&name) {
            fields.extend(attributes);
        }
    }
    event
}

fn flatten(name: &str, value: &Value, lines: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let dot = if name.is_empty() { "" } else { "." };
                flatten(&format!("{name}{dot}{key}"), value, lines);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&format!("{name}[{index}]"), value, lines);
            }
        }
        Value::String(text) => {
            lines.insert(name.to_owned(), text.clone());
        }
        other => {
            lines.insert(name.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sections_name_every_value_by_its_path() {
        let event =
            json!({"eventId": "1", "eventTime": "t", "xEventAttributes": {"a": {"b": [1, "c"]}}});
        let mut lines = BTreeMap::new();
        flatten("", &sections(event), &mut lines);
        let lines: Vec<_> = lines.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(lines, ["a.b[0]=1", "a.b[1]=c", "eventTime=t"]);
    }
}
