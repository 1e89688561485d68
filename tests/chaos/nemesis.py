"""Who dies, when, and how it comes back: seeded choices over a server, workers and, if there is one, a database.

Chooses and acts; whether anything broke is the checker's question.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.oplog import OpLog
from tests.support.postgres import Cluster
from tests.support.rpc import Raw
from tests.support.server import DidNotStart, Server, die_with_parent
from tests.support.verify import UNREADABLE, Finding, is_ours, verify

ROOT = Path(__file__).parents[2]
WORKER_DEATHS = 0.25
UPTIME_SECONDS = (0.3, 2.5)
SHORT_UPTIME_SECONDS = (0.0, 0.3)
SHORT_UPTIMES = 0.25
ALONE_SECONDS = (6.0, 8.0)
"""Longer than the lease: a shard is taken from nobody who lives."""
TOGETHER_SECONDS = (0.5, 2.0)
STARTS_MAX = 5
NOT_KILLS = ("worker", "audit")
"""What is counted beside the deaths of servers and databases."""


@dataclass
class Workers:
    """SDK worker processes."""

    address: str
    directory: Path
    count: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    spawned: int = 0

    def spawn(self) -> subprocess.Popen[bytes]:
        """A new worker."""
        self.spawned += 1
        with (self.directory / "workers.log").open("ab") as log:
            line = [sys.executable, "-m", "tests.chaos.worker", self.address, f"worker-{self.spawned}"]
            return subprocess.Popen(line, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def fill(self) -> None:
        """As many as there should be."""
        self.processes = [one for one in self.processes if one.poll() is None]
        while len(self.processes) < self.count:
            self.processes.append(self.spawn())

    def kill_one(self, rng: random.Random) -> None:
        """One dies, another takes its place."""
        victim = rng.choice(self.processes)
        victim.kill()
        victim.wait()
        self.fill()

    def stop(self) -> None:
        """All die."""
        for one in self.processes:
            one.kill()
            one.wait()
        self.processes.clear()


@dataclass
class Nemesis:
    """Kills on a seeded schedule."""

    server: Server
    workers: Workers
    log: OpLog
    rng: random.Random
    cluster: Cluster | None = None
    asked: list[Raw] = field(default_factory=list)
    """The servers that the load asks."""
    usurp: bool = False
    failpoints: dict[str, str] = field(default_factory=dict)
    """Environment of servers from the first kill to the last."""
    retired: list[Raw] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    recovery: list[float] = field(default_factory=list)
    audited: list[Finding] = field(default_factory=list)
    auditing: asyncio.Task[None] | None = None

    async def audit(self) -> None:
        """Looks over what the dead server left, beside the next one: a copy of the file, or the database itself. One at a time."""
        if not is_ours(self.server.binary) or (self.auditing is not None and not self.auditing.done()):
            return
        self.done["audit"] += 1
        place: Path | str | None = self.cluster.url if self.cluster is not None else None
        if place is None:
            place = await asyncio.to_thread(self.copy)
        self.auditing = asyncio.create_task(self.look_over(place, self.done["audit"]))

    async def look_over(self, place: Path | str, number: int) -> None:
        """One audit. Of a database that dies meanwhile nothing is learned."""
        found = await asyncio.to_thread(verify, self.server.binary, place)
        if self.cluster is not None:
            found = [one for one in found if one.promise != UNREADABLE]
        self.audited += [Finding(one.promise, f"at death {number}: {one.what}") for one in found]

    def copy(self) -> Path:
        """The database as it is now, with its WAL."""
        assert self.server.db_filename is not None
        folder = self.server.directory / "dead"
        folder.mkdir(exist_ok=True)
        for suffix in ("", "-wal"):
            source = self.server.db_filename.with_name(self.server.db_filename.name + suffix)
            target = folder / source.name
            target.unlink(missing_ok=True)
            if source.exists():
                shutil.copy(source, target)
        (folder / (self.server.db_filename.name + "-shm")).unlink(missing_ok=True)
        return folder / self.server.db_filename.name

    async def rage(self, kills: int) -> None:
        """So many kills, each followed by a restart and some time under load. Failpoints come with the first restart."""
        self.server.environment.update(self.failpoints)
        for _ in range(kills):
            low, high = SHORT_UPTIME_SECONDS if self.rng.random() < SHORT_UPTIMES else UPTIME_SECONDS
            await asyncio.sleep(self.rng.uniform(low, high))  # the moment of death is the experiment, not a synchronization
            name, act = self.rng.choice(self.actions())
            if self.server.process is not None and self.server.process.poll() is not None:
                name, act = "failpoint", self.server_dies
            if self.rng.random() < WORKER_DEATHS:
                self.workers.kill_one(self.rng)
                self.done["worker"] += 1
            await self.log.note("down", what=name)
            began = time.monotonic()
            await act()
            self.workers.fill()
            self.recovery.append(time.monotonic() - began)
            await self.log.note("up", what=name)
            self.done[name] += 1

    def actions(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        """Everything that may be done to what is there."""
        acts: list[tuple[str, Callable[[], Awaitable[None]]]] = [("server", self.server_dies)]
        if self.usurp:
            return [("usurper", self.usurped)]
        if self.cluster is not None:
            acts = acts * 4 + [
                ("connections", self.connections_cut),
                ("database fast", lambda: self.database_restarts("fast")),
                ("database immediate", lambda: self.database_restarts("immediate")),
                ("postmaster", self.postmaster_dies),
                ("usurper", self.usurped),
            ]
        return acts

    async def server_dies(self) -> None:
        """SIGKILL, and the same command again. With failpoints it may have died by itself, and may do so while it starts."""
        for _ in range(STARTS_MAX):
            self.server.kill()
            await self.audit()
            try:
                await self.server.start()
                return
            except DidNotStart:
                self.done["start"] += 1
        raise DidNotStart(f"{STARTS_MAX} times in a row: {self.server.log_end()}")

    async def heal(self) -> None:
        """From here on nothing goes wrong any more."""
        if self.failpoints:
            for name in self.failpoints:
                del self.server.environment[name]
            await self.log.note("down", what="heal")
            await self.server_dies()
            await self.log.note("up", what="heal")

    async def usurped(self) -> None:
        """While the server is stopped another takes its database; then both are asked, until both die."""
        self.server.send(signal.SIGSTOP)
        other = Server(self.server.binary, self.server.directory, environment=self.server.environment, command=self.server.command)
        raw = Raw(other.address, patient=False)
        try:
            await other.start()
            self.asked.append(raw)
            await asyncio.sleep(self.rng.uniform(*ALONE_SECONDS))
            self.server.send(signal.SIGCONT)
            await asyncio.sleep(self.rng.uniform(*TOGETHER_SECONDS))
        finally:
            if raw in self.asked:
                self.asked.remove(raw)
            other.kill()
            self.server.kill()
            self.retired.append(raw)  # closing it now would cancel who still asks it
        await self.server.start()

    async def server_back(self) -> None:
        """The server serves again; it may have ended itself, as it must on some faults of its store."""
        if self.server.process is not None and self.server.process.poll() is not None:
            self.server.process = None
            await self.server.start()
        else:
            await self.server.serving()

    async def connections_cut(self) -> None:
        """Every connection of the database ends."""
        assert self.cluster is not None
        await asyncio.to_thread(self.cluster.terminate_backends)
        await self.server_back()

    async def database_restarts(self, mode: str) -> None:
        """The database stops in some mode and comes back."""
        assert self.cluster is not None
        await asyncio.to_thread(self.cluster.restart, mode)
        await self.server_back()

    async def postmaster_dies(self) -> None:
        """SIGKILL to the database's first process."""
        assert self.cluster is not None
        await asyncio.to_thread(self.cluster.kill_and_restart)
        await self.server_back()
