"""The workflows of `tests.differential.scenarios.languages` in Python, and a client that does as it is told.

One line of JSON on standard input is one thing to do, one line on standard output its answer: `tests/differential/player.py` is the other end.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, FailureError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

SOON = timedelta(milliseconds=10)
LATE = timedelta(hours=1)
ACTIVITY = {"start_to_close_timeout": timedelta(seconds=10)}
RETRY = RetryPolicy(initial_interval=SOON, backoff_coefficient=1, maximum_attempts=5)
COLOUR = SearchAttributeKey.for_keyword("Colour")


@activity.defn
async def echo(text: str) -> str:
    return text


@activity.defn
async def flaky(text: str) -> str:
    if activity.info().attempt < 3:
        raise ApplicationError(f"attempt {activity.info().attempt}", type="Flaky")
    return f"{text} at attempt {activity.info().attempt}"


@activity.defn
async def refuse(text: str) -> str:
    raise ApplicationError(text, type="Refused", non_retryable=True)


@activity.defn
async def beat() -> str:
    if activity.info().attempt == 1:
        activity.heartbeat("half")
        raise ApplicationError("the other half", type="Half")
    return str(activity.info().heartbeat_details[0])


@activity.defn
async def hang() -> str:
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


@workflow.defn
class Sequence:
    @workflow.run
    async def run(self) -> str:
        return "".join([await workflow.execute_activity(echo, text, **ACTIVITY) for text in "abc"])


@workflow.defn
class FanOut:
    @workflow.run
    async def run(self) -> str:
        return "".join(await asyncio.gather(*(workflow.execute_activity(echo, text, **ACTIVITY) for text in "01234")))


@workflow.defn
class Retries:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(flaky, "there", retry_policy=RETRY, **ACTIVITY)


@workflow.defn
class Refused:
    @workflow.run
    async def run(self) -> str:
        try:
            return await workflow.execute_activity(refuse, "no", **ACTIVITY)
        except ActivityError as error:
            assert isinstance(error.cause, ApplicationError)
            return f"refused: {error.cause.message}"


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> str:
        late = asyncio.create_task(workflow.sleep(LATE))
        await asyncio.sleep(0)  # It begins, as it does in other languages.
        await workflow.sleep(SOON)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        await workflow.sleep(SOON)
        return "done"


@workflow.defn
class Patience:
    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def go(self) -> None:
        self.told = True

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: False, timeout=SOON)
        except asyncio.TimeoutError:
            await workflow.wait_condition(lambda: self.told, timeout=LATE)
        return await workflow.execute_activity(echo, "in time", **ACTIVITY)


@workflow.defn
class Signals:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    def add(self, word: str) -> None:
        self.words.append(word)

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: len(self.words) == 3)
        return " ".join(self.words)


@workflow.defn
class Queries:
    def __init__(self) -> None:
        self.step = "started"

    @workflow.query
    def state(self) -> str:
        return self.step

    @workflow.signal
    def finish(self) -> None:
        self.step = "finished"

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.step == "finished")
        return self.step


@workflow.defn
class Scope:
    def __init__(self) -> None:
        self.stopped = False

    @workflow.signal
    def stop(self) -> None:
        self.stopped = True

    @workflow.run
    async def run(self) -> str:
        hanging = workflow.start_activity(
            hang,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=20),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self.stopped)
        hanging.cancel()
        try:
            return await hanging
        except ActivityError:
            return await workflow.execute_activity(echo, "cleaned", **ACTIVITY)


@workflow.defn
class Cancelled:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.sleep(LATE)
        except asyncio.CancelledError:
            await workflow.execute_activity(echo, "cleaned", **ACTIVITY)
            raise
        return "late"


@workflow.defn
class ContinueAsNew:
    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return "done"


@workflow.defn
class LocalActivities:
    @workflow.run
    async def run(self) -> str:
        return "".join([await workflow.execute_local_activity(echo, text, **ACTIVITY) for text in "ab"])


@workflow.defn
class SideEffect:
    """This SDK has none: what is random or of the clock is given by the workflow itself."""

    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(echo, "seven", **ACTIVITY)


@workflow.defn
class Patched:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(echo, "new" if workflow.patched("change") else "old", **ACTIVITY)


@workflow.defn
class Leaf:
    @workflow.run
    async def run(self, text: str) -> str:
        return f"leaf {text}"


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_child_workflow(Leaf.run, "green", id=f"{workflow.info().workflow_id}-child")


@workflow.defn
class ChildFails:
    @workflow.run
    async def run(self) -> str:
        try:
            return await workflow.execute_child_workflow(Failing.run, id=f"{workflow.info().workflow_id}-child")
        except ChildWorkflowError as error:
            assert isinstance(error.cause, ApplicationError)
            return f"child failed: {error.cause.message}"


@workflow.defn
class Receiver:
    def __init__(self) -> None:
        self.word = ""

    @workflow.signal
    def add(self, word: str) -> None:
        self.word = word

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self.word))
        return self.word


@workflow.defn
class ExternalSignal:
    @workflow.run
    async def run(self, target: str) -> str:
        await workflow.get_external_workflow_handle(target).signal("add", "from outside")
        return "sent"


@workflow.defn
class Updates:
    def __init__(self) -> None:
        self.words: list[str] = []
        self.finished = False

    @workflow.update
    async def append(self, word: str) -> str:
        self.words.append(await workflow.execute_activity(echo, word, **ACTIVITY))
        return " ".join(self.words)

    @append.validator
    def check(self, word: str) -> None:
        if not word:
            raise ApplicationError("empty", type="Empty")

    @workflow.signal
    def finish(self) -> None:
        self.finished = True

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.finished)
        return " ".join(self.words)


@workflow.defn
class Memo:
    @workflow.run
    async def run(self) -> str:
        workflow.upsert_memo({"step": "one"})
        return await workflow.execute_activity(echo, workflow.memo_value("note", type_hint=str), **ACTIVITY)


@workflow.defn
class SearchAttributes:
    @workflow.run
    async def run(self) -> str:
        workflow.upsert_search_attributes([COLOUR.value_set("blue")])
        return await workflow.execute_activity(echo, "blue", **ACTIVITY)


@workflow.defn
class Heartbeat:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(beat, retry_policy=RETRY, heartbeat_timeout=timedelta(seconds=20), **ACTIVITY)


@workflow.defn
class Saga:
    @workflow.run
    async def run(self) -> str:
        done: list[str] = []
        try:
            for step in ("hotel", "flight"):
                done.append(await workflow.execute_activity(echo, step, **ACTIVITY))
            return await workflow.execute_activity(refuse, "car", **ACTIVITY)
        except ActivityError:
            for step in reversed(done):
                await workflow.execute_activity(echo, f"no {step}", **ACTIVITY)
            raise ApplicationError("no trip", type="Saga", non_retryable=True) from None


@workflow.defn
class Failing:
    @workflow.run
    async def run(self) -> str:
        raise ApplicationError("broken", type="Broken", non_retryable=True)


WORKFLOWS = [Sequence, FanOut, Retries, Refused, Timers, Patience, Signals, Queries, Scope, Cancelled, ContinueAsNew, LocalActivities]
WORKFLOWS += [SideEffect, Patched, Leaf, Child, ChildFails, Receiver, ExternalSignal, Updates, Memo, SearchAttributes, Heartbeat, Saga, Failing]


async def do(client: Client, queue: str, asked: dict[str, Any]) -> Any:
    """One thing to do; raises what the SDK raises."""
    arguments = asked.get("args", [])
    what = asked["do"]
    if what == "start":
        await client.start_workflow(asked["type"], args=arguments, id=asked["id"], task_queue=queue, memo=asked.get("memo"))
        return None
    if what == "replay":
        history = WorkflowHistory.from_json(asked["id"], asked["history"])
        await Replayer(workflows=WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner()).replay_workflow(history)
        return None
    handle = client.get_workflow_handle(asked["id"])
    if what == "result":
        return await handle.result()
    if what == "signal":
        return await handle.signal(asked["name"], args=arguments)
    if what == "query":
        return await handle.query(asked["name"], args=arguments)
    if what == "update":
        return await handle.execute_update(asked["name"], args=arguments)
    if what == "cancel":
        return await handle.cancel()
    raise ValueError(what)


def told(error: BaseException) -> str:
    """The last word of a chain of failures."""
    while isinstance(error, (WorkflowFailureError, WorkflowUpdateFailedError, ActivityError, ChildWorkflowError)) and error.cause:
        error = error.cause
    return error.message if isinstance(error, FailureError) else str(error)


async def main(address: str, queue: str) -> None:
    client = await Client.connect(address, identity="client", runtime=Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=None))
    worker = Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=[echo, flaky, refuse, beat, hang],
        identity="worker",
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=timedelta(milliseconds=100),
    )

    async def answer(line: str) -> None:
        asked = json.loads(line)
        try:
            said: dict[str, Any] = {"n": asked["n"], "value": await do(client, queue, asked)}
        except Exception as error:
            said = {"n": asked["n"], "error": told(error)}
        print(json.dumps(said), flush=True)

    async with worker, asyncio.TaskGroup() as tasks:
        while line := await asyncio.to_thread(sys.stdin.readline):
            tasks.create_task(answer(line))


if __name__ == "__main__":
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    asyncio.run(main(sys.argv[1], sys.argv[2]))
