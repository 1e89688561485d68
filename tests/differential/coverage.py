"""`python -m tests.differential.coverage`: writes COVERAGE.md, a row for every event type, every cause of a failed workflow task and every RPC.

Told from the recordings (which scenario shows it), COMPATIBILITY.md (what is not built) and the list of deliberate differences: no server is asked, and
nothing is kept by hand. *Equal* is what `python -m tests.differential` proves each time: it fails when a scenario differs.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause

from tests.differential import scenarios as all_scenarios
from tests.differential.commands import ADDED
from tests.differential.deliberate import COMPATIBILITY, DELIBERATE, features_not_built, not_built
from tests.differential.player import PLAYED
from tests.differential.recordings import ORIGIN, content, recording
from tests.differential.scenario import Json, scenarios

assert all_scenarios, "importing the package registers the scenarios"
PAGE = Path(__file__).parent / "COVERAGE.md"
SHOWN = 3

WORKERS = {
    "PollWorkflowTaskQueue": "EVENT_TYPE_WORKFLOW_TASK_STARTED",
    "RespondWorkflowTaskCompleted": "EVENT_TYPE_WORKFLOW_TASK_COMPLETED",
    "PollActivityTaskQueue": "EVENT_TYPE_ACTIVITY_TASK_STARTED",
}
"""What a worker must have called when this event is there: its calls are not seen, it makes them inside the SDK."""

ABOUT = {
    "visibility/refused": ("ListWorkflowExecutions", "CountWorkflowExecutions", "ScanWorkflowExecutions"),
    "namespaces/refused": ("DescribeNamespace",),
    "namespaces/system_info": ("GetSystemInfo",),
    "namespaces/*": ("DescribeNamespace", "ListNamespaces"),
}
"""The scenarios with deliberate differences that are not named after an RPC, and the RPCs whose answers differ in them."""

FEATURES = {
    "NEXUS": "Nexus",
    "CHILD": "child workflows",
    "EXTERNAL_WORKFLOW": "signals and cancels to other runs",
    "BAD_SIGNAL_WORKFLOW": "signals and cancels to other runs",
    "PENDING_SIGNALS": "signals and cancels to other runs",
    "PENDING_REQUEST_CANCEL": "signals and cancels to other runs",
    "PAUSED": "pauses of workflows",
    "PAUSE_REQUESTED": "pauses of workflows",
}
"""Part of the name of an event or cause → the feature it belongs to, in the words of COMPATIBILITY.md."""


def texts(value: Json) -> Iterator[str]:
    """Every text in a document, keys excepted."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


class Shown:
    """Which scenarios show a name: an event type, a cause, or an RPC."""

    def __init__(self) -> None:
        self.by: dict[str, set[str]] = defaultdict(set)
        for name in scenarios:
            whole = content(name) if recording(name).exists() else {}
            origin = whole.pop(ORIGIN, {})
            for text in texts(whole):
                if text.startswith(("EVENT_TYPE_", "WORKFLOW_TASK_FAILED_CAUSE_")):
                    self.by[text].add(name)
            for call in origin.get("calls", []):
                self.by[call].add(name)
            family, _, method = name.partition("/")
            if family == "bad_input":
                self.by[method].add(name)
        for call, event in WORKERS.items():
            self.by[call] |= self.by[event]

    def row(self, name: str, subject: str, built: bool = True, different: str = "", missing: str = "") -> str:
        """One line of a table."""
        found = sorted(self.by[subject])
        missed = any(part in subject and feature in features_not_built() for part, feature in FEATURES.items())
        played = [one for one in found if not not_built(one)]
        if not built or (not played and (found or missed)):
            state = "not built"
        elif not played:
            state = "no scenario"
        else:
            state = f"different: {different}" if different else "equal"
        if missing and state != "not built":
            state += " (off, as at the reference)" if missing == "off" else f" (not built: {missing})"
        return f"| `{name}` | {state} | {chosen(played or found)} |"


def chosen(names: list[str]) -> str:
    """A few of many: of as many families as there are, those of one language last."""
    by_family: dict[str, str] = {}
    for name in names:
        by_family.setdefault(name.partition("/")[0], name)
    few = sorted(by_family.values(), key=lambda name: (name.partition("/")[0] in PLAYED, name))[:SHOWN]
    few += [name for name in names if name not in few][: SHOWN - len(few)]
    rest = len(names) - len(few)
    return ", ".join(f"`{name}`" for name in few) + (f" and {rest} more" if rest else "")


def rpcs() -> Iterator[tuple[str, str, str]]:
    """Each row of COMPATIBILITY.md: name, state, what is missing."""
    for found in re.finditer(r"^\| `(\w+)` \| (done|partly|not) \| ?(.*?) ?\|$", COMPATIBILITY.read_text(), re.MULTILINE):
        yield found[1], found[2], found[3]


def deliberate(rpc: str) -> str:
    """Which deliberate differences touch an RPC, by their numbers in COMPATIBILITY.md."""
    numbers = []
    for number, one in enumerate(DELIBERATE, start=1):
        patterns = {where.partition(": ")[0] for where in one.where}
        if any(fnmatchcase(f"bad_input/{rpc}", pattern) or rpc in ABOUT.get(pattern, ()) for pattern in patterns):
            numbers.append(str(number))
    return f"on purpose, {', '.join(numbers)}" if numbers else ""


def page() -> str:
    """The whole page."""
    shown = Shown()
    lines = [
        "# Coverage",
        "",
        "Written by `python -m tests.differential.coverage` from the recordings, COMPATIBILITY.md and the deliberate differences; a test fails when it is not up to date.",
        "*Equal*: the named scenarios are played on every run of the tests, and what clients see is what they saw of the reference. *Different*: for the reason with this number",
        "at the end of this page, and equal in the rest. *Not built*: as COMPATIBILITY.md says. *No scenario*: nothing that was recorded shows it.",
        "",
        "## Events",
        "",
        "| event | state | shown by |",
        "|---|---|---|",
    ]
    lines += [shown.row(name.removeprefix("EVENT_TYPE_"), name) for name in EventType.keys()[1:]]
    lines += ["", "## Causes of a failed workflow task", "", "| cause | state | shown by |", "|---|---|---|"]
    lines += [shown.row(name.removeprefix("WORKFLOW_TASK_FAILED_CAUSE_"), name) for name in WorkflowTaskFailedCause.keys()[1:]]
    lines += ["", "## RPCs", "", "| RPC | state | shown by |", "|---|---|---|"]
    lines += [shown.row(name, name, state != "not", deliberate(name), missing if state == "partly" else "") for name, state, missing in rpcs()]
    lines += ["", "## The same workflow in other languages", "", "What an SDK gives by itself (+), and what the Python SDK gives and it does not (-); all other commands are the same.", ""]
    lines += ["| language | scenario | commands |", "|---|---|---|"]
    lines += [f"| {language} | `{name}` | {'<br>'.join(f'`{one}`' for one in added)} |" for (language, name), added in sorted(ADDED.items())]
    lines += ["", "## Different on purpose", ""]
    lines += [f"{number}. {one.reason}" for number, one in enumerate(DELIBERATE, start=1)]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Writes the page."""
    PAGE.write_text(page())
    states = re.findall(r"^\| `\w+` \| (equal|different|not built|no scenario)", PAGE.read_text(), re.MULTILINE)
    print(", ".join(f"{states.count(state)} {state}" for state in ("equal", "different", "not built", "no scenario")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
