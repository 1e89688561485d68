"""The first promise: a workflow survives the death of the server.

Starts a workflow with a timer and an activity through the official SDK, kills the server with SIGKILL while the
timer is pending, runs the same command again, and the workflow completes with the history of one unbroken run.
Not a load test: one workflow, a few kills.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import WorkflowExecutionStatus

from tests.support import sdk
from tests.support.rpc import Raw, attributes, event_name
from tests.support.server import Server, cairn_binary, scratch
from tests.support.verify import verify
from tests.support.wait import until

QUEUE = "first-run"
TIMER = timedelta(seconds=2)
EXPECTED = [
    "WorkflowExecutionStarted",
    "TimerStarted",
    "TimerFired",
    "ActivityTaskScheduled",
    "ActivityTaskStarted",
    "ActivityTaskCompleted",
    "WorkflowExecutionCompleted",
]


@activity.defn
async def greet(name: str) -> str:
    """The work."""
    return f"hello {name}"


@workflow.defn
class Greeting:
    """A timer, then an activity."""

    @workflow.run
    async def run(self, name: str) -> str:
        """Waits out at least one server."""
        await workflow.sleep(TIMER)
        return await workflow.execute_activity(greet, name, start_to_close_timeout=timedelta(seconds=10))


async def first_run(binary: Path, directory: Path, kills: int) -> list[str]:
    """What was wrong; empty if nothing."""
    wrong: list[str] = []
    database = directory / "first-run.db"
    server = Server(binary, directory, db_filename=database)
    await server.start()
    raw = Raw(server.address)
    try:
        client = await sdk.connect(server.address)
        async with sdk.worker(client, QUEUE, [Greeting], [greet]):
            handle = await client.start_workflow(Greeting.run, "world", id="greeting", task_queue=QUEUE)

            async def timer_started() -> bool:
                return any(event_name(event) == "TimerStarted" for event in await raw.history("greeting"))

            await until(timer_started, "timer started")
            before = [event.SerializeToString(deterministic=True) for event in await raw.history("greeting")]
            for _ in range(kills):
                server.kill()
                wrong += map(str, await asyncio.to_thread(verify, binary, database))
                began = time.monotonic()
                await server.start()
                print(f"killed; served again after {time.monotonic() - began:.2f} s")
            result = await asyncio.wait_for(handle.result(), 60)
            if result != "hello world":
                wrong.append(f"result is {result!r}")
        events = await raw.history("greeting")
        after = [event.SerializeToString(deterministic=True) for event in events]
        if after[: len(before)] != before:
            wrong.append("events acknowledged before the kill have changed")
        if [event.event_id for event in events] != list(range(1, len(events) + 1)):
            wrong.append("event ids are not 1..n")
        shape = [name for name in map(event_name, events) if not name.startswith("WorkflowTask")]
        if shape != EXPECTED:
            wrong.append(f"history is {shape}")
        fired = {event_name(event): event for event in events}
        waited = fired["TimerFired"].event_time.ToNanoseconds() - fired["TimerStarted"].event_time.ToNanoseconds()
        asked = attributes(fired["TimerStarted"]).start_to_fire_timeout.ToNanoseconds()
        if waited < asked:
            wrong.append(f"timer fired {asked - waited} ns early")
        described = await raw.describe("greeting")
        if described.workflow_execution_info.status != WorkflowExecutionStatus.COMPLETED:
            wrong.append("describe does not say COMPLETED")
    finally:
        await raw.close()
        await server.stop()
    return wrong + [str(found) for found in await asyncio.to_thread(verify, binary, database)]


def main() -> int:
    """Exit code 0 if the promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.first_run", description=__doc__)
    parser.add_argument("--cairn", type=Path, default=cairn_binary(), help="server binary (default: $CAIRN)")
    parser.add_argument("--kills", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.cairn is None:
        parser.error("--cairn or $CAIRN is needed")
    sdk.quiet()
    directory = scratch("first-run")
    wrong = asyncio.run(first_run(chosen.cairn.resolve(), directory, chosen.kills))
    for line in wrong:
        print(f"wrong: {line}")
    print("the promise was kept" if not wrong else f"see {directory}")
    if not wrong:
        shutil.rmtree(directory)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
