"""Cron schedules: what follows which end, what the next run is told, what ends them, and which texts are none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice import v1 as ws
from temporalio.exceptions import ApplicationError

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import Refused, attributes, command, texts


def failing(message: str, **info: Any) -> Any:
    return command("fail_workflow_execution", failure={"message": message, "application_failure_info": {"type": "Mine", **info}})


async def start(stage: Stage, schedule: str = "@every 1s", **fields: Any) -> str:
    return (await stage.raw.start(stage.id, cron_schedule=schedule, **fields)).run_id


async def next_run(stage: Stage, run_id: str, name: str) -> str:
    """Waits for the close of a run and keeps its history; the run that it names as the next."""
    await stage.until_events(name, run_id=run_id)
    number = sum(label.startswith("history ") for label in stage.documents) + 1
    events = await stage.keep_history(f"history {number}", run_id=run_id)
    return attributes(events[-1]).new_execution_run_id


@scenario
async def completed(stage: Stage) -> None:
    first = await start(stage, input=texts("in"), memo={"fields": {"a": texts("b").payloads[0]}})
    await stage.keep_history("waiting")
    await stage.keep_describe("waiting, described")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution", result=texts("one")))
    second = await next_run(stage, first, "WorkflowExecutionCompleted")
    await stage.keep_describe("the first, described", run_id=first)
    await stage.keep_history("the second waits", run_id=second)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing("two"))
    third = await next_run(stage, second, "WorkflowExecutionFailed")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    fourth = await next_run(stage, third, "WorkflowExecutionCompleted")
    await stage.keep_history("the fourth waits", run_id=fourth)
    await stage.raw.terminate(stage.id)
    await stage.keep_history("the end")
    await stage.keep_describe("the end, described")


@workflow.defn
class Counting:
    @workflow.run
    async def run(self, fail_at: int) -> int:
        last = workflow.get_last_completion_result() or 0
        if workflow.get_last_failure() is not None:
            return 100 + last
        if last + 1 == fail_at:
            raise ApplicationError("no luck", type="NoLuck")
        return last + 1


@scenario
async def told_by_the_sdk(stage: Stage) -> None:
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run, 3, cron_schedule="@every 1s")
        run = handle.first_execution_run_id or ""
        for name in ("Completed", "Completed", "Failed", "Completed"):
            run = await next_run(stage, run, f"WorkflowExecution{name}")
        await handle.terminate()


@scenario
async def retried_first(stage: Stage) -> None:
    first = await start(stage, retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(milliseconds=100)})
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution", result=texts("kept")))
    second = await next_run(stage, first, "WorkflowExecutionCompleted")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing("one"))
    third = await next_run(stage, second, "WorkflowExecutionFailed")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing("two"))
    fourth = await next_run(stage, third, "WorkflowExecutionFailed")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing("final", non_retryable=True))
    fifth = await next_run(stage, fourth, "WorkflowExecutionFailed")
    await stage.keep_history("the fifth waits", run_id=fifth)
    await stage.raw.terminate(stage.id)


@scenario
async def run_timeout(stage: Stage) -> None:
    first = await start(stage, workflow_run_timeout=timedelta(seconds=1))
    await stage.keep_describe("waiting, described")
    second = await next_run(stage, first, "WorkflowExecutionTimedOut")
    await stage.keep_history("the second waits", run_id=second)
    await stage.raw.terminate(stage.id)


@scenario
async def run_timeout_after_a_result(stage: Stage) -> None:
    first = await start(stage, workflow_run_timeout=timedelta(seconds=2), retry_policy={"maximum_attempts": 2})
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution", result=texts("kept")))
    second = await next_run(stage, first, "WorkflowExecutionCompleted")
    third = await next_run(stage, second, "WorkflowExecutionTimedOut")
    fourth = await next_run(stage, third, "WorkflowExecutionTimedOut")
    await stage.keep_history("the fourth waits", run_id=fourth)
    await stage.raw.terminate(stage.id)


@scenario
async def execution_timeout(stage: Stage) -> None:
    first = await start(stage, workflow_execution_timeout=timedelta(seconds=3))
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    second = await next_run(stage, first, "WorkflowExecutionCompleted")
    stage.keep("nothing follows", await next_run(stage, second, "WorkflowExecutionTimedOut"))
    await stage.keep_describe()


@scenario
async def execution_timeout_while_waiting(stage: Stage) -> None:
    first = await start(stage, "@every 1h", workflow_execution_timeout=timedelta(seconds=1))
    stage.keep("nothing follows", await next_run(stage, first, "WorkflowExecutionTimedOut"))


@scenario
async def canceled(stage: Stage) -> None:
    first = await start(stage, "@every 10s")
    await stage.raw.cancel(stage.id)
    await stage.keep_history("asked", run_id=first)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("cancel_workflow_execution"))
    await stage.keep_history("canceled")
    await stage.keep_describe()


@scenario
async def completed_though_canceled(stage: Stage) -> None:
    """It closes before it was due: the next one comes when this was due."""
    first = await start(stage, "@every 30s")
    await stage.raw.cancel(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await next_run(stage, first, "WorkflowExecutionCompleted")
    events = await stage.raw.history(stage.id)
    backoff = attributes(events[0]).first_workflow_task_backoff.ToTimedelta()
    stage.keep("when the first was due", timedelta(seconds=25) <= backoff <= timedelta(seconds=30))
    await stage.raw.terminate(stage.id)


@scenario
async def signaled_while_waiting(stage: Stage) -> None:
    first = await start(stage, "@every 2s")
    await stage.raw.signal(stage.id, "waits")
    await stage.keep_history("signaled", run_id=first)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history("done", run_id=first)
    await stage.raw.terminate(stage.id)


@scenario
async def signaled_with_start_while_waiting(stage: Stage) -> None:
    request = ws.SignalWithStartWorkflowExecutionRequest(
        namespace="default", workflow_id=stage.id, workflow_type={"name": "raw"}, task_queue={"name": stage.queue}, signal_name="s", request_id="1", cron_schedule="@every 10s"
    )
    started = await stage.keep_call("started", stage.raw.call("SignalWithStartWorkflowExecution", request))
    await stage.keep_history("waiting", run_id=started.run_id)
    request.request_id = "2"
    await stage.keep_call("signaled again", stage.raw.call("SignalWithStartWorkflowExecution", request))
    await stage.keep_history("signaled", run_id=started.run_id)
    await stage.raw.terminate(stage.id)


@scenario
async def continued_as_new(stage: Stage) -> None:
    """A continuation has the schedule that its command says, and no other."""
    first = await start(stage)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("continue_as_new_workflow_execution", input=texts("one")))
    second = await next_run(stage, first, "WorkflowExecutionContinuedAsNew")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(
        task,
        command(
            "continue_as_new_workflow_execution", cron_schedule="@every 1s", initiator=3, last_completion_result=texts("carried"), failure={"message": "carried too"}, backoff_start_interval=timedelta(seconds=1)
        ),
    )
    third = await next_run(stage, second, "WorkflowExecutionContinuedAsNew")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing("third"))
    fourth = await next_run(stage, third, "WorkflowExecutionFailed")
    await stage.keep_history("the fourth waits", run_id=fourth)
    await stage.raw.terminate(stage.id)


@scenario
async def continued_with_nonsense(stage: Stage) -> None:
    """Nobody looks at the schedule of a continuation: what cannot be read never comes."""
    first = await start(stage)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("continued", stage.raw.complete(task, command("continue_as_new_workflow_execution", cron_schedule="nonsense", backoff_start_interval=timedelta(seconds=1))))
    second = await next_run(stage, first, "WorkflowExecutionContinuedAsNew")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    stage.keep("nothing follows", await next_run(stage, second, "WorkflowExecutionCompleted"))


@scenario
async def carried_over(stage: Stage) -> None:
    """The next run has what the first began with, not what became of it."""
    keyword = texts("build").payloads[0]
    keyword.data = b'["one"]'
    first = await start(
        stage,
        memo={"fields": {"a": texts("begun").payloads[0]}},
        search_attributes={"indexed_fields": {"TemporalChangeVersion": keyword}},
        header={"fields": {"h": texts("head").payloads[0]}},
        priority={"priority_key": 2, "fairness_key": "me"},
        user_metadata={"summary": texts("sum").payloads[0]},
        workflow_task_timeout=timedelta(seconds=7),
        workflow_run_timeout=timedelta(minutes=7),
        continued_failure={"message": "of long ago"},
        last_completion_result=texts("of long ago"),
    )
    await stage.keep_history("waiting", run_id=first)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(
        task,
        command("modify_workflow_properties", upserted_memo={"fields": {"b": texts("changed").payloads[0]}}),
        failing("once"),
    )
    second = await next_run(stage, first, "WorkflowExecutionFailed")
    await stage.keep_history("the second waits", run_id=second)
    await stage.keep_describe("the second, described", run_id=second)
    await stage.raw.terminate(stage.id)


@scenario
async def on_an_id_in_use(stage: Stage) -> None:
    """A run that waits is open like any other."""
    first = await start(stage, "@every 1h")
    for label, fields in {
        "fails": {},
        "uses": {"workflow_id_conflict_policy": 2},
        "same request": {"request_id": f"request of {stage.id}"},
        "terminates": {"workflow_id_conflict_policy": 3},
    }.items():
        request = {"request_id": label, "cron_schedule": "@every 1h", **fields}
        await stage.keep_call(label, stage.raw.start(stage.id, **request))
    await stage.keep_history("terminated", run_id=first)
    await stage.raw.terminate(stage.id)


@scenario
async def eager_does_not_wait(stage: Stage) -> None:
    await stage.keep_call("started", stage.raw.start(stage.id, cron_schedule="@every 1h", request_eager_execution=True))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def schedules(stage: Stage) -> None:
    for schedule in (
        "* * * * *",
        "*/5 1,2 1-10/3 jan *",
        "0 12 * * mon-FRI",
        "5/10 * ? * *",
        "0 0 31 2 mon",
        "0 0 29 2 *",
        "1,,2 * * * *",
        ", * * * *",
        "*-5 * * * *",
        "+5 * * * *",
        "@daily",
        "@midnight",
        "@annually",
        "@every 1h30m",
        "@every 10ms",
        "@every 0",
        "@every -5s",
        "@every  5s",
        "@every 1d",
        "@every 1h 2m",
        "@every",
        "@often",
        " @daily",
        "@daily ",
        "CRON_TZ=Europe/Berlin 0 0 * * *",
        "TZ=Asia/Tokyo @hourly",
        "CRON_TZ= 0 0 * * *",
        "CRON_TZ=UTC 0 0 * * *",
        "CRON_TZ=Nowhere/City 0 0 * * *",
        "CRON_TZ=europe/berlin 0 0 * * *",
        "* * * * * *",
        "* * * *",
        "0 0 30 2 *",
        "0 0 31 2,4,6 ?",
        "61 * * * *",
        "*/0 * * * *",
        "*/5/5 * * * *",
        "1-0 * * * *",
        "1-2-3 * * * *",
        "-1 * * * *",
        "a * * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "99999999999 * * * *",
        " ",
    ):
        await stage.keep_call(f"<{schedule}>", stage.raw.start(stage.id, cron_schedule=schedule, request_id=schedule.replace(" ", "_")))
        try:
            await stage.raw.terminate(stage.id, workflow_execution=WorkflowExecution(workflow_id=stage.id))
        except Refused:
            pass
