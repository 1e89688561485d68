"""Hello world: a workflow that calls an activity, with the official Python SDK.

    pip install temporalio
    python examples/python/hello.py

TEMPORAL_ADDRESS says where the server is; localhost:7233 otherwise.
"""

import asyncio
import os
import uuid
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

TASK_QUEUE = "hello"


@activity.defn
async def compose_greeting(name: str) -> str:
    return f"Hello, {name}!"


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(
            compose_greeting,
            name,
            start_to_close_timeout=timedelta(seconds=10),
        )


async def main() -> None:
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"))
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Greeting],
        activities=[compose_greeting],
    ):
        result = await client.execute_workflow(
            Greeting.run,
            "world",
            id=f"hello-{uuid.uuid4()}",
            task_queue=TASK_QUEUE,
        )
        print(result)


if __name__ == "__main__":
    asyncio.run(main())
