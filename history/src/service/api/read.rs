//! Reads of a run: its description and its history, by pages, backwards, and waiting for what comes.

use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::token::v1 as token;
use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::enums::v1::HistoryEventFilterType;
use cairn_proto::temporal::api::history::v1::{History, HistoryEvent};
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::Status;

use super::wire;
use crate::execution::{Answer, Position, Question};
use crate::id::{Key, RunId, Time};
use crate::service::{Shell, events};

/// How long a reader may wait for the next event before it is told to come again.
const LONG_POLL: Duration = Duration::from_secs(20);

pub(super) async fn describe(
    shell: &Arc<Shell>,
    request: history::DescribeWorkflowExecutionRequest,
) -> Result<public::DescribeWorkflowExecutionResponse, Status> {
    let history::DescribeWorkflowExecutionRequest {
        namespace_id,
        request,
    } = request;
    let request = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, request.execution)?;
    let reply = shell.ask(key, run, None, Question::Describe).await?;
    match reply.answer {
        Answer::Described(description) => Ok(*description),
        _ => Err(wire::unexpected(&reply)),
    }
}

pub(super) async fn history(
    shell: &Arc<Shell>,
    request: history::GetWorkflowExecutionHistoryRequest,
) -> Result<public::GetWorkflowExecutionHistoryResponse, Status> {
    let history::GetWorkflowExecutionHistoryRequest {
        namespace_id,
        request,
        deadline,
        durable_only,
    } = request;
    let public::GetWorkflowExecutionHistoryRequest {
        execution,
        next_page_token,
        wait_new_event,
        history_event_filter_type,
        maximum_page_size,
        ..
    } = wire::required(request, "Request")?;
    let closing_only = history_event_filter_type == i32::from(HistoryEventFilterType::CloseEvent);
    let reader = Reader::new(&namespace_id, execution, &next_page_token, false)?;
    let end = if next_page_token.is_empty() {
        0
    } else {
        reader.end
    };
    let longest = shell.clock.now().after(LONG_POLL);
    let until = wire::time(deadline).map_or(longest, |deadline| deadline.min(longest));
    let position = if wait_new_event {
        reader.wait(shell, closing_only, until).await?
    } else {
        reader.position(shell).await?
    };
    let mut answer = public::GetWorkflowExecutionHistoryResponse::default();
    if closing_only {
        let events = if position.open {
            Vec::new()
        } else {
            closing(shell, &position).await?
        };
        if position.open && wait_new_event {
            answer.next_page_token = reader.token(position.run, reader.next, 0);
        }
        answer.history = Some(History { events });
        return Ok(answer);
    }
    let limit = page_size(maximum_page_size);
    let stop = if end > 0 { end } else { position.next_event_id };
    let read = events::stored(&*shell.store, position.run, reader.next..stop, limit).await;
    let (mut read, rest) = read.map_err(events::unreadable)?;
    if let Some(next) = rest {
        answer.next_page_token = reader.token(position.run, next, end);
    } else {
        if !durable_only {
            read.extend(position.suffix);
        }
        if wait_new_event && position.open {
            answer.next_page_token = reader.token(position.run, stop, 0);
        }
    }
    answer.history = Some(History { events: read });
    Ok(answer)
}

pub(super) async fn history_reverse(
    shell: &Arc<Shell>,
    request: history::GetWorkflowExecutionHistoryReverseRequest,
) -> Result<public::GetWorkflowExecutionHistoryReverseResponse, Status> {
    let history::GetWorkflowExecutionHistoryReverseRequest {
        namespace_id,
        request,
    } = request;
    let public::GetWorkflowExecutionHistoryReverseRequest {
        execution,
        next_page_token,
        maximum_page_size,
        ..
    } = wire::required(request, "Request")?;
    let reader = Reader::new(&namespace_id, execution, &next_page_token, true)?;
    let position = reader.position(shell).await?;
    let below = if next_page_token.is_empty() {
        position.next_event_id
    } else {
        reader.next
    };
    let limit = page_size(maximum_page_size);
    let read = events::stored_reverse(&*shell.store, position.run, below, limit).await;
    let (events, rest) = read.map_err(events::unreadable)?;
    let next_page_token = rest.map_or_else(Vec::new, |next| reader.token(position.run, next, 0));
    Ok(public::GetWorkflowExecutionHistoryReverseResponse {
        history: Some(History { events }),
        next_page_token,
    })
}

fn page_size(asked: i32) -> usize {
    match usize::try_from(asked) {
        Ok(asked) if asked > 0 => asked.min(events::PAGE_FRAGMENTS_MAX),
        _ => events::PAGE_FRAGMENTS_MAX,
    }
}

async fn closing(shell: &Arc<Shell>, position: &Position) -> Result<Vec<HistoryEvent>, Status> {
    let last = position.next_event_id - 1..position.next_event_id;
    let (events, _) = events::stored(&*shell.store, position.run, last, 1)
        .await
        .map_err(events::unreadable)?;
    Ok(events)
}

/// Who reads which run, from where.
struct Reader {
    key: Key,
    run: Option<RunId>,
    next: i64,
    end: i64,
    reverse: bool,
}

impl Reader {
    fn new(
        namespace_id: &[u8],
        execution: Option<WorkflowExecution>,
        page: &[u8],
        reverse: bool,
    ) -> Result<Self, Status> {
        let (key, run) = wire::target(namespace_id, execution)?;
        if page.is_empty() {
            return Ok(Self {
                key,
                run,
                next: 1,
                end: 0,
                reverse,
            });
        }
        let bad = || Status::invalid_argument("Invalid NextPageToken.");
        let page = token::HistoryPage::decode(page).map_err(|_| bad())?;
        let token_run = wire::run_bytes(&page.run_id).map_err(|_| bad())?;
        let other = page.workflow_id != key.workflow_id || page.namespace_id != key.namespace.0;
        if page.reverse != reverse || page.next_event_id < 1 || token_run.is_none() || other {
            return Err(bad());
        }
        if run.is_some() && run != token_run {
            return Err(Status::invalid_argument(
                "RunId in the request does not match the NextPageToken.",
            ));
        }
        Ok(Self {
            key,
            run: token_run,
            next: page.next_event_id,
            end: page.end_event_id,
            reverse,
        })
    }

    async fn position(&self, shell: &Arc<Shell>) -> Result<Position, Status> {
        let reply = shell
            .ask(self.key.clone(), self.run, None, Question::Position)
            .await?;
        match reply.answer {
            Answer::Position(position) => Ok(position),
            _ => Err(wire::unexpected(&reply)),
        }
    }

    /// The position once there is something new (or, for readers of the close event, the run has closed), at `until`, or when this
    /// node drains.
    async fn wait(
        &self,
        shell: &Arc<Shell>,
        closing_only: bool,
        until: Time,
    ) -> Result<Position, Status> {
        let run = match self.run {
            Some(run) => run,
            None => self.position(shell).await?.run,
        };
        let watch = shell.slot(&self.key).watch(run);
        let mut draining = shell.draining.subscribe();
        loop {
            let moved = watch.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            // Asked under the watch: nothing can slip between the question and the wait.
            let position = self.same(shell, run).await?;
            let news = !closing_only && position.next_event_id > self.next;
            if news || !position.open {
                return Ok(position);
            }
            let patience = until.since(shell.clock.now());
            if patience.is_zero() || *draining.borrow() {
                return Ok(position);
            }
            tokio::select! {
                () = moved => {}
                () = tokio::time::sleep(patience) => {}
                _ = draining.changed() => {}
            }
        }
    }

    async fn same(&self, shell: &Arc<Shell>, run: RunId) -> Result<Position, Status> {
        Self {
            key: self.key.clone(),
            run: Some(run),
            ..*self
        }
        .position(shell)
        .await
    }

    fn token(&self, run: RunId, next_event_id: i64, end_event_id: i64) -> Vec<u8> {
        token::HistoryPage {
            namespace_id: self.key.namespace.0.to_vec(),
            workflow_id: self.key.workflow_id.clone(),
            run_id: run.0.to_vec(),
            next_event_id,
            end_event_id,
            reverse: self.reverse,
        }
        .encode_to_vec()
    }
}
