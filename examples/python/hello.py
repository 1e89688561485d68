"""Hello world: a workflow with an activity, a query, an update and a signal, with the official Python SDK.

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

TASK_QUEUE = "hello-python"
GREETINGS = {"English": "Hello", "French": "Bonjour", "Spanish": "Hola"}


@activity.defn
async def compose_greeting(language: str, name: str) -> str:
    return f"{GREETINGS[language]}, {name}!"


@workflow.defn
class Greeting:
    """Greets when it is told to, in a language that can be asked for and changed."""

    def __init__(self) -> None:
        self.chosen = "English"
        self.approved = False

    @workflow.run
    async def run(self, name: str) -> str:
        await workflow.wait_condition(lambda: self.approved)
        return await workflow.execute_activity(
            compose_greeting,
            args=[self.chosen, name],
            start_to_close_timeout=timedelta(seconds=10),
        )

    @workflow.query
    def language(self) -> str:
        return self.chosen

    @workflow.update
    async def set_language(self, language: str) -> str:
        before, self.chosen = self.chosen, language
        return before

    @set_language.validator
    def know_language(self, language: str) -> None:
        if language not in GREETINGS:
            raise ValueError(f"{language} is not spoken here")

    @workflow.signal
    async def approve(self) -> None:
        self.approved = True


async def main() -> None:
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"))
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Greeting],
        activities=[compose_greeting],
    ):
        handle = await client.start_workflow(
            Greeting.run,
            "world",
            id=f"hello-{uuid.uuid4()}",
            task_queue=TASK_QUEUE,
        )
        print("query:", await handle.query(Greeting.language))
        print("update: no longer", await handle.execute_update(Greeting.set_language, "French"))
        await handle.signal(Greeting.approve)
        print("result:", await handle.result())


if __name__ == "__main__":
    asyncio.run(main())
