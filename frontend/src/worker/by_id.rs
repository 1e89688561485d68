//! Answers to activity tasks by whoever has no token: the activity is named by its workflow and its id.

use cairn_proto::cairn::token::v1::Task;
use cairn_proto::temporal::api::workflowservice::v1 as pb;

use super::activity;
use crate::error::Error;
use crate::{Frontend, check};

pub(crate) async fn completed(
    frontend: &Frontend,
    request: pb::RespondActivityTaskCompletedByIdRequest,
) -> Result<pb::RespondActivityTaskCompletedByIdResponse, Error> {
    let pb::RespondActivityTaskCompletedByIdRequest {
        namespace,
        workflow_id,
        run_id,
        activity_id,
        result,
        identity,
        ..
    } = request;
    let token = frontend.task_by_id(&namespace, workflow_id, &run_id, activity_id, &identity)?;
    let request = pb::RespondActivityTaskCompletedRequest {
        namespace,
        result,
        identity,
        ..Default::default()
    };
    activity::complete(frontend, token, request).await?;
    Ok(pb::RespondActivityTaskCompletedByIdResponse {})
}

pub(crate) async fn failed(
    frontend: &Frontend,
    request: pb::RespondActivityTaskFailedByIdRequest,
) -> Result<pb::RespondActivityTaskFailedByIdResponse, Error> {
    let pb::RespondActivityTaskFailedByIdRequest {
        namespace,
        workflow_id,
        run_id,
        activity_id,
        failure,
        identity,
        last_heartbeat_details,
        ..
    } = request;
    let token = frontend.task_by_id(&namespace, workflow_id, &run_id, activity_id, &identity)?;
    check::failure::delays(failure.as_ref())?;
    let request = pb::RespondActivityTaskFailedRequest {
        namespace,
        failure,
        identity,
        last_heartbeat_details,
        ..Default::default()
    };
    let failures = activity::fail(frontend, token, request).await?.failures;
    Ok(pb::RespondActivityTaskFailedByIdResponse { failures })
}

pub(crate) async fn canceled(
    frontend: &Frontend,
    request: pb::RespondActivityTaskCanceledByIdRequest,
) -> Result<pb::RespondActivityTaskCanceledByIdResponse, Error> {
    let pb::RespondActivityTaskCanceledByIdRequest {
        namespace,
        workflow_id,
        run_id,
        activity_id,
        details,
        identity,
        ..
    } = request;
    let token = frontend.task_by_id(&namespace, workflow_id, &run_id, activity_id, &identity)?;
    let request = pb::RespondActivityTaskCanceledRequest {
        namespace,
        details,
        identity,
        ..Default::default()
    };
    activity::cancel(frontend, token, request).await?;
    Ok(pb::RespondActivityTaskCanceledByIdResponse {})
}

pub(crate) async fn heartbeat(
    frontend: &Frontend,
    request: pb::RecordActivityTaskHeartbeatByIdRequest,
) -> Result<pb::RecordActivityTaskHeartbeatByIdResponse, Error> {
    let pb::RecordActivityTaskHeartbeatByIdRequest {
        namespace,
        workflow_id,
        run_id,
        activity_id,
        details,
        identity,
        ..
    } = request;
    let token = frontend.task_by_id(&namespace, workflow_id, &run_id, activity_id, "")?;
    let request = pb::RecordActivityTaskHeartbeatRequest {
        namespace,
        details,
        identity,
        ..Default::default()
    };
    let pb::RecordActivityTaskHeartbeatResponse {
        cancel_requested,
        activity_paused,
        activity_reset,
    } = activity::beat(frontend, token, request).await?;
    Ok(pb::RecordActivityTaskHeartbeatByIdResponse {
        cancel_requested,
        activity_paused,
        activity_reset,
    })
}

impl Frontend {
    /// The token of an activity that is named. Without a run it is about the current one.
    fn task_by_id(
        &self,
        namespace: &str,
        workflow_id: String,
        run_id: &str,
        activity_id: String,
        identity: &str,
    ) -> Result<Task, Error> {
        let namespace = self.namespace(namespace)?;
        if activity_id.is_empty() {
            return Err(Error::invalid("ActivityId is not set on request."));
        }
        let run_id = if run_id.is_empty() {
            Vec::new()
        } else {
            let run = uuid::Uuid::parse_str(run_id);
            let run = run.map_err(|_| Error::invalid("RunId is not valid UUID."))?;
            run.into_bytes().to_vec()
        };
        check::identity(&self.config, identity)?;
        // Without a workflow it would be an activity of its own, of which there are none.
        if workflow_id.is_empty() {
            return Err(Error::NotFound(format!(
                "activity not found for ID: {activity_id}"
            )));
        }
        Ok(Task {
            namespace_id: namespace.id_bytes(),
            workflow_id,
            run_id,
            activity_id,
            ..Default::default()
        })
    }
}
