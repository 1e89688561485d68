"""Sizes, made small by their keys: what is refused, and in which words. The key is honoured wherever the size is judged."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.differential.scenarios.bad_commands import schedule, timer
from tests.differential.scenarios.updates import accept, complete, idle, keep_sent, polled, respond, send
from tests.support.rpc import Refused, command, event_name, text, texts
from tests.support.wait import until

LARGE = texts("x" * 2000)
LONG = "x" * 81


def metadata(summary: int, details: int) -> dict[str, Payload]:
    return {"summary": text("x" * summary), "details": text("x" * details)}


@scenario
async def starts(stage: Stage) -> None:
    for label, fields in {
        "input": {"input": LARGE},
        "memo": {"memo": {"fields": {"m": text("x" * 400)}}},
        "header": {"header": {"fields": {"h": text("x" * 2000)}}},
        "workflow id": {"workflow_id": LONG},
        "workflow type": {"workflow_type": {"name": LONG}},
        "task queue": {"task_queue": {"name": LONG}},
        "request id": {"request_id": LONG},
        "identity": {"identity": LONG},
        "cron": {"cron_schedule": "@every " + "1" * 90 + "s"},
        "summary": {"user_metadata": metadata(400, 0)},
        "details": {"user_metadata": metadata(0, 2000)},
        "last result": {"last_completion_result": LARGE},
        "continued failure": {"continued_failure": {"message": "x" * 2000}},
        "fairness key": {"priority": {"fairness_key": "x" * 65}},
        "retry type": {"retry_policy": {"non_retryable_error_types": [LONG]}},
    }.items():
        workflow_id = fields.pop("workflow_id", f"{stage.id}-{label.replace(' ', '-')}")
        await stage.keep_call(label, stage.raw.start(workflow_id, **fields))


@scenario
async def signals(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    for label, fields in {
        "input": {"input": LARGE},
        "header": {"header": {"fields": {"h": text("x" * 2000)}}},
        "name": {"signal_name": LONG},
        "request id": {"request_id": LONG},
        "identity": {"identity": LONG},
    }.items():
        await stage.keep_call(label, stage.raw.signal(stage.id, **fields))
    await stage.keep_call("cancel: identity", stage.raw.cancel(stage.id, identity=LONG))
    await stage.keep_call("cancel: reason", stage.raw.cancel(stage.id, reason=LONG))
    await stage.keep_call("terminate: details", stage.raw.terminate(stage.id, details=LARGE))
    await stage.keep_history()
    await stage.keep_describe()


COMMANDS: dict[str, Any] = {
    "activity_input": schedule(input=LARGE),
    "activity_id": schedule("x" * 81),
    "activity_type": schedule(activity_type={"name": LONG}),
    "activity_queue": schedule(task_queue={"name": LONG}),
    "activity_header": schedule(header={"fields": {"h": text("x" * 2000)}}),
    "timer_id": timer("x" * 81),
    "marker_name": command("record_marker", marker_name=LONG),
    "marker_details": command("record_marker", marker_name="m", details={"d": LARGE}),
    "memo": command("modify_workflow_properties", upserted_memo={"fields": {"m": text("x" * 400)}}),
    "result": command("complete_workflow_execution", result=LARGE),
    "failure": command("fail_workflow_execution", failure={"message": "x" * 2000, "application_failure_info": {}}),
    "canceled": command("cancel_workflow_execution", details=LARGE),
    "continued_input": command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": "q"}, input=LARGE),
    "continued_memo": command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": "q"}, memo={"fields": {"m": text("x" * 400)}}),
    "child_input": command("start_child_workflow_execution", workflow_id="sizes-child", workflow_type={"name": "t"}, input=LARGE),
    "child_memo": command("start_child_workflow_execution", workflow_id="sizes-child", workflow_type={"name": "t"}, memo={"fields": {"m": text("x" * 400)}}),
    "child_id": command("start_child_workflow_execution", workflow_id=LONG, workflow_type={"name": "t"}),
    "call_input": command("signal_external_workflow_execution", execution={"workflow_id": "nobody"}, signal_name="s", input=LARGE),
    "call_name": command("signal_external_workflow_execution", execution={"workflow_id": "nobody"}, signal_name=LONG),
    "search_attribute": command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"BatcherUser": text("x" * 400)}}),
}


@scenario
async def commands(stage: Stage) -> None:
    """What a command that is too large does to its run."""
    for label, one in COMMANDS.items():
        workflow_id = f"{stage.id}-{label.replace('_', '-')}"
        await stage.raw.start(workflow_id, stage.queue)
        await stage.keep_call(label, stage.raw.complete(await polled(stage), one))
        events = await stage.raw.history(workflow_id)
        stage.keep(f"{label}: events", [stage.scrubber.message(event) for event in events[3:] if event_name(event) != "WorkflowTaskScheduled"])
        described = await stage.raw.describe(workflow_id)
        stage.keep(f"{label}: status", described.workflow_execution_info.status)
        if described.workflow_execution_info.status == 1:
            await stage.raw.terminate(workflow_id)


@scenario
async def summaries(stage: Stage) -> None:
    """User metadata of a command."""
    for label, summary, details in (("summary", 401, 0), ("details", 0, 2001)):
        workflow_id = f"{stage.id}-{label}"
        await stage.raw.start(workflow_id, stage.queue)
        one = timer()
        one.user_metadata.summary.CopyFrom(text("x" * summary))
        one.user_metadata.details.CopyFrom(text("x" * details))
        await stage.keep_call(label, stage.raw.complete(await polled(stage), one))
        events = await stage.raw.history(workflow_id)
        stage.keep(f"{label}: events", [event_name(event) for event in events])
        await stage.raw.terminate(workflow_id)


@scenario
async def activities(stage: Stage) -> None:
    """What a worker says of an activity."""
    token = {"namespace": "default", "identity": "raw"}
    for label in ("result", "failure", "details", "heartbeat"):
        workflow_id = f"{stage.id}-{label}"
        await stage.raw.start(workflow_id, stage.queue)
        await stage.raw.complete(await polled(stage), schedule(task_queue={"name": stage.queue}, start_to_close_timeout=timedelta(minutes=1)))
        task = await stage.raw.poll_activity(stage.queue)
        if label == "result":
            await stage.keep_call(label, stage.raw.call("RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(task_token=task.task_token, result=LARGE, **token)))
        elif label == "failure":
            failure = {"message": "x" * 2000, "application_failure_info": {"non_retryable": True}}
            await stage.keep_call(label, stage.raw.call("RespondActivityTaskFailed", ws.RespondActivityTaskFailedRequest(task_token=task.task_token, failure=failure, **token)))
        elif label == "details":
            await stage.raw.cancel(workflow_id)
            await stage.keep_call(label, stage.raw.call("RespondActivityTaskCanceled", ws.RespondActivityTaskCanceledRequest(task_token=task.task_token, details=LARGE, **token)))
        else:
            await stage.keep_call(label, stage.raw.call("RecordActivityTaskHeartbeat", ws.RecordActivityTaskHeartbeatRequest(task_token=task.task_token, details=LARGE, **token)))
        events = await stage.raw.history(workflow_id)
        stage.keep(f"{label}: events", [stage.scrubber.message(event) for event in events[5:]])
        await stage.raw.terminate(workflow_id)


@scenario
async def updates(stage: Stage) -> None:
    await idle(stage)
    for label, fields in {
        "name": {"input": {"name": LONG}},
        "id": {"meta": {"update_id": LONG, "identity": "client"}, "input": {"name": "change"}},
        "identity": {"meta": {"update_id": "u", "identity": LONG}, "input": {"name": "change"}},
        "args": {"input": {"name": "change", "args": LARGE}},
    }.items():
        asked = {"meta": {"update_id": label, "identity": "client"}, **fields}
        sent = send(stage, label, request=asked)
        done, _ = await asyncio.wait({sent}, timeout=1.0)
        if not done:
            task = await polled(stage)
            message = task.messages[0]
            await stage.keep_call(f"{label}: answered", complete(stage, task, accept(message), respond(message)))
            if label == "args":
                stage.keep("args: refused", [event_name(event) for event in await stage.raw.history(stage.id)])
                break
        await keep_sent(stage, label, sent)
    await stage.keep_history()


async def until_refused(stage: Stage, characters: int) -> None:
    """Signals, until the run takes no more of them."""
    for number in range(60):
        try:
            await stage.raw.signal(stage.id, "s", input=texts("x" * characters), request_id=f"{number}")
        except Refused as refusal:
            stage.keep("refused", str(refusal))
            break
    await stage.keep_call("another", stage.raw.signal(stage.id, "s"))
    described = await stage.raw.describe(stage.id)
    stage.keep("status", described.workflow_execution_info.status)
    events = await stage.raw.history(stage.id)
    stage.keep("events", [event_name(event) for event in events])
    stage.keep("end", stage.scrubber.message(events[-1]))


@scenario
async def too_much_history(stage: Stage) -> None:
    """The server ends a run whose history is too large."""
    await stage.raw.start(stage.id, request_id="start")
    await until_refused(stage, 800)


@scenario
async def too_many_events(stage: Stage) -> None:
    """The same of one that is too long."""
    await stage.raw.start(stage.id, request_id="start")
    await until_refused(stage, 1)


@scenario
async def too_much_at_once(stage: Stage) -> None:
    """A worker's answer brings a run over its limit; what comes next ends it."""
    await stage.raw.start(stage.id)
    markers = [command("record_marker", marker_name=f"m{number}", details={"d": texts("x" * 900)}) for number in range(25)]
    await stage.keep_call("answer", stage.raw.complete(await polled(stage), *markers))
    stage.keep("events", [event_name(event) for event in await stage.raw.history(stage.id)][4:])
    await stage.keep_call("cancel", stage.raw.cancel(stage.id))
    events = await stage.raw.history(stage.id)
    stage.keep("in the end", [event_name(event) for event in events][4:])
    stage.keep("end", stage.scrubber.message(events[-1]))


@scenario
async def too_many_at_once(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    timers = [timer(f"t{number}", start_to_fire_timeout=timedelta(milliseconds=500)) for number in range(28)]
    await stage.keep_call("answer", stage.raw.complete(await polled(stage), *timers))
    stage.keep("events", [event_name(event) for event in await stage.raw.history(stage.id)][4:])

    async def ended() -> bool:
        return (await stage.raw.describe(stage.id)).workflow_execution_info.status != 1

    await until(ended, "the run is ended", 20)
    events = await stage.raw.history(stage.id)
    stage.keep("in the end", [event_name(event) for event in events][4:])
    stage.keep("end", stage.scrubber.message(events[-1]))


@scenario
async def too_many_in_the_buffer(stage: Stage) -> None:
    """A worker has a task in hand while the limit is passed."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    for number in range(30):
        await stage.raw.signal(stage.id, "s", request_id=f"{number}")
    stage.keep("before", [event_name(event) for event in await stage.raw.history(stage.id)])
    await stage.keep_call("answer", stage.raw.complete(task, timer()))
    stage.keep("behind", [event_name(event) for event in await stage.raw.history(stage.id)])
    await stage.keep_call("terminate", stage.raw.terminate(stage.id))
    stage.keep("in the end", [event_name(event) for event in await stage.raw.history(stage.id)])


def chain(message: int, stack: int, of_cause: int, source: int, depth: int) -> Failure:
    """A failure over the limit, with causes; the last is long."""
    failure = Failure(message="m" * message, stack_trace="t" * stack, source="s" * source)
    failure.application_failure_info.type = "Type"
    last = failure
    for _ in range(depth):
        last = last.cause
        last.message = "c" * of_cause
        last.application_failure_info.type = "U"
    last.message += "z" * 1000
    return failure


CHAINS = {
    "a message": chain(1200, 100, 0, 0, 0),
    "a source and a message": chain(1200, 100, 0, 200, 0),
    "a stack": chain(10, 600, 0, 0, 0),
    "a stack that has no room": chain(480, 600, 0, 0, 0),
    "a cause": chain(100, 100, 0, 0, 1),
    "a long source": chain(10, 10, 0, 700, 0),
    "causes": chain(50, 50, 100, 10, 8),
    "many causes": chain(20, 0, 20, 0, 40),
}


@scenario
async def failures_cut(stage: Stage) -> None:
    """What is left of a failure that is too large."""
    for label, failure in CHAINS.items():
        workflow_id = f"{stage.id}-{label.replace(' ', '-')}"
        await stage.raw.start(workflow_id, stage.queue)
        await stage.raw.complete(await polled(stage), schedule(task_queue={"name": stage.queue}, start_to_close_timeout=timedelta(minutes=1), retry_policy={"maximum_attempts": 1}))
        task = await stage.raw.poll_activity(stage.queue)
        request = ws.RespondActivityTaskFailedRequest(task_token=task.task_token, failure=failure, namespace="default", identity="raw")
        await stage.raw.call("RespondActivityTaskFailed", request)
        events = await stage.raw.history(workflow_id)
        stage.keep(label, [stage.scrubber.message(event) for event in events if event_name(event) == "ActivityTaskFailed"])
        await stage.raw.terminate(workflow_id)
