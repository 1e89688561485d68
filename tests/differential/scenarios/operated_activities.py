"""Activities from the operator's side: pause, unpause, reset and other options, in both families of calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.differential.scenarios.activity_tasks import beat, completed, failed
from tests.support.rpc import command, texts

UNKNOWN_RUN = "00000000-0000-4000-8000-000000000000"
NEVER = {"initial_interval": timedelta(hours=1), "backoff_coefficient": 1}
"""A retry that nobody waits for."""


def one(stage: Stage, activity_id: str = "a", **fields: Any) -> Any:
    """The command that schedules an activity of this scenario."""
    base: dict[str, Any] = {
        "activity_id": activity_id,
        "activity_type": {"name": "work"},
        "task_queue": {"name": stage.queue},
        "start_to_close_timeout": timedelta(minutes=5),
        "schedule_to_close_timeout": timedelta(hours=5),
        "retry_policy": NEVER,
        "input": texts("in"),
    }
    return command("schedule_activity_task", **{**base, **fields})


async def begun(stage: Stage, *commands: Any, **fields: Any) -> None:
    """A run that waits for its activities; by default for one."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), *(commands or [one(stage, **fields)]))


async def call(stage: Stage, label: str, method: str, **fields: Any) -> None:
    """One of the older calls, to the scenario's run."""
    base: dict[str, Any] = {"namespace": "default", "execution": WorkflowExecution(workflow_id=stage.id), "identity": "operator"}
    request = getattr(ws, f"{method}Request")(**{**base, **fields})
    await stage.keep_call(label, stage.raw.call(method, request))


async def pause(stage: Stage, label: str, **fields: Any) -> None:
    await call(stage, label, "PauseActivity", **fields)


async def unpause(stage: Stage, label: str, **fields: Any) -> None:
    await call(stage, label, "UnpauseActivity", **fields)


async def reset(stage: Stage, label: str, **fields: Any) -> None:
    await call(stage, label, "ResetActivity", **fields)


async def update(stage: Stage, label: str, options: dict[str, Any] | None, *paths: str, **fields: Any) -> None:
    who = {} if {"id", "type", "match_all"} & fields.keys() else {"id": "a"}
    await call(stage, label, "UpdateActivityOptions", activity_options=options, update_mask=FieldMask(paths=paths), **who, **fields)


async def fail(stage: Stage, task: Any, **info: Any) -> None:
    await stage.raw.call("RespondActivityTaskFailed", failed(task, **info))


def failed_by_id(stage: Stage) -> ws.RespondActivityTaskFailedByIdRequest:
    request = ws.RespondActivityTaskFailedByIdRequest(namespace="default", workflow_id=stage.id, activity_id="a", identity="raw")
    request.failure.message = "on purpose"
    request.failure.application_failure_info.type = "Mine"
    return request


async def heartbeat(stage: Stage, label: str, task: Any, *details: str) -> None:
    await stage.keep_call(label, stage.raw.call("RecordActivityTaskHeartbeat", beat(task, *details)))


async def finish(stage: Stage, task: Any) -> None:
    """Completes the activity and the run, and keeps the history."""
    await stage.raw.call("RespondActivityTaskCompleted", completed(task))
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    await stage.keep_history()
    await stage.keep_describe("closed, described")


async def nobody(stage: Stage, label: str, queue: str = "") -> None:
    """Keeps whether there is nothing to do."""
    task = await stage.raw.poll_activity(queue or stage.queue, seconds=3.0, empty=True)
    stage.keep(label, {"a task": bool(task.task_token)})


@scenario
async def paused_before_it_began(stage: Stage) -> None:
    await begun(stage)
    await pause(stage, "paused", id="a", reason="too hot", request_id="1")
    await stage.keep_describe("described")
    await nobody(stage, "nothing to do")
    await unpause(stage, "unpaused", id="a")
    await stage.keep_describe("unpaused, described")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await finish(stage, task)


@scenario
async def paused_between_attempts(stage: Stage) -> None:
    await begun(stage, retry_policy={"initial_interval": timedelta(seconds=2), "backoff_coefficient": 1})
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    await pause(stage, "paused", id="a")
    await stage.keep_describe("described")
    await nobody(stage, "nothing to do")
    await stage.keep_describe("its time is over, described")
    await unpause(stage, "unpaused", id="a")
    task = await stage.raw.poll_activity(stage.queue)
    await stage.keep_describe("taken, described")
    await finish(stage, task)


@scenario
async def unpaused_before_its_time(stage: Stage) -> None:
    """It does not wait for its retry again."""
    await begun(stage)
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    await pause(stage, "paused", id="a")
    await unpause(stage, "unpaused", id="a")
    await stage.keep_describe("described")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await finish(stage, task)


@scenario
async def paused_while_it_runs(stage: Stage) -> None:
    await begun(stage, heartbeat_timeout=timedelta(minutes=1), retry_policy={"initial_interval": timedelta(milliseconds=100), "backoff_coefficient": 1})
    task = await stage.raw.poll_activity(stage.queue)
    await heartbeat(stage, "heartbeat before", task, "first")
    await pause(stage, "paused", id="a", reason="too hot", request_id="1")
    await stage.keep_describe("described")
    await heartbeat(stage, "heartbeat", task, "second")
    await fail(stage, task)
    await stage.keep_describe("failed, described")
    await nobody(stage, "nothing to do")
    await unpause(stage, "unpaused", id="a")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await heartbeat(stage, "heartbeat after", task, "third")
    await finish(stage, task)


@scenario
async def paused_and_completed(stage: Stage) -> None:
    await begun(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await pause(stage, "paused", id="a")
    await finish(stage, task)


@scenario
async def paused_and_unpaused_while_it_runs(stage: Stage) -> None:
    await begun(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await pause(stage, "paused", id="a")
    await unpause(stage, "unpaused", id="a")
    await stage.keep_describe("described")
    await heartbeat(stage, "heartbeat", task)
    await finish(stage, task)


@scenario
async def paused_at_its_last_attempt(stage: Stage) -> None:
    await begun(stage, retry_policy={"maximum_attempts": 1})
    task = await stage.raw.poll_activity(stage.queue)
    await pause(stage, "paused", id="a")
    await fail(stage, task)
    await stage.keep_describe("described")
    await stage.keep_history()
    await unpause(stage, "unpaused", id="a")
    await stage.keep_describe("unpaused, described")
    task = await stage.raw.poll_activity(stage.queue)
    await fail(stage, task)
    await stage.keep_history("another attempt: history")
    await stage.raw.terminate(stage.id)


@scenario
async def paused_and_out_of_time(stage: Stage) -> None:
    """While it is paused no time is up."""
    await begun(stage, start_to_close_timeout=timedelta(seconds=1), schedule_to_close_timeout=timedelta(seconds=2), heartbeat_timeout=timedelta(milliseconds=500), retry_policy={"initial_interval": timedelta(milliseconds=100)})
    await stage.raw.poll_activity(stage.queue)
    await pause(stage, "paused", id="a")
    await nobody(stage, "nothing to do")
    await stage.keep_describe("described")
    await unpause(stage, "unpaused", id="a")
    await stage.until_events("ActivityTaskTimedOut")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def paused_and_out_of_time_before_it_began(stage: Stage) -> None:
    await begun(stage, schedule_to_close_timeout=timedelta(seconds=2))
    await pause(stage, "paused", id="a")
    await nobody(stage, "nothing to do")
    await stage.keep_describe("described")
    await unpause(stage, "unpaused", id="a")
    await stage.until_events("ActivityTaskTimedOut")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def paused_and_the_attempt_out_of_time(stage: Stage) -> None:
    await begun(stage, start_to_close_timeout=timedelta(seconds=1), retry_policy={"initial_interval": timedelta(milliseconds=100)})
    await stage.raw.poll_activity(stage.queue)
    await pause(stage, "paused", id="a")
    await nobody(stage, "nothing to do")
    await stage.keep_describe("described")
    await unpause(stage, "unpaused", id="a")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await finish(stage, task)


@scenario
async def paused_and_failed_for_good(stage: Stage) -> None:
    await begun(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await pause(stage, "paused", id="a")
    await fail(stage, task, non_retryable=True)
    await stage.keep_describe("described")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def paused_and_never_taken(stage: Stage) -> None:
    """Nobody can take it: is it too late for that?"""
    await begun(stage, schedule_to_start_timeout=timedelta(seconds=1))
    await pause(stage, "paused", id="a")
    await nobody(stage, "nothing to do")
    await stage.keep_describe("described")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def paused_and_canceled(stage: Stage) -> None:
    await begun(stage, one(stage), one(stage, "b", task_queue={"name": f"{stage.queue}-2"}))
    running = await stage.raw.poll_activity(stage.queue)
    await pause(stage, "running", id="a")
    await pause(stage, "waiting", id="b")
    await stage.raw.signal(stage.id)
    await stage.raw.complete(
        await stage.raw.poll_workflow(stage.queue),
        command("request_cancel_activity_task", scheduled_event_id=5),
        command("request_cancel_activity_task", scheduled_event_id=6),
    )
    await stage.keep_describe("described")
    await heartbeat(stage, "heartbeat", running)
    await fail(stage, running)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def paused_again(stage: Stage) -> None:
    await begun(stage)
    await pause(stage, "first", id="a", request_id="1", reason="one")
    await pause(stage, "the same request", id="a", request_id="1", reason="two")
    await pause(stage, "another request", id="a", request_id="2", reason="three")
    await pause(stage, "no request", id="a")
    await pause(stage, "by type", type="work", request_id="2")
    await stage.keep_describe("described")
    await unpause(stage, "unpaused", id="a")
    await unpause(stage, "unpaused again", id="a")
    await pause(stage, "without an id", id="a")
    await pause(stage, "without an id again", id="a")
    await pause(stage, "the first request again", id="a", request_id="1")
    await stage.keep_describe("in the end, described")
    await stage.raw.terminate(stage.id)


@scenario
async def by_type(stage: Stage) -> None:
    await begun(stage, one(stage), one(stage, "b"), one(stage, "c", activity_type={"name": "rest"}))
    await pause(stage, "paused", type="work", reason="all of them")
    await stage.keep_describe("described")
    await update(stage, "options", {"heartbeat_timeout": timedelta(seconds=7)}, "heartbeat_timeout", type="work")
    await reset(stage, "reset", type="work", keep_paused=True)
    await stage.keep_describe("updated, described")
    await unpause(stage, "unpaused", type="work")
    await stage.keep_describe("unpaused, described")
    await pause(stage, "paused again", id="b")
    await unpause(stage, "all unpaused", unpause_all=True)
    await update(stage, "options of all", {"heartbeat_timeout": timedelta(seconds=9)}, "heartbeat_timeout", match_all=True)
    await reset(stage, "all reset", match_all=True)
    await stage.keep_describe("in the end, described")
    await stage.raw.terminate(stage.id)


@scenario
async def nobody_is_meant(stage: Stage) -> None:
    """Of a type that there is not; of none."""
    await begun(stage)
    for name, do in (("pause", pause), ("unpause", unpause), ("reset", reset)):
        await do(stage, f"{name}, an unknown id", id="x")
        await do(stage, f"{name}, an unknown type", type="x")
        await do(stage, f"{name}, an empty id", id="")
        await do(stage, f"{name}, an empty type", type="")
        await do(stage, f"{name}, nobody")
        await do(stage, f"{name}, an unknown workflow", id="a", execution=WorkflowExecution(workflow_id=f"{stage.id}-x"))
        await do(stage, f"{name}, an unknown run", id="a", execution=WorkflowExecution(workflow_id=stage.id, run_id=UNKNOWN_RUN))
        await do(stage, f"{name}, no run", id="a", execution=WorkflowExecution(workflow_id=stage.id, run_id="x"))
        await do(stage, f"{name}, no workflow id", id="a", execution=WorkflowExecution())
        await do(stage, f"{name}, no workflow", id="a", execution=None)
        await do(stage, f"{name}, no namespace", id="a", namespace="")
        await do(stage, f"{name}, an unknown namespace", id="a", namespace="nowhere")
        await do(stage, f"{name}, a long identity", id="a", identity="i" * 1001)
    await pause(stage, "pause, a long reason", id="a", reason="r" * 1001)
    await pause(stage, "pause, a long request id", id="a", request_id="r" * 1001)
    await stage.keep_describe("described")
    await unpause(stage, "unpause all, false", unpause_all=False)
    await reset(stage, "reset all, false", match_all=False)
    await update(stage, "update all, false", {"heartbeat_timeout": timedelta(seconds=9)}, "heartbeat_timeout", match_all=False)
    await unpause(stage, "a negative jitter", id="a", jitter=timedelta(seconds=-1))
    await stage.raw.terminate(stage.id)
    for name, do in (("pause", pause), ("unpause", unpause), ("reset", reset)):
        await do(stage, f"{name}, closed", id="a")
        await do(stage, f"{name}, closed, an unknown id", id="x")
    await update(stage, "update, closed", {"heartbeat_timeout": timedelta(seconds=9)}, "heartbeat_timeout")
    await call(stage, "update, closed, nothing", "UpdateActivityOptions", id="a")


@scenario
async def unpaused_from_the_beginning(stage: Stage) -> None:
    """With another first attempt, without what was said at the last one."""
    await begun(stage, retry_policy={"initial_interval": timedelta(milliseconds=100), "backoff_coefficient": 1})
    for _ in range(2):
        task = await stage.raw.poll_activity(stage.queue)
        await stage.raw.call("RecordActivityTaskHeartbeat", beat(task, "so far"))
        await fail(stage, task)
    task = await stage.raw.poll_activity(stage.queue)
    await pause(stage, "paused", id="a")
    await fail(stage, task)
    await stage.keep_describe("described")
    await unpause(stage, "unpaused", id="a", reset_attempts=True)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await pause(stage, "paused again", id="a")
    await fail(stage, task)
    await unpause(stage, "unpaused without details", id="a", reset_attempts=True, reset_heartbeat=True)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task without details", task)
    await stage.keep_describe("taken, described")
    await finish(stage, task)


@scenario
async def unpaused_without_details_only(stage: Stage) -> None:
    await begun(stage, retry_policy={"initial_interval": timedelta(milliseconds=100), "backoff_coefficient": 1})
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RecordActivityTaskHeartbeat", beat(task, "so far"))
    await pause(stage, "paused", id="a")
    await fail(stage, task)
    await unpause(stage, "unpaused", id="a", reset_heartbeat=True)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await finish(stage, task)


@scenario
async def unpaused_from_the_beginning_while_it_runs(stage: Stage) -> None:
    await begun(stage, retry_policy={"initial_interval": timedelta(seconds=2), "backoff_coefficient": 1})
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    task = await stage.raw.poll_activity(stage.queue)
    await heartbeat(stage, "heartbeat before", task, "so far")
    await pause(stage, "paused", id="a")
    await unpause(stage, "unpaused", id="a", reset_attempts=True, reset_heartbeat=True)
    await stage.keep_describe("described")
    await heartbeat(stage, "heartbeat", task, "further")
    await stage.keep_call("failed", stage.raw.call("RespondActivityTaskFailed", failed(task)))
    await stage.keep_call("failed by id", stage.raw.call("RespondActivityTaskFailedById", failed_by_id(stage)))
    await stage.keep_describe("failed, described")
    await stage.raw.terminate(stage.id)


@scenario
async def unpaused_from_the_beginning_at_its_first_attempt(stage: Stage) -> None:
    await begun(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await heartbeat(stage, "heartbeat before", task, "so far")
    await pause(stage, "paused", id="a")
    await unpause(stage, "unpaused", id="a", reset_attempts=True)
    await heartbeat(stage, "heartbeat", task, "further")
    await stage.keep_describe("described")
    await stage.raw.terminate(stage.id)


@scenario
async def unpaused_some_time(stage: Stage) -> None:
    await begun(stage)
    await pause(stage, "paused", id="a")
    await unpause(stage, "unpaused", id="a", jitter=timedelta(seconds=1))
    task = await stage.raw.poll_activity(stage.queue)
    await finish(stage, task)


@scenario
async def reset_between_attempts(stage: Stage) -> None:
    await begun(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RecordActivityTaskHeartbeat", beat(task, "so far"))
    await fail(stage, task)
    await stage.keep_describe("before")
    await reset(stage, "reset", id="a")
    await stage.keep_describe("described")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await fail(stage, task)
    await reset(stage, "reset without details", id="a", reset_heartbeat=True)
    await stage.keep_describe("without details, described")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task without details", task)
    await finish(stage, task)


@scenario
async def reset_while_it_runs(stage: Stage) -> None:
    await begun(stage, retry_policy={"initial_interval": timedelta(seconds=2), "backoff_coefficient": 1})
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    task = await stage.raw.poll_activity(stage.queue)
    await heartbeat(stage, "heartbeat before", task, "so far")
    await reset(stage, "reset", id="a")
    await stage.keep_describe("described")
    await heartbeat(stage, "heartbeat", task, "further")
    await stage.keep_call("failed", stage.raw.call("RespondActivityTaskFailed", failed(task)))
    await stage.keep_describe("failed, described")
    await stage.keep_call("failed by id", stage.raw.call("RespondActivityTaskFailedById", failed_by_id(stage)))
    await stage.keep_describe("failed by id, described")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await stage.keep_describe("taken, described")
    await heartbeat(stage, "heartbeat after", task, "again")
    await finish(stage, task)


@scenario
async def reset_while_it_runs_and_completed(stage: Stage) -> None:
    await begun(stage, retry_policy={"initial_interval": timedelta(milliseconds=100), "backoff_coefficient": 1})
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    task = await stage.raw.poll_activity(stage.queue)
    await reset(stage, "reset", id="a", reset_heartbeat=True)
    await stage.keep_call("completed", stage.raw.call("RespondActivityTaskCompleted", completed(task)))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def reset_without_details_while_it_runs(stage: Stage) -> None:
    await begun(stage, retry_policy={"initial_interval": timedelta(milliseconds=100), "backoff_coefficient": 1})
    task = await stage.raw.poll_activity(stage.queue)
    await heartbeat(stage, "heartbeat before", task, "so far")
    await reset(stage, "reset", id="a", reset_heartbeat=True)
    await stage.keep_describe("described")
    await fail(stage, task)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await stage.keep_describe("taken, described")
    await finish(stage, task)


@scenario
async def reset_while_it_runs_and_beats(stage: Stage) -> None:
    """What is said after the reset stays, or does not."""
    await begun(stage, retry_policy={"initial_interval": timedelta(milliseconds=100), "backoff_coefficient": 1})
    task = await stage.raw.poll_activity(stage.queue)
    await reset(stage, "reset", id="a", reset_heartbeat=True)
    await heartbeat(stage, "heartbeat", task, "further")
    await stage.keep_describe("described")
    await fail(stage, task)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await finish(stage, task)


@scenario
async def reset_when_paused(stage: Stage) -> None:
    await begun(stage)
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    await pause(stage, "paused", id="a", reason="too hot", request_id="1")
    await reset(stage, "reset, still paused", id="a", keep_paused=True)
    await stage.keep_describe("described")
    await nobody(stage, "nothing to do")
    await reset(stage, "reset", id="a")
    await stage.keep_describe("reset, described")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await finish(stage, task)


@scenario
async def reset_when_paused_while_it_runs(stage: Stage) -> None:
    await begun(stage, one(stage, retry_policy={"initial_interval": timedelta(milliseconds=100), "backoff_coefficient": 1}))
    task = await stage.raw.poll_activity(stage.queue)
    await pause(stage, "paused", id="a")
    await reset(stage, "reset, still paused", id="a", keep_paused=True)
    await stage.keep_describe("described")
    await heartbeat(stage, "heartbeat", task)
    await reset(stage, "reset", id="a")
    await stage.keep_describe("reset, described")
    await heartbeat(stage, "heartbeat, reset", task)
    await pause(stage, "paused again", id="a")
    await heartbeat(stage, "heartbeat, paused again", task)
    await fail(stage, task)
    await stage.keep_describe("failed, described")
    await stage.raw.terminate(stage.id)


@scenario
async def reset_at_the_last_attempt(stage: Stage) -> None:
    await begun(stage, retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(seconds=2)})
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    task = await stage.raw.poll_activity(stage.queue)
    await reset(stage, "reset", id="a")
    await stage.keep_call("failed by id", stage.raw.call("RespondActivityTaskFailedById", failed_by_id(stage)))
    await stage.keep_describe("described")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await finish(stage, task)


@scenario
async def reset_of_one_attempt(stage: Stage) -> None:
    await begun(stage, retry_policy={"maximum_attempts": 1})
    task = await stage.raw.poll_activity(stage.queue)
    await reset(stage, "reset", id="a")
    await fail(stage, task)
    await stage.keep_describe("described")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def reset_and_timed_out(stage: Stage) -> None:
    await begun(stage, start_to_close_timeout=timedelta(seconds=1), retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(milliseconds=100)})
    await stage.raw.poll_activity(stage.queue)
    await reset(stage, "reset", id="a")
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await stage.keep_describe("described")
    await stage.raw.terminate(stage.id)


@scenario
async def options(stage: Stage) -> None:
    """Every path of the mask."""
    await begun(stage, priority={"priority_key": 2})
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    seconds = timedelta(seconds=17)
    for path in ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout"):
        await update(stage, path, {path: seconds}, path)
    policy = {
        "initial_interval": timedelta(minutes=2),
        "backoff_coefficient": 3,
        "maximum_interval": timedelta(minutes=7),
        "maximum_attempts": 9,
        "non_retryable_error_types": ["Mine"],
    }
    for path, value in policy.items():
        await update(stage, f"retry_policy.{path}", {"retry_policy": {path: value}}, f"retry_policy.{path}")
    await update(stage, "priority key", {"priority": {"priority_key": 4}}, "priority.priority_key")
    await update(stage, "fairness", {"priority": {"fairness_key": "k", "fairness_weight": 2}}, "priority.fairness_key", "priority.fairness_weight")
    await stage.keep_describe("described")
    await update(stage, "queue", {"task_queue": {"name": f"{stage.queue}-2"}}, "task_queue.name")
    await update(stage, "queue, whole", {"task_queue": {"name": f"{stage.queue}-3"}}, "task_queue")
    await update(stage, "policy, whole", {"retry_policy": {"initial_interval": timedelta(seconds=1), "maximum_attempts": 5, "non_retryable_error_types": ["Mine"]}}, "retry_policy")
    await stage.keep_describe("another policy, described")
    await update(stage, "interval", {"retry_policy": {"initial_interval": timedelta(minutes=5), "backoff_coefficient": 2, "maximum_interval": timedelta(minutes=6)}}, "retry_policy")
    await stage.keep_describe("cut, described")
    await update(stage, "no priority", {}, "priority.priority_key")
    await update(stage, "priority, whole", {"priority": {"priority_key": 5}}, "priority")
    await stage.keep_describe("in the end, described")
    await stage.raw.terminate(stage.id)


@scenario
async def options_of_one_that_waits(stage: Stage) -> None:
    """Its retry is due at another time, and on another queue."""
    await begun(stage)
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    await update(stage, "interval", {"retry_policy": {"initial_interval": timedelta(seconds=1)}, "task_queue": {"name": f"{stage.queue}-2"}}, "retry_policy.initial_interval", "task_queue.name")
    await stage.keep_describe("described")
    task = await stage.raw.poll_activity(f"{stage.queue}-2")
    stage.keep("task", task)
    await stage.keep_describe("taken, described")
    await finish(stage, task)


@scenario
async def options_before_it_began(stage: Stage) -> None:
    await begun(stage)
    await update(stage, "queue", {"task_queue": {"name": f"{stage.queue}-2"}, "start_to_close_timeout": timedelta(seconds=30)}, "task_queue.name", "start_to_close_timeout")
    await stage.keep_describe("described")
    await nobody(stage, "nothing to do here")
    task = await stage.raw.poll_activity(f"{stage.queue}-2")
    stage.keep("task", task)
    await finish(stage, task)


@scenario
async def options_while_it_runs(stage: Stage) -> None:
    await begun(stage, retry_policy={"initial_interval": timedelta(milliseconds=100)})
    task = await stage.raw.poll_activity(stage.queue)
    await update(stage, "time", {"start_to_close_timeout": timedelta(seconds=2), "heartbeat_timeout": timedelta(seconds=1)}, "start_to_close_timeout", "heartbeat_timeout")
    await stage.keep_describe("described")
    await heartbeat(stage, "heartbeat", task)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("task", task)
    await stage.keep_describe("timed out, described")
    await stage.raw.terminate(stage.id)


@scenario
async def options_when_paused(stage: Stage) -> None:
    await begun(stage)
    await pause(stage, "paused", id="a")
    await update(stage, "queue", {"task_queue": {"name": f"{stage.queue}-2"}}, "task_queue.name")
    await stage.keep_describe("described")
    await nobody(stage, "nothing to do", f"{stage.queue}-2")
    await unpause(stage, "unpaused", id="a")
    task = await stage.raw.poll_activity(f"{stage.queue}-2")
    await finish(stage, task)


@scenario
async def options_restored(stage: Stage) -> None:
    await begun(stage, priority={"priority_key": 2})
    await fail(stage, await stage.raw.poll_activity(stage.queue))
    await update(
        stage,
        "updated",
        {"task_queue": {"name": f"{stage.queue}-2"}, "heartbeat_timeout": timedelta(seconds=7), "retry_policy": {"maximum_attempts": 3}, "priority": {"priority_key": 4}},
        "task_queue.name",
        "heartbeat_timeout",
        "retry_policy.maximum_attempts",
        "priority.priority_key",
    )
    await update(stage, "restored with options", {"heartbeat_timeout": timedelta(seconds=8)}, "heartbeat_timeout", restore_original=True)
    await update(stage, "restored with a mask", None, "heartbeat_timeout", restore_original=True)
    await call(stage, "restored", "UpdateActivityOptions", id="a", restore_original=True)
    await stage.keep_describe("described")
    await update(stage, "updated again", {"heartbeat_timeout": timedelta(seconds=7)}, "heartbeat_timeout")
    await reset(stage, "reset", id="a", restore_original_options=True)
    await stage.keep_describe("reset, described")
    await stage.raw.terminate(stage.id)


@scenario
async def options_restored_while_it_runs(stage: Stage) -> None:
    await begun(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await update(stage, "updated", {"heartbeat_timeout": timedelta(seconds=70)}, "heartbeat_timeout")
    await reset(stage, "reset", id="a", restore_original_options=True)
    await stage.keep_describe("described")
    await fail(stage, task)
    await stage.keep_describe("failed, described")
    await stage.raw.terminate(stage.id)


@scenario
async def options_refused(stage: Stage) -> None:
    await begun(stage)
    seven = timedelta(seconds=7)
    await update(stage, "an unknown field", {"heartbeat_timeout": seven}, "nothing")
    await update(stage, "no path", {"heartbeat_timeout": seven})
    await call(stage, "no mask", "UpdateActivityOptions", id="a", activity_options={"heartbeat_timeout": seven})
    await update(stage, "no options", None, "heartbeat_timeout")
    await update(stage, "unset", {}, "heartbeat_timeout")
    await update(stage, "unset start to close", {}, "start_to_close_timeout")
    await update(stage, "unset both", {}, "start_to_close_timeout", "schedule_to_close_timeout")
    await update(stage, "unset policy", {}, "retry_policy")
    await update(stage, "unset interval", {}, "retry_policy.initial_interval")
    await update(stage, "unset queue", {}, "task_queue.name")
    await update(stage, "unset whole queue", {}, "task_queue")
    await update(stage, "unset priority", {}, "priority")
    await update(stage, "queue of the system", {"task_queue": {"name": "/_sys/x"}}, "task_queue.name")
    await update(stage, "negative", {"heartbeat_timeout": -seven}, "heartbeat_timeout")
    await update(stage, "negative start to close", {"start_to_close_timeout": -seven}, "start_to_close_timeout")
    await update(stage, "negative attempts", {"retry_policy": {"maximum_attempts": -1}}, "retry_policy.maximum_attempts")
    await update(stage, "small coefficient", {"retry_policy": {"backoff_coefficient": 0.5}}, "retry_policy.backoff_coefficient")
    await update(stage, "small maximum", {"retry_policy": {"maximum_interval": timedelta(seconds=1)}}, "retry_policy.maximum_interval")
    await update(stage, "negative priority", {"priority": {"priority_key": -1}}, "priority.priority_key")
    await update(stage, "negative priority beside", {"priority": {"priority_key": -1}, "heartbeat_timeout": seven}, "heartbeat_timeout")
    await update(stage, "a start delay", {"start_delay": seven}, "start_delay")
    await update(stage, "kind of the queue", {"task_queue": {"kind": 1}}, "task_queue.kind")
    await update(stage, "in camels", {"heartbeat_timeout": seven}, "heartbeatTimeout")
    await update(stage, "in lower camels, both", {"start_to_close_timeout": seven}, "startToCloseTimeout", "heartbeat_timeout")
    await update(stage, "more than its whole", {"start_to_close_timeout": timedelta(hours=20)}, "start_to_close_timeout")
    await update(stage, "heartbeat more than its whole", {"heartbeat_timeout": timedelta(hours=20)}, "heartbeat_timeout")
    await stage.keep_describe("described")
    await update(stage, "an unknown id", {"heartbeat_timeout": seven}, "heartbeat_timeout", id="x")
    await update(stage, "an unknown type", {"heartbeat_timeout": seven}, "heartbeat_timeout", type="x")
    await update(stage, "an empty id", {"heartbeat_timeout": seven}, "heartbeat_timeout", id="")
    await update(stage, "an empty type", {"heartbeat_timeout": seven}, "heartbeat_timeout", type="")
    await call(stage, "nobody", "UpdateActivityOptions", activity_options={"heartbeat_timeout": seven}, update_mask=FieldMask(paths=["heartbeat_timeout"]))
    await update(stage, "no workflow", {"heartbeat_timeout": seven}, "heartbeat_timeout", execution=None)
    await update(stage, "an unknown workflow", {"heartbeat_timeout": seven}, "heartbeat_timeout", execution=WorkflowExecution(workflow_id=f"{stage.id}-x"))
    await stage.raw.terminate(stage.id)


@scenario
async def paused_with_a_task_in_hand(stage: Stage) -> None:
    """A workflow task that runs, and one that is only asked a question, are nothing to an activity."""
    await begun(stage)
    await stage.raw.signal(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await pause(stage, "paused", id="a")
    await update(stage, "options", {"heartbeat_timeout": timedelta(seconds=7)}, "heartbeat_timeout")
    await stage.keep_describe("described")
    await unpause(stage, "unpaused", id="a")
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def paused_and_completed_by_id(stage: Stage) -> None:
    await begun(stage)
    await pause(stage, "paused", id="a")
    await stage.keep_call(
        "completed", stage.raw.call("RespondActivityTaskCompletedById", ws.RespondActivityTaskCompletedByIdRequest(namespace="default", workflow_id=stage.id, activity_id="a", identity="raw"))
    )
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def found_when_paused(stage: Stage) -> None:
    """By the search attribute that says so."""
    await begun(stage, one(stage), one(stage, "b", activity_type={"name": "rest"}))
    query = f"WorkflowId = '{stage.id}' AND TemporalPauseInfo = 'property:activityType=work'"

    async def found() -> bool:
        answer = await stage.raw.call("ListWorkflowExecutions", ws.ListWorkflowExecutionsRequest(namespace="default", query=query))
        return bool(answer.executions)

    await pause(stage, "paused", id="b")
    await pause(stage, "paused too", id="a")
    while not await found():
        pass
    await unpause(stage, "unpaused", id="a")
    while await found():
        pass
    await stage.keep_describe("unpaused, described")
    await unpause(stage, "all unpaused", unpause_all=True)
    await stage.keep_describe("all unpaused, described")
    await stage.raw.terminate(stage.id)


@scenario
async def paused_when_it_closed(stage: Stage) -> None:
    await begun(stage)
    await pause(stage, "paused", id="a")
    await stage.raw.terminate(stage.id)
    await stage.keep_describe()


@scenario
async def paused_and_the_run_reset(stage: Stage) -> None:
    """The run goes on from behind its first task: is its activity still paused, with its new options?"""
    await begun(stage)
    await pause(stage, "paused", id="a")
    await update(stage, "options", {"heartbeat_timeout": timedelta(seconds=7)}, "heartbeat_timeout")
    await stage.raw.signal(stage.id)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    request = ws.ResetWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id=stage.id), workflow_task_finish_event_id=8, request_id="reset", reason="because"
    )
    await stage.keep_call("run reset", stage.raw.call("ResetWorkflowExecution", request))
    await stage.keep_describe()
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


async def newer(stage: Stage, label: str, method: str, **fields: Any) -> None:
    """One of the newer calls, to the scenario's run."""
    base: dict[str, Any] = {"namespace": "default", "workflow_id": stage.id, "activity_id": "a", "identity": "operator"}
    request = getattr(ws, f"{method}Request")(**{**base, **fields})
    await stage.keep_call(label, stage.raw.call(method, request))


@scenario
async def executions(stage: Stage) -> None:
    """The newer calls."""
    await begun(stage)
    await newer(stage, "paused", "PauseActivityExecution", reason="too hot", request_id="1")
    await newer(stage, "paused again", "PauseActivityExecution", reason="too hot", request_id="1")
    await newer(stage, "paused by another", "PauseActivityExecution", reason="too hot", request_id="2")
    await stage.keep_describe("described")
    await newer(stage, "options", "UpdateActivityExecutionOptions", activity_options={"heartbeat_timeout": timedelta(seconds=7)}, update_mask=FieldMask(paths=["heartbeat_timeout"]))
    await newer(stage, "reset, still paused", "ResetActivityExecution", keep_paused=True)
    await stage.keep_describe("reset, described")
    await newer(stage, "unpaused", "UnpauseActivityExecution", reason="cooler")
    await newer(stage, "unpaused again", "UnpauseActivityExecution", reason="cooler")
    await newer(stage, "options restored", "UpdateActivityExecutionOptions", restore_original=True)
    await stage.keep_describe("unpaused, described")
    task = await stage.raw.poll_activity(stage.queue)
    await newer(stage, "reset while it runs", "ResetActivityExecution", reset_heartbeat=True)
    await heartbeat(stage, "heartbeat", task)
    await newer(stage, "paused while it runs", "PauseActivityExecution")
    await heartbeat(stage, "heartbeat, paused", task)
    await finish(stage, task)


@scenario
async def executions_refused(stage: Stage) -> None:
    methods: dict[str, dict[str, Any]] = {
        "PauseActivityExecution": {},
        "UnpauseActivityExecution": {},
        "ResetActivityExecution": {},
        "UpdateActivityExecutionOptions": {"activity_options": {"heartbeat_timeout": timedelta(seconds=7)}, "update_mask": FieldMask(paths=["heartbeat_timeout"])},
    }
    await begun(stage)
    for method, fields in methods.items():
        await newer(stage, f"{method}, an unknown id", method, activity_id="x", **fields)
        await newer(stage, f"{method}, an empty id", method, activity_id="", **fields)
        await newer(stage, f"{method}, a long id", method, activity_id="i" * 1001, **fields)
        await newer(stage, f"{method}, an unknown workflow", method, workflow_id=f"{stage.id}-x", **fields)
        await newer(stage, f"{method}, a long workflow id", method, workflow_id="i" * 1001, **fields)
        await newer(stage, f"{method}, no workflow", method, workflow_id="", **fields)
        await newer(stage, f"{method}, an unknown run", method, run_id=UNKNOWN_RUN, **fields)
        await newer(stage, f"{method}, no run", method, run_id="x", **fields)
        await newer(stage, f"{method}, no namespace", method, namespace="", **fields)
        await newer(stage, f"{method}, an unknown namespace", method, namespace="nowhere", **fields)
        await newer(stage, f"{method}, a long identity", method, identity="i" * 1001, **fields)
        await newer(stage, f"{method}, a long request id", method, request_id="i" * 1001, **fields)
    await newer(stage, "a long reason", "PauseActivityExecution", reason="r" * 1001)
    await newer(stage, "a long reason to unpause", "UnpauseActivityExecution", reason="r" * 1001)
    await newer(stage, "a negative jitter", "UnpauseActivityExecution", jitter=timedelta(seconds=-1))
    await newer(stage, "reset, a negative jitter", "ResetActivityExecution", jitter=timedelta(seconds=-1))
    await newer(stage, "no mask", "UpdateActivityExecutionOptions", activity_options={"heartbeat_timeout": timedelta(seconds=7)})
    await newer(stage, "no options", "UpdateActivityExecutionOptions", update_mask=FieldMask(paths=["heartbeat_timeout"]))
    await newer(stage, "an unknown field", "UpdateActivityExecutionOptions", activity_options={"heartbeat_timeout": timedelta(seconds=7)}, update_mask=FieldMask(paths=["nothing"]))
    masks = (
        "task_queue", "task_queue.name", "task_queue.kind", "schedule_to_close_timeout", "heartbeatTimeout", "retry_policy", "retry_policy.non_retryable_error_types",
        "retry_policy.initial_interval", "retry_policy.nothing", "priority", "priority.fairness_key", "priority.nothing", "",
    )  # fmt: skip
    whole: dict[str, Any] = {
        "task_queue": {"name": stage.queue},
        "heartbeat_timeout": timedelta(seconds=8),
        "schedule_to_close_timeout": timedelta(hours=6),
        "retry_policy": {"initial_interval": timedelta(seconds=8), "backoff_coefficient": 2},
        "priority": {"priority_key": 2, "fairness_key": "k"},
    }
    for path in masks:
        await newer(stage, f"mask of {path or 'nothing'}", "UpdateActivityExecutionOptions", activity_options=whole, update_mask=FieldMask(paths=[path]))
    await newer(stage, "an empty mask", "UpdateActivityExecutionOptions", activity_options=whole, update_mask=FieldMask())
    await newer(stage, "negative", "UpdateActivityExecutionOptions", activity_options={"heartbeat_timeout": timedelta(seconds=-8)}, update_mask=FieldMask(paths=["heartbeat_timeout"]))
    await newer(stage, "no mask, no options", "UpdateActivityExecutionOptions")
    await newer(stage, "a start delay", "UpdateActivityExecutionOptions", activity_options={"start_delay": timedelta(seconds=7)}, update_mask=FieldMask(paths=["start_delay"]))
    await newer(
        stage, "restored with a mask", "UpdateActivityExecutionOptions", activity_options={"heartbeat_timeout": timedelta(seconds=7)}, update_mask=FieldMask(paths=["heartbeat_timeout"]), restore_original=True
    )
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)
    for method, fields in methods.items():
        await newer(stage, f"{method}, closed", method, **fields)


@scenario
async def options_with_errors_that_are_not_tried_again(stage: Stage) -> None:
    """They are kept and described; the answer does not show them."""
    await begun(stage, one(stage, retry_policy={"initial_interval": timedelta(seconds=5), "non_retryable_error_types": ["Bad"]}))
    await update(stage, "changed", {"heartbeat_timeout": timedelta(seconds=8)}, "heartbeat_timeout")
    await stage.keep_describe("changed, described")
    await update(stage, "retried otherwise", {"retry_policy": {"maximum_attempts": 3, "initial_interval": timedelta(seconds=7), "non_retryable_error_types": ["Worse"]}}, "retry_policy")
    await stage.keep_describe("retried otherwise, described")
    await call(stage, "restored", "UpdateActivityOptions", id="a", restore_original=True)
    await stage.keep_describe("restored, described")
    await stage.raw.terminate(stage.id)


@scenario
async def options_changed_and_an_error_that_is_not_tried_again(stage: Stage) -> None:
    """The list of errors is what it was."""
    await begun(stage, one(stage, retry_policy={"initial_interval": timedelta(seconds=5), "non_retryable_error_types": ["Bad"]}))
    await update(stage, "changed", {"heartbeat_timeout": timedelta(seconds=8)}, "heartbeat_timeout")
    await fail(stage, await stage.raw.poll_activity(stage.queue), type="Bad")
    await stage.keep_describe("failed, described")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)
