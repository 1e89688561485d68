"""What the SDK does on top: local activities, patches, workers that fail their task, replay that does not fit."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from tests.differential.scenario import Stage, scenario

broken: set[str] = set()


@activity.defn
async def local(kind: str) -> str:
    if kind == "fail":
        raise ApplicationError("local failure", type="Local", non_retryable=True)
    if kind == "twice" and activity.info().attempt < 2:
        raise RuntimeError("first attempt")
    return f"local {kind}"


@workflow.defn
class Locally:
    @workflow.run
    async def run(self, kinds: list[str]) -> list[str]:
        results = []
        for kind in kinds:
            try:
                results.append(await workflow.execute_local_activity(local, kind, schedule_to_close_timeout=timedelta(seconds=10), retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10))))
            except (ActivityError, ApplicationError) as error:
                results.append(str(error.cause or error))
        return results


@workflow.defn
class Patched:
    @workflow.run
    async def run(self) -> str:
        if workflow.patched("new-way"):
            await workflow.sleep(timedelta(milliseconds=10))
            return "new"
        return "old"


@workflow.defn
class FailsItsTask:
    @workflow.run
    async def run(self) -> str:
        if workflow.info().workflow_id in broken:
            raise RuntimeError("a bug in the workflow")
        return "recovered"


@workflow.defn(name="Changing")
class Before:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(timedelta(milliseconds=50))
        await workflow.wait_condition(lambda: False)


@workflow.defn(name="Changing")
class After:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(local, "x", start_to_close_timeout=timedelta(seconds=5))


@workflow.defn
class Everything:
    """A little of all, in one run."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    async def say(self, word: str) -> None:
        await workflow.sleep(timedelta(milliseconds=1))
        self.words.append(word)

    @workflow.run
    async def run(self) -> Any:
        workflow.upsert_memo({"step": 1})
        first = await workflow.execute_activity(local, "a", start_to_close_timeout=timedelta(seconds=5))
        second = await workflow.execute_local_activity(local, "b", schedule_to_close_timeout=timedelta(seconds=5))
        await workflow.wait_condition(lambda: len(self.words) == 1)
        try:
            await workflow.wait_condition(lambda: False, timeout=0.05)
        except TimeoutError:
            pass
        return [first, second, self.words, workflow.info().attempt, workflow.info().get_current_history_length() > 0]


@scenario
async def local_activities(stage: Stage) -> None:
    async with stage.worker([Locally], [local]):
        handle = await stage.start(Locally.run, ["a", "fail", "twice"])
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def patched(stage: Stage) -> None:
    """A marker, and the search attribute that the SDK upserts without asking."""
    async with stage.worker([Patched], max_cached_workflows=0):
        handle = await stage.start(Patched.run)
        stage.keep("result", await handle.result())
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def task_failed_and_recovered(stage: Stage) -> None:
    broken.add(stage.id)
    async with stage.worker([FailsItsTask]):
        handle = await stage.start(FailsItsTask.run, task_timeout=timedelta(seconds=1))
        await stage.until_events("WorkflowTaskFailed")
        broken.discard(stage.id)
        stage.keep("result", await handle.result())
    events = await stage.raw.history(stage.id)
    stage.keep("failed", events[3])
    stage.keep("last", events[-1])


@scenario
async def changed_under_the_run(stage: Stage) -> None:
    """A history that the code no longer makes: the task fails with that cause."""
    async with stage.worker([Before], [local]):
        await stage.start(Before.run)
        await stage.until_events("TimerFired", "WorkflowTaskCompleted", "WorkflowTaskCompleted")
    async with stage.worker([After], [local]):
        await stage.raw.signal(stage.id, "wake up")
        await stage.until_events("WorkflowTaskFailed")
    events = await stage.raw.history(stage.id)
    failed = next(event for event in events if event.HasField("workflow_task_failed_event_attributes"))
    stage.keep("cause", failed.workflow_task_failed_event_attributes.cause)
    await stage.raw.terminate(stage.id)


@scenario
async def everything(stage: Stage) -> None:
    async with stage.worker([Everything], [local]):
        handle = await stage.start(Everything.run)
        await stage.until_events("MarkerRecorded")
        await handle.signal(Everything.say, "word")
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def without_cache(stage: Stage) -> None:
    """Every task replays from the first event."""
    async with stage.worker([Everything], [local], max_cached_workflows=0):
        handle = await stage.start(Everything.run)
        await stage.until_events("MarkerRecorded")
        await handle.signal(Everything.say, "word")
        stage.keep("result", await handle.result())
    await stage.keep_history()
