//! Who may call what: one row per RPC. A served method without a row is denied, and fails the tests.

use std::fmt;

/// What a call touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing of anybody: open to all.
    Open,
    /// The whole cluster: needs a role in the system.
    Cluster,
    /// One namespace: needs a role in it, or in the system.
    Namespace,
}

/// What a role must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Read,
    Write,
    Admin,
}

/// Where in a request its namespace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// There is none.
    Nowhere,
    /// The field `namespace`.
    Field,
    /// The field `namespace`, or `id` if that is set.
    FieldOrId,
    /// The field `namespace`, or else the task token.
    FieldOrToken,
}

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// `WorkflowService/StartWorkflowExecution`
    pub method: &'static str,
    pub scope: Scope,
    pub access: Access,
    pub named: Named,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?} {:?}", self.method, self.scope, self.access)
    }
}

/// The row of a method, named by the last two parts of its path: `WorkflowService/GetSystemInfo`.
pub fn row(method: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.method == method)
}

/// All rows.
pub fn rows() -> &'static [Row] {
    ROWS
}

const fn open(method: &'static str) -> Row {
    Row {
        method,
        scope: Scope::Open,
        access: Access::Read,
        named: Named::Nowhere,
    }
}

const fn cluster(access: Access, method: &'static str) -> Row {
    Row {
        method,
        scope: Scope::Cluster,
        access,
        named: Named::Nowhere,
    }
}

const fn namespace(access: Access, method: &'static str) -> Row {
    Row {
        method,
        scope: Scope::Namespace,
        access,
        named: Named::Field,
    }
}

const fn answer(method: &'static str) -> Row {
    Row {
        method,
        scope: Scope::Namespace,
        access: Access::Write,
        named: Named::FieldOrToken,
    }
}

use Access::{Admin, Read, Write};

#[rustfmt::skip]
static ROWS: &[Row] = &[
    namespace(Admin, "WorkflowService/RegisterNamespace"),
    Row { method: "WorkflowService/DescribeNamespace", scope: Scope::Namespace, access: Read, named: Named::FieldOrId },
    cluster(Read, "WorkflowService/ListNamespaces"),
    namespace(Admin, "WorkflowService/UpdateNamespace"),
    namespace(Admin, "WorkflowService/DeprecateNamespace"),
    namespace(Write, "WorkflowService/StartWorkflowExecution"),
    namespace(Write, "WorkflowService/ExecuteMultiOperation"),
    namespace(Read, "WorkflowService/GetWorkflowExecutionHistory"),
    namespace(Read, "WorkflowService/GetWorkflowExecutionHistoryReverse"),
    namespace(Write, "WorkflowService/PollWorkflowTaskQueue"),
    answer("WorkflowService/RespondWorkflowTaskCompleted"),
    answer("WorkflowService/RespondWorkflowTaskFailed"),
    namespace(Write, "WorkflowService/PollActivityTaskQueue"),
    answer("WorkflowService/RecordActivityTaskHeartbeat"),
    namespace(Write, "WorkflowService/RecordActivityTaskHeartbeatById"),
    answer("WorkflowService/RespondActivityTaskCompleted"),
    namespace(Write, "WorkflowService/RespondActivityTaskCompletedById"),
    answer("WorkflowService/RespondActivityTaskFailed"),
    namespace(Write, "WorkflowService/RespondActivityTaskFailedById"),
    answer("WorkflowService/RespondActivityTaskCanceled"),
    namespace(Write, "WorkflowService/RespondActivityTaskCanceledById"),
    namespace(Write, "WorkflowService/RequestCancelWorkflowExecution"),
    namespace(Write, "WorkflowService/SignalWorkflowExecution"),
    namespace(Write, "WorkflowService/SignalWithStartWorkflowExecution"),
    namespace(Write, "WorkflowService/ResetWorkflowExecution"),
    namespace(Write, "WorkflowService/TerminateWorkflowExecution"),
    namespace(Write, "WorkflowService/DeleteWorkflowExecution"),
    namespace(Read, "WorkflowService/ListOpenWorkflowExecutions"),
    namespace(Read, "WorkflowService/ListClosedWorkflowExecutions"),
    namespace(Read, "WorkflowService/ListWorkflowExecutions"),
    namespace(Read, "WorkflowService/ListArchivedWorkflowExecutions"),
    namespace(Read, "WorkflowService/ScanWorkflowExecutions"),
    namespace(Read, "WorkflowService/CountWorkflowExecutions"),
    cluster(Read, "WorkflowService/GetSearchAttributes"),
    answer("WorkflowService/RespondQueryTaskCompleted"),
    namespace(Write, "WorkflowService/ResetStickyTaskQueue"),
    namespace(Write, "WorkflowService/ShutdownWorker"),
    namespace(Read, "WorkflowService/QueryWorkflow"),
    namespace(Read, "WorkflowService/DescribeWorkflowExecution"),
    namespace(Read, "WorkflowService/DescribeTaskQueue"),
    cluster(Read, "WorkflowService/GetClusterInfo"),
    open("WorkflowService/GetSystemInfo"),
    namespace(Read, "WorkflowService/ListTaskQueuePartitions"),
    namespace(Write, "WorkflowService/CreateSchedule"),
    namespace(Read, "WorkflowService/DescribeSchedule"),
    namespace(Write, "WorkflowService/UpdateSchedule"),
    namespace(Write, "WorkflowService/PatchSchedule"),
    namespace(Read, "WorkflowService/ListScheduleMatchingTimes"),
    namespace(Write, "WorkflowService/DeleteSchedule"),
    namespace(Read, "WorkflowService/ListSchedules"),
    namespace(Read, "WorkflowService/CountSchedules"),
    namespace(Write, "WorkflowService/UpdateWorkerBuildIdCompatibility"),
    namespace(Read, "WorkflowService/GetWorkerBuildIdCompatibility"),
    namespace(Write, "WorkflowService/UpdateWorkerVersioningRules"),
    namespace(Read, "WorkflowService/GetWorkerVersioningRules"),
    namespace(Read, "WorkflowService/GetWorkerTaskReachability"),
    namespace(Read, "WorkflowService/DescribeDeployment"),
    namespace(Read, "WorkflowService/DescribeWorkerDeploymentVersion"),
    namespace(Read, "WorkflowService/ListDeployments"),
    namespace(Read, "WorkflowService/GetDeploymentReachability"),
    namespace(Read, "WorkflowService/GetCurrentDeployment"),
    namespace(Write, "WorkflowService/SetCurrentDeployment"),
    namespace(Write, "WorkflowService/SetWorkerDeploymentCurrentVersion"),
    namespace(Read, "WorkflowService/DescribeWorkerDeployment"),
    namespace(Write, "WorkflowService/DeleteWorkerDeployment"),
    namespace(Write, "WorkflowService/DeleteWorkerDeploymentVersion"),
    namespace(Write, "WorkflowService/SetWorkerDeploymentRampingVersion"),
    namespace(Read, "WorkflowService/ListWorkerDeployments"),
    namespace(Write, "WorkflowService/CreateWorkerDeployment"),
    namespace(Write, "WorkflowService/CreateWorkerDeploymentVersion"),
    namespace(Write, "WorkflowService/UpdateWorkerDeploymentVersionComputeConfig"),
    namespace(Read, "WorkflowService/ValidateWorkerDeploymentVersionComputeConfig"),
    namespace(Write, "WorkflowService/UpdateWorkerDeploymentVersionMetadata"),
    namespace(Write, "WorkflowService/SetWorkerDeploymentManager"),
    namespace(Write, "WorkflowService/UpdateWorkflowExecution"),
    namespace(Read, "WorkflowService/PollWorkflowExecutionUpdate"),
    namespace(Write, "WorkflowService/StartBatchOperation"),
    namespace(Write, "WorkflowService/StopBatchOperation"),
    namespace(Read, "WorkflowService/DescribeBatchOperation"),
    namespace(Read, "WorkflowService/ListBatchOperations"),
    namespace(Write, "WorkflowService/PollNexusTaskQueue"),
    answer("WorkflowService/RespondNexusTaskCompleted"),
    answer("WorkflowService/RespondNexusTaskFailed"),
    namespace(Write, "WorkflowService/UpdateActivityOptions"),
    namespace(Write, "WorkflowService/UpdateWorkflowExecutionOptions"),
    namespace(Write, "WorkflowService/PauseActivity"),
    namespace(Write, "WorkflowService/UnpauseActivity"),
    namespace(Write, "WorkflowService/ResetActivity"),
    namespace(Write, "WorkflowService/CreateWorkflowRule"),
    namespace(Read, "WorkflowService/DescribeWorkflowRule"),
    namespace(Write, "WorkflowService/DeleteWorkflowRule"),
    namespace(Read, "WorkflowService/ListWorkflowRules"),
    namespace(Write, "WorkflowService/TriggerWorkflowRule"),
    namespace(Write, "WorkflowService/RecordWorkerHeartbeat"),
    namespace(Read, "WorkflowService/ListWorkers"),
    namespace(Read, "WorkflowService/CountWorkers"),
    namespace(Write, "WorkflowService/UpdateTaskQueueConfig"),
    namespace(Read, "WorkflowService/FetchWorkerConfig"),
    namespace(Write, "WorkflowService/UpdateWorkerConfig"),
    namespace(Read, "WorkflowService/DescribeWorker"),
    namespace(Write, "WorkflowService/PauseWorkflowExecution"),
    namespace(Write, "WorkflowService/UnpauseWorkflowExecution"),
    namespace(Write, "WorkflowService/StartActivityExecution"),
    namespace(Write, "WorkflowService/StartNexusOperationExecution"),
    namespace(Read, "WorkflowService/DescribeActivityExecution"),
    namespace(Read, "WorkflowService/DescribeNexusOperationExecution"),
    namespace(Read, "WorkflowService/PollActivityExecution"),
    namespace(Read, "WorkflowService/PollNexusOperationExecution"),
    namespace(Read, "WorkflowService/ListActivityExecutions"),
    namespace(Read, "WorkflowService/ListNexusOperationExecutions"),
    namespace(Read, "WorkflowService/CountActivityExecutions"),
    namespace(Read, "WorkflowService/CountNexusOperationExecutions"),
    namespace(Write, "WorkflowService/RequestCancelActivityExecution"),
    namespace(Write, "WorkflowService/RequestCancelNexusOperationExecution"),
    namespace(Write, "WorkflowService/TerminateActivityExecution"),
    namespace(Write, "WorkflowService/DeleteActivityExecution"),
    namespace(Write, "WorkflowService/PauseActivityExecution"),
    namespace(Write, "WorkflowService/ResetActivityExecution"),
    namespace(Write, "WorkflowService/UnpauseActivityExecution"),
    namespace(Write, "WorkflowService/UpdateActivityExecutionOptions"),
    namespace(Write, "WorkflowService/TerminateNexusOperationExecution"),
    namespace(Write, "WorkflowService/DeleteNexusOperationExecution"),
    namespace(Read, "WorkflowService/PollWorkflowExecutionTimeSkipping"),
    namespace(Admin, "OperatorService/AddSearchAttributes"),
    namespace(Admin, "OperatorService/RemoveSearchAttributes"),
    namespace(Read, "OperatorService/ListSearchAttributes"),
    namespace(Admin, "OperatorService/DeleteNamespace"),
    cluster(Admin, "OperatorService/AddOrUpdateRemoteCluster"),
    cluster(Admin, "OperatorService/RemoveRemoteCluster"),
    cluster(Read, "OperatorService/ListClusters"),
    cluster(Read, "OperatorService/GetNexusEndpoint"),
    cluster(Admin, "OperatorService/CreateNexusEndpoint"),
    cluster(Admin, "OperatorService/UpdateNexusEndpoint"),
    cluster(Admin, "OperatorService/DeleteNexusEndpoint"),
    cluster(Read, "OperatorService/ListNexusEndpoints"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cairn_proto::prost::Message;
    use cairn_proto::temporal::api;

    use super::*;

    /// The methods of both services, as the published descriptor lists them.
    fn published() -> BTreeSet<String> {
        let _ = api::enums::v1::NamespaceState::Registered;
        let set = descriptor::FileDescriptorSet::decode(cairn_proto::DESCRIPTORS).unwrap();
        let services = set.file.iter().flat_map(|file| &file.service);
        services
            .flat_map(|service| {
                let methods = service.method.iter();
                methods.map(|method| format!("{}/{}", service.name, method.name))
            })
            .collect()
    }

    /// As much of `google/protobuf/descriptor.proto` as the names of methods need.
    mod descriptor {
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct FileDescriptorSet {
            #[prost(message, repeated, tag = "1")]
            pub(super) file: Vec<File>,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct File {
            #[prost(message, repeated, tag = "6")]
            pub(super) service: Vec<Service>,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Service {
            #[prost(string, tag = "1")]
            pub(super) name: String,
            #[prost(message, repeated, tag = "2")]
            pub(super) method: Vec<Method>,
        }
        #[derive(Clone, PartialEq, prost::Message)]
        pub(super) struct Method {
            #[prost(string, tag = "1")]
            pub(super) name: String,
        }
    }

    #[test]
    fn every_published_method_has_exactly_one_row() {
        let rows: BTreeSet<String> = ROWS.iter().map(|row| row.method.to_owned()).collect();
        assert_eq!(rows.len(), ROWS.len(), "a method has two rows");
        assert_eq!(published(), rows);
        for method in published() {
            assert!(row(&method).is_some(), "{method}");
        }
        assert!(row("WorkflowService/Nothing").is_none());
    }
}
