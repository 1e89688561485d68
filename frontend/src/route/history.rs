//! History of the whole cluster: each request goes to the owner of its shard.
//!
//! The table says of each RPC whose workflow it is about, and whether it may be made again when nobody knows if it was carried
//! out. It may if repeating it does nothing twice: reads; what a request id or a task token names, which the run recognizes or
//! refuses; the end of a workflow, which comes only once. A signal without a request id may not.

use async_trait::async_trait;
use cairn_history::id::{Key, NamespaceId};
use cairn_history::placement::Place;
use cairn_proto::cairn::effect::v1::{Message, Outcome};
use cairn_proto::cairn::history::v1 as history;
use cairn_proto::cairn::history::v1::history_service_client::HistoryServiceClient;
use cairn_proto::cairn::history::v1::history_service_server::HistoryService;
use cairn_proto::temporal::api::common::v1::WorkflowExecution;
use cairn_proto::temporal::api::workflowservice::v1 as public;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::Router;
use super::ask::{Again, To};
use super::peers::MESSAGE_BYTES_MAX;

fn client(channel: Channel) -> HistoryServiceClient<Channel> {
    HistoryServiceClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

/// Whose workflow is asked for. A request without one is refused by any history service.
fn key(namespace: &[u8], workflow_id: Option<&str>) -> Key {
    Key {
        namespace: NamespaceId(namespace.try_into().unwrap_or_default()),
        workflow_id: workflow_id.unwrap_or_default().to_owned(),
    }
}

fn id(execution: Option<&WorkflowExecution>) -> Option<&str> {
    Some(&execution?.workflow_id)
}

fn named(request_id: Option<&str>) -> Again {
    match request_id {
        None | Some("") => Again::No,
        Some(_) => Again::Yes,
    }
}

/// `method: Request => Response, |request| key, again`, and `waits` if it may wait for news: then it ends when this node drains.
/// In braces before them: what is not of this form.
macro_rules! routed {
    (
        { $($other:tt)* }
        $($method:ident: $request:ident => $response:ident, |$asked:ident| $key:expr, $again:expr $(, waits $waits:expr)?;)*
    ) => {
        #[async_trait]
        impl HistoryService for Router {
            $(async fn $method(
                &self,
                request: Request<history::$request>,
            ) -> Result<Response<public::$response>, Status> {
                let request = request.into_inner();
                let $asked = &request;
                let (key, again) = ($key, $again);
                let waits = false $(|| $waits)?;
                if self.is_plainly_here(&key) {
                    return self.history.$method(Request::new(request)).await;
                }
                let place = Place::Shard(key.shard(self.shards));
                let answer = self.ask(place, again, None, |to| {
                    let request = Request::new(request.clone());
                    Box::pin(async move {
                        match to {
                            To::Here => self.history.$method(request).await,
                            To::There(channel) => client(channel).$method(request).await,
                        }
                    })
                });
                if waits { self.unless_draining(answer).await } else { answer.await }
            })*
            $($other)*
        }
    };
}

/// The workflow of a public request that names an execution.
macro_rules! executed {
    ($asked:ident, $field:ident) => {
        key(
            &$asked.namespace_id,
            $asked
                .request
                .as_ref()
                .and_then(|request| id(request.$field.as_ref())),
        )
    };
}

/// The workflow of a start, or of a request that names it likewise.
macro_rules! started {
    ($asked:ident) => {
        key(
            &$asked.namespace_id,
            $asked.request.as_ref().map(|it| it.workflow_id.as_str()),
        )
    };
}

/// The workflow of a task token.
macro_rules! held {
    ($asked:ident) => {
        match &$asked.token {
            Some(token) => key(&token.namespace_id, Some(&token.workflow_id)),
            None => key(&[], None),
        }
    };
}

/// By request id.
macro_rules! once {
    ($asked:ident) => {
        named($asked.request.as_ref().map(|it| it.request_id.as_str()))
    };
}

routed! {
    {
        // Twice leaves what once does.
        async fn operate_activities(
            &self,
            request: Request<history::OperateActivitiesRequest>,
        ) -> Result<Response<history::OperateActivitiesResponse>, Status> {
            let request = request.into_inner();
            let key = key(&request.namespace_id, id(request.execution.as_ref()));
            if self.is_plainly_here(&key) {
                return self.history.operate_activities(Request::new(request)).await;
            }
            let place = Place::Shard(key.shard(self.shards));
            let answer = self.ask(place, Again::Yes, None, |to| {
                let request = Request::new(request.clone());
                Box::pin(async move {
                    match to {
                        To::Here => self.history.operate_activities(request).await,
                        To::There(channel) => client(channel).operate_activities(request).await,
                    }
                })
            });
            answer.await
        }

        // The receiver knows a message that it has had.
        async fn deliver(&self, request: Request<Message>) -> Result<Response<Outcome>, Status> {
            let message = request.into_inner();
            let key = key(&message.namespace_id, Some(&message.workflow_id));
            if self.is_plainly_here(&key) {
                return self.history.deliver(Request::new(message)).await;
            }
            let place = Place::Shard(key.shard(self.shards));
            let answer = self.ask(place, Again::Yes, None, |to| {
                let request = Request::new(message.clone());
                Box::pin(async move {
                    match to {
                        To::Here => self.history.deliver(request).await,
                        To::There(channel) => client(channel).deliver(request).await,
                    }
                })
            });
            answer.await
        }
    }
    start_workflow_execution: StartWorkflowExecutionRequest => StartWorkflowExecutionResponse,
        |asked| started!(asked), once!(asked);
    signal_with_start_workflow_execution: SignalWithStartWorkflowExecutionRequest => SignalWithStartWorkflowExecutionResponse,
        |asked| started!(asked), once!(asked);
    signal_workflow_execution: SignalWorkflowExecutionRequest => SignalWorkflowExecutionResponse,
        |asked| executed!(asked, workflow_execution), once!(asked);
    request_cancel_workflow_execution: RequestCancelWorkflowExecutionRequest => RequestCancelWorkflowExecutionResponse,
        |asked| executed!(asked, workflow_execution), once!(asked);
    // A second one finds the workflow closed: the caller would be told that there was nothing to end. It decides itself.
    terminate_workflow_execution: TerminateWorkflowExecutionRequest => TerminateWorkflowExecutionResponse,
        |asked| executed!(asked, workflow_execution), Again::No;
    reset_workflow_execution: ResetWorkflowExecutionRequest => ResetWorkflowExecutionResponse,
        |asked| executed!(asked, workflow_execution), once!(asked);
    update_workflow_execution_options: UpdateWorkflowExecutionOptionsRequest => UpdateWorkflowExecutionOptionsResponse,
        |asked| executed!(asked, workflow_execution), Again::Yes;
    pause_workflow_execution: PauseWorkflowExecutionRequest => PauseWorkflowExecutionResponse,
        |asked| started!(asked), once!(asked);
    // A second one finds a workflow that is not paused: nobody knows which request let it go on.
    unpause_workflow_execution: UnpauseWorkflowExecutionRequest => UnpauseWorkflowExecutionResponse,
        |asked| started!(asked), Again::No;
    // A second one may find that the workflow has gone, which is what was asked for; but not whether it was there.
    delete_workflow_execution: DeleteWorkflowExecutionRequest => DeleteWorkflowExecutionResponse,
        |asked| executed!(asked, workflow_execution), Again::No;
    describe_workflow_execution: DescribeWorkflowExecutionRequest => DescribeWorkflowExecutionResponse,
        |asked| executed!(asked, execution), Again::Yes;
    // A query changes nothing, even if two workers answer it.
    query_workflow: QueryWorkflowRequest => QueryWorkflowResponse,
        |asked| executed!(asked, execution), Again::Yes;
    // An update has an id: the run that took it knows it, and a run that has lost it never promised anything.
    update_workflow_execution: UpdateWorkflowExecutionRequest => UpdateWorkflowExecutionResponse,
        |asked| executed!(asked, workflow_execution), Again::Yes, waits true;
    // Both operations have ids.
    execute_multi_operation: ExecuteMultiOperationRequest => ExecuteMultiOperationResponse,
        |asked| key(&asked.namespace_id, asked.start.as_ref().map(|it| it.workflow_id.as_str())),
        named(asked.start.as_ref().map(|it| it.request_id.as_str())), waits true;
    poll_workflow_execution_update: PollWorkflowExecutionUpdateRequest => PollWorkflowExecutionUpdateResponse,
        |asked| key(&asked.namespace_id, asked.request.as_ref().and_then(|it| id(it.update_ref.as_ref()?.workflow_execution.as_ref()))),
        Again::Yes, waits true;
    reset_sticky_task_queue: ResetStickyTaskQueueRequest => ResetStickyTaskQueueResponse,
        |asked| executed!(asked, execution), Again::Yes;
    get_workflow_execution_history: GetWorkflowExecutionHistoryRequest => GetWorkflowExecutionHistoryResponse,
        |asked| executed!(asked, execution), Again::Yes,
        waits asked.request.as_ref().is_some_and(|it| it.wait_new_event);
    get_workflow_execution_history_reverse: GetWorkflowExecutionHistoryReverseRequest => GetWorkflowExecutionHistoryReverseResponse,
        |asked| executed!(asked, execution), Again::Yes;
    // The same poll gets the same task again.
    record_workflow_task_started: RecordTaskStartedRequest => PollWorkflowTaskQueueResponse,
        |asked| key(&asked.namespace_id, Some(&asked.workflow_id)), named(Some(&asked.request_id));
    record_activity_task_started: RecordTaskStartedRequest => PollActivityTaskQueueResponse,
        |asked| key(&asked.namespace_id, Some(&asked.workflow_id)), named(Some(&asked.request_id));
    // A worker whose first answer was taken would be told that its task is over; it makes nothing of that, but may have been given
    // the next task with the lost answer. It asks again itself.
    respond_workflow_task_completed: RespondWorkflowTaskCompletedRequest => RespondWorkflowTaskCompletedResponse,
        |asked| held!(asked), Again::No;
    respond_workflow_task_failed: RespondWorkflowTaskFailedRequest => RespondWorkflowTaskFailedResponse,
        |asked| held!(asked), Again::No;
    record_activity_task_heartbeat: RecordActivityTaskHeartbeatRequest => RecordActivityTaskHeartbeatResponse,
        |asked| held!(asked), Again::Yes;
    respond_activity_task_completed: RespondActivityTaskCompletedRequest => RespondActivityTaskCompletedResponse,
        |asked| held!(asked), Again::No;
    respond_activity_task_failed: RespondActivityTaskFailedRequest => RespondActivityTaskFailedResponse,
        |asked| held!(asked), Again::No;
    respond_activity_task_canceled: RespondActivityTaskCanceledRequest => RespondActivityTaskCanceledResponse,
        |asked| held!(asked), Again::No;
}
