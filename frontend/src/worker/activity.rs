//! Answers to activity tasks, and heartbeats. Deliberately absent: what is too large to be recorded, which history judges.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::token::v1::Task;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use tonic::Request;

use crate::error::Error;
use crate::{Frontend, answer, check};

pub(crate) async fn completed(
    frontend: &Frontend,
    request: pb::RespondActivityTaskCompletedRequest,
) -> Result<pb::RespondActivityTaskCompletedResponse, Error> {
    let (_, token) = frontend.task::<Task>(&request.namespace, &request.task_token)?;
    check::identity(&frontend.config, &request.identity)?;
    complete(frontend, token, request).await
}

pub(crate) async fn failed(
    frontend: &Frontend,
    request: pb::RespondActivityTaskFailedRequest,
) -> Result<pb::RespondActivityTaskFailedResponse, Error> {
    let (_, token) = frontend.task::<Task>(&request.namespace, &request.task_token)?;
    check::failure::of_activity(request.failure.as_ref())?;
    check::identity(&frontend.config, &request.identity)?;
    fail(frontend, token, request).await
}

pub(crate) async fn canceled(
    frontend: &Frontend,
    request: pb::RespondActivityTaskCanceledRequest,
) -> Result<pb::RespondActivityTaskCanceledResponse, Error> {
    let (_, token) = frontend.task::<Task>(&request.namespace, &request.task_token)?;
    check::identity(&frontend.config, &request.identity)?;
    cancel(frontend, token, request).await
}

pub(crate) async fn heartbeat(
    frontend: &Frontend,
    request: pb::RecordActivityTaskHeartbeatRequest,
) -> Result<pb::RecordActivityTaskHeartbeatResponse, Error> {
    let (_, token) = frontend.task::<Task>(&request.namespace, &request.task_token)?;
    beat(frontend, token, request).await
}

pub(super) async fn complete(
    frontend: &Frontend,
    token: Task,
    request: pb::RespondActivityTaskCompletedRequest,
) -> Result<pb::RespondActivityTaskCompletedResponse, Error> {
    let message = history::RespondActivityTaskCompletedRequest {
        token: Some(token),
        request: Some(request),
    };
    answer(
        frontend
            .history
            .respond_activity_task_completed(Request::new(message))
            .await,
    )
}

pub(super) async fn fail(
    frontend: &Frontend,
    token: Task,
    request: pb::RespondActivityTaskFailedRequest,
) -> Result<pb::RespondActivityTaskFailedResponse, Error> {
    let message = history::RespondActivityTaskFailedRequest {
        token: Some(token),
        request: Some(request),
    };
    answer(
        frontend
            .history
            .respond_activity_task_failed(Request::new(message))
            .await,
    )
}

pub(super) async fn cancel(
    frontend: &Frontend,
    token: Task,
    request: pb::RespondActivityTaskCanceledRequest,
) -> Result<pb::RespondActivityTaskCanceledResponse, Error> {
    let message = history::RespondActivityTaskCanceledRequest {
        token: Some(token),
        request: Some(request),
    };
    answer(
        frontend
            .history
            .respond_activity_task_canceled(Request::new(message))
            .await,
    )
}

pub(super) async fn beat(
    frontend: &Frontend,
    token: Task,
    request: pb::RecordActivityTaskHeartbeatRequest,
) -> Result<pb::RecordActivityTaskHeartbeatResponse, Error> {
    let message = history::RecordActivityTaskHeartbeatRequest {
        token: Some(token),
        request: Some(request),
    };
    answer(
        frontend
            .history
            .record_activity_task_heartbeat(Request::new(message))
            .await,
    )
}
