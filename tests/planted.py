"""`python -m tests.planted`: every bug that is in the server on purpose must be found, and nothing without it.

The server is built with the features `planted` and `failpoints`: `CAIRN_PLANTED` names the bug, `FAILPOINTS` makes what
provokes it likely. Each bug is hunted in short rounds of chaos until one is red. Exit code 0 if all were found.
"""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import os
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.nemesis import NOT_KILLS
from tests.chaos.torture import Report, Settings, torture
from tests.powercut.cuts import Settings as PowerCut, powercut
from tests.support.server import cairn_binary, scratch

ROUNDS_MAX = 4
KILLS = 3
HEAL_SECONDS = 25.0
CONCURRENCY = 60
DISK_BUG = "synchronous-normal"
CUTS = 2
QUIET = ("--dynamic-config-value", 'history.cacheQuietTime="200ms"')
"""Runs leave memory, behind a checkpoint, as soon as nobody touches them."""


@dataclass(frozen=True)
class Hunt:
    """A bug and what provokes it."""

    bug: str
    failpoints: str = ""
    arguments: tuple[str, ...] = ()
    kills: int = KILLS


HUNTS = (
    Hunt("reply-before-commit", "before_commit=sleep(50)"),
    Hunt("dedupe-before-frontier", "before_commit=sleep(200)", kills=6),
    Hunt("memory-kept-after-unknown", "before_commit=1%return(unknown)"),
    Hunt("dedupe-after-closed"),
    Hunt("wake-at-too-late", arguments=QUIET),
    Hunt("checkpoint-overtakes", arguments=QUIET, kills=6),
    Hunt("offer-not-made-again"),
    Hunt("buffered-event-dropped", kills=10),
    Hunt("row-outside-transaction", kills=10),
    Hunt("open-before-close"),
)


@dataclass
class Found:
    """How a hunt ended."""

    hunt: Hunt
    promises: Counter[str] = field(default_factory=Counter)
    example: str = ""
    seconds: float = 0.0
    kills: int = 0


def settings(hunt: Hunt, binary: Path, directory: Path, seed: int, planted: bool) -> Settings:
    """One round."""
    environment = {"CAIRN_PLANTED": hunt.bug} if planted else {}
    return Settings(
        binary,
        directory,
        hunt.kills,
        seed,
        "sqlite",
        CONCURRENCY,
        environment=environment,
        failpoints={"FAILPOINTS": hunt.failpoints} if hunt.failpoints else {},
        extra=hunt.arguments,
        heal_seconds=HEAL_SECONDS,
    )


def one_round(chosen: Settings) -> Report:
    """In a directory of its own, which stays if something was found that was not looked for."""
    chosen.directory.mkdir(parents=True)
    return asyncio.run(torture(chosen))


def chase(hunt: Hunt, binary: Path, directory: Path, seed: int) -> Found:
    """Rounds until the bug is found."""
    found = Found(hunt)
    for number in range(ROUNDS_MAX):
        began = time.monotonic()
        report = one_round(settings(hunt, binary, directory / f"{hunt.bug}-{number}", seed + number, planted=True))
        found.seconds += time.monotonic() - began
        found.kills += sum(count for name, count in report.kills.items() if name not in NOT_KILLS)
        if report.violations:
            found.promises = Counter(one.promise for one in report.violations)
            found.example = str(report.violations[0])
            break
    return found


def cut(binary: Path, directory: Path, seed: int) -> bool:
    """The bug that only a power cut finds, and its control; whether all is as it should be."""
    began = time.monotonic()
    reports = {}
    for name, environment in (("with", {"CAIRN_PLANTED": DISK_BUG}), ("without", {})):
        (directory / name).mkdir(parents=True)
        reports[name] = asyncio.run(powercut(PowerCut(binary, directory / name, CUTS, seed, environment=environment)))
    violations = {name: Counter(one.promise for one in report.violations) for name, report in reports.items()}
    caught = ", ".join(f"{promise} {count}" for promise, count in sorted(violations["with"].items())) or "NOT CAUGHT"
    print(f"{DISK_BUG:28} {caught:40} {time.monotonic() - began:7.0f} {CUTS:5}  {'RED' if violations['without'] else 'clean'}", flush=True)
    return bool(violations["with"]) and not violations["without"]


def main() -> int:
    """Hunts, then shows that the same rounds without a bug are clean."""
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__)
    parser.add_argument("--cairn-planted", type=Path, default=cairn_binary(), help="a server with the features planted and failpoints (default: $CAIRN)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="bugs whose name matches")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--control", action=argparse.BooleanOptionalAction, default=True, help="run each round without its bug, too")
    chosen = parser.parse_args()
    if chosen.cairn_planted is None:
        parser.error("--cairn-planted or $CAIRN is needed")
    binary, directory = chosen.cairn_planted.resolve(), scratch("planted")
    missed = 0
    print(f"{'bug':28} {'caught by':40} {'seconds':>7} {'kills':>5}  without it")
    for hunt in (one for one in HUNTS if fnmatch.fnmatch(one.bug, chosen.only)):
        found = chase(hunt, binary, directory, chosen.seed)
        caught = ", ".join(f"{promise} {count}" for promise, count in sorted(found.promises.items())) or "NOT CAUGHT"
        clean = "-"
        if chosen.control:
            control = one_round(settings(hunt, binary, directory / f"{hunt.bug}-control", chosen.seed, planted=False))
            clean = "clean" if not control.violations else f"RED: {control.violations[0]}"
            missed += bool(control.violations)
        missed += not found.promises
        print(f"{hunt.bug:28} {caught:40} {found.seconds:7.0f} {found.kills:5}  {clean}", flush=True)
        print(f"    {found.example}", flush=True)
    if os.getuid() == 0 and fnmatch.fnmatch(DISK_BUG, chosen.only):
        missed += not cut(binary, directory / DISK_BUG, chosen.seed)
    if not missed:
        shutil.rmtree(directory)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
