"""The checker catches every fabricated violation, and finds nothing in a world where nothing is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from tests.chaos import oplog
from tests.chaos.checker import World, check, lateness, rule_of_three
from tests.chaos.histories import Run, durable, finished, prefix_hashes
from tests.chaos.oplog import Op
from tests.chaos.torture import outages

SECOND = 1_000_000_000


def event(event_id: int, name: str, at: float = 0.0, **attributes: Any) -> HistoryEvent:
    """An event by the words of its type."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    made = HistoryEvent(event_id=event_id, event_type=EventType.Value(f"EVENT_TYPE_{words.upper()}"), **{f"{words}_event_attributes": attributes})
    made.event_time.FromNanoseconds(int(at * SECOND))
    return made


def payload(value: str) -> Payloads:
    return Payloads(payloads=[Payload(data=value.encode())])


def history() -> list[HistoryEvent]:
    """A run with a timer, an activity, two signals, a cancel request and a close."""
    return [
        event(1, "WorkflowExecutionStarted", 1.0),
        event(2, "WorkflowTaskScheduled", 1.0),
        event(3, "TimerStarted", 2.0, timer_id="t", start_to_fire_timeout={"seconds": 1}),
        event(4, "ActivityTaskScheduled", 2.0, activity_id="a"),
        event(5, "WorkflowExecutionSignaled", 2.1, signal_name="number", input=payload("1")),
        event(6, "WorkflowExecutionSignaled", 2.2, signal_name="number", input=payload("2")),
        event(7, "ActivityTaskStarted", 2.3, scheduled_event_id=4, attempt=1),
        event(8, "ActivityTaskCompleted", 2.4, scheduled_event_id=4, started_event_id=7, result=payload('"r 1"')),
        event(9, "TimerFired", 3.0, timer_id="t", started_event_id=3),
        event(10, "WorkflowExecutionCancelRequested", 3.1),
        event(11, "WorkflowExecutionCompleted", 3.2),
    ]


def successor() -> list[HistoryEvent]:
    """A later run of the same id, still open."""
    return [event(1, "WorkflowExecutionStarted", 5.0), event(2, "WorkflowTaskScheduled", 5.0)]


class Fabric:
    """A world in which nothing is wrong, to be bent by each test."""

    def __init__(self) -> None:
        self.runs = {
            "r": Run("w", "r", history(), 2, 11, 2),
            "s": Run("w", "s", successor(), 1, 2, 1),
        }
        self.position = 0
        self.ops: list[Op] = []
        self.stuck: list[str] = []
        self.counts = {"Completed": 1, "Running": 1}
        self.op("start", {"request_id": "q1"}, {"run_id": "r", "started": True})
        self.op("signal", {"run_id": "r", "number": 1})
        self.op("signal", {"run_id": "r", "number": 2})
        self.read("r", 6, signals=2)
        self.op("task", {"run_id": "r", "activity_id": "a", "attempt": 1, "details": 0, "began": 0})
        self.op("heartbeat", {"run_id": "r", "activity_id": "a", "attempt": 1, "value": 1})
        self.op("complete", {"run_id": "r", "activity_id": "a", "attempt": 1, "value": '"r 1"'})
        self.op("cancel", {"run_id": "r"})
        self.read("r", 11, signals=2, cancel=True, closed=True)
        self.op("start", {"request_id": "q2"}, {"run_id": "s", "started": True})

    def op(self, kind: str, fields: dict[str, Any], result: dict[str, Any] | None = None, outcome: str = "ok") -> Op:
        made = Op(len(self.ops) + 1, kind, {"workflow_id": "w", **fields}, self.position, outcome, result or {}, self.position + 1)
        self.position += 2
        self.ops.append(made)
        return made

    def read(self, run_id: str, events: int, signals: int, cancel: bool = False, closed: bool = False) -> Op:
        hashes = prefix_hashes(self.runs[run_id].events)
        return self.op("read", {"run_id": run_id}, {"events": events, "hash": hashes[events], "signals": signals, "cancel": cancel, "closed": closed})

    def list(self, **statuses: int) -> Op:
        return self.op("list", {"run_id": next(iter(statuses), "r")}, {"runs": statuses})

    def rewrite(self, change: Callable[[list[HistoryEvent]], None], run_id: str = "r", hashes: bool = True) -> None:
        """Changes a history; what was read of it before is made to fit unless that is the point."""
        old = self.runs[run_id]
        events = list(old.events)
        change(events)
        self.runs[run_id] = Run(old.workflow_id, run_id, events, old.status, len(events), old.listed_status)
        if hashes:
            self.ops = [op for op in self.ops if op.kind != "read" or op.fields["run_id"] != run_id]

    def promises(self) -> set[str]:
        return {one.promise for one in check(World(self.ops, self.runs, (), self.stuck, self.counts))}


@pytest.fixture
def fabric() -> Fabric:
    return Fabric()


def numbered(events: list[HistoryEvent]) -> None:
    for number, one in enumerate(events, 1):
        one.event_id = number


def parent() -> list[HistoryEvent]:
    """Has a child and calls it."""
    return [
        event(1, "WorkflowExecutionStarted", 1.0),
        event(2, "StartChildWorkflowExecutionInitiated", 1.0, workflow_id="c"),
        event(3, "ChildWorkflowExecutionStarted", 1.1, initiated_event_id=2),
        event(4, "SignalExternalWorkflowExecutionInitiated", 1.2, workflow_execution={"workflow_id": "c"}, input=payload("1")),
        event(5, "ExternalWorkflowExecutionSignaled", 1.3, initiated_event_id=4, workflow_execution={"workflow_id": "c"}),
        event(6, "ChildWorkflowExecutionCompleted", 1.5, initiated_event_id=2, workflow_execution={"workflow_id": "c", "run_id": "c"}),
        event(7, "WorkflowExecutionCompleted", 1.6),
    ]


def child() -> list[HistoryEvent]:
    """Hears a call of its parent."""
    return [
        event(1, "WorkflowExecutionStarted", 1.1, parent_workflow_execution={"workflow_id": "p", "run_id": "p"}, parent_initiated_event_id=2),
        event(2, "WorkflowExecutionSignaled", 1.3, input=payload("1"), external_workflow_execution={"workflow_id": "p", "run_id": "p"}),
        event(3, "WorkflowExecutionCompleted", 1.4),
    ]


@pytest.fixture
def family(fabric: Fabric) -> Fabric:
    """The same world with a parent and its child."""
    fabric.runs["p"] = Run("p", "p", parent(), 2, 7, 2)
    fabric.runs["c"] = Run("c", "c", child(), 2, 3, 2)
    fabric.counts["Completed"] += 2
    return fabric


def test_nothing_is_wrong_in_a_family(family: Fabric) -> None:
    assert family.promises() == set()


def test_a_child_is_begun_twice(family: Fabric) -> None:
    later = child()
    for one in later:
        one.event_time.FromNanoseconds(one.event_time.ToNanoseconds() + SECOND)
    del later[1]
    numbered(later)
    family.runs["d"] = Run("c", "d", later, 2, 2, 2)
    family.counts["Completed"] += 1
    assert family.promises() == {"I-15"}


def test_a_child_that_nobody_asked_for(family: Fabric) -> None:
    family.rewrite(lambda events: setattr(events[0].workflow_execution_started_event_attributes, "parent_initiated_event_id", 3), "c")
    assert family.promises() == {"I-15"}


def test_a_parent_hears_another_end(family: Fabric) -> None:
    family.rewrite(lambda events: events.__setitem__(5, event(6, "ChildWorkflowExecutionFailed", 1.5, initiated_event_id=2, workflow_execution={"workflow_id": "c", "run_id": "c"})), "p")
    assert family.promises() == {"I-15"}


def test_a_parent_hears_of_an_end_twice(family: Fabric) -> None:
    family.rewrite(lambda events: (events.insert(6, parent()[5]), numbered(events)), "p")  # type: ignore[func-returns-value]
    assert family.promises() == {"I-15"}


def test_a_call_is_not_heard(family: Fabric) -> None:
    family.rewrite(lambda events: (events.pop(1), numbered(events)), "c")  # type: ignore[func-returns-value]
    assert family.promises() == {"I-16"}


def test_a_call_is_heard_twice_in_a_chain(family: Fabric) -> None:
    again = child()
    for one in again:
        one.event_time.FromNanoseconds(one.event_time.ToNanoseconds() + SECOND)
    again[0].workflow_execution_started_event_attributes.continued_execution_run_id = "c"
    family.rewrite(lambda events: events.__setitem__(2, event(3, "WorkflowExecutionContinuedAsNew", 1.4, new_execution_run_id="d")), "c")
    family.rewrite(lambda events: setattr(events[5].child_workflow_execution_completed_event_attributes.workflow_execution, "run_id", "d"), "p")
    family.runs["c"].status = family.runs["c"].listed_status = 6
    family.runs["d"] = Run("c", "d", again, 2, 3, 2)
    family.counts["ContinuedAsNew"] = 1
    assert family.promises() == {"I-16"}


def test_nothing_is_wrong(fabric: Fabric) -> None:
    assert fabric.promises() == set()


def test_an_acknowledged_run_is_gone(fabric: Fabric) -> None:
    fabric.counts = {}
    del fabric.runs["s"]
    assert fabric.promises() == {"I-1"}


@pytest.mark.parametrize("kind", ["signal", "cancel", "terminate", "complete"])
def test_an_acknowledged_operation_is_lost(fabric: Fabric, kind: str) -> None:
    fabric.op(kind, {"run_id": "s", "number": 9, "value": "v"})
    assert fabric.promises() == {"I-1"}


def test_an_acknowledged_heartbeat_is_lost(fabric: Fabric) -> None:
    fabric.op("task", {"run_id": "r", "activity_id": "a", "attempt": 2, "details": 0, "began": 0})
    assert fabric.promises() == {"I-1"}


def test_a_doubtful_operation_may_be_lost(fabric: Fabric) -> None:
    fabric.op("signal", {"run_id": "s", "number": 9}, outcome="doubt")
    fabric.op("start", {"request_id": "q3"}, outcome="doubt")
    assert fabric.promises() == set()


def test_an_event_is_missing(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events.pop(1))
    assert fabric.promises() == {"I-2"}


def test_an_event_comes_twice(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events.insert(1, events[1]))
    assert "I-2" in fabric.promises()


def test_a_history_without_its_beginning(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: (events.pop(0), numbered(events)), "s")  # type: ignore[func-returns-value]
    assert "I-2" in fabric.promises()


def test_a_read_prefix_has_changed(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: setattr(events[1], "task_id", 99), hashes=False)
    assert fabric.promises() == {"I-3"}


def test_a_read_history_has_shrunk(fabric: Fabric) -> None:
    fabric.op("read", {"run_id": "s"}, {"events": 3, "hash": "x", "signals": 0, "cancel": False, "closed": False})
    assert fabric.promises() == {"I-3"}


def test_an_event_after_the_close(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events.append(event(12, "WorkflowTaskScheduled", 3.3)))
    assert "I-4" in fabric.promises()


def test_two_closes(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events.append(event(12, "WorkflowExecutionTerminated", 3.3)))
    assert "I-4" in fabric.promises()


def test_a_status_without_its_close(fabric: Fabric) -> None:
    fabric.runs["s"].status = 2
    assert "I-4" in fabric.promises()


def test_an_activity_ends_twice(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: (events.insert(8, event(9, "ActivityTaskTimedOut", 2.5, scheduled_event_id=4)), numbered(events)))  # type: ignore[func-returns-value]
    assert "I-5" in fabric.promises()


def test_an_activity_starts_before_it_is_scheduled(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: setattr(events[6].activity_task_started_event_attributes, "scheduled_event_id", 5))
    assert "I-5" in fabric.promises()


def test_an_attempt_does_not_rise(fabric: Fabric) -> None:
    fabric.op("task", {"run_id": "r", "activity_id": "a", "attempt": 1, "details": 1, "began": 0})
    assert fabric.promises() == {"I-5"}


@pytest.mark.parametrize(("waited", "promises"), [(True, set()), (False, {"I-5"})])
def test_an_attempt_comes_after_a_later_one(fabric: Fabric, waited: bool, promises: set[str]) -> None:
    later = fabric.op("task", {"run_id": "r", "activity_id": "a", "attempt": 3, "details": 1, "began": 0})
    fabric.op("task", {"run_id": "r", "activity_id": "a", "attempt": 2, "details": 1, "began": later.number - waited})
    assert fabric.promises() == promises


def test_another_result_than_the_acknowledged(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events[7].activity_task_completed_event_attributes.result.CopyFrom(payload('"other"')))
    assert fabric.promises() == {"I-1"}


def test_a_timer_fires_a_nanosecond_early(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events[8].event_time.FromNanoseconds(3 * SECOND - 1))
    assert fabric.promises() == {"I-6"}


def test_a_timer_ends_twice(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: (events.insert(9, event(10, "TimerCanceled", 3.0, timer_id="t", started_event_id=3)), numbered(events)))  # type: ignore[func-returns-value]
    assert "I-6" in fabric.promises()


def test_a_timer_fires_late(fabric: Fabric) -> None:
    def late(events: list[HistoryEvent]) -> None:
        for one in events[8:]:
            one.event_time.FromNanoseconds(20 * SECOND)

    fabric.rewrite(late)
    fabric.rewrite(lambda events: [one.event_time.FromNanoseconds(21 * SECOND) for one in events], "s")  # type: ignore[func-returns-value, arg-type, return-value]
    assert fabric.promises() == {"L-2"}


def test_an_outage_excuses_lateness() -> None:
    assert lateness(World([], {}, [(10.0, 30.0), (40.0, 50.0)]), 5 * SECOND, 32 * SECOND) == pytest.approx(2.0)
    assert lateness(World([], {}, [(10.0, 30.0)]), 31 * SECOND, 32 * SECOND) == pytest.approx(1.0)
    assert lateness(World([], {}, [(10.0, 30.0)]), 5 * SECOND, 29 * SECOND) == 0.0
    assert lateness(World([], {}, [(10.0, 30.0)]), 1 * SECOND, 9 * SECOND) == pytest.approx(8.0)


def test_outages_of_several_nodes_overlap() -> None:
    notes = [{"kind": kind, "what": what, "time": time} for kind, what, time in [("down", "a", 1.0), ("down", "b", 2.0), ("up", "a", 3.0), ("up", "b", 4.0), ("up", "c", 5.0)]]
    assert outages(notes) == [(1.0, 3.0), (2.0, 4.0)]


def test_two_open_runs_of_one_id(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events[0].event_time.FromNanoseconds(2 * SECOND), "s")
    assert fabric.promises() == {"I-7"}


def test_one_request_makes_two_runs(fabric: Fabric) -> None:
    fabric.ops[-1].fields["request_id"] = "q1"
    assert fabric.promises() == {"I-8"}


def test_a_run_that_nobody_asked_for(fabric: Fabric) -> None:
    fabric.ops.pop()
    assert fabric.promises() == {"I-8"}


def test_a_repeated_request_is_refused(fabric: Fabric) -> None:
    del fabric.runs["s"]
    fabric.counts = {"Completed": 1}
    fabric.ops.pop()
    fabric.op("start", {"request_id": "q1"}, {"code": "ALREADY_EXISTS"}, "fail")
    assert fabric.promises() == {"I-8"}


def test_a_signal_is_applied_twice(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events[4].workflow_execution_signaled_event_attributes.input.CopyFrom(payload("2")))
    fabric.ops = [op for op in fabric.ops if op.kind != "signal"]
    assert fabric.promises() == {"I-8"}


def test_signals_change_their_order(fabric: Fabric) -> None:
    def swap(events: list[HistoryEvent]) -> None:
        events[4], events[5] = events[5], events[4]
        numbered(events)

    fabric.rewrite(swap)
    assert fabric.promises() == {"I-12"}


@pytest.mark.parametrize(("kind", "saw"), [("signal", {"signals": 0}), ("cancel", {"cancel": False}), ("terminate", {"closed": False})])
def test_a_read_does_not_see_what_was_acknowledged(fabric: Fabric, kind: str, saw: dict[str, Any]) -> None:
    fabric.op(kind, {"run_id": "s", "number": 1})
    fabric.op("read", {"run_id": "s"}, {"events": 2, "hash": prefix_hashes(fabric.runs["s"].events)[2], "signals": 1, "cancel": False, "closed": False, **saw})
    assert "I-13" in fabric.promises()


def test_a_buffered_signal_need_not_be_seen(fabric: Fabric) -> None:
    fabric.op("read", {"run_id": "r"}, {"events": 4, "hash": prefix_hashes(fabric.runs["r"].events)[4], "signals": 0, "cancel": False, "closed": False, "buffering": True})
    assert fabric.promises() == set()


def test_a_query_does_not_see_an_acknowledged_signal(fabric: Fabric) -> None:
    fabric.op("query", {"run_id": "r"}, {"signals": 1})
    assert fabric.promises() == {"I-13"}


def test_an_acknowledged_run_is_not_found(fabric: Fabric) -> None:
    fabric.op("read", {"run_id": "s"}, {"code": "NOT_FOUND"}, "fail")
    assert fabric.promises() == {"I-13"}


@pytest.mark.parametrize(("field", "value"), [("status", 3), ("listed_status", None), ("history_length", 10)])
def test_visibility_disagrees(fabric: Fabric, field: str, value: Any) -> None:
    setattr(fabric.runs["r"], field, value)
    assert fabric.promises() == {"I-14"}


def test_a_count_disagrees(fabric: Fabric) -> None:
    fabric.counts["Running"] = 2
    assert fabric.promises() == {"I-14"}


def test_list_tells_what_is(fabric: Fabric) -> None:
    fabric.list(r=2, s=1)
    assert not fabric.promises()


def test_list_does_not_know_an_acknowledged_run(fabric: Fabric) -> None:
    fabric.list()
    assert fabric.promises() == {"I-13"}


def test_list_shows_a_closed_run_as_running(fabric: Fabric) -> None:
    fabric.list(r=1)
    assert fabric.promises() == {"I-13"}


def test_a_workflow_task_waits_for_a_worker(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: events.append(event(3, "WorkflowTaskStarted", 21.0, scheduled_event_id=2)), "s")
    assert fabric.promises() == {"L-1"}


def test_a_successor_does_not_exist(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: setattr(events[10].workflow_execution_completed_event_attributes, "new_execution_run_id", "t"))
    assert fabric.promises() == {"I-15"}


def test_a_predecessor_does_not_know(fabric: Fabric) -> None:
    fabric.rewrite(lambda events: setattr(events[0].workflow_execution_started_event_attributes, "continued_execution_run_id", "r"), "s")
    assert fabric.promises() == {"I-15"}


def test_something_is_stuck(fabric: Fabric) -> None:
    fabric.stuck.append("w")
    assert fabric.promises() == {"L-5"}


def updated(fabric: Fabric, **told: Any) -> None:
    """An update that was accepted and completed with 7, and what was said of it."""

    def change(events: list[HistoryEvent]) -> None:
        events.append(event(3, "WorkflowExecutionUpdateAccepted", 5.1, protocol_instance_id="u1"))
        events.append(event(4, "WorkflowExecutionUpdateCompleted", 5.2, meta={"update_id": "u1"}, accepted_event_id=3, outcome={"success": payload("7")}))

    fabric.rewrite(change, "s")
    fabric.op("update", {"run_id": "s", "number": 1}, {"stage": 3, "result": "7", "rejected": False, **told})


def test_an_update_as_it_was_told_is_no_violation(fabric: Fabric) -> None:
    updated(fabric)
    fabric.op("update", {"run_id": "s", "number": -1}, {"stage": 3, "result": "", "rejected": True})
    assert fabric.promises() == set()


@pytest.mark.parametrize("told", [{"result": "8"}, {"rejected": True}])
def test_an_update_that_was_told_otherwise(fabric: Fabric, told: dict[str, Any]) -> None:
    updated(fabric, **told)
    assert "I-1" in fabric.promises()


@pytest.mark.parametrize("stage", [2, 3])
def test_an_update_that_was_told_and_is_nowhere(fabric: Fabric, stage: int) -> None:
    fabric.op("update", {"run_id": "s", "number": 1}, {"stage": stage, "result": "7", "rejected": False})
    assert "I-1" in fabric.promises()


def test_an_update_that_was_done_twice(fabric: Fabric) -> None:
    updated(fabric)
    fabric.rewrite(lambda events: events.append(event(5, "WorkflowExecutionUpdateAccepted", 5.3, protocol_instance_id="u1")), "s")
    assert "I-8" in fabric.promises()


def before_reset() -> list[HistoryEvent]:
    """A run that hears a signal behind its first workflow task and is reset to there."""
    return [
        event(1, "WorkflowExecutionStarted", 6.0),
        event(2, "WorkflowTaskScheduled", 6.0),
        event(3, "WorkflowTaskStarted", 6.1),
        event(4, "WorkflowTaskCompleted", 6.2),
        event(5, "WorkflowExecutionSignaled", 6.3, input=payload("1")),
        event(6, "WorkflowExecutionTerminated", 6.4),
    ]


def behind_reset() -> list[HistoryEvent]:
    """The run that goes on."""
    return [
        *before_reset()[:3],
        event(4, "WorkflowTaskFailed", 6.4, base_run_id="b", new_run_id="n", started_event_id=3),
        event(5, "WorkflowExecutionSignaled", 6.4, input=payload("1")),
        event(6, "WorkflowExecutionCompleted", 6.5),
    ]


@pytest.fixture
def rewound(fabric: Fabric) -> Fabric:
    """The same world with a run that was reset."""
    fabric.runs["b"] = Run("x", "b", before_reset(), 5, 6, 5)
    fabric.runs["n"] = Run("x", "n", behind_reset(), 2, 6, 2)
    fabric.counts |= {"Completed": 2, "Terminated": 1}
    fabric.op("start", {"workflow_id": "x", "request_id": "q3"}, {"run_id": "b", "started": True})
    fabric.op("reset", {"workflow_id": "x", "run_id": "b", "request_id": "q4", "point": 4}, {"new_run_id": "n"})
    return fabric


def test_nothing_is_wrong_behind_a_reset(rewound: Fabric) -> None:
    assert rewound.promises() == set()


def test_a_reset_that_was_told_and_is_nowhere(rewound: Fabric) -> None:
    rewound.op("reset", {"workflow_id": "x", "run_id": "b", "request_id": "q5", "point": 4}, {"new_run_id": "gone"})
    assert rewound.promises() == {"I-1"}


def test_a_reset_that_was_done_twice(rewound: Fabric) -> None:
    again = [*before_reset()[:3], event(4, "WorkflowTaskFailed", 6.6, base_run_id="b", new_run_id="m", started_event_id=3), *behind_reset()[4:]]
    rewound.runs["m"] = Run("x", "m", again, 2, 6, 2)
    rewound.counts["Completed"] += 1
    assert "I-8" in rewound.promises()


def test_a_request_that_was_told_two_runs(rewound: Fabric) -> None:
    rewound.op("reset", {"workflow_id": "x", "run_id": "b", "request_id": "q4", "point": 4}, {"new_run_id": "s"})
    assert "I-8" in rewound.promises()


def test_a_reset_that_begins_otherwise(rewound: Fabric) -> None:
    rewound.rewrite(lambda events: setattr(events[1].event_time, "seconds", 1), "n")
    assert rewound.promises() == {"I-15"}


def test_a_reset_that_loses_a_signal(rewound: Fabric) -> None:
    rewound.rewrite(lambda events: (events.pop(4), numbered(events)), "n")  # type: ignore[func-returns-value]
    assert rewound.promises() == {"I-1"}


def test_two_runs_that_overlap_behind_a_reset(rewound: Fabric) -> None:
    rewound.rewrite(lambda events: setattr(events[5].event_time, "seconds", 7), "b")
    assert rewound.promises() == {"I-7"}


def paused(fabric: Fabric, until: bool) -> None:
    """An activity is paused, perhaps not for ever, and given out to a poll that began behind that."""
    activity = {"run_id": "r", "activity_id": "b"}
    fabric.op("pause", activity)
    if until:
        fabric.op("unpause", activity)
    between = fabric.op("query", {"run_id": "r"}, outcome="doubt")
    fabric.op("task", {**activity, "attempt": 1, "details": 0, "began": between.number})


@pytest.mark.parametrize("until", [True, False])
def test_a_paused_activity_is_given_out(fabric: Fabric, until: bool) -> None:
    paused(fabric, until)
    assert fabric.promises() == (set() if until else {"I-5"})


def test_a_task_in_hand_may_be_speculative() -> None:
    events = [*successor(), event(3, "WorkflowTaskStarted", 5.1)]
    assert len(finished(events)) == 1
    assert len(finished(events[:2])) == 1
    assert len(finished(history())) == len(history())


def test_a_transient_task_is_not_durable() -> None:
    events = [*successor(), event(3, "WorkflowTaskScheduled", attempt=2), event(4, "WorkflowTaskStarted", scheduled_event_id=3)]
    assert len(durable(events)) == 2
    assert len(durable(events[:3])) == 2
    assert len(durable(successor())) == 2


def test_the_log_survives_a_torn_line(tmp_path: Path) -> None:
    async def write() -> None:
        log = oplog.OpLog(tmp_path / "ops.log")
        numbers = await asyncio.gather(*(log.invoke("start", workflow_id=str(n)) for n in range(5)))
        await log.answer(numbers[0], "ok", run_id="r")
        await log.answer(numbers[1], "fail", code="NOT_FOUND")
        await log.note("down", what="server")

    asyncio.run(write())
    with (tmp_path / "ops.log").open("ab") as file:
        file.write(b'{"op": 3, "phase": "o')
    ops, notes = oplog.read(tmp_path / "ops.log")
    assert [op.outcome for op in ops] == ["ok", "fail", "doubt", "doubt", "doubt"]
    assert notes[0]["what"] == "server"


def test_the_rule_of_three() -> None:
    assert rule_of_three(1000) == pytest.approx(0.003)
