"""Activities through the official SDK: failure, retry, heartbeat, cancellation, asynchronous completion."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.workflow import ActivityCancellationType

from tests.differential.scenario import Stage, scenario
from tests.support.wait import until

tokens: dict[str, bytes] = {}


@activity.defn
async def fail(kind: str) -> str:
    match kind:
        case "always":
            raise ApplicationError("failed", {"detail": 1}, type="Always")
        case "for good":
            raise ApplicationError("for good", type="ForGood", non_retryable=True)
        case "delay":
            if activity.info().attempt < 2:
                raise ApplicationError("later", type="Later", next_retry_delay=timedelta(milliseconds=50))
        case "twice":
            if activity.info().attempt < 3:
                raise ValueError("a plain exception") from KeyError("its cause")
        case "progress":
            if activity.info().attempt == 1:
                activity.heartbeat("half", 50)
                raise RuntimeError("stopped half way")
            return str(list(activity.info().heartbeat_details))
    return f"attempt {activity.info().attempt}"


@activity.defn
async def run_until_cancelled() -> str:
    try:
        while True:
            activity.heartbeat("alive")
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        activity.heartbeat("cleaned up")
        raise


@activity.defn
async def ignore_cancel() -> str:
    while True:
        activity.heartbeat()
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            return "finished anyway"


@activity.defn
async def leave_open() -> str:
    tokens[activity.info().workflow_id or ""] = activity.info().task_token
    activity.raise_complete_async()


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, kind: str, swallow: bool) -> str:
        policy = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3, non_retryable_error_types=["Always"] if kind == "always" and swallow else [])
        try:
            return await workflow.execute_activity(fail, kind, start_to_close_timeout=timedelta(seconds=10), retry_policy=policy)
        except ActivityError as error:
            if not swallow:
                raise
            return f"{error.retry_state} {error.activity_type} {error.cause}"


@workflow.defn
class Cancelling:
    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def cancel_it(self) -> None:
        self.told = True

    @workflow.run
    async def run(self, name: str, kind: int) -> str:
        handle = workflow.start_activity(
            name,
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(milliseconds=1000),
            cancellation_type=ActivityCancellationType(kind),
        )
        await workflow.wait_condition(lambda: self.told)
        handle.cancel()
        try:
            return str(await handle)
        except ActivityError as error:
            return f"{type(error.cause).__name__}: {error.cause}"


@workflow.defn
class Asynchronous:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            leave_open, activity_id="open", start_to_close_timeout=timedelta(seconds=30), heartbeat_timeout=timedelta(seconds=20),
            retry_policy=RetryPolicy(maximum_attempts=1), cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
        )


async def failing(stage: Stage, kind: str, swallow: bool = True) -> None:
    async with stage.worker([Failing], [fail]):
        handle = await stage.start(Failing.run, kind, swallow)
        await stage.keep_error("result", handle.result())
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def attempts_exhausted(stage: Stage) -> None:
    await failing(stage, "always", swallow=False)


@scenario
async def non_retryable_by_failure(stage: Stage) -> None:
    await failing(stage, "for good")


@scenario
async def non_retryable_by_policy(stage: Stage) -> None:
    await failing(stage, "always", swallow=True)


@scenario
async def retried_until_success(stage: Stage) -> None:
    await failing(stage, "twice")


@scenario
async def next_retry_delay(stage: Stage) -> None:
    await failing(stage, "delay")


@scenario
async def heartbeat_details_survive_retry(stage: Stage) -> None:
    await failing(stage, "progress")


async def cancelling(stage: Stage, run: object, kind: ActivityCancellationType) -> None:
    async with stage.worker([Cancelling], [run_until_cancelled, ignore_cancel]):
        handle = await stage.start(Cancelling.run, run.__name__, int(kind))  # type: ignore[attr-defined]
        await stage.until_pending(lambda found: any(pending.state == 2 for pending in found.pending_activities), "activity started")
        await handle.signal(Cancelling.cancel_it)
        stage.keep("result", await handle.result())
        await stage.until_events("WorkflowExecutionCompleted")
    await stage.keep_history()


@scenario
async def cancel_wait(stage: Stage) -> None:
    await cancelling(stage, run_until_cancelled, ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)


@scenario
async def cancel_wait_ignored(stage: Stage) -> None:
    await cancelling(stage, ignore_cancel, ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)


@scenario
async def cancel_try(stage: Stage) -> None:
    await cancelling(stage, run_until_cancelled, ActivityCancellationType.TRY_CANCEL)


@scenario
async def cancel_abandon(stage: Stage) -> None:
    await cancelling(stage, run_until_cancelled, ActivityCancellationType.ABANDON)


async def asynchronous(stage: Stage, by_id: bool, how: str) -> None:
    tokens.pop(stage.id, None)
    async with stage.worker([Asynchronous], [leave_open]):
        handle = await stage.start(Asynchronous.run)

        async def token() -> bytes | None:
            return tokens.get(stage.id)

        await until(token, "activity left open")
        named = stage.client.get_async_activity_handle(workflow_id=stage.id, run_id=None, activity_id="open") if by_id else stage.client.get_async_activity_handle(task_token=tokens[stage.id])
        match how:
            case "complete":
                await named.heartbeat("still here")
                described = await stage.raw.describe(stage.id)
                stage.keep("pending", described.pending_activities[0])
                await named.complete("by hand")
            case "fail":
                await named.fail(ApplicationError("by hand", type="ByHand"), last_heartbeat_details=["so far"])
            case "cancel":
                await stage.keep_error("not asked", named.report_cancellation("too early"))
                await handle.cancel()
                await stage.until_events("ActivityTaskCancelRequested")
                await stage.keep_error("heartbeat", named.heartbeat("once more"))
                await named.report_cancellation("by hand")
        await stage.keep_error("result", handle.result())
        if how == "complete":
            await stage.keep_error("again", named.complete("twice"))
    await stage.keep_history()


@scenario
async def completed_by_token(stage: Stage) -> None:
    await asynchronous(stage, False, "complete")


@scenario
async def completed_by_id(stage: Stage) -> None:
    await asynchronous(stage, True, "complete")


@scenario
async def failed_by_token(stage: Stage) -> None:
    await asynchronous(stage, False, "fail")


@scenario
async def failed_by_id(stage: Stage) -> None:
    await asynchronous(stage, True, "fail")


@scenario
async def cancelled_by_token(stage: Stage) -> None:
    await asynchronous(stage, False, "cancel")


@scenario
async def cancelled_by_id(stage: Stage) -> None:
    await asynchronous(stage, True, "cancel")
