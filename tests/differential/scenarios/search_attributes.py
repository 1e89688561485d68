"""Custom search attributes: added and removed, the values that they take, what is found by them, and where they are shown.

Each scenario has a namespace of its own: there are few of each type in one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice import v1 as op
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, named, scenario
from tests.support.rpc import Raw, Refused, command, texts
from tests.support.wait import until

TYPES = {"Text": 1, "Keyword": 2, "Int": 3, "Double": 4, "Bool": 5, "Datetime": 6, "KeywordList": 7}
ALL = {f"My{name}": number for name, number in TYPES.items()}


def payload(value: Any, encoding: str = "json/plain", kind: str = "") -> Payload:
    """A value as JSON, or bytes as they are."""
    metadata = {"encoding": encoding.encode()}
    if kind:
        metadata["type"] = kind.encode()
    return Payload(metadata=metadata, data=value if isinstance(value, bytes) else json.dumps(value).encode())


def indexed(**values: Any) -> Any:
    """Search attributes of these values."""
    return {"indexed_fields": {name: value if isinstance(value, Payload) else payload(value) for name, value in values.items()}}


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """A call that is made again as long as the server is busy with those of other scenarios."""

    async def once() -> Any:
        try:
            return [await call()]
        except Refused as refusal:
            if "rate limit" in refusal.message:
                return None
            raise Refused(refusal.code, refusal.message, refusal.details) from None

    return (await until(once, "a server that has time"))[0]


@asynccontextmanager
async def namespace(stage: Stage, suffix: str = "", **attributes: int) -> AsyncIterator[Raw]:
    """Raw calls in a namespace that has these attributes."""
    name = stage.id + suffix
    own = Raw(stage.client.service_client.config.target_host, name)
    await patiently(lambda: own.call("RegisterNamespace", ws.RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=timedelta(days=1))))

    async def usable() -> bool:
        try:
            await own.describe("nobody")
        except Refused as refusal:
            return "nobody" in refusal.message
        return False

    await until(usable, f"namespace {name}")
    if attributes:
        await patiently(lambda: add(own, **attributes))
    try:
        yield own
    finally:
        await own.close()


async def add(own: Raw, **attributes: Any) -> Any:
    return await own.call("AddSearchAttributes", op.AddSearchAttributesRequest(namespace=own.namespace, search_attributes=attributes))


async def remove(own: Raw, *names: str) -> Any:
    return await own.call("RemoveSearchAttributes", op.RemoveSearchAttributesRequest(namespace=own.namespace, search_attributes=names))


async def custom(own: Raw) -> dict[str, str]:
    """The custom attributes with their types."""
    answer = await own.call("ListSearchAttributes", op.ListSearchAttributesRequest(namespace=own.namespace))
    return {name: IndexedValueType.Name(number) for name, number in sorted(answer.custom_attributes.items())}


async def aliases(own: Raw) -> list[str]:
    """Aliases with the kind of column that each has; which of its kind is chance."""
    answer = await own.call("DescribeNamespace", ws.DescribeNamespaceRequest(namespace=own.namespace))
    return sorted(f"{field[:-2]}: {alias}" for field, alias in answer.config.custom_search_attribute_aliases.items())


async def keep_all(stage: Stage, own: Raw, label: str) -> None:
    """Keeps what attributes there are, in both places."""
    stage.keep(f"{label}: listed", await custom(own))
    stage.keep(f"{label}: aliases", await aliases(own))


def count(own: Raw, query: str) -> Any:
    return own.call("CountWorkflowExecutions", ws.CountWorkflowExecutionsRequest(namespace=own.namespace, query=query))


async def found(own: Raw, query: str) -> Any:
    """Which workflows a query finds, or why it is refused."""
    try:
        answer = await patiently(lambda: own.call("ListWorkflowExecutions", ws.ListWorkflowExecutionsRequest(namespace=own.namespace, query=query)))
    except Refused as refusal:
        return str(refusal)
    return sorted(one.execution.workflow_id for one in answer.executions)


async def until_found(own: Raw, query: str, number: int) -> None:
    async def visible() -> bool:
        return (await patiently(lambda: count(own, query))).count == number

    await until(visible, f"{number} runs with {query}")


@scenario
async def added_and_removed(stage: Stage) -> None:
    async with namespace(stage) as own:
        await keep_all(stage, own, "none")
        await stage.keep_call("add", add(own, **ALL))
        await keep_all(stage, own, "all")
        listed = await own.call("ListSearchAttributes", op.ListSearchAttributesRequest(namespace=own.namespace))
        stage.keep("schema", dict(sorted(listed.storage_schema.items())))
        await stage.keep_call("again", add(own, **ALL))
        await stage.keep_call("again as another type", add(own, MyInt=2))
        await stage.keep_call("old and new", add(own, MyInt=2, MyOther=3))
        await keep_all(stage, own, "more")
        await stage.keep_call("remove", remove(own, "MyText", "MyInt"))
        await keep_all(stage, own, "fewer")
        await stage.keep_call("remove again", remove(own, "MyText", "Nothing"))
        await stage.keep_call("back as another type", add(own, MyInt=2))
        await keep_all(stage, own, "back")
        keys = (await own.call("GetSearchAttributes", ws.GetSearchAttributesRequest())).keys
        stage.keep("of the whole server", {name: IndexedValueType.Name(number) for name, number in sorted(keys.items())})


@scenario
async def names(stage: Stage) -> None:
    """Which names are taken, and which are not."""
    async with namespace(stage) as own:
        for name in ("WorkflowId", "BuildIds", "TemporalChangeVersion", "TemporalFoo", "temporalfoo", "NamespaceId", "VisibilityTimestamp", "StartedBy", "VersionTime"):
            await stage.keep_call(f"add {name}", add(own, **{name: 5}))
            await stage.keep_call(f"remove {name}", remove(own, name))
        for name in ("", " ", "a b", "a-b", "a`b", "a'b", "1a", "é", "Keyword01", "Text02", "ScheduleId", "workflowid", "x" * 1001):
            await stage.keep_call(f"add {name[:20]!r}", add(own, **{name: 2}))
            listed = await custom(own)
            stage.keep(f"there is {name[:20]!r}", listed == {name: "INDEXED_VALUE_TYPE_KEYWORD"})
            await stage.keep_call(f"remove {name[:20]!r}", remove(own, name))
        await keep_all(stage, own, "none")
        await stage.keep_call("good and bad", add(own, Good=2, WorkflowId=2))
        await stage.keep_call("good and unknown type", add(own, Good=2, Bad=99))
        await add(own, Good=2)
        await stage.keep_call("remove good and bad", remove(own, "Good", "WorkflowId"))
        await keep_all(stage, own, "good")


@scenario
async def refused(stage: Stage) -> None:
    async with namespace(stage) as own:
        for label, fields in {
            "nothing": {},
            "no attributes": {"namespace": own.namespace},
            "no namespace": {"search_attributes": {"A": 2}},
            "no namespace, reserved": {"search_attributes": {"RunId": 2}},
            "no namespace, unknown type": {"search_attributes": {"A": 99}},
            "unknown namespace": {"namespace": "nobody", "search_attributes": {"A": 2}},
            "unknown namespace, reserved": {"namespace": "nobody", "search_attributes": {"RunId": 2}},
            "long namespace": {"namespace": "x" * 1001, "search_attributes": {"A": 2}},
            "unspecified type": {"namespace": own.namespace, "search_attributes": {"A": 0}},
            "unknown type": {"namespace": own.namespace, "search_attributes": {"A": 8}},
            "negative type": {"namespace": own.namespace, "search_attributes": {"A": -1}},
        }.items():
            await stage.keep_call(f"add: {label}", own.call("AddSearchAttributes", op.AddSearchAttributesRequest(**fields)))
            names = list(fields.get("search_attributes", {}))
            request = op.RemoveSearchAttributesRequest(namespace=fields.get("namespace", ""), search_attributes=names)
            await stage.keep_call(f"remove: {label}", own.call("RemoveSearchAttributes", request))
        for name in ("", "nobody", "x" * 1001):
            await stage.keep_call(f"list: {name[:10]}", own.call("ListSearchAttributes", op.ListSearchAttributesRequest(namespace=name)))
        await keep_all(stage, own, "none")


@scenario
async def as_many_as_there_are_columns(stage: Stage) -> None:
    async with namespace(stage) as own:
        for kind, number in TYPES.items():
            room = 10 if kind == "Keyword" else 3
            await stage.keep_call(f"{kind}: too many at once", add(own, **{f"{kind}_{at}": number for at in range(room + 1)}))
            await stage.keep_call(f"{kind}: all", add(own, **{f"{kind}_{at}": number for at in range(room)}))
            await stage.keep_call(f"{kind}: one more", add(own, More=number))
            await stage.keep_call(f"{kind}: a known one", add(own, **{f"{kind}_0": number}))
            await stage.keep_call(f"{kind}: a known and a new one", add(own, **{f"{kind}_0": number, "More": number}))
            await remove(own, f"{kind}_0")
            await stage.keep_call(f"{kind}: one in place of one", add(own, **{f"{kind}_new": number}))
        await keep_all(stage, own, "all")


VALUES: dict[str, tuple[Any, ...]] = {
    "Text": ("words of a text", "", 7, True, ["a"], ["a", "b"], None, [], {"a": 1}, "x" * 2047, "é"),
    "Keyword": ("word", "", 7, 1.5, True, ["a"], ["a", "b"], [["a"]], [None], None, [], {}, "2020-01-01T00:00:00Z"),
    "Int": (7, -7, 0, 7.0, 7.5, 1e3, 2**63 - 1, 2**63, -(2**63), "7", "seven", True, [7], [7, 8], ["7"], None, [], {}),
    "Double": (7, 7.5, -0.0, 1e308, "7.5", "x", True, [1.5], [1.5, 2], None, [], {}),
    "Bool": (True, False, "true", "TRUE", "1", 1, 0, [True], [True, False], None, [], {}),
    "Datetime": ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.123456789+01:00", "2020-01-01", "2020-01-01 00:00:00", "yesterday", 1577836800000000000, 7.5, True, ["2020-01-01T00:00:00Z"], ["2020-01-01T00:00:00Z"] * 2, None, [], {}, "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"),
    "KeywordList": (["a", "b"], ["a", "a"], ["a"], "a", "", [""], [1], ["a", 1], ["a", None], [["a"]], None, [], {}, 7, True, [None]),
}
OTHER_PAYLOADS: dict[str, Payload] = {
    "no encoding": Payload(data=b'"a"'),
    "unknown encoding": payload(b'"a"', "what/ever"),
    "no json": payload(b"{"),
    "empty data": payload(b""),
    "binary/null": payload(b"", "binary/null"),
    "binary/plain": payload(b"ab", "binary/plain"),
    "with another type": payload("7", kind="Int"),
    "with its type": payload("7", kind="Keyword"),
    "with an unknown type": payload("7", kind="Whatever"),
    "with an empty type": Payload(metadata={"encoding": b"json/plain", "type": b""}, data=b'"a"'),
    "other metadata": Payload(metadata={"encoding": b"json/plain", "x": b"y"}, data=b'"a"'),
    "two values": payload(b'"a" "b"'),
    "spaces": payload(b' "a" '),
}


def given(kind: str) -> Iterator[tuple[str, Payload]]:
    """The values of a type that are tried, each with a label."""
    for value in VALUES[kind]:
        yield json.dumps(value)[:40], payload(value)
    for label, other in OTHER_PAYLOADS.items():
        yield label, other


def values_of(kind: str) -> None:
    @named(f"search_attributes/values_started_{kind}")
    async def started(stage: Stage) -> None:
        async with namespace(stage, **{"A": TYPES[kind]}) as own:
            for number, (label, value) in enumerate(given(kind)):
                workflow_id = f"{stage.id}-{number}"
                try:
                    await own.start(workflow_id, search_attributes=indexed(A=value))
                except Refused as refusal:
                    stage.keep(label, str(refusal))
                    continue
                events = await own.history(workflow_id)
                described = await own.describe(workflow_id)
                stage.keep(label, {
                    "event": stage.scrubber.message(events[0].workflow_execution_started_event_attributes.search_attributes),
                    "described": stage.scrubber.message(described.workflow_execution_info.search_attributes),
                })

    @named(f"search_attributes/values_upserted_{kind}")
    async def upserted(stage: Stage) -> None:
        async with namespace(stage, **{"A": TYPES[kind]}) as own:
            for number, (label, value) in enumerate(given(kind)):
                workflow_id = f"{stage.id}-{number}"
                await own.start(workflow_id)
                task = await own.poll_workflow(workflow_id)
                try:
                    await own.complete(task, command("upsert_workflow_search_attributes", search_attributes=indexed(A=value)))
                except Refused as refusal:
                    stage.keep(label, str(refusal))
                    continue
                events = await own.history(workflow_id)
                described = await own.describe(workflow_id)
                stage.keep(label, {
                    "event": stage.scrubber.message(events[-1].upsert_workflow_search_attributes_event_attributes.search_attributes),
                    "described": stage.scrubber.message(described.workflow_execution_info.search_attributes),
                })


for one in TYPES:
    values_of(one)


QUERIES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "Keyword": (
        {"a": "apple", "b": "banana", "c": "Apple", "quote": "it's", "empty": "", "e": "é", "nil": None, "percent": "a%c"},
        (
            "A = 'apple'", "A = \"apple\"", "`A` = 'apple'", "A != 'apple'", "NOT A = 'apple'", "NOT A != 'apple'", "A > 'apple'", "A >= 'apple'", "A < 'b'", "A <= 'apple'",
            "A IN ('apple', 'banana')", "A NOT IN ('apple', 'banana')", "A IN ()", "A BETWEEN 'a' AND 'b'", "A NOT BETWEEN 'a' AND 'b'", "A IS NULL", "A IS NOT NULL", "NOT A IS NULL",
            "A STARTS_WITH 'a'", "A NOT STARTS_WITH 'a'", "A STARTS_WITH ''", "A STARTS_WITH 'a%'", "A = 'it''s'", "A = \"it's\"", "A = ''", "A = 'é'", "A = 'APPLE'",
            "A = 7", "A = true", "A = 'apple' OR A = 'banana'", "A = 'apple' AND A = 'banana'", "(A = 'apple' OR A IS NULL) AND WorkflowId != 'x'", "a = 'apple'", "A = B",
            "A LIKE 'a%'", "A = ('apple', 'banana')", "A != ('apple')", "NOT (A = 'apple' AND ExecutionStatus = 'Running')", "TemporalA = 'apple'", "A > 7", "A IS TRUE", "A = 'x' ORDER BY A", "A = 'x' GROUP BY A", "Custom_A = 'apple'",
        ),
    ),
    "KeywordList": (
        {"ab": ["apple", "banana"], "b": ["banana"], "one": ["apple"], "two": ["apple", "apple"], "none": [], "nil": None, "blank": [""], "phrase": ["apple banana"]},
        (
            "A = 'apple'", "A != 'apple'", "NOT A = 'apple'", "NOT A != 'apple'", "A > 'apple'", "A IN ('apple', 'cherry')", "A IN ('apple')", "A NOT IN ('apple', 'cherry')", "A BETWEEN 'a' AND 'b'", "A IS NULL", "A IS NOT NULL",
            "A STARTS_WITH 'a'", "A NOT STARTS_WITH 'a'", "A = ''", "A = 'Apple'", "A = 'app'", "A = 7", "A = true", "A = ('apple', 'banana')", "A = 'apple' AND A = 'banana'", "A = 'apple banana'", "A = 'apple' OR A = 'banana'", "A != ('apple', 'banana')",
        ),
    ),
    "Text": (
        {"fox": "the quick brown fox", "dog": "A lazy dog", "mixed": "Quick-witted DOG, éclair 42", "empty": "", "nil": None, "punct": "foo_bar foo.bar user@host"},
        (
            "A = 'quick'", "A = 'QUICK'", "A = 'quick brown'", "A = 'brown quick'", "A = 'quick dog'", "A = 'qui'", "A != 'quick'", "NOT A = 'quick'", "NOT A != 'quick'", "A > 'quick'", "A IN ('quick', 'dog')", "A NOT IN ('quick', 'dog')", "A BETWEEN 'a' AND 'b'",
            "A IS NULL", "A IS NOT NULL", "A STARTS_WITH 'q'", "A NOT STARTS_WITH 'q'", "A = ''", "A = 'eclair'", "A = 'éclair'", "A = '42'", "A = 42", "A = 'witted'", "A = 'quick-witted'", "A = 'foo_bar'", "A = 'bar'", "A = 'user@host'", "A = 'host'", "A = 'the'", "A = 'quick OR dog'", "A = 'quick*'", "A = '\"quick brown\"'", "A = true", "A != ''", "A = '...'", "A = 'a'",
        ),
    ),
    "Int": (
        {"one": 1, "two": 2, "minus": -5, "zero": 0, "large": 2**63 - 1, "nil": None},
        (
            "A = 1", "A != 1", "NOT A = 1", "A > 1", "A >= 1", "A < 1", "A <= 1", "A IN (1, 2)", "A NOT IN (1, 2)", "A BETWEEN 0 AND 2", "A NOT BETWEEN 0 AND 2", "A IS NULL", "A IS NOT NULL", "A = '1'", "A = 1.0", "A > 1.5", "A < 1.5", "A = 1.5", "A = 'x'", "A = true", "A = -5", "A = +1",
            "A STARTS_WITH '1'", "A = 9223372036854775807", "A = 9223372036854775808", "A >= 1e2", "A BETWEEN 0.5 AND 2.5", "A = (1)", "A IN (1.0)",
        ),
    ),
    "Double": (
        {"one": 1, "half": 0.5, "minus": -2.5, "zero": 0.0, "large": 1e300, "nil": None},
        (
            "A = 1", "A = 1.0", "A = 0.5", "A != 0.5", "NOT A = 0.5", "A > 0.5", "A >= 0.5", "A < 0", "A <= -2.5", "A IN (1, 0.5)", "A NOT IN (1, 0.5)", "A BETWEEN 0 AND 1", "A NOT BETWEEN 0 AND 1", "A IS NULL", "A IS NOT NULL", "A = '0.5'", "A = 'x'", "A = true", "A = 1e300", "A > 1e299", "A STARTS_WITH '0'", "A = -0.0",
        ),
    ),
    "Bool": (
        {"yes": True, "no": False, "nil": None},
        (
            "A = true", "A = false", "A != true", "NOT A = true", "A = 'true'", "A = 'false'", "A = 1", "A = 0", "A > false", "A >= false", "A IN (true, false)", "A NOT IN (true)", "A BETWEEN false AND true", "A IS NULL", "A IS NOT NULL", "A = TRUE", "A", "NOT A", "A STARTS_WITH 't'", "A IS TRUE",
        ),
    ),
    "Datetime": (
        {"y2k": "2000-01-01T00:00:00Z", "zone": "2020-06-01T12:00:00+02:00", "fine": "2020-06-01T10:00:00.000000001Z", "old": "1960-01-01T00:00:00Z", "nil": None},
        (
            "A = '2000-01-01T00:00:00Z'", "A != '2000-01-01T00:00:00Z'", "NOT A = '2000-01-01T00:00:00Z'", "A = '2020-06-01T10:00:00Z'", "A > '2020-06-01T10:00:00Z'", "A >= '2020-06-01T10:00:00Z'", "A < '1970-01-01T00:00:00Z'", "A = 946684800000000000", "A = '946684800000000000'", "A > 946684800000000000",
            "A BETWEEN '1990-01-01T00:00:00Z' AND '2010-01-01T00:00:00Z'", "A NOT BETWEEN '1990-01-01T00:00:00Z' AND '2010-01-01T00:00:00Z'", "A IN ('2000-01-01T00:00:00Z')", "A NOT IN ('2000-01-01T00:00:00Z')", "A IS NULL", "A IS NOT NULL", "A = 'yesterday'", "A = '2000-01-01'", "A = true", "A = 1.5", "A STARTS_WITH '2000'", "A > '2000-01-01 00:00:00'",
        ),
    ),
}


def queries_of(kind: str) -> None:
    @named(f"search_attributes/queries_{kind}")
    async def asked(stage: Stage) -> None:
        values, clauses = QUERIES[kind]
        async with namespace(stage, **{"A": TYPES[kind]}) as own:
            for label, value in values.items():
                await own.start(label, search_attributes=indexed(A=value))
            await own.start("without")
            await until_found(own, "", len(values) + 1)
            for clause in clauses:
                stage.keep(clause, await found(own, clause))
            await stage.keep_call("counted", count(own, "A IS NOT NULL GROUP BY ExecutionStatus"))


for one in QUERIES:
    queries_of(one)


@scenario
async def shown(stage: Stage) -> None:
    """In every event, description and list row that has them; changed, removed and set again."""
    async with namespace(stage, **ALL) as own:
        first = indexed(MyText="some words", MyKeyword="k", MyInt=1, MyDouble=1.5, MyBool=True, MyDatetime="2020-01-01T00:00:00Z", MyKeywordList=["a", "b"])
        await own.start(stage.id, search_attributes=first, memo={"fields": {"m": payload("emo")}})
        second = indexed(MyKeyword="l", MyInt=None, MyDouble=payload(b"", "binary/null"), MyKeywordList=[], MyBool=False)
        await own.complete(await own.poll_workflow(stage.id), command("upsert_workflow_search_attributes", search_attributes=second), force_create_new_workflow_task=True)
        await stage.keep_call("upserted", own.describe(stage.id))
        third = indexed(MyInt=3, TemporalChangeVersion=["patch-1"])
        await own.complete(await own.poll_workflow(stage.id), command("upsert_workflow_search_attributes", search_attributes=third), command("complete_workflow_execution"))
        stage.keep("history", [stage.scrubber.message(event) for event in await own.history(stage.id)])
        await stage.keep_call("closed", own.describe(stage.id))
        await until_found(own, "CloseTime IS NOT NULL AND MyInt = 3", 1)
        await stage.keep_call("listed", own.call("ListWorkflowExecutions", ws.ListWorkflowExecutionsRequest(namespace=own.namespace, query="MyInt = 3")))
        for clause in ("MyKeyword = 'l'", "MyKeyword = 'k'", "MyInt = 1", "MyDouble IS NULL", "MyKeywordList IS NULL", "MyBool = false", "MyText = 'words'", "MyDatetime < '2020-06-01T00:00:00Z'",
                       "TemporalChangeVersion = 'patch-1'", "ChangeVersion = 'patch-1'", "BuildIds = 'unversioned'", "BuildIds IS NULL", "BuildIds != 'unversioned'", "TemporalScheduledById IS NULL"):
            stage.keep(clause, await found(own, clause))


@scenario
async def carried_on(stage: Stage) -> None:
    """By continue-as-new, retries and signal-with-start."""
    async with namespace(stage, **ALL) as own:
        request = ws.SignalWithStartWorkflowExecutionRequest(namespace=own.namespace, workflow_id="a", workflow_type={"name": "raw"}, task_queue={"name": "a"}, signal_name="s", request_id="r")
        for label, attributes in {"wrong": indexed(MyBool="x"), "unknown": indexed(Nothing="x"), "system": indexed(RunId="x"), "right": indexed(MyKeyword="k", MyInt=None)}.items():
            request.search_attributes.CopyFrom(ws.StartWorkflowExecutionRequest(search_attributes=attributes).search_attributes)
            await stage.keep_call(f"signal-with-start, {label}", own.call("SignalWithStartWorkflowExecution", request))
        attempts = {"without": {}, "others": {"search_attributes": indexed(MyInt=5, MyKeyword=None)}, "none": {"search_attributes": {}}}
        for label, fields in attempts.items():
            again = command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": "a"}, initiator=1, **fields)
            await own.complete(await own.poll_workflow("a"), again)
            stage.keep(f"continued {label}", [stage.scrubber.message(event) for event in (await own.history("a"))[:1]])
            described = await own.describe("a")
            stage.keep(f"described {label}", described.workflow_execution_info.search_attributes)
        for label, attributes in {"wrong": indexed(MyBool="x"), "unknown": indexed(Nothing="x"), "system": indexed(RunId="x")}.items():
            workflow_id = f"b-{label}"
            await own.start(workflow_id)
            again = command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": workflow_id}, initiator=1, search_attributes=attributes)
            await stage.keep_call(f"continue-as-new, {label}", own.complete(await own.poll_workflow(workflow_id), again))
        await own.start("c", search_attributes=indexed(MyKeyword="k"), retry_policy={"initial_interval": timedelta(milliseconds=1), "maximum_attempts": 2})
        upsert = command("upsert_workflow_search_attributes", search_attributes=indexed(MyInt=7, MyKeyword="l"))
        await own.complete(await own.poll_workflow("c"), upsert, command("fail_workflow_execution", failure={"message": "f", "application_failure_info": {}}))
        await own.poll_workflow("c")
        stage.keep("retried", [stage.scrubber.message(event) for event in (await own.history("c"))[:1]])


@scenario
async def removed_under_a_run(stage: Stage) -> None:
    """What was set stays with the run under no name."""
    async with namespace(stage, Gone=2, Stays=3) as own:
        await own.start(stage.id, search_attributes=indexed(Gone="x", Stays=1))
        await until_found(own, "Gone = 'x'", 1)
        await remove(own, "Gone")
        stage.keep("found", await found(own, "Gone = 'x'"))
        described = await own.describe(stage.id)
        stage.keep("described", sorted(described.workflow_execution_info.search_attributes.indexed_fields))
        listed = await own.call("ListWorkflowExecutions", ws.ListWorkflowExecutionsRequest(namespace=own.namespace))
        stage.keep("listed", [sorted(one.search_attributes.indexed_fields) for one in listed.executions])
        events = await own.history(stage.id)
        stage.keep("history", [name.rstrip("0123456789") for name in sorted(events[0].workflow_execution_started_event_attributes.search_attributes.indexed_fields)])
        await stage.keep_call("upsert", own.complete(await own.poll_workflow(stage.id), command("upsert_workflow_search_attributes", search_attributes=indexed(Gone="y"))))
        await stage.keep_call("start", own.start(f"{stage.id}-2", search_attributes=indexed(Gone="y")))


@scenario
async def too_much(stage: Stage) -> None:
    async with namespace(stage, **{f"A{number}": 2 for number in range(10)}) as own:
        for label, attributes in {
            "largest value": indexed(A0="x" * 2046),
            "value too large": indexed(A0="x" * 2047),
            "all large": indexed(**{f"A{number}": "x" * 2000 for number in range(10)}),
            "one unknown": indexed(A0="x", B="x"),
            "unknown and system": indexed(B="x", RunId="x"),
            "system and wrong": indexed(A0=7, RunId="x"),
            "wrong and too large": indexed(A0=7, A1="x" * 3000),
            "empty": {},
            "no fields": {"indexed_fields": {}},
        }.items():
            await stage.keep_call(f"start: {label}", own.start(f"start-{label}", search_attributes=attributes))
            workflow_id = f"upsert-{label}"
            await own.start(workflow_id)
            await stage.keep_call(f"upsert: {label}", own.complete(await own.poll_workflow(workflow_id), command("upsert_workflow_search_attributes", search_attributes=attributes)))
            again = command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": f"again-{label}"}, initiator=1, search_attributes=attributes)
            await own.start(f"again-{label}", input=texts("x"))
            await stage.keep_call(f"continue-as-new: {label}", own.complete(await own.poll_workflow(f"again-{label}"), again))


PREDEFINED: dict[str, Any] = {
    "BatcherNamespace": "n", "BatcherUser": "u", "BinaryChecksums": ["c"], "BuildIds": ["b"], "TemporalChangeVersion": ["v"], "TemporalNamespaceDivision": "d", "TemporalPauseInfo": ["p"],
    "TemporalReportedProblems": ["r"], "TemporalScheduledById": "s", "TemporalScheduledStartTime": "2020-01-01T00:00:00Z", "TemporalSchedulePaused": True,
    "TemporalExternalPayloadCount": 1, "TemporalExternalPayloadSizeBytes": 1, "TemporalUsedWorkerDeploymentVersions": ["x"], "TemporalWorkerDeployment": "x", "TemporalWorkerDeploymentVersion": "x", "TemporalWorkflowVersioningBehavior": "x",
}


@scenario
async def predefined(stage: Stage) -> None:
    """Those that every namespace has: which may be set, and which runs they find."""
    async with namespace(stage) as own:
        for name, value in PREDEFINED.items():
            await stage.keep_call(f"start with {name}", own.start(name, search_attributes=indexed(**{name: value})))
        await own.start("none")
        await own.complete(await own.poll_workflow("none"), command("complete_workflow_execution"), binary_checksum="sum")
        await own.start("stamped")
        await own.complete(await own.poll_workflow("stamped"), command("complete_workflow_execution"), worker_version_stamp={"build_id": "b,\"1"})
        await until_found(own, "CloseTime IS NOT NULL", 2)
        for name, value in PREDEFINED.items():
            written = json.dumps(value[0] if isinstance(value, list) else value).replace('"', "'")
            for clause in (f"{name} = {written}", f"{name} != {written}", f"{name} IS NULL", f"{name} IS NOT NULL", f"{name} IN ({written})"):
                stage.keep(clause, await found(own, clause))
        for clause in ("BuildIds = 'unversioned'", "BuildIds = 'unversioned:b,\"1'", "BuildIds IN ('unversioned', 'b')", "BuildIds NOT IN ('unversioned', 'b')", "BuildIds = 'unversioned:'", "BinaryChecksums = 'sum'", "NOT BuildIds = 'b'",
                       "TemporalNamespaceDivision = 'd' AND BatcherUser IS NULL", "TemporalScheduledStartTime > '2019-01-01T00:00:00Z'", "TemporalScheduledById STARTS_WITH 's'", "NamespaceDivision = 'd'", "TemporalNamespaceDivision = 'd' OR BatcherUser = 'u'"):
            stage.keep(clause, await found(own, clause))


@scenario
async def odd_values_found(stage: Stage) -> None:
    """Values in other shapes than usual, and what a query finds of them."""
    async with namespace(stage, **ALL, Other=2) as own:
        for label, attributes in {
            "listed keyword": indexed(MyKeyword=["k"]),
            "null in a keyword": indexed(MyKeyword=[None]),
            "listed int": indexed(MyInt=[7]),
            "listed double": indexed(MyDouble=[7.5]),
            "int as double": indexed(MyDouble=7),
            "listed bool": indexed(MyBool=[True]),
            "listed time": indexed(MyDatetime=["2020-01-01T00:00:00Z"]),
            "early time": indexed(MyDatetime="0001-01-01T00:00:00Z"),
            "late time": indexed(MyDatetime="9999-12-31T23:59:59Z"),
            "listed text": indexed(MyText=["some text"]),
            "null in a list": indexed(MyKeywordList=["l", None]),
            "list of nulls": indexed(MyKeywordList=[None]),
            "list in a list": indexed(MyKeywordList=[["l"]]),
            "keyword called int": indexed(MyKeyword=payload("7", kind="Int")),
            "keyword called nothing": indexed(MyKeyword=payload("7", kind="")),
            "keyword called whatever": indexed(MyKeyword=payload("7", kind="Whatever")),
            "int called keyword": indexed(MyInt=payload(8, kind="Keyword")),
            "int called double": indexed(MyInt=payload(8, kind="Double")),
            "text called keyword": indexed(MyText=payload("other words", kind="Keyword")),
            "keyword called text": indexed(MyKeyword=payload("other words", kind="Text")),
            "list of cases": indexed(MyKeywordList=["ÉCLAIR", "Two Words"]),
            "upper case": indexed(MyKeyword="ÉCLAIR", MyText="ÉCLAIR straße ǅ"),
            "two": indexed(MyKeyword="k", MyInt=7),
        }.items():
            await own.start(label, search_attributes=attributes)
        await until_found(own, "", 23)
        for clause in (
            "MyKeyword = 'k'", "MyKeyword IS NOT NULL", "MyInt = 7", "MyInt IS NOT NULL", "MyDouble = 7.5", "MyDouble = 7", "MyBool = true", "MyDatetime > '2019-12-31T00:00:00Z'", "MyDatetime < '2020-06-01T00:00:00Z'", "MyText = 'some'", "MyText IS NOT NULL",
            "MyKeywordList = 'l'", "MyKeywordList IS NOT NULL", "MyKeyword = '7'", "MyInt = 8", "MyText = 'words'", "MyText = 'other words'", "MyKeyword = 'other words'", "MyKeywordList = 'éclair'", "MyKeywordList = 'ECLAIR'", "MyKeywordList = 'two words'", "MyKeywordList = 'words'",
            "MyKeywordList IN ('l', 'éclair')", "MyKeyword = 'éclair'", "MyText = 'eclair'", "MyText = 'strasse'", "MyText = 'straße'", "MyText = 'ǆ'", "MyKeyword = 'k' AND MyInt = 7", "MyKeyword = 'k' OR MyInt = 7", "MyKeyword = 'k' AND NOT MyInt = 7", "MyKeyword = 'k' AND MyInt IS NULL",
            "NOT (MyKeyword = 'k' OR MyInt = 7)", "MyKeyword != MyInt", "Other IS NULL AND MyKeyword = 'k'", "MyKeyword = 'k' AND ExecutionStatus = 'Running' AND StartTime > '2020-01-01T00:00:00Z'", "MyKeywordList != 'l'", "MyText != 'words'", "NOT MyText != 'words' AND MyKeyword IS NULL",
        ):
            stage.keep(clause, await found(own, clause))
