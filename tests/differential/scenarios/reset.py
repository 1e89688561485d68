"""Resets: to every kind of event, with what is pending, what is applied again, what cannot be."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, named, scenario
from tests.differential.scenarios.activity_tasks import completed
from tests.support.rpc import Refused, attributes, command, event_name, texts


def request(stage: Stage, finish: int, run_id: str = "", **fields: Any) -> ws.ResetWorkflowExecutionRequest:
    base: dict[str, Any] = {
        "namespace": "default",
        "workflow_execution": WorkflowExecution(workflow_id=stage.id, run_id=run_id),
        "workflow_task_finish_event_id": finish,
        "request_id": f"reset to {finish}",
        "reason": "because",
        "identity": "raw",
    }
    return ws.ResetWorkflowExecutionRequest(**{**base, **fields})


async def reset(stage: Stage, finish: int, run_id: str = "", **fields: Any) -> str:
    return (await stage.raw.call("ResetWorkflowExecution", request(stage, finish, run_id, **fields))).run_id


async def both(stage: Stage, base: str, now: str, label: str = "") -> None:
    """Keeps the run that was reset and the one that came of it."""
    await stage.keep_history(f"{label}base", run_id=base)
    await stage.keep_describe(f"{label}base, described", run_id=base)
    await stage.keep_history(f"{label}reset", run_id=now)
    await stage.keep_describe(f"{label}reset, described", run_id=now)


async def finish(stage: Stage) -> None:
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))


async def two_tasks(stage: Stage, **fields: Any) -> str:
    """A run with two workflow tasks completed: 1 Started, 2–4 a task, 5 Signaled, 6–8 a task."""
    run = (await stage.raw.start(stage.id, **fields)).run_id
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    await stage.raw.signal(stage.id, "one", input=texts("1"), request_id="signal one")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    return run


@scenario
async def to_the_first_task(stage: Stage) -> None:
    run = await two_tasks(stage)
    now = await reset(stage, 4)
    await both(stage, run, now)
    await finish(stage)
    await stage.keep_history("done")


@scenario
async def to_the_last_task(stage: Stage) -> None:
    run = await two_tasks(stage)
    await stage.raw.signal(stage.id, "two", request_id="signal two")
    now = await reset(stage, 8)
    await both(stage, run, now)
    await stage.keep_call("a signal that it has", stage.raw.signal(stage.id, "one", request_id="signal one"))
    await stage.keep_call("a signal that was applied again", stage.raw.signal(stage.id, "two", request_id="signal two"))
    await stage.keep_history("the same")
    await stage.raw.terminate(stage.id)


@scenario
async def by_run_id(stage: Stage) -> None:
    run = await two_tasks(stage)
    now = await reset(stage, 4, run)
    await both(stage, run, now)
    await stage.raw.terminate(stage.id)


@scenario
async def to_every_event(stage: Stage) -> None:
    run = await two_tasks(stage)
    await stage.raw.terminate(stage.id)
    for number in range(-1, 12):
        await stage.keep_call(f"to {number}", stage.raw.call("ResetWorkflowExecution", request(stage, number, run)))
        events = await stage.raw.history(stage.id)
        stage.keep(f"after {number}", [stage.scrubber.message(event) for event in events])
        try:
            await stage.raw.terminate(stage.id)
        except Refused:
            pass


@scenario
async def of_a_completed_run(stage: Stage) -> None:
    run = await two_tasks(stage)
    await stage.raw.signal(stage.id, "two")
    await finish(stage)
    now = await reset(stage, 8)
    await both(stage, run, now)
    await finish(stage)
    await stage.keep_describe("done")


@scenario
async def twice(stage: Stage) -> None:
    run = await two_tasks(stage, workflow_execution_timeout=timedelta(hours=2), workflow_run_timeout=timedelta(hours=1), memo={"fields": {"a": texts("b").payloads[0]}})
    first = await reset(stage, 8)
    second = await reset(stage, 4)
    await both(stage, run, first, "first ")
    await stage.keep_history("second reset", run_id=second)
    await stage.keep_describe("second reset, described", run_id=second)
    await stage.raw.terminate(stage.id)


@scenario
async def of_an_older_run(stage: Stage) -> None:
    """The current run, of another chain, ends for it."""
    run = await two_tasks(stage)
    await finish_open(stage)
    other = (await stage.raw.start(stage.id, request_id="other")).run_id
    await stage.raw.signal(stage.id, "to the other")
    now = await reset(stage, 4, run)
    await both(stage, run, now)
    await stage.keep_history("other", run_id=other)
    await stage.keep_describe("other, described", run_id=other)
    await stage.raw.terminate(stage.id)


async def finish_open(stage: Stage) -> None:
    await stage.raw.signal(stage.id, "end")
    await finish(stage)


@scenario
async def repeated(stage: Stage) -> None:
    """The reference resets once more: we find the run that the request began."""
    await two_tasks(stage)
    first = await reset(stage, 4)
    stage.keep("the same run", (await reset(stage, 4)) == first)
    await stage.raw.terminate(stage.id)


@scenario
async def with_a_task_in_hand(stage: Stage) -> None:
    run = await two_tasks(stage)
    await stage.raw.signal(stage.id, "two")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "buffered", request_id="buffered")
    now = await reset(stage, 4)
    await stage.keep_call("its task", stage.raw.complete(task))
    await both(stage, run, now)
    await stage.raw.terminate(stage.id)


@scenario
async def to_a_task_during_which_signals_came(stage: Stage) -> None:
    run = (await stage.raw.start(stage.id)).run_id
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "buffered")
    await stage.raw.cancel(stage.id)
    await stage.raw.complete(task, command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(hours=1)))
    now = await reset(stage, 4)
    await both(stage, run, now)
    await stage.raw.terminate(stage.id)


@scenario
async def with_timers(stage: Stage) -> None:
    """One has fired, one has not, one will have been due."""
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.complete(
        await stage.raw.poll_workflow(stage.queue),
        command("start_timer", timer_id="short", start_to_fire_timeout=timedelta(milliseconds=300)),
        command("start_timer", timer_id="long", start_to_fire_timeout=timedelta(hours=1)),
    )
    await stage.raw.signal(stage.id, "wake")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    await stage.until_events("TimerFired")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    now = await reset(stage, 10)
    await stage.until_events("TimerFired", run_id=now)
    await both(stage, run, now)
    await stage.raw.terminate(stage.id)


async def activities(stage: Stage, *names: str) -> str:
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.complete(
        await stage.raw.poll_workflow(stage.queue),
        *(
            command(
                "schedule_activity_task",
                activity_id=name,
                activity_type={"name": name},
                task_queue={"name": stage.queue},
                start_to_close_timeout=timedelta(minutes=1),
                retry_policy={"initial_interval": timedelta(hours=1)},
            )
            for name in names
        ),
    )
    await stage.raw.signal(stage.id, "wake")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    return run


@scenario
async def with_a_scheduled_activity(stage: Stage) -> None:
    run = await activities(stage, "a")
    now = await reset(stage, 9)
    await both(stage, run, now)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("whose", task.workflow_execution.run_id == now)
    await stage.raw.terminate(stage.id)


@scenario
async def with_a_started_activity(stage: Stage) -> None:
    run = await activities(stage, "a")
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RecordActivityTaskHeartbeat", ws.RecordActivityTaskHeartbeatRequest(namespace="default", task_token=task.task_token, details=texts("beat")))
    now = await reset(stage, 9)
    await both(stage, run, now)
    await stage.keep_call("its token", stage.raw.call("RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=task.task_token)))
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("again", stage.scrubber.message(task))
    await stage.raw.call("RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=task.task_token))
    await stage.keep_history("completed")
    await stage.raw.terminate(stage.id)


@scenario
async def with_an_activity_that_waits_for_a_retry(stage: Stage) -> None:
    run = await activities(stage, "a")
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call(
        "RespondActivityTaskFailed",
        ws.RespondActivityTaskFailedRequest(namespace="default", task_token=task.task_token, failure={"message": "no", "application_failure_info": {"type": "Mine"}}),
    )
    now = await reset(stage, 9)
    await both(stage, run, now)
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("attempt", task.attempt)
    await stage.raw.terminate(stage.id)


@scenario
async def with_a_completed_activity(stage: Stage) -> None:
    """Before the point it stays completed, behind it it is done again."""
    run = await activities(stage, "a")
    task = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=task.task_token, result=texts("r")))
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    now = await reset(stage, 9)
    await both(stage, run, now, "before ")
    again = await reset(stage, 14, run, request_id="behind")
    await stage.keep_history("behind reset", run_id=again)
    await stage.keep_describe("behind reset, described", run_id=again)
    await stage.raw.terminate(stage.id)


@scenario
async def of_a_chain(stage: Stage) -> None:
    """Signals of the runs that followed are applied again."""
    first = await two_tasks(stage)
    await stage.raw.signal(stage.id, "two")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("continue_as_new_workflow_execution", input=texts("next")))
    second = (await stage.raw.describe(stage.id)).workflow_execution_info.execution.run_id
    await stage.raw.signal(stage.id, "three")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    await stage.raw.signal(stage.id, "four")
    now = await reset(stage, 4, first)
    await both(stage, first, now)
    await stage.keep_history("second", run_id=second)
    await stage.keep_describe("second, described", run_id=second)
    await stage.raw.terminate(stage.id)


@scenario
async def of_a_retried_run(stage: Stage) -> None:
    """A retry is not followed: what was sent to it is lost."""
    first = (await stage.raw.start(stage.id, retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(milliseconds=100)})).run_id
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("fail_workflow_execution", failure={"message": "no"}))
    await stage.raw.signal(stage.id, "to the second")
    now = await reset(stage, 4, first)
    await both(stage, first, now)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("fail_workflow_execution", failure={"message": "again"}))
    await stage.keep_history("failed again", run_id=now)
    await stage.raw.terminate(stage.id)


EXCLUDED: dict[str, dict[str, Any]] = {
    "signals": {"reset_reapply_exclude_types": [1]},
    "updates": {"reset_reapply_exclude_types": [2]},
    "nexus": {"reset_reapply_exclude_types": [3]},
    "all": {"reset_reapply_exclude_types": [1, 2, 3]},
    "nothing_known": {"reset_reapply_exclude_types": [99]},
    "by_type_signal": {"reset_reapply_type": 1},
    "by_type_none": {"reset_reapply_type": 2},
    "by_type_all": {"reset_reapply_type": 3},
    "by_an_unknown_type": {"reset_reapply_type": 99},
}


def register(name: str, fields: dict[str, Any]) -> None:
    @named(f"reset/excluding_{name}")
    async def play(stage: Stage) -> None:
        await two_tasks(stage)
        await stage.raw.signal(stage.id, "two")
        await stage.keep_call("reset", stage.raw.call("ResetWorkflowExecution", request(stage, 4, **fields)))
        await stage.keep_history()
        await stage.raw.terminate(stage.id)


for excluded_name, excluded_fields in EXCLUDED.items():
    register(excluded_name, excluded_fields)


@scenario
async def with_attached_requests(stage: Stage) -> None:
    """Starts that found the run open are attached again."""
    run = await two_tasks(stage)
    await stage.raw.start(stage.id, request_id="attached", workflow_id_conflict_policy=2, on_conflict_options={"attach_request_id": True, "attach_links": True})
    now = await reset(stage, 4)
    await both(stage, run, now)
    await stage.keep_call("the first request", stage.raw.start(stage.id, workflow_id_conflict_policy=2))
    await stage.keep_call("the attached request", stage.raw.start(stage.id, request_id="attached"))
    await stage.keep_call("the request of the reset", stage.raw.start(stage.id, request_id="reset to 4"))
    await stage.raw.terminate(stage.id)


@scenario
async def in_its_first_wait(stage: Stage) -> None:
    await stage.raw.start(stage.id, workflow_start_delay=timedelta(hours=1))
    for number in (1, 2):
        await stage.keep_call(f"to {number}", stage.raw.call("ResetWorkflowExecution", request(stage, number)))
    await stage.raw.terminate(stage.id)


@scenario
async def of_a_task_that_failed(stage: Stage) -> None:
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.fail(await stage.raw.poll_workflow(stage.queue), 24, "no")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("to 4", stage.raw.call("ResetWorkflowExecution", request(stage, 4)))
    await stage.keep_history("base", run_id=run)
    await stage.keep_history("reset")
    await stage.keep_call("its task", stage.raw.complete(task))
    await stage.raw.terminate(stage.id)


@scenario
async def of_cron(stage: Stage) -> None:
    run = (await stage.raw.start(stage.id, cron_schedule="@every 1s")).run_id
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    now = await reset(stage, 4)
    await both(stage, run, now)
    await finish(stage)
    await stage.keep_history("done", run_id=now)
    await stage.raw.terminate(stage.id)


@workflow.defn
class Saying:
    @workflow.run
    async def run(self) -> list[str]:
        said: list[str] = []
        self.heard: list[str] = []
        for name in ("a", "b"):
            said.append(await workflow.execute_activity(say, name, start_to_close_timeout=timedelta(seconds=10)))
        await workflow.wait_condition(lambda: len(self.heard) > 0)
        return said + self.heard

    @workflow.signal
    async def hear(self, word: str) -> None:
        self.heard.append(word)


@activity.defn
async def say(name: str) -> str:
    return name.upper()


@scenario
async def by_the_sdk(stage: Stage) -> None:
    async with stage.worker([Saying], [say]):
        handle = await stage.start(Saying.run)
        await stage.until_events("ActivityTaskCompleted", "ActivityTaskCompleted")
        await handle.signal(Saying.hear, "x")
        stage.keep("first", await handle.result())
        events = await stage.raw.history(stage.id)
        point = [event.event_id for event in events if event.HasField("workflow_task_completed_event_attributes")][1]
        now = await reset(stage, point)
        stage.keep("second", await asyncio.wait_for(stage.client.get_workflow_handle(stage.id, run_id=now).result(), 20))
    await stage.keep_history(run_id=now)


@scenario
async def refused(stage: Stage) -> None:
    call = stage.raw.call
    await stage.keep_call("unknown", call("ResetWorkflowExecution", request(stage, 4)))
    run = await two_tasks(stage)
    wrong: dict[str, ws.ResetWorkflowExecutionRequest] = {
        "no request id": request(stage, 4, request_id=""),
        "long request id": request(stage, 4, request_id="r" * 1001),
        "no execution": ws.ResetWorkflowExecutionRequest(namespace="default", request_id="r", workflow_task_finish_event_id=4),
        "no workflow id": request(stage, 4, workflow_execution=WorkflowExecution(run_id=run)),
        "bad run id": request(stage, 4, workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id="x")),
        "unknown run": request(stage, 4, workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id="00000000-0000-0000-0000-000000000001")),
        "run of another": request(stage, 4, workflow_execution=WorkflowExecution(workflow_id=stage.id + "-other", run_id=run)),
        "unknown namespace": request(stage, 4, namespace="nowhere"),
        "no namespace": request(stage, 4, namespace=""),
        "no point": request(stage, 0),
        "far point": request(stage, 1 << 40),
        "an empty operation": request(stage, 4, post_reset_operations=[{}]),
        "a signal after it": request(stage, 4, post_reset_operations=[{"signal_workflow": {"signal_name": "s"}}]),
    }
    for label, one in wrong.items():
        await stage.keep_call(label, call("ResetWorkflowExecution", one))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def with_options_after_it(stage: Stage) -> None:
    run = await two_tasks(stage)
    operation = {"update_workflow_options": {"workflow_execution_options": {"priority": {"priority_key": 1}}, "update_mask": {"paths": ["priority"]}}}
    await stage.keep_call("reset", stage.raw.call("ResetWorkflowExecution", request(stage, 4, post_reset_operations=[operation])))
    await stage.keep_history("base", run_id=run)
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


@scenario
async def to_an_attempt_during_which_an_activity_ended(stage: Stage) -> None:
    """An activity ends while a further attempt is in hand; behind a reset to that attempt it is still to come."""
    await stage.raw.start(stage.id)
    names = [
        command("schedule_activity_task", activity_id=name, activity_type={"name": "t"}, task_queue={"name": stage.queue}, start_to_close_timeout=timedelta(minutes=1)) for name in ("a", "b")
    ]
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), *names)
    first, second = await stage.raw.poll_activity(stage.queue), await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RespondActivityTaskCompleted", completed(first))
    await stage.raw.fail(await stage.raw.poll_workflow(stage.queue), 24, "no")
    again = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.call("RespondActivityTaskCompleted", completed(second))
    await stage.raw.complete(again)
    events = await stage.until_events("ActivityTaskCompleted", "ActivityTaskCompleted")
    finished = [event.event_id for event in events if event_name(event) == "WorkflowTaskCompleted"]
    run_id = await reset(stage, finished[-1])
    task = await stage.raw.poll_activity(stage.queue)
    stage.keep("again", [task.activity_id == second.activity_id, task.attempt])
    described = await stage.raw.describe(stage.id, run_id)
    stage.keep("pending", [[one.activity_id == second.activity_id, one.state, one.attempt] for one in described.pending_activities])
    kinds = [event_name(event) for event in await stage.raw.history(stage.id, run_id)]
    stage.keep("behind the reset", kinds)
    await stage.raw.terminate(stage.id)


@scenario
async def behind_the_last_task_that_failed(stage: Stage) -> None:
    """There must be an event behind the point."""
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.fail(await stage.raw.poll_workflow(stage.queue), 1, "no")
    await stage.keep_call("to 5", stage.raw.call("ResetWorkflowExecution", request(stage, 5)))
    await stage.keep_history(run_id=run)
    await stage.raw.terminate(stage.id)


@scenario
async def behind_a_task_that_failed_twice(stage: Stage) -> None:
    """Of the second attempt nothing was written. Behind the point it is written as a first one, and fails."""
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.fail(await stage.raw.poll_workflow(stage.queue), 1, "no")
    await stage.raw.fail(await stage.raw.poll_workflow(stage.queue), 1, "no")
    await stage.raw.signal(stage.id, "one")
    now = await reset(stage, 5)
    await both(stage, run, now)
    await finish(stage)
    await stage.keep_history("done")


@scenario
async def behind_a_task_that_failed_and_a_signal(stage: Stage) -> None:
    """The signal came while the task that failed was in hand: the next one is written."""
    run = (await stage.raw.start(stage.id)).run_id
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "one")
    await stage.raw.fail(task, 1, "no")
    for number in (5, 6, 7):
        await stage.keep_call(f"to {number}", stage.raw.call("ResetWorkflowExecution", request(stage, number, run)))
        await stage.keep_history(f"reset to {number}")
        await stage.keep_describe(f"reset to {number}, described")
    await stage.raw.terminate(stage.id)


@scenario
async def of_a_chain_that_heard_a_request_twice(stage: Stage) -> None:
    """A signal was sent again, with the same request id, and the second time the next run of the chain heard it."""
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    await stage.raw.signal(stage.id, "one", request_id="r")
    again = command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": stage.queue})
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), again)
    await stage.raw.signal(stage.id, "one", request_id="r")
    now = await reset(stage, 8, run)
    await both(stage, run, now)
    await finish(stage)
    await stage.keep_history("done")
