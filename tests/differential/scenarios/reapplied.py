"""Resets, seen from what comes again: updates, children, requests to cancel, and what is done behind a reset."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.protocol.v1 import Message as Carried
from temporalio.api.update.v1 import Input, Meta, Request
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, named, scenario
from tests.differential.scenarios.children import complete as completed
from tests.differential.scenarios.children import failure, until_closed
from tests.differential.scenarios.children import start as child_of
from tests.differential.scenarios.deleting import delete, until_gone
from tests.differential.scenarios.reset import both, finish, request, reset
from tests.differential.scenarios.updates import (
    ACCEPTED,
    COMPLETED,
    accept,
    complete,
    idle,
    keep_sent,
    look,
    packed,
    polled,
    reject,
    respond,
    send,
    until_admitted,
)
from tests.support.rpc import Refused, attributes, command, text, texts
from tests.support.wait import until


async def updated(stage: Stage, update_id: str = "u", *, over: bool = True) -> None:
    """An idle run accepts an update, and completes it if it is to be over: three events of the task, and one or two of the update."""
    sent = send(stage, update_id, COMPLETED if over else ACCEPTED)
    task = await polled(stage)
    message = task.messages[0]
    await complete(stage, task, accept(message), *([respond(message)] if over else []))
    await sent


async def reset_to_4(stage: Stage, **fields: Any) -> str:
    """An idle run with one completed and one accepted update begins again behind its first task."""
    await idle(stage)
    await updated(stage, "over")
    await updated(stage, "open", over=False)
    return await reset(stage, 4, **fields)


@scenario
async def updates(stage: Stage) -> None:
    """Accepted and completed ones are admitted again, in the order of their acceptance: the worker reads of them in the history."""
    run = (await idle(stage)).run_id
    await updated(stage, "over")
    await updated(stage, "open", over=False)
    now = await reset(stage, 4)
    await both(stage, run, now)
    for label, of in (("base", run), ("reset", now)):
        for update_id in ("over", "open"):
            await stage.keep_call(f"{update_id} in the {label}", look(stage, update_id, run_id=of))
    await stage.keep_call("over in the base, waited for", look(stage, "over", COMPLETED, run_id=run))
    await stage.keep_call("open in the base, waited for", look(stage, "open", COMPLETED, run_id=run))
    task = await polled(stage)
    stage.keep("task", task)
    one, two = again(task)
    twice = send(stage, "over")
    await stage.keep_call("complete", complete(stage, task, accept(one), respond(one, "again"), accept(two)))
    await keep_sent(stage, "sent again", twice)
    await stage.keep_call("over", look(stage, "over"))
    await stage.keep_call("open", look(stage, "open"))
    await stage.keep_history("answered")
    await stage.raw.signal(stage.id)
    task = await polled(stage)
    stage.keep("later task", [message.id for message in task.messages])
    await complete(stage, task, respond(two, "at last"), after=[command("complete_workflow_execution")])
    await stage.keep_history("done")
    await stage.keep_describe("done, described")


@scenario
async def updates_rejected(stage: Stage) -> None:
    """The worker that gets one again may reject it."""
    await reset_to_4(stage)
    task = await polled(stage)
    one, two = again(task)
    waiting = send(stage, "over")
    await until_admitted(stage, "over")
    await stage.keep_call("reject", complete(stage, task, reject(one), reject(two)))
    await keep_sent(stage, "sent again", waiting)
    await stage.keep_call("over", look(stage, "over"))
    await stage.keep_call("open", look(stage, "open"))
    await stage.keep_history("rejected")
    await stage.keep_describe("rejected, described")
    await stage.raw.signal(stage.id)
    task = await polled(stage)
    stage.keep("later task", [message.id for message in task.messages])
    await stage.raw.complete(task)
    await stage.raw.terminate(stage.id)
    await stage.keep_history("done")


@scenario
async def updates_unprocessed(stage: Stage) -> None:
    """A worker that says nothing of them."""
    await reset_to_4(stage)
    await stage.keep_call("complete", stage.raw.complete(await polled(stage)))
    await stage.keep_call("over", look(stage, "over"))
    await stage.keep_describe()
    await stage.raw.signal(stage.id)
    task = await polled(stage)
    stage.keep("later task", [message.id for message in task.messages])
    await stage.raw.complete(task)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def updates_of_a_failed_task(stage: Stage) -> None:
    """They come with the next attempt too."""
    await reset_to_4(stage)
    task = await polled(stage)
    stage.keep("task", [message.id for message in task.messages])
    await stage.raw.fail(task, 24, "no")
    await stage.keep_call("over", look(stage, "over"))
    task = await polled(stage)
    stage.keep("next attempt", [task.attempt, len(task.messages)])
    one, two = again(task)
    await stage.keep_call("complete", complete(stage, task, accept(two), respond(two), accept(one), respond(one)))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def updates_of_a_bad_answer(stage: Stage) -> None:
    """A command fails the task: who waits is told, and they come again."""
    await reset_to_4(stage)
    waiting = send(stage, "over")
    task = await polled(stage)
    await until_admitted(stage, "over")
    await stage.keep_call("complete", stage.raw.complete(task, command("start_timer", timer_id="")))
    await keep_sent(stage, "sent again", waiting)
    await stage.keep_call("over", look(stage, "over"))
    task = await polled(stage)
    stage.keep("next attempt", [message.id for message in task.messages])
    await complete(stage, task, *(accept(message) for message in again(task)))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def updates_then_closed(stage: Stage) -> None:
    """The run closes before a worker has accepted them."""
    await reset_to_4(stage)
    waiting = send(stage, "over")
    task = await polled(stage)
    await until_admitted(stage, "over")
    await stage.keep_call("complete", stage.raw.complete(task, command("complete_workflow_execution")))
    await keep_sent(stage, "sent again", waiting)
    await stage.keep_call("over", look(stage, "over"))
    await stage.keep_call("open, sent", stage.raw.call("PollWorkflowExecutionUpdate", poll_open(stage)))
    await stage.keep_call("sent to the closed", closed_update(stage, "over"))
    await stage.keep_history()


@scenario
async def updates_then_terminated(stage: Stage) -> None:
    """It is terminated before a worker has looked."""
    await reset_to_4(stage)
    waiting = send(stage, "over")
    await until_admitted(stage, "over")
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "sent again", waiting)
    await stage.keep_call("over", look(stage, "over"))
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def updates_then_continued(stage: Stage) -> None:
    """It continues as new before a worker has accepted them."""
    await reset_to_4(stage)
    waiting = send(stage, "over")
    task = await polled(stage)
    await until_admitted(stage, "over")
    await stage.keep_call("complete", stage.raw.complete(task, command("continue_as_new_workflow_execution")))
    await keep_sent(stage, "sent again", waiting)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


def again(task: Any) -> list[Any]:
    """What a worker makes of the updates that the history of its task admits: a message as it would have come."""
    events = [event for event in task.history.events if event.HasField("workflow_execution_update_admitted_event_attributes")]
    return [message_of(attributes(event).request, event.event_id) for event in events]


def message_of(asked: Request, event_id: int = 0) -> Carried:
    update_id = asked.meta.update_id
    return Carried(id=f"{update_id}/request", protocol_instance_id=update_id, event_id=event_id, body=packed(asked))


def asked_for(update_id: str) -> Carried:
    """The message of an update that has been accepted already."""
    return message_of(Request(meta=Meta(update_id=update_id, identity="client"), input=Input(name="change", args=texts("argument"))))


def poll_open(stage: Stage) -> ws.PollWorkflowExecutionUpdateRequest:
    return ws.PollWorkflowExecutionUpdateRequest(namespace="default", update_ref={"workflow_execution": {"workflow_id": stage.id}, "update_id": "open"})  # type: ignore[arg-type]


async def closed_update(stage: Stage, update_id: str) -> Any:
    answer = await send(stage, update_id)
    if isinstance(answer, Refused):
        raise answer
    return answer


@scenario
async def updates_twice(stage: Stage) -> None:
    """What had been admitted again is admitted once more, and what was accepted since; a point behind the admission keeps it."""
    await reset_to_4(stage)
    await stage.keep_history("first reset")
    second = await reset(stage, 4, request_id="second")
    await stage.keep_history("second reset", run_id=second)
    task = await polled(stage)
    stage.keep("second task", [message.id for message in task.messages])
    await complete(stage, task, accept(again(task)[0]))
    third = await reset(stage, 4, request_id="third")
    await stage.keep_history("third reset", run_id=third)
    task = await polled(stage)
    stage.keep("third task", [message.id for message in task.messages])
    await complete(stage, task, *(accept(message) for message in again(task)))
    point = task.started_event_id + 1
    await stage.keep_history("third run")
    fourth = await reset(stage, point, request_id="fourth")
    await stage.keep_history("fourth reset", run_id=fourth)
    await stage.keep_describe("fourth reset, described", run_id=fourth)
    task = await polled(stage)
    stage.keep("fourth task", task)
    await complete(stage, task, *(accept(message) for message in again(task)))
    await stage.raw.terminate(stage.id)
    await stage.keep_history("in the end")


@scenario
async def updates_around_the_point(stage: Stage) -> None:
    """Completed before it; accepted before it and completed behind it; accepted behind it."""
    run = (await idle(stage)).run_id
    await updated(stage, "before")
    await updated(stage, "across", over=False)
    sent = send(stage, "behind", ACCEPTED)
    task = await polled(stage)
    point = task.started_event_id
    await complete(stage, task, accept(task.messages[0]))
    await sent
    await stage.raw.signal(stage.id)
    task = await polled(stage)
    asked = {"protocol_instance_id": "across"}
    outcome = respond(asked_for("across"), **asked)
    await complete(stage, task, outcome)
    await stage.keep_history("base", run_id=run)
    now = await reset(stage, point + 1)
    await stage.keep_history("reset", run_id=now)
    await stage.keep_describe("reset, described", run_id=now)
    for update_id in ("before", "across", "behind"):
        await stage.keep_call(update_id, look(stage, update_id))
    task = await polled(stage)
    stage.keep("task", [message.id for message in task.messages])
    await stage.keep_call("complete", complete(stage, task, *(accept(message) for message in again(task)), respond(asked_for("across"), **asked)))
    await stage.raw.terminate(stage.id)
    await stage.keep_history("in the end")


async def chain(stage: Stage, *update_ids: str) -> str:
    """A run with one update, and the run that continues it with others. The first of them."""
    first = (await idle(stage)).run_id
    await updated(stage, "one")
    await stage.raw.signal(stage.id)
    await stage.raw.complete(await polled(stage), command("continue_as_new_workflow_execution"))
    await stage.raw.complete(await polled(stage))
    for update_id in update_ids:
        await updated(stage, update_id)
    return first


@scenario
async def updates_of_a_chain(stage: Stage) -> None:
    """Those of the runs that continued the base come too."""
    first = await chain(stage, "two", "three")
    now = await reset(stage, 4, first)
    await stage.keep_history("reset", run_id=now)
    task = await polled(stage)
    await complete(stage, task, *(accept(message) for message in again(task)))
    await stage.raw.terminate(stage.id)
    await stage.keep_history("in the end")


@scenario
async def updates_of_one_id_in_a_chain(stage: Stage) -> None:
    """The first of them comes."""
    first = await chain(stage, "two", "one")
    await stage.keep_call("reset", stage.raw.call("ResetWorkflowExecution", request(stage, 4, first)))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@workflow.defn
class Counting:
    """Counts what it is asked to add."""

    def __init__(self) -> None:
        self.sum = 0
        self.done = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.done)
        return self.sum

    @workflow.update
    async def add(self, number: int) -> int:
        self.sum += number
        return self.sum

    @add.validator
    def positive(self, number: int) -> None:
        if number < 0:
            raise ValueError("below zero")

    @workflow.signal
    def finish(self) -> None:
        self.done = True


@scenario
async def updates_by_the_sdk(stage: Stage) -> None:
    """A worker of the SDK carries out what is admitted again."""
    async with stage.worker([Counting], max_cached_workflows=0):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        for number in (1, 2, 3):
            stage.keep(f"added {number}", await handle.execute_update(Counting.add, number, id=f"add {number}"))
        now = stage.client.get_workflow_handle(stage.id, run_id=await reset(stage, 4))
        stage.keep("added again", await now.get_update_handle("add 3").result())
        stage.keep("added 4", await now.execute_update(Counting.add, 4, id="add 4"))
        await now.signal(Counting.finish)
        stage.keep("sum", await now.result())
    await stage.keep_history(run_id=now.run_id or "")


@scenario
async def updates_in_hand(stage: Stage) -> None:
    """What a worker has not accepted is lost with the run; who waits for an accepted one is told that there will be no outcome."""
    run = (await idle(stage)).run_id
    waiting = send(stage, "open")
    task = await polled(stage)
    await complete(stage, task, accept(task.messages[0]))
    unsent = send(stage, "unsent")
    await until_admitted(stage, "unsent")
    now = await reset(stage, 4)
    await keep_sent(stage, "open", waiting)
    await keep_sent(stage, "unsent", unsent)
    await stage.keep_history("base", run_id=run)
    await stage.keep_history("reset", run_id=now)
    task = await polled(stage)
    stage.keep("task", [message.id for message in task.messages])
    await stage.raw.complete(task, command("complete_workflow_execution"))


@scenario
async def point_in_a_task_that_was_written_late(stage: Stage) -> None:
    """A second attempt, and a task that is there for an update alone: their first events are written when they complete."""
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.fail(await polled(stage), 24, "no")
    await stage.raw.complete(await polled(stage))
    await updated(stage)
    await stage.raw.terminate(stage.id)
    await stage.keep_history("base")
    for number in range(6, 13):
        await stage.keep_call(f"to {number}", stage.raw.call("ResetWorkflowExecution", request(stage, number, run)))
        await stage.keep_history(f"behind {number}")
        try:
            await stage.raw.terminate(stage.id)
        except Refused:
            pass


@scenario
async def updates_while_signals_came(stage: Stage) -> None:
    """In order with signals, and with a client that comes meanwhile."""
    await idle(stage)
    await stage.raw.signal(stage.id, "one")
    await stage.raw.complete(await polled(stage))
    await updated(stage, "u")
    await stage.raw.signal(stage.id, "two")
    now = await reset(stage, 4)
    fresh = send(stage, "fresh")
    await until_admitted(stage, "fresh")
    await stage.keep_history("reset", run_id=now)
    task = await polled(stage)
    stage.keep("task", task)
    await complete(stage, task, *(one for message in [*again(task), *task.messages] for one in (accept(message), respond(message))))
    await keep_sent(stage, "fresh", fresh)
    await stage.raw.terminate(stage.id)
    await stage.keep_history("in the end")


EXCLUDED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "signals": {"reset_reapply_exclude_types": [1]},
    "updates": {"reset_reapply_exclude_types": [2]},
    "nexus": {"reset_reapply_exclude_types": [3]},
    "cancel_requests": {"reset_reapply_exclude_types": [4]},
    "signals_and_updates": {"reset_reapply_exclude_types": [1, 2]},
    "all": {"reset_reapply_exclude_types": [1, 2, 3, 4]},
    "by_type_signal": {"reset_reapply_type": 1},
    "by_type_none": {"reset_reapply_type": 2},
    "by_type_all": {"reset_reapply_type": 3},
    "by_type_signal_and_signals": {"reset_reapply_type": 1, "reset_reapply_exclude_types": [1]},
}


def excluding(name: str, fields: dict[str, Any]) -> None:
    @named(f"reapplied/excluding_{name}")
    async def play(stage: Stage) -> None:
        child = f"{stage.id}-child"
        await stage.raw.start(stage.id)
        await stage.raw.complete(await polled(stage), child_of(child, parent_close_policy=2))
        await stage.until_events("ChildWorkflowExecutionStarted")
        await stage.raw.complete(await polled(stage))
        await updated(stage)
        await stage.raw.signal(stage.id, "one")
        await stage.raw.cancel(stage.id, reason="please")
        await update_options(stage)
        await stage.raw.complete(await stage.raw.poll_workflow(child), completed())
        await stage.until_events("ChildWorkflowExecutionCompleted")
        await stage.keep_call("reset", stage.raw.call("ResetWorkflowExecution", request(stage, 9, **fields)))
        await stage.keep_history()
        await stage.keep_describe()
        await stage.raw.terminate(stage.id)


async def update_options(stage: Stage) -> None:
    options = {"priority": {"priority_key": 2}}
    asked = ws.UpdateWorkflowExecutionOptionsRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=stage.id),
        workflow_execution_options=options,  # type: ignore[arg-type]
        update_mask={"paths": ["priority"]},  # type: ignore[arg-type]
    )
    await stage.raw.call("UpdateWorkflowExecutionOptions", asked)


for excluded_name, excluded_fields in EXCLUDED.items():
    excluding(excluded_name, excluded_fields)


async def with_child(stage: Stage, **fields: Any) -> tuple[str, str]:
    """A parent with a child that has begun: 1 Started, 2–4 a task, 5 Initiated, 6 Started, 7–9 a task. The parent's run and the child's id."""
    child = f"{stage.id}-child"
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.complete(await polled(stage), child_of(child, **fields))
    await stage.until_events("ChildWorkflowExecutionStarted")
    await stage.raw.complete(await polled(stage))
    return run, child


async def child_closes(stage: Stage, child: str, *commands: Any) -> None:
    """The child ends, and its parent hears of it."""
    await stage.raw.complete(await stage.raw.poll_workflow(child), *(commands or [completed(result=texts("out"))]))


@scenario
async def child_begun_before(stage: Stage) -> None:
    """It runs on, and its close is heard by the run that goes on."""
    run, child = await with_child(stage)
    now = await reset(stage, 9)
    await both(stage, run, now)
    await stage.keep_describe("child, described", child)
    await child_closes(stage, child)
    await stage.until_events("ChildWorkflowExecutionCompleted", run_id=now)
    await finish(stage)
    await stage.keep_history("done", run_id=now)
    await stage.keep_history("child", child)


async def initiated(stage: Stage, child: str) -> tuple[str, int]:
    """A parent whose next workflow task was scheduled by a signal, before it heard of its child. Its run, and the point between."""
    run = (await stage.raw.start(stage.id)).run_id
    task = await polled(stage)
    await stage.raw.signal(stage.id)
    await stage.raw.complete(task, child_of(child))
    await until_told(stage, run)
    return run, 8


@scenario
async def child_initiated_before(stage: Stage) -> None:
    """The point lies between its Initiated and its Started."""
    child = f"{stage.id}-child"
    run, point = await initiated(stage, child)
    now = await reset(stage, point)
    await both(stage, run, now)
    await child_closes(stage, child)
    await stage.until_events("ChildWorkflowExecutionCompleted")
    await stage.keep_history("in the end")
    await stage.raw.terminate(stage.id)


@scenario
async def child_initiated_before_and_closed(stage: Stage) -> None:
    """Both its Started and its close come again."""
    child = f"{stage.id}-child"
    run, point = await initiated(stage, child)
    await child_closes(stage, child)
    await stage.until_events("ChildWorkflowExecutionCompleted")
    await both(stage, run, await reset(stage, point))
    await stage.raw.terminate(stage.id)


@scenario
async def child_initiated_before_and_refused(stage: Stage) -> None:
    """Its id was taken."""
    child = f"{stage.id}-child"
    await stage.raw.start(child)
    run, point = await initiated(stage, child)
    await both(stage, run, await reset(stage, point))
    await stage.raw.terminate(child)
    await stage.raw.terminate(stage.id)


def closes(name: str, event: str, *commands: Any) -> None:
    @named(f"reapplied/child_{name}_behind")
    async def play(stage: Stage) -> None:
        """Begun before the point, closed behind it."""
        run, child = await with_child(stage)
        if name == "terminated":
            await stage.raw.terminate(child)
        else:
            await child_closes(stage, child, *commands)
        await stage.until_events(event)
        await stage.raw.complete(await polled(stage))
        now = await reset(stage, 9)
        await both(stage, run, now)
        await finish(stage)
        await stage.keep_history("done", run_id=now)


closes("completed", "ChildWorkflowExecutionCompleted", completed(result=texts("out")))
closes("failed", "ChildWorkflowExecutionFailed", failure())
closes("canceled", "ChildWorkflowExecutionCanceled", command("cancel_workflow_execution"))
closes("terminated", "ChildWorkflowExecutionTerminated")


@scenario
async def child_closed_before(stage: Stage) -> None:
    """It stays closed."""
    run, child = await with_child(stage)
    await child_closes(stage, child)
    await stage.until_events("ChildWorkflowExecutionCompleted")
    await stage.raw.complete(await polled(stage))
    now = await reset(stage, 13)
    await both(stage, run, now)
    await stage.raw.terminate(stage.id)


@scenario
async def child_begun_behind(stage: Stage) -> None:
    """It is left alone; the run that goes on has no child, and hears nothing of that one."""
    run, child = await with_child(stage)
    now = await reset(stage, 4)
    await both(stage, run, now)
    await child_closes(stage, child)
    await until_closed(stage, child)
    await finish(stage)
    await stage.keep_history("done", run_id=now)
    await stage.keep_history("child", child)
    await stage.keep_describe("child, described", child)


@scenario
async def child_begun_behind_and_again(stage: Stage) -> None:
    """The run that goes on asks for a child of the same id: the one that is there ends for it."""
    run, child = await with_child(stage)
    before = (await stage.raw.describe(child)).workflow_execution_info.execution.run_id
    now = await reset(stage, 4)
    await stage.raw.complete(await polled(stage), child_of(child, input=texts("again")))
    await until_told(stage, now)
    await stage.keep_history("reset", run_id=now)
    await stage.keep_history("first child", child, run_id=before)
    await stage.keep_history("child", child)
    await stage.keep_describe("child, described", child)
    await stage.keep_history("base", run_id=run)
    await stage.raw.terminate(stage.id)


async def until_told(stage: Stage, run_id: str) -> None:
    """Waits until a run knows what became of the start of its child."""

    async def look_in() -> bool:
        events = await stage.raw.history(stage.id, run_id)
        fields = ("child_workflow_execution_started_event_attributes", "start_child_workflow_execution_failed_event_attributes")
        return any(event.HasField(field) for event in events for field in fields)  # type: ignore[arg-type]

    await until(look_in, f"{stage.name}: the child has begun or not")


@scenario
async def child_completed_behind_both(stage: Stage) -> None:
    """Begun and closed behind the point: its close does not come again, and another child of its id may begin."""
    run, child = await with_child(stage)
    await child_closes(stage, child)
    await stage.until_events("ChildWorkflowExecutionCompleted")
    await stage.raw.complete(await polled(stage))
    now = await reset(stage, 4)
    await both(stage, run, now)
    await stage.raw.complete(await polled(stage), child_of(child))
    await until_told(stage, now)
    await stage.keep_history("again", run_id=now)
    await stage.raw.terminate(stage.id)


@scenario
async def child_closed_with_its_parent(stage: Stage) -> None:
    """The parent had closed, and its child with it: the run that goes on is told nothing more of that child."""
    run, child = await with_child(stage)
    await finish_with_signal(stage)
    await until_closed(stage, child)
    await goes_on_alone(stage, run)


@scenario
async def child_closed_behind_its_parent(stage: Stage) -> None:
    """It was left alone when the parent closed, and ended before that was reset."""
    run, child = await with_child(stage, parent_close_policy="PARENT_CLOSE_POLICY_ABANDON")
    await finish_with_signal(stage)
    await child_closes(stage, child)
    await until_closed(stage, child)
    await goes_on_alone(stage, run)


@scenario
async def child_closes_behind_a_reset_of_a_closed_parent(stage: Stage) -> None:
    """It was left alone when the parent closed, and ends after that was reset: the run that goes on hears of it."""
    run, child = await with_child(stage, parent_close_policy="PARENT_CLOSE_POLICY_ABANDON")
    await finish_with_signal(stage)
    now = await reset(stage, 9)
    await stage.raw.complete(await polled(stage))
    await child_closes(stage, child)
    await stage.until_events("ChildWorkflowExecutionCompleted", run_id=now)
    await both(stage, run, now)
    await stage.raw.terminate(stage.id)


async def goes_on_alone(stage: Stage, base: str) -> None:
    """The base is reset to behind the beginning of its child; what the run that goes on has heard of that when its first task is done."""
    now = await reset(stage, 9)
    await both(stage, base, now)
    await stage.raw.complete(await polled(stage))
    await stage.keep_history("on", run_id=now)
    await stage.keep_describe("described", run_id=now)
    await stage.raw.terminate(stage.id)


async def finish_with_signal(stage: Stage) -> None:
    """The parent has another task, and closes with it."""
    await stage.raw.signal(stage.id, "end")
    await stage.raw.complete(await polled(stage), completed())


@scenario
async def child_of_a_child(stage: Stage) -> None:
    """A child is reset: its parent hears of the close of the run that goes on."""
    _, child = await with_child(stage)
    first = (await stage.raw.describe(child)).workflow_execution_info.execution.run_id
    await stage.raw.complete(await stage.raw.poll_workflow(child))
    asked = request(stage, 4, workflow_execution=WorkflowExecution(workflow_id=child))
    now = (await stage.raw.call("ResetWorkflowExecution", asked)).run_id
    await stage.keep_history("first child", child, run_id=first)
    await stage.keep_history("child", child, run_id=now)
    await stage.keep_describe("child, described", child, run_id=now)
    await stage.keep_describe("parent, described")
    await stage.raw.complete(await stage.raw.poll_workflow(child), completed(result=texts("out")))
    await stage.until_events("ChildWorkflowExecutionCompleted")
    await stage.keep_history("parent")
    await stage.raw.terminate(stage.id)


SIGNAL = {"signal_name": "s"}
PRIORITY = {"workflow_execution_options": {"priority": {"priority_key": 1}}, "update_mask": {"paths": ["priority"]}}

OPERATIONS: dict[str, list[dict[str, Any]]] = {
    "a_signal": [{"signal_workflow": {"signal_name": "s", "input": texts("in"), "header": {"fields": {"h": text("v")}}, "links": [{"workflow_event": {"namespace": "default", "workflow_id": "w", "run_id": "r"}}]}}],
    "a_signal_without_a_name": [{"signal_workflow": {}}],
    "options_without_a_mask": [{"update_workflow_options": {"workflow_execution_options": {"priority": {"priority_key": 1}}}}],
    "options_of_nothing": [{"update_workflow_options": {}}],
    "options_with_an_unknown_path": [{"update_workflow_options": {"workflow_execution_options": {"priority": {"priority_key": 1}}, "update_mask": {"paths": ["nowhere"]}}}],
    "options_with_a_bad_priority": [{"update_workflow_options": {"workflow_execution_options": {"priority": {"priority_key": -1}}, "update_mask": {"paths": ["priority"]}}}],
    "options_that_pin": [
        {
            "update_workflow_options": {
                "workflow_execution_options": {"versioning_override": {"pinned": {"behavior": 1, "version": {"deployment_name": "d", "build_id": "b"}}}},
                "update_mask": {"paths": ["versioning_override"]},
            }
        }
    ],
    "options_that_pin_to_nothing": [
        {"update_workflow_options": {"workflow_execution_options": {"versioning_override": {"pinned": {}}}, "update_mask": {"paths": ["versioning_override"]}}}
    ],
    "options_that_upgrade": [
        {"update_workflow_options": {"workflow_execution_options": {"versioning_override": {"auto_upgrade": True}}, "update_mask": {"paths": ["versioning_override"]}}}
    ],
    "options_partly": [
        {"update_workflow_options": {"workflow_execution_options": {"versioning_override": {"auto_upgrade": True}}, "update_mask": {"paths": ["versioning_override.behavior"]}}}
    ],
    "options_twice": [{"update_workflow_options": PRIORITY}, {"update_workflow_options": {"workflow_execution_options": {"priority": {"priority_key": 4}}, "update_mask": {"paths": ["priority.priority_key"]}}}],
    "options_as_they_are": [{"update_workflow_options": {"workflow_execution_options": {}, "update_mask": {"paths": ["priority"]}}}],
    "a_signal_and_options": [{"signal_workflow": SIGNAL}, {"update_workflow_options": PRIORITY}, {"signal_workflow": {"signal_name": "t"}}],
    "options_and_a_signal": [{"update_workflow_options": PRIORITY}, {"signal_workflow": SIGNAL}],
    "nothing": [{}],
    "options_and_nothing": [{"update_workflow_options": PRIORITY}, {}],
}


def behind(name: str, operations: list[dict[str, Any]]) -> None:
    @named(f"reapplied/then_{name}")
    async def play(stage: Stage) -> None:
        run = (await idle(stage)).run_id
        await stage.raw.signal(stage.id, "one")
        await stage.keep_call("reset", stage.raw.call("ResetWorkflowExecution", request(stage, 4, post_reset_operations=operations)))
        await stage.keep_history("base", run_id=run)
        await stage.keep_history()
        await stage.keep_describe()
        try:
            await stage.raw.terminate(stage.id)
        except Refused:
            stage.keep("closed", True)


for operations_name, operations_asked in OPERATIONS.items():
    behind(operations_name, operations_asked)


@scenario
async def cancel_requests(stage: Stage) -> None:
    """One before the point stays, one behind it does not come again."""
    run = (await idle(stage)).run_id
    await stage.raw.cancel(stage.id, reason="please", request_id="c")
    await stage.raw.complete(await polled(stage))
    before = await reset(stage, 4)
    await both(stage, run, before, "before ")
    await stage.keep_call("asked again", stage.raw.cancel(stage.id, request_id="c"))
    await stage.raw.complete(await polled(stage), command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(hours=1)))
    behind_it = await reset(stage, 8, run, request_id="behind")
    await stage.keep_history("behind", run_id=behind_it)
    await stage.keep_describe("behind, described", run_id=behind_it)
    await stage.raw.terminate(stage.id)


def child_behind(name: str, **fields: Any) -> None:
    @named(f"reapplied/child_closed_behind_{name}")
    async def play(stage: Stage) -> None:
        """The child had begun before the point, and its parent has heard of its end."""
        run, child = await with_child(stage)
        await child_closes(stage, child)
        await stage.until_events("ChildWorkflowExecutionCompleted")
        await stage.raw.complete(await polled(stage))
        now = await reset(stage, 9, **fields)
        await both(stage, run, now)
        await stage.raw.terminate(stage.id)


child_behind("with_everything")
child_behind("with_nothing", reset_reapply_type="RESET_REAPPLY_TYPE_NONE")
child_behind("with_signals", reset_reapply_type="RESET_REAPPLY_TYPE_SIGNAL")
child_behind("without_signals", reset_reapply_exclude_types=["RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL"])
WITHOUT_ANYTHING = [
    "RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL",
    "RESET_REAPPLY_EXCLUDE_TYPE_UPDATE",
    "RESET_REAPPLY_EXCLUDE_TYPE_NEXUS",
    "RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST",
]
child_behind("without_anything", reset_reapply_exclude_types=WITHOUT_ANYTHING)


def child_forgotten(name: str, *, deleted: bool) -> None:
    @named(f"reapplied/child_forgotten_that_is_{name}")
    async def play(stage: Stage) -> None:
        """To behind the request for a child and before its beginning, which is not to come again: it is asked for again."""
        child = f"{stage.id}-child"
        run = (await stage.raw.start(stage.id)).run_id
        task = await polled(stage)
        await stage.raw.signal(stage.id, "one")
        await stage.raw.complete(task, child_of(child))
        await stage.until_events("ChildWorkflowExecutionStarted")
        first = (await stage.raw.describe(child)).workflow_execution_info.execution.run_id
        await child_closes(stage, child)
        await stage.until_events("ChildWorkflowExecutionCompleted")
        if deleted:
            await delete(stage, "delete", child, first)
            await until_gone(stage, child, first)
        await stage.raw.complete(await polled(stage))
        now = await reset(stage, 8, run, reset_reapply_exclude_types=WITHOUT_ANYTHING)
        await stage.until_events("ChildWorkflowExecutionStarted", run_id=now)
        await stage.keep_history("base", run_id=run)
        await stage.keep_history("reset", run_id=now)
        await stage.keep_describe("reset, described", run_id=now)
        if deleted:
            await stage.raw.poll_workflow(child)
        await stage.keep_history("child", child)
        await stage.raw.terminate(stage.id)


child_forgotten("kept", deleted=False)
child_forgotten("deleted", deleted=True)
