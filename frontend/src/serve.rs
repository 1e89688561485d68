//! The table of contents: which function answers which RPC. Everything else answers UNIMPLEMENTED by itself.

use async_trait::async_trait;
use cairn_proto::operatorservice::operator_service_server::OperatorService;
use cairn_proto::temporal::api::operatorservice::v1 as operator_pb;
use cairn_proto::temporal::api::workflowservice::v1 as pb;
use cairn_proto::workflowservice::workflow_service_server::WorkflowService;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::worker::{activity, by_id, poll, registry, workflow_task};
use crate::workflow::{
    cancel, delete, describe, operate, options, pause, query, reset, signal, start, terminate,
    update, with_start,
};
use crate::{
    Frontend, cluster, deadline, history, namespace, off, operator, task_queue, visibility,
};

/// `method: Request => Response = function` calls the function with frontend and message; under `timed` stand those that
/// also want to know how long the caller waits, under `read` those that want to know who reads, under `off` those that are refused.
macro_rules! serve {
    ($service:ident, $messages:ident:
        served { $($method:ident: $request:ident => $response:ident = $function:path;)* }
        timed { $($timed:ident: $timed_request:ident => $timed_response:ident = $timed_function:path;)* }
        read { $($read:ident: $read_request:ident => $read_response:ident = $read_function:path;)* }
        off { $($off:ident: $off_request:ident => $off_response:ident = $refusal:expr;)* }
    ) => {
        #[async_trait]
        impl $service for Frontend {
            $(async fn $method(
                &self,
                request: Request<$messages::$request>,
            ) -> Result<Response<$messages::$response>, Status> {
                self.admit(request.metadata())?;
                replied($function(self, request.into_inner()).await)
            })*

            $(async fn $timed(
                &self,
                request: Request<$messages::$timed_request>,
            ) -> Result<Response<$messages::$timed_response>, Status> {
                self.admit(request.metadata())?;
                let deadline = deadline::of(request.metadata(), self.now());
                replied($timed_function(self, request.into_inner(), deadline).await)
            })*

            $(async fn $read(
                &self,
                request: Request<$messages::$read_request>,
            ) -> Result<Response<$messages::$read_response>, Status> {
                self.admit(request.metadata())?;
                let reader = history::Reader::of(request.metadata(), self.now());
                replied($read_function(self, request.into_inner(), reader).await)
            })*

            $(async fn $off(
                &self,
                request: Request<$messages::$off_request>,
            ) -> Result<Response<$messages::$off_response>, Status> {
                self.admit(request.metadata())?;
                let refusal: fn(&str) -> Error = $refusal;
                let namespace = request.into_inner().namespace;
                Err(off::refuse(self, &namespace, refusal(&namespace)).into())
            })*
        }
    };
}

fn replied<T>(reply: Result<T, Error>) -> Result<Response<T>, Status> {
    reply.map(Response::new).map_err(Status::from)
}

serve! { WorkflowService, pb:
    served {
        register_namespace: RegisterNamespaceRequest => RegisterNamespaceResponse = namespace::register;
        describe_namespace: DescribeNamespaceRequest => DescribeNamespaceResponse = namespace::describe;
        list_namespaces: ListNamespacesRequest => ListNamespacesResponse = namespace::list;
        update_namespace: UpdateNamespaceRequest => UpdateNamespaceResponse = namespace::update::update;
        deprecate_namespace: DeprecateNamespaceRequest => DeprecateNamespaceResponse = namespace::update::deprecate;

        start_workflow_execution: StartWorkflowExecutionRequest => StartWorkflowExecutionResponse = start::start;
        signal_workflow_execution: SignalWorkflowExecutionRequest => SignalWorkflowExecutionResponse = signal::signal;
        signal_with_start_workflow_execution: SignalWithStartWorkflowExecutionRequest
            => SignalWithStartWorkflowExecutionResponse = signal::signal_with_start;
        request_cancel_workflow_execution: RequestCancelWorkflowExecutionRequest
            => RequestCancelWorkflowExecutionResponse = cancel::request_cancel;
        terminate_workflow_execution: TerminateWorkflowExecutionRequest
            => TerminateWorkflowExecutionResponse = terminate::terminate;
        execute_multi_operation: ExecuteMultiOperationRequest => ExecuteMultiOperationResponse = with_start::execute;
        update_workflow_execution: UpdateWorkflowExecutionRequest
            => UpdateWorkflowExecutionResponse = update::update;
        poll_workflow_execution_update: PollWorkflowExecutionUpdateRequest
            => PollWorkflowExecutionUpdateResponse = update::poll;
        reset_workflow_execution: ResetWorkflowExecutionRequest => ResetWorkflowExecutionResponse = reset::reset;
        update_workflow_execution_options: UpdateWorkflowExecutionOptionsRequest
            => UpdateWorkflowExecutionOptionsResponse = options::update;
        pause_workflow_execution: PauseWorkflowExecutionRequest => PauseWorkflowExecutionResponse = pause::pause;
        unpause_workflow_execution: UnpauseWorkflowExecutionRequest
            => UnpauseWorkflowExecutionResponse = pause::unpause;
        delete_workflow_execution: DeleteWorkflowExecutionRequest
            => DeleteWorkflowExecutionResponse = delete::delete;
        describe_workflow_execution: DescribeWorkflowExecutionRequest
            => DescribeWorkflowExecutionResponse = describe::describe;
        get_workflow_execution_history_reverse: GetWorkflowExecutionHistoryReverseRequest
            => GetWorkflowExecutionHistoryReverseResponse = history::get_reverse;

        respond_workflow_task_completed: RespondWorkflowTaskCompletedRequest
            => RespondWorkflowTaskCompletedResponse = workflow_task::completed;
        respond_workflow_task_failed: RespondWorkflowTaskFailedRequest
            => RespondWorkflowTaskFailedResponse = workflow_task::failed;
        respond_query_task_completed: RespondQueryTaskCompletedRequest
            => RespondQueryTaskCompletedResponse = workflow_task::query_completed;
        respond_activity_task_completed: RespondActivityTaskCompletedRequest
            => RespondActivityTaskCompletedResponse = activity::completed;
        respond_activity_task_failed: RespondActivityTaskFailedRequest
            => RespondActivityTaskFailedResponse = activity::failed;
        respond_activity_task_canceled: RespondActivityTaskCanceledRequest
            => RespondActivityTaskCanceledResponse = activity::canceled;
        record_activity_task_heartbeat: RecordActivityTaskHeartbeatRequest
            => RecordActivityTaskHeartbeatResponse = activity::heartbeat;
        respond_activity_task_completed_by_id: RespondActivityTaskCompletedByIdRequest
            => RespondActivityTaskCompletedByIdResponse = by_id::completed;
        respond_activity_task_failed_by_id: RespondActivityTaskFailedByIdRequest
            => RespondActivityTaskFailedByIdResponse = by_id::failed;
        respond_activity_task_canceled_by_id: RespondActivityTaskCanceledByIdRequest
            => RespondActivityTaskCanceledByIdResponse = by_id::canceled;
        record_activity_task_heartbeat_by_id: RecordActivityTaskHeartbeatByIdRequest
            => RecordActivityTaskHeartbeatByIdResponse = by_id::heartbeat;
        pause_activity: PauseActivityRequest => PauseActivityResponse = operate::pause;
        unpause_activity: UnpauseActivityRequest => UnpauseActivityResponse = operate::unpause;
        reset_activity: ResetActivityRequest => ResetActivityResponse = operate::reset;
        update_activity_options: UpdateActivityOptionsRequest
            => UpdateActivityOptionsResponse = operate::update_options;
        pause_activity_execution: PauseActivityExecutionRequest
            => PauseActivityExecutionResponse = operate::execution::pause;
        unpause_activity_execution: UnpauseActivityExecutionRequest
            => UnpauseActivityExecutionResponse = operate::execution::unpause;
        reset_activity_execution: ResetActivityExecutionRequest
            => ResetActivityExecutionResponse = operate::execution::reset;
        update_activity_execution_options: UpdateActivityExecutionOptionsRequest
            => UpdateActivityExecutionOptionsResponse = operate::execution::update_options;
        reset_sticky_task_queue: ResetStickyTaskQueueRequest => ResetStickyTaskQueueResponse = poll::reset_sticky;
        shutdown_worker: ShutdownWorkerRequest => ShutdownWorkerResponse = poll::shutdown_worker;
        record_worker_heartbeat: RecordWorkerHeartbeatRequest => RecordWorkerHeartbeatResponse = registry::record;
        describe_worker: DescribeWorkerRequest => DescribeWorkerResponse = registry::describe;

        list_workflow_executions: ListWorkflowExecutionsRequest => ListWorkflowExecutionsResponse = visibility::list;
        scan_workflow_executions: ScanWorkflowExecutionsRequest => ScanWorkflowExecutionsResponse = visibility::scan;
        list_open_workflow_executions: ListOpenWorkflowExecutionsRequest
            => ListOpenWorkflowExecutionsResponse = visibility::filter::list_open;
        list_closed_workflow_executions: ListClosedWorkflowExecutionsRequest
            => ListClosedWorkflowExecutionsResponse = visibility::filter::list_closed;
        count_workflow_executions: CountWorkflowExecutionsRequest => CountWorkflowExecutionsResponse = visibility::count;
        get_search_attributes: GetSearchAttributesRequest => GetSearchAttributesResponse = visibility::search_attributes;

        get_system_info: GetSystemInfoRequest => GetSystemInfoResponse = cluster::system_info;
        get_cluster_info: GetClusterInfoRequest => GetClusterInfoResponse = cluster::cluster_info;
        describe_task_queue: DescribeTaskQueueRequest => DescribeTaskQueueResponse = task_queue::describe;
        list_task_queue_partitions: ListTaskQueuePartitionsRequest
            => ListTaskQueuePartitionsResponse = task_queue::list_partitions;
    }
    timed {
        poll_workflow_task_queue: PollWorkflowTaskQueueRequest => PollWorkflowTaskQueueResponse = poll::workflow_task;
        poll_activity_task_queue: PollActivityTaskQueueRequest => PollActivityTaskQueueResponse = poll::activity_task;
        poll_nexus_task_queue: PollNexusTaskQueueRequest => PollNexusTaskQueueResponse = poll::nexus_task;
        query_workflow: QueryWorkflowRequest => QueryWorkflowResponse = query::query;
    }
    read {
        get_workflow_execution_history: GetWorkflowExecutionHistoryRequest
            => GetWorkflowExecutionHistoryResponse = history::get;
    }
    off {
        describe_deployment: DescribeDeploymentRequest => DescribeDeploymentResponse = |_| off::deployments();
        list_deployments: ListDeploymentsRequest => ListDeploymentsResponse = |_| off::deployments();
        get_deployment_reachability: GetDeploymentReachabilityRequest
            => GetDeploymentReachabilityResponse = |_| off::deployments();
        get_current_deployment: GetCurrentDeploymentRequest => GetCurrentDeploymentResponse = |_| off::deployments();
        set_current_deployment: SetCurrentDeploymentRequest => SetCurrentDeploymentResponse = |_| off::deployments();
        create_workflow_rule: CreateWorkflowRuleRequest
            => CreateWorkflowRuleResponse = |_| off::method("CreateWorkflowRule");
        describe_workflow_rule: DescribeWorkflowRuleRequest
            => DescribeWorkflowRuleResponse = |_| off::method("DescribeWorkflowRule");
        delete_workflow_rule: DeleteWorkflowRuleRequest
            => DeleteWorkflowRuleResponse = |_| off::method("DeleteWorkflowRule");
        list_workflow_rules: ListWorkflowRulesRequest
            => ListWorkflowRulesResponse = |_| off::method("ListWorkflowRules");
        trigger_workflow_rule: TriggerWorkflowRuleRequest
            => TriggerWorkflowRuleResponse = |_| off::method("TriggerWorkflowRule");
        fetch_worker_config: FetchWorkerConfigRequest
            => FetchWorkerConfigResponse = |_| off::command("FetchWorkerConfig");
        update_worker_config: UpdateWorkerConfigRequest
            => UpdateWorkerConfigResponse = |_| off::command("UpdateWorkerConfig");
        start_nexus_operation_execution: StartNexusOperationExecutionRequest
            => StartNexusOperationExecutionResponse = |_| off::nexus_operation();
        list_nexus_operation_executions: ListNexusOperationExecutionsRequest
            => ListNexusOperationExecutionsResponse = |_| off::nexus_operation();
        get_worker_versioning_rules: GetWorkerVersioningRulesRequest
            => GetWorkerVersioningRulesResponse = |_| off::version_rules();
        update_worker_versioning_rules: UpdateWorkerVersioningRulesRequest
            => UpdateWorkerVersioningRulesResponse = |_| off::version_rules();
        get_worker_task_reachability: GetWorkerTaskReachabilityRequest
            => GetWorkerTaskReachabilityResponse = |_| off::version_rules();
        get_worker_build_id_compatibility: GetWorkerBuildIdCompatibilityRequest
            => GetWorkerBuildIdCompatibilityResponse = |_| off::version_sets();
        update_worker_build_id_compatibility: UpdateWorkerBuildIdCompatibilityRequest
            => UpdateWorkerBuildIdCompatibilityResponse = |_| off::version_sets();
        list_archived_workflow_executions: ListArchivedWorkflowExecutionsRequest
            => ListArchivedWorkflowExecutionsResponse = |_| off::archive();
    }
}

serve! { OperatorService, operator_pb:
    served {
        add_search_attributes: AddSearchAttributesRequest
            => AddSearchAttributesResponse = namespace::attributes::add;
        remove_search_attributes: RemoveSearchAttributesRequest
            => RemoveSearchAttributesResponse = namespace::attributes::remove;
        list_search_attributes: ListSearchAttributesRequest
            => ListSearchAttributesResponse = namespace::attributes::list;
        list_clusters: ListClustersRequest => ListClustersResponse = operator::list_clusters;
    }
    timed {}
    read {}
    off {}
}
