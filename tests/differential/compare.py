"""Where two scrubbed outcomes first differ; and the proof that the comparer would have noticed.

Knows nothing of servers or protobuf: JSON values in, a path out.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = Any
ABSENT = "<absent>"


@dataclass(frozen=True)
class Difference:
    """The first place where two values are not the same."""

    path: str
    ours: Json
    reference: Json

    def __str__(self) -> str:
        return f"{self.path}: {shorten(self.ours)} ≠ {shorten(self.reference)}"


def shorten(value: Json, length: int = 160) -> str:
    """A value on one line."""
    shown = repr(value)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def differences(ours: Json, reference: Json, path: str = "") -> Iterator[Difference]:
    """All differences in document order."""
    if isinstance(ours, dict) and isinstance(reference, dict):
        for key in [*reference, *(key for key in ours if key not in reference)]:
            yield from differences(ours.get(key, ABSENT), reference.get(key, ABSENT), f"{path}.{key}" if path else key)
    elif isinstance(ours, list) and isinstance(reference, list):
        for index in range(max(len(ours), len(reference))):
            left = ours[index] if index < len(ours) else ABSENT
            right = reference[index] if index < len(reference) else ABSENT
            yield from differences(left, right, f"{path}[{index}]")
    elif ours != reference or type(ours) is not type(reference):
        yield Difference(path, ours, reference)


def first_difference(ours: Json, reference: Json) -> Difference | None:
    """The first difference in document order, or none."""
    return next(differences(ours, reference), None)


def mutants(history: list[Json], seed: str) -> Iterator[tuple[str, list[Json]]]:
    """Copies of a history with one thing wrong each: a field changed, a pair swapped, an event missing."""
    rng = random.Random(seed)
    if not history:
        return
    changed = copy.deepcopy(history)
    holder, key = rng.choice(list(leaves(changed)))
    holder[key] = f"{holder[key]} changed"
    yield f"field {key} changed", changed
    if len(history) > 1:
        first = rng.randrange(len(history) - 1)
        swapped = copy.deepcopy(history)
        swapped[first], swapped[first + 1] = swapped[first + 1], swapped[first]
        yield f"events {first + 1} and {first + 2} swapped", swapped
    missing = rng.randrange(len(history))
    yield f"event {missing + 1} removed", history[:missing] + history[missing + 1 :]


def leaves(value: Json) -> Iterator[tuple[Any, Any]]:
    """Every place of a JSON value that holds no further value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, element in inner:
        if isinstance(element, (dict, list)) and element:
            yield from leaves(element)
        else:
            yield value, key


def unnoticed(document: Json, seed: str) -> list[str]:
    """The mutations of any history in `document` that the comparer would have missed: must be empty."""
    missed = []
    for label, part in document.items():
        if isinstance(part, dict) and isinstance(part.get("events"), list):
            for what, mutant in mutants(part["events"], f"{seed} {label}"):
                if first_difference({"events": mutant}, {"events": part["events"]}) is None:
                    missed.append(f"{label}: {what}")
    return missed
