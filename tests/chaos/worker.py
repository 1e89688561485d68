"""A worker process for the chaos workflows: `python -m tests.chaos.worker ADDRESS NAME`. Is killed often, so it cleans up nothing."""

from __future__ import annotations

import asyncio
import sys

from tests.chaos.shapes import ACTIVITIES, QUEUE, STICKY_TIMEOUT, WORKFLOWS
from tests.support import sdk


async def work(address: str, name: str) -> None:
    """Serves until killed; connects as often as it takes."""
    while True:
        try:
            client = await sdk.connect(address, identity=name)
            break
        except RuntimeError:
            await asyncio.sleep(0.1)
    await sdk.worker(
        client,
        QUEUE,
        WORKFLOWS,
        ACTIVITIES,
        identity=name,
        sticky_queue_schedule_to_start_timeout=STICKY_TIMEOUT,
        max_concurrent_workflow_task_polls=5,
        max_concurrent_activity_task_polls=5,
        max_concurrent_activities=100,
    ).run()


if __name__ == "__main__":
    sdk.quiet()
    asyncio.run(work(*sys.argv[1:3]))
