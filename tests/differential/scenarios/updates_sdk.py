"""Updates with the SDK: validators, handlers that wait, failures, replays, dynamic handlers, ids that come twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateStage
from temporalio.common import RawValue, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError

from tests.differential.scenario import Stage, scenario

ACCEPTED = WorkflowUpdateStage.ACCEPTED


@activity.defn
async def double(number: int) -> int:
    return number * 2


@workflow.defn
class Counting:
    def __init__(self) -> None:
        self.count = 0
        self.done = False
        self.log: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.log

    @workflow.update
    async def add(self, number: int) -> int:
        self.count += number
        self.log.append(f"add {number}")
        return self.count

    @add.validator
    def add_is_positive(self, number: int) -> None:
        if number < 0:
            raise ApplicationError(f"{number} is negative", type="Negative")

    @workflow.update
    async def add_slowly(self, number: int) -> int:
        self.log.append("slowly")
        number = await workflow.execute_activity(double, number, start_to_close_timeout=timedelta(seconds=10))
        await workflow.sleep(timedelta(milliseconds=10))
        self.count += number
        return self.count

    @workflow.update
    async def fail(self) -> None:
        raise ApplicationError("failed on purpose", "detail", type="OnPurpose")

    @workflow.update
    async def until_done(self) -> str:
        await workflow.wait_condition(lambda: self.done)
        return "done"

    @workflow.update
    async def never(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def close(self) -> str:
        self.done = True
        return "closing"

    @workflow.update(dynamic=True)
    async def anything(self, name: str, args: Sequence[RawValue]) -> str:
        return f"{name} {len(args)}"

    @workflow.signal
    async def finish(self) -> None:
        self.log.append("finish")
        self.done = True

    @workflow.query
    def counted(self) -> int:
        return self.count


@workflow.defn
class Impatient:
    """Ends under an update that it accepted."""

    def __init__(self) -> None:
        self.asked = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.asked)
        return "ended"

    @workflow.update
    async def ask(self) -> None:
        self.asked = True
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Restarting:
    """Continues as new when it is told to."""

    def __init__(self) -> None:
        self.again = False

    @workflow.run
    async def run(self, generation: int) -> int:
        await workflow.wait_condition(lambda: self.again)
        if generation < 2:
            workflow.continue_as_new(generation + 1)
        return generation

    @workflow.update
    async def restart(self) -> str:
        self.again = True
        return "restarting"


@workflow.defn
class Plain:
    """Knows no updates."""

    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.done)

    @workflow.signal
    async def finish(self) -> None:
        self.done = True


@scenario
async def counted(stage: Stage) -> None:
    """One after the other on an idle workflow; a query sees what they did."""
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        for number in (1, 2, 3):
            stage.keep(f"add {number}", await handle.execute_update(Counting.add, number, id=f"add-{number}"))
        stage.keep("counted", await handle.query(Counting.counted))
        await handle.signal(Counting.finish)
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def validated(stage: Stage) -> None:
    """A rejected update leaves no events."""
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        await stage.keep_error("negative", handle.execute_update(Counting.add, -1, id="negative"))
        await stage.keep_history("rejected")
        stage.keep("positive", await handle.execute_update(Counting.add, 1, id="positive"))
        await stage.keep_error("negative again", handle.execute_update(Counting.add, -2, id="negative"))
        await handle.signal(Counting.finish)
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def with_an_activity(stage: Stage) -> None:
    """Accepted in one task, completed in another, with an activity and a timer between."""
    async with stage.worker([Counting], [double]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        update = await handle.start_update(Counting.add_slowly, 4, id="slow", wait_for_stage=ACCEPTED)
        stage.keep("id", update.id)
        stage.keep("outcome", await update.result())
        stage.keep("by another handle", await handle.get_update_handle("slow").result())
        await handle.signal(Counting.finish)
        await handle.result()
        stage.keep("behind the close", await handle.get_update_handle("slow").result())
    await stage.keep_history()


@scenario
async def failed(stage: Stage) -> None:
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        await stage.keep_error("failed", handle.execute_update(Counting.fail, id="failing"))
        await stage.keep_error("failed, again", handle.get_update_handle("failing").result())
        await handle.signal(Counting.finish)
        await handle.result()
    await stage.keep_history()


@scenario
async def the_same_id(stage: Stage) -> None:
    """An id is one update, whatever it asks for."""
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        stage.keep("first", await handle.execute_update(Counting.add, 1, id="same"))
        stage.keep("second", await handle.execute_update(Counting.add, 5, id="same"))
        await handle.signal(Counting.finish)
        stage.keep("result", await handle.result())
        stage.keep("behind the close", await handle.execute_update(Counting.add, 9, id="same"))
        await stage.keep_error("another", handle.execute_update(Counting.add, 9, id="other"))
    await stage.keep_history()


@scenario
async def waits_for_a_signal(stage: Stage) -> None:
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        update = await handle.start_update(Counting.until_done, id="until", wait_for_stage=ACCEPTED)
        await handle.signal(Counting.finish)
        stage.keep("outcome", await update.result())
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def closes_its_workflow(stage: Stage) -> None:
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        stage.keep("outcome", await handle.execute_update(Counting.close, id="close"))
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def ended_under_it(stage: Stage) -> None:
    async with stage.worker([Impatient]):
        handle = await stage.start(Impatient.run)
        await stage.until_events("WorkflowTaskCompleted")
        await stage.keep_error("outcome", handle.execute_update(Impatient.ask, id="ask"))
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def dynamic_and_unknown(stage: Stage) -> None:
    async with stage.worker([Counting, Plain]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        stage.keep("dynamic", await handle.execute_update("whatever", args=[1, 2], id="dynamic"))
        await handle.signal(Counting.finish)
        await handle.result()
        plain = await stage.start(Plain.run, suffix="-plain")
        await stage.until_events("WorkflowTaskCompleted", workflow_id=stage.id + "-plain")
        await stage.keep_error("unknown", plain.execute_update("whatever", id="unknown"))
        await plain.signal(Plain.finish)
        await plain.result()
    await stage.keep_history(workflow_id=stage.id + "-plain")


@scenario
async def without_a_cache(stage: Stage) -> None:
    """Each task replays the whole history, updates and all."""
    async with stage.worker([Counting], [double], max_cached_workflows=0):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        stage.keep("first", await handle.execute_update(Counting.add, 1, id="a"))
        stage.keep("second", await handle.execute_update(Counting.add_slowly, 2, id="b"))
        await stage.keep_error("rejected", handle.execute_update(Counting.add, -1, id="c"))
        stage.keep("third", await handle.execute_update(Counting.add, 3, id="d"))
        await handle.signal(Counting.finish)
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def before_any_worker(stage: Stage) -> None:
    """The first task brings the update, and the signal that came before it."""
    handle = await stage.start(Counting.run)
    await handle.signal(Counting.finish)
    update = asyncio.create_task(handle.execute_update(Counting.add, 1, id="early"))

    async def admitted() -> bool:
        from tests.differential.scenarios.updates import look
        from tests.support.rpc import Refused

        try:
            await look(stage, "early")
        except Refused:
            return False
        return True

    from tests.support.wait import until

    await until(admitted, "the update is admitted")
    async with stage.worker([Counting]):
        stage.keep("outcome", await update)
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def another_worker_takes_over(stage: Stage) -> None:
    """The update is accepted by one worker and completed by another."""
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        update = await handle.start_update(Counting.until_done, id="until", wait_for_stage=ACCEPTED)
    async with stage.worker([Counting]):
        await handle.signal(Counting.finish)
        stage.keep("outcome", await update.result())
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def restarts(stage: Stage) -> None:
    """The update of one run is not that of the next."""
    async with stage.worker([Restarting]):
        handle = await stage.start(Restarting.run, 1)
        first = handle.first_execution_run_id
        await stage.until_events("WorkflowTaskCompleted")
        stage.keep("first", await handle.execute_update(Restarting.restart, id="restart"))
        await stage.until_events("WorkflowExecutionContinuedAsNew", run_id=first or "")
        await stage.until_events("WorkflowTaskCompleted")
        stage.keep("second", await handle.execute_update(Restarting.restart, id="restart"))
        stage.keep("result", await handle.result())
    await stage.keep_history("first run", run_id=first or "")
    await stage.keep_history("second run")


def with_start(stage: Stage, run: Any, *args: Any, conflict: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.USE_EXISTING, **options: Any) -> WithStartWorkflowOperation[Any, Any]:
    """The start of an update with start."""
    return WithStartWorkflowOperation(run, args=args, id=stage.id, task_queue=stage.queue, id_conflict_policy=conflict, **options)


@scenario
async def started_with(stage: Stage) -> None:
    """Starts the workflow, then uses the one that runs."""
    async with stage.worker([Counting]):
        for number in (1, 2):
            start = with_start(stage, Counting.run)
            stage.keep(f"add {number}", await stage.client.execute_update_with_start_workflow(Counting.add, number, start_workflow_operation=start, id=f"add-{number}"))
        handle = await start.workflow_handle()
        await handle.signal(Counting.finish)
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def started_with_and_rejected(stage: Stage) -> None:
    async with stage.worker([Counting]):
        start = with_start(stage, Counting.run)
        await stage.keep_error("rejected", stage.client.execute_update_with_start_workflow(Counting.add, -1, start_workflow_operation=start, id="negative"))
        handle = await start.workflow_handle()
        await handle.signal(Counting.finish)
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def started_with_and_refused(stage: Stage) -> None:
    """The workflow runs and may not be used."""
    async with stage.worker([Counting]):
        handle = await stage.start(Counting.run)
        await stage.until_events("WorkflowTaskCompleted")
        start = with_start(stage, Counting.run, conflict=WorkflowIDConflictPolicy.FAIL)
        await stage.keep_error("refused", stage.client.execute_update_with_start_workflow(Counting.add, 1, start_workflow_operation=start, id="add"))
        await handle.signal(Counting.finish)
        await handle.result()
        start = with_start(stage, Counting.run, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)
        await stage.keep_error("finished", stage.client.execute_update_with_start_workflow(Counting.add, 1, start_workflow_operation=start, id="add"))
    await stage.keep_history()
