"""Reading a history in pages: the rest of a poll's history, tokens of one call in another, closed and open runs."""

from __future__ import annotations

from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command, event_name

SIGNALS = 300


def page(stage: Stage, workflow_id: str = "", **fields: Any) -> Any:
    return stage.raw.call(
        "GetWorkflowExecutionHistory",
        ws.GetWorkflowExecutionHistoryRequest(namespace="default", execution=WorkflowExecution(workflow_id=workflow_id or stage.id), **fields),
    )


def reverse(stage: Stage, **fields: Any) -> Any:
    return stage.raw.call(
        "GetWorkflowExecutionHistoryReverse",
        ws.GetWorkflowExecutionHistoryReverseRequest(namespace="default", execution=WorkflowExecution(workflow_id=stage.id), **fields),
    )


def query(stage: Stage, workflow_id: str, condition: int = 0) -> Any:
    request = ws.QueryWorkflowRequest(
        namespace="default", execution=WorkflowExecution(workflow_id=workflow_id), query=WorkflowQuery(query_type="q"), query_reject_condition=condition  # type: ignore[arg-type]
    )
    return stage.raw.call("QueryWorkflow", request, 3.0)


def ids(events: Any) -> list[int]:
    return [event.event_id for event in events]


async def long_history(stage: Stage) -> None:
    """A run with more transitions than a page has, whose first task nobody has taken."""
    await stage.raw.start(stage.id)
    for number in range(SIGNALS):
        await stage.raw.signal(stage.id, f"s{number}")


@scenario
async def the_rest_of_a_poll(stage: Stage) -> None:
    """A poll shows the first page; the rest is read with its token, to the task's own Started and no further."""
    await long_history(stage)
    task = await stage.raw.poll_workflow(stage.id)
    stage.keep("started", task.started_event_id)
    stage.keep("first page", [len(task.history.events), task.history.events[0].event_id, bool(task.next_page_token)])
    await stage.raw.signal(stage.id, "during the task")
    events, token = list(task.history.events), task.next_page_token
    pages = 0
    while token and pages < 10:
        answer = await page(stage, next_page_token=token)
        events += answer.history.events
        token = answer.next_page_token
        pages += 1
    stage.keep("pages behind it", pages)
    stage.keep("all in order", ids(events) == list(range(1, len(events) + 1)))
    stage.keep("last", [event_name(events[-1]), events[-1].event_id])
    stage.keep("read anew", len(await stage.raw.history(stage.id)))
    await stage.raw.terminate(stage.id)


@scenario
async def page_sizes(stage: Stage) -> None:
    """A page counts batches; both ways of reading."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.id)
    await stage.raw.complete(task, *[command("record_marker", marker_name=f"m{number}") for number in range(5)])
    for number in range(4):
        await stage.raw.signal(stage.id, f"s{number}")
    for size in (1, 2, 3, 100):
        for label, call in (("forward", page), ("reverse", reverse)):
            shown, token = [], b""
            while True:
                answer = await call(stage, maximum_page_size=size, next_page_token=token)
                shown.append(ids(answer.history.events))
                token = answer.next_page_token
                if not token or len(shown) > 20:
                    break
            stage.keep(f"{label} by {size}", [one for one in shown if one])
    await stage.raw.terminate(stage.id)


@scenario
async def tokens_elsewhere(stage: Stage) -> None:
    """A token of one run or direction in another call."""
    await stage.raw.start(stage.id)
    await stage.raw.signal(stage.id)
    await stage.raw.start(f"{stage.id}-2")
    first = await page(stage, maximum_page_size=1)
    await stage.keep_call("garbage", page(stage, next_page_token=b"garbage"))
    other = await stage.raw.describe(f"{stage.id}-2")
    request = ws.GetWorkflowExecutionHistoryRequest(
        namespace="default", execution=WorkflowExecution(workflow_id=stage.id, run_id=other.workflow_execution_info.execution.run_id), next_page_token=first.next_page_token
    )
    await stage.keep_call("of another run", stage.raw.call("GetWorkflowExecutionHistory", request))
    stage.keep("again", [ids((await page(stage, next_page_token=first.next_page_token)).history.events) for _ in range(2)])
    await stage.raw.terminate(stage.id)
    stage.keep("after the close", ids((await page(stage, next_page_token=first.next_page_token)).history.events)[:1])
    await stage.raw.terminate(f"{stage.id}-2")


@scenario
async def the_close_event(stage: Stage) -> None:
    """Only the close event, of an open and of a closed run, with and without waiting."""
    await stage.raw.start(stage.id)
    await stage.keep_call("open", page(stage, history_event_filter_type=2))
    await stage.keep_call("open, by one", page(stage, history_event_filter_type=2, maximum_page_size=1))
    await stage.raw.terminate(stage.id)
    for label, fields in {"closed": {}, "closed, waiting": {"wait_new_event": True}, "closed, unknown filter": {"history_event_filter_type": 9}}.items():
        answer = await page(stage, **{"history_event_filter_type": 2, **fields})
        stage.keep(label, [[event_name(event) for event in answer.history.events], bool(answer.next_page_token)])
    waited = await page(stage, wait_new_event=True)
    stage.keep("all, waiting", [ids(waited.history.events), bool(waited.next_page_token)])


@scenario
async def a_transient_task(stage: Stage) -> None:
    """What is not durable yet is shown to the worker, at the end of the last page, and to others who read."""
    await stage.raw.start(stage.id)
    await stage.raw.fail(await stage.raw.poll_workflow(stage.id), 1, "first")
    await stage.raw.fail(await stage.raw.poll_workflow(stage.id), 1, "second")
    stage.keep("scheduled", [event_name(event) for event in await stage.raw.history(stage.id)])
    task = await stage.raw.poll_workflow(stage.id)
    stage.keep("polled", [[event_name(event), event.event_id] for event in task.history.events])
    stage.keep("attempt", [task.attempt, task.started_event_id, task.previous_started_event_id])
    stage.keep("read", [event_name(event) for event in await stage.raw.history(stage.id)])
    stage.keep("read by one", [event_name(event) for event in await stage.raw.history(stage.id, page=1)])
    newest = await reverse(stage)
    stage.keep("read backwards", [event_name(event) for event in newest.history.events])
    for name in ("temporal-ui", "temporal-cli", "temporal-python"):
        answer = await stage.raw.workflow.GetWorkflowExecutionHistory(
            ws.GetWorkflowExecutionHistoryRequest(namespace="default", execution=WorkflowExecution(workflow_id=stage.id)),
            metadata=(("client-name", name), ("client-version", "1.0.0")),
        )
        stage.keep(f"read by {name}", [event_name(event) for event in answer.history.events])
    described = await stage.raw.describe(stage.id)
    stage.keep("length", described.workflow_execution_info.history_length)
    await stage.raw.terminate(stage.id)


@scenario
async def queries_of_closed_runs(stage: Stage) -> None:
    """Reject conditions by how a run ended, and runs that never had a task completed."""
    for end in ("open", "completed", "failed", "terminated"):
        workflow_id = f"{stage.id}-{end}"
        await stage.raw.start(workflow_id)
        match end:
            case "completed":
                await stage.raw.complete(await stage.raw.poll_workflow(workflow_id), command("complete_workflow_execution"))
            case "failed":
                await stage.raw.complete(await stage.raw.poll_workflow(workflow_id), command("fail_workflow_execution", failure={"message": "f", "application_failure_info": {}}))
            case "terminated":
                await stage.raw.terminate(workflow_id)
        for condition in (2, 3, 9):
            if end == "completed" and condition != 2 or end == "open":
                continue  # These are asked of a worker.
            if end != "completed" and condition == 9:
                continue
            await stage.keep_call(f"{end}, condition {condition}", query(stage, workflow_id, condition))
    await stage.keep_call("terminated before any task", query(stage, f"{stage.id}-terminated"))
    await stage.keep_call("of nobody", query(stage, f"{stage.id}-nobody"))
    await stage.raw.terminate(f"{stage.id}-open")
