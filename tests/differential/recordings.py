"""What the reference did, kept in `recorded/`: one file per scenario, with the version of the reference and the digest of its binary on top.

A recording that is renewed and has not changed in what counts stays as it is, but for where it comes from. Whether recordings still tell what the
reference does is asked of a random tenth whenever the reference is there.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.differential.compare import Difference, first_difference
from tests.differential.run import Outcome
from tests.differential.scenario import Json

RECORDED = Path(__file__).parent / "recorded"
ORIGIN = "recorded from"
"""The entry of a file that is no document of the scenario."""

SAMPLED = 0.1


@dataclass(frozen=True)
class Origin:
    """Which binary a recording comes from."""

    server: str
    binary: str

    @staticmethod
    def of(binary: Path) -> Origin:
        """Asks a binary for its version, and reads it."""
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"Server ([\d.]+)", said)
        with binary.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Origin(version[1] if version else said.strip(), f"sha256:{digest}")


def recording(name: str) -> Path:
    """Where a scenario's outcome on the reference is kept."""
    return RECORDED / f"{name.replace('/', '.')}.json"


def content(name: str) -> dict[str, Json]:
    """A whole file; empty if there is none."""
    file = recording(name)
    return json.loads(file.read_text()) if file.exists() else {}


def documents(name: str) -> dict[str, Json]:
    """What a scenario kept."""
    return {label: value for label, value in content(name).items() if label != ORIGIN}


def record(outcomes: dict[str, Outcome], origin: Origin) -> None:
    """Stores outcomes of the reference."""
    RECORDED.mkdir(exist_ok=True)
    for name, outcome in outcomes.items():
        if outcome.error:
            continue
        before = documents(name)
        kept = outcome.documents if first_difference(outcome.documents, before) else before
        top = {ORIGIN: {"server": origin.server, "binary": origin.binary, "calls": outcome.calls}}
        recording(name).write_text(json.dumps({**top, **kept}, indent=1, ensure_ascii=False) + "\n")


def recorded(names: list[str]) -> dict[str, Outcome]:
    """Loads outcomes of the reference."""
    loaded = {}
    for name in names:
        found = content(name)
        calls = found.pop(ORIGIN, {}).get("calls", [])
        loaded[name] = Outcome(found, calls=calls) if found else Outcome(error="never recorded")
    return loaded


def sample(names: list[str], seed: int, share: float = SAMPLED) -> list[str]:
    """A random share of the names, at least one; the same under the same seed."""
    return sorted(random.Random(seed).sample(names, max(1, round(len(names) * share))))


def stale(name: str, outcome: Outcome) -> Difference | None:
    """Where a recording does not say what the reference does now."""
    return first_difference(outcome.documents, documents(name))
