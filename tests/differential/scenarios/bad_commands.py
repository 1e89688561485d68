"""Bad commands, a scenario per command type: every field of its attributes is broken in the same ways, made from the published descriptors.

A case is a run of its own: its workflow task is answered with the bad command, and kept are the answer, what that wrote into
history, and how the run goes on behind it. What one command cannot say (twice, in a bad order, too large) stands in the tables below.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import takewhile
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType
from temporalio.api.history.v1 import HistoryEvent

from tests.differential.scenario import Stage, named
from tests.differential.scrub import Json
from tests.support.rpc import attributes, command, event_name, text, texts

MINUTE = timedelta(minutes=1)
LONG = "x" * 1001
NUL = "a\x00b"
BLOB_BYTES_MAX = 2 * 1024 * 1024
SHOWN_CHARACTERS_MAX = 1200
GATE = asyncio.Semaphore(3)
"""Cases at once: they only take work, and what waits for a deadline elsewhere is played beside them."""

Change = Callable[[Message], None]
Case = list[list[Command]]
"""What the workflow tasks of a run are answered with; the last answer is the bad one."""


def schedule(activity_id: str = "a", **fields: Any) -> Command:
    """A good activity, on a queue that nobody polls."""
    base: dict[str, Any] = {"activity_id": activity_id, "activity_type": {"name": "type"}, "start_to_close_timeout": MINUTE, "task_queue": {"name": "nobody"}}
    return command("schedule_activity_task", **{**base, **fields})


def timer(timer_id: str = "t", **fields: Any) -> Command:
    """A good timer."""
    return command("start_timer", **{"timer_id": timer_id, "start_to_fire_timeout": MINUTE, **fields})


def cancel_activity(scheduled_event_id: int) -> Command:
    return command("request_cancel_activity_task", scheduled_event_id=scheduled_event_id)


def cancel_timer(timer_id: str = "t") -> Command:
    return command("cancel_timer", timer_id=timer_id)


def complete() -> Command:
    return command("complete_workflow_execution")


def fail() -> Command:
    return command("fail_workflow_execution", failure={"message": "failed"})


def cancel() -> Command:
    return command("cancel_workflow_execution")


def continue_as_new(**fields: Any) -> Command:
    return command("continue_as_new_workflow_execution", **fields)


def marker(**fields: Any) -> Command:
    return command("record_marker", **{"marker_name": "m", **fields})


def upsert(**fields: Any) -> Command:
    """Search attributes, given as payloads by name."""
    return command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": fields})


def modify(**fields: Any) -> Command:
    """Entries of the memo, given as payloads by name."""
    return command("modify_workflow_properties", upserted_memo={"fields": fields})


BASES: dict[str, list[Command]] = {
    "ScheduleActivityTask": [schedule()],
    "RequestCancelActivityTask": [schedule(), cancel_activity(5)],
    "StartTimer": [timer()],
    "CancelTimer": [timer(), cancel_timer()],
    "CompleteWorkflowExecution": [complete()],
    "FailWorkflowExecution": [fail()],
    "CancelWorkflowExecution": [cancel()],
    "ContinueAsNewWorkflowExecution": [continue_as_new(workflow_type={"name": "raw"}, task_queue={"name": "other"})],
    "RecordMarker": [marker()],
    "UpsertWorkflowSearchAttributes": [upsert(BatcherUser=text("somebody"))],
    "ModifyWorkflowProperties": [modify(key=text("value"))],
}
"""Good commands per type; the last one is broken."""

NOT_BUILT = {"ContinueAsNewWorkflowExecution.cron_schedule"}
"""Fields of features that are still to come."""

STRINGS = {"empty": "", "long": LONG, "nul": NUL, "reserved": "/_sys/x"}
INTEGERS = {"negative": -1, "zero": 0, "largest": 2**31 - 1}
FLOATS = {"negative": -1.0, "half": 0.5, "huge": 1e30, "not a number": float("nan"), "infinite": float("inf")}
DURATIONS = {
    "zero": (0, 0),
    "negative": (-1, 0),
    "slightly negative": (0, -1),
    "of two signs": (1, -1),
    "of too many nanoseconds": (1, 2_000_000_000),
    "huge": (365 * 9000 * 86400, 0),
    "beyond any clock": (2**62, 0),
}
WORDS = {
    "empty": [""],
    "long": [LONG],
    "nul": [NUL],
    "no timeout": ["TemporalTimeout:Nothing"],
    "a timeout of no name": ["TemporalTimeout:"],
    "a timeout of no kind": ["TemporalTimeout:Unspecified"],
    "a timeout in small letters": ["TemporalTimeout:heartbeat"],
    "a timeout by its full name": ["TemporalTimeout:TIMEOUT_TYPE_HEARTBEAT"],
    "no kind by its full name": ["TemporalTimeout:TIMEOUT_TYPE_UNSPECIFIED"],
    "twice": ["A", "A"],
}
LARGE = {"metadata": {"encoding": b"binary/plain"}, "data": b"\0" * (BLOB_BYTES_MAX + 1)}


def kind_of(field: FieldDescriptor) -> str:
    """The full name of a message field's type."""
    return field.message_type.full_name if field.message_type is not None else ""


def changes(descriptor: Any, prefix: str) -> Iterator[tuple[str, Change]]:
    """Every way to break a message, one at a time; paths begin at the attributes."""
    for field in descriptor.fields:
        path = f"{prefix}{field.name}"
        if path in NOT_BUILT:
            continue
        of_message = field.type == FieldDescriptor.TYPE_MESSAGE
        if of_message and field.message_type.GetOptions().map_entry:
            yield from of_map(path, kind_of(field.message_type.fields_by_name["value"]))
        elif of_message and kind_of(field) == "google.protobuf.Duration":
            yield from ((f"{path} {how}", duration(path, *value)) for how, value in DURATIONS.items())
        elif of_message:
            yield f"{path} missing", clearing(path)
            yield f"{path} empty", emptying(path)
            if kind_of(field) == "temporal.api.common.v1.Payloads":
                yield f"{path} too large", changing(path, lambda payloads: payloads.payloads.add(**LARGE))
                yield f"{path} of an empty payload", changing(path, lambda payloads: payloads.payloads.add())
            elif kind_of(field) == "temporal.api.failure.v1.Failure":
                yield f"{path} too large", changing(path, lambda failure: setattr(failure, "message", "m" * (BLOB_BYTES_MAX + 1)))
                yield f"{path} of another server", changing(path, lambda failure: failure.server_failure_info.SetInParent())
            else:
                yield from changes(field.message_type, f"{path}.")
        elif field.is_repeated:
            yield from ((f"{path} {how}", extending(path, value)) for how, value in WORDS.items())
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield from ((f"{path} {how}", setting(path, value)) for how, value in STRINGS.items())
        elif field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
            yield from ((f"{path} {how}", setting(path, value)) for how, value in FLOATS.items())
        elif field.type == FieldDescriptor.TYPE_ENUM:
            for value in {*(known.number for known in field.enum_type.values), 99, -1}:
                yield f"{path} {value}", setting(path, value)
        elif field.type == FieldDescriptor.TYPE_BOOL:
            yield f"{path} set", setting(path, True)
        else:
            yield from ((f"{path} {how}", setting(path, value)) for how, value in INTEGERS.items())


def of_map(path: str, value_kind: str) -> Iterator[tuple[str, Change]]:
    """Every way to break a map from names to payloads."""
    good, large = (text("v"), LARGE) if value_kind.endswith(".Payload") else (texts("v"), {"payloads": [LARGE]})
    yield f"{path} none", changing(path, lambda entries: entries.clear())
    for how, key in STRINGS.items():
        yield f"{path} key {how}", entry(path, key, good)
    known = "BatcherUser" if path.endswith("indexed_fields") else "key"
    yield f"{path} value empty", entry(path, known, {})
    yield f"{path} value too large", entry(path, known, text("v" * BLOB_BYTES_MAX) if path.endswith("indexed_fields") else large)


def place(message: Message, path: str) -> tuple[Any, str]:
    """The message that holds the last name of a path, which begins with the name of the command type."""
    _, *parents, last = path.split(".")
    holder: Any = message
    for parent in parents:
        holder = getattr(holder, parent)
    return holder, last


def setting(path: str, value: Any) -> Change:
    def change(message: Message) -> None:
        holder, name = place(message, path)
        setattr(holder, name, value)

    return change


def changing(path: str, how: Callable[[Any], Any]) -> Change:
    def change(message: Message) -> None:
        holder, name = place(message, path)
        how(getattr(holder, name))

    return change


def duration(path: str, seconds: int, nanos: int) -> Change:
    def how(value: Any) -> None:
        value.SetInParent()
        value.seconds, value.nanos = seconds, nanos

    return changing(path, how)


def extending(path: str, values: list[str]) -> Change:
    return changing(path, lambda words: words.extend(values))


def entry(path: str, key: str, value: Any) -> Change:
    def how(entries: Any) -> None:
        held = entries[key]
        held.CopyFrom(value if isinstance(value, Message) else type(held)(**value))

    return changing(path, how)


def clearing(path: str) -> Change:
    def change(message: Message) -> None:
        holder, name = place(message, path)
        holder.ClearField(name)

    return change


def emptying(path: str) -> Change:
    def change(message: Message) -> None:
        holder, name = place(message, path)
        holder.ClearField(name)
        getattr(holder, name).SetInParent()

    return change


def attributes_field(kind: str) -> str:
    """`StartTimer` → `start_timer_command_attributes`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).removeprefix("_") + "_command_attributes"


def with_attributes(kind: str, others: Command) -> Command:
    """A command of one type with the attributes of another."""
    number = CommandType.Value(f"COMMAND_TYPE_{attributes_field(kind).removesuffix('_command_attributes').upper()}")
    bad = Command()
    bad.CopyFrom(others)
    bad.command_type = number
    return bad


def broken(kind: str) -> dict[str, Case]:
    """Every case of a command type that is about one command."""
    *before, good = BASES[kind]
    stranger = cancel_timer("other") if kind != "CancelTimer" else timer("other")
    cases = {
        "good": [[*before, good]],
        "attributes missing": [[*before, with_attributes(kind, Command())]],
        "attributes of another type": [[*before, with_attributes(kind, stranger)]],
    }
    empty = with_attributes(kind, Command())
    getattr(empty, attributes_field(kind)).SetInParent()
    cases["attributes empty"] = [[*before, empty]]
    descriptor = getattr(good, attributes_field(kind)).DESCRIPTOR
    for label, change in changes(descriptor, f"{kind}."):
        bad = Command()
        bad.CopyFrom(good)
        change(getattr(bad, attributes_field(kind)))
        cases[label.removeprefix(f"{kind}.")] = [[*before, bad]]
    return cases


def summarised(one: Command, characters: int) -> Command:
    """A command with metadata for people."""
    one.user_metadata.summary.CopyFrom(text("s" * characters))
    one.user_metadata.details.CopyFrom(text("d" * characters))
    return one


def keywords(count: int, characters: int) -> dict[str, Any]:
    """A keyword list of some size."""
    return {"metadata": {"encoding": b"json/plain"}, "data": ("[" + ",".join(f'"{number:0{characters}}"' for number in range(count)) + "]").encode()}


NOTHING = {"metadata": {"encoding": b"binary/null"}}
CLOSES: dict[str, Callable[[], Command]] = {"complete": complete, "fail": fail, "cancel": cancel, "continue": continue_as_new}

SEQUENCES: dict[str, dict[str, Case]] = {
    "twice": {
        "timer in one answer": [[timer(), timer()]],
        "timer in two answers": [[timer()], [timer()]],
        "timer behind its cancel": [[timer(), cancel_timer(), timer()]],
        "timer in two answers, behind its cancel": [[timer()], [cancel_timer(), timer()]],
        "timer canceled twice": [[timer(), cancel_timer(), cancel_timer()]],
        "timer canceled twice in two answers": [[timer(), cancel_timer()], [cancel_timer()]],
        "activity in one answer": [[schedule(), schedule()]],
        "activity in two answers": [[schedule()], [schedule()]],
        "activity behind its cancel": [[schedule(), cancel_activity(5), schedule()]],
        "activity canceled twice": [[schedule(), cancel_activity(5), cancel_activity(5)]],
        "activity canceled twice in two answers": [[schedule(), cancel_activity(5)], [cancel_activity(5)]],
        "marker": [[marker(), marker()]],
        "ids differ in nothing but case": [[timer("t"), timer("T"), schedule("a"), schedule("A")]],
        "a timer and an activity of one id": [[timer("same"), schedule("same")]],
    },
    "unknown": {
        "timer": [[cancel_timer("unknown")]],
        "timer behind a good command": [[timer("good"), cancel_timer("unknown")]],
        "activity": [[cancel_activity(77)]],
        "activity by the event of a timer": [[timer(), cancel_activity(5)]],
        "activity by the event of this answer": [[cancel_activity(4)]],
        "activity of the largest number": [[cancel_activity(2**63 - 1)]],
        "activity of the smallest number": [[cancel_activity(-(2**63))]],
        "activity before it is scheduled": [[cancel_activity(6), schedule()]],
        "command type": [[Command(command_type=99)]],  # type: ignore[arg-type]
        "command type, negative": [[Command(command_type=-1)]],  # type: ignore[arg-type]
        "command type, unspecified": [[Command()]],
        "command type, unspecified with attributes": [[Command(start_timer_command_attributes=timer().start_timer_command_attributes)]],
        "command type behind a good command": [[timer(), Command(command_type=99)]],  # type: ignore[arg-type]
        "command type before a bad command": [[timer(""), Command(command_type=99)]],  # type: ignore[arg-type]
        "message": [[command("protocol_message", message_id="nothing")]],
        "message without id": [[command("protocol_message")]],
    },
    "closing": {
        **{f"{first} twice": [[close(), close()]] for first, close in CLOSES.items()},
        **{f"{first}, then a timer": [[close(), timer()]] for first, close in CLOSES.items()},
        **{f"{first}, then a bad timer": [[close(), timer("")]] for first, close in CLOSES.items()},
        **{f"{first} behind a bad timer": [[timer(""), close()]] for first, close in CLOSES.items()},
        **{f"{first} behind a good timer": [[timer(), close()]] for first, close in CLOSES.items()},
        **{f"{first}, then another": [[close(), other()]] for (first, close), other in zip(CLOSES.items(), [*list(CLOSES.values())[1:], complete], strict=True)},
        "complete, then an unknown type": [[complete(), Command(command_type=99)]],  # type: ignore[arg-type]
        "complete, then without attributes": [[complete(), Command(command_type=3)]],  # type: ignore[arg-type]
        "complete without attributes, then a timer": [[Command(command_type=4), timer()]],  # type: ignore[arg-type]
        "complete, then a message": [[complete(), command("protocol_message", message_id="nothing")]],
        "three closes": [[timer(), complete(), fail(), complete()]],
    },
    "first_of_many": {
        "bad behind good ones": [[timer("good"), schedule("good"), timer("")]],
        "two bad ones": [[timer(""), schedule("")]],
        "the other way round": [[schedule(""), timer("")]],
        "bad activity, id and queue": [[schedule("", task_queue=None)]],
        "bad activity, id and type": [[schedule("", activity_type=None)]],
        "bad activity, id and retry policy": [[schedule("", retry_policy={"maximum_attempts": -1})]],
        "bad activity, retry policy and long id": [[schedule(LONG, retry_policy={"maximum_attempts": -1})]],
        "bad activity, priority and timeouts": [[schedule(priority={"priority_key": -1}, start_to_close_timeout=None)]],
        "bad activity, long id and priority": [[schedule(LONG, priority={"priority_key": -1})]],
        "bad activity, two timeouts": [[schedule(heartbeat_timeout=-MINUTE, schedule_to_close_timeout=-MINUTE)]],
        "bad activity, too large too": [[schedule("", input={"payloads": [LARGE]})]],
        "duplicate activity, too large too": [[schedule(), schedule(input={"payloads": [LARGE]})]],
        "bad retry policy of one attempt": [[schedule(retry_policy={"maximum_attempts": 1, "backoff_coefficient": 0.5, "initial_interval": -MINUTE})]],
        "bad retry policy, all of it": [[schedule(retry_policy={"maximum_attempts": -1, "backoff_coefficient": 0.5, "initial_interval": -MINUTE, "maximum_interval": -MINUTE})]],
        "bad retry policy, interval beyond its maximum": [[schedule(retry_policy={"initial_interval": 2 * MINUTE, "maximum_interval": MINUTE})]],
        "bad retry policy, maximum below the default": [[schedule(retry_policy={"maximum_interval": timedelta(milliseconds=1)})]],
        "bad retry policy, interval of three years": [[schedule(retry_policy={"initial_interval": timedelta(days=3 * 365)})]],
        "bad retry policy, interval of six years": [[schedule(retry_policy={"initial_interval": timedelta(days=6 * 365)})]],
        "activity of this build, without id": [[schedule("", use_workflow_build_id=True)]],
        "activity of this build, too large": [[schedule(use_workflow_build_id=True, input={"payloads": [LARGE]})]],
        "activity of this build, duplicate": [[schedule(), schedule(use_workflow_build_id=True)]],
        "activity of this build, on its queue": [[schedule(use_workflow_build_id=True, task_queue={"name": "bad_commands-first_of_many"})]],
        "timer of a very long id": [[timer("x" * 100_000)]],
        "bad timer, id and delay": [[timer("", start_to_fire_timeout=-MINUTE)]],
        "bad timer, long id and delay": [[timer(LONG, start_to_fire_timeout=-MINUTE)]],
        "bad continue, type and queue": [[continue_as_new(workflow_type={"name": LONG}, task_queue={"name": LONG})]],
        "bad continue, retry policy and timeouts": [[continue_as_new(retry_policy={"maximum_attempts": -1}, workflow_run_timeout=-MINUTE)]],
        "bad continue, all timeouts": [[continue_as_new(workflow_run_timeout=-MINUTE, workflow_task_timeout=-MINUTE, backoff_start_interval=-MINUTE)]],
        "bad continue, queue and timeouts": [[continue_as_new(task_queue={"name": "/_sys/x"}, workflow_run_timeout=-MINUTE)]],
        "bad continue, retry policy and memo": [[continue_as_new(retry_policy={"maximum_attempts": -1}, memo={"fields": {"key": LARGE}})]],
        "bad continue, queue of a kind": [[continue_as_new(task_queue={"name": "/_sys/x", "kind": 2, "normal_name": "n"})]],
        "bad continue, queue of an unknown kind": [[continue_as_new(task_queue={"name": "other", "kind": 99}, workflow_run_timeout=-MINUTE)]],
        "bad continue, queue of a kind without name": [[continue_as_new(task_queue={"kind": 2})]],
        "continue on another queue, timeouts": [[continue_as_new(inherit_build_id=True, task_queue={"name": "other"}, workflow_run_timeout=-MINUTE)]],
        "continue on another queue, memo": [[continue_as_new(inherit_build_id=True, task_queue={"name": "other"}, memo={"fields": {"key": LARGE}})]],
        "continue on another queue, search attributes": [[continue_as_new(inherit_build_id=True, task_queue={"name": "other"}, search_attributes={"indexed_fields": {"RunId": text("x")}})]],
        "continue on this queue": [[continue_as_new(inherit_build_id=True, task_queue={"name": "bad_commands-first_of_many"})]],
        "continue on no queue": [[continue_as_new(inherit_build_id=True)]],
        "bad continue, system attribute and timeouts": [[continue_as_new(search_attributes={"indexed_fields": {"RunId": text("x")}}, workflow_run_timeout=-MINUTE)]],
        "bad continue, system attribute and memo": [[continue_as_new(search_attributes={"indexed_fields": {"RunId": text("x")}}, memo={"fields": {"key": LARGE}})]],
        "bad continue, unknown attribute and long type": [[continue_as_new(search_attributes={"indexed_fields": {"Unknown": text("x")}}, workflow_type={"name": LONG})]],
        "bad continue, search attributes and timeouts": [[continue_as_new(search_attributes={"indexed_fields": {"Unknown": text("x")}}, workflow_run_timeout=-MINUTE)]],
    },
    "search_attributes": {
        "of a system name": [[upsert(WorkflowId=text("x"))]],
        "of a system name, removed": [[upsert(RunId=NOTHING)]],
        "of an unknown name": [[upsert(Unknown=text("x"))]],
        "of an unknown name, removed": [[upsert(Unknown=NOTHING)]],
        "of a server's name": [[upsert(TemporalChangeVersion=keywords(1, 1))]],
        "of a wrong type": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b"7"})]],
        "that are no json": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b"{"})]],
        "that are no json, for a list": [[upsert(BuildIds={"metadata": {"encoding": b"json/plain"}, "data": b"{"})]],
        "of a list for a word": [[upsert(BatcherUser=keywords(2, 1))]],
        "of a word for a list": [[upsert(BuildIds=text("one"))]],
        "of a list of numbers": [[upsert(BuildIds={"metadata": {"encoding": b"json/plain"}, "data": b"[1]"})]],
        "of another encoding": [[upsert(BatcherUser={"metadata": {"encoding": b"binary/plain"}, "data": b"abc"})]],
        "without encoding": [[upsert(BatcherUser={"data": b'"abc"'})]],
        "of the encoding of messages": [[upsert(BatcherUser={"metadata": {"encoding": b"json/protobuf"}, "data": b'"abc"'})]],
        "of an unknown encoding": [[upsert(BatcherUser={"metadata": {"encoding": b"what/ever", "other": b'\xff\n"\x7f'}, "data": "ä\x01".encode()})]],
        "of nothing": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b"null"})]],
        "of no data": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}})]],
        "of an empty list": [[upsert(BatcherUser=keywords(0, 1))]],
        "of an empty list for a list": [[upsert(BuildIds=keywords(0, 1))]],
        "of a list of one": [[upsert(BatcherUser=keywords(1, 1))]],
        "of a truth": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b"true"})]],
        "of a fraction": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b"7.5"})]],
        "of a large number": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b"1e30"})]],
        "of an object": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain"}, "data": b'{"b":[1,null],"a":"x"}'})]],
        "of a word for a time": [[upsert(TemporalScheduledStartTime=text("noon"))]],
        "of a number for a time": [[upsert(TemporalScheduledStartTime={"metadata": {"encoding": b"json/plain"}, "data": b"7"})]],
        "of a time": [[upsert(TemporalScheduledStartTime=text("2020-01-02T03:04:05Z"))]],
        "of a word for a truth": [[upsert(TemporalSchedulePaused=text("true"))]],
        "of two, one unknown, one wrong": [[upsert(Unknown=text("x"), WorkflowId=text("x"))]],
        "of a lying type, otherwise right": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain", "type": b"Int"}, "data": b'"x"'})]],
        "of an unknown type": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain", "type": b"What"}, "data": b'"x"'})]],
        "of a typed wrong value": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain", "type": b"Keyword"}, "data": b"{"})]],
        "whose fault takes more room than there is": [[upsert(BatcherUser=LARGE)]],
        "of a new run, whose fault takes more room than there is": [[continue_as_new(search_attributes={"indexed_fields": {"BatcherUser": LARGE}})]],
        "long, removed": [[upsert(BatcherUser={"metadata": {"encoding": b"binary/null"}, "data": b"x" * 3000})]],
        "of a lying type": [[upsert(BatcherUser={"metadata": {"encoding": b"json/plain", "type": b"Int"}, "data": b"7"})]],
        "long": [[upsert(BatcherUser=text("x" * 2049))]],
        "long, in a list": [[upsert(BuildIds=keywords(3, 1000))]],
        "many in a list": [[upsert(BuildIds=keywords(60, 1000))]],
        "of a new run, unknown": [[continue_as_new(search_attributes={"indexed_fields": {"Unknown": text("x")}})]],
        "of a new run, system": [[continue_as_new(search_attributes={"indexed_fields": {"WorkflowId": text("x")}})]],
        "of a new run, wrong": [[continue_as_new(search_attributes={"indexed_fields": {"BatcherUser": {"metadata": {"encoding": b"json/plain"}, "data": b"7"}}})]],
        "of a new run, removed": [[continue_as_new(search_attributes={"indexed_fields": {"BatcherUser": NOTHING}})]],
        "of a new run, null": [[continue_as_new(search_attributes={"indexed_fields": {"BatcherUser": {"metadata": {"encoding": b"json/plain"}, "data": b"null"}}})]],
        "of a new run, one removed": [[continue_as_new(search_attributes={"indexed_fields": {"BatcherUser": NOTHING, "BatcherNamespace": text("x")}})]],
        "of a new run, too large": [[continue_as_new(search_attributes={"indexed_fields": {"BatcherUser": text("x" * BLOB_BYTES_MAX)}})]],
        "of a new run, a lying type": [[continue_as_new(search_attributes={"indexed_fields": {"BatcherUser": {"metadata": {"encoding": b"json/plain", "type": b"Int"}, "data": b'"x"'}}})]],
        "of a new run, its memo removed": [[continue_as_new(memo={"fields": {"key": NOTHING, "other": text("x")}})]],
        "of a new run, its memo null": [[continue_as_new(memo={"fields": {"key": {"metadata": {"encoding": b"json/plain"}, "data": b"null"}, "other": text("x")}})]],
        "of a new run, its memo an empty list": [[continue_as_new(memo={"fields": {"key": keywords(0, 1), "other": text("x")}})]],
        "of a new run, its memo without encoding": [[continue_as_new(memo={"fields": {"key": {"data": b"x"}}})]],
        "of a new run, long": [[continue_as_new(search_attributes={"indexed_fields": {"BatcherUser": text("x" * 2049)}})]],
    },
    "metadata": {
        "of a timer, long": [[summarised(timer(), 401)]],
        "of a timer, very long": [[summarised(timer(), 20_001)]],
        "of a timer, too large": [[summarised(timer(), BLOB_BYTES_MAX // 2)]],
        "of a close, long": [[summarised(complete(), 401)]],
        "of a bad timer": [[summarised(timer(""), 10)]],
    },
}
"""Cases of more than one field or command."""


async def play(stage: Stage, label: str, number: int, case: Case) -> None:
    """One run: the answers before the last are good, the last is judged, and a good one follows."""
    workflow_id = f"{stage.id}-{number}"
    run_id = (await stage.raw.start(workflow_id, stage.queue)).run_id
    *before, bad = case
    for commands in before:
        await stage.raw.complete(await task_of(stage, workflow_id), *commands, force_create_new_workflow_task=True)
    task = await task_of(stage, workflow_id)
    await stage.keep_call(label, stage.raw.complete(task, *bad))
    events = await stage.raw.history(workflow_id, run_id)
    written = takewhile(belongs, events[task.started_event_id :])
    then = await go_on(stage, workflow_id, run_id, task, events)
    stage.keep(f"{label}, written", {"events": [shown(stage, event) for event in written], "then": then})


def belongs(event: HistoryEvent) -> bool:
    """Whether an event is of the answer itself, and not of what came after it."""
    return event_name(event) not in ("WorkflowTaskScheduled", "TimerFired")


async def task_of(stage: Stage, workflow_id: str) -> Any:
    """The next workflow task of a run; those that cases before have left are passed over."""
    while True:
        task = await stage.raw.poll_workflow(stage.queue)
        if task.workflow_execution.workflow_id == workflow_id:
            return task


async def go_on(stage: Stage, workflow_id: str, run_id: str, task: Any, events: list[HistoryEvent]) -> Json:
    """The run is completed by its next workflow task; a run that has closed already says what follows it."""
    last = attributes(events[-1])
    name = event_name(events[-1])
    if name == "WorkflowExecutionContinuedAsNew":
        started = (await stage.raw.history(workflow_id, last.new_execution_run_id))[0]
        await stage.raw.terminate(workflow_id)
        return shown(stage, started)
    if name.startswith("WorkflowExecution"):
        return "closed"
    if name != "WorkflowTaskStarted":
        due = [attributes(event).start_to_fire_timeout.ToNanoseconds() == 0 for event in events if event_name(event) == "TimerStarted"]
        if any(due):
            await stage.until_events("TimerFired", workflow_id=workflow_id, run_id=run_id)
        elif name not in ("WorkflowTaskFailed", "WorkflowTaskScheduled"):
            await stage.raw.signal(workflow_id)
        task = await task_of(stage, workflow_id)
    await stage.raw.complete(task, complete())
    return [event_name(event) for event in (await stage.raw.history(workflow_id, run_id))[-4:]]


def shown(stage: Stage, event: HistoryEvent) -> Json:
    """An event as it is kept. A duration of too many nanoseconds may stand in it, but not in JSON: it is spelled as others would."""
    printable = HistoryEvent()
    printable.CopyFrom(event)
    carry(printable)
    return shortened(stage.scrubber.message(printable))


def carry(message: Message) -> None:
    """Makes whole seconds of the nanoseconds that are too many, everywhere in a message."""
    for field, value in message.ListFields():
        if kind_of(field) == "google.protobuf.Duration":
            value.seconds, value.nanos = value.seconds + value.nanos // 10**9, value.nanos % 10**9
        elif field.type == FieldDescriptor.TYPE_MESSAGE and not field.is_repeated:
            carry(value)


def shortened(value: Json) -> Json:
    """A value without its megabytes."""
    if isinstance(value, dict):
        return {shortened(name): shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shortened(inner) for inner in value]
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS_MAX:
        return f"{value[:40]}... of {len(value)} characters"
    return value


def family(name: str, cases: dict[str, Case]) -> None:
    """Registers a scenario of many cases."""

    @named(f"bad_commands/{name}")
    async def bad_commands(stage: Stage) -> None:
        for number, (label, case) in enumerate(cases.items()):
            async with GATE:
                await play(stage, label, number, case)


def families() -> dict[str, dict[str, Case]]:
    """The cases by scenario: what is inside a field has its own, so that none takes long."""
    found: dict[str, dict[str, Case]] = {}
    for kind in BASES:
        for label, case in broken(kind).items():
            field, inside, _ = label.partition(" ")[0].partition(".")
            found.setdefault(f"{kind}.{field}" if inside else kind, {})[label] = case
    return {**found, **SEQUENCES}


for _name, _cases in families().items():
    family(_name, _cases)
