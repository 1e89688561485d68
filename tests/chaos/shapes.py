"""The workflows and activities that run while servers die. Nothing here knows of faults: ordinary user code.

| shape     | does                                             | driver adds                      |
|-----------|--------------------------------------------------|----------------------------------|
| Pipeline  | activities in sequence, retries, heartbeats      | –                                |
| Timers    | timers side by side, one cancelled               | –                                |
| Collect   | waits for numbered signals, answers how many     | signals in sequence, queries     |
| Stop      | waits, cleans up when cancelled                  | a cancel                         |
| Wait      | waits for ever                                   | a terminate                      |
| Continued | continues as new                                 | –                                |
| External  | an activity that a raw client does               | heartbeats, completions, deaths  |
| Counter   | adds what updates bring, refuses negative ones   | updates, some twice, some bad    |
| Family    | calls one child in a chain, leaves another one   | the end of both children         |
| Rewound   | waits for numbered signals, as Collect           | signals around a reset           |
| Operated  | an activity that a raw client does, as External  | a pause, and its end             |
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

QUEUE = "chaos"
EXTERNAL_QUEUE = "chaos-external"
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=1))
TASK_TIMEOUT = timedelta(seconds=3)
STICKY_TIMEOUT = timedelta(seconds=2)
ACTIVITY_TIMEOUT = timedelta(seconds=10)
THINK_SECONDS = 0.1
HEARTBEAT_TIMEOUT = timedelta(seconds=2)


@activity.defn
async def step(number: int) -> int:
    """Fails the first time if odd."""
    for part in range(3):
        activity.heartbeat(part)
        await asyncio.sleep(0.01)
    if number % 2 and activity.info().attempt == 1:
        raise RuntimeError("odd steps fail once")
    return number


@workflow.defn
class Pipeline:
    @workflow.run
    async def run(self, steps: int) -> list[int]:
        return [
            await workflow.execute_activity(step, number, start_to_close_timeout=ACTIVITY_TIMEOUT, heartbeat_timeout=HEARTBEAT_TIMEOUT, retry_policy=QUICK)
            for number in range(steps)
        ]


@workflow.defn
class Timers:
    @workflow.run
    async def run(self, milliseconds: list[int]) -> int:
        never = asyncio.create_task(workflow.sleep(timedelta(hours=1)))
        await asyncio.gather(*(workflow.sleep(timedelta(milliseconds=one)) for one in milliseconds))
        never.cancel()
        await workflow.sleep(timedelta(milliseconds=1))
        return len(milliseconds)


@workflow.defn
class Collect:
    def __init__(self) -> None:
        self.heard: list[int] = []

    @workflow.signal
    def number(self, number: int) -> None:
        self.heard.append(number)
        if number % 2:
            time.sleep(THINK_SECONDS)  # a long workflow task: what comes meanwhile waits in a buffer

    @workflow.query
    def count(self) -> int:
        return len(self.heard)

    @workflow.run
    async def run(self, expected: int) -> list[int]:
        await workflow.wait_condition(lambda: len(self.heard) >= expected)
        return self.heard


@workflow.defn
class Rewound(Collect):
    @workflow.run
    async def run(self, expected: int) -> list[int]:
        await workflow.wait_condition(lambda: len(self.heard) >= expected)
        return self.heard


@workflow.defn
class Stop:
    @workflow.run
    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await workflow.execute_activity(step, 0, start_to_close_timeout=ACTIVITY_TIMEOUT, retry_policy=QUICK)


@workflow.defn
class Wait:
    @workflow.run
    async def run(self) -> None:
        await asyncio.Event().wait()


@workflow.defn
class Continued:
    @workflow.run
    async def run(self, left: int) -> str:
        await workflow.sleep(timedelta(milliseconds=20))
        if left:
            workflow.continue_as_new(left - 1)
        return "done"


@workflow.defn
class External:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            "external",
            task_queue=EXTERNAL_QUEUE,
            start_to_close_timeout=ACTIVITY_TIMEOUT,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=QUICK,
            result_type=str,
        )


@workflow.defn
class Operated(External):
    @workflow.run
    async def run(self) -> str:
        return await super().run()


@workflow.defn
class Counter:
    def __init__(self) -> None:
        self.added: list[int] = []

    @workflow.update
    async def add(self, number: int) -> int:
        if number % 2:
            await workflow.sleep(timedelta(milliseconds=20))  # accepted in one workflow task, completed in another
        self.added.append(number)
        return len(self.added)

    @add.validator
    def check(self, number: int) -> None:
        if number < 0:
            raise ValueError("negative")

    @workflow.run
    async def run(self, expected: int) -> list[int]:
        await workflow.wait_condition(lambda: len(self.added) >= expected and workflow.all_handlers_finished())
        return self.added


@workflow.defn
class Heir:
    """A child that begins anew behind every odd call, and takes along what it has heard."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    @workflow.signal
    def call(self, number: int) -> None:
        self.heard.append(number)

    @workflow.run
    async def run(self, expected: int, before: list[int]) -> list[int]:
        await workflow.wait_condition(lambda: len(before) + len(self.heard) >= expected or any(number % 2 for number in self.heard))
        heard = before + self.heard
        if len(heard) < expected:
            workflow.continue_as_new(args=[expected, heard])
        return heard


@workflow.defn
class Family:
    @workflow.run
    async def run(self, calls: int) -> list[int]:
        me = workflow.info().workflow_id
        heir = await workflow.start_child_workflow(Heir.run, args=[calls, []], id=f"{me}-heir", task_timeout=TASK_TIMEOUT)
        await workflow.start_child_workflow(Stop.run, id=f"{me}-stop", task_timeout=TASK_TIMEOUT, parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL)
        for number in range(1, calls + 1):
            await heir.signal(Heir.call, number)
        return await heir


CHILDREN = ("heir", "stop")
"""What ends the ids of a family's children."""

WORKFLOWS = [Pipeline, Timers, Collect, Stop, Wait, Continued, External, Counter, Heir, Family, Rewound, Operated]
ACTIVITIES = [step]
