"""Bad input, a scenario per RPC of the first tier: every field of a kind is broken in the same ways.

The matrix is made from the published descriptors, so that a new field of a request is covered by itself. Nothing here
may reach a run: what a server accepts by mistake shows as OK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.filter.v1 import WorkflowExecutionFilter
from temporalio.api.operatorservice import v1 as op
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.update.v1 import Input, Meta, Request, UpdateRef
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, named

LONG = "x" * 1001
NUL = "a\x00b"
NO_UUID = "not-a-uuid"
SOME_UUID = "00000000-0000-0000-0000-000000000001"
SECONDS = 4.0

Change = Callable[[Message], None]


def bases(stage: Stage) -> dict[str, Message]:
    """A request per RPC with everything that it needs; the workflow it names does not exist."""
    namespace = "default"
    execution = WorkflowExecution(workflow_id=stage.id, run_id=SOME_UUID)
    queue = TaskQueue(name=stage.queue)
    token: dict[str, Any] = {"namespace": namespace, "task_token": b"garbage"}
    by_id: dict[str, Any] = {"namespace": namespace, "workflow_id": stage.id, "run_id": SOME_UUID, "activity_id": "a"}
    workflow_type = WorkflowType(name="raw")
    update = Request(meta=Meta(update_id="u"), input=Input(name="change"))
    return {
        "StartWorkflowExecution": ws.StartWorkflowExecutionRequest(namespace=namespace, workflow_id=stage.id, workflow_type=workflow_type, task_queue=queue, request_id="r", workflow_id_reuse_policy=4),
        "SignalWithStartWorkflowExecution": ws.SignalWithStartWorkflowExecutionRequest(
            namespace=namespace, workflow_id=stage.id, workflow_type=workflow_type, task_queue=queue, signal_name="s", workflow_id_conflict_policy=2
        ),
        "SignalWorkflowExecution": ws.SignalWorkflowExecutionRequest(namespace=namespace, workflow_execution=execution, signal_name="s"),
        "QueryWorkflow": ws.QueryWorkflowRequest(namespace=namespace, execution=execution, query=WorkflowQuery(query_type="q")),
        "RequestCancelWorkflowExecution": ws.RequestCancelWorkflowExecutionRequest(namespace=namespace, workflow_execution=execution),
        "TerminateWorkflowExecution": ws.TerminateWorkflowExecutionRequest(namespace=namespace, workflow_execution=execution),
        "UpdateWorkflowExecution": ws.UpdateWorkflowExecutionRequest(namespace=namespace, workflow_execution=execution, request=update),
        "PollWorkflowExecutionUpdate": ws.PollWorkflowExecutionUpdateRequest(namespace=namespace, update_ref=UpdateRef(workflow_execution=execution, update_id="u")),
        "DescribeWorkflowExecution": ws.DescribeWorkflowExecutionRequest(namespace=namespace, execution=execution),
        "GetWorkflowExecutionHistory": ws.GetWorkflowExecutionHistoryRequest(namespace=namespace, execution=execution),
        "GetWorkflowExecutionHistoryReverse": ws.GetWorkflowExecutionHistoryReverseRequest(namespace=namespace, execution=execution),
        "ResetStickyTaskQueue": ws.ResetStickyTaskQueueRequest(namespace=namespace, execution=execution),
        "PollWorkflowTaskQueue": ws.PollWorkflowTaskQueueRequest(namespace=namespace, task_queue=queue),
        "PollActivityTaskQueue": ws.PollActivityTaskQueueRequest(namespace=namespace, task_queue=queue),
        "RespondWorkflowTaskCompleted": ws.RespondWorkflowTaskCompletedRequest(**token),
        "RespondWorkflowTaskFailed": ws.RespondWorkflowTaskFailedRequest(**token),
        "RespondActivityTaskCompleted": ws.RespondActivityTaskCompletedRequest(**token),
        "RespondActivityTaskFailed": ws.RespondActivityTaskFailedRequest(**token),
        "RespondActivityTaskCanceled": ws.RespondActivityTaskCanceledRequest(**token),
        "RecordActivityTaskHeartbeat": ws.RecordActivityTaskHeartbeatRequest(**token),
        "RespondQueryTaskCompleted": ws.RespondQueryTaskCompletedRequest(**token, completed_type=1),
        "RespondActivityTaskCompletedById": ws.RespondActivityTaskCompletedByIdRequest(**by_id),
        "RespondActivityTaskFailedById": ws.RespondActivityTaskFailedByIdRequest(**by_id),
        "RespondActivityTaskCanceledById": ws.RespondActivityTaskCanceledByIdRequest(**by_id),
        "RecordActivityTaskHeartbeatById": ws.RecordActivityTaskHeartbeatByIdRequest(**by_id),
        "ShutdownWorker": ws.ShutdownWorkerRequest(namespace=namespace, sticky_task_queue=stage.queue + "-sticky"),
        "ListWorkflowExecutions": ws.ListWorkflowExecutionsRequest(namespace=namespace, query=f"WorkflowId = '{stage.id}'"),
        "ScanWorkflowExecutions": ws.ScanWorkflowExecutionsRequest(namespace=namespace, query=f"WorkflowId = '{stage.id}'"),
        "ListOpenWorkflowExecutions": ws.ListOpenWorkflowExecutionsRequest(namespace=namespace, execution_filter=WorkflowExecutionFilter(workflow_id=stage.id)),
        "ListClosedWorkflowExecutions": ws.ListClosedWorkflowExecutionsRequest(namespace=namespace, execution_filter=WorkflowExecutionFilter(workflow_id=stage.id)),
        "ListTaskQueuePartitions": ws.ListTaskQueuePartitionsRequest(namespace=namespace, task_queue=queue),
        "PollNexusTaskQueue": ws.PollNexusTaskQueueRequest(namespace=namespace, task_queue=queue),
        "DescribeWorker": ws.DescribeWorkerRequest(namespace=namespace, worker_instance_key="nobody"),
        "RecordWorkerHeartbeat": ws.RecordWorkerHeartbeatRequest(namespace=namespace),
        "UpdateNamespace": ws.UpdateNamespaceRequest(namespace="nobody"),
        "DeprecateNamespace": ws.DeprecateNamespaceRequest(namespace="nobody"),
        "UpdateWorkerVersioningRules": ws.UpdateWorkerVersioningRulesRequest(namespace=namespace, task_queue=stage.queue),
        "GetWorkerVersioningRules": ws.GetWorkerVersioningRulesRequest(namespace=namespace, task_queue=stage.queue),
        "GetWorkerBuildIdCompatibility": ws.GetWorkerBuildIdCompatibilityRequest(namespace=namespace, task_queue=stage.queue),
        "GetWorkerTaskReachability": ws.GetWorkerTaskReachabilityRequest(namespace=namespace),
        "DescribeDeployment": ws.DescribeDeploymentRequest(namespace=namespace),
        "ListDeployments": ws.ListDeploymentsRequest(namespace=namespace),
        "ListWorkflowRules": ws.ListWorkflowRulesRequest(namespace=namespace),
        "PauseWorkflowExecution": ws.PauseWorkflowExecutionRequest(namespace=namespace, workflow_id=stage.id),
        "UnpauseWorkflowExecution": ws.UnpauseWorkflowExecutionRequest(namespace=namespace, workflow_id=stage.id),
        "FetchWorkerConfig": ws.FetchWorkerConfigRequest(namespace=namespace),
        "ListArchivedWorkflowExecutions": ws.ListArchivedWorkflowExecutionsRequest(namespace=namespace),
        "StartNexusOperationExecution": ws.StartNexusOperationExecutionRequest(namespace=namespace, operation_id="o"),
        "ListNexusOperationExecutions": ws.ListNexusOperationExecutionsRequest(namespace=namespace),
        "CountWorkflowExecutions": ws.CountWorkflowExecutionsRequest(namespace=namespace, query=f"WorkflowId = '{stage.id}'"),
        "DescribeTaskQueue": ws.DescribeTaskQueueRequest(namespace=namespace, task_queue=queue),
        "DescribeNamespace": ws.DescribeNamespaceRequest(namespace="nobody"),
        "ListSearchAttributes": op.ListSearchAttributesRequest(namespace=namespace),
        "AddSearchAttributes": op.AddSearchAttributesRequest(namespace=namespace, search_attributes={"WorkflowId": 2}),  # type: ignore[dict-item]
        "RemoveSearchAttributes": op.RemoveSearchAttributesRequest(namespace=namespace, search_attributes=["WorkflowId"]),
    }


IDS = {"workflow_id", "update_id", "activity_id", "signal_name", "request_id", "identity", "query_type", "sticky_task_queue"}
NAMED = {"workflow_type", "task_queue", "input"}
"""Messages whose `name` is an id."""


def changes(base: Message, prefix: str = "") -> Iterator[tuple[str, Change]]:
    """Every way to break a request, one at a time."""
    for field in base.DESCRIPTOR.fields:
        path = f"{prefix}{field.name}"
        if field.name == "namespace" and not prefix:
            yield "no namespace", setting("namespace", "")
            yield "unknown namespace", setting("namespace", "nobody")
            yield "long namespace", setting("namespace", LONG)
            yield "nul in namespace", setting("namespace", NUL)
        elif field.name == "run_id" or field.name == "first_execution_run_id":
            yield f"{path} no uuid", setting(path, NO_UUID)
            yield f"{path} nul", setting(path, NUL)
        elif field.name in IDS or (prefix.rstrip(".").rpartition(".")[2] in NAMED and field.name == "name"):
            yield f"{path} empty", setting(path, "")
            yield f"{path} long", setting(path, LONG)
            yield f"{path} nul", setting(path, NUL)
        elif field.name in ("task_token", "next_page_token"):
            yield f"{path} empty", setting(path, b"")
            yield f"{path} garbage", setting(path, b"\xff\xfe garbage")
            yield f"{path} json", setting(path, b'{"RunId":"x"}')
        elif field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type is not None and field.message_type.full_name == "google.protobuf.Duration":
            yield f"{path} negative", duration(path, timedelta(seconds=-1))
            yield f"{path} huge", duration(path, timedelta(days=365 * 9000))
        elif field.type == FieldDescriptor.TYPE_MESSAGE and field.name in ("execution", "workflow_execution", "request", "meta", "input", "wait_policy", "update_ref", *NAMED) and base.HasField(field.name):
            yield f"{path} missing", clearing(path)
            yield from changes(getattr(base, field.name), f"{prefix}{field.name}.")
        elif field.type == FieldDescriptor.TYPE_ENUM and not field.is_repeated:
            yield f"{path} unknown", setting(path, 99)
        elif field.name in ("maximum_page_size", "page_size"):
            yield f"{path} negative", setting(path, -1)


def place(request: Message, path: str) -> tuple[Any, str]:
    """The message that holds the last name of a path."""
    *parents, last = path.split(".")
    holder: Any = request
    for parent in parents:
        holder = getattr(holder, parent)
    return holder, last


def setting(path: str, value: Any) -> Change:
    def change(request: Message) -> None:
        holder, name = place(request, path)
        setattr(holder, name, value)

    return change


def duration(path: str, value: timedelta) -> Change:
    def change(request: Message) -> None:
        holder, name = place(request, path)
        getattr(holder, name).FromTimedelta(value)

    return change


def clearing(path: str) -> Change:
    def change(request: Message) -> None:
        holder, name = place(request, path)
        holder.ClearField(name)

    return change


# A poll that is let in finds nothing and only takes time: these changes cannot be told from a good request.
LET_IN = {
    ("PollWorkflowTaskQueue", "identity"),
    ("PollActivityTaskQueue", "identity"),
    ("PollNexusTaskQueue", "identity"),
    ("PollNexusTaskQueue", "task_queue.kind"),
}


def matrix(method: str) -> None:
    """Registers the scenario of one RPC."""

    @named(f"bad_input/{method}")
    async def bad_input(stage: Stage) -> None:
        base = bases(stage)[method]
        await stage.keep_call("empty", stage.raw.call(method, type(base)(), SECONDS))
        for label, change in changes(base):
            if (method, label.split(" ")[0]) in LET_IN and not label.endswith("long"):
                continue
            request = type(base)()
            request.CopyFrom(base)
            change(request)
            await stage.keep_call(label, stage.raw.call(method, request, SECONDS))


class _Names:
    """Enough of a stage to name the requests at import."""

    id = queue = "names"


for _method in bases(_Names()):  # type: ignore[arg-type]
    matrix(_method)
