"""The same workflow in several languages gives the same commands, but for what an SDK adds by itself: told from the recordings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.differential.commands import ADDED, FIRST, added, apart, of_scenario
from tests.differential.player import PLAYED, SOURCES
from tests.differential.recordings import recording
from tests.differential.scenario import scenarios
from tests.differential.scenarios import languages
from tests.support.languages import ROOT

NAMES = sorted(name.partition("/")[2] for name in scenarios if name.startswith(f"{FIRST}/"))
OTHERS = [(language, name) for language in PLAYED if language != FIRST for name in NAMES]
assert languages, "importing the module registers the scenarios"


def test_there_are_twenty_in_each_language() -> None:
    assert len(NAMES) >= 20
    assert all(recording(f"{language}/{name}").exists() for language in PLAYED for name in NAMES)


@pytest.mark.parametrize(("language", "name"), OTHERS)
def test_commands_are_the_same_but_for_what_is_listed(language: str, name: str) -> None:
    assert added(language, name) == ADDED.get((language, name), ())


def test_the_list_names_nothing_else() -> None:
    assert set(ADDED) <= set(OTHERS)


def test_a_command_that_only_one_gives_is_told() -> None:
    assert list(apart(["A", "B"], ["A"])) == ["+ B"]
    assert list(apart(["A"], ["A", "B"])) == ["- B"]
    assert of_scenario(FIRST, "sequence")["history"] == ["ACTIVITY_TASK_SCHEDULED echo"] * 3 + ["WORKFLOW_EXECUTION_COMPLETED"]


def table(file: Path) -> dict[str, Any]:
    """A file in TOML."""
    return tomllib.loads(file.read_text())


def features(dependency: str | dict[str, Any]) -> set[str]:
    """Those that a line of a manifest asks for."""
    return set() if isinstance(dependency, str) else set(dependency.get("features", []))


def test_the_rust_sdk_is_built_once_for_both_programs() -> None:
    """Cargo shares a build between programs whose dependencies have the same versions and features."""
    hello, player = ROOT / "examples" / "rust", SOURCES / "rust"
    first, second = ({(one["name"], one["version"]) for one in table(folder / "Cargo.lock")["package"] if "source" in one} for folder in (hello, player))
    assert first == second
    asked, also = (table(folder / "Cargo.toml")["dependencies"] for folder in (hello, player))
    assert [name for name in asked if name not in also or features(asked[name]) - features(also[name])] == []
