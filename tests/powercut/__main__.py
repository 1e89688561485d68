"""`python -m tests.powercut`: so many power cuts under load. Exit code 0 if nothing acknowledged was lost."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from pathlib import Path

from tests.chaos.checker import rule_of_three
from tests.powercut.cuts import Settings, powercut
from tests.support.server import cairn_binary, scratch

SHOWN_MAX = 20


def main() -> int:
    """Parses, runs, judges."""
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    parser.add_argument("--cairn", type=Path, default=cairn_binary(), help="server binary (default: $CAIRN)")
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--env", action="append", default=[], metavar="KEY=VALUE", help="for the server; may repeat")
    parser.add_argument("--server-arg", action="append", default=[], metavar="ARG", help="further argument for the server, as --sqlite-pragma=synchronous=NORMAL; may repeat")
    parser.add_argument("--expect-loss", action="store_true", help="for planted faults: exit 0 only if something was lost")
    chosen = parser.parse_args()
    if chosen.cairn is None:
        parser.error("--cairn or $CAIRN is needed")
    if os.getuid() != 0:
        parser.error("mounting needs root")
    directory = scratch("powercut")
    settings = Settings(chosen.cairn.resolve(), directory, chosen.cuts, chosen.seed, chosen.store, dict(one.split("=", 1) for one in chosen.env), tuple(chosen.server_arg))
    report = asyncio.run(powercut(settings))
    print(f"seed {settings.seed}, store {settings.store}, cuts {len(report.acked)}, slowest recovery {report.recovery_seconds_max:.2f} s; {directory}")
    print(f"acknowledged {sum(report.acked)} ({', '.join(map(str, report.acked))}), in doubt {report.doubtful}")
    print(f"violations {len(report.violations)}" + (f": below {rule_of_three(len(report.acked)):.2%} per cut with 95 % confidence" if not report.violations else ""))
    for violation in report.violations[:SHOWN_MAX]:
        print(f"  {violation}")
    if not report.violations:
        shutil.rmtree(directory)
    return int(bool(report.violations) != chosen.expect_loss)


if __name__ == "__main__":
    sys.exit(main())
