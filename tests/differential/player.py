"""One small program per language: a worker with the workflows of `scenarios/languages.py`, and a client that does as it is told.

This is the end that tells: a line of JSON for each thing to do, a line back. The programs are in `players/`; what they share is that protocol, the
names of their workflows, signals, queries and updates, and what those return.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

from tests.support.calls import note
from tests.support.languages import Program
from tests.support.server import die_with_parent

PLAYED = ("python", "typescript", "go", "java", "rust")
"""The languages that have a player."""

READ_BINARY = {"rust": "its replayer reads the JSON that its own client writes, which is not protobuf's: other names, numbers for enums, no field left out"}
"""Languages whose replayer cannot read what the command line prints, and why: it is given the same in protobuf's binary form, as base64."""

CALLS = {
    "start": "StartWorkflowExecution",
    "result": "GetWorkflowExecutionHistory",
    "signal": "SignalWorkflowExecution",
    "query": "QueryWorkflow",
    "update": "UpdateWorkflowExecution",
    "cancel": "RequestCancelWorkflowExecution",
}
"""What the SDK calls for each thing to do."""

SOURCES = Path(__file__).parent / "players"
ANSWER_SECONDS_MAX = 60.0
LINE_BYTES_MAX = 64 * 1024 * 1024
STDERR_SHOWN = 2000


class Failed(Exception):
    """What the SDK raised, in the last words of its chain."""


class Player:
    """The program of one language against one server; its task queue is called as the language."""

    def __init__(self, language: str, address: str) -> None:
        self.program = Program(language, SOURCES / language, "player")
        self.address = address
        self.numbers = itertools.count()
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.process: asyncio.subprocess.Process | None = None
        self.listening: asyncio.Task[None] | None = None
        self.starting = asyncio.Lock()

    async def started(self) -> asyncio.subprocess.Process:
        """The process, built and started when it is first needed."""
        async with self.starting:
            if self.process is None:
                await self.program.built()
                self.process = await asyncio.create_subprocess_exec(
                    *self.program.command("player"),
                    self.address,
                    self.program.language,
                    cwd=self.program.directory,
                    env=self.program.environment,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    limit=LINE_BYTES_MAX,
                    preexec_fn=die_with_parent,
                )
                self.listening = asyncio.create_task(self.listen(self.process))
            return self.process

    async def listen(self, process: asyncio.subprocess.Process) -> None:
        """Hands answers to those who wait; when the program ends, tells them so."""
        assert process.stdout and process.stderr
        errors = asyncio.create_task(process.stderr.read())
        strays: list[bytes] = []
        async for line in process.stdout:
            if not line.startswith(b"{"):
                strays.append(line)
                continue
            answer = json.loads(line)
            future = self.waiting.pop(answer["n"])
            if future.done():
                continue
            if "error" in answer:
                future.set_exception(Failed(answer["error"]))
            else:
                future.set_result(answer.get("value"))
        said = (b"".join(strays) + await errors).decode(errors="replace")[-STDERR_SHOWN:]
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(Failed(f"the {self.program.language} player ended: {said}"))

    async def do(self, what: str, **more: Any) -> Any:
        """Has one thing done; raises `Failed` with what the SDK said."""
        process = await self.started()
        assert process.stdin
        if what in CALLS:
            note(CALLS[what])
        number = next(self.numbers)
        self.waiting[number] = asyncio.get_running_loop().create_future()
        process.stdin.write(json.dumps({"n": number, "do": what, **more}).encode() + b"\n")
        await process.stdin.drain()
        return await asyncio.wait_for(self.waiting[number], ANSWER_SECONDS_MAX)

    async def close(self) -> None:
        """Ends the program: its input ends, then it has a moment."""
        if self.process is None:
            return
        assert self.process.stdin and self.listening
        self.process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self.listening), 10)
        except TimeoutError:
            self.process.kill()
            await self.listening
        await self.process.wait()


class Players:
    """The players of all languages against one server."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.of: dict[str, Player] = {}

    def player(self, language: str) -> Player:
        """The one of a language."""
        return self.of.setdefault(language, Player(language, self.address))

    async def close(self) -> None:
        """Ends all that were started."""
        await asyncio.gather(*(player.close() for player in self.of.values()))
