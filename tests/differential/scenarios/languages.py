"""Workflows written alike in Python, TypeScript, Go, Java and Rust, each worked on and called by the SDK of its language.

The workflows are in `tests/differential/players/`; here is what is done to them, once for all languages. Each history must also be one that
the SDK's own replayer takes, from the JSON that the command line prints; `READ_BINARY` names who cannot read that. `test_languages.py` compares
the commands between the languages.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf import json_format
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.history.v1 import History
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest

from tests.differential.player import PLAYED, READ_BINARY, Failed
from tests.differential.scenario import Stage, named
from tests.support.rpc import Refused, event_name
from tests.support.wait import until


class Act:
    """One scenario in one language: the stage, and shorthands for what the player does."""

    def __init__(self, stage: Stage, language: str) -> None:
        self.stage = stage
        self.language = language
        self.player = stage.players.player(language)
        self.id = stage.id

    async def start(self, kind: str, *args: Any, suffix: str = "", **options: Any) -> None:
        """Starts a workflow and waits until its first task is done."""
        await self.player.do("start", type=kind, id=self.id + suffix, args=list(args), **options)

    async def tell(self, what: str, name: str, *args: Any) -> Any:
        """A signal, a query or an update."""
        return await self.player.do(what, id=self.id, name=name, args=list(args))

    async def tasks(self, number: int) -> None:
        """Waits until so many workflow tasks are completed."""
        await self.stage.until_events(*["WorkflowTaskCompleted"] * number)

    async def end(self, suffix: str = "", label: str = "", run_id: str = "") -> None:
        """Keeps how a workflow ended and its history, and replays that."""
        if not run_id:
            try:
                value = {"value": await self.player.do("result", id=self.id + suffix)}
            except Failed as failed:
                value = {"error": str(failed)}
            self.stage.keep(f"result{label}", value)
        await self.stage.keep_history(f"history{label}", self.id + suffix, run_id)
        await self.replay(self.id + suffix, run_id)

    async def replay(self, workflow_id: str, run_id: str = "") -> None:
        """The SDK's own replayer takes what the command line prints."""
        history = await self.stage.exported(workflow_id, run_id)
        if self.language in READ_BINARY:
            history = base64.b64encode(json_format.Parse(history, History()).SerializeToString()).decode()
        await self.player.do("replay", id=workflow_id, history=history)


Script = Callable[[Act], Awaitable[None]]


def script(play: Script) -> Script:
    """Registers a scenario for each language, as `go/sequence`."""
    for language in PLAYED:

        async def scene(stage: Stage, language: str = language) -> None:
            await play(Act(stage, language))

        named(f"{language}/{play.__name__}")(scene)
    return play


def simple(name: str, kind: str) -> None:
    """A workflow that needs nobody but its worker."""

    async def play(act: Act) -> None:
        await act.start(kind)
        await act.end()

    play.__name__ = name
    script(play)


simple("sequence", "Sequence")
simple("retries", "Retries")
simple("refused", "Refused")
simple("timers", "Timers")
simple("local_activities", "LocalActivities")
simple("side_effect", "SideEffect")
simple("patched", "Patched")
simple("heartbeat", "Heartbeat")
simple("saga", "Saga")
simple("failing", "Failing")


@script
async def fan_out(act: Act) -> None:
    """Activities end in any order: what is kept is what was done, not when."""
    await act.start("FanOut")
    act.stage.keep("result", await act.player.do("result", id=act.id))
    events = await act.stage.raw.history(act.id)
    act.stage.keep("scheduled", {"events": [act.stage.scrubber.message(event) for event in events[4:9]]})
    act.stage.keep("done", sorted(event_name(event) for event in events[9:] if event_name(event).startswith("Activity")))
    act.stage.keep("last", events[-1].workflow_execution_completed_event_attributes.result)
    await act.replay(act.id)


@script
async def patience(act: Act) -> None:
    await act.start("Patience")
    await act.stage.until_events("TimerFired", "WorkflowTaskCompleted", "WorkflowTaskCompleted")
    await act.tell("signal", "go")
    await act.end()


@script
async def signals(act: Act) -> None:
    await act.start("Signals")
    for number, word in enumerate(("one", "two", "three"), start=1):
        await act.tasks(number)
        await act.tell("signal", "add", word)
    await act.end()


@script
async def queries(act: Act) -> None:
    await act.start("Queries")
    await act.tasks(1)
    act.stage.keep("before", await act.tell("query", "state"))
    await act.tell("signal", "finish")
    await act.end()
    act.stage.keep("after", await act.tell("query", "state"))


@script
async def scope(act: Act) -> None:
    """A cancellation that the workflow decides: an activity that heartbeats is told, and waited for."""
    await act.start("Scope")
    await act.stage.until_pending(lambda found: found.pending_activities and found.pending_activities[0].HasField("last_heartbeat_time"), "heartbeat")
    await act.tell("signal", "stop")
    await act.end()


@script
async def cancelled(act: Act) -> None:
    """A cancellation from outside, and what is tidied after it."""
    await act.start("Cancelled")
    await act.stage.until_events("TimerStarted")
    await act.player.do("cancel", id=act.id)
    await act.end()
    await act.stage.keep_describe()


@script
async def continue_as_new(act: Act) -> None:
    await act.start("ContinueAsNew", 2)
    first = (await act.stage.raw.describe(act.id)).workflow_execution_info.first_run_id
    await act.end()
    await act.end(label=" of the first run", run_id=first)


@script
async def child(act: Act) -> None:
    await act.start("Child")
    await act.end()
    await act.end("-child", " of the child")


@script
async def child_fails(act: Act) -> None:
    await act.start("ChildFails")
    await act.end()
    await act.end("-child", " of the child")


@script
async def external_signal(act: Act) -> None:
    await act.start("Receiver", suffix="-receiver")
    await act.stage.until_events("WorkflowTaskCompleted", workflow_id=f"{act.id}-receiver")
    await act.start("ExternalSignal", f"{act.id}-receiver")
    await act.end()
    await act.end("-receiver", " of the receiver")


@script
async def updates(act: Act) -> None:
    """Accepted, refused by the validator, accepted: with an activity in the handler."""
    await act.start("Updates")
    await act.tasks(1)
    act.stage.keep("first", await act.tell("update", "append", "one"))
    try:
        await act.tell("update", "append", "")
    except Failed as failed:
        act.stage.keep("refused", str(failed))
    act.stage.keep("second", await act.tell("update", "append", "two"))
    await act.tell("signal", "finish")
    await act.end()


@script
async def memo(act: Act) -> None:
    await act.start("Memo", memo={"note": "kept"})
    await act.end()
    await act.stage.keep_describe()


@script
async def search_attributes(act: Act) -> None:
    await custom_attribute(act.stage, "Colour")
    await act.start("SearchAttributes")
    await act.end()
    await act.stage.keep_describe()


async def custom_attribute(stage: Stage, name: str) -> None:
    """Has the namespace know a keyword attribute: all languages use the same. Of two who add at once the reference serves one."""

    async def known() -> bool:
        listed = await stage.raw.call("ListSearchAttributes", ListSearchAttributesRequest(namespace="default"))
        if name in listed.custom_attributes:
            return True
        request = AddSearchAttributesRequest(namespace="default")
        request.search_attributes[name] = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        try:
            await stage.raw.call("AddSearchAttributes", request)
        except Refused as refusal:
            if refusal.code not in ("ALREADY_EXISTS", "UNAVAILABLE"):
                raise
        return False

    await until(known, f"{name} is known")
