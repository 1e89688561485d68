"""`python -m tests.cluster`: so many kills, pauses, partitions and rolling restarts of nodes under load, then the verdict.

Exit code 0 if no promise was broken, the time of a takeover among them. Needs root: each node has a network namespace.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

from tests.chaos.checker import rule_of_three
from tests.chaos.torture import HEAL_SECONDS_MAX
from tests.cluster.nemesis import TAKEOVER_SECONDS_MAX
from tests.cluster.network import NoNetwork, enter
from tests.cluster.torture import Report, Settings, torture
from tests.support.server import cairn_binary, scratch

SHOWN_MAX = 20
OF = {"kill": "a kill", "term": "SIGTERM", "pause": "the beginning of a pause", "partition": "a cut from the database"}


def show(report: Report, settings: Settings) -> None:
    """The figures, then what was broken."""
    print(f"seed {settings.seed}, {settings.nodes} nodes, {report.seconds:.0f} s; {settings.directory}")
    print(f"ops {sum(report.ops.values())} ({', '.join(f'{kind} {count}' for kind, count in report.ops.most_common())})")
    print(f"acknowledged {report.acked}, in doubt {report.doubtful}; runs {report.runs}, events {report.events}")
    print(f"done: {', '.join(f'{name} {count}' for name, count in sorted(report.done.items()))}")
    for kind, seconds in sorted(report.takeovers.items()):
        promised = f", promised {TAKEOVER_SECONDS_MAX[kind]:g} s" if kind in TAKEOVER_SECONDS_MAX else ""
        print(f"takeovers after {OF[kind]}: {len(seconds)}, slowest {max(seconds):.2f} s, median {sorted(seconds)[len(seconds) // 2]:.2f} s{promised}")
    print(f"stale commits rejected {report.rejected}")
    hits = settings.plan.total()
    print(f"violations {len(report.violations)}" + (f": below {rule_of_three(hits):.2%} per hit with 95 % confidence" if not report.violations else ""))
    for promise, count in sorted(Counter(one.promise for one in report.violations).items()):
        print(f"  {promise}: {count}")
    for violation in report.violations[:SHOWN_MAX]:
        print(f"  {violation}")


def main() -> int:
    """Parses, runs, judges."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--cairn", type=Path, default=cairn_binary(), help="server binary (default: $CAIRN)")
    parser.add_argument("--kills", type=int, default=6, help="kill -9 of a node, sometimes of two")
    parser.add_argument("--pauses", type=int, default=3, help="SIGSTOP beyond the lease")
    parser.add_argument("--partitions", type=int, default=2, help="cuts of a node from others, database, clients")
    parser.add_argument("--restarts", type=int, default=1, help="rolling restarts of every node by SIGTERM")
    parser.add_argument("--falls", type=int, default=0, help="deaths of a node in its hand-over or with another's answer in hand (feature failpoints)")
    parser.add_argument("--rejected", type=int, default=0, metavar="N", help="fail unless so many stale commits were rejected")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--dir", type=Path, help="where database and logs go; default: a new directory")
    parser.add_argument("--concurrency", type=int, default=100, help="workflows open at a time")
    parser.add_argument("--workers", type=int, default=3, help="SDK worker processes, each at one node")
    parser.add_argument("--heal", type=float, default=HEAL_SECONDS_MAX, help="seconds after which what is open is stuck")
    parser.add_argument("--env", action="append", default=[], metavar="KEY=VALUE", help="for the servers; may repeat")
    parser.add_argument("--server-arg", action="append", default=[], metavar="ARG", help="further argument for the servers; may repeat")
    parser.add_argument("--expect-violation", action="store_true", help="for planted faults: exit 0 only if something was broken")
    chosen = parser.parse_args()
    if chosen.cairn is None:
        parser.error("--cairn or $CAIRN is needed")
    if chosen.nodes < 3:
        parser.error("two may die at a time: at least three nodes")
    try:
        enter("tests.cluster")
    except NoNetwork as lacking:
        parser.error(str(lacking))
    directory = chosen.dir or scratch("cluster")
    directory.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        chosen.cairn.resolve(),
        directory.resolve(),
        chosen.seed,
        Counter(kill=chosen.kills, pause=chosen.pauses, partition=chosen.partitions, restart=chosen.restarts, fall=chosen.falls),
        chosen.nodes,
        chosen.concurrency,
        chosen.workers,
        dict(one.split("=", 1) for one in chosen.env),
        tuple(chosen.server_arg),
        chosen.heal,
    )
    report = asyncio.run(torture(settings))
    show(report, settings)
    if report.rejected < chosen.rejected:
        print(f"only {report.rejected} stale commits were rejected, {chosen.rejected} were to be provoked")
        return 1
    if chosen.dir is None and not report.violations:
        shutil.rmtree(directory)
    return int(bool(report.violations) != chosen.expect_violation)


if __name__ == "__main__":
    sys.exit(main())
