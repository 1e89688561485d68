"""The nodes as processes, the table that says who owns which shard, and the workers, each at one node.

Starts, stops and observes. Who is hit, and what is judged, is elsewhere.
"""

from __future__ import annotations

import asyncio
import random
import re
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.nemesis import ROOT
from tests.cluster.network import Place
from tests.support.postgres import BIN, DATABASE, USER, Cluster
from tests.support.server import Server, die_with_parent, on_database

PORT, INTERNAL_PORT, METRICS_PORT = 7233, 7234, 9090
SCRAPE_SECONDS = 0.5
REJECTED = re.compile(r"^cairn_commits_rejected(?:_total)?(?:\{[^}]*\})? (\d+)", re.MULTILINE)


@dataclass
class Node:
    """One server of the cluster."""

    name: str
    place: Place
    server: Server
    away: bool = False
    """It was killed, stopped, cut off or told to go: nobody expects anything of it."""
    lives: int = 0
    """How often it was started."""
    rejected: dict[int, int] = field(default_factory=dict)
    """Stale commits that the database refused, by life."""

    async def start(self) -> None:
        """A new life."""
        self.lives += 1
        self.server.spawn()
        self.away = False
        await self.server.serving()

    async def scrape(self) -> None:
        """Reads the metrics, if they can be read."""
        life = self.lives
        try:
            shown = await asyncio.to_thread(self.metrics)
        except OSError:
            return
        found = REJECTED.search(shown)
        if found:
            self.rejected[life] = max(int(found[1]), self.rejected.get(life, 0))

    def metrics(self) -> str:
        """The page of metrics."""
        with urllib.request.urlopen(f"http://{self.place.address}:{METRICS_PORT}/metrics", timeout=1.0) as page:
            return str(page.read().decode())

    async def watch(self) -> None:
        """Reads the metrics for ever: counts die with their process."""
        while True:
            await self.scrape()
            await asyncio.sleep(SCRAPE_SECONDS)


def node(binary: Path, directory: Path, place: Place, url: str, extra: tuple[str, ...], environment: dict[str, str]) -> Node:
    """One that was not started yet, with a directory of its own."""
    name = f"node-{place.number}"
    folder = directory / name
    folder.mkdir()
    arguments = ("--node", name, "--internal-port", str(INTERNAL_PORT), *extra)
    server = Server(
        binary,
        folder,
        PORT,
        command=on_database(url, arguments, place.address, METRICS_PORT, "info"),
        environment={"CAIRN__SERVER__INTERNAL__INSECURE": "true", **environment},
        host=place.address,
        prefix=place.prefix,
    )
    return Node(name, place, server)


@dataclass(frozen=True)
class Owned:
    """A row of the table."""

    epoch: int
    owner: str


@dataclass
class Table:
    """Who owns which shard, as the database says; read through one connection that stays."""

    cluster: Cluster
    reader: asyncio.subprocess.Process | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self) -> dict[int, Owned]:
        """All rows, by shard."""
        async with self.busy:
            if self.reader is None:
                line = [BIN / "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", self.cluster.host, "-p", str(self.cluster.port), "-U", USER, "-d", DATABASE]
                self.reader = await asyncio.create_subprocess_exec(*line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent)
            assert self.reader.stdin is not None and self.reader.stdout is not None
            self.reader.stdin.write(b"SELECT shard, epoch, convert_from(owner, 'UTF8') FROM shards;\n\\echo end\n")
            await self.reader.stdin.drain()
            found = {}
            while (row := (await self.reader.stdout.readline()).decode().strip()) != "end":
                shard, epoch, owner = row.split("|")
                found[int(shard)] = Owned(int(epoch), owner)
            return found

    async def close(self) -> None:
        """Ends the connection."""
        if self.reader is not None:
            self.reader.kill()
            await self.reader.wait()


@dataclass
class Crew:
    """SDK worker processes, each at one node, spread over those that are there."""

    nodes: list[Node]
    directory: Path
    count: int
    workers: list[tuple[Node, subprocess.Popen[bytes]]] = field(default_factory=list)
    spawned: int = 0

    def fill(self) -> None:
        """Whose node is away goes to another one; who died is replaced."""
        for at, process in self.workers:
            if at.away:
                process.kill()
                process.wait()
        self.workers = [(at, process) for at, process in self.workers if process.poll() is None]
        while len(self.workers) < self.count:
            there = [one for one in self.nodes if not one.away]
            fewest = min(there, key=lambda one: sum(at is one for at, _ in self.workers))
            self.workers.append((fewest, self.spawn(fewest)))

    def spawn(self, at: Node) -> subprocess.Popen[bytes]:
        """A new worker."""
        self.spawned += 1
        line = [sys.executable, "-m", "tests.chaos.worker", at.server.address, f"worker-{self.spawned}"]
        with (self.directory / "workers.log").open("ab") as log:
            return subprocess.Popen(line, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def kill_one(self, rng: random.Random) -> None:
        """One dies, another takes its place."""
        _, victim = rng.choice(self.workers)
        victim.kill()
        victim.wait()
        self.fill()

    def stop(self) -> None:
        """All die."""
        for _, process in self.workers:
            process.kill()
            process.wait()
        self.workers.clear()
