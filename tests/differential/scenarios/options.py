"""UpdateWorkflowExecutionOptions, and what starts leave with a run that they find open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command, texts

LINK = {"workflow_event": {"namespace": "default", "workflow_id": "w", "run_id": "r", "event_ref": {"event_id": 1, "event_type": 1}}}


def request(stage: Stage, options: dict[str, Any] | None, *paths: str, **fields: Any) -> ws.UpdateWorkflowExecutionOptionsRequest:
    base: dict[str, Any] = {
        "namespace": "default",
        "workflow_execution": WorkflowExecution(workflow_id=stage.id),
        "workflow_execution_options": options,
        "update_mask": FieldMask(paths=paths),
        "identity": "raw",
    }
    return ws.UpdateWorkflowExecutionOptionsRequest(**{**base, **fields})


async def update(stage: Stage, label: str, options: dict[str, Any] | None, *paths: str, **fields: Any) -> None:
    await stage.keep_call(label, stage.raw.call("UpdateWorkflowExecutionOptions", request(stage, options, *paths, **fields)))


@scenario
async def priority(stage: Stage) -> None:
    await stage.raw.start(stage.id, priority={"priority_key": 4, "fairness_key": "a", "fairness_weight": 2})
    await update(stage, "the key", {"priority": {"priority_key": 1}}, "priority.priority_key")
    await update(stage, "the same", {"priority": {"priority_key": 1}}, "priority.priority_key")
    await update(stage, "the fairness", {"priority": {"fairness_key": "b", "fairness_weight": 3}}, "priority.fairness_key", "priority.fairness_weight")
    await stage.keep_describe("described")
    await update(stage, "the whole", {"priority": {"priority_key": 5}}, "priority")
    await update(stage, "nothing", {"priority": {"priority_key": 2}})
    await update(stage, "taken away", {}, "priority")
    await stage.keep_history()
    await stage.keep_describe("in the end, described")
    await stage.raw.terminate(stage.id)


@scenario
async def priority_of_a_run_without(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    await update(stage, "taken away", {}, "priority")
    await update(stage, "the key", {"priority": {"priority_key": 1}}, "priority.priority_key")
    task = await stage.raw.poll_workflow(stage.queue)
    await update(stage, "during a task", {"priority": {"priority_key": 2}}, "priority")
    await stage.keep_history("during a task: history")
    await stage.keep_describe("during a task, described")
    await stage.raw.complete(
        task,
        command("schedule_activity_task", activity_id="a", activity_type={"name": "a"}, task_queue={"name": stage.queue}, start_to_close_timeout=timedelta(minutes=1)),
    )
    await stage.keep_history()
    activity = await stage.raw.poll_activity(stage.queue)
    stage.keep("priority of the activity", stage.scrubber.message(activity.priority))
    await stage.raw.terminate(stage.id)


@scenario
async def priority_goes_on(stage: Stage) -> None:
    """Into the next run of the chain, or not."""
    await stage.raw.start(stage.id, priority={"priority_key": 4}, retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(milliseconds=100)})
    await update(stage, "updated", {"priority": {"priority_key": 1}}, "priority")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("continue_as_new_workflow_execution"))
    await stage.keep_describe("continued")
    await stage.raw.terminate(stage.id)
    await stage.raw.start(stage.id, request_id="second", priority={"priority_key": 4}, retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(milliseconds=100)})
    await update(stage, "updated again", {"priority": {"priority_key": 1}}, "priority")
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("fail_workflow_execution", failure={"message": "no"}))
    await stage.keep_describe("retried")
    await stage.raw.terminate(stage.id)


@scenario
async def auto_upgrade(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    await update(stage, "set", {"versioning_override": {"auto_upgrade": True}}, "versioning_override")
    await stage.keep_describe("set, described")
    await update(stage, "the same", {"versioning_override": {"auto_upgrade": True}}, "versioning_override")
    await update(stage, "with a priority", {"priority": {"priority_key": 1}}, "priority")
    await update(stage, "unset", {}, "versioning_override")
    await stage.keep_history()
    await stage.keep_describe("unset, described")
    await stage.raw.terminate(stage.id)


@scenario
async def started_with_auto_upgrade(stage: Stage) -> None:
    await stage.keep_call("started", stage.raw.start(stage.id, versioning_override={"auto_upgrade": True}))
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("continue_as_new_workflow_execution"))
    await stage.keep_history("continued")
    await stage.keep_describe("continued, described")
    await stage.raw.terminate(stage.id)


@scenario
async def refused(stage: Stage) -> None:
    await update(stage, "unknown", {"priority": {"priority_key": 1}}, "priority")
    run = (await stage.raw.start(stage.id)).run_id
    key = {"priority": {"priority_key": 1}}
    await update(stage, "no mask", key, update_mask=None)
    await update(stage, "no options", None, "priority")
    await update(stage, "no execution", key, "priority", workflow_execution=None)
    await update(stage, "no workflow id", key, "priority", workflow_execution=WorkflowExecution(run_id=run))
    await update(stage, "bad run id", key, "priority", workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id="x"))
    await update(stage, "unknown run", key, "priority", workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id="00000000-0000-0000-0000-000000000001"))
    await update(stage, "unknown namespace", key, "priority", namespace="nowhere")
    await update(stage, "no namespace", key, "priority", namespace="")
    await update(stage, "unknown path", key, "nothing")
    await update(stage, "unknown path within", key, "priority.nothing")
    await update(stage, "path in camel case", key, "priority.priorityKey")
    await update(stage, "bad key", {"priority": {"priority_key": -1}}, "priority")
    await update(stage, "bad key not in the mask", {"priority": {"priority_key": -1}}, "versioning_override")
    await update(stage, "bad fairness", {"priority": {"fairness_key": "f" * 65}}, "priority")
    await update(stage, "bad weight", {"priority": {"fairness_weight": -1}}, "priority")
    await update(stage, "half an override", {"versioning_override": {"behavior": 2}}, "versioning_override.behavior")
    await update(stage, "part of an override", {"versioning_override": {"auto_upgrade": True}}, "versioning_override.auto_upgrade")
    await update(stage, "pinned to nothing", {"versioning_override": {"pinned": {"behavior": 1}}}, "versioning_override")
    await update(stage, "pinned to an unknown version", {"versioning_override": {"pinned": {"behavior": 1, "version": {"deployment_name": "d", "build_id": "b"}}}}, "versioning_override")
    await update(stage, "pinned without behavior", {"versioning_override": {"pinned": {"version": {"deployment_name": "d", "build_id": "b"}}}}, "versioning_override")
    await update(stage, "an empty override", {"versioning_override": {}}, "versioning_override")
    await update(stage, "an unknown behavior", {"versioning_override": {"behavior": 99}}, "versioning_override")
    await update(stage, "pinned the old way", {"versioning_override": {"behavior": 1, "pinned_version": "d.b"}}, "versioning_override")
    await update(stage, "auto upgrade the old way", {"versioning_override": {"behavior": 2}}, "versioning_override")
    await stage.keep_history("history")
    await stage.raw.terminate(stage.id)
    await update(stage, "closed", key, "priority")


@scenario
async def start_pinned(stage: Stage) -> None:
    for label, override in {
        "unknown version": {"pinned": {"behavior": 1, "version": {"deployment_name": "d", "build_id": "b"}}},
        "no version": {"pinned": {"behavior": 1}},
        "no behavior": {"pinned": {"version": {"deployment_name": "d", "build_id": "b"}}},
        "old": {"behavior": 1, "pinned_version": "d.b"},
        "old without version": {"behavior": 1},
        "empty": {},
    }.items():
        await stage.keep_call(label, stage.raw.start(stage.id + label.replace(" ", "-"), versioning_override=override))


ATTACHED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "request id": {"attach_request_id": True},
    "links": {"attach_links": True},
    "request id and links": {"attach_request_id": True, "attach_links": True},
    "callbacks of which there are none": {"attach_request_id": True, "attach_completion_callbacks": True},
}


@scenario
async def attached(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    for label, options in ATTACHED.items():
        await stage.keep_call(label, stage.raw.start(stage.id, request_id=label, workflow_id_conflict_policy=2, on_conflict_options=options, links=[LINK]))
        await stage.keep_call(f"{label}: again", stage.raw.start(stage.id, request_id=label, workflow_id_conflict_policy=2, on_conflict_options=options, links=[LINK]))
        await stage.keep_call(f"{label}: without", stage.raw.start(stage.id, request_id=label, workflow_id_conflict_policy=2))
        await stage.keep_call(f"{label}: failing", stage.raw.start(stage.id, request_id=label))
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)
    await stage.keep_call("an attached request on the closed", stage.raw.start(stage.id, request_id="request id"))
    await stage.keep_call("a new one", stage.raw.start(stage.id, request_id="new", workflow_id_conflict_policy=2, on_conflict_options={"attach_request_id": True}))
    await stage.keep_history("history of the new")
    await stage.raw.terminate(stage.id)


@scenario
async def attached_during_a_task(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("attached", stage.raw.start(stage.id, request_id="two", workflow_id_conflict_policy=2, on_conflict_options={"attach_request_id": True}))
    await stage.raw.signal(stage.id, "s", request_id="of a signal", links=[LINK])
    await stage.keep_describe("described")
    await stage.raw.complete(task)
    await stage.keep_history()
    await stage.keep_describe("flushed, described")
    await stage.raw.terminate(stage.id)
