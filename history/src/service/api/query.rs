//! Queries: answered with the next workflow task, or by a worker directly through matching.

use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::matching::v1 as matching;
use cairn_proto::cairn::matching::v1::query_workflow_response::Outcome;
use cairn_proto::prost_types::Timestamp;
use cairn_proto::temporal::api::enums::v1::QueryResultType;
use cairn_proto::temporal::api::errordetails::v1::QueryFailedFailure;
use cairn_proto::temporal::api::history::v1::History;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::{Request, Status};

use super::wait::Wait;
use super::wire;
use crate::execution::{Answer, DirectQuery, Queried, Query, Question};
use crate::id::{Key, RunId, Time};
use crate::kind::{Queue, Work};
use crate::service::{Shell, events, offers, refusal};

const TIMED_OUT: &str = "query timed out before a worker could process it";
/// How long a query without a deadline of its own may wait.
const WAIT_MAX: Duration = Duration::from_secs(30);

pub(super) async fn query(
    shell: &Arc<Shell>,
    request: history::QueryWorkflowRequest,
) -> Result<public::QueryWorkflowResponse, Status> {
    let history::QueryWorkflowRequest {
        namespace_id,
        request,
        deadline,
    } = request;
    let public::QueryWorkflowRequest {
        execution,
        query,
        query_reject_condition,
        ..
    } = wire::required(request, "Request")?;
    let (key, run) = wire::target(&namespace_id, execution)?;
    let query = Query {
        query: wire::required(query, "Query")?,
        reject_condition: query_reject_condition,
    };
    let deadline = wire::time(deadline).unwrap_or_else(|| shell.clock.now().after(WAIT_MAX));
    let answer = ask(shell, &key, run, query, deadline).await?;
    let queried = match answer {
        Answer::Queried(queried) => *queried,
        Answer::AskWorker(direct) => ask_worker(shell, &key, *direct, deadline).await?,
        _ => return Err(Status::internal("a run answered another question")),
    };
    match queried {
        Queried::Answered(query_result) => Ok(public::QueryWorkflowResponse {
            query_result,
            ..public::QueryWorkflowResponse::default()
        }),
        Queried::Rejected(rejected) => Ok(public::QueryWorkflowResponse {
            query_rejected: Some(rejected),
            ..public::QueryWorkflowResponse::default()
        }),
        Queried::Failed { message, failure } => Err(refusal::query_failed(
            message,
            &QueryFailedFailure { failure },
        )),
    }
}

/// Asks the run; a query that waits for a workflow task is forgotten when its time is over or its asker leaves.
async fn ask(
    shell: &Arc<Shell>,
    key: &Key,
    run: Option<RunId>,
    query: Query,
    deadline: Time,
) -> Result<Answer, Status> {
    let (ticket, answer) = shell.put(key.clone(), run, None, Question::Query(query));
    let mut wait = Wait {
        shell,
        key,
        run,
        ticket,
        forget: Question::ForgetQuery,
        over: false,
    };
    let patience = deadline.since(shell.clock.now());
    let Ok(released) = tokio::time::timeout(patience, answer).await else {
        return Err(Status::deadline_exceeded(TIMED_OUT));
    };
    wait.over = true;
    let released = released.map_err(|_| refusal::moved())?;
    let named = run.map(|run| (key.workflow_id.clone(), run));
    released
        .result
        .map_err(|refusal| refusal::status_about(refusal, named.as_ref()))
}

/// The sticky worker first, which has the run in memory; then whoever polls the normal queue, with the whole history.
async fn ask_worker(
    shell: &Arc<Shell>,
    key: &Key,
    direct: DirectQuery,
    deadline: Time,
) -> Result<Queried, Status> {
    let DirectQuery {
        run,
        mut task,
        sticky,
        task_queue,
        last_event_id,
    } = direct;
    if let Some((name, patience)) = sticky {
        let queue = Queue {
            namespace: key.namespace,
            name,
            work: Work::Workflow,
            sticky_of: Some(task_queue.clone()),
        };
        let until = deadline.min(shell.clock.now().after(patience));
        task.history = Some(History::default());
        if let Some(queried) = dispatch(shell, &queue, task.clone(), until).await? {
            return Ok(queried);
        }
    }
    let mut whole = Vec::new();
    let mut next = Some(1);
    while let Some(from) = next {
        let range = from..last_event_id + 1;
        let (page, rest) = events::stored(&*shell.store, run, range, events::PAGE_FRAGMENTS_MAX)
            .await
            .map_err(events::unreadable)?;
        whole.extend(page);
        next = rest;
    }
    task.history = Some(History { events: whole });
    let queue = Queue {
        namespace: key.namespace,
        name: task_queue,
        work: Work::Workflow,
        sticky_of: None,
    };
    match dispatch(shell, &queue, task, deadline).await? {
        Some(queried) => Ok(queried),
        None => Err(Status::deadline_exceeded(TIMED_OUT)),
    }
}

/// One try on one queue; `None`: try the next one.
async fn dispatch(
    shell: &Arc<Shell>,
    queue: &Queue,
    task: public::PollWorkflowTaskQueueResponse,
    until: Time,
) -> Result<Option<Queried>, Status> {
    let Some(matching) = shell.matching.get() else {
        return Err(Status::unavailable("matching is not there yet"));
    };
    let request = matching::QueryWorkflowRequest {
        queue: Some(offers::queue_message(queue)),
        task: Some(task),
        deadline: Some(timestamp(until)),
    };
    let response = matching
        .0
        .query_workflow(Request::new(request))
        .await?
        .into_inner();
    match response.outcome {
        Some(Outcome::Answer(answer)) => Ok(Some(judged(answer))),
        Some(Outcome::NoPoller(_)) => Err(Status::failed_precondition(
            "no poller seen for task queue recently, worker may be down",
        )),
        Some(Outcome::TimedOut(_) | Outcome::StickyWorkerUnavailable(_)) | None => Ok(None),
    }
}

fn judged(answer: public::RespondQueryTaskCompletedRequest) -> Queried {
    if answer.completed_type() == QueryResultType::Failed {
        Queried::Failed {
            message: answer.error_message,
            failure: answer.failure,
        }
    } else {
        Queried::Answered(answer.query_result)
    }
}

fn timestamp(time: Time) -> Timestamp {
    let nanos = i32::try_from(time.0.rem_euclid(1_000_000_000)).unwrap_or(0);
    Timestamp {
        seconds: time.0.div_euclid(1_000_000_000),
        nanos,
    }
}
