"""The comparer and the scrub list, on made-up histories: what must be noticed, what must not."""

from __future__ import annotations

import copy

from tests.differential.compare import first_difference, mutants, unnoticed
from tests.differential.scrub import Scrubber

RUN = "01a20228-3045-7e17-8ea1-9dfe0c40d614"
OTHER = "01a20228-3045-7e17-8ea1-9dfe0c40d615"
HISTORY = [
    {"event_id": "1", "event_time": "2026-01-01T00:00:00Z", "task_id": "7", "started": {"run_id": RUN, "attempt": 1}},
    {"event_id": "2", "event_time": "2026-01-01T00:00:01.5Z", "task_id": "8", "scheduled": {"of": RUN}},
    {"event_id": "3", "event_time": "2026-01-01T00:00:02Z", "task_id": "9", "signaled": {}},
]


def scrubbed(history: list[dict[str, object]]) -> list[dict[str, object]]:
    return Scrubber().value(copy.deepcopy(history), "")


def test_another_run_at_another_time_is_equal() -> None:
    other = [{**event, "event_time": "2027-02-02T00:00:00Z", "task_id": "1000"} for event in copy.deepcopy(HISTORY)]
    other[0]["started"]["run_id"] = other[1]["scheduled"]["of"] = OTHER  # type: ignore[index]
    assert first_difference(scrubbed(HISTORY), scrubbed(other)) is None


def test_a_reference_to_another_run_is_a_difference() -> None:
    other = copy.deepcopy(HISTORY)
    other[1]["scheduled"]["of"] = OTHER  # type: ignore[index]
    found = first_difference(scrubbed(HISTORY), scrubbed(other))
    assert found is not None and found.path == "[1].scheduled.of"


def test_a_missing_time_is_a_difference() -> None:
    other = copy.deepcopy(HISTORY)
    del other[2]["event_time"]
    assert str(first_difference(scrubbed(HISTORY), scrubbed(other))) == "[2].event_time: '<time>' ≠ '<absent>'"


def test_an_additional_event_and_field_are_differences() -> None:
    assert first_difference(HISTORY, HISTORY[:2]) is not None
    assert first_difference(HISTORY[:2], HISTORY) is not None
    assert first_difference([{"a": 1}], [{"a": 1, "b": None}]) is not None
    assert first_difference({"a": 1}, {"a": True}) is not None


def test_every_mutant_of_every_seed_is_noticed() -> None:
    for seed in range(200):
        for what, mutant in mutants(HISTORY, str(seed)):
            assert first_difference(mutant, HISTORY) is not None, what
    assert unnoticed({"history": {"events": HISTORY}}, "seed") == []
