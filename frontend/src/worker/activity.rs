//! Answers to activity tasks, and heartbeats. What is too large to be recorded becomes a failure of the activity.

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::token::v1::Task;
use cairn_proto::temporal::api::failure::v1::Failure;
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
    if check::too_large(&frontend.config, request.result.as_ref()) {
        let why = check::failure::of_server("Complete result exceeds size limit.");
        fail_instead(frontend, token, why, request.identity).await?;
        return Ok(pb::RespondActivityTaskCompletedResponse {});
    }
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
    mut request: pb::RespondActivityTaskFailedRequest,
) -> Result<pb::RespondActivityTaskFailedResponse, Error> {
    let mut failures = Vec::new();
    if check::too_large(&frontend.config, request.last_heartbeat_details.as_ref()) {
        request.last_heartbeat_details = None;
        failures.push(check::failure::of_server(
            "Heartbeat details exceed size limit.",
        ));
    }
    if check::too_large(&frontend.config, request.failure.as_ref()) {
        let cut = request
            .failure
            .map(|failure| check::failure::cut(&frontend.config, failure));
        failures.extend(cut.clone());
        request.failure = cut;
    }
    let message = history::RespondActivityTaskFailedRequest {
        token: Some(token),
        request: Some(request),
    };
    answer(
        frontend
            .history
            .respond_activity_task_failed(Request::new(message))
            .await,
    )?;
    Ok(pb::RespondActivityTaskFailedResponse { failures })
}

pub(super) async fn cancel(
    frontend: &Frontend,
    token: Task,
    request: pb::RespondActivityTaskCanceledRequest,
) -> Result<pb::RespondActivityTaskCanceledResponse, Error> {
    if check::too_large(&frontend.config, request.details.as_ref()) {
        let why = check::failure::of_server("Cancel details exceed size limit.");
        fail_instead(frontend, token, why, request.identity).await?;
        return Ok(pb::RespondActivityTaskCanceledResponse {});
    }
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
    if check::too_large(&frontend.config, request.details.as_ref()) {
        let why = check::failure::of_server("Heartbeat details exceed size limit.");
        fail_instead(frontend, token, why, request.identity).await?;
        return Ok(pb::RecordActivityTaskHeartbeatResponse {
            cancel_requested: true,
            ..Default::default()
        });
    }
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

async fn fail_instead(
    frontend: &Frontend,
    token: Task,
    failure: Failure,
    identity: String,
) -> Result<(), Error> {
    let request = pb::RespondActivityTaskFailedRequest {
        failure: Some(failure),
        identity,
        ..Default::default()
    };
    let message = history::RespondActivityTaskFailedRequest {
        token: Some(token),
        request: Some(request),
    };
    let asked = frontend
        .history
        .respond_activity_task_failed(Request::new(message));
    answer(asked.await).map(drop)
}
