"""Signals: to an idle run, during a workflow task, before the first one, twice, too late; and signal-with-start."""

from __future__ import annotations

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import SignalWithStartWorkflowExecutionRequest

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command, texts


@workflow.defn
class Collecting:
    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.signal
    def say(self, word: str) -> None:
        self.heard.append(word)

    @workflow.query
    def so_far(self) -> list[str]:
        return self.heard

    @workflow.run
    async def run(self, count: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.heard) >= count)
        return self.heard


@scenario
async def idle(stage: Stage) -> None:
    async with stage.worker([Collecting]):
        handle = await stage.start(Collecting.run, 2)
        await stage.until_events("WorkflowTaskCompleted")
        await handle.signal(Collecting.say, "one")
        await stage.until_events("WorkflowTaskCompleted", "WorkflowTaskCompleted")
        await handle.signal(Collecting.say, "two")
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def before_first_task(stage: Stage) -> None:
    handle = await stage.start(Collecting.run, 2)
    await handle.signal(Collecting.say, "one")
    await handle.signal(Collecting.say, "two")
    async with stage.worker([Collecting]):
        stage.keep("result", await handle.result())
    await stage.keep_history()


@scenario
async def during_task(stage: Stage) -> None:
    """Buffered: ids come after the commands of the task."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    for word in ("one", "two", "three"):
        await stage.raw.signal(stage.id, word, input=texts(word))
    await stage.keep_history("while buffered")
    await stage.keep_describe("while buffered, described")
    await stage.raw.complete(task, command("record_marker", marker_name="mine"))
    await stage.keep_history("flushed")
    await stage.keep_describe("flushed, described")
    await stage.raw.terminate(stage.id)


@scenario
async def deduplicated(stage: Stage) -> None:
    started = await stage.raw.start(stage.id)
    for _ in range(2):
        await stage.keep_call(f"signal {_}", stage.raw.signal(stage.id, "s", request_id="the same", input=texts("once")))
    await stage.raw.signal(stage.id, "s", request_id="another")
    await stage.raw.terminate(stage.id)
    await stage.keep_call("applied before the close", stage.raw.signal(stage.id, "s", request_id="the same"))
    await stage.keep_call("by run id", stage.raw.signal(stage.id, "s", request_id="the same", workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id=started.run_id)))
    await stage.keep_call("new to the closed", stage.raw.signal(stage.id, "s", request_id="third"))
    await stage.keep_history()


@scenario
async def deduplicated_in_buffer(stage: Stage) -> None:
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    for _ in range(2):
        await stage.raw.signal(stage.id, "s", request_id="the same")
    await stage.raw.complete(task)
    await stage.raw.signal(stage.id, "s", request_id="the same")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def to_nobody(stage: Stage) -> None:
    await stage.keep_call("unknown", stage.raw.signal(stage.id))
    await stage.raw.start(stage.id)
    elsewhere = WorkflowExecution(workflow_id=stage.id, run_id="00000000-0000-0000-0000-000000000001")
    await stage.keep_call("unknown run", stage.raw.signal(stage.id, workflow_execution=elsewhere))
    await stage.raw.terminate(stage.id)
    await stage.keep_call("closed", stage.raw.signal(stage.id))
    await stage.keep_history()


def with_start(stage: Stage, **fields: object) -> SignalWithStartWorkflowExecutionRequest:
    base: dict[str, object] = {
        "namespace": "default",
        "workflow_id": stage.id,
        "workflow_type": WorkflowType(name="raw"),
        "task_queue": TaskQueue(name=stage.queue),
        "identity": "raw",
        "signal_name": "s",
    }
    return SignalWithStartWorkflowExecutionRequest(**{**base, **fields})  # type: ignore[arg-type]


@scenario
async def with_start_new_running_closed(stage: Stage) -> None:
    method = "SignalWithStartWorkflowExecution"
    first = await stage.keep_call("new", stage.raw.call(method, with_start(stage, request_id="1", signal_input=texts("first"))))
    await stage.keep_call("same request", stage.raw.call(method, with_start(stage, request_id="1", signal_input=texts("first"))))
    await stage.keep_call("running", stage.raw.call(method, with_start(stage, request_id="2", signal_input=texts("second"))))
    await stage.keep_history("first run")
    await stage.raw.terminate(stage.id)
    await stage.keep_call("closed, rejected", stage.raw.call(method, with_start(stage, request_id="3", workflow_id_reuse_policy=3)))
    await stage.keep_call("closed, failed only", stage.raw.call(method, with_start(stage, request_id="4", workflow_id_reuse_policy=2)))
    await stage.keep_history("second run")
    await stage.keep_call("conflict fail", stage.raw.call(method, with_start(stage, request_id="5", workflow_id_conflict_policy=1)))
    await stage.keep_call("conflict terminate", stage.raw.call(method, with_start(stage, request_id="6", workflow_id_conflict_policy=3)))
    await stage.keep_history("third run")
    await stage.keep_history("first run again", run_id=first.run_id)
    await stage.raw.terminate(stage.id)


@scenario
async def with_start_through_sdk(stage: Stage) -> None:
    async with stage.worker([Collecting]):
        handle = await stage.start(Collecting.run, 2, start_signal="say", start_signal_args=["one"])
        await stage.until_events("WorkflowTaskCompleted")
        handle = await stage.start(Collecting.run, 2, start_signal="say", start_signal_args=["two"])
        stage.keep("result", await handle.result())
    await stage.keep_history()
