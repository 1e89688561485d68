//! The newer calls: one activity, named by its workflow and its id.

use super::{
    Activities, Duration, Error, Frontend, Operation, PATHS, Request, WorkflowExecution, answer,
    check, history, pb, update,
};

pub(crate) async fn pause(
    frontend: &Frontend,
    request: pb::PauseActivityExecutionRequest,
) -> Result<pb::PauseActivityExecutionResponse, Error> {
    let operation = Operation::Pause(history::PauseActivities {
        reason: request.reason,
        request_id: request.request_id.clone(),
    });
    let newer = Newer {
        namespace: &request.namespace,
        workflow_id: request.workflow_id,
        run_id: request.run_id,
        activity_id: request.activity_id,
        identity: request.identity,
        request_id: &request.request_id,
    };
    newer.check(frontend)?;
    newer.ask(frontend, operation).await?;
    Ok(pb::PauseActivityExecutionResponse {})
}

pub(crate) async fn unpause(
    frontend: &Frontend,
    mut request: pb::UnpauseActivityExecutionRequest,
) -> Result<pb::UnpauseActivityExecutionResponse, Error> {
    let newer = Newer {
        namespace: &request.namespace,
        workflow_id: request.workflow_id,
        run_id: request.run_id,
        activity_id: request.activity_id,
        identity: request.identity,
        request_id: &request.request_id,
    };
    newer.check(frontend)?;
    check_jitter(request.jitter.as_mut())?;
    let operation = Operation::Unpause(history::UnpauseActivities {
        jitter: request.jitter,
        ..Default::default()
    });
    newer.ask(frontend, operation).await?;
    Ok(pb::UnpauseActivityExecutionResponse {})
}

pub(crate) async fn reset(
    frontend: &Frontend,
    mut request: pb::ResetActivityExecutionRequest,
) -> Result<pb::ResetActivityExecutionResponse, Error> {
    let newer = Newer {
        namespace: &request.namespace,
        workflow_id: request.workflow_id,
        run_id: request.run_id,
        activity_id: request.activity_id,
        identity: request.identity,
        request_id: &request.request_id,
    };
    newer.check(frontend)?;
    check_jitter(request.jitter.as_mut())?;
    let operation = Operation::Reset(history::ResetActivities {
        reset_heartbeat: request.reset_heartbeat,
        keep_paused: request.keep_paused,
        restore_original_options: request.restore_original_options,
        jitter: request.jitter,
    });
    newer.ask(frontend, operation).await?;
    Ok(pb::ResetActivityExecutionResponse {})
}

pub(crate) async fn update_options(
    frontend: &Frontend,
    request: pb::UpdateActivityExecutionOptionsRequest,
) -> Result<pb::UpdateActivityExecutionOptionsResponse, Error> {
    let newer = Newer {
        namespace: &request.namespace,
        workflow_id: request.workflow_id,
        run_id: request.run_id,
        activity_id: request.activity_id,
        identity: request.identity,
        request_id: &request.request_id,
    };
    newer.check(frontend)?;
    let (mut options, mask) = (request.activity_options, request.update_mask);
    if let (Some(options), Some(mask), false) = (&options, &mask, request.restore_original) {
        check::priority(options.priority.as_ref())?;
        if mask.paths.is_empty() {
            return Err(Error::invalid("UpdateMask must specify at least one path"));
        }
        if let Some(path) = mask.paths.iter().find(|path| !is_known(path)) {
            return Err(Error::invalid(format!(
                "unsupported update_mask path: \"{path}\""
            )));
        }
    }
    if let Some(policy) = options.as_mut().and_then(|it| it.retry_policy.as_mut()) {
        check::fill_in(policy);
    }
    let operation = update(options, mask, request.restore_original);
    let activity_options = newer.ask(frontend, operation).await?.options;
    Ok(pb::UpdateActivityExecutionOptionsResponse { activity_options })
}

/// In either spelling.
fn is_known(path: &str) -> bool {
    PATHS.iter().any(|known| {
        let letters = known.chars().filter(|it| *it != '_');
        let asked = path.chars().filter(|it| *it != '_');
        asked.map(|it| it.to_ascii_lowercase()).eq(letters)
    })
}

fn check_jitter(jitter: Option<&mut Duration>) -> Result<(), Error> {
    let checked = check::duration(jitter);
    checked
        .map(drop)
        .map_err(|why| Error::invalid(format!("invalid jitter: {why}")))
}

/// What the newer calls have in common.
struct Newer<'a> {
    namespace: &'a str,
    workflow_id: String,
    run_id: String,
    activity_id: String,
    identity: String,
    request_id: &'a str,
}

impl Newer<'_> {
    fn check(&self, frontend: &Frontend) -> Result<(), Error> {
        frontend.namespace(self.namespace)?;
        if self.activity_id.is_empty() {
            return Err(Error::invalid("activity ID is required"));
        }
        for (name, value) in [
            ("activity ID", &*self.activity_id),
            ("identity", &self.identity),
            ("request ID", self.request_id),
        ] {
            let (length, limit) = (value.len(), frontend.config.max_id_length);
            if length > limit {
                return Err(Error::invalid(format!(
                    "{name} exceeds length limit. Length={length} Limit={limit}"
                )));
            }
        }
        if !self.run_id.is_empty() && uuid::Uuid::parse_str(&self.run_id).is_err() {
            return Err(Error::invalid("invalid run id: must be a valid UUID"));
        }
        Ok(())
    }

    async fn ask(
        self,
        frontend: &Frontend,
        operation: Operation,
    ) -> Result<history::OperateActivitiesResponse, Error> {
        let namespace_id = frontend.namespace(self.namespace)?.id_bytes();
        if self.workflow_id.is_empty() {
            let id = self.activity_id;
            return Err(Error::NotFound(format!("activity not found for ID: {id}")));
        }
        let message = history::OperateActivitiesRequest {
            namespace_id,
            execution: Some(WorkflowExecution {
                workflow_id: self.workflow_id,
                run_id: self.run_id,
            }),
            activities: Some(Activities::Id(self.activity_id)),
            identity: self.identity,
            operation: Some(operation),
        };
        answer(
            frontend
                .history
                .operate_activities(Request::new(message))
                .await,
        )
    }
}
