//! The two old lists, of open and of closed runs, with their fixed filters instead of a query.

use cairn_history::id::Time;
use cairn_history::log::Row;
use cairn_history::log::visibility::{Attribute, Comparison, Condition, Query, Value};
use cairn_proto::prost::Message;
use cairn_proto::prost_types::Timestamp;
use cairn_proto::temporal::api::enums::v1::WorkflowExecutionStatus;
use cairn_proto::temporal::api::filter::v1::StartTimeFilter;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::temporal::api::workflowservice::v1::list_closed_workflow_executions_request::Filters as Closed;
use cairn_proto::temporal::api::workflowservice::v1::list_open_workflow_executions_request::Filters as Open;

use super::plan::no_division;
use super::{Page, digest};
use crate::Frontend;
use crate::error::Error;

pub(crate) async fn list_open(
    frontend: &Frontend,
    mut request: pb::ListOpenWorkflowExecutionsRequest,
) -> Result<pb::ListOpenWorkflowExecutionsResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let token = std::mem::take(&mut request.next_page_token);
    let size = std::mem::take(&mut request.maximum_page_size);
    let digest = digest(&request.encode_to_vec());
    let mut all = vec![
        status(Comparison::Equal, Row::RUNNING),
        no_division(&namespace),
    ];
    all.extend(times(Attribute::StartTime, request.start_time_filter)?);
    all.extend(request.filters.map(|filter| match filter {
        Open::ExecutionFilter(execution) => text(Attribute::WorkflowId, execution.workflow_id),
        Open::TypeFilter(kind) => text(Attribute::WorkflowType, kind.name),
    }));
    let page = Page {
        query: Query {
            namespace: namespace.id,
            condition: Some(Condition::All(all)),
        },
        digest,
        size,
        token,
    };
    let (executions, next_page_token) = frontend.page(&namespace, page).await?;
    Ok(pb::ListOpenWorkflowExecutionsResponse {
        executions,
        next_page_token,
    })
}

pub(crate) async fn list_closed(
    frontend: &Frontend,
    mut request: pb::ListClosedWorkflowExecutionsRequest,
) -> Result<pb::ListClosedWorkflowExecutionsResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let token = std::mem::take(&mut request.next_page_token);
    let size = std::mem::take(&mut request.maximum_page_size);
    let digest = digest(&request.encode_to_vec());
    let mut all = vec![
        status(Comparison::NotEqual, Row::RUNNING),
        no_division(&namespace),
    ];
    all.extend(times(Attribute::CloseTime, request.start_time_filter)?);
    if let Some(filter) = request.filters {
        all.push(match filter {
            Closed::ExecutionFilter(execution) => {
                text(Attribute::WorkflowId, execution.workflow_id)
            }
            Closed::TypeFilter(kind) => text(Attribute::WorkflowType, kind.name),
            Closed::StatusFilter(filter) => {
                status(Comparison::Equal, closed_status(filter.status)?)
            }
        });
    }
    let page = Page {
        query: Query {
            namespace: namespace.id,
            condition: Some(Condition::All(all)),
        },
        digest,
        size,
        token,
    };
    let (executions, next_page_token) = frontend.page(&namespace, page).await?;
    Ok(pb::ListClosedWorkflowExecutionsResponse {
        executions,
        next_page_token,
    })
}

fn closed_status(status: i32) -> Result<i32, Error> {
    match WorkflowExecutionStatus::try_from(status) {
        Ok(WorkflowExecutionStatus::Unspecified | WorkflowExecutionStatus::Running) => Err(
            Error::invalid("StatusFilter must be specified and must be not Running."),
        ),
        Ok(_) => Ok(status),
        Err(_) => Err(Error::invalid(format!(
            "invalid query: invalid expression: invalid ExecutionStatus value '{status}'"
        ))),
    }
}

fn status(sign: Comparison, status: i32) -> Condition {
    Condition::Compare(Attribute::ExecutionStatus, sign, Value::Int(status.into()))
}

fn text(attribute: Attribute, value: String) -> Condition {
    Condition::Compare(attribute, Comparison::Equal, Value::Text(value))
}

/// Both ends included; an end that is not set is open.
fn times(attribute: Attribute, filter: Option<StartTimeFilter>) -> Result<Vec<Condition>, Error> {
    let (earliest, latest) = filter.map_or((None, None), |filter| {
        (
            filter.earliest_time.map(nanos),
            filter.latest_time.map(nanos),
        )
    });
    if let (Some(earliest), Some(latest)) = (earliest, latest)
        && earliest > latest
    {
        return Err(Error::invalid(
            "EarliestTime in StartTimeFilter should not be larger than LatestTime.",
        ));
    }
    let ends = [
        (Comparison::GreaterOrEqual, earliest),
        (Comparison::LessOrEqual, latest),
    ];
    let ends = ends.into_iter().filter_map(|(sign, time)| {
        time.map(|time| Condition::Compare(attribute, sign, Value::Time(time)))
    });
    Ok(ends.collect())
}

fn nanos(timestamp: Timestamp) -> Time {
    let seconds = timestamp.seconds.saturating_mul(1_000_000_000);
    Time(seconds.saturating_add(timestamp.nanos.into()))
}
