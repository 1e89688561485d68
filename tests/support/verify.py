"""The server's own auditor over a database, live or stopped: what it finds is a broken promise.

Only our binary has one: of the reference nothing is asked.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

REFERENCE = "temporal"
UNREADABLE = "verify"
"""The promise of the auditor itself: that it comes to the end."""


@dataclass(frozen=True)
class Finding:
    """A promise by its number, and what broke it."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise} {self.what}"


def is_ours(binary: Path) -> bool:
    """Whether it is not the reference."""
    return binary.name != REFERENCE


def verify(binary: Path, database: Path | str) -> list[Finding]:
    """Everything that does not fit together, each with its run; not being able to read is one, too."""
    if not is_ours(binary):
        return []
    done = subprocess.run([binary, "verify", "--database", str(database)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        return [Finding(UNREADABLE, f"ended with {done.returncode}: {done.stderr.strip()}")]
    *violations, _summary = done.stdout.splitlines()
    if bool(violations) != bool(done.returncode):
        return [Finding(UNREADABLE, f"ended with {done.returncode} and said: {done.stdout.strip()}")]
    return [Finding(*line.split(" ", 1)) for line in violations]
