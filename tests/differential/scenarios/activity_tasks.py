"""Activity tasks by hand: shapes, every timeout, stale tokens, by-id calls, heartbeats, eager dispatch."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command, texts

ONCE = {"maximum_attempts": 1}


async def scheduled(stage: Stage, *, start: dict[str, Any] | None = None, **fields: Any) -> Any:
    """A run that waits for one activity; gives back nothing but the answer of the completion."""
    await stage.raw.start(stage.id, **(start or {}))
    task = await stage.raw.poll_workflow(stage.queue)
    base: dict[str, Any] = {"activity_id": "a", "activity_type": {"name": "work"}, "task_queue": {"name": stage.queue}, "start_to_close_timeout": timedelta(seconds=30), "input": texts("in")}
    return await stage.raw.complete(task, command("schedule_activity_task", **{**base, **fields}))


async def finish(stage: Stage) -> None:
    """Completes the run with its next workflow task and keeps the history."""
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


def completed(task: Any, **fields: Any) -> ws.RespondActivityTaskCompletedRequest:
    return ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=task.task_token, identity="raw", result=texts("out"), **fields)


def failed(task: Any, **info: Any) -> ws.RespondActivityTaskFailedRequest:
    request = ws.RespondActivityTaskFailedRequest(namespace="default", task_token=task.task_token, identity="raw")
    request.failure.message = "on purpose"
    request.failure.application_failure_info.type = "Mine"
    for name, value in info.items():
        setattr(request.failure.application_failure_info, name, value)
    return request


def beat(task: Any, *details: str) -> ws.RecordActivityTaskHeartbeatRequest:
    return ws.RecordActivityTaskHeartbeatRequest(namespace="default", task_token=task.task_token, identity="raw", details=texts(*details))


@scenario
async def shape(stage: Stage) -> None:
    await scheduled(stage, header={"fields": {"h": texts("v").payloads[0]}}, priority={"priority_key": 2}, heartbeat_timeout=timedelta(seconds=20))
    await stage.keep_describe("scheduled")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await stage.keep_describe("started")
    await stage.keep_call("complete", stage.raw.call("RespondActivityTaskCompleted", completed(task)))
    await stage.keep_call("complete again", stage.raw.call("RespondActivityTaskCompleted", completed(task)))
    await stage.keep_call("fail after", stage.raw.call("RespondActivityTaskFailed", failed(task)))
    await stage.keep_call("heartbeat after", stage.raw.call("RecordActivityTaskHeartbeat", beat(task)))
    await finish(stage)
    await stage.keep_call("complete in the closed", stage.raw.call("RespondActivityTaskCompleted", completed(task)))
    await stage.keep_call("heartbeat in the closed", stage.raw.call("RecordActivityTaskHeartbeat", beat(task)))


@scenario
async def start_to_close_timeout(stage: Stage) -> None:
    await scheduled(stage, start_to_close_timeout=timedelta(seconds=1), retry_policy=ONCE)
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RecordActivityTaskHeartbeat", beat(task, "last words"))
    await stage.until_events("ActivityTaskTimedOut")
    await stage.keep_call("too late", stage.raw.call("RespondActivityTaskCompleted", completed(task)))
    await finish(stage)


@scenario
async def start_to_close_timeout_retried(stage: Stage) -> None:
    await scheduled(stage, start_to_close_timeout=timedelta(seconds=1), retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(milliseconds=100)})
    first = await stage.raw.poll_activity(stage.queue)
    second = await stage.raw.poll_activity(stage.queue)
    stage.keep("second attempt", second)
    await stage.keep_describe("second attempt, described")
    await stage.keep_call("token of the first", stage.raw.call("RespondActivityTaskCompleted", completed(first)))
    await stage.keep_call("heartbeat of the first", stage.raw.call("RecordActivityTaskHeartbeat", beat(first)))
    await stage.raw.call("RespondActivityTaskCompleted", completed(second))
    await finish(stage)


@scenario
async def heartbeat_timeout(stage: Stage) -> None:
    await scheduled(stage, heartbeat_timeout=timedelta(seconds=1), retry_policy=ONCE)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("answer", await stage.raw.call("RecordActivityTaskHeartbeat", beat(task, "one", "two")))
    await stage.until_events("ActivityTaskTimedOut")
    await finish(stage)


@scenario
async def heartbeat_timeout_retried(stage: Stage) -> None:
    await scheduled(stage, heartbeat_timeout=timedelta(seconds=1), retry_policy={"initial_interval": timedelta(milliseconds=100)})
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RecordActivityTaskHeartbeat", beat(task, "so far"))
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("second attempt", task)
    await stage.raw.call("RespondActivityTaskCompleted", completed(task))
    await finish(stage)


@scenario
async def schedule_to_start_timeout(stage: Stage) -> None:
    await scheduled(stage, task_queue={"name": stage.queue + "-nobody"}, schedule_to_start_timeout=timedelta(seconds=1))
    await stage.until_events("ActivityTaskTimedOut")
    await finish(stage)


@scenario
async def schedule_to_close_timeout_unstarted(stage: Stage) -> None:
    await scheduled(stage, task_queue={"name": stage.queue + "-nobody"}, schedule_to_close_timeout=timedelta(seconds=1))
    await stage.until_events("ActivityTaskTimedOut")
    await finish(stage)


@scenario
async def schedule_to_close_timeout_started(stage: Stage) -> None:
    await scheduled(stage, schedule_to_close_timeout=timedelta(seconds=2))
    await stage.raw.poll_activity(stage.queue)
    await stage.until_events("ActivityTaskTimedOut")
    await finish(stage)


@scenario
async def no_time_for_another_attempt(stage: Stage) -> None:
    await scheduled(stage, schedule_to_close_timeout=timedelta(seconds=4), retry_policy={"initial_interval": timedelta(seconds=60)})
    task = await stage.raw.poll_activity(stage.queue)
    await stage.keep_call("fail", stage.raw.call("RespondActivityTaskFailed", failed(task)))
    await finish(stage)


@scenario
async def no_time_after_timeout(stage: Stage) -> None:
    await scheduled(stage, schedule_to_close_timeout=timedelta(seconds=30), start_to_close_timeout=timedelta(seconds=1), retry_policy={"initial_interval": timedelta(seconds=60)})
    await stage.raw.poll_activity(stage.queue)
    await stage.until_events("ActivityTaskTimedOut")
    await finish(stage)


@scenario
async def schedule_to_close_in_backoff(stage: Stage) -> None:
    """The deadline comes while the activity waits for its next attempt's worker."""
    await scheduled(stage, schedule_to_close_timeout=timedelta(seconds=2), retry_policy={"initial_interval": timedelta(milliseconds=200)})
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RespondActivityTaskFailed", failed(task))
    await stage.until_events("ActivityTaskTimedOut")
    await finish(stage)


@scenario
async def timeout_not_retryable(stage: Stage) -> None:
    await scheduled(stage, start_to_close_timeout=timedelta(seconds=1), retry_policy={"non_retryable_error_types": ["TemporalTimeout:StartToClose"]})
    await stage.raw.poll_activity(stage.queue)
    await stage.until_events("ActivityTaskTimedOut")
    await finish(stage)


@scenario
async def backoff_described(stage: Stage) -> None:
    await scheduled(stage, retry_policy={"initial_interval": timedelta(seconds=60)})
    task = await stage.raw.poll_activity(stage.queue)
    request = failed(task)
    request.last_heartbeat_details.CopyFrom(texts("with the failure"))
    await stage.raw.call("RespondActivityTaskFailed", request)
    await stage.keep_describe()
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def failed_for_good(stage: Stage) -> None:
    await scheduled(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await stage.keep_call("fail", stage.raw.call("RespondActivityTaskFailed", failed(task, non_retryable=True)))
    await finish(stage)


@scenario
async def failure_without_info(stage: Stage) -> None:
    await scheduled(stage)
    task = await stage.raw.poll_activity(stage.queue)
    request = ws.RespondActivityTaskFailedRequest(namespace="default", task_token=task.task_token)
    await stage.keep_call("no failure", stage.raw.call("RespondActivityTaskFailed", request))
    request.failure.message = "no kind"
    await stage.keep_call("no info", stage.raw.call("RespondActivityTaskFailed", request))
    request.failure.server_failure_info.non_retryable = True
    await stage.keep_call("other info", stage.raw.call("RespondActivityTaskFailed", request))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def oversize(stage: Stage) -> None:
    big = texts("x" * (2 * 1024 * 1024 + 1))
    await scheduled(stage, retry_policy=ONCE)
    task = await stage.raw.poll_activity(stage.queue)
    request = completed(task)
    request.result.CopyFrom(big)
    await stage.keep_call("complete", stage.raw.call("RespondActivityTaskCompleted", request))
    await finish(stage)


@scenario
async def oversize_heartbeat(stage: Stage) -> None:
    await scheduled(stage, heartbeat_timeout=timedelta(seconds=20))
    task = await stage.raw.poll_activity(stage.queue)
    await stage.keep_call("heartbeat", stage.raw.call("RecordActivityTaskHeartbeat", beat(task, "x" * (2 * 1024 * 1024 + 1))))
    await finish(stage)


@scenario
async def canceled(stage: Stage) -> None:
    """Only what was asked to cancel may be reported as cancelled."""
    await scheduled(stage)
    work = await stage.raw.poll_activity(stage.queue)
    report = ws.RespondActivityTaskCanceledRequest(namespace="default", task_token=work.task_token, identity="raw", details=texts("why"))
    await stage.keep_call("not asked", stage.raw.call("RespondActivityTaskCanceled", report))
    await stage.raw.signal(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("request_cancel_activity_task", scheduled_event_id=5))
    await stage.keep_describe("asked")
    await stage.keep_call("heartbeat", stage.raw.call("RecordActivityTaskHeartbeat", beat(work)))
    await stage.keep_call("report", stage.raw.call("RespondActivityTaskCanceled", report))
    await finish(stage)


@scenario
async def failed_after_cancel_request(stage: Stage) -> None:
    await scheduled(stage)
    work = await stage.raw.poll_activity(stage.queue)
    await stage.raw.signal(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("request_cancel_activity_task", scheduled_event_id=5))
    await stage.raw.call("RespondActivityTaskFailed", failed(work))
    await finish(stage)


@scenario
async def canceled_before_start(stage: Stage) -> None:
    await scheduled(stage, task_queue={"name": stage.queue + "-nobody"})
    await stage.raw.signal(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("request_cancel_activity_task", scheduled_event_id=5))
    await finish(stage)


@scenario
async def canceled_in_backoff(stage: Stage) -> None:
    await scheduled(stage, retry_policy={"initial_interval": timedelta(seconds=60)})
    await stage.raw.call("RespondActivityTaskFailed", failed(await stage.raw.poll_activity(stage.queue)))
    await stage.raw.signal(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("request_cancel_activity_task", scheduled_event_id=5))
    await finish(stage)


@scenario
async def by_id(stage: Stage) -> None:
    """The calls that name the activity instead of holding its token."""
    names: dict[str, Any] = {"namespace": "default", "workflow_id": stage.id, "activity_id": "a", "identity": "raw"}
    complete = ws.RespondActivityTaskCompletedByIdRequest(**names, result=texts("out"))
    await stage.keep_call("unknown workflow", stage.raw.call("RespondActivityTaskCompletedById", complete))
    await scheduled(stage)
    unknown = ws.RespondActivityTaskCompletedByIdRequest(**{**names, "activity_id": "b"})
    await stage.keep_call("unknown activity", stage.raw.call("RespondActivityTaskCompletedById", unknown))
    no_id = ws.RespondActivityTaskCompletedByIdRequest(**{**names, "activity_id": ""})
    await stage.keep_call("no activity id", stage.raw.call("RespondActivityTaskCompletedById", no_id))
    await stage.keep_call("heartbeat before start", stage.raw.call("RecordActivityTaskHeartbeatById", ws.RecordActivityTaskHeartbeatByIdRequest(**names, details=texts("d"))))
    await stage.raw.poll_activity(stage.queue)
    await stage.keep_call("heartbeat", stage.raw.call("RecordActivityTaskHeartbeatById", ws.RecordActivityTaskHeartbeatByIdRequest(**names, details=texts("d"))))
    await stage.keep_call("cancel not asked", stage.raw.call("RespondActivityTaskCanceledById", ws.RespondActivityTaskCanceledByIdRequest(**names)))
    await stage.keep_call("complete", stage.raw.call("RespondActivityTaskCompletedById", complete))
    await stage.keep_call("complete again", stage.raw.call("RespondActivityTaskCompletedById", complete))
    await finish(stage)


@scenario
async def completed_by_id_unstarted(stage: Stage) -> None:
    await scheduled(stage)
    request = ws.RespondActivityTaskCompletedByIdRequest(namespace="default", workflow_id=stage.id, activity_id="a", identity="raw", result=texts("out"))
    await stage.keep_call("complete", stage.raw.call("RespondActivityTaskCompletedById", request))
    await finish(stage)


@scenario
async def eager(stage: Stage) -> None:
    """The activity comes with the answer to its workflow task."""
    answer = await scheduled(stage, request_eager_execution=True)
    stage.keep("answer", answer)
    if answer.activity_tasks:
        await stage.raw.call("RespondActivityTaskCompleted", completed(answer.activity_tasks[0]))
        await finish(stage)


@scenario
async def other_namespace_in_request(stage: Stage) -> None:
    """A token of one namespace with the name of another."""
    await scheduled(stage)
    task = await stage.raw.poll_activity(stage.queue)
    request = completed(task)
    request.namespace = "temporal-system"
    await stage.keep_call("complete", stage.raw.call("RespondActivityTaskCompleted", request))
    request.namespace = ""
    await stage.keep_call("no namespace", stage.raw.call("RespondActivityTaskCompleted", request))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def closed_under_the_activity(stage: Stage) -> None:
    await scheduled(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.terminate(stage.id)
    await stage.keep_call("heartbeat", stage.raw.call("RecordActivityTaskHeartbeat", beat(task)))
    await stage.keep_call("complete", stage.raw.call("RespondActivityTaskCompleted", completed(task)))
    await stage.keep_call("fail", stage.raw.call("RespondActivityTaskFailed", failed(task)))
    await stage.keep_history()
    await stage.keep_describe()
