"""The list of deliberate differences: short, documented, and narrow."""

from __future__ import annotations

from tests.differential.deliberate import DELIBERATE, NEEDS, REASONS_MAX, documented, features_not_built, not_built, reason_for, rpcs_not_built
from tests.differential.scenarios import languages


def test_there_are_few_reasons() -> None:
    assert len(DELIBERATE) <= REASONS_MAX


def test_every_reason_is_documented_in_the_same_words_and_nothing_else_is() -> None:
    assert list(documented()) == [one.reason for one in DELIBERATE]


def test_a_difference_elsewhere_is_not_meant() -> None:
    assert reason_for("bad_input/ListWorkflowExecutions", "next_page_token garbage.code")
    assert reason_for("bad_input/ListWorkflowExecutions", "page_size negative.code") is None
    assert reason_for("bad_input/GetWorkflowExecutionHistory", "next_page_token garbage.code") is None


def test_what_is_not_built_is_told_from_the_table() -> None:
    assert rpcs_not_built("| `A` | not | |\n| `B` | partly | not all |\n") == {"A"}
    assert not not_built("bad_input/StartWorkflowExecution")
    assert not not_built("schedules/of_something_not_built")


def test_features_that_are_not_built_are_told_from_the_page() -> None:
    assert features_not_built("x\nNot built yet, whatever the RPC: updates, child\nworkflows, cron. Their commands\n") == {"updates", "child workflows", "cron"}
    assert features_not_built("Everything is built.") == set()
    assert not not_built("go/sequence")
    assert all(name in languages.__dict__ for name in NEEDS)
