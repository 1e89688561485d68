//! Polls: wait for a pairing, ask history to start the task, and wait on if it was over.
//!
//! A poll that is dropped, because its client hung up, gives back at once what it held. Deliberately absent: any look at
//! the task; history's answer is the poll's answer.

#![expect(deprecated, reason = "workers still send their build id the older way")]

use std::sync::Arc;

use cairn_proto::cairn::history::v1::RecordTaskStartedRequest;
use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::cairn::matching::v1 as internal;
use cairn_proto::temporal::api::common::v1::{WorkerVersionCapabilities, WorkerVersionStamp};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueue;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::{Code, Request, Status};

use super::stripe::{State, Waiting};
use super::{Inner, wire};
use crate::queue::{
    Extras, Given, Leave, Left, Name, Out, PollId, Poller, QueryId, Task, Time, Work,
};

/// The answer of a workflow poll: exactly the default message when there was nothing.
pub(super) async fn workflow(
    inner: &Arc<Inner>,
    request: internal::PollWorkflowTaskQueueRequest,
) -> Result<public::PollWorkflowTaskQueueResponse, Status> {
    let history = inner.history()?;
    let namespace = wire::namespace(&request.namespace_id)?;
    let asked = request.request.unwrap_or_default();
    let name = wire::polled(namespace, asked.task_queue.as_ref(), Work::Workflow)?;
    let mut start = Start::new(inner, namespace, &asked.identity, asked.task_queue);
    start.built(asked.worker_version_capabilities.as_ref());
    let poller = Poller {
        identity: asked.identity,
        worker_instance_key: asked.worker_instance_key,
        max_tasks_per_second: None,
        capabilities: asked.worker_version_capabilities,
        deployment: asked.deployment_options,
    };
    let deadline = wire::deadline(request.deadline, inner.now());
    let (mut poll, mut given) = Poll::begin(inner, name, poller, deadline);
    loop {
        match poll.next(given).await {
            None | Some(Given::End) => return Ok(public::PollWorkflowTaskQueueResponse::default()),
            Some(Given::Moved) => return Err(wire::moved()),
            Some(Given::Query(query)) => match poll.query(query) {
                Ok((mut response, extras)) => {
                    response.backlog_count_hint = wire::count(extras.backlog_count);
                    response.poller_scaling_decision = wire::decision(&extras);
                    return Ok(*response);
                }
                Err(next) => given = next,
            },
            Some(Given::Task(task)) => match start.workflow(&*history, &task).await {
                Ok(mut response) => {
                    let extras = poll.started();
                    response.backlog_count_hint = wire::count(extras.backlog_count);
                    response.poller_scaling_decision = wire::decision(&extras);
                    return Ok(response);
                }
                Err(status) => given = poll.not_started(&task, &status),
            },
        }
    }
}

/// The answer of an activity poll: exactly the default message when there was nothing.
pub(super) async fn activity(
    inner: &Arc<Inner>,
    request: internal::PollActivityTaskQueueRequest,
) -> Result<public::PollActivityTaskQueueResponse, Status> {
    let history = inner.history()?;
    let namespace = wire::namespace(&request.namespace_id)?;
    let asked = request.request.unwrap_or_default();
    let name = wire::polled(namespace, asked.task_queue.as_ref(), Work::Activity)?;
    let mut start = Start::new(inner, namespace, &asked.identity, asked.task_queue);
    start.built(asked.worker_version_capabilities.as_ref());
    let metadata = asked.task_queue_metadata;
    let poller = Poller {
        identity: asked.identity,
        worker_instance_key: asked.worker_instance_key,
        max_tasks_per_second: metadata.and_then(|metadata| metadata.max_tasks_per_second),
        capabilities: asked.worker_version_capabilities,
        deployment: asked.deployment_options,
    };
    let deadline = wire::deadline(request.deadline, inner.now());
    let (mut poll, mut given) = Poll::begin(inner, name, poller, deadline);
    loop {
        match poll.next(given).await {
            Some(Given::Task(task)) => match start.activity(&*history, &task).await {
                Ok(mut response) => {
                    response.poller_scaling_decision = wire::decision(&poll.started());
                    return Ok(response);
                }
                Err(status) => given = poll.not_started(&task, &status),
            },
            Some(Given::Moved) => return Err(wire::moved()),
            // Queries go to workflow polls only.
            None | Some(Given::End | Given::Query(_)) => {
                return Ok(public::PollActivityTaskQueueResponse::default());
            }
        }
    }
}

/// What every question of one poll to history has in common.
struct Start {
    request: RecordTaskStartedRequest,
}

impl Start {
    fn new(
        inner: &Inner,
        namespace: [u8; 16],
        identity: &str,
        task_queue: Option<TaskQueue>,
    ) -> Self {
        Self {
            request: RecordTaskStartedRequest {
                namespace_id: namespace.to_vec(),
                request_id: uuid::Uuid::from_u128(inner.fresh_id()).to_string(),
                identity: identity.to_owned(),
                task_queue,
                ..RecordTaskStartedRequest::default()
            },
        }
    }

    /// The build of the worker, which its events name.
    fn built(&mut self, capabilities: Option<&WorkerVersionCapabilities>) {
        self.request.worker_version = capabilities.map(|it| WorkerVersionStamp {
            build_id: it.build_id.clone(),
            use_versioning: it.use_versioning,
        });
    }

    async fn workflow(
        &mut self,
        history: &dyn HistoryService,
        task: &Task,
    ) -> Result<public::PollWorkflowTaskQueueResponse, Status> {
        let request = Request::new(self.of(task));
        let response = history.record_workflow_task_started(request).await?;
        Ok(response.into_inner())
    }

    async fn activity(
        &mut self,
        history: &dyn HistoryService,
        task: &Task,
    ) -> Result<public::PollActivityTaskQueueResponse, Status> {
        let request = Request::new(self.of(task));
        let response = history.record_activity_task_started(request).await?;
        Ok(response.into_inner())
    }

    fn of(&self, task: &Task) -> RecordTaskStartedRequest {
        RecordTaskStartedRequest {
            workflow_id: task.workflow_id.clone(),
            run_id: task.id.run.to_vec(),
            scheduled_event_id: task.id.scheduled_event_id,
            attempt: task.id.attempt,
            ..self.request.clone()
        }
    }
}

/// A poll that is known to its queue until it is answered or dropped.
struct Poll<'a> {
    inner: &'a Arc<Inner>,
    namespace: [u8; 16],
    queue: String,
    work: Work,
    id: PollId,
    deadline: Time,
    answered: bool,
}

/// What the poll was given at once, or where it will be.
type Next = Result<Given, Waiting>;

impl<'a> Poll<'a> {
    fn begin(inner: &'a Arc<Inner>, name: Name, poller: Poller, deadline: Time) -> (Self, Next) {
        inner.timekeeper.ensure(inner);
        let (namespace, queue, work) = (name.namespace, name.name.clone(), name.work);
        let stripe = inner.stripe(&namespace, &queue);
        let (id, next) = inner.step(stripe, |state, now, out| {
            if !inner.is_mine(&name.namespace, &name.name) {
                return (PollId::default(), Ok(Given::Moved));
            }
            let id = state.queues.poll(name, poller, now, out);
            (id, state.wait(id, out))
        });
        let poll = Self {
            inner,
            namespace,
            queue,
            work,
            id,
            deadline,
            answered: false,
        };
        (poll, next)
    }

    /// What the poll is given before its time is over.
    async fn next(&mut self, next: Next) -> Option<Given> {
        let mut waiting = match next {
            Ok(given) => return Some(given),
            Err(waiting) => waiting,
        };
        let left = self.inner.until(self.deadline);
        if let Ok(given) = tokio::time::timeout(left, &mut waiting).await {
            return given.ok();
        }
        let left = self.step(|state, id, now, out| {
            let left = state.queues.leave(id, Leave::Expired, now, out);
            if left == Left::Gone {
                state.waiting.remove(&id);
            }
            left
        });
        match left {
            Left::Gone => {
                self.answered = true;
                self.inner.meters.of(self.work).timeouts.increment(1);
                None
            }
            // It was paired in the last moment: what it was given is on its way.
            Left::Paired => waiting.await.ok(),
        }
    }

    /// History said no: is the task over, or does nobody know?
    fn not_started(&mut self, task: &Task, status: &Status) -> Next {
        match status.code() {
            // A run that is set aside owes nothing that could be done.
            Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition | Code::DataLoss => {
                self.step(|state, id, now, out| {
                    state.queues.refused(id, now, out);
                    state.wait(id, out)
                })
            }
            code => {
                tracing::debug!(
                    workflow.id = task.workflow_id,
                    ?code,
                    "a task could not be started and is tried again"
                );
                self.step(|state, id, now, out| {
                    state.queues.retry(id, now, out);
                    state.wait(id, out)
                })
            }
        }
    }

    fn started(&mut self) -> Extras {
        self.answered = true;
        let extras = self.step(|state, id, now, _| state.queues.started(id, now));
        self.inner.meters.of(self.work).started(&extras);
        extras
    }

    /// The task of a query, or what comes next if its asker has gone.
    fn query(
        &mut self,
        query: QueryId,
    ) -> Result<(Box<public::PollWorkflowTaskQueueResponse>, Extras), Next> {
        let taken = self.step(|state, id, now, out| {
            let asked = state.asked.get_mut(&query.id());
            if let Some(task) = asked.and_then(|asked| asked.task.take()) {
                Ok((task, state.queues.query_taken(id, now)))
            } else {
                state.queues.query_gone(id, now, out);
                Err(state.wait(id, out))
            }
        })?;
        self.answered = true;
        self.inner.meters.of(self.work).query_taken();
        Ok(taken)
    }

    fn step<T>(&self, step: impl FnOnce(&mut State, PollId, Time, &mut Out) -> T) -> T {
        let stripe = self.inner.stripe(&self.namespace, &self.queue);
        self.inner
            .step(stripe, |state, now, out| step(state, self.id, now, out))
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        self.step(|state, id, now, out| {
            state.waiting.remove(&id);
            state.queues.leave(id, Leave::Cancelled, now, out);
        });
    }
}
