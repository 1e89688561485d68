"""Limits, made small by their keys: the last that is allowed, the first that is not, and what becomes of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, named, scenario
from tests.differential.scenarios.bad_commands import schedule
from tests.differential.scenarios.updates import ACCEPTED, accept, complete, idle, keep_sent, polled, reject, respond, send, until_admitted
from tests.support.rpc import command, event_name, text, texts

HOUR = timedelta(hours=1)


def child(number: int) -> Command:
    return command("start_child_workflow_execution", workflow_id=f"limits-child-{number}", workflow_type={"name": "t"}, task_queue={"name": "nobody"}, parent_close_policy=1)


def call(number: int) -> Command:
    return command("signal_external_workflow_execution", execution={"workflow_id": f"limits-nobody-{number}"}, signal_name="s")


def call_off(number: int) -> Command:
    return command("request_cancel_external_workflow_execution", workflow_id=f"limits-nobody-{number}")


PENDING: dict[str, tuple[Callable[[int], Command], int]] = {
    "pending_activities": (lambda number: schedule(f"a{number}"), 3),
    "pending_children": (child, 2),
    "pending_signals": (call, 2),
    "pending_cancels": (call_off, 2),
}
"""What may wait of each kind, and how many at a time."""


def pending(name: str) -> None:
    @named(f"limits/{name}")
    async def play(stage: Stage) -> None:
        """One more than may wait, with the others and behind them."""
        make, most = PENDING[name]
        await stage.raw.start(stage.id)
        await stage.keep_call("too many at once", stage.raw.complete(await polled(stage), *(make(number) for number in range(most + 1))))
        await stage.keep_history("refused")
        await stage.keep_call("as many as may be", stage.raw.complete(await polled(stage), *(make(number) for number in range(most))))
        if name in ("pending_activities", "pending_children"):
            await stage.raw.signal(stage.id, "s")
            await stage.keep_call("one more", stage.raw.complete(await polled(stage), make(most)))
            events = await stage.raw.history(stage.id)
            stage.keep("events", sorted(event_name(event) for event in events if "WorkflowTask" not in event_name(event)))
        await stage.raw.terminate(stage.id)


for _name in PENDING:
    pending(_name)


@scenario
async def signals_of_a_run(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    for number in range(1, 7):
        await stage.keep_call(f"{number}", stage.raw.signal(stage.id, "s", request_id=f"{number}"))
    await stage.keep_call("a known one", stage.raw.signal(stage.id, "s", request_id="2"))
    request = ws.SignalWithStartWorkflowExecutionRequest(
        namespace="default", workflow_id=stage.id, workflow_type={"name": "raw"}, task_queue={"name": stage.queue}, signal_name="s", identity="raw", request_id="with start"
    )
    await stage.keep_call("with start", stage.raw.call("SignalWithStartWorkflowExecution", request))
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


@scenario
async def long_history(stage: Stage) -> None:
    """When a run is advised to continue as new, and why."""
    await stage.raw.start(stage.id)
    for number in range(5):
        task = await polled(stage)
        stage.keep(f"{number}", task.history.events[-1].workflow_task_started_event_attributes)
        await stage.raw.complete(task, force_create_new_workflow_task=True)
    await stage.raw.fail(await polled(stage), 24, "no")
    task = await polled(stage)
    stage.keep("another attempt", task.history.events[-1].workflow_task_started_event_attributes)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def updates_in_flight(stage: Stage) -> None:
    """Two at a time; a worker's answer makes room."""
    await idle(stage)
    sent = []
    for number in range(2):
        sent.append(send(stage, f"u{number}", ACCEPTED))
        await until_admitted(stage, f"u{number}")
    await keep_sent(stage, "third", send(stage, "u2", ACCEPTED))
    task = await polled(stage)
    messages = sorted(task.messages, key=lambda one: one.id)  # In no order.
    await complete(stage, task, *(accept(message) for message in messages))
    for number, one in enumerate(sent):
        await keep_sent(stage, f"accepted {number}", one)
    await keep_sent(stage, "with two accepted", send(stage, "u3", ACCEPTED))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def updates_of_a_run(stage: Stage) -> None:
    """Those that were rejected do not count."""
    await idle(stage)
    for number in range(5):
        sent = send(stage, f"u{number}")
        task = await polled(stage)
        message = task.messages[0]
        stage.keep(f"{number}: started", task.history.events[-1].workflow_task_started_event_attributes)
        if number == 1:
            await complete(stage, task, reject(message))
        else:
            await complete(stage, task, accept(message), respond(message))
        await keep_sent(stage, f"{number}", sent)
    await keep_sent(stage, "too many", send(stage, "u5"))
    await keep_sent(stage, "a known one", send(stage, "u0"))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def large_updates(stage: Stage) -> None:
    """What updates in flight may hold together."""
    await idle(stage)

    def large(name: str, characters: int) -> Any:
        return send(stage, name, request={"meta": {"update_id": name, "identity": "client"}, "input": {"name": "change", "args": texts("x" * characters)}})

    await keep_sent(stage, "too large", large("u0", 1200))
    first = large("u1", 600)
    await until_admitted(stage, "u1")
    await keep_sent(stage, "together too large", large("u2", 600))
    task = await polled(stage)
    message = task.messages[0]
    await complete(stage, task, accept(message), respond(message))
    await keep_sent(stage, "first", first)
    await stage.raw.terminate(stage.id)


@scenario
async def buffered_events(stage: Stage) -> None:
    """More than may wait for a worker's answer."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    for _ in range(4):
        await stage.raw.signal(stage.id, "s")
    await stage.keep_history("four wait")
    await stage.keep_call("fifth", stage.raw.signal(stage.id, "s"))
    await stage.keep_history("flushed")
    await stage.keep_call("late", stage.raw.complete(task))
    await stage.raw.terminate(stage.id)


@scenario
async def buffered_queries(stage: Stage) -> None:
    """One at a time waits for a workflow task."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    ask = ws.QueryWorkflowRequest(namespace="default", execution=WorkflowExecution(workflow_id=stage.id), query=WorkflowQuery(query_type="q"))
    first = asyncio.create_task(stage.raw.call("QueryWorkflow", ask, 30))
    second = asyncio.create_task(stage.raw.call("QueryWorkflow", ask, 30))
    done, waiting = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
    await stage.keep_call("one too many", done.pop())
    await stage.raw.complete(task, force_create_new_workflow_task=True)
    task = await polled(stage)
    results = {name: WorkflowQueryResult(result_type=1, answer=texts("answer")) for name in task.queries}
    await stage.raw.complete(task, command("complete_workflow_execution"), query_results=results)
    await stage.keep_call("the other", waiting.pop())
