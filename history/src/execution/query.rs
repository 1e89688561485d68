//! Queries: asked of a worker directly, or handed to it with its next workflow task. They leave no trace.
//!
//! | the run                                   | the query                                      |
//! |-------------------------------------------|------------------------------------------------|
//! | paused                                    | is rejected                                    |
//! | closed, or open without a workflow task   | is asked of a worker through matching          |
//! | has a workflow task, or had none yet      | waits here and goes with the workflow task     |
//! | completes that task                       | is answered; else asked directly, or waits on  |

use std::collections::HashMap;

use cairn_proto::prost::Message;
use cairn_proto::temporal::api::common::v1::{WorkflowExecution, WorkflowType};
use cairn_proto::temporal::api::enums::v1::{
    QueryRejectCondition, QueryResultType, WorkflowExecutionStatus as Status,
};
use cairn_proto::temporal::api::query::v1::{QueryRejected, WorkflowQuery, WorkflowQueryResult};
use cairn_proto::temporal::api::workflowservice::v1::PollWorkflowTaskQueueResponse;

use super::state::State;
use super::workflow_task::normal_queue;
use super::{
    Answer, CompleteWorkflowTask, DirectQuery, Limits, Outcome, Queried, Query, Refusal, Run, Step,
    Volatile, Workflow, answer_now, payload_size, refuse,
};
use crate::id::{RunId, Ticket};
use crate::kind::{Answered, Context};

/// A workflow task that has failed so often answers no query.
const FAILED_ATTEMPTS: i32 = 3;

/// A query that waits for a workflow task.
#[derive(Debug)]
pub(crate) struct Waiting {
    ticket: Ticket,
    query: WorkflowQuery,
}

type Answers = Vec<(Ticket, Answered<Workflow>)>;

pub(crate) fn query(run: Run<'_>, question: &Query, context: &mut Context<'_>) -> Outcome {
    let state = run.state;
    if let Some(rejected) = rejected(state, question.reject_condition) {
        let answer = Answer::Queried(Box::new(Queried::Rejected(rejected)));
        return answer_now(context.ticket, answer);
    }
    if !state.is_open() && state.task.previous_started_event_id == 0 {
        return refuse(Refusal::NotReady(
            "Workflow execution closed before WorkflowTaskStarted event".to_owned(),
        ));
    }
    if state.is_open() && state.task.attempt >= FAILED_ATTEMPTS {
        return refuse(Refusal::NotReady(
            "Unable to query workflow due to Workflow Task in failed state.".to_owned(),
        ));
    }
    if state.is_open() && state.task.backoff_until.is_some() {
        return refuse(Refusal::NotReady(
            "Workflow task is not scheduled yet.".to_owned(),
        ));
    }
    if is_direct(state) {
        let answer = direct(state, run.id, question.query.clone());
        return answer_now(context.ticket, answer);
    }
    if run.volatile.queries.len() >= context.limits.buffered_queries_max {
        return refuse(Refusal::Busy(
            "consistent query buffer is full, this may be caused by too many queries and workflow \
             not able to process query fast enough"
                .to_owned(),
        ));
    }
    let id = uuid::Uuid::from_u128(context.entropy.bits()).to_string();
    let waiting = Waiting {
        ticket: context.ticket,
        query: question.query.clone(),
    };
    run.volatile.queries.insert(id, waiting);
    Ok(Step {
        transition: None,
        successor: None,
        answers: Vec::new(),
        heartbeats: Vec::new(),
    })
}

fn rejected(state: &State, condition: i32) -> Option<QueryRejected> {
    if state.is_paused() {
        let status = Status::Paused.into();
        return Some(QueryRejected { status });
    }
    let status = state.closed.as_ref()?.status;
    let rejects = match QueryRejectCondition::try_from(condition) {
        Ok(QueryRejectCondition::NotOpen) => true,
        Ok(QueryRejectCondition::NotCompletedCleanly) => status != i32::from(Status::Completed),
        _ => false,
    };
    rejects.then_some(QueryRejected { status })
}

/// May a worker be asked beside the run's own tasks?
fn is_direct(state: &State) -> bool {
    !state.is_open() || (state.task.current.is_none() && state.task.previous_started_event_id > 0)
}

fn direct(state: &State, run: RunId, query: WorkflowQuery) -> Answer {
    let origin = &state.origin;
    Answer::AskWorker(Box::new(DirectQuery {
        run,
        task: PollWorkflowTaskQueueResponse {
            workflow_execution: Some(WorkflowExecution {
                workflow_id: origin.workflow_id.clone(),
                run_id: run.to_string(),
            }),
            workflow_type: Some(WorkflowType {
                name: origin.workflow_type.clone(),
            }),
            previous_started_event_id: state.task.previous_started_event_id,
            attempt: 1,
            query: Some(query),
            workflow_execution_task_queue: Some(normal_queue(&origin.task_queue)),
            ..Default::default()
        },
        // Behind the end the worker that had the run in memory has let it go.
        sticky: state
            .task
            .sticky
            .as_ref()
            .filter(|_| state.is_open())
            .map(|it| (it.queue.clone(), it.schedule_to_start)),
        task_queue: origin.task_queue.clone(),
        last_event_id: state.next_event_id - 1,
    }))
}

impl Volatile {
    /// The waiting queries, for a worker that takes the workflow task.
    pub(crate) fn deliver_queries(&self) -> HashMap<String, WorkflowQuery> {
        self.queries
            .iter()
            .map(|(id, waiting)| (id.clone(), waiting.query.clone()))
            .collect()
    }

    /// Whoever waited for this query has gone.
    pub(crate) fn forget_query(&mut self, ticket: Ticket) {
        self.queries.retain(|_, waiting| waiting.ticket != ticket);
    }
}

/// A workflow task was completed: its queries are answered; the others wait for the next one, or are asked directly.
pub(crate) fn answered(
    volatile: &mut Volatile,
    question: &CompleteWorkflowTask,
    head: &State,
    run: RunId,
    limits: &Limits,
) -> Answers {
    let mut answers: Answers = question
        .query_results
        .iter()
        .filter_map(|(id, result)| {
            let waiting = volatile.queries.remove(id)?;
            Some((waiting.ticket, unread(Ok(told(result, limits)))))
        })
        .collect();
    if head.task.current.is_none() {
        answers.extend(released(volatile, head, run));
    }
    answers
}

/// Nothing will hand the waiting queries to a worker: they are asked directly.
pub(crate) fn released(volatile: &mut Volatile, head: &State, run: RunId) -> Answers {
    let never = !head.is_open() && head.task.previous_started_event_id == 0;
    std::mem::take(&mut volatile.queries)
        .into_values()
        .map(|waiting| {
            let result = if never {
                Err(Refusal::NotReady(
                    "Workflow execution closed before WorkflowTaskStarted event".to_owned(),
                ))
            } else {
                Ok(direct(head, run, waiting.query))
            };
            (waiting.ticket, unread(result))
        })
        .collect()
}

fn told(result: &WorkflowQueryResult, limits: &Limits) -> Answer {
    let too_large = payload_size(result.answer.as_ref()) > limits.blob_bytes_max
        || result.failure.as_ref().map_or(0, Message::encoded_len) > limits.blob_bytes_max;
    let queried = if too_large {
        Queried::Failed {
            message: "query result size exceeds limit".to_owned(),
            failure: None,
        }
    } else if result.result_type() == QueryResultType::Answered {
        Queried::Answered(result.answer.clone())
    } else {
        Queried::Failed {
            message: result.error_message.clone(),
            failure: result.failure.clone(),
        }
    };
    Answer::Queried(Box::new(queried))
}

fn unread(result: Result<Answer, Refusal>) -> Answered<Workflow> {
    Answered {
        result,
        reads: None,
    }
}
