"""Starts on ids that are or were in use: every reuse policy with every conflict policy, by the state of the run that is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, named, scenario
from tests.differential.scenarios.reset import request as reset_request
from tests.support.rpc import command, event_name, texts
from tests.support.wait import until

REUSE = {0: "unspecified", 1: "allow", 2: "failed only", 3: "reject", 4: "terminate"}
CONFLICT = {0: "unspecified", 1: "fail", 2: "use", 3: "terminate"}

Prepare = Callable[[Stage, str], Awaitable[str]]


async def opened(stage: Stage, workflow_id: str, **fields: Any) -> str:
    return (await stage.raw.start(workflow_id, **fields)).run_id


async def waiting(stage: Stage, workflow_id: str) -> str:
    return await opened(stage, workflow_id, workflow_start_delay=timedelta(hours=1))


async def in_a_task(stage: Stage, workflow_id: str) -> str:
    run = await opened(stage, workflow_id)
    await stage.raw.poll_workflow(workflow_id)
    return run


def closed(*commands: Any) -> Prepare:
    async def prepare(stage: Stage, workflow_id: str) -> str:
        run = await opened(stage, workflow_id)
        await stage.raw.complete(await stage.raw.poll_workflow(workflow_id), *commands)
        return run

    return prepare


async def terminated(stage: Stage, workflow_id: str) -> str:
    run = await opened(stage, workflow_id)
    await stage.raw.terminate(workflow_id)
    return run


async def timed_out(stage: Stage, workflow_id: str) -> str:
    run = await opened(stage, workflow_id, workflow_run_timeout=timedelta(seconds=1))

    async def look() -> bool:
        described = await stage.raw.describe(workflow_id, run)
        return described.workflow_execution_info.status != 1

    await until(look, f"{workflow_id} times out")
    return run


STATES: dict[str, Prepare] = {
    "open": opened,
    "waiting": waiting,
    "in_a_task": in_a_task,
    "completed": closed(command("complete_workflow_execution", result=texts("done"))),
    "failed": closed(command("fail_workflow_execution", failure={"message": "no"})),
    "canceled": closed(command("cancel_workflow_execution")),
    "continued": closed(command("continue_as_new_workflow_execution", backoff_start_interval=timedelta(hours=1))),
    "terminated": terminated,
    "timed_out": timed_out,
}


async def play(stage: Stage, prepare: Prepare, again: Callable[[str, dict[str, Any]], Awaitable[Any]], repeats: Callable[[int, int], bool] = lambda reuse, conflict: True) -> None:
    number = 0
    for reuse, reuse_name in REUSE.items():
        for conflict, conflict_name in CONFLICT.items():
            number += 1
            workflow_id = f"{stage.id}-{number}"
            label = f"{reuse_name}, {conflict_name}"
            run = await prepare(stage, workflow_id)
            policies = {"workflow_id_reuse_policy": reuse, "workflow_id_conflict_policy": conflict}
            await stage.keep_call(label, again(workflow_id, policies))
            stage.keep(f"{label}: before", [event_name(event) for event in await stage.raw.history(workflow_id, run)])
            stage.keep(f"{label}: now", [event_name(event) for event in await stage.raw.history(workflow_id)])
            if repeats(reuse, conflict):
                await stage.keep_call(f"{label}: the same request", again(workflow_id, policies))


async def signal_start(stage: Stage, workflow_id: str, **fields: Any) -> Any:
    request = ws.SignalWithStartWorkflowExecutionRequest(
        namespace="default", workflow_id=workflow_id, workflow_type={"name": "raw"}, task_queue={"name": workflow_id}, signal_name="s", identity="raw", **{"request_id": "second", **fields}
    )
    return await stage.raw.call("SignalWithStartWorkflowExecution", request)


def register(state: str, prepare: Prepare) -> None:
    @named(f"ids/start_on_{state}")
    async def start(stage: Stage) -> None:
        await play(stage, prepare, lambda workflow_id, policies: stage.raw.start(workflow_id, request_id="second", **policies))

    @named(f"ids/signal_with_start_on_{state}")
    async def signal_with_start(stage: Stage) -> None:
        await play(stage, prepare, lambda workflow_id, policies: signal_start(stage, workflow_id, **policies), lambda reuse, conflict: reuse != 4 and conflict != 3)


for name, prepare in STATES.items():
    register(name, prepare)


@scenario
async def terminated_by_a_start(stage: Stage) -> None:
    """What the run that gave way says, with a task in hand and a signal behind it."""
    first = (await stage.raw.start(stage.id)).run_id
    await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "buffered")
    await stage.keep_call("started", stage.raw.start(stage.id, request_id="second", workflow_id_conflict_policy=3))
    await stage.keep_history("before", run_id=first)
    await stage.keep_history("now")
    await stage.keep_describe("before, described", run_id=first)
    await stage.raw.terminate(stage.id)


@scenario
async def one_request_on_a_closed_run(stage: Stage) -> None:
    """The request that began a run finds it, however it ended."""
    started = await stage.raw.start(stage.id, request_id="one")
    await stage.keep_call("open", stage.raw.start(stage.id, request_id="one"))
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    await stage.keep_call("completed", stage.raw.start(stage.id, request_id="one", workflow_id_reuse_policy=3))
    await stage.keep_call("another", stage.raw.start(stage.id, request_id="two"))
    await stage.keep_history("the first", run_id=started.run_id)
    await stage.raw.terminate(stage.id)


@scenario
async def signal_with_start_repeated_where_it_terminates(stage: Stage) -> None:
    """The reference does not know its own run again and begins another: we do."""
    await stage.raw.start(stage.id)
    first = await signal_start(stage, stage.id, workflow_id_conflict_policy=3)
    stage.keep("the same run", (await signal_start(stage, stage.id, workflow_id_conflict_policy=3)).run_id == first.run_id)
    await stage.raw.terminate(stage.id)


@scenario
async def requests_described(stage: Stage) -> None:
    """Which requests a description names, and with which event: of a start with a signal that of the signal."""
    await stage.keep_call("begun", signal_start(stage, stage.id, request_id="begun"))
    await stage.keep_describe("begun, described")
    await stage.keep_call("signaled", signal_start(stage, stage.id, request_id="signaled"))
    await stage.keep_describe("signaled, described")
    await stage.keep_call("signaled again", signal_start(stage, stage.id, request_id="begun"))
    await stage.keep_describe("signaled again, described")
    await stage.raw.signal(stage.id, "u", request_id="plain")
    await stage.raw.signal(stage.id, "u", request_id="begun")
    await stage.keep_describe("plain, described")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "u", request_id="buffered")
    await stage.keep_describe("buffered, described")
    await stage.raw.complete(task)
    await stage.keep_describe("flushed, described")
    now = (await stage.raw.call("ResetWorkflowExecution", reset_request(stage, task.started_event_id + 1, request_id="reset"))).run_id
    await stage.keep_describe("reset, described", run_id=now)
    await stage.keep_history("reset", run_id=now)
    await stage.raw.terminate(stage.id)


@scenario
async def requests_of_signals_described(stage: Stage) -> None:
    """A signal has the request id of the start: at once, or when the task is over during which it came."""
    for name, ends in (("completed", stage.raw.complete), ("failed", lambda task: stage.raw.fail(task, 1, "no"))):
        workflow_id = f"{stage.id}-{name}"
        await stage.raw.start(workflow_id, request_id="begun")
        task = await stage.raw.poll_workflow(workflow_id)
        await stage.raw.signal(workflow_id, request_id="begun")
        await stage.keep_describe(f"{name}: buffered", workflow_id)
        await ends(task)
        await stage.keep_describe(f"{name}: flushed", workflow_id)
        await stage.keep_history(f"{name}: history", workflow_id)
        await stage.raw.terminate(workflow_id)
