"""Everything that may differ between two correct servers, and nothing else: the only such list.

A scrubbed value keeps its presence: absent against present is still a difference. Ids become numbered placeholders
in order of appearance, so that two events naming the same run still have to name the same run.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

Json = Any

SCRUBBED_FIELDS: dict[str, str] = {
    "task_id": "a server's own numbering",
    "version": "failover version: 0 or the cluster's",
    "task_token": "opaque",
    "next_page_token": "opaque",
    "history_size_bytes": "encodings differ",
    "state_transition_count": "transactions are cut differently",
    "conflict_token": "opaque",
    "stack_trace": "where the tests are installed",
    "execution_duration": "measured",
    "build_id": "of the worker's program",
    "binary_checksum": "of the worker's program",
    "server_version": "names the server",
    "clock": "a server's own numbering",
    "fork_event_version": "failover version",
}
"""Field name → why. The value becomes `<field>`."""

DROPPED_FIELDS: dict[str, str] = {
    "poller_scaling_decision": "depends on how long a poll waited",
    "backlog_count_hint": "depends on the moment",
    "principal": "only with authorization",
    "cluster_id": "of the installation",
    "owner_host_name": "of the installation",
}
"""Field name → why. These may also be absent."""

MEASURED_DURATIONS = frozenset({"first_workflow_task_backoff", "backoff_start_interval"})
"""Durations that are computed from the clock in some flows: dropped if they are not of few digits, since they may as well be 0."""

NEARLY_WHOLE = frozenset({"current_retry_interval"})
"""Durations between two readings of a clock where one would do: rounded to seconds."""

SETS = frozenset({"core_used_flags", "lang_used_flags", "pending_activities", "pending_children", "pollers"})
"""Lists that come in no order: sorted."""

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
FINE_DURATION = re.compile(r"\d+\.\d{4,}s")
TRANSACTION_SIZE = re.compile(r"transaction size of \d+ bytes")
BUNDLE = re.compile(r"(@temporalio/worker@[\d.]+\+)[0-9a-f]{64}")
CORE_TIMES = re.compile(r'"(complete_time|original_schedule_time)":\{[^}]*\}')

JAVA_TIMES = re.compile(r'(?<="firstSkd":)\d+|^\d{13}$')
"""Milliseconds since 1970 in the markers of the Java SDK."""


class Scrubber:
    """Scrubs the documents of one scenario on one server; placeholders are shared between them."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}

    def message(self, message: Message) -> Json:
        """A protobuf message as scrubbed JSON."""
        return self.value(MessageToDict(message, preserving_proto_field_name=True), "")

    def value(self, value: Json, key: str) -> Json:
        """Any JSON value, found under `key`."""
        if key in SCRUBBED_FIELDS:
            return f"<{key}>"
        if isinstance(value, dict):
            return {self.text(name): self.value(inner, name) for name, inner in value.items() if not dropped(name, inner)}
        if isinstance(value, list):
            return [self.value(inner, key) for inner in (sorted(value, key=str) if key in SETS else value)]
        if isinstance(value, str):
            if key in NEARLY_WHOLE:
                return f"{round(float(value.removesuffix('s')))}s"
            if key == "data":
                value = JAVA_TIMES.sub("<time>", readable(value))
            return self.text(value)
        return value

    def text(self, text: str) -> str:
        """Text with times and ids replaced."""
        text = TIMESTAMP.sub("<time>", text)
        text = BUNDLE.sub(r"\1<bundle>", text)  # The TypeScript SDK's build id holds the paths of its program.
        text = CORE_TIMES.sub(r'"\1":"<time>"', text)
        text = TRANSACTION_SIZE.sub("transaction size of <size> bytes", text)  # Encodings differ.
        return UUID.sub(lambda found: self.ids.setdefault(found.group(), f"<id {len(self.ids) + 1}>"), text)


def dropped(name: str, value: Json) -> bool:
    """Whether a field may be absent on one side."""
    return name in DROPPED_FIELDS or (name in MEASURED_DURATIONS and FINE_DURATION.fullmatch(str(value)) is not None)


def readable(data: str) -> str:
    """Payload bytes as text where they are text: differences are read by people."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return data
