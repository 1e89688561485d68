"""`python -m tests.chaos`: so many kills under load, then the verdict. Exit code 0 if no promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

from tests.chaos.checker import rule_of_three
from tests.chaos.nemesis import NOT_KILLS
from tests.chaos.torture import HEAL_SECONDS_MAX, Report, Settings, torture
from tests.support.server import cairn_binary, scratch

SHOWN_MAX = 20
STORM = (
    "before_commit=0.05%return(abort)->0.5%return(unknown)->0.5%return(late)->1%return(rolled_back)->1%sleep(100);"
    "after_commit=0.05%return(abort)->0.5%return(unknown);after_release=0.05%return(abort);after_takeover=1%return(abort)"
)
"""Deaths at exact points, commits with unknown outcome, late commits, rollbacks, slow disks."""


def show(report: Report, settings: Settings) -> None:
    """The figures, then what was broken."""
    kills = sum(count for name, count in report.kills.items() if name not in NOT_KILLS)
    print(f"seed {settings.seed}, store {settings.store}, {report.seconds:.0f} s; {settings.directory}")
    print(f"ops {sum(report.ops.values())} ({', '.join(f'{kind} {count}' for kind, count in report.ops.most_common())})")
    print(f"acknowledged {report.acked}, in doubt {report.doubtful}; runs {report.runs}, events {report.events}, open at the last kill {report.open_at_kill}")
    print(f"kills {kills} ({', '.join(f'{name} {count}' for name, count in report.kills.items())}), slowest recovery {report.recovery_seconds_max:.2f} s")
    print(f"violations {len(report.violations)}" + (f": below {rule_of_three(kills):.2%} per kill with 95 % confidence" if not report.violations else ""))
    for promise, count in sorted(Counter(one.promise for one in report.violations).items()):
        print(f"  {promise}: {count}")
    for violation in report.violations[:SHOWN_MAX]:
        print(f"  {violation}")


def main() -> int:
    """Parses, runs, judges."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--cairn", type=Path, default=cairn_binary(), help="server binary (default: $CAIRN); the reference works too, on sqlite")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--dir", type=Path, help="where databases and logs go; default: a new directory")
    parser.add_argument("--concurrency", type=int, default=200, help="workflows open at a time")
    parser.add_argument("--workers", type=int, default=2, help="SDK worker processes")
    parser.add_argument("--heal", type=float, default=HEAL_SECONDS_MAX, help="seconds after which what is open is stuck")
    parser.add_argument("--strict", action=argparse.BooleanOptionalAction, help="List must know at once; default: yes, but for the reference")
    parser.add_argument("--usurp", action="store_true", help="with postgres: only let a second server take the database while the first is stopped")
    parser.add_argument("--env", action="append", default=[], metavar="KEY=VALUE", help="for the server: failpoints, features; may repeat")
    parser.add_argument("--failpoints", metavar="POINTS", help="FAILPOINTS of a server that has them, from the first kill to the last; or `storm`")
    parser.add_argument("--server-arg", action="append", default=[], metavar="ARG", help="further argument for the server; may repeat")
    parser.add_argument("--expect-violation", action="store_true", help="for planted faults: exit 0 only if something was broken")
    chosen = parser.parse_args()
    if chosen.cairn is None:
        parser.error("--cairn or $CAIRN is needed")
    if chosen.failpoints == "storm":
        chosen.failpoints = STORM
    directory = chosen.dir or scratch("chaos")
    directory.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        chosen.cairn.resolve(),
        directory.resolve(),
        chosen.kills,
        chosen.seed,
        chosen.store,
        chosen.concurrency,
        chosen.workers,
        dict(one.split("=", 1) for one in chosen.env),
        {"FAILPOINTS": chosen.failpoints} if chosen.failpoints else {},
        tuple(chosen.server_arg),
        chosen.heal,
        chosen.strict if chosen.strict is not None else chosen.cairn.name != "temporal",
        chosen.usurp,
    )
    report = asyncio.run(torture(settings))
    show(report, settings)
    if chosen.dir is None and not report.violations:
        shutil.rmtree(directory)
    return int(bool(report.violations) != chosen.expect_violation)


if __name__ == "__main__":
    sys.exit(main())
