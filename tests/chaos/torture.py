"""One round: load and kills, then healing, then judgement over everything that can be read through the API."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from temporalio.api.workflowservice import v1 as ws

from tests.chaos import oplog
from tests.chaos.checker import STATUS_NAMES, Violation, World, check
from tests.chaos.histories import Run, durable
from tests.chaos.load import Load
from tests.chaos.nemesis import Nemesis, Workers
from tests.support.postgres import Cluster
from tests.support.rpc import Raw, Refused, event_name
from tests.support.server import Server, on_database
from tests.support.verify import verify
from tests.support.wait import TimedOut, until

HEAL_SECONDS_MAX = 90.0
CONVERGE_SECONDS_MAX = 15.0
FETCH_SECONDS_MAX = 20.0
READERS = 16
PAGE = 500

@dataclass
class Settings:
    """What to do."""

    binary: Path
    directory: Path
    kills: int
    seed: int
    store: str = "sqlite"
    concurrency: int = 200
    workers: int = 2
    environment: dict[str, str] = field(default_factory=dict)
    failpoints: dict[str, str] = field(default_factory=dict)
    """Environment that servers have from the first kill to the last only."""
    extra: tuple[str, ...] = ()
    heal_seconds: float = HEAL_SECONDS_MAX
    strict: bool = True
    usurp: bool = False
    """Whether a second server takes the database while the first is stopped."""


@dataclass
class Report:
    """What came of it."""

    violations: list[Violation]
    kills: Counter[str]
    ops: Counter[str]
    acked: int
    doubtful: int
    runs: int
    events: int
    seconds: float
    recovery_seconds_max: float
    open_at_kill: int


async def torture(settings: Settings) -> Report:
    """The whole round."""
    began = time.monotonic()
    cluster = None
    server = Server(settings.binary, settings.directory, db_filename=settings.directory / "chaos.db", extra=settings.extra, environment=dict(settings.environment))
    if settings.store == "postgres":
        cluster = Cluster(settings.directory)
        await asyncio.to_thread(cluster.create)
        server.command = on_database(cluster.url, settings.extra)
    await server.start()
    log = oplog.OpLog(settings.directory / "ops.log")
    raw = Raw(server.address)
    workers = Workers(server.address, settings.directory, settings.workers)
    workers.fill()
    load = Load([raw], log, settings.seed, settings.concurrency)
    nemesis = Nemesis(server, workers, log, random.Random(f"{settings.seed} nemesis"), cluster, load.raws, settings.usurp, settings.failpoints)
    running = asyncio.create_task(load.run())
    try:
        await until(lambda: warm(load), "first workflows closed", 60)
        await nemesis.rage(settings.kills)
        open_at_kill = len(load.open)
        await nemesis.heal()
        load.stopping = True
        stuck = await drain(load, running, settings.heal_seconds)
        runs, counts = await collect(raw, log.file, 0.0 if settings.strict else CONVERGE_SECONDS_MAX)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        workers.stop()
        for one in (raw, *nemesis.retired):
            await one.close()
        server.kill()
        if nemesis.auditing is not None:
            await nemesis.auditing
        audited = nemesis.audited + await asyncio.to_thread(verify, settings.binary, server.db_filename if cluster is None else cluster.url)
        if cluster is not None:
            await asyncio.to_thread(cluster.stop, "fast")
    ops, notes = oplog.read(log.file)
    violations = check(World(ops, runs, outages(notes), stuck, counts, settings.strict))
    violations += [Violation(found.promise, found.what) for found in audited]
    return Report(
        violations,
        nemesis.done,
        Counter(op.kind for op in ops),
        sum(op.ok for op in ops),
        sum(op.outcome == "doubt" for op in ops),
        len(runs),
        sum(len(run.events) for run in runs.values()),
        time.monotonic() - began,
        max(nemesis.recovery, default=0.0),
        open_at_kill,
    )


async def warm(load: Load) -> bool:
    """Whether work gets done at all."""
    return load.finished >= load.concurrency // 10


async def drain(load: Load, running: asyncio.Task[None], seconds: float) -> list[str]:
    """Waits for every open workflow; those left are stuck. A crash of the load itself is a crash of the test."""

    async def idle() -> bool:
        return not load.open or running.done()

    try:
        await until(idle, "drained", seconds)
    except TimedOut:
        return [f"not closed {seconds:g} s after healing: {what}" for what in load.open.values()]
    await running
    return []


def outages(notes: list[oplog.Fields]) -> list[tuple[float, float]]:
    """From each death to the next service; what overlaps has names that differ."""
    found = []
    down: dict[str, float] = {}
    for note in notes:
        if note["kind"] == "down":
            down[note["what"]] = note["time"]
        elif note["kind"] == "up" and note["what"] in down:
            found.append((down.pop(note["what"]), note["time"]))
    return found


async def collect(raw: Raw, file: Path, converge: float) -> tuple[dict[str, Run], dict[str, int]]:
    """Every run that is listed, was acknowledged, or is named by another; and the counts."""
    ops, _ = oplog.read(file)
    wanted = {op.result["run_id"]: op.fields["workflow_id"] for op in ops if op.kind == "start" and op.ok}
    listed: dict[str, int] = {}

    async def converged() -> bool:
        listed.clear()
        token = b""
        while True:
            page = await raw.call("ListWorkflowExecutions", ws.ListWorkflowExecutionsRequest(namespace="default", page_size=PAGE, next_page_token=token))
            for row in page.executions:
                listed[row.execution.run_id] = row.status
                wanted.setdefault(row.execution.run_id, row.execution.workflow_id)
            token = page.next_page_token
            if not token:
                return wanted.keys() <= listed.keys()

    try:
        await until(converged, "list knows every run", converge)
    except TimedOut:
        pass  # What is missing shows as a violation of I-14.
    runs: dict[str, Run] = {}
    queue = list(wanted.items())

    async def reader() -> None:
        while queue:
            run_id, workflow_id = queue.pop()
            if run_id in runs:
                continue
            run = await fetch(raw, workflow_id, run_id, listed.get(run_id))
            runs[run_id] = run
            for _, found in run.named("WorkflowExecutionContinuedAsNew"):
                if found.new_execution_run_id not in runs:
                    queue.append((found.new_execution_run_id, workflow_id))

    await asyncio.gather(*(reader() for _ in range(READERS)))
    counts = {}
    for name in STATUS_NAMES.values():
        counts[name] = (await raw.call("CountWorkflowExecutions", ws.CountWorkflowExecutionsRequest(namespace="default", query=f"ExecutionStatus = '{name}'"))).count
    return {run_id: run for run_id, run in runs.items() if run.events}, counts


async def fetch(raw: Raw, workflow_id: str, run_id: str, listed: int | None) -> Run:
    """A run's history and description; one that is not found, or was set aside, has no events. Any other refusal is asked again."""
    nothing = Run(workflow_id, run_id, [], listed_status=listed)
    again = 5

    async def certain() -> Run | None:
        nonlocal again
        try:
            shown = await raw.history(workflow_id, run_id)
            info = (await raw.describe(workflow_id, run_id)).workflow_execution_info
        except Refused as refusal:
            return nothing if refusal.code in ("NOT_FOUND", "DATA_LOSS") else None
        if len(durable(shown)) != info.history_length and again:
            again -= 1  # a run that was given up may move all the same
            return None
        return Run(workflow_id, run_id, durable(shown), info.status, info.history_length, listed, event_name(shown[-1]) == "WorkflowTaskStarted")

    try:
        return await until(certain, f"a certain answer about {run_id}", FETCH_SECONDS_MAX)
    except TimedOut:
        return nothing
