"""The commands that a recorded history shows, so that the same workflow in two languages can be compared; and what each SDK adds by itself.

Reads recordings only. A command is known by the event that it made.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from tests.differential.recordings import documents

FIRST = "python"
"""The language that the others are compared with."""

LOCAL = ("- MARKER_RECORDED core_local_activity", "+ MARKER_RECORDED LocalActivity") * 2
KEPT = ("- TIMER_CANCELED",)
EFFECT = ("+ MARKER_RECORDED SideEffect",)

ADDED: dict[tuple[str, str], tuple[str, ...]] = {
    ("go", "local_activities"): LOCAL,
    ("go", "patched"): ("- MARKER_RECORDED core_patch", "+ MARKER_RECORDED Version"),
    ("go", "patience"): KEPT,
    ("go", "side_effect"): EFFECT,
    ("java", "local_activities"): LOCAL,
    ("java", "patched"): ("+ MARKER_RECORDED Version", "- MARKER_RECORDED core_patch", "- UPSERT_WORKFLOW_SEARCH_ATTRIBUTES TemporalChangeVersion"),
    ("java", "patience"): KEPT,
    ("java", "side_effect"): EFFECT,
}
"""(language, scenario) → what its SDK gives by itself, or in its own words (+), and what the first language's gives and it does not (-):
names of markers; a search attribute for patches; the timer of a condition that became true in time, which two let run; side effects, which three need not."""


def details(kind: str, attributes: dict[str, Any]) -> str:
    """What tells a command from others of its type, where the workflow chose it."""
    match kind:
        case "ACTIVITY_TASK_SCHEDULED":
            return f" {attributes['activity_type']['name']}"
        case "TIMER_STARTED":
            return f" {attributes['start_to_fire_timeout']}"
        case "MARKER_RECORDED":
            return f" {attributes['marker_name']}"
        case "START_CHILD_WORKFLOW_EXECUTION_INITIATED":
            return f" {attributes['workflow_type']['name']}"
        case "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED":
            return f" {attributes['signal_name']}"
        case "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES":
            return f" {', '.join(sorted(attributes['search_attributes']['indexed_fields']))}"
        case "WORKFLOW_PROPERTIES_MODIFIED":
            return f" {', '.join(sorted(attributes['upserted_memo']['fields']))}"
    return ""


FROM_COMMANDS = frozenset(
    "ACTIVITY_TASK_SCHEDULED ACTIVITY_TASK_CANCEL_REQUESTED TIMER_STARTED TIMER_CANCELED MARKER_RECORDED START_CHILD_WORKFLOW_EXECUTION_INITIATED "
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED UPSERT_WORKFLOW_SEARCH_ATTRIBUTES "
    "WORKFLOW_PROPERTIES_MODIFIED WORKFLOW_EXECUTION_UPDATE_ACCEPTED WORKFLOW_EXECUTION_UPDATE_COMPLETED WORKFLOW_EXECUTION_COMPLETED "
    "WORKFLOW_EXECUTION_FAILED WORKFLOW_EXECUTION_CANCELED WORKFLOW_EXECUTION_CONTINUED_AS_NEW".split()
)


def commands(events: list[dict[str, Any]]) -> list[str]:
    """What the worker told the server, in order."""
    told = []
    for event in events:
        kind = event["event_type"].removeprefix("EVENT_TYPE_")
        if kind in FROM_COMMANDS:
            attributes = next(value for key, value in event.items() if key.endswith("_event_attributes"))
            told.append(kind + details(kind, attributes))
    return told


def of_scenario(language: str, name: str) -> dict[str, list[str]]:
    """The commands of each history that a scenario kept."""
    kept = documents(f"{language}/{name}")
    return {label: commands(part["events"]) for label, part in kept.items() if isinstance(part, dict) and isinstance(part.get("events"), list)}


def added(language: str, name: str) -> tuple[str, ...]:
    """Commands of one language that the first language does not give (+), and those that it gives and this one does not (-)."""
    ours, first = of_scenario(language, name), of_scenario(FIRST, name)
    return tuple(line for label in first for line in apart(ours.get(label, []), first[label]))


def apart(ours: list[str], first: list[str]) -> Iterator[str]:
    """The lines in which two lists differ, in order."""
    for line in difflib.ndiff(first, ours):
        if line[0] in "+-":
            yield line
