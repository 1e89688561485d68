"""Queries: answered, failing, rejected, on closed runs, beside a workflow task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest, RespondQueryTaskCompletedRequest
from temporalio.common import QueryRejectCondition
from temporalio.exceptions import ApplicationError

from tests.differential.scenario import Stage, named, scenario
from tests.support.rpc import Refused, command, texts


@workflow.defn
class Answering:
    def __init__(self) -> None:
        self.done = False

    @workflow.signal
    def finish(self) -> None:
        self.done = True

    @workflow.query
    def echo(self, word: str) -> str:
        return f"{word} {self.done}"

    @workflow.query
    def broken(self) -> str:
        raise ApplicationError("the query failed", type="Broken")

    @workflow.run
    async def run(self, fail: bool) -> None:
        await workflow.wait_condition(lambda: self.done)
        if fail:
            raise ApplicationError("failed", non_retryable=True)


@scenario
async def open_and_closed(stage: Stage) -> None:
    async with stage.worker([Answering]):
        handle = await stage.start(Answering.run, False)
        await stage.until_events("WorkflowTaskCompleted")
        stage.keep("open", await handle.query(Answering.echo, "a"))
        await stage.keep_error("failing", handle.query(Answering.broken))
        await stage.keep_error("unknown type", handle.query("nothing"))
        await handle.signal(Answering.finish)
        await handle.result()
        stage.keep("closed", await handle.query(Answering.echo, "b"))
        await stage.keep_error("not open", handle.query(Answering.echo, "c", reject_condition=QueryRejectCondition.NOT_OPEN))
        await stage.keep_error("not completed cleanly", handle.query(Answering.echo, "d", reject_condition=QueryRejectCondition.NOT_COMPLETED_CLEANLY))
    await stage.keep_history()


@scenario
async def failed_run(stage: Stage) -> None:
    async with stage.worker([Answering]):
        handle = await stage.start(Answering.run, True)
        await stage.until_events("WorkflowTaskCompleted")
        await handle.signal(Answering.finish)
        await stage.keep_error("result", handle.result())
        await stage.keep_error("not completed cleanly", handle.query(Answering.echo, "d", reject_condition=QueryRejectCondition.NOT_COMPLETED_CLEANLY))
        stage.keep("allowed", await handle.query(Answering.echo, "e"))
    await stage.keep_history()


@scenario
async def before_first_task(stage: Stage) -> None:
    """Waits for the first workflow task, leaves no trace."""
    handle = await stage.start(Answering.run, False)
    query = asyncio.create_task(handle.query(Answering.echo, "early"))
    async with stage.worker([Answering]):
        stage.keep("early", await query)
        await handle.signal(Answering.finish)
        await handle.result()
    await stage.keep_history()


def query(stage: Stage, kind: str = "q", **fields: object) -> QueryWorkflowRequest:
    base: dict[str, object] = {"namespace": "default", "execution": WorkflowExecution(workflow_id=stage.id), "query": WorkflowQuery(query_type=kind, query_args=texts("argument"))}
    return QueryWorkflowRequest(**{**base, **fields})  # type: ignore[arg-type]


@scenario
async def direct_task(stage: Stage) -> None:
    """The shape of a query task, and of its answers."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage)))
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("task", task)
    answer = RespondQueryTaskCompletedRequest(namespace="default", task_token=task.task_token, completed_type=1, query_result=texts("answer"))
    await stage.keep_call("respond", stage.raw.call("RespondQueryTaskCompleted", answer))
    await stage.keep_call("answered", asked)
    await stage.keep_call("respond again", stage.raw.call("RespondQueryTaskCompleted", answer))
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage)))
    task = await stage.raw.poll_workflow(stage.queue)
    refusal = RespondQueryTaskCompletedRequest(namespace="default", task_token=task.task_token, completed_type=2, error_message="refused")
    await stage.raw.call("RespondQueryTaskCompleted", refusal)
    await stage.keep_call("failed", asked)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def sticky_task(stage: Stage) -> None:
    """On a sticky queue the query comes without history."""
    await stage.raw.start(stage.id)
    sticky = stage.queue + "-sticky"
    poll = asyncio.create_task(stage.raw.poll_workflow(sticky, stage.queue))
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), sticky=sticky, sticky_seconds=10)
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage)))
    task = await poll
    stage.keep("task", task)
    await stage.raw.call("RespondQueryTaskCompleted", RespondQueryTaskCompletedRequest(namespace="default", task_token=task.task_token, completed_type=1, query_result=texts("answer")))
    await stage.keep_call("answered", asked)
    await stage.raw.terminate(stage.id)


@scenario
async def with_a_workflow_task(stage: Stage) -> None:
    """A task that waits takes the query along; the answers come with its completion."""
    await stage.raw.start(stage.id)
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage)))
    task = None
    while task is None or not task.queries:
        if task is not None:
            await stage.raw.complete(task, force_create_new_workflow_task=True)
        task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("queries", sorted(one.query_type for one in task.queries.values()))
    results = {name: WorkflowQueryResult(result_type=1, answer=texts("from the task")) for name in task.queries}
    await stage.raw.complete(task, command("complete_workflow_execution"), query_results=results)
    await stage.keep_call("answered", asked)


@scenario
async def refused(stage: Stage) -> None:
    await stage.keep_call("unknown workflow", stage.raw.call("QueryWorkflow", query(stage)))
    await stage.raw.start(stage.id)
    await stage.raw.terminate(stage.id)
    await stage.keep_call("closed before any task", stage.raw.call("QueryWorkflow", query(stage), 5))
    await stage.keep_call("rejected", stage.raw.call("QueryWorkflow", query(stage, query_reject_condition=2), 5))
    await stage.raw.start(stage.id + "-delayed", workflow_start_delay=timedelta(hours=1))
    delayed = WorkflowExecution(workflow_id=stage.id + "-delayed")
    await stage.keep_call("first task far away", stage.raw.call("QueryWorkflow", query(stage, execution=delayed), 5))
    await stage.raw.terminate(stage.id + "-delayed")


def answer(task: Any, **fields: Any) -> RespondQueryTaskCompletedRequest:
    base: dict[str, Any] = {"namespace": "default", "task_token": task.task_token, "completed_type": 1, "query_result": texts("answer")}
    return RespondQueryTaskCompletedRequest(**{**base, **fields})


async def ready(stage: Stage) -> None:
    """A run whose first workflow task is through."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue))


@scenario
async def odd_answers(stage: Stage) -> None:
    """What a worker may say to a query, and what the client hears of it."""
    await ready(stage)
    for label, fields in {
        "nothing": {"query_result": None},
        "failed without a word": {"completed_type": 2, "query_result": None},
        "failed with a failure": {"completed_type": 2, "error_message": "refused", "failure": {"message": "why", "application_failure_info": {"type": "T"}}, "cause": 24},
        "failed with a failure alone": {"completed_type": 2, "failure": {"message": "why", "cause": {"message": "deeper"}}},
        "answered with a failure": {"failure": {"message": "why"}, "error_message": "refused"},
    }.items():
        asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage), 5))
        task = await stage.raw.poll_workflow(stage.queue)
        await stage.keep_call(f"{label}: respond", stage.raw.call("RespondQueryTaskCompleted", answer(task, **fields)))
        await stage.keep_call(f"{label}: answered", asked)
    await stage.raw.terminate(stage.id)


@scenario
async def odd_tokens(stage: Stage) -> None:
    await ready(stage)
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage), 10))
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("no token", stage.raw.call("RespondQueryTaskCompleted", answer(task, task_token=b"")))
    await stage.keep_call("garbage", stage.raw.call("RespondQueryTaskCompleted", answer(task, task_token=b"garbage")))
    await stage.keep_call("another namespace", stage.raw.call("RespondQueryTaskCompleted", answer(task, namespace="nowhere")))
    await stage.keep_call("no namespace", stage.raw.call("RespondQueryTaskCompleted", answer(task, namespace="")))
    await stage.keep_call("answer", stage.raw.call("RespondQueryTaskCompleted", answer(task)))
    await stage.keep_call("answered", asked)
    await stage.raw.terminate(stage.id)


async def keep_code(stage: Stage, label: str, call: Awaitable[Any]) -> None:
    """Of a deadline that client and server see at once: who of them says so depends on the moment."""
    try:
        await call
    except Refused as refusal:
        stage.keep(label, refusal.code)
        return
    stage.keep(label, "OK")


async def with_a_query(stage: Stage, seconds: float = 10) -> tuple[asyncio.Task[Any], Any]:
    """A query that came while a worker had a task, and the next task, which brings it."""
    await stage.raw.signal(stage.id, "s")
    task = await stage.raw.poll_workflow(stage.queue)
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage), seconds))
    await asyncio.wait({asked}, timeout=0.7)
    await stage.raw.complete(task, force_create_new_workflow_task=True)
    return asked, await stage.raw.poll_workflow(stage.queue)


@scenario
async def nobody_answers(stage: Stage) -> None:
    """The deadline of the client passes."""
    await ready(stage)
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage), 4))
    await stage.raw.poll_workflow(stage.queue)
    await keep_code(stage, "asked", asked)
    await keep_code(stage, "nobody polls", stage.raw.call("QueryWorkflow", query(stage), 4))
    await stage.raw.terminate(stage.id)
    await keep_code(stage, "closed", stage.raw.call("QueryWorkflow", query(stage), 4))
    await stage.keep_history()


@scenario
async def beside_a_task(stage: Stage) -> None:
    """Of the queries that come with a workflow task some are answered, some fail, some are forgotten; others are made up."""
    await ready(stage)
    for label, results in {
        "answered": {"result_type": 1, "answer": texts("from the task")},
        "failed": {"result_type": 2, "error_message": "refused"},
        "failed with a failure": {"result_type": 2, "error_message": "refused", "failure": {"message": "why"}},
        "forgotten": None,
        "made up": {"result_type": 1, "answer": texts("x")},
    }.items():
        asked, task = await with_a_query(stage)
        names = ["nobody"] if label == "made up" else list(task.queries)
        given = {} if results is None else {name: WorkflowQueryResult(**results) for name in names}
        await stage.keep_call(f"{label}: complete", stage.raw.complete(task, query_results=given))
        if label in ("forgotten", "made up"):
            direct = await stage.raw.poll_workflow(stage.queue)
            stage.keep(f"{label}: asked directly", bool(direct.query.query_type))
            await stage.raw.call("RespondQueryTaskCompleted", answer(direct))
        await stage.keep_call(f"{label}: answered", asked)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def a_task_that_fails(stage: Stage) -> None:
    """A query outlives the workflow task that had it."""
    await ready(stage)
    asked, task = await with_a_query(stage)
    await stage.raw.fail(task, 24, "no")
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("again", len(task.queries))
    results = {name: WorkflowQueryResult(result_type=1, answer=texts("later")) for name in task.queries}
    await stage.raw.complete(task, query_results=results)
    await stage.keep_call("answered", asked)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def a_run_that_ends(stage: Stage) -> None:
    """A query waits for a workflow task that never completes."""
    await ready(stage)
    await stage.raw.signal(stage.id, "s")
    await stage.raw.poll_workflow(stage.queue)
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage), 15))
    await asyncio.wait({asked}, timeout=1.0)
    await stage.raw.terminate(stage.id)
    await keep_code(stage, "answered", asked)


@scenario
async def attempts_that_fail(stage: Stage) -> None:
    """A run whose workflow tasks keep failing."""
    await stage.raw.start(stage.id)
    for _ in range(3):
        await stage.raw.fail(await stage.raw.poll_workflow(stage.queue), 24, "no")
    await stage.keep_call("before any task is through", stage.raw.call("QueryWorkflow", query(stage), 4))
    task = await stage.raw.poll_workflow(stage.queue, seconds=30)
    await stage.raw.complete(task)
    await stage.raw.signal(stage.id, "s")
    for _ in range(3):
        await stage.raw.fail(await stage.raw.poll_workflow(stage.queue, seconds=30), 24, "no")
    await stage.keep_call("behind one", stage.raw.call("QueryWorkflow", query(stage), 4))
    await stage.raw.terminate(stage.id)


@scenario
async def sticky_worker_gone(stage: Stage) -> None:
    """Nobody polls the sticky queue any more: the query comes on the normal one, with all of the history."""
    await stage.raw.start(stage.id)
    sticky = stage.queue + "-sticky"
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), sticky=sticky, sticky_seconds=1)
    asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage), 15))
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("task", task)
    await stage.raw.call("RespondQueryTaskCompleted", answer(task))
    await stage.keep_call("answered", asked)
    await stage.raw.terminate(stage.id)


@scenario
async def heads(stage: Stage) -> None:
    """Header, arguments, types of any name."""
    await ready(stage)
    for kind in ("", "__stack_trace", "__temporal_workflow_metadata", "x" * 1001):
        header = {"fields": {"h": texts("v").payloads[0]}}
        asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage, query={"query_type": kind, "query_args": texts("a", "b"), "header": header}), 4))
        done, _ = await asyncio.wait({asked}, timeout=0.7)
        if not done:
            task = await stage.raw.poll_workflow(stage.queue)
            stage.keep(f"{kind[:30]}: query", task.query)
            await stage.raw.call("RespondQueryTaskCompleted", answer(task))
        await stage.keep_call(f"{kind[:30]}: answered", asked)
    await stage.keep_call("no query", stage.raw.call("QueryWorkflow", query(stage, query=None), 4))
    await stage.keep_call("no execution", stage.raw.call("QueryWorkflow", query(stage, execution=None), 4))
    await keep_code(stage, "odd condition", stage.raw.call("QueryWorkflow", query(stage, query_reject_condition=9), 4))
    await stage.raw.terminate(stage.id)


async def ends_itself(stage: Stage, sticky: str) -> None:
    await stage.raw.signal(stage.id)
    await stage.raw.complete(await stage.raw.poll_workflow(sticky, stage.queue), command("complete_workflow_execution"), sticky=sticky, sticky_seconds=10)


async def is_terminated(stage: Stage, _: str) -> None:
    await stage.raw.terminate(stage.id)


async def is_terminated_with_a_task(stage: Stage, sticky: str) -> None:
    await stage.raw.signal(stage.id)
    await stage.raw.poll_workflow(sticky, stage.queue)
    await stage.raw.terminate(stage.id)


def closed_on_a_sticky_queue(end: Callable[[Stage, str], Awaitable[None]]) -> None:
    @named(f"queries/a_run_on_a_sticky_queue_{end.__name__}")
    async def play(stage: Stage) -> None:
        """Which queue a query comes on behind the end: both are polled."""
        sticky = f"{stage.queue}-sticky"
        await stage.raw.start(stage.id)
        waits = asyncio.create_task(stage.raw.poll_workflow(sticky, stage.queue))
        await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), sticky=sticky, sticky_seconds=10)
        asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage)))
        await stage.raw.call("RespondQueryTaskCompleted", answer(await waits))
        await asked
        await end(stage, sticky)
        polls = {
            "normal": asyncio.create_task(stage.raw.poll_workflow(stage.queue)),
            "sticky": asyncio.create_task(stage.raw.poll_workflow(sticky, stage.queue)),
        }
        asked = asyncio.create_task(stage.raw.call("QueryWorkflow", query(stage)))
        done, _ = await asyncio.wait(polls.values(), return_when=asyncio.FIRST_COMPLETED)
        task = done.pop().result()
        stage.keep("queue", next(name for name, poll in polls.items() if poll.done()))
        stage.keep("task", task)
        await stage.raw.call("RespondQueryTaskCompleted", answer(task))
        await stage.keep_call("answered", asked)
        for poll in polls.values():
            poll.cancel()


closed_on_a_sticky_queue(ends_itself)
closed_on_a_sticky_queue(is_terminated)
closed_on_a_sticky_queue(is_terminated_with_a_task)
