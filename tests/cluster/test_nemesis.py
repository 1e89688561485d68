"""Does the stopwatch stop when it must, and not before? Fabricated tables."""

from __future__ import annotations

from tests.cluster.nemesis import astray, untaken
from tests.cluster.nodes import REJECTED, Owned

BEFORE = {0: Owned(3, "a"), 1: Owned(7, "a")}
THERE = {"b", "c"}


def test_taken_by_others() -> None:
    assert not untaken(BEFORE, {0: Owned(4, "b"), 1: Owned(9, "c")}, THERE)


def test_still_the_dead_nodes() -> None:
    assert untaken(BEFORE, {0: Owned(4, "b"), 1: Owned(7, "a")}, THERE) == {1: Owned(7, "a")}


def test_back_under_its_name_but_not_taken_again() -> None:
    assert untaken(BEFORE, BEFORE, {"a", *THERE}) == BEFORE
    assert not untaken(BEFORE, {0: Owned(4, "a"), 1: Owned(8, "a")}, {"a", *THERE})


def test_let_go_and_taken_by_nobody() -> None:
    assert untaken(BEFORE, {0: Owned(4, "b"), 1: Owned(7, "")}, THERE) == {1: Owned(7, "a")}


def test_taken_by_one_that_died_too() -> None:
    assert untaken(BEFORE, {0: Owned(4, "d"), 1: Owned(8, "b")}, THERE) == {0: Owned(3, "a")}


def test_at_home() -> None:
    home = {0: "a", 1: "b"}
    assert not astray(home, {0: Owned(1, "a"), 1: Owned(1, "b")}, {"a", *THERE})
    assert not astray(home, {0: Owned(1, "c"), 1: Owned(1, "b")}, THERE)
    assert astray(home, {0: Owned(1, "c"), 1: Owned(1, "b")}, {"a", *THERE}) == {0: Owned(1, "c")}
    assert astray(home, {0: Owned(1, "a"), 1: Owned(1, "b")}, THERE) == {0: Owned(1, "a")}


def test_the_metric_by_either_name() -> None:
    for line in ("cairn_commits_rejected 5", "cairn_commits_rejected_total 5", 'cairn_commits_rejected_total{node="a"} 5'):
        found = REJECTED.search(f"# TYPE x counter\n{line}\n")
        assert found and found[1] == "5"
