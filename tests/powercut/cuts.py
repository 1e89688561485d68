"""Cuts: clients write and log each acknowledgement elsewhere, the power goes, the server comes back, nothing is missing.

The load is as plain as can be, starts and signals: what matters is only what was acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import oplog
from tests.chaos.checker import Violation, World, append_only, contiguity, durability, idempotency, order, uniqueness
from tests.chaos.histories import Run
from tests.chaos.load import Load, number_payload
from tests.chaos.torture import fetch
from tests.powercut.disk import Disk, descendants, freeze, kill
from tests.support.postgres import Cluster
from tests.support.rpc import Raw
from tests.support.server import Server, on_database
from tests.support.verify import verify
from tests.support.wait import until

CLIENTS = 96
LIVE_SECONDS = (0.5, 2.0)
READERS = 16
RULES = (durability, contiguity, append_only, uniqueness, idempotency, order)


@dataclass
class Settings:
    """What to do."""

    binary: Path
    directory: Path
    cuts: int
    seed: int
    store: str = "sqlite"
    environment: dict[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()


@dataclass
class Report:
    """What came of it."""

    acked: list[int] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    doubtful: int = 0
    recovery_seconds_max: float = 0.0


class Rig:
    """A server and its store on a disk that can lose its power."""

    def __init__(self, settings: Settings) -> None:
        self.disk = Disk(settings.directory / "disk.img", settings.directory / "disk")
        self.server = Server(settings.binary, settings.directory, db_filename=self.disk.at / "cut.db", extra=settings.extra, environment=settings.environment)
        self.cluster: Cluster | None = None
        if settings.store == "postgres":
            self.cluster = Cluster(self.disk.at)
            self.server.command = on_database(self.cluster.url, settings.extra)

    async def create(self) -> None:
        """Everything new and running."""
        self.disk.create()
        if self.cluster is not None:
            await asyncio.to_thread(self.cluster.create)
        await asyncio.to_thread(os.sync)  # What was there before the experiment is not its subject.
        await self.server.start()

    def writers(self) -> list[int]:
        """Every process that writes to the disk, the server first."""
        found = [self.server.process.pid] if self.server.process is not None else []
        leader = self.cluster.postmaster() if self.cluster is not None else None
        return found + (descendants(leader) if leader is not None else [])

    async def cut(self) -> None:
        """Stop, cut, kill, unmount."""
        writers = self.writers()
        await freeze(writers)
        self.disk.cut()
        await kill(writers)
        self.server.kill()
        await asyncio.to_thread(self.disk.unmount)

    async def back(self) -> list[Violation]:
        """Mount, and the same commands again; what the cut has left is looked over first."""
        await asyncio.to_thread(self.disk.mount)
        if self.cluster is not None:
            await asyncio.to_thread(self.cluster.start)
        found = await self.audit()
        await self.server.start()
        return found

    async def audit(self) -> list[Violation]:
        """What does not fit together in the database, whoever has it."""
        place = self.server.db_filename if self.cluster is None else self.cluster.url
        found = await asyncio.to_thread(verify, self.server.binary, place)
        return [Violation(one.promise, one.what) for one in found]

    async def remove(self) -> None:
        """Ends all and frees the loop device."""
        await kill(self.writers())
        self.server.kill()
        await asyncio.to_thread(self.disk.unmount)
        self.disk.image.unlink(missing_ok=True)


async def client(load: Load, cut: int, index: int) -> None:
    """Starts workflows and signals each a few times, until cancelled."""
    raw = load.raw
    number = 0
    while True:
        workflow_id = f"cut-{cut}-client-{index}-{number}"
        number += 1
        names = {"workflow_id": workflow_id, "run_id": ""}
        started = await load.certain("start", {**names, "request_id": f"request of {workflow_id}"}, "StartWorkflowExecution", raw.start_request(workflow_id, "nobody"))
        if started is None:
            return
        for signal in range(1, 6):
            request = raw.signal_request(workflow_id, request_id=f"{workflow_id} {signal}", input=number_payload(signal))
            await load.certain("signal", {**names, "run_id": started.run_id, "number": signal}, "SignalWorkflowExecution", request)


async def flowing(log: Path) -> bool:
    """Whether the server acknowledges: it has warmed up."""
    return log.read_bytes().count(b'"ok"') >= CLIENTS


async def powercut(settings: Settings) -> Report:
    """So many cuts; after each, all that was acknowledged since the last, and at the end everything once more."""
    rig = Rig(settings)
    rng = random.Random(settings.seed)
    report = Report()
    logs: list[Path] = []
    try:
        await rig.create()
        for cut in range(settings.cuts):
            logs.append(settings.directory / f"ops-{cut}.log")
            raw = Raw(rig.server.address)
            load = Load([raw], oplog.OpLog(logs[-1]), settings.seed)
            clients = [asyncio.create_task(client(load, cut, index)) for index in range(CLIENTS)]
            await until(lambda: flowing(logs[-1]), "first acknowledgements", 60)
            await asyncio.sleep(rng.uniform(*LIVE_SECONDS))  # the moment of the cut is the experiment
            await rig.cut()
            for one in clients:
                one.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
            await raw.close()
            began = time.monotonic()
            broken = await rig.back()
            report.recovery_seconds_max = max(report.recovery_seconds_max, time.monotonic() - began)
            ops, _ = oplog.read(logs[-1])
            report.acked.append(sum(op.ok for op in ops))
            report.doubtful += sum(op.outcome == "doubt" for op in ops)
            broken += await judge(rig, [logs[-1]])
            report.violations += [Violation(one.promise, f"cut {cut + 1}: {one.what}") for one in broken]
        report.violations += [Violation(one.promise, f"at the end: {one.what}") for one in [*await judge(rig, logs), *await rig.audit()]]
    finally:
        await rig.remove()
    return report


async def judge(rig: Rig, logs: list[Path]) -> list[Violation]:
    """The checker's verdict over the runs of some logs."""
    found: list[Violation] = []
    raw = Raw(rig.server.address)
    try:
        for log in logs:
            ops, _ = oplog.read(log)
            wanted = {op.result["run_id"]: op.fields["workflow_id"] for op in ops if op.kind == "start" and op.ok}
            runs = await fetch_all(raw, wanted)
            world = World(ops, runs)
            found += [violation for rule in RULES for violation in rule(world)]
    finally:
        await raw.close()
    return found


async def fetch_all(raw: Raw, wanted: dict[str, str]) -> dict[str, Run]:
    """The runs that still exist."""
    runs: dict[str, Run] = {}
    queue = list(wanted.items())

    async def reader() -> None:
        while queue:
            run_id, workflow_id = queue.pop()
            run = await fetch(raw, workflow_id, run_id, None)
            if run.events:
                runs[run_id] = run

    await asyncio.gather(*(reader() for _ in range(READERS)))
    return runs
