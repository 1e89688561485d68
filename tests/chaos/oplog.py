"""The append-only log of what the client asked and was told: invoke, then ok, fail or doubt.

A line is on disk before the client acts on it, so the log never claims less than the client knew. `doubt` is every
answer after which either outcome is legal. Reading it back gives operations in the order they were invoked.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Fields = dict[str, Any]

DOUBTFUL = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL", "ABORTED", "DATA_LOSS"})


@dataclass
class Op:
    """One operation: where in the log it began and ended, and how."""

    number: int
    kind: str
    fields: Fields
    invoked_at: int
    outcome: str = "doubt"
    result: Fields = field(default_factory=dict)
    answered_at: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the client was told that it happened."""
        return self.outcome == "ok"


class OpLog:
    """Writes the log; one fsync serves all who wait."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.handle = file.open("ab", buffering=0)
        self.number = 0
        self.waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self.flusher: asyncio.Task[None] | None = None

    async def invoke(self, kind: str, **fields: Any) -> int:
        """Says what is about to be asked; gives its number."""
        self.number += 1
        number = self.number
        await self.append({"op": number, "phase": "invoke", "kind": kind, "fields": fields})
        return number

    async def answer(self, number: int, phase: str, **result: Any) -> None:
        """Says how it ended: ok, fail or doubt."""
        await self.append({"op": number, "phase": phase, "result": result})

    async def note(self, kind: str, **fields: Any) -> None:
        """Something that is no operation: a kill, a restart."""
        await self.append({"phase": "note", "kind": kind, "fields": fields})

    async def append(self, line: Fields) -> None:
        """Returns when the line is on disk."""
        line["time"] = time.time()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((json.dumps(line).encode() + b"\n", done))
        if self.flusher is None or self.flusher.done():
            self.flusher = asyncio.create_task(self.flush())
        await done

    async def flush(self) -> None:
        """Writes and syncs until nobody waits."""
        while self.waiting:
            batch, self.waiting = self.waiting, []
            await asyncio.to_thread(self.write, b"".join(line for line, _ in batch))
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    def write(self, lines: bytes) -> None:
        """Blocking write and sync."""
        self.handle.write(lines)
        os.fdatasync(self.handle.fileno())


def read(file: Path) -> tuple[list[Op], list[Fields]]:
    """Operations in order, and notes."""
    ops: dict[int, Op] = {}
    notes: list[Fields] = []
    for position, line in enumerate(lines(file)):
        match line["phase"]:
            case "note":
                notes.append({"kind": line["kind"], "time": line["time"], **line["fields"]})
            case "invoke":
                ops[line["op"]] = Op(line["op"], line["kind"], line["fields"], position)
            case outcome:
                op = ops[line["op"]]
                op.outcome, op.result, op.answered_at = outcome, line["result"], position
    return list(ops.values()), notes


def lines(file: Path) -> Iterator[Fields]:
    """Whole lines only: the last may be torn if the client itself was killed."""
    for line in file.read_bytes().split(b"\n"):
        if line:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return
