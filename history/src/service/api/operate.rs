//! What an operator does to activities of a run: the question behind both families of public calls.

use std::sync::Arc;

use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::history::v1::operate_activities_request::{Activities as Meant, Operation};
use tonic::Status;

use super::wire;
use crate::execution::{
    Activities, ActivityOperation, Answer, OperateActivities, Question, ResetActivity,
    UnpauseActivity, UpdateActivityOptions,
};
use crate::service::Shell;

pub(super) async fn operate(
    shell: &Arc<Shell>,
    request: history::OperateActivitiesRequest,
) -> Result<history::OperateActivitiesResponse, Status> {
    let history::OperateActivitiesRequest {
        namespace_id,
        execution,
        activities,
        identity,
        operation,
    } = request;
    let (key, run) = wire::target(&namespace_id, execution)?;
    let activities = match wire::required(activities, "Activity")? {
        Meant::Id(id) => Activities::Id(id),
        Meant::Type(name) => Activities::Type(name),
        Meant::All(_) => Activities::All,
    };
    let question = OperateActivities {
        activities,
        identity,
        operation: asked(wire::required(operation, "Operation")?),
    };
    let question = Question::OperateActivities(Box::new(question));
    let reply = shell.ask(key, run, None, question).await?;
    match reply.answer {
        Answer::Done => Ok(history::OperateActivitiesResponse { options: None }),
        Answer::ActivityOptions(options) => Ok(history::OperateActivitiesResponse {
            options: Some(*options),
        }),
        _ => Err(wire::unexpected(&reply)),
    }
}

fn asked(operation: Operation) -> ActivityOperation {
    match operation {
        Operation::Pause(history::PauseActivities { reason, request_id }) => {
            ActivityOperation::Pause { reason, request_id }
        }
        Operation::Unpause(history::UnpauseActivities {
            reset_attempts,
            reset_heartbeat,
            jitter,
        }) => ActivityOperation::Unpause(UnpauseActivity {
            reset_attempts,
            reset_heartbeat,
            jitter: wire::duration(jitter),
        }),
        Operation::Reset(history::ResetActivities {
            reset_heartbeat,
            keep_paused,
            restore_original_options,
            jitter,
        }) => ActivityOperation::Reset(ResetActivity {
            reset_heartbeat,
            keep_paused,
            restore_original_options,
            jitter: wire::duration(jitter),
        }),
        Operation::Update(history::UpdateActivityOptions {
            options,
            mask,
            restore_original,
        }) => ActivityOperation::UpdateOptions(Box::new(UpdateActivityOptions {
            options,
            paths: mask.map(|mask| mask.paths),
            restore_original,
        })),
    }
}
