"""Queries: answered, failing, rejected, on closed runs, beside a workflow task."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest, RespondQueryTaskCompletedRequest
from temporalio.common import QueryRejectCondition
from temporalio.exceptions import ApplicationError

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command, texts


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
