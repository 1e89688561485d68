"""DeleteWorkflowExecution: of open and closed runs, by run and by id, and what is told afterwards."""

from __future__ import annotations

from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import Refused, command
from tests.support.wait import until


def request(workflow_id: str, run_id: str = "", **fields: Any) -> ws.DeleteWorkflowExecutionRequest:
    return ws.DeleteWorkflowExecutionRequest(**{"namespace": "default", "workflow_execution": WorkflowExecution(workflow_id=workflow_id, run_id=run_id), **fields})


async def delete(stage: Stage, label: str, workflow_id: str, run_id: str = "") -> None:
    await stage.keep_call(label, stage.raw.call("DeleteWorkflowExecution", request(workflow_id, run_id)))


async def until_gone(stage: Stage, workflow_id: str, run_id: str) -> None:
    """The run is no longer kept."""

    async def look() -> bool:
        try:
            await stage.raw.describe(workflow_id, run_id)
        except Refused as refusal:
            return refusal.code == "NOT_FOUND"
        return False

    await until(look, f"{workflow_id} is gone", 65)


async def keep_gone(stage: Stage, label: str, run_id: str) -> None:
    await until_gone(stage, stage.id, run_id)
    await stage.keep_call(f"{label}: describe", stage.raw.describe(stage.id, run_id))
    execution = WorkflowExecution(workflow_id=stage.id, run_id=run_id)
    await stage.keep_call(f"{label}: history", stage.raw.call("GetWorkflowExecutionHistory", ws.GetWorkflowExecutionHistoryRequest(namespace="default", execution=execution)))
    await stage.keep_call(f"{label}: signal", stage.raw.signal(stage.id, workflow_execution=execution))
    await stage.keep_call(f"{label}: terminate", stage.raw.terminate(stage.id, workflow_execution=execution))


async def until_unlisted(stage: Stage) -> None:
    async def look() -> bool:
        listed = await stage.raw.call("ListWorkflowExecutions", ws.ListWorkflowExecutionsRequest(namespace="default", query=f"WorkflowId = '{stage.id}'"))
        return not listed.executions

    await until(look, f"{stage.id} is not listed")


@scenario
async def a_completed_run(stage: Stage) -> None:
    """The reference takes a minute or more for one: only the answer is compared."""
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    await delete(stage, "deleted", stage.id, run)


@scenario
async def an_open_run(stage: Stage) -> None:
    run = (await stage.raw.start(stage.id)).run_id
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id)
    await delete(stage, "deleted", stage.id)
    await until_gone(stage, stage.id, run)
    await stage.keep_call("its task", stage.raw.complete(task))
    await keep_gone(stage, "gone", run)
    await until_unlisted(stage)


@scenario
async def a_run_with_an_activity_in_hand(stage: Stage) -> None:
    run = (await stage.raw.start(stage.id)).run_id
    await stage.raw.complete(
        await stage.raw.poll_workflow(stage.queue),
        command("schedule_activity_task", activity_id="a", activity_type={"name": "a"}, task_queue={"name": stage.queue}, start_to_close_timeout={"seconds": 60}),
    )
    task = await stage.raw.poll_activity(stage.queue)
    await delete(stage, "deleted", stage.id, run)
    await until_gone(stage, stage.id, run)
    await stage.keep_call("heartbeat", stage.raw.call("RecordActivityTaskHeartbeat", ws.RecordActivityTaskHeartbeatRequest(namespace="default", task_token=task.task_token)))
    await stage.keep_call("completed", stage.raw.call("RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=task.task_token)))


@scenario
async def an_older_run(stage: Stage) -> None:
    first = (await stage.raw.start(stage.id)).run_id
    await stage.raw.terminate(stage.id)
    second = (await stage.raw.start(stage.id, request_id="second")).run_id
    await delete(stage, "deleted", stage.id, first)
    await keep_gone(stage, "gone", first)
    stage.keep("the current", (await stage.raw.describe(stage.id)).workflow_execution_info.execution.run_id == second)
    await stage.raw.terminate(stage.id)


@scenario
async def refused(stage: Stage) -> None:
    await delete(stage, "unknown", stage.id)
    run = (await stage.raw.start(stage.id)).run_id
    call = stage.raw.call
    for label, one in {
        "no execution": ws.DeleteWorkflowExecutionRequest(namespace="default"),
        "no workflow id": request("", run),
        "bad run id": request(stage.id, "x"),
        "unknown run": request(stage.id, "00000000-0000-0000-0000-000000000001"),
        "run of another": request(stage.id + "-other", run),
        "unknown namespace": request(stage.id, namespace="nowhere"),
        "no namespace": request(stage.id, namespace=""),
    }.items():
        await stage.keep_call(label, call("DeleteWorkflowExecution", one))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)
