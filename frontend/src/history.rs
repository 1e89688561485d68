//! `GetWorkflowExecutionHistory` and its reverse: pages behind sealed tokens.

use cairn_history::id::Time;
use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::token::v1::HistoryPage;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::enums::v1::HistoryEventFilterType;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;
use tonic::metadata::MetadataMap;

use crate::deadline::{self, timestamp};
use crate::error::Error;
use crate::namespace::Namespace;
use crate::namespace::attributes::hide_removed_in;
use crate::token::is_page_of;
use crate::{Frontend, answer, check};

/// Transitions on a page at most.
const PAGE: i32 = 256;

/// Who reads a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    /// Until when it waits.
    deadline: Option<Time>,
    /// People look at it: what is not durable yet, and may never be, would confuse them. Workers need it.
    is_shown: bool,
}

impl Reader {
    /// The reader that a request's metadata describes.
    pub(crate) fn of(metadata: &MetadataMap, now: Time) -> Self {
        let name = metadata.get("client-name");
        let name = name.and_then(|name| name.to_str().ok());
        Self {
            deadline: deadline::of(metadata, now),
            is_shown: matches!(name, Some("temporal-ui" | "temporal-cli" | "cairn-cli")),
        }
    }
}

pub(crate) async fn get(
    frontend: &Frontend,
    mut request: pb::GetWorkflowExecutionHistoryRequest,
    reader: Reader,
) -> Result<pb::GetWorkflowExecutionHistoryResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check::execution(request.execution.as_ref())?;
    request.maximum_page_size = page_size(request.maximum_page_size);
    if HistoryEventFilterType::try_from(request.history_event_filter_type)
        .is_ok_and(|filter| filter == HistoryEventFilterType::CloseEvent)
    {
        request.history_event_filter_type = HistoryEventFilterType::CloseEvent.into();
    } else {
        request.history_event_filter_type = HistoryEventFilterType::AllEvent.into();
    }
    let asked = request.execution.as_ref();
    request.next_page_token =
        frontend.open_history_page(&namespace, asked, &request.next_page_token, false)?;
    let message = history::GetWorkflowExecutionHistoryRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
        deadline: Some(timestamp(deadline::history_wait(
            reader.deadline,
            frontend.now(),
        ))),
        durable_only: reader.is_shown,
    };
    let asked = frontend
        .history
        .get_workflow_execution_history(Request::new(message));
    let mut response = answer(asked.await)?;
    if let Some(history) = &mut response.history {
        hide_removed_in(&namespace.record, &mut history.events);
    }
    response.next_page_token = frontend.seal.seal::<HistoryPage>(response.next_page_token);
    Ok(response)
}

pub(crate) async fn get_reverse(
    frontend: &Frontend,
    mut request: pb::GetWorkflowExecutionHistoryReverseRequest,
) -> Result<pb::GetWorkflowExecutionHistoryReverseResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check::execution(request.execution.as_ref())?;
    request.maximum_page_size = page_size(request.maximum_page_size);
    let asked = request.execution.as_ref();
    request.next_page_token =
        frontend.open_history_page(&namespace, asked, &request.next_page_token, true)?;
    let message = history::GetWorkflowExecutionHistoryReverseRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    let asked = frontend
        .history
        .get_workflow_execution_history_reverse(Request::new(message));
    let mut response = answer(asked.await)?;
    if let Some(history) = &mut response.history {
        hide_removed_in(&namespace.record, &mut history.events);
    }
    response.next_page_token = frontend.seal.seal::<HistoryPage>(response.next_page_token);
    Ok(response)
}

fn page_size(asked: i32) -> i32 {
    if asked <= 0 { PAGE } else { asked.min(PAGE) }
}

impl Frontend {
    /// The encoded token behind a sealed one, if it is about what the request is about.
    fn open_history_page(
        &self,
        namespace: &Namespace,
        asked: Option<&WorkflowExecution>,
        sealed: &[u8],
        reverse: bool,
    ) -> Result<Vec<u8>, Error> {
        if sealed.is_empty() {
            return Ok(Vec::new());
        }
        let forged = || Error::invalid("Invalid NextPageToken.");
        let page: HistoryPage = self.seal.read(sealed).map_err(|_| forged())?;
        let run = uuid::Uuid::from_slice(&page.run_id).map_err(|_| forged())?;
        let (workflow_id, run_id) =
            asked.map_or(("", ""), |asked| (&asked.workflow_id, &asked.run_id));
        if !run_id.is_empty() && uuid::Uuid::parse_str(run_id) != Ok(run) {
            return Err(Error::invalid(
                "RunId in the request does not match the NextPageToken.",
            ));
        }
        // A run is found by its namespace and workflow id, so behind others there is no such run.
        if !is_page_of(&page.namespace_id, namespace.id) || page.workflow_id != workflow_id {
            return Err(Error::NotFound(format!(
                "workflow execution not found for workflow ID {workflow_id:?} and run ID \"{run}\""
            )));
        }
        if page.reverse != reverse {
            return Err(forged());
        }
        Ok(page.encode_to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_workers_by_their_client() {
        let is_shown = |name: &'static str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("client-name", name.parse().unwrap());
            Reader::of(&metadata, Time(0)).is_shown
        };
        assert!(is_shown("temporal-ui") && is_shown("temporal-cli") && is_shown("cairn-cli"));
        assert!(!is_shown("temporal-go") && !is_shown(""));
        assert!(!Reader::of(&MetadataMap::new(), Time(0)).is_shown);
    }
}
