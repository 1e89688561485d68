//! Queries: an offer without a start. The poller's answer is the answer.
//!
//! A poller that takes a query and disconnects leaves it to its deadline: whether the worker has run it nobody knows, and
//! asking twice is the asker's choice.

use std::sync::Arc;
use std::time::Duration;

use cairn_proto::cairn::matching::v1::query_workflow_response::Outcome;
use cairn_proto::cairn::matching::v1::{
    QueryWorkflowRequest, QueryWorkflowResponse, RespondQueryTaskCompletedRequest,
};
use cairn_proto::cairn::token::v1 as token;
use cairn_proto::temporal::api::workflowservice::v1::RespondQueryTaskCompletedResponse;
use prost::Message;
use tokio::sync::oneshot;
use tonic::Status;

use super::stripe::{Answer, Asked};
use super::{Inner, wire};
use crate::queue::{QueryId, Refusal};

/// So long before the deadline an asker hears that nobody polls, which says more than that its time is over.
const NO_POLLER_NOTICE: Duration = Duration::from_secs(1);

/// Waits for a worker's answer until the deadline.
pub(super) async fn ask(
    inner: &Arc<Inner>,
    request: QueryWorkflowRequest,
) -> Result<QueryWorkflowResponse, Status> {
    if inner.is_draining() {
        return Err(going_away());
    }
    let (Some(name), Some(mut task)) = (request.queue.and_then(wire::name), request.task) else {
        return Err(Status::invalid_argument(
            "A query needs a queue and a task.",
        ));
    };
    let id = inner.fresh_id();
    let sticky = name.sticky;
    let (namespace, queue) = (name.namespace, name.name.clone());
    let token = token::Query {
        namespace_id: namespace.to_vec(),
        task_queue: queue.clone(),
        query_id: uuid::Uuid::from_u128(id).to_string(),
    };
    task.task_token = token.encode_to_vec();
    let deadline = wire::deadline(request.deadline, inner.now());
    let (sender, mut answer) = oneshot::channel();
    let stripe = inner.stripe(&namespace, &queue);
    let placed = inner.step(stripe, |state, now, out| {
        if !inner.is_mine(&namespace, &queue) {
            return Ok(None);
        }
        let query = state.queues.query(name, id, now, out)?;
        let asked = Asked {
            namespace,
            queue: queue.clone(),
            task: Some(Box::new(task)),
            answer: sender,
        };
        state.asked.insert(id, asked);
        Ok(Some(query))
    });
    let query = match placed {
        Ok(Some(query)) => query,
        Ok(None) => return Err(wire::moved()),
        Err(Refusal::StickyWorkerUnavailable | Refusal::StaleEpoch) => {
            return Ok(outcome(Outcome::StickyWorkerUnavailable(true)));
        }
    };
    let asking = Asking {
        inner,
        namespace,
        queue,
        query,
    };
    let first = inner.until(deadline).saturating_sub(NO_POLLER_NOTICE);
    if let Ok(answer) = tokio::time::timeout(first, &mut answer).await {
        return answered(answer);
    }
    if !sticky && asking.is_hopeless() {
        return Ok(outcome(Outcome::NoPoller(true)));
    }
    match tokio::time::timeout(inner.until(deadline), answer).await {
        Ok(answer) => answered(answer),
        Err(_) => Ok(outcome(Outcome::TimedOut(true))),
    }
}

/// A worker answers.
pub(super) fn answer(
    inner: &Inner,
    request: RespondQueryTaskCompletedRequest,
) -> Result<RespondQueryTaskCompletedResponse, Status> {
    let expired = || wire::not_found("query task not found, or already expired");
    let token = request.token.unwrap_or_default();
    let namespace = wire::namespace(&token.namespace_id)?;
    let id = uuid::Uuid::parse_str(&token.query_id).map_err(|_| expired())?;
    if !inner.is_mine(&namespace, &token.task_queue) {
        return Err(wire::moved());
    }
    let stripe = inner.stripe(&namespace, &token.task_queue);
    let asked = inner.step(stripe, |state, _, _| {
        let theirs = |asked: &Asked| asked.namespace == namespace && asked.task.is_none();
        let known = state.asked.get(&id.as_u128()).is_some_and(theirs);
        known.then(|| state.asked.remove(&id.as_u128())).flatten()
    });
    let said = Answer::Worker(Box::new(request.request.unwrap_or_default()));
    let asked = asked.ok_or_else(expired)?;
    asked.answer.send(said).map_err(|_| expired())?;
    Ok(RespondQueryTaskCompletedResponse::default())
}

fn answered(
    answer: Result<Answer, oneshot::error::RecvError>,
) -> Result<QueryWorkflowResponse, Status> {
    match answer {
        Ok(Answer::Worker(said)) => Ok(outcome(Outcome::Answer(*said))),
        Ok(Answer::Forsaken) => Ok(outcome(Outcome::StickyWorkerUnavailable(true))),
        Ok(Answer::Moved) => Err(wire::moved()),
        Err(_) => Err(going_away()),
    }
}

fn outcome(outcome: Outcome) -> QueryWorkflowResponse {
    QueryWorkflowResponse {
        outcome: Some(outcome),
    }
}

fn going_away() -> Status {
    Status::unavailable("the server is shutting down")
}

/// A query that is known to its queue until its asker leaves.
struct Asking<'a> {
    inner: &'a Arc<Inner>,
    namespace: [u8; 16],
    queue: String,
    query: QueryId,
}

impl Asking<'_> {
    /// Has nobody taken it, and will nobody?
    fn is_hopeless(&self) -> bool {
        let stripe = self.inner.stripe(&self.namespace, &self.queue);
        let now = self.inner.now();
        stripe.look(|state| {
            let asked = state.asked.get(&self.query.id());
            asked.is_some_and(|asked| asked.task.is_some())
                && !state.queues.has_poller_for(self.query, now)
        })
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let stripe = self.inner.stripe(&self.namespace, &self.queue);
        self.inner.step(stripe, |state, _, _| {
            state.asked.remove(&self.query.id());
            state.queues.drop_query(self.query);
        });
    }
}
