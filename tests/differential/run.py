"""Runs scenarios on one server, all at once within reason.

A scenario that raises or takes too long is an outcome too: it is compared as a failure to play.
"""

from __future__ import annotations

import asyncio
import shutil
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.player import PLAYED, Player, Players
from tests.differential.scenario import Json, Stage, scenarios
from tests.support import sdk
from tests.support.calls import noting
from tests.support.rpc import Raw, command
from tests.support.server import Server, scratch
from tests.support.verify import is_ours, verify

SCENARIO_SECONDS_MAX = 75.0
AT_ONCE = 12

NOT_REPLAYED = {
    "sdk_features/changed_under_the_run": "two versions of one workflow, which do not fit: that is the scenario",
}
"""Scenarios whose histories the replayer of their SDK is right to refuse, and why."""


SWITCHED = {
    "callbacks": ('callback.allowedAddresses=[{"Pattern":"*","AllowInsecure":true}]',),
    "limits": (
        "limit.numPendingActivities.error=3",
        "limit.numPendingChildExecutions.error=2",
        "limit.numPendingSignals.error=2",
        "limit.numPendingCancelRequests.error=2",
        "limit.historyCount.suggestContinueAsNew=16",
        "history.maximumSignalsPerExecution=4",
        "history.maximumBufferedEventsBatch=4",
        "history.maxInFlightUpdates=2",
        "history.maxInFlightUpdatePayloads=1000",
        "history.maxTotalUpdates=4",
    ),
    "sizes": (
        "limit.blobSize.error=1000",
        "limit.blobSize.warn=500",
        "limit.memoSize.error=300",
        "limit.memoSize.warn=200",
        "limit.maxIDLength=80",
        "limit.historySize.error=20000",
        "limit.historyCount.error=30",
        "limit.userMetadataSummarySize=100",
        "limit.userMetadataDetailsSize=1000",
        "frontend.searchAttributesSizeOfValueLimit=300",
    ),
    "pausing": ("frontend.WorkflowPauseEnabled=true",),
}
"""Families about what is off by default, and what servers of their own are told of their configuration."""


@dataclass
class Outcome:
    """What one scenario kept, or why it could not be played."""

    documents: dict[str, Json] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0
    calls: list[str] = field(default_factory=list)
    """What its clients called; not what a worker inside an SDK did."""


async def play(name: str, client: sdk.Client, raw: Raw, players: Players, binary: Path) -> Outcome:
    """One scenario on one server."""
    stage = Stage(name, client, raw, players, binary)
    began = time.monotonic()
    error = ""
    with noting() as calls:
        try:
            await asyncio.wait_for(scenarios[name](stage), SCENARIO_SECONDS_MAX)
            if is_ours(binary) and name not in NOT_REPLAYED:
                await stage.replay()
        except Exception as raised:
            frames = [frame for frame in traceback.extract_tb(raised.__traceback__) if "scenarios" in frame.filename]
            where = f" (line {frames[-1].lineno})" if frames else ""
            error = f"{type(raised).__name__}: {raised}{where}"
    return Outcome(stage.documents, error, time.monotonic() - began, sorted(calls))


class Broken(Exception):
    """The scenarios left a database that does not fit together; the text says where."""


async def play_all(binary: Path, names: list[str], at_once: int = AT_ONCE) -> dict[str, Outcome]:
    """The named scenarios on fresh servers: one for all, and one for each family that needs another configuration."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        groups.setdefault(SWITCHED.get(name.partition("/")[0], ()), []).append(name)
    outcomes: dict[str, Outcome] = {}
    for values, group in groups.items():
        outcomes |= await play_group(binary, group, at_once, tuple(part for value in values for part in ("--dynamic-config-value", value)))
    return outcomes


async def play_group(binary: Path, names: list[str], at_once: int, extra: tuple[str, ...]) -> dict[str, Outcome]:
    """Scenarios on one server. Ours has a file, which is looked over when it has stopped; the reference is in memory."""
    directory = scratch("differential")
    database = directory / "differential.db" if is_ours(binary) else None
    server = Server(binary, directory, db_filename=database, extra=extra)
    await server.start()
    gate = asyncio.Semaphore(at_once)
    raw, players = Raw(server.address), Players(server.address)
    try:
        await built(names)
        client = await sdk.connect(server.address)
        await asyncio.gather(*(warm_up(raw, number) for number in range(at_once)))

        async def one(name: str) -> tuple[str, Outcome]:
            async with gate:
                return name, await play(name, client, raw, players, binary)

        outcomes = dict(await asyncio.gather(*map(one, names)))
    finally:
        await players.close()
        await raw.close()
        await server.stop()
    found = await asyncio.to_thread(verify, binary, database) if database else []
    if found:
        raise Broken("\n".join([f"verify finds in {directory}:", *map(str, found)]))
    shutil.rmtree(directory)
    return outcomes


async def built(names: list[str]) -> None:
    """Builds the players that will be needed before anything is timed."""
    for language in PLAYED:
        if any(name.startswith(f"{language}/") for name in names):
            await Player(language, "").program.built()


async def warm_up(raw: Raw, number: int) -> None:
    """One run by hand: a server that has just started may lose the first polls, which is not what is compared."""
    await raw.start(f"warm-up-{number}")
    task = await raw.poll_workflow(f"warm-up-{number}", seconds=60)
    await raw.complete(task, command("complete_workflow_execution"))
