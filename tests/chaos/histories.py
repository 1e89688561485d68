"""What the checker needs to know about histories: closes, prefix hashes, what is durable. Pure functions on events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.history.v1 import HistoryEvent

from tests.support.rpc import attributes, event_name

CLOSES: dict[str, int] = {
    "WorkflowExecutionCompleted": 2,
    "WorkflowExecutionFailed": 3,
    "WorkflowExecutionCanceled": 4,
    "WorkflowExecutionTerminated": 5,
    "WorkflowExecutionContinuedAsNew": 6,
    "WorkflowExecutionTimedOut": 7,
}
"""Close event → status."""

RUNNING = 1


@dataclass
class Run:
    """A run as the API showed it at the end."""

    workflow_id: str
    run_id: str
    events: Sequence[HistoryEvent]
    status: int = 0
    history_length: int = 0
    listed_status: int | None = None
    buffering: bool = False
    """A workflow task was running: events wait in a buffer that no history shows."""
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.names = [event_name(event) for event in self.events]

    def named(self, *names: str) -> Iterator[tuple[HistoryEvent, Any]]:
        """The events of some types with their attributes."""
        for event, name in zip(self.events, self.names, strict=True):
            if name in names:
                yield event, attributes(event)

    @property
    def reset(self) -> tuple[str, int] | None:
        """The run from which this one came by a reset, and how many events it has of it."""
        for event, found in self.named("WorkflowTaskFailed"):
            if found.new_run_id == self.run_id:
                return found.base_run_id, found.started_event_id
        return None

    @property
    def began(self) -> int:
        """When it became a run of its own, in nanoseconds."""
        reset = self.reset
        return nanoseconds(self.events[reset[1] if reset else 0])

    @property
    def close(self) -> HistoryEvent | None:
        """The last event, if it closes the run."""
        return self.events[-1] if self.names and self.names[-1] in CLOSES else None


def durable(events: Sequence[HistoryEvent]) -> Sequence[HistoryEvent]:
    """Without the transient workflow task that servers append for the worker's sake: it may still vanish."""
    last = len(events)
    if last and event_name(events[last - 1]) == "WorkflowTaskStarted":
        last -= 1
    if last and event_name(events[last - 1]) == "WorkflowTaskScheduled" and attributes(events[last - 1]).attempt > 1:
        return events[: last - 1]
    return events


def finished(events: Sequence[HistoryEvent]) -> Sequence[HistoryEvent]:
    """Without a workflow task that waits or that a worker has in hand: a speculative one looks like any other and may vanish without a trace."""
    last = len(events)
    for name in ("WorkflowTaskStarted", "WorkflowTaskScheduled"):
        if last and event_name(events[last - 1]) == name:
            last -= 1
    return events[:last]


def prefix_hashes(events: Sequence[HistoryEvent]) -> list[str]:
    """For each n, a hash of the first n events."""
    hashes = [""]
    for event in events:
        link = hashlib.blake2b(hashes[-1].encode() + event.SerializeToString(deterministic=True), digest_size=12)
        hashes.append(link.hexdigest())
    return hashes


def nanoseconds(event: HistoryEvent) -> int:
    """The event's time."""
    return event.event_time.ToNanoseconds()


def json_payload(payloads: Any) -> str:
    """The first payload as text."""
    return payloads.payloads[0].data.decode() if payloads.payloads else ""
