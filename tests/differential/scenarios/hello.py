"""The first things anybody tries, through the official SDK."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import Priority, RetryPolicy

from tests.differential.scenario import Stage, scenario


@activity.defn
async def greet(name: str) -> str:
    return f"hello {name}"


@activity.defn
async def other() -> None:
    pass


@workflow.defn
class HelloWorkflow:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=timedelta(seconds=10))


@workflow.defn
class EmptyWorkflow:
    @workflow.run
    async def run(self) -> None:
        pass


@workflow.defn
class ThreeActivities:
    @workflow.run
    async def run(self) -> list[str]:
        return [await workflow.execute_activity(greet, str(n), activity_id=f"greet {n}", schedule_to_close_timeout=timedelta(seconds=30)) for n in range(3)]


@scenario
async def hello_world(stage: Stage) -> None:
    async with stage.worker([HelloWorkflow], [greet]):
        handle = await stage.start(HelloWorkflow.run, "world")
        stage.keep("result", await handle.result())
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def empty(stage: Stage) -> None:
    async with stage.worker([EmptyWorkflow]):
        handle = await stage.start(EmptyWorkflow.run)
        stage.keep("result", await handle.result())
    await stage.keep_history()
    await stage.keep_describe()


@scenario
async def activities_in_sequence(stage: Stage) -> None:
    async with stage.worker([ThreeActivities], [greet]):
        handle = await stage.start(ThreeActivities.run)
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def not_eager(stage: Stage) -> None:
    async with stage.worker([HelloWorkflow], [greet], disable_eager_activity_execution=True):
        handle = await stage.start(HelloWorkflow.run, "world")
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def everything_set(stage: Stage) -> None:
    """Each optional field of a start, as it shows in the first event and in Describe."""
    handle = await stage.start(
        HelloWorkflow.run,
        "world",
        execution_timeout=timedelta(hours=2),
        run_timeout=timedelta(hours=1),
        task_timeout=timedelta(seconds=5),
        memo={"note": "kept", "number": 7},
        retry_policy=RetryPolicy(maximum_attempts=3),
        static_summary="a summary",
        static_details="the details",
        priority=Priority(priority_key=2, fairness_key="tenant", fairness_weight=2.5),
    )
    await stage.keep_describe("open")
    await handle.terminate("done")
    await stage.keep_history()
    await stage.keep_describe("closed")


@scenario
async def unknown_workflow_type(stage: Stage) -> None:
    """The worker fails the task until someone deploys the type."""
    handle = await stage.start("Missing", run_timeout=timedelta(minutes=1))
    async with stage.worker([EmptyWorkflow]):
        await stage.until_events("WorkflowTaskFailed")
    await handle.terminate()
    events = await stage.raw.history(stage.id)
    stage.keep("failed", events[3])


@scenario
async def unknown_activity_type(stage: Stage) -> None:
    async with stage.worker([HelloWorkflow], [other]):
        handle = await stage.start(HelloWorkflow.run, "world", run_timeout=timedelta(minutes=1))
        described = await stage.until_pending(lambda found: found.pending_activities and found.pending_activities[0].HasField("last_failure"), "failed once")
        stage.keep("failure", described.pending_activities[0].last_failure)
        await handle.terminate()
