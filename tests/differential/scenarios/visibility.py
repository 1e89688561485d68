"""Listing and counting runs: what a query finds, and which queries are refused."""

from __future__ import annotations

from typing import Any

from temporalio.api.common.v1 import WorkflowType
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command, text
from tests.support.wait import until


def count(stage: Stage, query: str) -> Any:
    return stage.raw.call("CountWorkflowExecutions", CountWorkflowExecutionsRequest(namespace="default", query=query))


def listing(stage: Stage, query: str, **fields: Any) -> Any:
    return stage.raw.call("ListWorkflowExecutions", ListWorkflowExecutionsRequest(namespace="default", query=query, **fields))


async def populate(stage: Stage) -> str:
    """Five runs of a type of their own: two open, three closed differently; returns the query that finds them."""
    kind = WorkflowType(name=stage.id)
    for label in ("open-1", "open-2", "completed", "failed", "terminated"):
        workflow_id = f"{stage.id}-{label}"
        await stage.raw.start(workflow_id, workflow_type=kind, memo={"fields": {"label": text(label)}})
        match label:
            case "completed":
                await stage.raw.complete(await stage.raw.poll_workflow(workflow_id), command("complete_workflow_execution"))
            case "failed":
                await stage.raw.complete(await stage.raw.poll_workflow(workflow_id), command("fail_workflow_execution", failure={"message": "f", "application_failure_info": {}}))
            case "terminated":
                await stage.raw.terminate(workflow_id)
    query = f"WorkflowType = '{stage.id}'"

    async def visible() -> bool:
        closed = (await count(stage, f"{query} AND CloseTime IS NOT NULL")).count
        return closed == 3 and (await count(stage, query)).count == 5

    await until(visible, "all runs visible")
    return query


@scenario
async def listed(stage: Stage) -> None:
    query = await populate(stage)
    answer = await listing(stage, query)
    stage.keep("rows", sorted((stage.scrubber.message(one) for one in answer.executions), key=lambda row: str(row["execution"]["workflow_id"])))
    stage.keep("order", [one.execution.workflow_id for one in answer.executions])
    first = await listing(stage, query, page_size=2)
    second = await listing(stage, query, page_size=2, next_page_token=first.next_page_token)
    third = await listing(stage, query, page_size=2, next_page_token=second.next_page_token)
    stage.keep("pages", [[one.execution.workflow_id for one in page.executions] for page in (first, second, third)])
    stage.keep("tokens", [bool(page.next_page_token) for page in (first, second, third)])
    await close(stage)


async def close(stage: Stage) -> None:
    for label in ("open-1", "open-2"):
        await stage.raw.terminate(f"{stage.id}-{label}")


@scenario
async def found(stage: Stage) -> None:
    """How many of the five each query finds."""
    base = await populate(stage)
    name = stage.id
    for clause in (
        "ExecutionStatus = 'Running'",
        "ExecutionStatus = \"Completed\"",
        "ExecutionStatus = 2",
        "ExecutionStatus != 'Running'",
        "ExecutionStatus IN ('Running', 'Failed')",
        "ExecutionStatus NOT IN ('Running', 'Failed')",
        "ExecutionStatus = 'running'",
        "CloseTime IS NULL",
        "CloseTime IS NOT NULL",
        "CloseTime is not null",
        f"WorkflowId = '{name}-open-1'",
        f"`WorkflowId` = '{name}-open-1'",
        f"WorkflowId STARTS_WITH '{name}-open'",
        f"WorkflowId NOT STARTS_WITH '{name}-open'",
        f"WorkflowId BETWEEN '{name}-a' AND '{name}-g'",
        f"WorkflowId > '{name}-g'",
        "StartTime > '2020-01-01T00:00:00Z'",
        "StartTime < '2020-01-01T00:00:00Z'",
        "StartTime BETWEEN '2020-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'",
        "NOT ExecutionStatus = 'Running'",
        "(ExecutionStatus = 'Running' OR ExecutionStatus = 'Failed') AND CloseTime IS NULL",
        "ExecutionStatus = 'Running' OR ExecutionStatus = 'Failed'",
        f"TaskQueue = '{name}-open-2'",
        "HistoryLength > 2",
        "ExecutionDuration < '1h'",
        "ExecutionDuration >= 0",
        "TemporalNamespaceDivision IS NULL",
        "ParentWorkflowId IS NULL",
        f"RootWorkflowId = '{name}-failed'",
        "ScheduleId = 'x'",
    ):
        await stage.keep_call(clause, count(stage, f"{base} AND ({clause})"))
    await close(stage)


@scenario
async def grouped(stage: Stage) -> None:
    base = await populate(stage)
    answer = await count(stage, f"{base} GROUP BY ExecutionStatus")
    stage.keep("groups", sorted((stage.scrubber.message(group) for group in answer.groups), key=str))
    stage.keep("sum", answer.count)
    await stage.keep_call("by another", count(stage, f"{base} GROUP BY WorkflowType"))
    await stage.keep_call("by two", count(stage, f"{base} GROUP BY ExecutionStatus, WorkflowType"))
    await stage.keep_call("in a list", listing(stage, f"{base} GROUP BY ExecutionStatus"))
    await close(stage)


@scenario
async def refused(stage: Stage) -> None:
    for query in (
        "nonsense",
        "WorkflowId",
        "WorkflowId =",
        "Unknown = 'x'",
        "WorkflowId = x",
        "WorkflowId LIKE 'x%'",
        "StartTime > 'yesterday'",
        "HistoryLength > 'many'",
        "ExecutionStatus = 'Sleeping'",
        "ExecutionStatus = 99",
        "ExecutionDuration > 'long'",
        "WorkflowId = 'x' ORDER BY StartTime",
        "WorkflowId = 'x' LIMIT 1",
        "WorkflowId = 'x'; DROP TABLE runs",
        "WorkflowId = 'x' UNION SELECT 1",
        "HistoryLength STARTS_WITH '1'",
        "lower(WorkflowId) = 'x'",
        "WorkflowId = 'it''s'",
        "WorkflowId = 'x",
        "(WorkflowId = 'x'",
        "WorkflowId BETWEEN 'a'",
        "NamespaceId = 'x'",
        "WorkflowId = 'a\x00b'",
    ):
        await stage.keep_call(query, listing(stage, query))
        await stage.keep_call(f"count {query}", count(stage, query))
    await stage.keep_call("garbage token", listing(stage, "", next_page_token=b"garbage"))
    await stage.keep_call("negative page", listing(stage, "WorkflowId = 'nobody'", page_size=-1))
    await stage.keep_call("huge page", listing(stage, "WorkflowId = 'nobody'", page_size=100000))
