"""Starting: one run per id, the policies that say what a second start does, and requests that come twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.differential.scenario import Stage, named, scenario
from tests.support.rpc import Refused, command, texts

ENDS = ("open", "completed", "failed", "canceled", "terminated", "continued")


async def end(stage: Stage, workflow_id: str, how: str) -> None:
    """Brings the current run of an id to an end."""
    if how in ("open", "none"):
        return
    if how == "terminated":
        await stage.raw.terminate(workflow_id)
        return
    task = await stage.raw.poll_workflow(workflow_id)
    match how:
        case "completed":
            await stage.raw.complete(task, command("complete_workflow_execution"))
        case "failed":
            await stage.raw.complete(task, command("fail_workflow_execution", failure={"message": "failed", "application_failure_info": {}}))
        case "canceled":
            await stage.raw.complete(task, command("cancel_workflow_execution"))
        case "continued":
            await stage.raw.complete(task, command("continue_as_new_workflow_execution"))


def matrix(how: str) -> None:
    """Registers the second starts after one kind of end: every reuse policy with every conflict policy."""

    @named(f"starting/second_start_{how}")
    async def second_start(stage: Stage) -> None:
        for reuse in range(5):
            for conflict in range(4):
                workflow_id = f"{stage.id}-{reuse}-{conflict}"
                await stage.raw.start(workflow_id)
                await end(stage, workflow_id, how)
                again = stage.raw.start_request(workflow_id, request_id="second", workflow_id_reuse_policy=reuse, workflow_id_conflict_policy=conflict)
                await stage.keep_call(f"reuse {reuse}, conflict {conflict}", stage.raw.call("StartWorkflowExecution", again))
                try:
                    await stage.raw.terminate(workflow_id)
                except Refused:
                    pass


for _how in ENDS:
    matrix(_how)


@scenario
async def terminate_existing_histories(stage: Stage) -> None:
    first = await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.start(stage.id, request_id="second", workflow_id_conflict_policy=3)
    await stage.keep_call("task of the old run", stage.raw.complete(task))
    await stage.keep_history("old", run_id=first.run_id)
    await stage.keep_history("new")
    await stage.keep_describe("old, described", run_id=first.run_id)
    await stage.raw.terminate(stage.id)


@scenario
async def same_request(stage: Stage) -> None:
    """A request that comes again finds its run: while it is open, and after it closed."""
    await stage.keep_call("first", stage.raw.start(stage.id))
    await stage.keep_call("open", stage.raw.start(stage.id))
    await stage.keep_call("open, other input", stage.raw.start(stage.id, input=texts("other")))
    await stage.raw.terminate(stage.id)
    await stage.keep_call("closed", stage.raw.start(stage.id))
    await stage.keep_call("closed, rejecting", stage.raw.start(stage.id, workflow_id_reuse_policy=3))
    await stage.keep_call("new request", stage.raw.start(stage.id, request_id="new"))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def use_existing_attached(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    options: dict[str, Any] = {"workflow_id_conflict_policy": 2, "on_conflict_options": {"attach_request_id": True}}
    await stage.keep_call("attached", stage.raw.start(stage.id, request_id="attached", **options))
    await stage.keep_call("attached again", stage.raw.start(stage.id, request_id="attached", **options))
    await stage.keep_call("plain", stage.raw.start(stage.id, request_id="plain", workflow_id_conflict_policy=2))
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


@scenario
async def timeouts_normalised(stage: Stage) -> None:
    for number, (execution, run, task) in enumerate([(0, 0, 0), (60, 0, 0), (60, 3600, 0), (0, 30, 0), (0, 0, 500), (0, 5, 0), (0, 5, 60)]):
        workflow_id = f"{stage.id}-{number}"
        await stage.raw.start(
            workflow_id,
            workflow_execution_timeout=timedelta(seconds=execution),
            workflow_run_timeout=timedelta(seconds=run),
            workflow_task_timeout=timedelta(seconds=task),
        )
        events = await stage.raw.history(workflow_id)
        stage.keep(f"{execution} {run} {task}", {"events": [stage.scrubber.message(event) for event in events]})
        await stage.raw.terminate(workflow_id)


@scenario
async def eager_start(stage: Stage) -> None:
    """The first workflow task comes with the answer."""
    answer = await stage.raw.start(stage.id, request_eager_execution=True, input=texts("in"))
    stage.keep("answer", answer)
    await stage.raw.complete(answer.eager_workflow_task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def eager_start_repeated(stage: Stage) -> None:
    await stage.raw.start(stage.id, request_eager_execution=True)
    await stage.keep_call("same request", stage.raw.start(stage.id, request_eager_execution=True))
    await stage.raw.terminate(stage.id)


@scenario
async def invalid(stage: Stage) -> None:
    """Refusals of a start, each with one thing wrong."""
    wrong: dict[str, dict[str, Any]] = {
        "no type": {"workflow_type": None},
        "no queue": {"task_queue": None},
        "reserved queue": {"task_queue": {"name": "/_sys/x/1"}},
        "negative execution timeout": {"workflow_execution_timeout": timedelta(seconds=-1)},
        "negative run timeout": {"workflow_run_timeout": timedelta(seconds=-1)},
        "negative task timeout": {"workflow_task_timeout": timedelta(seconds=-1)},
        "negative delay": {"workflow_start_delay": timedelta(seconds=-1)},
        "delay and cron": {"workflow_start_delay": timedelta(seconds=1), "cron_schedule": "* * * * *"},
        "bad cron": {"cron_schedule": "every day"},
        "retry interval": {"retry_policy": {"initial_interval": timedelta(seconds=-1)}},
        "retry coefficient": {"retry_policy": {"backoff_coefficient": 0.5}},
        "retry maximum interval": {"retry_policy": {"initial_interval": timedelta(seconds=9), "maximum_interval": timedelta(seconds=1)}},
        "retry attempts": {"retry_policy": {"maximum_attempts": -1}},
        "retry timeout type": {"retry_policy": {"non_retryable_error_types": ["TemporalTimeout:Never"]}},
        "terminate with reject": {"workflow_id_reuse_policy": 3, "workflow_id_conflict_policy": 3},
        "terminate if running with conflict": {"workflow_id_reuse_policy": 4, "workflow_id_conflict_policy": 1},
        "attach callbacks only": {"on_conflict_options": {"attach_completion_callbacks": True}},
        "unknown search attribute": {"search_attributes": {"indexed_fields": {"Nothing": texts("x").payloads[0]}}},
        "system search attribute": {"search_attributes": {"indexed_fields": {"WorkflowId": texts("x").payloads[0]}}},
        "priority": {"priority": {"priority_key": -1}},
        "long request id": {"request_id": "r" * 1001},
        "long type": {"workflow_type": {"name": "t" * 1001}},
        "long queue": {"task_queue": {"name": "q" * 1001}},
        "unknown reuse policy": {"workflow_id_reuse_policy": 99},
    }
    for label, fields in wrong.items():
        await stage.keep_call(label, stage.raw.start(stage.id, **fields))
        try:
            await stage.raw.terminate(stage.id)
        except Refused:
            pass
    await stage.keep_call("longest id", stage.raw.start("i" * 1000, stage.queue, request_id="longest"))
    await stage.raw.terminate("i" * 1000)
    await stage.keep_call("too long id", stage.raw.start("i" * 1001, stage.queue, request_id="too long"))
