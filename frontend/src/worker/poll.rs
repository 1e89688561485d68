//! Polls of task queues, and the end of a worker's polls.

use std::time::Duration;

use cairn_history::id::Time;
use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::matching::v1 as matching;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::check::Version;
use crate::deadline::{self, timestamp};
use crate::error::Error;
use crate::{Frontend, answer, check};

#[expect(deprecated, reason = "workers still say their version in the old way")]
pub(crate) async fn workflow_task(
    frontend: &Frontend,
    mut request: pb::PollWorkflowTaskQueueRequest,
    deadline: Option<Time>,
) -> Result<pb::PollWorkflowTaskQueueResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let now = frontend.now();
    deadline::check_poll(deadline, now)?;
    check::identity(&frontend.config, &request.identity)?;
    let capabilities = request.worker_version_capabilities.as_ref();
    Version::polling(capabilities, request.deployment_options.as_ref())
        .check(&frontend.config, request.task_queue.as_ref())?;
    check::task_queue(&frontend.config, request.task_queue.as_mut())?;
    let bad = namespace.record.bad_binaries.as_ref();
    if bad.is_some_and(|bad| bad.binaries.contains_key(&request.binary_checksum)) {
        return Err(Error::invalid(format!(
            "Binary {} already marked as bad deployment.",
            request.binary_checksum
        )));
    }
    let message = matching::PollWorkflowTaskQueueRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
        deadline: Some(timestamp(deadline::task_poll(deadline, now))),
    };
    let asked = frontend
        .matching
        .poll_workflow_task_queue(Request::new(message));
    let mut task = answer(asked.await)?;
    frontend.seal_workflow_task(&mut task);
    Ok(task)
}

#[expect(deprecated, reason = "workers still say their version in the old way")]
pub(crate) async fn activity_task(
    frontend: &Frontend,
    mut request: pb::PollActivityTaskQueueRequest,
    deadline: Option<Time>,
) -> Result<pb::PollActivityTaskQueueResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let now = frontend.now();
    deadline::check_poll(deadline, now)?;
    check::task_queue(&frontend.config, request.task_queue.as_mut())?;
    check::identity(&frontend.config, &request.identity)?;
    let capabilities = request.worker_version_capabilities.as_ref();
    Version::polling(capabilities, request.deployment_options.as_ref())
        .check(&frontend.config, request.task_queue.as_ref())?;
    let message = matching::PollActivityTaskQueueRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
        deadline: Some(timestamp(deadline::task_poll(deadline, now))),
    };
    let asked = frontend
        .matching
        .poll_activity_task_queue(Request::new(message));
    let mut task = answer(asked.await)?;
    frontend.seal_activity_task(&mut task, &namespace);
    Ok(task)
}

/// There are no Nexus tasks. The poll is held all the same: an answer at once would make its worker ask again at once.
pub(crate) async fn nexus_task(
    frontend: &Frontend,
    mut request: pb::PollNexusTaskQueueRequest,
    deadline: Option<Time>,
) -> Result<pb::PollNexusTaskQueueResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let now = frontend.now();
    deadline::check_poll(deadline, now)?;
    check::task_queue(&frontend.config, request.task_queue.as_mut())?;
    check::identity(&frontend.config, &request.identity)?;
    frontend
        .workers
        .seen(namespace.id, request.worker_heartbeat, now);
    let held: Duration = deadline::task_poll(deadline, now).since(now);
    tokio::time::sleep(held).await;
    Ok(pb::PollNexusTaskQueueResponse::default())
}

pub(crate) async fn shutdown_worker(
    frontend: &Frontend,
    request: pb::ShutdownWorkerRequest,
) -> Result<pb::ShutdownWorkerResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    frontend.workers.seen(
        namespace.id,
        request.worker_heartbeat.clone(),
        frontend.now(),
    );
    let message = matching::ShutdownWorkerRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    answer(
        frontend
            .matching
            .shutdown_worker(Request::new(message))
            .await,
    )
}

/// `ResetStickyTaskQueue`: the next workflow task goes to whoever polls the workflow's own queue.
pub(crate) async fn reset_sticky(
    frontend: &Frontend,
    request: pb::ResetStickyTaskQueueRequest,
) -> Result<pb::ResetStickyTaskQueueResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    check::execution(request.execution.as_ref())?;
    let message = history::ResetStickyTaskQueueRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    answer(
        frontend
            .history
            .reset_sticky_task_queue(Request::new(message))
            .await,
    )
}
