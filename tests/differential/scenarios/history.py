"""Reading histories: pages, the close filter, long polls, reverse, tokens that fit nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryReverseRequest

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command

CLOSE = 2


def get(stage: Stage, workflow_id: str = "", run_id: str = "", **fields: Any) -> Any:
    request = GetWorkflowExecutionHistoryRequest(namespace="default", execution=WorkflowExecution(workflow_id=workflow_id or stage.id, run_id=run_id), **fields)
    return stage.raw.call("GetWorkflowExecutionHistory", request, 40)


async def with_signals(stage: Stage, count: int) -> None:
    await stage.raw.start(stage.id)
    for number in range(count):
        await stage.raw.signal(stage.id, f"signal {number}")


@scenario
async def paged(stage: Stage) -> None:
    """Pages are cut in batches; all pages together are the history."""
    await with_signals(stage, 10)
    events, token, pages = [], b"", 0
    while True:
        answer = await get(stage, maximum_page_size=3, next_page_token=token)
        events += answer.history.events
        token, pages = answer.next_page_token, pages + 1
        if not token:
            break
    stage.keep("events", {"events": [stage.scrubber.message(event) for event in events]})
    stage.keep("more than one page", pages > 1)
    await stage.raw.terminate(stage.id)


@scenario
async def reverse(stage: Stage) -> None:
    await with_signals(stage, 5)
    events, token = [], b""
    while True:
        request = GetWorkflowExecutionHistoryReverseRequest(namespace="default", execution=WorkflowExecution(workflow_id=stage.id), maximum_page_size=2, next_page_token=token)
        answer = await stage.raw.call("GetWorkflowExecutionHistoryReverse", request)
        events += [event.event_id for event in answer.history.events]
        token = answer.next_page_token
        if not token:
            break
    stage.keep("ids", events)
    await stage.raw.terminate(stage.id)


@scenario
async def close_filter(stage: Stage) -> None:
    await with_signals(stage, 1)
    await stage.keep_call("open", get(stage, history_event_filter_type=CLOSE))
    await stage.raw.terminate(stage.id)
    await stage.keep_call("closed", get(stage, history_event_filter_type=CLOSE))
    await stage.keep_call("closed, waiting", get(stage, history_event_filter_type=CLOSE, wait_new_event=True))
    await stage.keep_call("closed, all, waiting", get(stage, wait_new_event=True))


@scenario
async def long_poll_sees_new_events(stage: Stage) -> None:
    await with_signals(stage, 0)
    answer = await get(stage, wait_new_event=True)
    stage.keep("first", [event.event_id for event in answer.history.events])
    stage.keep("token to go on", bool(answer.next_page_token))
    waiting = asyncio.create_task(get(stage, wait_new_event=True, next_page_token=answer.next_page_token))
    await stage.raw.signal(stage.id, "news")
    answer = await waiting
    stage.keep("second", [event.event_id for event in answer.history.events])
    waiting = asyncio.create_task(get(stage, wait_new_event=True, next_page_token=answer.next_page_token))
    await stage.raw.terminate(stage.id)
    answer = await waiting
    stage.keep("third", [event.event_id for event in answer.history.events])
    stage.keep("nothing to go on with", not answer.next_page_token)


@scenario
async def long_poll_for_the_close(stage: Stage) -> None:
    """Waits over other events; follows no other run."""
    await with_signals(stage, 0)
    waiting = asyncio.create_task(wait_for_close(stage))
    await stage.raw.signal(stage.id, "news")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    stage.keep("close", await waiting)


async def wait_for_close(stage: Stage) -> list[Any]:
    token = b""
    while True:
        answer = await get(stage, history_event_filter_type=CLOSE, wait_new_event=True, next_page_token=token)
        if answer.history.events:
            return [stage.scrubber.message(event) for event in answer.history.events] + [bool(answer.next_page_token)]
        token = answer.next_page_token


@scenario
async def long_poll_expires(stage: Stage) -> None:
    """Empty, with a token to go on."""
    await with_signals(stage, 0)
    answer = await get(stage, wait_new_event=True, history_event_filter_type=CLOSE)
    stage.keep("events", len(answer.history.events))
    stage.keep("token", bool(answer.next_page_token))
    await stage.raw.terminate(stage.id)


@scenario
async def refused(stage: Stage) -> None:
    await stage.keep_call("unknown", get(stage))
    started = await stage.raw.start(stage.id)
    await stage.keep_call("unknown run", get(stage, run_id="00000000-0000-0000-0000-000000000001"))
    await stage.keep_call("garbage token", get(stage, next_page_token=b"garbage"))
    answer = await get(stage, wait_new_event=True)
    await stage.raw.terminate(stage.id)
    other = await stage.raw.start(stage.id, request_id="other")
    stage.keep("two runs", started.run_id != other.run_id)
    await stage.keep_call("token of another run", get(stage, run_id=other.run_id, next_page_token=answer.next_page_token))
    await stage.keep_call("negative page", get(stage, maximum_page_size=-1))
    await stage.raw.terminate(stage.id)
