"""Timers: one, none, several due together, cancelled."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command


@workflow.defn
class Sleeping:
    @workflow.run
    async def run(self, seconds: list[float]) -> int:
        for one in seconds:
            await workflow.sleep(timedelta(seconds=one), summary=f"{one} s")
        return len(seconds)


@workflow.defn
class CancelsTimer:
    @workflow.run
    async def run(self) -> str:
        long = asyncio.create_task(workflow.sleep(timedelta(hours=1)))
        await workflow.sleep(timedelta(milliseconds=50))
        long.cancel()
        await workflow.sleep(timedelta(milliseconds=50))
        return "cancelled" if long.cancelled() else "not cancelled"


@scenario
async def one_after_the_other(stage: Stage) -> None:
    async with stage.worker([Sleeping]):
        handle = await stage.start(Sleeping.run, [0.1, 0.001, 1.0])
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def cancelled(stage: Stage) -> None:
    async with stage.worker([CancelsTimer]):
        handle = await stage.start(CancelsTimer.run)
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def due_together(stage: Stage) -> None:
    """Fired in order of their due time, then of their start, before one workflow task."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(
        task,
        command("start_timer", timer_id="second", start_to_fire_timeout=timedelta(seconds=1)),
        command("start_timer", timer_id="third", start_to_fire_timeout=timedelta(seconds=1)),
        command("start_timer", timer_id="first", start_to_fire_timeout=timedelta(milliseconds=990)),
    )
    await stage.until_events("TimerFired", "TimerFired", "TimerFired")
    events = await stage.raw.history(stage.id)
    stage.keep("fired", [event.timer_fired_event_attributes.timer_id for event in events if event.HasField("timer_fired_event_attributes")])
    await stage.raw.terminate(stage.id)


@scenario
async def zero(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("start_timer", timer_id="zero"))
    await stage.until_events("TimerFired")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def cancelled_in_the_task_that_started_it(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(
        task,
        command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(minutes=1)),
        command("cancel_timer", timer_id="t"),
        command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(minutes=2)),
    )
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def fired_in_the_buffer_then_cancelled(stage: Stage) -> None:
    """A timer that fires while a workflow task runs is taken out of the buffer by a cancel."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(seconds=1)), force_create_new_workflow_task=True)
    task = await stage.raw.poll_workflow(stage.queue)
    # Nothing shows a buffered event from outside: a second timer's wait bounds the first's from below.
    await stage.raw.start(stage.id + "-clock")
    clock = await stage.raw.poll_workflow(stage.id + "-clock")
    await stage.raw.complete(clock, command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(seconds=2)))
    await stage.until_events("TimerFired", workflow_id=stage.id + "-clock")
    await stage.raw.terminate(stage.id + "-clock")
    await stage.raw.complete(task, command("cancel_timer", timer_id="t"), command("complete_workflow_execution"))
    await stage.keep_history()
