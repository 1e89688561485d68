"""Where we differ on purpose, and what is not built: neither is a failure, and both are shown.

At most ten reasons, each in the same words in COMPATIBILITY.md under "Different on purpose". A reason that no difference needs any
more is reported after a run of everything: the list may only shrink by itself.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.differential.player import PLAYED

COMPATIBILITY = Path(__file__).parents[2] / "COMPATIBILITY.md"
REASONS_MAX = 10


@dataclass(frozen=True)
class Deliberate:
    """A reason, and the differences it accounts for: patterns of `scenario: path`, with * as in file names."""

    reason: str
    where: tuple[str, ...]

    def covers(self, scenario: str, path: str) -> bool:
        """Whether the difference at this path of a scenario is meant."""
        return any(fnmatch.fnmatchcase(f"{scenario}: {path}", pattern) for pattern in self.where)


DELIBERATE = (
    Deliberate(
        "A fault in a request is named with INVALID_ARGUMENT or NOT_FOUND where the reference answers \"something went wrong, please retry\", "
        "UNKNOWN, an error of its database, or ignores it: page tokens that are not ours, `UNION` in a query, a namespace id that is no UUID, options behind a reset without a mask. "
        "What it fails at without a fault is answered: quotation marks in a value of a text or of a list, queries by `BatcherNamespace`, an update that was rejected behind a reset, "
        "a reset over two updates of one id, a pause before the first workflow task is due.",
        (
            "bad_input/List*WorkflowExecutions: next_page_token garbage.*",
            "bad_input/List*WorkflowExecutions: next_page_token json.*",
            "bad_input/ScanWorkflowExecutions: next_page_token garbage.*",
            "bad_input/ScanWorkflowExecutions: next_page_token json.*",
            "visibility/refused: garbage token.*",
            "visibility/refused: *UNION SELECT 1.*",
            "search_attributes/queries_Keyword: A = ('apple', 'banana')",
            "search_attributes/queries_Text: A = '\"quick brown\"'",
            "search_attributes/predefined: BatcherNamespace *",
            "search_attributes/predefined: BuildIds = 'unversioned:b,\"1'*",
            "namespaces/refused: describe bad id.*",
            "reset/excluding_by_an_unknown_type: reset.*",
            "children/bad_without_attributes: *",
            "reapplied/updates_rejected: over.*",
            "reapplied/updates_rejected: open.*",
            "reapplied/updates_unprocessed: over.*",
            "reapplied/updates_of_one_id_in_a_chain: *",
            "reapplied/then_options_without_a_mask: *",
            "reapplied/then_options_of_nothing: *",
            "pausing/in_its_first_wait: *",
        ),
    ),
    Deliberate(
        "A query compares values: a time equals the same time, and `STARTS_WITH` tells capital letters from small ones, as `=` does. The reference's SQLite store never finds two "
        "times equal, and takes a time for later than itself.",
        (
            "search_attributes/queries_Datetime: *",
            "search_attributes/predefined: TemporalScheduledStartTime *",
            "search_attributes/queries_Keyword: A STARTS_WITH *",
            "search_attributes/queries_Keyword: A NOT STARTS_WITH *",
        ),
    ),
    Deliberate(
        "U+0000 is a character like any other, in queries too, where the reference shows an error of its database.",
        ("visibility/refused: *WorkflowId = 'a\x00b'.*",),
    ),
    Deliberate(
        "A request that comes again is known by its id wherever the first one left it: a start (with a signal or without) among all runs of the workflow id that are kept, "
        "not only if its run is the current one; a reset by the run that it began; a signal in a run that was reset behind it.",
        (
            "bad_input/StartWorkflowExecution: workflow_id_reuse_policy unknown.*",
            "bad_input/StartWorkflowExecution: workflow_start_delay huge.*",
            "ids/signal_with_start_repeated_where_it_terminates: the same run",
            "reset/repeated: the same run",
            "reset/to_the_last_task: the same.events*",
        ),
    ),
    Deliberate(
        "A child that is asked for again behind a reset, because it is no longer kept, has the run as its parent that asked for it first: that one says which run goes on, "
        "behind another reset too, where at the reference the child would tell a run that is over.",
        ("reapplied/child_forgotten_that_is_deleted: child.events*.workflow_execution_started_event_attributes.parent_workflow_execution.run_id",),
    ),
    Deliberate(
        "A task queue has one owner and is not cut into partitions: one is listed where the reference lists four, and 100,000 tasks per second are shown, "
        "which is no limit, where its four let 1,000 each pass.",
        (
            "bad_input/DescribeTaskQueue: *.effective_rate_limit.requests_per_second",
            "bad_input/ListTaskQueuePartitions: *.answer.activity_task_queue_partitions*",
            "bad_input/ListTaskQueuePartitions: *.answer.workflow_task_queue_partitions*",
        ),
    ),
    Deliberate(
        "Capabilities and limits are claimed only where they are built, because clients change their behaviour by them.",
        (
            "namespaces/*: *.namespace_info.capabilities.*",
            "namespaces/*: *.namespace_info.limits.workflow_task_completion_size_limit_error",
            "namespaces/*: *.namespace_info.supports_schedules",
            "namespaces/system_info: system.capabilities.*",
        ),
    ),
    Deliberate(
        "The namespace `default` says what every other says of its replication: that it is normal. The reference says nothing.",
        ("namespaces/default_described: default.answer.replication_config.state",),
    ),
)


def reason_for(scenario: str, path: str) -> str | None:
    """Why the difference is meant, if it is."""
    return next((one.reason for one in DELIBERATE if one.covers(scenario, path)), None)


NEEDS = {
    "updates": "updates",
    "child": "child workflows",
    "child_fails": "child workflows",
    "external_signal": "signals and cancels to other runs",
    "search_attributes": "custom search attributes",
}
"""What a scenario of the languages needs, in the words of COMPATIBILITY.md: it is played as soon as that page no longer says that it is missing."""


def not_built(scenario: str) -> bool:
    """Whether a scenario is about something that our server says it has not."""
    family, _, name = scenario.partition("/")
    if family in PLAYED:
        return NEEDS.get(name) in features_not_built()
    return family == "bad_input" and name in rpcs_not_built()


def features_not_built(text: str | None = None) -> set[str]:
    """The list behind "Not built yet, whatever the RPC"."""
    listed = re.search(r"^Not built yet, whatever the RPC: (.*?)\.", text or COMPATIBILITY.read_text(), re.MULTILINE | re.DOTALL)
    return {" ".join(one.split()) for one in listed[1].split(",")} if listed else set()


def rpcs_not_built(text: str | None = None) -> set[str]:
    """The rows of COMPATIBILITY.md in state `not`."""
    return set(re.findall(r"^\| `(\w+)` \| not \|", text or COMPATIBILITY.read_text(), re.MULTILINE))


def documented(text: str | None = None) -> Iterator[str]:
    """The items under "Different on purpose", each on one line."""
    section = (text or COMPATIBILITY.read_text()).partition("## Different on purpose\n")[2].partition("\n## ")[0]
    for item in re.split(r"^- ", section, flags=re.MULTILINE)[1:]:
        yield " ".join(item.partition("\n\n")[0].split())
