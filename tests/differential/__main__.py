"""`python -m tests.differential`: scenario, equal or different, and where.

Ours is compared with the recordings. With `--reference`, a random tenth of these is played on the reference again and must not have changed;
with `--side-by-side` too, both servers play and nothing recorded counts. `--record` renews the recordings.
"""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential import scenarios as all_scenarios
from tests.differential.compare import differences, unnoticed
from tests.differential.deliberate import DELIBERATE, not_built, reason_for
from tests.differential.recordings import SAMPLED, Origin, record, recorded, sample, stale
from tests.differential.run import AT_ONCE, Broken, Outcome, play_all
from tests.differential.scenario import scenarios
from tests.support import sdk
from tests.support.server import cairn_binary, reference_binary

SHOWN_MAX = 1
assert all_scenarios, "importing the package registers the scenarios"


@dataclass
class Verdict:
    """What the table says of one scenario."""

    word: str
    lines: list[str] = field(default_factory=list)
    reasons: set[str] = field(default_factory=set)
    """Of the deliberate differences that were found."""

    @property
    def fails(self) -> bool:
        """Whether somebody has to look."""
        return self.word == "DIFFERENT"


def verdict(name: str, ours: Outcome, reference: Outcome, shown: int) -> Verdict:
    """Whether two outcomes are equal, and where not."""
    if not_built(name):
        return Verdict("NOT BUILT")
    if reference.error:
        return Verdict("DIFFERENT", [f"no reference: {reference.error:.200}"])
    explained = [(one, reason_for(name, one.path)) for one in differences(ours.documents, reference.documents)]
    reasons = {reason for _, reason in explained if reason}
    found = [one for one, reason in explained if not reason]
    lines = [str(one) for one in found[:shown]]
    if len(found) > shown and found:
        lines.append(f"and {len(found) - shown} more")
    if ours.error:
        return Verdict("DIFFERENT", [f"not played: {ours.error:.200}", *lines])
    missed = unnoticed(reference.documents, name)
    if missed:
        return Verdict("DIFFERENT", [f"the comparer is blind to: {missed[0]}"])
    if found:
        return Verdict("DIFFERENT", lines, reasons)
    return Verdict("DIFFERENT ON PURPOSE", sorted(reasons), reasons) if reasons else Verdict("equal")


async def both(chosen: argparse.Namespace, names: list[str]) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """The outcomes on fresh servers. What is not built is not played on ours: much of it would wait for what never comes."""
    ours = await play_all(chosen.ours.resolve(), [name for name in names if not not_built(name)], chosen.at_once)
    ours |= {name: Outcome(error="not built") for name in names if name not in ours}
    reference = await play_all(chosen.reference.resolve(), names, chosen.at_once) if chosen.side_by_side else recorded(names)
    return ours, reference


async def renew(chosen: argparse.Namespace, names: list[str]) -> int:
    """Plays the reference and stores the outcomes."""
    outcomes = await play_all(chosen.reference.resolve(), names, chosen.at_once)
    record(outcomes, Origin.of(chosen.reference.resolve()))
    failed = {name: outcome.error for name, outcome in outcomes.items() if outcome.error}
    for name, error in failed.items():
        print(f"{name:<48} not recorded: {error}")
    print(f"{len(outcomes) - len(failed)} recorded, {len(failed)} not")
    return 1 if failed else 0


async def out_of_date(chosen: argparse.Namespace, names: list[str]) -> int:
    """How many of a random share of the recordings the reference no longer makes, and which. What differs is played again, as above."""
    seed = chosen.seed if chosen.seed is not None else random.randrange(1_000_000)
    asked = sample(names, seed, chosen.sample)
    differing = asked
    for _ in range(2 if chosen.again else 1):
        outcomes = await play_all(chosen.reference.resolve(), differing, chosen.at_once) if differing else {}
        differing = [name for name, outcome in outcomes.items() if outcome.error or stale(name, outcome)]
    for name in differing:
        print(f"{name:<48} {'OUT OF DATE':<20} {outcomes[name].error or stale(name, outcomes[name])}")
    print(f"{len(asked) - len(differing)} of {len(asked)} recordings, drawn with --seed {seed}, are what the reference does")
    return len(differing)


async def run(chosen: argparse.Namespace, names: list[str]) -> int:
    """Plays, prints, and says whether all was as it should be. What differs is played again on fresh servers: a busy machine makes timeouts."""
    began = time.monotonic()
    ours, reference = await both(chosen, names)
    different = [name for name in names if verdict(name, ours[name], reference[name], 0).fails]
    again: list[str] = []
    if different and chosen.again:
        second_ours, second_reference = await both(chosen, different)
        again = [name for name in different if not verdict(name, second_ours[name], second_reference[name], 0).fails]
    verdicts = {name: verdict(name, ours[name], reference[name], chosen.show) for name in names}
    for name, one in verdicts.items():
        word = "UNSTEADY" if name in again else one.word
        if one.word != "equal" or not chosen.brief:
            print(f"{name:<48} {word:<20} {ours[name].seconds:5.1f} s  {one.lines[0] if one.lines else ''}")
            for line in one.lines[1:]:
                print(f"{'':<78} {line}")
    if chosen.dump:
        dump(chosen.dump, {"ours": ours, "reference": reference})
    if set(names) == set(scenarios):
        for unused in DELIBERATE:
            if not any(unused.reason in one.reasons for one in verdicts.values()):
                print(f"no difference needs this reason any more: {unused.reason}")
    words = Counter("equal" if name in again else one.word for name, one in verdicts.items())
    others = "".join(f", {words[word]} {word.lower()}" for word in ("DIFFERENT ON PURPOSE", "NOT BUILT", "DIFFERENT") if words[word])
    print(f"{words['equal']} of {len(names)} equal{others}, {len(again)} of them only the second time; {time.monotonic() - began:.0f} s")
    old = await out_of_date(chosen, names) if chosen.reference and not chosen.side_by_side else 0
    return 1 if words["DIFFERENT"] or old else 0


def dump(directory: Path, sides: dict[str, dict[str, Outcome]]) -> None:
    """Writes what was compared."""
    directory.mkdir(parents=True, exist_ok=True)
    for side, outcomes in sides.items():
        for name, outcome in outcomes.items():
            (directory / f"{name.replace('/', '.')}.{side}.json").write_text(json.dumps(outcome.documents, indent=1, ensure_ascii=False))


def main() -> int:
    """Exit code 0 if nothing differed but what may."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--ours", type=Path, default=cairn_binary(), help="our binary (default: $CAIRN)")
    parser.add_argument("--reference", type=Path, help="reference binary; a tenth of the recordings is compared with what it does")
    parser.add_argument("--side-by-side", action="store_true", help="compare with the reference itself, not with the recordings")
    parser.add_argument("--sample", type=float, default=SAMPLED, metavar="SHARE", help="of the recordings that the reference plays again")
    parser.add_argument("--seed", type=int, help="of that choice")
    parser.add_argument("--record", action="store_true", help="play the reference only and store the outcomes")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="scenario names, with * as in file names; may repeat")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--brief", action="store_true", help="print only what differs")
    parser.add_argument("--show", type=int, default=SHOWN_MAX, help="differences shown per scenario")
    parser.add_argument("--dump", type=Path, help="write both scrubbed outcomes here, for a diff by eye")
    parser.add_argument("--again", action=argparse.BooleanOptionalAction, default=True, help="play what differs a second time")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    chosen = parser.parse_args()
    names = [name for name in sorted(scenarios) if not chosen.only or any(fnmatch.fnmatch(name, f"*{pattern}*") for pattern in chosen.only)]
    if chosen.list:
        print("\n".join(names))
        return 0
    if chosen.record or chosen.side_by_side:
        chosen.reference = chosen.reference or reference_binary()
    if not names or (chosen.record and not chosen.reference) or (not chosen.record and not chosen.ours):
        parser.error("nothing to do: --ours (or $CAIRN), or --record with a reference; and at least one scenario")
    sdk.quiet()
    try:
        return asyncio.run(renew(chosen, names) if chosen.record else run(chosen, names))
    except Broken as broken:
        print(broken)
        return 1


if __name__ == "__main__":
    sys.exit(main())
