//! The internal wire of the history service: each request destructured into a question, each answer made a response.
//!
//! A table of contents; the substance is one function per RPC in the files beside. Tokens leave here as plain messages of
//! `cairn.token.v1`: the frontend seals and opens them.

use cairn_proto::cairn::effect::v1 as effect;
use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::{Request, Response, Status};

use super::History;

mod activity;
mod change;
mod deliver;
mod operate;
mod query;
mod read;
mod reset;
mod start;
mod update;
mod wait;
mod wire;
mod with_start;
mod workflow_task;

pub(super) use deliver::deliver;

type Result<T> = std::result::Result<Response<T>, Status>;

#[tonic::async_trait]
impl HistoryService for History {
    async fn start_workflow_execution(
        &self,
        request: Request<history::StartWorkflowExecutionRequest>,
    ) -> Result<public::StartWorkflowExecutionResponse> {
        start::start(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn signal_with_start_workflow_execution(
        &self,
        request: Request<history::SignalWithStartWorkflowExecutionRequest>,
    ) -> Result<public::SignalWithStartWorkflowExecutionResponse> {
        start::signal_with_start(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn signal_workflow_execution(
        &self,
        request: Request<history::SignalWorkflowExecutionRequest>,
    ) -> Result<public::SignalWorkflowExecutionResponse> {
        change::signal(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn request_cancel_workflow_execution(
        &self,
        request: Request<history::RequestCancelWorkflowExecutionRequest>,
    ) -> Result<public::RequestCancelWorkflowExecutionResponse> {
        change::request_cancel(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn terminate_workflow_execution(
        &self,
        request: Request<history::TerminateWorkflowExecutionRequest>,
    ) -> Result<public::TerminateWorkflowExecutionResponse> {
        change::terminate(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn reset_workflow_execution(
        &self,
        request: Request<history::ResetWorkflowExecutionRequest>,
    ) -> Result<public::ResetWorkflowExecutionResponse> {
        reset::reset(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn update_workflow_execution_options(
        &self,
        request: Request<history::UpdateWorkflowExecutionOptionsRequest>,
    ) -> Result<public::UpdateWorkflowExecutionOptionsResponse> {
        change::update_options(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn pause_workflow_execution(
        &self,
        request: Request<history::PauseWorkflowExecutionRequest>,
    ) -> Result<public::PauseWorkflowExecutionResponse> {
        change::pause(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn unpause_workflow_execution(
        &self,
        request: Request<history::UnpauseWorkflowExecutionRequest>,
    ) -> Result<public::UnpauseWorkflowExecutionResponse> {
        change::unpause(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn operate_activities(
        &self,
        request: Request<history::OperateActivitiesRequest>,
    ) -> Result<history::OperateActivitiesResponse> {
        operate::operate(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn delete_workflow_execution(
        &self,
        request: Request<history::DeleteWorkflowExecutionRequest>,
    ) -> Result<public::DeleteWorkflowExecutionResponse> {
        change::delete(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn reset_sticky_task_queue(
        &self,
        request: Request<history::ResetStickyTaskQueueRequest>,
    ) -> Result<public::ResetStickyTaskQueueResponse> {
        change::reset_sticky(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn describe_workflow_execution(
        &self,
        request: Request<history::DescribeWorkflowExecutionRequest>,
    ) -> Result<public::DescribeWorkflowExecutionResponse> {
        read::describe(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_workflow_execution_history(
        &self,
        request: Request<history::GetWorkflowExecutionHistoryRequest>,
    ) -> Result<public::GetWorkflowExecutionHistoryResponse> {
        read::history(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_workflow_execution_history_reverse(
        &self,
        request: Request<history::GetWorkflowExecutionHistoryReverseRequest>,
    ) -> Result<public::GetWorkflowExecutionHistoryReverseResponse> {
        read::history_reverse(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn query_workflow(
        &self,
        request: Request<history::QueryWorkflowRequest>,
    ) -> Result<public::QueryWorkflowResponse> {
        query::query(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn update_workflow_execution(
        &self,
        request: Request<history::UpdateWorkflowExecutionRequest>,
    ) -> Result<public::UpdateWorkflowExecutionResponse> {
        update::update(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn execute_multi_operation(
        &self,
        request: Request<history::ExecuteMultiOperationRequest>,
    ) -> Result<public::ExecuteMultiOperationResponse> {
        with_start::execute(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn poll_workflow_execution_update(
        &self,
        request: Request<history::PollWorkflowExecutionUpdateRequest>,
    ) -> Result<public::PollWorkflowExecutionUpdateResponse> {
        update::poll(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn record_workflow_task_started(
        &self,
        request: Request<history::RecordTaskStartedRequest>,
    ) -> Result<public::PollWorkflowTaskQueueResponse> {
        workflow_task::started(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn respond_workflow_task_completed(
        &self,
        request: Request<history::RespondWorkflowTaskCompletedRequest>,
    ) -> Result<public::RespondWorkflowTaskCompletedResponse> {
        workflow_task::completed(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn respond_workflow_task_failed(
        &self,
        request: Request<history::RespondWorkflowTaskFailedRequest>,
    ) -> Result<public::RespondWorkflowTaskFailedResponse> {
        workflow_task::failed(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn record_activity_task_started(
        &self,
        request: Request<history::RecordTaskStartedRequest>,
    ) -> Result<public::PollActivityTaskQueueResponse> {
        activity::started(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn record_activity_task_heartbeat(
        &self,
        request: Request<history::RecordActivityTaskHeartbeatRequest>,
    ) -> Result<public::RecordActivityTaskHeartbeatResponse> {
        activity::heartbeat(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn respond_activity_task_completed(
        &self,
        request: Request<history::RespondActivityTaskCompletedRequest>,
    ) -> Result<public::RespondActivityTaskCompletedResponse> {
        activity::completed(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn respond_activity_task_failed(
        &self,
        request: Request<history::RespondActivityTaskFailedRequest>,
    ) -> Result<public::RespondActivityTaskFailedResponse> {
        activity::failed(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn respond_activity_task_canceled(
        &self,
        request: Request<history::RespondActivityTaskCanceledRequest>,
    ) -> Result<public::RespondActivityTaskCanceledResponse> {
        activity::canceled(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn deliver(&self, request: Request<effect::Message>) -> Result<effect::Outcome> {
        deliver::deliver(&self.0, request.into_inner())
            .await
            .map(Response::new)
    }
}
