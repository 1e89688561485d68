"""How runs end and go on: results, failures, cancellation, termination, continue-as-new, retries, timeouts."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command, texts


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, kind: str) -> None:
        match kind:
            case "typed":
                raise ApplicationError("no luck", {"why": "none"}, type="NoLuck", non_retryable=True) from ValueError("the cause")
            case "retried":
                if workflow.info().attempt < 3:
                    raise ApplicationError(f"attempt {workflow.info().attempt}", type="Again")
            case "exhausted":
                raise ApplicationError("always", type="Always")
            case "excluded":
                raise ApplicationError("excluded", type="Excluded")


@workflow.defn
class Waiting:
    @workflow.run
    async def run(self, swallow: bool) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not swallow:
                raise
            await workflow.sleep(timedelta(milliseconds=10))
            return "cleaned up"
        return "never"


@workflow.defn
class Continuing:
    @workflow.run
    async def run(self, left: int) -> str:
        if left > 0:
            workflow.continue_as_new(left - 1, memo={"left": left - 1}, run_timeout=timedelta(minutes=5))
        return f"done, {workflow.memo_value('left', None)}"


@scenario
async def failed(stage: Stage) -> None:
    async with stage.worker([Failing]):
        handle = await stage.start(Failing.run, "typed")
        await stage.keep_error("result", handle.result())
    await stage.keep_history()
    await stage.keep_describe()


async def retrying(stage: Stage, kind: str, **policy: object) -> None:
    async with stage.worker([Failing]):
        handle = await stage.start(Failing.run, kind, retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100), **policy), memo={"kept": True})  # type: ignore[arg-type]
        await stage.keep_error("result", handle.result())
    run_id, number = handle.result_run_id or "", 1
    while run_id:
        events = await stage.keep_history(f"run {number}", run_id=run_id)
        await stage.keep_describe(f"run {number}, described", run_id=run_id)
        close = events[-1]
        run_id = (close.workflow_execution_failed_event_attributes if close.HasField("workflow_execution_failed_event_attributes") else close.workflow_execution_completed_event_attributes).new_execution_run_id
        number += 1


@scenario
async def retried_until_success(stage: Stage) -> None:
    await retrying(stage, "retried", maximum_attempts=5)


@scenario
async def retries_exhausted(stage: Stage) -> None:
    await retrying(stage, "exhausted", maximum_attempts=2)


@scenario
async def retry_excluded_by_type(stage: Stage) -> None:
    await retrying(stage, "excluded", maximum_attempts=5, non_retryable_error_types=["Excluded"])


@scenario
async def cancelled_idle(stage: Stage) -> None:
    async with stage.worker([Waiting]):
        handle = await stage.start(Waiting.run, False)
        await stage.until_events("WorkflowTaskCompleted")
        await handle.cancel()
        await stage.keep_error("result", handle.result())
        await stage.keep_error("cancel of the closed", handle.cancel())
        await stage.keep_error("terminate of the closed", handle.terminate())
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def cancel_swallowed(stage: Stage) -> None:
    async with stage.worker([Waiting]):
        handle = await stage.start(Waiting.run, True)
        await stage.until_events("WorkflowTaskCompleted")
        await handle.cancel()
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def cancelled_before_first_task(stage: Stage) -> None:
    handle = await stage.start(Waiting.run, False)
    await handle.cancel()
    await stage.keep_describe("asked")
    async with stage.worker([Waiting]):
        await stage.keep_error("result", handle.result())
    await stage.keep_history()


@scenario
async def cancelled_during_task(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("first", stage.raw.cancel(stage.id, request_id="1", reason="enough"))
    await stage.keep_call("same request", stage.raw.cancel(stage.id, request_id="1"))
    await stage.keep_call("other request", stage.raw.cancel(stage.id, request_id="2"))
    await stage.raw.complete(task)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("cancel_workflow_execution", details=texts("bye")))
    await stage.keep_call("closed", stage.raw.cancel(stage.id))
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def cancel_by_chain(stage: Stage) -> None:
    await stage.keep_call("unknown", stage.raw.cancel(stage.id))
    started = await stage.raw.start(stage.id)
    await stage.keep_call("other chain", stage.raw.cancel(stage.id, first_execution_run_id="00000000-0000-0000-0000-000000000001"))
    await stage.keep_call("this chain", stage.raw.cancel(stage.id, first_execution_run_id=started.run_id))
    await stage.keep_call("terminate other chain", stage.raw.terminate(stage.id, first_execution_run_id="00000000-0000-0000-0000-000000000001"))
    await stage.keep_call("terminate this chain", stage.raw.terminate(stage.id, first_execution_run_id=started.run_id))
    await stage.keep_history()


@scenario
async def terminated_with_scheduled_task(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    await stage.raw.terminate(stage.id, details=texts("details"))
    await stage.keep_call("again", stage.raw.terminate(stage.id))
    await stage.keep_call("unknown", stage.raw.terminate(stage.id + "-unknown"))
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def terminated_with_started_task(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "buffered")
    await stage.raw.terminate(stage.id)
    await stage.keep_call("task of the closed", stage.raw.complete(task))
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def completed_raw(stage: Stage) -> None:
    await stage.raw.start(stage.id, input=texts("in"))
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("complete_workflow_execution", result=texts("out", "and more")))
    await stage.keep_call("task again", stage.raw.complete(task))
    await stage.keep_history()


@scenario
async def failed_raw(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("fail_workflow_execution", failure={"message": "on purpose", "application_failure_info": {"type": "Mine", "non_retryable": True}}))
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def continued_as_new(stage: Stage) -> None:
    async with stage.worker([Continuing]):
        handle = await stage.start(Continuing.run, 2, memo={"first": "memo"}, execution_timeout=timedelta(hours=1), task_timeout=timedelta(seconds=7), retry_policy=RetryPolicy(maximum_attempts=2))
        stage.keep("result", await handle.result())
    run_id, number = handle.result_run_id or "", 1
    while run_id:
        events = await stage.keep_history(f"run {number}", run_id=run_id)
        await stage.keep_describe(f"run {number}, described", run_id=run_id)
        run_id = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        number += 1


@scenario
async def continued_as_new_raw(stage: Stage) -> None:
    """Everything that the command leaves out is inherited."""
    started = await stage.raw.start(stage.id, input=texts("old"), memo={"fields": {"a": texts("b").payloads[0]}}, workflow_task_timeout=timedelta(seconds=9), workflow_run_timeout=timedelta(minutes=30))
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("continue_as_new_workflow_execution", input=texts("new"), backoff_start_interval=timedelta(seconds=2), initiator=1))
    await stage.keep_history("old", run_id=started.run_id)
    await stage.keep_history("new")
    await stage.keep_describe("new, described")
    await stage.raw.signal(stage.id, "early")
    await stage.keep_history("signalled in its backoff")
    await stage.until_events("WorkflowTaskScheduled")
    await stage.keep_history("after its backoff")
    await stage.raw.terminate(stage.id)


@scenario
async def continued_too_soon(stage: Stage) -> None:
    """Runs of one id start at least a second apart: the rest is a backoff."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("continue_as_new_workflow_execution"))
    events = await stage.raw.history(stage.id)
    backoff = events[0].workflow_execution_started_event_attributes.first_workflow_task_backoff.ToTimedelta()
    stage.keep("backoff within a second", timedelta() < backoff <= timedelta(seconds=1))
    stage.keep("events", len(events))
    await stage.raw.terminate(stage.id)


@scenario
async def run_timeout(stage: Stage) -> None:
    await stage.raw.start(stage.id, workflow_run_timeout=timedelta(seconds=1))
    await stage.until_events("WorkflowExecutionTimedOut")
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def run_timeout_with_started_task(stage: Stage) -> None:
    await stage.raw.start(stage.id, workflow_run_timeout=timedelta(seconds=3))
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "buffered")
    await stage.until_events("WorkflowExecutionTimedOut")
    await stage.keep_history()
    await stage.keep_call("task of the closed", stage.raw.complete(task))


@scenario
async def run_timeout_retried(stage: Stage) -> None:
    started = await stage.raw.start(stage.id, workflow_run_timeout=timedelta(seconds=2), retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(milliseconds=200)})
    await stage.until_events("WorkflowExecutionTimedOut", run_id=started.run_id)
    first = await stage.keep_history("first", run_id=started.run_id)
    second = first[-1].workflow_execution_timed_out_event_attributes.new_execution_run_id
    await stage.until_events("WorkflowExecutionTimedOut", run_id=second)
    await stage.keep_history("second", run_id=second)


@scenario
async def execution_timeout(stage: Stage) -> None:
    """Ends the chain whatever the retry policy says."""
    started = await stage.raw.start(stage.id, workflow_execution_timeout=timedelta(seconds=2), retry_policy={"maximum_attempts": 0})
    await stage.keep_describe("open")
    await stage.until_events("WorkflowExecutionTimedOut", run_id=started.run_id)
    await stage.keep_history(run_id=started.run_id)
    await stage.keep_describe("closed")


@scenario
async def start_delay(stage: Stage) -> None:
    """A signal waits for the delay, a cancel does not cut it, terminate works at once."""
    started = await stage.raw.start(stage.id, workflow_start_delay=timedelta(seconds=2))
    await stage.raw.signal(stage.id, "waits")
    await stage.keep_history("delayed")
    await stage.keep_describe("delayed, described")
    await stage.until_events("WorkflowTaskScheduled")
    await stage.keep_history("due", run_id=started.run_id)
    await stage.raw.terminate(stage.id)


@scenario
async def describe_refusals(stage: Stage) -> None:
    await stage.keep_call("unknown", stage.raw.describe(stage.id))
    started = await stage.raw.start(stage.id)
    await stage.keep_call("unknown run", stage.raw.describe(stage.id, "00000000-0000-0000-0000-000000000001"))
    await stage.keep_call("run of another id", stage.raw.describe(stage.id + "-other", started.run_id))
    await stage.raw.terminate(stage.id, workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id=started.run_id))
    await stage.keep_describe("by run id", run_id=started.run_id)
