//! Lists and counts of runs: a user's query in, rows of the `runs` table out.

use cairn_history::id::{NamespaceId, RunId, Time};
use cairn_history::log::Row;
use cairn_history::log::visibility::{Position, Query};
use cairn_proto::cairn::token::v1::ListPage;
use cairn_proto::prost::Message;
use cairn_proto::prost_types::Duration;
use cairn_proto::temporal::api::common::v1::{
    Memo, Payload, SearchAttributes, WorkflowExecution, WorkflowType,
};
use cairn_proto::temporal::api::workflow::v1::WorkflowExecutionInfo;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::temporal::api::workflowservice::v1::count_workflow_executions_response::AggregationGroup;

use crate::deadline::timestamp;
use crate::error::Error;
use crate::namespace::Namespace;
use crate::namespace::attributes::columns;
use crate::token::is_page_of;
use crate::{Frontend, check};

pub(crate) mod attribute;
pub(crate) mod filter;
mod parse;
mod plan;
mod run;
pub(crate) mod value;

use plan::{Group, Planned, plan};

impl From<plan::Refusal> for Error {
    fn from(refusal: plan::Refusal) -> Self {
        Error::invalid(refusal.to_string())
    }
}

pub(crate) async fn list(
    frontend: &Frontend,
    request: pb::ListWorkflowExecutionsRequest,
) -> Result<pb::ListWorkflowExecutionsResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let Planned { condition, .. } = plan(&namespace, &request.query)?;
    let page = Page {
        query: Query {
            namespace: namespace.id,
            condition,
        },
        digest: digest(request.query.as_bytes()),
        size: request.page_size,
        token: request.next_page_token,
    };
    let (executions, next_page_token) = frontend.page(&namespace, page).await?;
    Ok(pb::ListWorkflowExecutionsResponse {
        executions,
        next_page_token,
    })
}

/// The same as a list.
pub(crate) async fn scan(
    frontend: &Frontend,
    request: pb::ScanWorkflowExecutionsRequest,
) -> Result<pb::ScanWorkflowExecutionsResponse, Error> {
    let request = pb::ListWorkflowExecutionsRequest {
        namespace: request.namespace,
        page_size: request.page_size,
        next_page_token: request.next_page_token,
        query: request.query,
    };
    let listed = list(frontend, request).await?;
    Ok(pb::ScanWorkflowExecutionsResponse {
        executions: listed.executions,
        next_page_token: listed.next_page_token,
    })
}

pub(crate) async fn count(
    frontend: &Frontend,
    request: pb::CountWorkflowExecutionsRequest,
) -> Result<pb::CountWorkflowExecutionsResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let Planned {
        condition,
        group_by,
    } = plan(&namespace, &request.query)?;
    let query = Query {
        namespace: namespace.id,
        condition,
    };
    let grouped = group_by == Some(Group::Status);
    let counts = frontend.store.count(&query, grouped).await?;
    let counted = counts.iter().map(|(_, count)| *count).sum();
    let groups = match group_by {
        None => Vec::new(),
        Some(Group::Status) => counts
            .iter()
            .map(|(status, count)| aggregated(plan::status_name(*status), *count))
            .collect(),
        Some(Group::Division) if counted == 0 => Vec::new(),
        Some(Group::Division) => vec![aggregated("", counted)],
    };
    Ok(pb::CountWorkflowExecutionsResponse {
        count: counted,
        groups,
    })
}

fn aggregated(value: &str, count: i64) -> AggregationGroup {
    let metadata = [("encoding", "json/plain"), ("type", "Keyword")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.into()));
    AggregationGroup {
        group_values: vec![Payload {
            metadata: metadata.into(),
            data: format!("\"{value}\"").into_bytes(),
            ..Default::default()
        }],
        count,
    }
}

#[expect(clippy::unused_async, reason = "every RPC is an async function")]
pub(crate) async fn search_attributes(
    _frontend: &Frontend,
    _request: pb::GetSearchAttributesRequest,
) -> Result<pb::GetSearchAttributesResponse, Error> {
    let mut keys = attribute::types();
    keys.extend(columns().map(|(column, kind)| (column, kind.indexed().into())));
    Ok(pb::GetSearchAttributesResponse { keys })
}

/// A page that is asked for.
struct Page {
    query: Query,
    /// What its token must be of.
    digest: Vec<u8>,
    size: i32,
    token: Vec<u8>,
}

fn digest(query: &[u8]) -> Vec<u8> {
    blake3::hash(query).as_bytes()[..16].to_vec()
}

impl Frontend {
    async fn page(
        &self,
        known: &Namespace,
        page: Page,
    ) -> Result<(Vec<WorkflowExecutionInfo>, Vec<u8>), Error> {
        let most = self.config.visibility_page.max(1);
        let size = usize::try_from(page.size).ok().filter(|size| *size > 0);
        let size = size.unwrap_or(most).min(most);
        let namespace = page.query.namespace;
        let after = if page.token.is_empty() {
            None
        } else {
            Some(self.position(namespace, &page)?)
        };
        let rows = self.store.list(&page.query, after.as_ref(), size).await?;
        let last = rows.last().filter(|_| rows.len() >= size);
        let token = last.map_or_else(Vec::new, |last| {
            self.seal.write(&ListPage {
                namespace_id: namespace.0.to_vec(),
                query_digest: page.digest.clone(),
                close_time: last.close_time.map(|time| time.0),
                start_time: last.start_time.0,
                run_id: last.run.0.to_vec(),
            })
        });
        let rows = rows.into_iter().map(|row| info(known, row));
        Ok((rows.collect(), token))
    }

    /// Where the page before ended, if it was a page of the same list.
    fn position(&self, namespace: NamespaceId, page: &Page) -> Result<Position, Error> {
        let forged = || Error::invalid("Invalid NextPageToken.");
        let token: ListPage = self.seal.read(&page.token).map_err(|_| forged())?;
        if !is_page_of(&token.namespace_id, namespace) || token.query_digest != page.digest {
            return Err(forged());
        }
        Ok(Position {
            close_time: token.close_time.map(Time),
            start_time: Time(token.start_time),
            run: RunId(token.run_id.try_into().map_err(|_| forged())?),
        })
    }
}

/// A row as clients see it. What changes with every transition is told of closed runs only.
fn info(namespace: &Namespace, row: Row) -> WorkflowExecutionInfo {
    let execution = |workflow_id: String, run: RunId| WorkflowExecution {
        workflow_id,
        run_id: run.to_string(),
    };
    let own = execution(row.workflow_id.clone(), row.run);
    let root = row
        .root
        .map(|(workflow_id, run)| execution(workflow_id, run));
    let parent = row
        .parent
        .map(|(workflow_id, run)| execution(workflow_id, run));
    let closed = row.close_time.is_some();
    let when_closed = |value: i64| if closed { value } else { 0 };
    WorkflowExecutionInfo {
        root_execution: Some(root.unwrap_or_else(|| own.clone())),
        execution: Some(own),
        r#type: Some(WorkflowType {
            name: row.workflow_type,
        }),
        start_time: Some(timestamp(row.start_time)),
        execution_time: Some(timestamp(row.execution_time)),
        close_time: row.close_time.map(timestamp),
        status: row.status,
        history_length: when_closed(row.history_length),
        history_size_bytes: when_closed(row.history_size_bytes),
        state_transition_count: when_closed(row.state_transition_count),
        execution_duration: row
            .close_time
            .map(|closed| between(row.execution_time, closed)),
        parent_execution: parent,
        task_queue: row.task_queue,
        memo: Some(Memo::decode(&*row.memo).unwrap_or_default()),
        search_attributes: Some(annotated(namespace, &row.search_attributes)),
        ..Default::default()
    }
}

fn annotated(namespace: &Namespace, encoded: &[u8]) -> SearchAttributes {
    let mut attributes = SearchAttributes::decode(encoded).unwrap_or_default();
    check::search_attribute::annotate(namespace, &mut attributes);
    attributes
}

fn between(from: Time, to: Time) -> Duration {
    let duration = to.since(from);
    Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}
