//! `DescribeTaskQueue` and `ListTaskQueuePartitions`.

use cairn_proto::cairn::matching::v1 as matching;
use cairn_proto::temporal::api::enums::v1::{DescribeTaskQueueMode, TaskQueueKind, TaskQueueType};
use cairn_proto::temporal::api::taskqueue::v1::TaskQueuePartitionMetadata;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

#[expect(deprecated, reason = "clients still ask in the old way")]
pub(crate) async fn describe(
    frontend: &Frontend,
    mut request: pb::DescribeTaskQueueRequest,
) -> Result<pb::DescribeTaskQueueResponse, Error> {
    let namespace = frontend.namespace(&request.namespace)?;
    let enhanced = request.api_mode == i32::from(DescribeTaskQueueMode::Enhanced);
    if request.api_mode == i32::from(DescribeTaskQueueMode::Unspecified) {
        check::partition(&frontend.config, request.task_queue.as_mut())?;
    } else {
        check::task_queue(&frontend.config, request.task_queue.as_mut())?;
    }
    if enhanced || request.task_queue_type == i32::from(TaskQueueType::Unspecified) {
        request.task_queue_type = TaskQueueType::Workflow.into();
    }
    if request.task_queue_types.is_empty() {
        request.task_queue_types = vec![
            TaskQueueType::Workflow.into(),
            TaskQueueType::Activity.into(),
        ];
    }
    let sticky = |kind: i32| kind == i32::from(TaskQueueKind::Sticky);
    if enhanced
        && request
            .task_queue
            .as_ref()
            .is_some_and(|queue| sticky(queue.kind))
    {
        return Err(Error::invalid(
            "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue.",
        ));
    }
    let message = matching::DescribeTaskQueueRequest {
        namespace_id: namespace.id_bytes(),
        request: Some(request),
    };
    answer(
        frontend
            .matching
            .describe_task_queue(Request::new(message))
            .await,
    )
}

/// A task queue has one partition: itself.
#[expect(clippy::unused_async, reason = "every RPC is an async function")]
pub(crate) async fn list_partitions(
    frontend: &Frontend,
    mut request: pb::ListTaskQueuePartitionsRequest,
) -> Result<pb::ListTaskQueuePartitionsResponse, Error> {
    frontend.namespace(&request.namespace)?;
    check::task_queue(&frontend.config, request.task_queue.as_mut())?;
    let root = TaskQueuePartitionMetadata {
        key: request
            .task_queue
            .map(|queue| queue.name)
            .unwrap_or_default(),
        owner_host_name: frontend.config.address.clone(),
    };
    Ok(pb::ListTaskQueuePartitionsResponse {
        activity_task_queue_partitions: vec![root.clone()],
        workflow_task_queue_partitions: vec![root],
    })
}
