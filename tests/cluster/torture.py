"""One round over a cluster: load and hits, then healing, then judgement, as chaos does over one server."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import oplog
from tests.chaos.checker import Violation, World, check
from tests.chaos.load import Load
from tests.chaos.torture import HEAL_SECONDS_MAX, collect, drain, outages, warm
from tests.cluster.nemesis import Nemesis
from tests.cluster.network import HERE, Network
from tests.cluster.nodes import Crew, Table, node
from tests.support.postgres import Cluster
from tests.support.rpc import Raw
from tests.support.verify import verify
from tests.support.wait import until

WARM_SECONDS_MAX = 60.0
LONG_POLL_SECONDS = 5.0
"""Shorter than a node is away: who waits at one that does not answer goes to another."""


@dataclass
class Settings:
    """What to do."""

    binary: Path
    directory: Path
    seed: int
    plan: Counter[str]
    """How many of each hit."""
    nodes: int = 3
    concurrency: int = 100
    workers: int = 3
    environment: dict[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    heal_seconds: float = HEAL_SECONDS_MAX


@dataclass
class Report:
    """What came of it."""

    violations: list[Violation]
    done: Counter[str]
    takeovers: dict[str, list[float]]
    rejected: int
    ops: Counter[str]
    acked: int
    doubtful: int
    runs: int
    events: int
    seconds: float


async def torture(settings: Settings) -> Report:
    """The whole round."""
    began = time.monotonic()
    network = Network()
    cluster = Cluster(settings.directory, host=HERE)
    try:
        await network.create(settings.nodes)
        await asyncio.to_thread(cluster.create)
        return await on_network(settings, network, cluster, began)
    finally:
        await asyncio.to_thread(cluster.stop, "immediate")
        network.remove()


async def on_network(settings: Settings, network: Network, cluster: Cluster, began: float) -> Report:
    """The round, its network and database given."""
    nodes = [node(settings.binary, settings.directory, place, cluster.url, settings.extra, settings.environment) for place in network.places]
    for one in nodes:
        await one.start()
    log = oplog.OpLog(settings.directory / "ops.log")
    raws = [Raw(one.server.address, patient=False) for one in nodes]
    crew = Crew(nodes, settings.directory, settings.workers)
    load = Load(raws, log, settings.seed, settings.concurrency, LONG_POLL_SECONDS)
    table = Table(cluster)
    nemesis = Nemesis(nodes, crew, table, log, random.Random(f"{settings.seed} nemesis"))
    tasks = [asyncio.create_task(one.watch()) for one in nodes]
    running = asyncio.create_task(load.run())
    try:
        await nemesis.settle()
        crew.fill()
        await until(lambda: warm(load), "first workflows closed", WARM_SECONDS_MAX)
        await nemesis.rage(settings.plan.elements())
        load.stopping = True
        stuck = await drain(load, running, settings.heal_seconds)
        runs, counts = await collect(raws[0], log.file, 0.0)
        for one in nodes:
            await one.scrape()
    finally:
        for task in (running, *tasks):
            task.cancel()
        await asyncio.gather(running, *tasks, return_exceptions=True)
        crew.stop()
        await table.close()
        for raw in raws:
            await raw.close()
        for one in nodes:
            one.server.kill()
    audited = await asyncio.to_thread(verify, settings.binary, cluster.url)
    ops, notes = oplog.read(log.file)
    violations = nemesis.violations + check(World(ops, runs, outages(notes), stuck, counts))
    violations += [Violation(found.promise, found.what) for found in audited]
    return Report(
        violations,
        nemesis.done,
        nemesis.takeovers,
        sum(sum(one.rejected.values()) for one in nodes),
        Counter(op.kind for op in ops),
        sum(op.ok for op in ops),
        sum(op.outcome == "doubt" for op in ops),
        len(runs),
        sum(len(run.events) for run in runs.values()),
        time.monotonic() - began,
    )
