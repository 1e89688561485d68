"""Pause and unpause of workflows: what is recorded, what waits, what is refused. The servers are told that there is such a thing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.protocol.v1 import Message as Carried
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.update.v1 import Meta, Outcome, Response
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.differential.scenarios.children import start as child_of
from tests.differential.scenarios.queries import Answering
from tests.differential.scenarios.reset import reset
from tests.differential.scenarios.updates import (
    ACCEPTED,
    accept,
    complete,
    idle,
    keep_sent,
    look,
    outcome,
    packed,
    polled,
    reject,
    respond,
    send,
    until_admitted,
)
from tests.support.rpc import NoTask, Refused, command, texts
from tests.support.wait import until

NOTHING_SECONDS = 4.0
"""How long a poll waits that is to find nothing."""


async def pause(stage: Stage, **fields: Any) -> Any:
    base: dict[str, Any] = {"namespace": "default", "workflow_id": stage.id, "identity": "operator", "reason": "because", "request_id": "pause"}
    return await stage.raw.call("PauseWorkflowExecution", ws.PauseWorkflowExecutionRequest(**{**base, **fields}))


async def unpause(stage: Stage, **fields: Any) -> Any:
    base: dict[str, Any] = {"namespace": "default", "workflow_id": stage.id, "identity": "operator", "reason": "go on", "request_id": "unpause"}
    return await stage.raw.call("UnpauseWorkflowExecution", ws.UnpauseWorkflowExecutionRequest(**{**base, **fields}))


async def nothing(stage: Stage, activities: bool = False) -> None:
    """A poll finds no task."""
    poll = stage.raw.poll_activity if activities else stage.raw.poll_workflow
    try:
        await poll(stage.queue, seconds=NOTHING_SECONDS)
    except NoTask:
        return
    except Exception as error:
        if "DEADLINE_EXCEEDED" in str(error):
            return
        raise
    raise AssertionError(f"{stage.name}: a task where there should be none")


@scenario
async def idle_run(stage: Stage) -> None:
    """Nothing waits: two events, and a workflow task behind the second."""
    await idle(stage)
    await stage.keep_call("pause", pause(stage))
    await stage.keep_history("paused")
    await stage.keep_describe("paused, described")
    await stage.keep_call("pause again", pause(stage))
    await stage.keep_call("pause by another", pause(stage, request_id="other"))
    await stage.keep_call("unpause", unpause(stage))
    await stage.keep_history("unpaused")
    await stage.keep_describe("unpaused, described")
    await stage.keep_call("unpause again", unpause(stage))
    await stage.keep_call("unpause by another", unpause(stage, request_id="other"))
    await stage.keep_call("pause with the first id", pause(stage))
    await stage.keep_history("in the end")
    await stage.raw.terminate(stage.id)
    await stage.keep_describe("terminated")


@scenario
async def with_a_scheduled_task(stage: Stage) -> None:
    """The task that waits is not given out; another is, later."""
    await stage.raw.start(stage.id)
    await stage.keep_call("pause", pause(stage))
    await stage.keep_history("paused")
    await stage.keep_describe("paused, described")
    await nothing(stage)
    await stage.keep_call("unpause", unpause(stage))
    await stage.keep_history("unpaused")
    task = await polled(stage)
    stage.keep("task", [task.started_event_id, task.attempt])
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history("done")


@scenario
async def with_a_started_task(stage: Stage) -> None:
    """A worker has it in hand and may complete it."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    await stage.keep_call("pause", pause(stage))
    await stage.keep_history("paused")
    await stage.keep_describe("paused, described")
    await stage.keep_call("complete", stage.raw.complete(task, command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(hours=1))))
    await stage.keep_history("completed")
    await stage.keep_describe("completed, described")
    await stage.keep_call("unpause", unpause(stage))
    await stage.keep_history("unpaused")
    await stage.raw.terminate(stage.id)


@scenario
async def with_a_started_task_that_fails(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await polled(stage)
    await pause(stage)
    await stage.keep_call("fail", stage.raw.fail(task, 24, "no"))
    await stage.keep_history("failed")
    await stage.keep_describe("failed, described")
    await stage.keep_call("unpause", unpause(stage))
    await stage.keep_history("unpaused")
    task = await polled(stage)
    stage.keep("task", [task.started_event_id, task.attempt])
    await stage.raw.terminate(stage.id)
    await stage.keep_history("in the end")


@scenario
async def unpaused_while_a_task_is_in_hand(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await polled(stage)
    await pause(stage)
    await unpause(stage)
    await stage.keep_history("both buffered")
    await stage.keep_call("complete", stage.raw.complete(task))
    await stage.keep_history("completed")
    await stage.raw.terminate(stage.id)


@scenario
async def completed_while_paused(stage: Stage) -> None:
    """A worker that has the task in hand closes the run."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    await pause(stage)
    await stage.keep_call("complete", stage.raw.complete(task, command("complete_workflow_execution")))
    await stage.keep_history()
    await stage.keep_describe()
    await stage.keep_call("pause", pause(stage, request_id="late"))
    await stage.keep_call("unpause", unpause(stage))


@scenario
async def signals_and_timers(stage: Stage) -> None:
    """They are recorded, and no worker hears of them before the run goes on."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(milliseconds=700)))
    await pause(stage)
    await stage.keep_call("signal", stage.raw.signal(stage.id, "s"))
    await stage.until_events("TimerFired")
    await stage.keep_history("paused")
    await nothing(stage)
    await stage.keep_call("cancel", stage.raw.cancel(stage.id))
    await stage.keep_history("cancel requested")
    await unpause(stage)
    await stage.keep_history("unpaused")
    await stage.raw.complete(await polled(stage), command("cancel_workflow_execution"))
    await stage.keep_history("done")


def activity_of(stage: Stage, activity_id: str, **fields: Any) -> Any:
    base: dict[str, Any] = {
        "activity_id": activity_id,
        "activity_type": {"name": activity_id},
        "task_queue": {"name": stage.queue},
        "start_to_close_timeout": timedelta(minutes=1),
        "retry_policy": {"initial_interval": timedelta(milliseconds=200), "backoff_coefficient": 1.0},
    }
    return command("schedule_activity_task", **{**base, **fields})


@scenario
async def with_a_scheduled_activity(stage: Stage) -> None:
    """It is not given out before the run goes on."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), activity_of(stage, "a"))
    await pause(stage)
    await nothing(stage, activities=True)
    await stage.keep_describe("paused, described")
    await unpause(stage)
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=task.task_token))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def with_a_started_activity(stage: Stage) -> None:
    """It runs on; its end is recorded, its beat says that the run is paused."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), activity_of(stage, "a"))
    task = await stage.raw.poll_activity(stage.queue)
    await pause(stage)
    beat = ws.RecordActivityTaskHeartbeatRequest(namespace="default", task_token=task.task_token, details=texts("beat"))
    await stage.keep_call("beat", stage.raw.call("RecordActivityTaskHeartbeat", beat))
    await stage.keep_describe("paused, described")
    await stage.keep_call("its end", stage.raw.call("RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=task.task_token)))
    await stage.keep_history("ended")
    await nothing(stage)
    await unpause(stage)
    await stage.keep_history("unpaused")
    await stage.raw.terminate(stage.id)


@scenario
async def with_an_activity_that_fails(stage: Stage) -> None:
    """The next attempt is given out all the same."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), activity_of(stage, "a"))
    task = await stage.raw.poll_activity(stage.queue)
    await pause(stage)
    failed = ws.RespondActivityTaskFailedRequest(namespace="default", task_token=task.task_token, failure={"message": "no", "application_failure_info": {"type": "Mine"}})  # type: ignore[arg-type]
    await stage.keep_call("fails", stage.raw.call("RespondActivityTaskFailed", failed))
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("attempt", task.attempt)
    await stage.keep_describe("paused, described")
    await unpause(stage)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def queries(stage: Stage) -> None:
    """They are rejected, whatever their condition says."""
    await idle(stage)
    await pause(stage)
    for condition in (0, 1, 2, 3):
        asked = ws.QueryWorkflowRequest(namespace="default", execution=WorkflowExecution(workflow_id=stage.id), query=WorkflowQuery(query_type="q"), query_reject_condition=condition)  # type: ignore[arg-type]
        await stage.keep_call(f"rejected, {condition}", stage.raw.call("QueryWorkflow", asked))
    await stage.raw.terminate(stage.id)


@scenario
async def updates(stage: Stage) -> None:
    """New ones are refused; one that was accepted can still be looked at."""
    await idle(stage)
    accepted = send(stage, "accepted", ACCEPTED)
    task = await polled(stage)
    await complete(stage, task, accept(task.messages[0]))
    await accepted
    await pause(stage)
    await keep_sent(stage, "update", send(stage, "u"))
    await keep_sent(stage, "accepted before", send(stage, "accepted", ACCEPTED))
    await stage.keep_call("look", look(stage, "accepted"))
    both = ws.ExecuteMultiOperationRequest(
        namespace="default",
        operations=[
            {"start_workflow": stage.raw.start_request(stage.id, workflow_id_conflict_policy=2)},  # type: ignore[list-item]
            {"update_workflow": {"namespace": "default", "workflow_execution": {"workflow_id": stage.id}, "request": {"meta": {"update_id": "w"}, "input": {"name": "change"}}}},  # type: ignore[list-item]
        ],
    )
    await stage.keep_call("with start", stage.raw.call("ExecuteMultiOperation", both))
    await unpause(stage)
    task = await polled(stage)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def updates_admitted_before(stage: Stage) -> None:
    """One waits for a worker when the run is paused."""
    await idle(stage)
    waiting = send(stage)
    await until_admitted(stage)
    await stage.keep_call("pause", pause(stage))
    await stage.keep_history("paused")
    await nothing(stage)
    await stage.keep_call("look", look(stage))
    await unpause(stage)
    await stage.keep_history("unpaused")
    task = await polled(stage)
    stage.keep("task", [task.started_event_id, [message.id for message in task.messages]])
    await complete(stage, task, *(one for message in task.messages for one in (accept(message), respond(message))))
    await keep_sent(stage, "update", waiting)
    await stage.raw.terminate(stage.id)


@scenario
async def in_its_first_wait(stage: Stage) -> None:
    """The reference fails at a pause before the first workflow task is due."""
    await stage.raw.start(stage.id, workflow_start_delay=timedelta(hours=1))
    await stage.keep_call("pause", pause(stage))
    await stage.keep_describe("paused, described")
    await stage.raw.signal(stage.id, "s")
    await stage.keep_history("paused")
    await stage.keep_call("unpause", unpause(stage))
    await stage.keep_history("unpaused")
    await stage.raw.terminate(stage.id)


@scenario
async def terminated_while_paused(stage: Stage) -> None:
    await idle(stage)
    await pause(stage)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def timed_out_while_paused(stage: Stage) -> None:
    """Its time runs on."""
    await stage.raw.start(stage.id, workflow_run_timeout=timedelta(seconds=1))
    await pause(stage)
    await stage.until_events("WorkflowExecutionTimedOut")
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def reset_while_paused(stage: Stage) -> None:
    """The run that goes on is not paused."""
    run = (await idle(stage)).run_id
    await pause(stage)
    await stage.raw.signal(stage.id, "s")
    now = await reset(stage, 4)
    await stage.keep_history("base", run_id=run)
    await stage.keep_history("reset", run_id=now)
    await stage.keep_describe("reset, described", run_id=now)
    await stage.raw.terminate(stage.id)


@scenario
async def started_again_while_paused(stage: Stage) -> None:
    """It counts as a run that is open."""
    await idle(stage)
    await pause(stage)
    await stage.keep_call("start", stage.raw.start(stage.id, request_id="other"))
    await stage.keep_call("use", stage.raw.start(stage.id, request_id="other", workflow_id_conflict_policy=2))
    signal = ws.SignalWithStartWorkflowExecutionRequest(
        namespace="default", workflow_id=stage.id, workflow_type={"name": "raw"}, task_queue={"name": stage.queue}, signal_name="s", request_id="third", identity="raw"  # type: ignore[arg-type]
    )
    await stage.keep_call("signal with start", stage.raw.call("SignalWithStartWorkflowExecution", signal))
    await stage.keep_history("used")
    await stage.keep_call("terminate", stage.raw.start(stage.id, request_id="fourth", workflow_id_conflict_policy=3))
    await stage.keep_history("another")
    await stage.raw.terminate(stage.id)


@scenario
async def listed(stage: Stage) -> None:
    """It is found as paused, with what is known of the pause."""
    await idle(stage)
    await pause(stage)

    async def found(query: str) -> list[Any]:
        asked = ws.ListWorkflowExecutionsRequest(namespace="default", query=query)
        return list((await stage.raw.call("ListWorkflowExecutions", asked)).executions)

    for _ in range(100):
        if await found(f"WorkflowId = '{stage.id}' AND ExecutionStatus = 'Paused'"):
            break
        await asyncio.sleep(0.05)
    for label, query in {"paused": "ExecutionStatus = 'Paused'", "running": "ExecutionStatus = 'Running'", "info": "TemporalPauseInfo IS NOT NULL"}.items():
        rows = await found(f"WorkflowId = '{stage.id}' AND {query}")
        stage.keep(label, [stage.scrubber.message(row) for row in rows])
    await unpause(stage)
    for _ in range(100):
        if await found(f"WorkflowId = '{stage.id}' AND ExecutionStatus = 'Running'"):
            break
        await asyncio.sleep(0.05)
    rows = await found(f"WorkflowId = '{stage.id}'")
    stage.keep("unpaused", [stage.scrubber.message(row) for row in rows])
    await stage.raw.terminate(stage.id)


@scenario
async def children_of_a_paused_parent(stage: Stage) -> None:
    """A child goes on; its close is recorded."""
    child = f"{stage.id}-child"
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), child_of(child))
    await stage.until_events("ChildWorkflowExecutionStarted")
    await pause(stage)
    await stage.raw.complete(await stage.raw.poll_workflow(child), command("complete_workflow_execution"))
    await stage.until_events("ChildWorkflowExecutionCompleted")
    await stage.keep_history("paused")
    await unpause(stage)
    await stage.keep_history("unpaused")
    await stage.raw.terminate(stage.id)


@scenario
async def sticky(stage: Stage) -> None:
    """The worker that has the run in its cache gets the next task."""
    await idle(stage, sticky=stage.queue + "-sticky")
    await pause(stage)
    await stage.raw.signal(stage.id, "s")
    await unpause(stage)
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


@scenario
async def refused(stage: Stage) -> None:
    run = (await idle(stage)).run_id
    wrong: dict[str, dict[str, Any]] = {
        "no namespace": {"namespace": ""},
        "unknown namespace": {"namespace": "nowhere"},
        "no workflow id": {"workflow_id": ""},
        "unknown workflow": {"workflow_id": stage.id + "-other"},
        "bad run id": {"run_id": "x"},
        "unknown run": {"run_id": "00000000-0000-0000-0000-000000000001"},
        "long workflow id": {"workflow_id": "w" * 1001},
        "long request id": {"request_id": "r" * 1001},
        "long identity": {"identity": "i" * 1001},
        "long reason": {"reason": "r" * 1001},
    }
    for label, fields in wrong.items():
        await stage.keep_call(f"unpause: {label}", unpause(stage, **fields))
    await stage.keep_call("unpause: not paused", unpause(stage))
    for label, fields in wrong.items():
        await stage.keep_call(f"pause: {label}", pause(stage, **fields))
    await stage.keep_call("pause: by run id, without more", pause(stage, run_id=run, request_id="", identity="", reason=""))
    await stage.keep_history()
    await stage.keep_describe()
    await stage.keep_call("unpause: by run id, without more", unpause(stage, run_id=run, request_id="", identity="", reason=""))
    await stage.keep_history("unpaused")
    await stage.raw.terminate(stage.id)


@scenario
async def sticky_with_a_scheduled_task(stage: Stage) -> None:
    """The worker that had it in its cache is given up with the task."""
    await idle(stage, sticky=stage.queue + "-sticky")
    await stage.raw.signal(stage.id, "s")
    await pause(stage)
    await unpause(stage)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def with_a_later_attempt(stage: Stage) -> None:
    """A task that failed is scheduled again, and history has not heard of it."""
    await stage.raw.start(stage.id)
    await stage.raw.fail(await polled(stage), 24, "no")
    await stage.keep_call("pause", pause(stage))
    await stage.keep_history("paused")
    await stage.keep_describe("paused, described")
    await unpause(stage)
    await stage.keep_history("unpaused")
    task = await polled(stage)
    stage.keep("task", [task.started_event_id, task.attempt])
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history("done")


@scenario
async def with_a_later_attempt_in_hand(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    await stage.raw.fail(await polled(stage), 24, "no")
    task = await polled(stage)
    await stage.keep_call("pause", pause(stage))
    await stage.keep_call("fail", stage.raw.fail(task, 24, "no"))
    await stage.keep_history("failed")
    await unpause(stage)
    await stage.keep_history("unpaused")
    task = await polled(stage)
    stage.keep("task", [task.started_event_id, task.attempt])
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history("done")


@scenario
async def in_hand_until_its_timeout(stage: Stage) -> None:
    await stage.raw.start(stage.id, workflow_task_timeout=timedelta(seconds=1))
    await polled(stage)
    await pause(stage)
    await stage.until_events("WorkflowTaskTimedOut")
    await stage.keep_history("timed out")
    await stage.keep_describe("timed out, described")
    await unpause(stage)
    await stage.keep_history("unpaused")
    await stage.raw.terminate(stage.id)


@scenario
async def a_bad_answer(stage: Stage) -> None:
    """The task has failed, and there is no other."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    await pause(stage)
    await stage.keep_call("complete", stage.raw.complete(task, command("start_timer", timer_id="", start_to_fire_timeout=timedelta(hours=1))))
    await stage.keep_history("failed")
    await unpause(stage)
    await stage.keep_history("unpaused")
    await stage.raw.terminate(stage.id)


@scenario
async def more_time_for_a_task(stage: Stage) -> None:
    """A worker that asks for another task at once is refused, and still has the one."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    await pause(stage)
    await stage.keep_call("more time", stage.raw.complete(task, force_create_new_workflow_task=True))
    await stage.keep_history("refused")
    await stage.keep_call("complete", stage.raw.complete(task, return_new_workflow_task=True))
    await stage.keep_history("completed")
    await stage.raw.terminate(stage.id)


@scenario
async def with_an_activity_in_its_backoff(stage: Stage) -> None:
    """Its next attempt waits until the run goes on."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), activity_of(stage, "a", retry_policy={"initial_interval": timedelta(seconds=1), "backoff_coefficient": 1.0}))
    task = await stage.raw.poll_activity(stage.queue)
    failed = ws.RespondActivityTaskFailedRequest(namespace="default", task_token=task.task_token, failure={"message": "no", "application_failure_info": {"type": "Mine"}})  # type: ignore[arg-type]
    await stage.raw.call("RespondActivityTaskFailed", failed)
    await pause(stage)
    await nothing(stage, activities=True)
    await stage.keep_describe("paused, described")
    await unpause(stage)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("attempt", task.attempt)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def activities_of_a_task_in_hand(stage: Stage) -> None:
    """They are scheduled and not given out, also to a worker that would have them at once."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    await pause(stage)
    await stage.keep_call("complete", stage.raw.complete(task, activity_of(stage, "a"), activity_of(stage, "b", request_eager_execution=True)))
    await nothing(stage, activities=True)
    await stage.keep_history("completed")
    await unpause(stage)
    found = sorted([(await stage.raw.poll_activity(stage.queue)).activity_id for _ in range(2)])
    stage.keep("given out", found)
    await stage.raw.terminate(stage.id)


@scenario
async def an_activity_runs_out_of_time(stage: Stage) -> None:
    """Nobody may take it, and its time runs on."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), activity_of(stage, "a", schedule_to_start_timeout=timedelta(seconds=1)))
    await pause(stage)
    await stage.until_events("ActivityTaskTimedOut")
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


@scenario
async def activities_of_the_operator(stage: Stage) -> None:
    """Both can be paused, the run and its activities."""

    async def operate(method: str, activity_id: str, **fields: Any) -> Any:
        base: dict[str, Any] = {"namespace": "default", "execution": {"workflow_id": stage.id}, "identity": "operator", "id": activity_id}
        return await stage.raw.call(method, getattr(ws, f"{method}Request")(**base, **fields))

    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), *(activity_of(stage, name) for name in ("a", "b", "c", "d")))
    await operate("PauseActivity", "a")
    await pause(stage)
    await stage.keep_describe("paused, described")
    await operate("UnpauseActivity", "a")
    await operate("PauseActivity", "b")
    await operate("ResetActivity", "c")
    await stage.keep_describe("operated, described")
    stage.keep("given out while paused", sorted([(await stage.raw.poll_activity(stage.queue)).activity_id for _ in range(2)]))
    await nothing(stage, activities=True)
    await unpause(stage)
    stage.keep("given out then", (await stage.raw.poll_activity(stage.queue)).activity_id)
    await stage.keep_describe("unpaused, described")
    await stage.raw.terminate(stage.id)


@scenario
async def an_update_that_a_worker_has(stage: Stage) -> None:
    """It may still be accepted and have its outcome."""
    await idle(stage)
    waiting = send(stage)
    task = await polled(stage)
    await stage.keep_call("pause", pause(stage))
    await stage.keep_history("paused")
    await stage.keep_call("look", look(stage))
    await stage.keep_call("complete", complete(stage, task, *(one for message in task.messages for one in (accept(message), respond(message)))))
    await keep_sent(stage, "update", waiting)
    await stage.keep_history("completed")
    await unpause(stage)
    await stage.keep_history("unpaused")
    await stage.raw.terminate(stage.id)


@scenario
async def an_update_that_a_worker_rejects(stage: Stage) -> None:
    """The task stays in the history."""
    await idle(stage)
    waiting = send(stage)
    task = await polled(stage)
    await pause(stage)
    await stage.keep_call("complete", complete(stage, task, *(reject(message) for message in task.messages)))
    await keep_sent(stage, "update", waiting)
    await stage.keep_history("completed")
    await stage.raw.terminate(stage.id)


@scenario
async def an_update_that_a_worker_hands_back(stage: Stage) -> None:
    """It goes with the next task."""
    await idle(stage)
    waiting = send(stage)
    task = await polled(stage)
    await pause(stage)
    await stage.raw.fail(task, 24, "no")
    await stage.keep_call("look", look(stage))
    await unpause(stage)
    task = await polled(stage)
    stage.keep("messages", [message.id for message in task.messages])
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "update", waiting)


@scenario
async def an_update_that_is_waited_for(stage: Stage) -> None:
    """It was accepted, and its outcome is waited for."""
    await idle(stage)
    waiting = send(stage)
    task = await polled(stage)
    await complete(stage, task, accept(task.messages[0]))
    await stage.keep_call("pause", pause(stage))
    await asyncio.sleep(1.0)  # Nothing must happen.
    stage.keep("waits on", not waiting.done())
    await unpause(stage)
    task = await polled(stage)
    stage.keep("messages", [message.id for message in task.messages])
    answer = Response(meta=Meta(update_id="u", identity="client"), outcome=Outcome(success=texts("result")))
    done = Carried(id="u/complete", protocol_instance_id="u", body=packed(answer))
    await complete(stage, task, done)
    await keep_sent(stage, "update", waiting)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def a_query_with_a_task_in_hand(stage: Stage) -> None:
    """It is answered with the task."""
    await stage.raw.start(stage.id)
    asked = ws.QueryWorkflowRequest(namespace="default", execution=WorkflowExecution(workflow_id=stage.id), query=WorkflowQuery(query_type="q"))
    waiting = asyncio.create_task(outcome(stage.raw.call("QueryWorkflow", asked)))
    task = await polled(stage)
    while not task.queries:
        await stage.raw.complete(task, force_create_new_workflow_task=True)
        task = await polled(stage)
    await stage.keep_call("pause", pause(stage))
    results = {name: {"result_type": 1, "answer": texts("answer")} for name in task.queries}
    await stage.keep_call("complete", stage.raw.complete(task, query_results=results))
    await keep_sent(stage, "answered", waiting)
    await stage.raw.terminate(stage.id)


@scenario
async def followed_by_another_run(stage: Stage) -> None:
    """The run that a timeout brings is not paused."""
    await stage.raw.start(stage.id, workflow_run_timeout=timedelta(seconds=1), retry_policy={"initial_interval": timedelta(seconds=1), "maximum_attempts": 2})
    await pause(stage)
    events = await stage.until_events("WorkflowExecutionTimedOut", run_id=(await stage.raw.describe(stage.id)).workflow_execution_info.execution.run_id)
    await stage.keep_history("timed out", run_id=(await stage.raw.describe(stage.id)).workflow_execution_info.first_run_id)
    stage.keep("how many events", len(events))
    await stage.keep_describe("the next, described")
    await stage.raw.terminate(stage.id)


@scenario
async def other_options(stage: Stage) -> None:
    await idle(stage)
    await pause(stage)
    asked = ws.UpdateWorkflowExecutionOptionsRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=stage.id),
        workflow_execution_options={"priority": {"priority_key": 1}},  # type: ignore[arg-type]
        update_mask={"paths": ["priority"]},  # type: ignore[arg-type]
    )
    await stage.keep_call("options", stage.raw.call("UpdateWorkflowExecutionOptions", asked))
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


@scenario
async def again_and_again(stage: Stage) -> None:
    """So often that a run with failing tasks would say that it has problems."""
    await stage.raw.start(stage.id)
    for number in range(6):
        await pause(stage, request_id=f"pause {number}")
        await unpause(stage)
    await stage.keep_history()
    await stage.keep_describe()
    task = await polled(stage)
    stage.keep("task", [task.started_event_id, task.attempt])
    await stage.raw.complete(task)
    await stage.keep_describe("completed, described")
    await stage.raw.terminate(stage.id)


@scenario
async def a_child_of_a_task_in_hand(stage: Stage) -> None:
    """It begins, although its parent is paused."""
    child = f"{stage.id}-child"
    await stage.raw.start(stage.id)
    task = await polled(stage)
    await pause(stage)
    await stage.raw.complete(task, child_of(child))
    await stage.until_events("ChildWorkflowExecutionStarted")
    await stage.keep_history("paused")
    await pause(stage, workflow_id=child)
    await stage.keep_history("the child", workflow_id=child)
    await stage.raw.terminate(stage.id)


@scenario
async def deleted_while_paused(stage: Stage) -> None:
    await idle(stage)
    await pause(stage)
    asked = ws.DeleteWorkflowExecutionRequest(namespace="default", workflow_execution=WorkflowExecution(workflow_id=stage.id))
    await stage.keep_call("delete", stage.raw.call("DeleteWorkflowExecution", asked))

    async def gone() -> bool:
        try:
            await stage.raw.describe(stage.id)
        except Refused as refusal:
            return refusal.code == "NOT_FOUND"
        return False

    await until(gone, f"{stage.name}: it is gone")


@scenario
async def counted(stage: Stage) -> None:
    """In groups, and by the older lists."""
    await idle(stage)
    await pause(stage)
    query = f"WorkflowId = '{stage.id}'"

    async def groups() -> Any:
        answer = await stage.raw.call("CountWorkflowExecutions", ws.CountWorkflowExecutionsRequest(namespace="default", query=f"{query} GROUP BY ExecutionStatus"))
        return answer if b"Paused" in answer.SerializeToString() else None

    stage.keep("groups", stage.scrubber.message(await until(groups, f"{stage.name}: a group of paused runs")))
    for status in ("Paused", "Running", 8, 1):
        asked = f"{query} AND ExecutionStatus = {status!r}"
        answer = await stage.raw.call("CountWorkflowExecutions", ws.CountWorkflowExecutionsRequest(namespace="default", query=asked))
        stage.keep(f"{status}", answer.count)
    from temporalio.api.filter.v1 import StartTimeFilter, WorkflowExecutionFilter

    older = ws.ListOpenWorkflowExecutionsRequest(namespace="default", start_time_filter=StartTimeFilter(), execution_filter=WorkflowExecutionFilter(workflow_id=stage.id))
    stage.keep("open", len((await stage.raw.call("ListOpenWorkflowExecutions", older)).executions))
    closed = ws.ListClosedWorkflowExecutionsRequest(namespace="default", start_time_filter=StartTimeFilter(), execution_filter=WorkflowExecutionFilter(workflow_id=stage.id))
    stage.keep("closed", len((await stage.raw.call("ListClosedWorkflowExecutions", closed)).executions))
    await stage.raw.terminate(stage.id)


@scenario
async def capability(stage: Stage) -> None:
    answer = await stage.raw.call("DescribeNamespace", ws.DescribeNamespaceRequest(namespace="default"))
    stage.keep("workflow_pause", answer.namespace_info.capabilities.workflow_pause)


@scenario
async def with_a_worker(stage: Stage) -> None:
    """An SDK makes nothing of the events, live or in replay."""
    async with stage.worker([Answering]):
        handle = await stage.start(Answering.run, False)
        await stage.until_events("WorkflowTaskCompleted")
        await pause(stage)
        await handle.signal(Answering.finish)
        await unpause(stage)
        await handle.result()
        stage.keep("closed", await handle.query(Answering.echo, "b"))
    await stage.keep_history()
