"""Completion callbacks: what is stored, shown and carried along, and what is sent when a run or an update is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Callback, Payload
from temporalio.api.enums.v1 import CallbackState
from temporalio.api.update.v1 import Input, Meta, Request

from tests.differential.scenario import Stage, named, scenario
from tests.differential.scenarios.reset import reset
from tests.differential.scenarios.updates import accept, complete, idle, keep_sent, polled, respond, send
from tests.support.listener import Heard, Listener, listening
from tests.support.rpc import command, texts
from tests.support.wait import until

LINK = {"workflow_event": {"namespace": "default", "workflow_id": "w", "run_id": "r", "event_ref": {"event_id": 1, "event_type": 1}}}
STANDBY = 1


def callback(url: str, **header: str) -> Callback:
    return Callback(nexus=Callback.Nexus(url=url, header=header))


def kept(stage: Stage, listener: Listener, heard: Heard) -> dict[str, Any]:
    """A request without what is of the client that sent it and of this run of the tests."""
    dropped = ("host", "user-agent", "accept-encoding", "content-length", "transfer-encoding", "date", "accept")
    headers = {name: "<time>" if name.endswith("-time") else value for name, value in sorted(heard.headers.items()) if name not in dropped}
    whole = headers.get("content-type") == "application/x-temporal-payload"  # Its map is in no order.
    body = stage.scrubber.message(Payload.FromString(heard.body)) if whole else stage.scrubber.text(heard.body.decode(errors="replace"))
    return {"method": heard.method, "path": heard.path, "headers": stage.scrubber.value(headers, ""), "body": body}


def portless(listener: Listener, value: Any) -> Any:
    """Without the port that was free by chance."""
    if isinstance(value, dict):
        return {key: portless(listener, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [portless(listener, inner) for inner in value]
    return value.replace(str(listener.port), "<port>") if isinstance(value, str) else value


async def keep(stage: Stage, listener: Listener, label: str, run_id: str = "") -> None:
    """Keeps describe and history of a run."""
    described = await stage.raw.describe(stage.id, run_id)
    callbacks = sorted(described.callbacks, key=lambda one: one.callback.nexus.url)  # In no order.
    stage.keep(f"{label}: callbacks", portless(listener, [stage.scrubber.message(one) for one in callbacks]))
    stage.keep(f"{label}: requests", stage.scrubber.message(described.workflow_extended_info))
    events = await stage.raw.history(stage.id, run_id)
    stage.keep(f"{label}: history", portless(listener, [stage.scrubber.message(event) for event in events]))


async def until_heard(listener: Listener, count: int) -> list[Heard]:
    async def enough() -> list[Heard] | None:
        return listener.heard if len(listener.heard) >= count else None

    return await until(enough, f"{count} requests", 30)


async def until_state(stage: Stage, *states: str, run_id: str = "") -> None:
    async def there() -> bool:
        described = await stage.raw.describe(stage.id, run_id)
        return [CallbackState.Name(one.state).removeprefix("CALLBACK_STATE_") for one in described.callbacks] == list(states)

    await until(there, f"callbacks {states}", 30)


async def over(stage: Stage, listener: Listener, label: str = "over", count: int = 1, run_id: str = "") -> None:
    """Waits until all was delivered, and keeps it."""
    heard = await until_heard(listener, count)
    for number, one in enumerate(sorted(heard, key=lambda one: one.path), start=1):
        stage.keep(f"{label}: request {number}", portless(listener, kept(stage, listener, one)))
    await until_state(stage, *["SUCCEEDED"] * count, run_id=run_id)
    await keep(stage, listener, label, run_id)


@scenario
async def completed(stage: Stage) -> None:
    async with listening() as listener:
        await stage.keep_call("start", stage.raw.start(stage.id, completion_callbacks=[callback(listener.url("/done?x=1"), Token="secret", other="a")], links=[LINK]))
        await keep(stage, listener, "open")
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution", result=texts("done")))
        await over(stage, listener)


@scenario
async def completed_with_nothing(stage: Stage) -> None:
    async with listening() as listener:
        await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
        await over(stage, listener)


@scenario
async def completed_with_two(stage: Stage) -> None:
    async with listening() as listener:
        await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution", result=texts("one", "two")))
        await over(stage, listener)


@scenario
async def failed(stage: Stage) -> None:
    async with listening() as listener:
        await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        failure = {"message": "no", "source": "here", "stack_trace": "line 1", "application_failure_info": {"type": "T", "non_retryable": True, "details": texts("d")}, "cause": {"message": "deeper"}}
        await stage.raw.complete(await polled(stage), command("fail_workflow_execution", failure=failure))
        await over(stage, listener)


@scenario
async def canceled(stage: Stage) -> None:
    async with listening() as listener:
        await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        await stage.raw.cancel(stage.id)
        await stage.raw.complete(await polled(stage), command("cancel_workflow_execution", details=texts("why")))
        await over(stage, listener)


@scenario
async def terminated(stage: Stage) -> None:
    async with listening() as listener:
        await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        await stage.raw.terminate(stage.id, details=texts("why"))
        await over(stage, listener)


@scenario
async def timed_out(stage: Stage) -> None:
    async with listening() as listener:
        await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())], workflow_run_timeout=timedelta(seconds=1))
        await over(stage, listener)


@scenario
async def carried_along(stage: Stage) -> None:
    """A chain calls when it ends, and the first run is told of as one that has none of it."""
    async with listening() as listener:
        first = await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        await stage.raw.complete(await polled(stage), command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": stage.queue}))
        task = await polled(stage)
        await keep(stage, listener, "first", first.run_id)
        await keep(stage, listener, "second")
        await stage.raw.complete(task, command("complete_workflow_execution", result=texts("done")))
        await over(stage, listener)
        await keep(stage, listener, "first in the end", first.run_id)


@scenario
async def carried_by_retries(stage: Stage) -> None:
    async with listening() as listener:
        first = await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())], retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(seconds=1)})
        await stage.raw.complete(await polled(stage), command("fail_workflow_execution", failure={"message": "no", "application_failure_info": {}}))
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
        await over(stage, listener)
        await keep(stage, listener, "first in the end", first.run_id)


ENDS: dict[str, tuple[dict[str, Any], Any]] = {
    "cron_completed": ({"cron_schedule": "@every 1s"}, command("complete_workflow_execution", result=texts("done"))),
    "cron_failed": ({"cron_schedule": "@every 1s"}, command("fail_workflow_execution", failure={"message": "no", "application_failure_info": {}})),
    "cron_timed_out": ({"cron_schedule": "@every 2s", "workflow_run_timeout": timedelta(seconds=1)}, None),
    "cron_retried": ({"cron_schedule": "@every 1s", "retry_policy": {"maximum_attempts": 2, "initial_interval": timedelta(seconds=1)}}, command("fail_workflow_execution", failure={"message": "no", "application_failure_info": {}})),
    "cron_canceled": ({"cron_schedule": "@every 1s"}, command("cancel_workflow_execution")),
    "retry_timed_out": ({"workflow_run_timeout": timedelta(seconds=1), "retry_policy": {"maximum_attempts": 2, "initial_interval": timedelta(seconds=1)}}, None),
}
"""How a run with a successor may end: its start, and its last command; none: its time is over."""


def carried(name: str) -> None:
    """Who calls: the run that ends, or the one behind it."""

    @named(f"callbacks/carried_{name}")
    async def play(stage: Stage) -> None:
        fields, last = ENDS[name]
        async with listening() as listener:
            first = await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())], **fields)
            if name == "cron_canceled":
                await stage.raw.cancel(stage.id)
            task = await polled(stage)
            if last is not None:
                await stage.raw.complete(task, last)
            if name == "cron_canceled":
                await until_state(stage, "SUCCEEDED")
            else:
                await polled(stage)
                await keep(stage, listener, "second")
                await stage.raw.terminate(stage.id)
                described = await stage.raw.describe(stage.id)
                if described.callbacks:
                    await until_state(stage, "SUCCEEDED")
                elif (await stage.raw.describe(stage.id, first.run_id)).callbacks[0].state != STANDBY:
                    await until_state(stage, "SUCCEEDED", run_id=first.run_id)
                await keep(stage, listener, "second in the end")
            await keep(stage, listener, "first in the end", first.run_id)
            stage.keep("requests", [portless(listener, kept(stage, listener, one)) for one in listener.heard])


for _name in ENDS:
    carried(_name)


PAYLOADS: dict[str, dict[str, Any]] = {
    "null": {"metadata": {"encoding": b"binary/null"}},
    "bytes": {"metadata": {"encoding": b"binary/plain"}, "data": b"\x01\x02"},
    "json of a message": {"metadata": {"encoding": b"json/protobuf", "messageType": b"a.B"}, "data": b"{}"},
    "json of a message without a type": {"metadata": {"encoding": b"json/protobuf"}, "data": b"{}"},
    "message": {"metadata": {"encoding": b"binary/protobuf", "messageType": b"a.B"}, "data": b"\x08\x01"},
    "text": {"metadata": {"encoding": b"json/plain", "more": b"x"}, "data": b'"x"'},
    "unknown": {"metadata": {"encoding": b"mine"}, "data": b"x"},
    "nothing known": {"data": b"x"},
    "nothing": {},
    "encrypted": {"metadata": {"encoding": b"binary/encrypted", "encryption-key-id": b"k"}, "data": b"x"},
}


@scenario
async def results(stage: Stage) -> None:
    """How a payload is said in HTTP."""
    for label, payload in PAYLOADS.items():
        async with listening() as listener:
            workflow_id = f"{stage.id}-{label.replace(' ', '-')}"
            await stage.raw.start(workflow_id, stage.queue, completion_callbacks=[callback(listener.url())])
            await stage.raw.complete(await polled(stage), command("complete_workflow_execution", result={"payloads": [payload]}))
            stage.keep(label, [portless(listener, kept(stage, listener, one)) for one in await until_heard(listener, 1)])


@scenario
async def carried_by_a_reset(stage: Stage) -> None:
    async with listening() as listener:
        first = await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url("/one"))])
        await stage.raw.start(
            stage.id, request_id="two", workflow_id_conflict_policy=2, completion_callbacks=[callback(listener.url("/two"))], on_conflict_options={"attach_request_id": True, "attach_completion_callbacks": True}
        )
        await stage.raw.complete(await polled(stage))
        await stage.raw.signal(stage.id, "s")
        await stage.raw.complete(await polled(stage))
        await reset(stage, 4)
        await keep(stage, listener, "first", first.run_id)
        await keep(stage, listener, "second")
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
        await over(stage, listener, count=2)


@scenario
async def reset_behind_the_call(stage: Stage) -> None:
    """A run that has called, and is begun again."""
    async with listening() as listener:
        first = await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
        await until_state(stage, "SUCCEEDED")
        await reset(stage, 4, first.run_id)
        await keep(stage, listener, "second")
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
        await until_state(stage, "SUCCEEDED")
        stage.keep("requests", len(listener.heard))
        await keep(stage, listener, "first in the end", first.run_id)


@scenario
async def attached(stage: Stage) -> None:
    """Each caller of a run that is there is called."""
    async with listening() as listener:
        both = {"attach_request_id": True, "attach_completion_callbacks": True}
        await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url("/one"))])
        for request_id in ("two", "two", "three"):
            answer = await stage.raw.start(
                stage.id, request_id=request_id, workflow_id_conflict_policy=2, completion_callbacks=[callback(listener.url(f"/{request_id}"))], on_conflict_options={**both, "attach_links": True}, links=[LINK]
            )
            assert not answer.started
        await stage.keep_call(
            "without request id",
            stage.raw.start(stage.id, request_id="four", workflow_id_conflict_policy=2, completion_callbacks=[callback(listener.url("/four"))], on_conflict_options={"attach_completion_callbacks": True}),
        )
        await stage.raw.start(stage.id, request_id="five", workflow_id_conflict_policy=2, completion_callbacks=[callback(listener.url("/five"))])
        await keep(stage, listener, "open")
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
        await over(stage, listener, count=3)


@scenario
async def attached_during_a_task(stage: Stage) -> None:
    async with listening() as listener:
        await stage.raw.start(stage.id)
        task = await polled(stage)
        options = {"attach_request_id": True, "attach_completion_callbacks": True}
        await stage.raw.start(stage.id, request_id="two", workflow_id_conflict_policy=2, completion_callbacks=[callback(listener.url("/two"))], on_conflict_options=options)
        await keep(stage, listener, "open")
        await stage.raw.complete(task)
        await keep(stage, listener, "flushed")
        await stage.raw.terminate(stage.id)
        await over(stage, listener)


@scenario
async def attached_and_carried(stage: Stage) -> None:
    """What was attached is the next run's from its start."""
    async with listening() as listener:
        await stage.raw.start(stage.id)
        options = {"attach_request_id": True, "attach_completion_callbacks": True}
        await stage.raw.start(stage.id, request_id="two", workflow_id_conflict_policy=2, completion_callbacks=[callback(listener.url("/two"))], on_conflict_options=options)
        await stage.raw.complete(await polled(stage), command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": stage.queue}))
        task = await polled(stage)
        await keep(stage, listener, "second")
        await stage.raw.complete(task, command("complete_workflow_execution"))
        await over(stage, listener)


@scenario
async def terminated_for_another(stage: Stage) -> None:
    """A start that ends the run before it."""
    async with listening() as listener:
        first = await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        await stage.raw.start(stage.id, request_id="two", workflow_id_conflict_policy=3)
        await until_state(stage, "SUCCEEDED", run_id=first.run_id)
        await keep(stage, listener, "first", first.run_id)
        await keep(stage, listener, "second")
        await stage.raw.terminate(stage.id)


@scenario
async def not_too_many(stage: Stage) -> None:
    """32 of one run, whoever brought them."""
    async with listening() as listener:
        many = [callback(listener.url(f"/{number}")) for number in range(33)]
        await stage.keep_call("33", stage.raw.start(stage.id, completion_callbacks=many))
        await stage.raw.start(stage.id, completion_callbacks=many[:31])
        options = {"attach_request_id": True, "attach_completion_callbacks": True}
        await stage.keep_call("two more", stage.raw.start(stage.id, request_id="two", workflow_id_conflict_policy=2, completion_callbacks=many[:2], on_conflict_options=options))
        await stage.raw.start(stage.id, request_id="three", workflow_id_conflict_policy=2, completion_callbacks=many[:1], on_conflict_options=options)
        await stage.keep_call("and one", stage.raw.start(stage.id, request_id="four", workflow_id_conflict_policy=2, completion_callbacks=many[:1], on_conflict_options=options))
        events = await stage.raw.history(stage.id)
        stage.keep("events", len(events))
        await stage.raw.terminate(stage.id)


@scenario
async def refused(stage: Stage) -> None:
    """What cannot be called."""
    for label, url in {
        "nothing": "",
        "no scheme": "localhost:1/done",
        "another scheme": "ftp://localhost/done",
        "no host": "http:///done",
        "broken": "http://[::1/done",
        "too long": "http://localhost/" + "x" * 1000,
        "a system's": "temporal://system",
        "a system's with a path": "temporal://system/path",
        "another system's": "temporal://other",
        "an internal one": "temporal://internal",
    }.items():
        await stage.keep_call(label, stage.raw.start(f"{stage.id}-{label.replace(' ', '-')}", completion_callbacks=[callback(url)]))
    for label, header in {"long header": {"h": "x" * 8200}, "long name": {"h" * 8200: "x"}, "long together": {f"h{number}": "x" * 1000 for number in range(9)}}.items():
        await stage.keep_call(label, stage.raw.start(f"{stage.id}-{label.replace(' ', '-')}", completion_callbacks=[callback("http://localhost/done", **header)]))
    await stage.keep_call("no variant", stage.raw.start(f"{stage.id}-no-variant", completion_callbacks=[Callback()]))
    await stage.keep_call("internal", stage.raw.start(f"{stage.id}-internal", completion_callbacks=[Callback(internal=Callback.Internal(data=b"x"))]))
    await stage.keep_call("with a bad link", stage.raw.start(f"{stage.id}-link", completion_callbacks=[Callback(nexus=Callback.Nexus(url="http://localhost/done"), links=[{}])]))


@scenario
async def with_links(stage: Stage) -> None:
    async with listening() as listener:
        one = callback(listener.url())
        one.links.add(workflow_event={"namespace": "default", "workflow_id": "caller", "run_id": "r", "event_ref": {"event_id": 5, "event_type": 48}})
        await stage.keep_call("start", stage.raw.start(stage.id, completion_callbacks=[one], links=[LINK]))
        await keep(stage, listener, "open")
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
        await over(stage, listener)


@scenario
async def not_answered_at_once(stage: Stage) -> None:
    """What fails for a while is tried again."""
    async with listening(503, 429) as listener:
        await stage.raw.start(stage.id, completion_callbacks=[callback(listener.url())])
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
        await until_state(stage, "BACKING_OFF")
        await keep(stage, listener, "waiting")
        await until_heard(listener, 3)
        await until_state(stage, "SUCCEEDED")
        await keep(stage, listener, "over")


STATUSES = (201, 204, 302, 307, 400, 401, 402, 403, 404, 405, 408, 409, 410, 418, 422, 429, 500, 501, 502, 503, 504, 520)
SAID = {
    "nothing": "",
    "a failure": '{"message": "no", "metadata": {"type": "t"}, "details": {"a": 1}}',
    "something else": '{"error": "no"}',
    "no json": "no",
}


async def answered(stage: Stage, label: str, status: int, said: str) -> None:
    """One answer to a call, and what becomes of it."""
    async with listening(status, said=said) as listener:
        workflow_id = f"{stage.id}-{label.replace(' ', '-')}"
        await stage.raw.start(workflow_id, stage.queue, completion_callbacks=[callback(listener.url())])
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))

        async def tried() -> Any:
            described = await stage.raw.describe(workflow_id)
            return described if described.callbacks[0].attempt else None

        described = await until(tried, "an attempt", 30)
        stage.keep(label, portless(listener, [stage.scrubber.message(one) for one in described.callbacks]))


@scenario
async def statuses(stage: Stage) -> None:
    for status in STATUSES:
        await answered(stage, f"{status}", status, "")


@scenario
async def words(stage: Stage) -> None:
    for label, said in SAID.items():
        for status in (400, 503):
            await answered(stage, f"{label} {status}", status, said)


@scenario
async def nobody_there(stage: Stage) -> None:
    await stage.raw.start(stage.id, completion_callbacks=[callback("http://127.0.0.1:1/done")])
    await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
    await until_state(stage, "BACKING_OFF")
    await stage.keep_describe()


@scenario
async def of_an_update(stage: Stage) -> None:
    async with listening() as listener:
        await idle(stage)
        request = Request(meta=Meta(update_id="u", identity="client"), input=Input(name="change"), request_id="the request", completion_callbacks=[callback(listener.url())])
        request.links.add(**LINK)
        sent = send(stage, request=request)
        task = await polled(stage)
        message = task.messages[0]
        await complete(stage, task, accept(message))
        await keep(stage, listener, "accepted")
        await stage.raw.signal(stage.id, "s")
        await complete(stage, await polled(stage), respond(message))
        await keep_sent(stage, "update", sent)
        await keep(stage, listener, "answered")
        await stage.raw.terminate(stage.id)
        stage.keep("heard", [portless(listener, kept(stage, listener, one)) for one in listener.heard])


@scenario
async def header_names(stage: Stage) -> None:
    """Names are kept as they are known to the receiver."""
    async with listening() as listener:
        await stage.raw.start(
            stage.id, completion_callbacks=[callback(listener.url(), **{"Nexus-Callback-Token": "t", "X-UPPER": "1", "content-type": "mine", "nexus-operation-token": "op", "Nexus-Operation-State": "odd"})]
        )
        await keep(stage, listener, "open")
        result = {"payloads": [{"metadata": {"encoding": b"json/plain"}, "data": b'{"a":1}'}]}
        await stage.raw.complete(await polled(stage), command("complete_workflow_execution", result=result))
        await over(stage, listener)


