"""Raw gRPC: stubs of the published protocol, outcomes as data, the smallest message builders.

For what an SDK hides: exact refusals, hand-made workflow tasks, broken input. Retries nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.common.v1.grpc_status_pb2 import GrpcStatus
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.operatorservice.v1 import OperatorServiceStub
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice import v1 as ws
from temporalio.api.workflowservice.v1 import WorkflowServiceStub

from tests.support.calls import note

STATUS_TRAILER = "grpc-status-details-bin"
CALL_SECONDS = 15.0
POLL_SECONDS = 20.0
MESSAGE_BYTES_MAX = 128 * 1024 * 1024
RECONNECT_MILLISECONDS = 200


@dataclass
class Refused(Exception):
    """A call answered with something else than OK."""

    code: str
    message: str
    details: tuple[Message, ...] = ()

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class NoTask(Exception):
    """A poll ended without a task where one was due."""


def refused(error: grpc.aio.AioRpcError) -> Refused:
    """What the server said, with the typed details unpacked where the SDK knows their type."""
    details: list[Message] = []
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_TRAILER:
            for packed in GrpcStatus.FromString(value).details:
                details.append(unpack(packed))
    return Refused(error.code().name, error.details() or "", tuple(details))


def unpack(packed: Any) -> Message:
    """The message inside an `Any`, or the `Any` itself if its type is unknown here."""
    from google.protobuf import symbol_database

    try:
        kind = symbol_database.Default().GetSymbol(packed.type_url.rsplit("/", 1)[-1])
    except KeyError:
        return packed
    return kind.FromString(packed.value)


def channel(address: str) -> grpc.aio.Channel:
    """A channel that comes back quickly after the server does."""
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.initial_reconnect_backoff_ms", RECONNECT_MILLISECONDS),
            ("grpc.min_reconnect_backoff_ms", RECONNECT_MILLISECONDS),
            ("grpc.max_reconnect_backoff_ms", RECONNECT_MILLISECONDS),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ],
    )


class Raw:
    """The published services of one server, as one namespace sees them."""

    def __init__(self, address: str, namespace: str = "default", identity: str = "raw", patient: bool = True) -> None:
        self.channel = channel(address)
        self.workflow = WorkflowServiceStub(self.channel)
        self.operator = OperatorServiceStub(self.channel)
        self.namespace = namespace
        self.identity = identity
        self.patient = patient
        """Whether calls may wait for the server to come back; one that stays away is told of at once."""

    async def close(self) -> None:
        """Ends the channel and every poll on it."""
        await self.channel.close()

    async def call(self, method: str, request: Message, seconds: float = CALL_SECONDS, wait: bool = False) -> Any:
        """Calls any method of either service by name; raises `Refused`."""
        note(method)
        service = self.workflow if hasattr(self.workflow, method) else self.operator
        try:
            return await getattr(service, method)(request, timeout=seconds, wait_for_ready=wait and self.patient)
        except grpc.aio.AioRpcError as error:
            raise refused(error) from None

    def start_request(self, workflow_id: str, queue: str | None = None, **fields: Any) -> ws.StartWorkflowExecutionRequest:
        """A start request with what every start must have."""
        base: dict[str, Any] = {
            "namespace": self.namespace,
            "workflow_id": workflow_id,
            "workflow_type": WorkflowType(name="raw"),
            "task_queue": TaskQueue(name=queue or workflow_id),
            "identity": self.identity,
            "request_id": f"request of {workflow_id}",
        }
        return ws.StartWorkflowExecutionRequest(**{**base, **fields})

    async def start(self, workflow_id: str, queue: str | None = None, **fields: Any) -> ws.StartWorkflowExecutionResponse:
        """Starts a workflow that nobody but raw polls will serve."""
        return await self.call("StartWorkflowExecution", self.start_request(workflow_id, queue, **fields))

    def signal_request(self, workflow_id: str, name: str = "signal", **fields: Any) -> ws.SignalWorkflowExecutionRequest:
        """A signal to the current run."""
        base: dict[str, Any] = {
            "namespace": self.namespace,
            "workflow_execution": WorkflowExecution(workflow_id=workflow_id),
            "signal_name": name,
            "identity": self.identity,
        }
        return ws.SignalWorkflowExecutionRequest(**{**base, **fields})

    async def signal(self, workflow_id: str, name: str = "signal", **fields: Any) -> ws.SignalWorkflowExecutionResponse:
        """Signals the current run."""
        return await self.call("SignalWorkflowExecution", self.signal_request(workflow_id, name, **fields))

    async def cancel(self, workflow_id: str, **fields: Any) -> ws.RequestCancelWorkflowExecutionResponse:
        """Asks the current run to cancel."""
        base: dict[str, Any] = {
            "namespace": self.namespace,
            "workflow_execution": WorkflowExecution(workflow_id=workflow_id),
            "identity": self.identity,
        }
        return await self.call("RequestCancelWorkflowExecution", ws.RequestCancelWorkflowExecutionRequest(**{**base, **fields}))

    async def terminate(self, workflow_id: str, **fields: Any) -> ws.TerminateWorkflowExecutionResponse:
        """Forces the current run to end."""
        base: dict[str, Any] = {
            "namespace": self.namespace,
            "workflow_execution": WorkflowExecution(workflow_id=workflow_id),
            "identity": self.identity,
            "reason": "because",
        }
        return await self.call("TerminateWorkflowExecution", ws.TerminateWorkflowExecutionRequest(**{**base, **fields}))

    async def describe(self, workflow_id: str, run_id: str = "") -> ws.DescribeWorkflowExecutionResponse:
        """Describes a run, the current one by default."""
        return await self.call(
            "DescribeWorkflowExecution",
            ws.DescribeWorkflowExecutionRequest(namespace=self.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)),
        )

    async def history(self, workflow_id: str, run_id: str = "", page: int = 0) -> list[HistoryEvent]:
        """All events of a run, the current one by default."""
        events: list[HistoryEvent] = []
        token = b""
        while True:
            answer = await self.call(
                "GetWorkflowExecutionHistory",
                ws.GetWorkflowExecutionHistoryRequest(
                    namespace=self.namespace,
                    execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                    maximum_page_size=page,
                    next_page_token=token,
                ),
            )
            events += answer.history.events
            token = answer.next_page_token
            if not token:
                return events

    async def poll_workflow(self, queue: str, normal_name: str = "", seconds: float = POLL_SECONDS, empty: bool = False) -> ws.PollWorkflowTaskQueueResponse:
        """One workflow task; with `normal_name`, from that queue's sticky sibling `queue`. No task is an error unless `empty` is fine."""
        kind = 2 if normal_name else 1
        request = ws.PollWorkflowTaskQueueRequest(
            namespace=self.namespace, task_queue=TaskQueue(name=queue, kind=kind, normal_name=normal_name), identity=self.identity
        )
        task = await self.call("PollWorkflowTaskQueue", request, seconds)
        if not (task.task_token or empty):
            raise NoTask(queue)
        return task

    async def poll_activity(self, queue: str, seconds: float = POLL_SECONDS, empty: bool = False) -> ws.PollActivityTaskQueueResponse:
        """One activity task."""
        request = ws.PollActivityTaskQueueRequest(namespace=self.namespace, task_queue=TaskQueue(name=queue), identity=self.identity)
        task = await self.call("PollActivityTaskQueue", request, seconds)
        if not (task.task_token or empty):
            raise NoTask(queue)
        return task

    async def complete(self, task: Any, *commands: Command, sticky: str = "", sticky_seconds: float = 1.0, **fields: Any) -> ws.RespondWorkflowTaskCompletedResponse:
        """Completes a workflow task with commands, sticky if a sticky queue is named."""
        request = ws.RespondWorkflowTaskCompletedRequest(
            namespace=self.namespace, task_token=task.task_token, commands=commands, identity=self.identity, **fields
        )
        if sticky:
            request.sticky_attributes.CopyFrom(StickyExecutionAttributes(worker_task_queue=TaskQueue(name=sticky, kind=2, normal_name=task.workflow_execution_task_queue.name)))
            request.sticky_attributes.schedule_to_start_timeout.FromMilliseconds(int(sticky_seconds * 1000))
        return await self.call("RespondWorkflowTaskCompleted", request)

    async def fail(self, task: Any, cause: int, message: str, **fields: Any) -> ws.RespondWorkflowTaskFailedResponse:
        """Fails a workflow task."""
        request = ws.RespondWorkflowTaskFailedRequest(namespace=self.namespace, task_token=task.task_token, cause=cause, identity=self.identity, **fields)  # type: ignore[arg-type]
        request.failure.message = message
        return await self.call("RespondWorkflowTaskFailed", request)


def text(value: str) -> Payload:
    """A JSON string payload."""
    return Payload(metadata={"encoding": b"json/plain"}, data=f'"{value}"'.encode())


def texts(*values: str) -> Payloads:
    """JSON string payloads."""
    return Payloads(payloads=[text(value) for value in values])


def command(kind: str, **attributes: Any) -> Command:
    """A command by the name of its type; durations are given as `<field>=timedelta`."""
    number = CommandType.Value(f"COMMAND_TYPE_{kind.upper()}")
    return Command(command_type=number, **{f"{kind.lower()}_command_attributes": attributes})


def event_name(event: HistoryEvent) -> str:
    """`EVENT_TYPE_TIMER_FIRED` → `TimerFired`."""
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    return "".join(part.capitalize() for part in name.split("_"))


def attributes(event: HistoryEvent) -> Any:
    """The attributes message of an event."""
    return getattr(event, event.WhichOneof("attributes") or "")
