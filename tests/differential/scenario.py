"""What a scenario is, and the stage it plays on.

A scenario is an async function that drives one server and keeps what it saw; the names of its workflows and queues
derive from its own name, so that all scenarios can run at once. Comparing is somebody else's work.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.differential.player import Players
from tests.differential.scrub import Json, Scrubber
from tests.support import sdk
from tests.support.rpc import Raw, Refused, event_name
from tests.support.server import reference_binary
from tests.support.wait import until

Play = Callable[["Stage"], Awaitable[None]]
scenarios: dict[str, Play] = {}


def scenario(play: Play) -> Play:
    """Registers a scenario under its module's and its own name."""
    return named(f"{play.__module__.rsplit('.', 1)[-1]}/{play.__name__}")(play)


def named(name: str) -> Callable[[Play], Play]:
    """Registers a scenario under a name: for families made in a loop."""

    def register(play: Play) -> Play:
        if name in scenarios:
            raise ValueError(f"two scenarios are called {name}")
        scenarios[name] = play
        return play

    return register


async def export(binary: Path, address: str, workflow_id: str, run_id: str) -> str:
    """`workflow show -o json`, by any command line that has it."""
    named = ["--workflow-id", workflow_id, *(["--run-id", run_id] if run_id else [])]
    line = [str(binary), "workflow", "show", *named, "-o", "json", "--address", address]
    process = await asyncio.create_subprocess_exec(*line, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    stdout, stderr = await process.communicate()
    if process.returncode:
        raise AssertionError(f"{' '.join(line)}: {stderr.decode().strip()}")
    return stdout.decode()


def first_line(ours: str, theirs: str) -> str:
    """Where two texts part."""
    pairs = enumerate(itertools.zip_longest(ours.splitlines(), theirs.splitlines()), start=1)
    return next((f"line {number}: {left!r}, officially {right!r}" for number, (left, right) in pairs if left != right), "the end of the last line")


class Stage:
    """One scenario on one server: clients, names, and the documents it keeps."""

    def __init__(self, name: str, client: Client, raw: Raw, players: Players, binary: Path) -> None:
        self.name = name
        self.id = name.replace("/", "-")
        self.client = client
        self.raw = raw
        self.players = players
        self.binary = binary
        self.scrubber = Scrubber()
        self.documents: dict[str, Json] = {}
        self.workflows: set[type] = set()
        self.started: list[WorkflowHandle[Any, Any]] = []

    @property
    def queue(self) -> str:
        """The scenario's task queue, named as its workflow."""
        return self.id

    def worker(self, workflows: Sequence[type] = (), activities: Sequence[Callable[..., Any]] = (), **options: Any) -> AbstractAsyncContextManager[Any]:
        """An SDK worker on the scenario's queue."""
        self.workflows |= set(workflows)
        return sdk.worker(self.client, self.queue, workflows, activities, **options)

    async def start(self, run: Any, *args: Any, suffix: str = "", **options: Any) -> WorkflowHandle[Any, Any]:
        """Starts a workflow with the scenario's id and queue."""
        handle = await self.client.start_workflow(run, args=args, id=self.id + suffix, task_queue=self.queue, **options)
        self.started.append(handle)
        return handle

    async def replay(self) -> None:
        """Has the SDK's own replayer go through every run that the scenario started and its workers worked on."""
        if not self.workflows:
            return
        replayer = Replayer(workflows=list(self.workflows), workflow_runner=UnsandboxedWorkflowRunner())
        for handle in self.started:
            history = await self.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id).fetch_history()
            if any(event.HasField("workflow_task_completed_event_attributes") for event in history.events):
                await replayer.replay_workflow(history)

    def keep(self, label: str, value: Message | Json) -> None:
        """Keeps a message or a JSON value for the comparison."""
        if label in self.documents:
            raise ValueError(f"{self.name} keeps {label} twice")
        self.documents[label] = self.scrubber.message(value) if isinstance(value, Message) else self.scrubber.value(value, "")

    async def keep_call(self, label: str, call: Awaitable[Any]) -> Any:
        """Keeps how a raw call ended, answer or refusal; gives back the answer, if any."""
        try:
            answer = await call
        except Refused as refusal:
            self.keep(label, {"code": refusal.code, "message": refusal.message, "details": [self.detail(one) for one in refusal.details]})
            return None
        self.keep(label, {"code": "OK", "answer": self.scrubber.message(answer)})
        return answer

    def detail(self, message: Message) -> Json:
        """An error detail with its type."""
        return {"type": message.DESCRIPTOR.full_name, "value": self.scrubber.message(message)}

    async def keep_error(self, label: str, work: Awaitable[Any]) -> None:
        """Keeps how an SDK call ended: the chain of exception types and messages, or the result."""
        try:
            self.keep(label, {"result": await work})
        except Exception as error:
            chain: list[Json] = []
            link: BaseException | None = error
            while link is not None:
                chain.append({"type": type(link).__name__, "text": str(link)})
                link = link.__cause__
            self.keep(label, chain)

    async def keep_history(self, label: str = "history", workflow_id: str = "", run_id: str = "") -> list[HistoryEvent]:
        """Keeps the whole history of a run: the scenario's current one by default."""
        events = await self.raw.history(workflow_id or self.id, run_id)
        self.keep(label, {"events": [self.scrubber.message(event) for event in events]})
        return events

    async def exported(self, workflow_id: str, run_id: str = "") -> str:
        """A history as the server's own command line prints it: the JSON that replayers take. Ours prints what the official one does, to the byte."""
        ours = await export(self.binary, self.players.address, workflow_id, run_id)
        official = reference_binary()
        if official and official != self.binary:
            theirs = await export(official, self.players.address, workflow_id, run_id)
            if ours != theirs:
                raise AssertionError(f"workflow show -o json of {workflow_id}: {first_line(ours, theirs)}")
        return ours

    async def keep_describe(self, label: str = "describe", workflow_id: str = "", run_id: str = "") -> None:
        """Keeps what Describe says of a run."""
        self.keep(label, await self.raw.describe(workflow_id or self.id, run_id))

    async def until_events(self, *names: str, workflow_id: str = "", run_id: str = "", seconds: float = 30.0) -> list[HistoryEvent]:
        """Waits until the history holds these events, each as often as it is named."""

        async def look() -> list[HistoryEvent] | None:
            events = await self.raw.history(workflow_id or self.id, run_id)
            seen = [event_name(event) for event in events]
            return events if all(seen.count(name) >= names.count(name) for name in names) else None

        return await until(look, f"{self.name}: {', '.join(names)}", seconds)

    async def until_pending(self, what: Callable[[Any], Any], text: str, workflow_id: str = "") -> Any:
        """Waits until Describe satisfies a condition."""

        async def look() -> Any:
            described = await self.raw.describe(workflow_id or self.id)
            return described if what(described) else None

        return await until(look, f"{self.name}: {text}")
