"""The same workflow in several languages gives the same commands, but for what an SDK adds by itself: told from the recordings."""

from __future__ import annotations

import pytest

from tests.differential.commands import ADDED, FIRST, added, apart, of_scenario
from tests.differential.player import PLAYED
from tests.differential.recordings import recording
from tests.differential.scenario import scenarios
from tests.differential.scenarios import languages

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
