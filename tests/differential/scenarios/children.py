"""Children: how they start, how they end, what their parent hears of it, and what becomes of them when it closes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.command.v1 import Command
from temporalio.api.workflowservice import v1 as ws
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from tests.differential.scenario import Stage, named, scenario
from tests.support.rpc import attributes, command, text, texts
from tests.support.wait import until

TERMINATE, ABANDON, REQUEST_CANCEL = 1, 2, 3


def start(workflow_id: str, **fields: Any) -> Command:
    """A child on a queue that is named as it is."""
    base: dict[str, Any] = {"workflow_id": workflow_id, "workflow_type": {"name": "raw"}, "task_queue": {"name": workflow_id}}
    return command("start_child_workflow_execution", **{**base, **fields})


def complete(**fields: Any) -> Command:
    return command("complete_workflow_execution", **fields)


def failure(message: str = "no") -> Command:
    return command("fail_workflow_execution", failure={"message": message, "application_failure_info": {"type": "T"}})


async def begin(stage: Stage, *children: Command, **fields: Any) -> Any:
    """A parent that has asked for its children and been told that they run; its next workflow task."""
    await stage.raw.start(stage.id, **fields)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, *children)
    await stage.until_events(*["ChildWorkflowExecutionStarted"] * len(children))
    return await stage.raw.poll_workflow(stage.queue)


async def until_closed(stage: Stage, workflow_id: str) -> None:
    """Waits until the current run of an id has closed."""

    async def look() -> bool:
        described = await stage.raw.describe(workflow_id)
        return described.workflow_execution_info.status > 1

    await until(look, f"{workflow_id} closes")


@scenario
async def completes(stage: Stage) -> None:
    """From start to result, with every field on the way."""
    child = f"{stage.id}-child"
    asked = start(
        child,
        input=texts("in"),
        header={"fields": {"h": text("v")}},
        memo={"fields": {"m": text("memo")}},
        control="control",
        workflow_execution_timeout=timedelta(hours=2),
        workflow_run_timeout=timedelta(hours=1),
        workflow_task_timeout=timedelta(seconds=7),
        priority={"priority_key": 2, "fairness_key": "k"},
    )
    asked.user_metadata.summary.CopyFrom(text("summary"))
    asked.user_metadata.details.CopyFrom(text("details"))
    task = await begin(stage, asked, priority={"priority_key": 4})
    await stage.keep_describe("parent while it runs")
    await stage.raw.complete(task)
    task = await stage.raw.poll_workflow(child)
    await stage.keep_history("child begun", child)
    await stage.keep_describe("child while it runs", child)
    await stage.raw.complete(task, complete(result=texts("out")))
    await stage.until_events("ChildWorkflowExecutionCompleted")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, complete())
    await stage.keep_history()
    await stage.keep_history("child", child)
    await stage.keep_describe()
    await stage.keep_describe("child described", child)


@scenario
async def plain(stage: Stage) -> None:
    """The least that can be said, and what is filled in."""
    child = f"{stage.id}-child"
    task = await begin(
        stage,
        command("start_child_workflow_execution", workflow_id=child, workflow_type={"name": "raw"}),
        workflow_execution_timeout=timedelta(hours=3),
        workflow_run_timeout=timedelta(hours=1),
        workflow_task_timeout=timedelta(seconds=9),
        priority={"priority_key": 4},
        header={"fields": {"h": text("parent's")}},
        memo={"fields": {"m": text("parent's")}},
    )
    await stage.keep_history()
    await stage.keep_history("child", child)
    await stage.keep_describe("child described", child)
    await stage.raw.terminate(stage.id)
    await until_closed(stage, child)
    await stage.keep_history("child in the end", child)


async def ends(stage: Stage, *commands: Command, event: str) -> None:
    """The child answers its first workflow task with these, and its parent hears of it."""
    child = f"{stage.id}-child"
    task = await begin(stage, start(child, control="c"))
    await stage.raw.complete(task)
    task = await stage.raw.poll_workflow(child)
    await stage.raw.complete(task, *commands)
    await stage.until_events(event)
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


@scenario
async def fails(stage: Stage) -> None:
    await ends(stage, failure(), event="ChildWorkflowExecutionFailed")


@scenario
async def cancels(stage: Stage) -> None:
    await ends(stage, command("cancel_workflow_execution", details=texts("why")), event="ChildWorkflowExecutionCanceled")


@scenario
async def is_terminated(stage: Stage) -> None:
    child = f"{stage.id}-child"
    task = await begin(stage, start(child))
    await stage.raw.complete(task)
    await stage.raw.terminate(child, details=texts("details"))
    await stage.until_events("ChildWorkflowExecutionTerminated")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def times_out(stage: Stage) -> None:
    child = f"{stage.id}-child"
    task = await begin(stage, start(child, workflow_run_timeout=timedelta(seconds=1)))
    await stage.raw.complete(task)
    await stage.until_events("ChildWorkflowExecutionTimedOut")
    await stage.keep_history()
    await stage.keep_history("child", child)
    await stage.raw.terminate(stage.id)


@scenario
async def closes_while_the_parent_works(stage: Stage) -> None:
    """Started and closed while the parent's worker has a task in hand: both wait in its buffer, the close behind everything else."""
    child = f"{stage.id}-child"
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    answer = await stage.raw.complete(task, start(child), return_new_workflow_task=True, force_create_new_workflow_task=True)
    task = await stage.raw.poll_workflow(child)
    await stage.raw.complete(task, complete(result=texts("early")))
    await until_closed(stage, child)
    await asyncio.sleep(0.3)  # The parent hears of it; nothing shows that it did.
    await stage.raw.signal(stage.id)
    await stage.keep_history("meanwhile")
    await stage.keep_describe("described meanwhile")
    await stage.raw.complete(answer.workflow_task)
    await stage.until_events("ChildWorkflowExecutionCompleted")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def retried(stage: Stage) -> None:
    """The parent hears of the last run only."""
    child = f"{stage.id}-child"
    task = await begin(stage, start(child, retry_policy={"initial_interval": timedelta(seconds=1), "maximum_attempts": 2}))
    await stage.raw.complete(task)
    task = await stage.raw.poll_workflow(child)
    first = task.workflow_execution.run_id
    await stage.raw.complete(task, failure("first"))
    task = await stage.raw.poll_workflow(child)
    await stage.keep_describe("while it is retried")
    await stage.raw.complete(task, failure("second"))
    await stage.until_events("ChildWorkflowExecutionFailed")
    await stage.keep_history()
    await stage.keep_history("first run", child, first)
    await stage.keep_history("second run", child)
    await stage.raw.terminate(stage.id)


@scenario
async def continues(stage: Stage) -> None:
    """The parent hears of the end of the chain only."""
    child = f"{stage.id}-child"
    task = await begin(stage, start(child))
    await stage.raw.complete(task)
    task = await stage.raw.poll_workflow(child)
    await stage.raw.complete(task, command("continue_as_new_workflow_execution", input=texts("next")))
    task = await stage.raw.poll_workflow(child)
    await stage.keep_describe("while it goes on")
    await stage.keep_describe("second run described", child)
    await stage.raw.complete(task, complete(result=texts("at last")))
    await stage.until_events("ChildWorkflowExecutionCompleted")
    await stage.keep_history()
    await stage.keep_history("second run", child)
    await stage.raw.terminate(stage.id)


@scenario
async def exists(stage: Stage) -> None:
    """An id that is taken."""
    child = f"{stage.id}-child"
    await stage.raw.start(child)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, start(child, control="c"))
    await stage.until_events("StartChildWorkflowExecutionFailed")
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)
    await stage.raw.terminate(child)


async def reuse(stage: Stage, policy: int, event: str, *ending: Command) -> None:
    """An id whose last run has ended."""
    child = f"{stage.id}-child"
    await stage.raw.start(child)
    task = await stage.raw.poll_workflow(child)
    await stage.raw.complete(task, *ending)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, start(child, workflow_id_reuse_policy=policy))
    await stage.until_events(event)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def reuse_allowed(stage: Stage) -> None:
    await reuse(stage, 1, "ChildWorkflowExecutionStarted", complete())


@scenario
async def reuse_failed_only(stage: Stage) -> None:
    await reuse(stage, 2, "StartChildWorkflowExecutionFailed", complete())


@scenario
async def reuse_failed_only_and_it_failed(stage: Stage) -> None:
    await reuse(stage, 2, "ChildWorkflowExecutionStarted", failure())


@scenario
async def reuse_rejected(stage: Stage) -> None:
    await reuse(stage, 3, "StartChildWorkflowExecutionFailed", complete())


@scenario
async def terminates_the_one_that_runs(stage: Stage) -> None:
    """The old reuse policy that ends what is there."""
    child = f"{stage.id}-child"
    await stage.raw.start(child)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("completed", stage.raw.complete(task, start(child, workflow_id_reuse_policy=4)))
    await stage.until_events("ChildWorkflowExecutionStarted")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def own_id(stage: Stage) -> None:
    """A child with its parent's id."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("completed", stage.raw.complete(task, start(stage.id)))
    await stage.until_events("StartChildWorkflowExecutionFailed")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


CLOSES: dict[str, list[Command]] = {
    "complete": [complete()],
    "fail": [failure()],
    "cancel": [command("cancel_workflow_execution")],
    "continue": [command("continue_as_new_workflow_execution")],
    "terminate": [],
}


def closing(how: str, commands: list[Command]) -> None:
    """Registers a close of the parent over one child of each policy."""

    @named(f"children/parent_{how}s")
    async def close(stage: Stage) -> None:
        children = {policy: f"{stage.id}-{policy}" for policy in (TERMINATE, ABANDON, REQUEST_CANCEL, 0)}
        first = ""
        task = await begin(stage, *(start(child, parent_close_policy=policy) for policy, child in children.items()))
        first = task.workflow_execution.run_id
        if commands:
            await stage.raw.complete(task, *commands)
        else:
            await stage.raw.terminate(stage.id)
        await until_closed(stage, children[TERMINATE])
        await until_closed(stage, children[0])
        await stage.until_events("WorkflowExecutionCancelRequested", workflow_id=children[REQUEST_CANCEL])
        for policy, child in children.items():
            await stage.keep_history(f"child of policy {policy}", child)
        await stage.keep_describe("parent described", run_id=first)
        events = await stage.raw.history(stage.id, first)
        stage.keep("last event", {"event": stage.scrubber.message(events[-1])})
        await stage.raw.terminate(children[ABANDON])
        await stage.raw.terminate(children[REQUEST_CANCEL])
        if how == "continue":
            await stage.raw.terminate(stage.id)


for _how, _commands in CLOSES.items():
    closing(_how, _commands)


@scenario
async def parent_times_out(stage: Stage) -> None:
    """The clock closes a parent as anybody else does."""
    child = f"{stage.id}-child"
    await begin(stage, start(child), workflow_run_timeout=timedelta(seconds=2))
    await until_closed(stage, stage.id)
    await until_closed(stage, child)
    await stage.keep_history("child", child)


@scenario
async def closes_at_once(stage: Stage) -> None:
    """A child that is asked for in the breath in which its parent closes is never started."""
    child = f"{stage.id}-child"
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, start(child), start(f"{child}-2", parent_close_policy=ABANDON), complete())
    await stage.keep_history()
    await asyncio.sleep(1.0)  # Nothing must happen.
    await stage.keep_call("child", stage.raw.describe(child))
    await stage.keep_call("abandoned child", stage.raw.describe(f"{child}-2"))
    await stage.keep_describe()


@scenario
async def canceled_by_the_parent(stage: Stage) -> None:
    """A parent asks its child to cancel, as the official SDKs do it."""
    child = f"{stage.id}-child"
    task = await begin(stage, start(child))
    await stage.raw.complete(task, command("request_cancel_external_workflow_execution", workflow_id=child, child_workflow_only=True))
    await stage.until_events("ExternalWorkflowExecutionCancelRequested")
    await stage.keep_history("asked")
    task = await stage.raw.poll_workflow(child)
    await stage.raw.complete(task, command("cancel_workflow_execution"))
    await stage.until_events("ChildWorkflowExecutionCanceled")
    await stage.keep_history()
    await stage.keep_history("child", child)
    await stage.raw.terminate(stage.id)


@scenario
async def signaled_by_the_parent(stage: Stage) -> None:
    """A parent signals its child, which must be its own."""
    child = f"{stage.id}-child"
    task = await begin(stage, start(child))
    await stage.raw.complete(task, command("signal_external_workflow_execution", execution={"workflow_id": child}, signal_name="s", child_workflow_only=True))
    await stage.until_events("ExternalWorkflowExecutionSignaled")
    await stage.keep_history()
    await stage.keep_history("child", child)
    await stage.raw.terminate(stage.id)


@scenario
async def canceled_in_the_same_task(stage: Stage) -> None:
    """A child is asked for and asked to cancel in one breath."""
    child = f"{stage.id}-child"
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call(
        "completed", stage.raw.complete(task, start(child), command("request_cancel_external_workflow_execution", workflow_id=child, child_workflow_only=True))
    )
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def signaled_in_the_same_task(stage: Stage) -> None:
    """A child is asked for and signaled in one breath."""
    child = f"{stage.id}-child"
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("completed", stage.raw.complete(task, start(child), command("signal_external_workflow_execution", execution={"workflow_id": child}, signal_name="s")))
    await stage.until_events("ChildWorkflowExecutionStarted")
    await stage.raw.terminate(stage.id)


@scenario
async def grandchildren(stage: Stage) -> None:
    """A child's child knows the root of them all."""
    child, grandchild = f"{stage.id}-child", f"{stage.id}-grandchild"
    await begin(stage, start(child))
    task = await stage.raw.poll_workflow(child)
    await stage.raw.complete(task, start(grandchild))
    await stage.until_events("ChildWorkflowExecutionStarted", workflow_id=child)
    await stage.keep_history("grandchild", grandchild)
    await stage.keep_describe("grandchild described", grandchild)
    await stage.keep_describe("child described", child)
    await stage.raw.terminate(stage.id)
    await until_closed(stage, grandchild)
    await stage.keep_history("grandchild in the end", grandchild)


@scenario
async def two_at_once(stage: Stage) -> None:
    """Two children in one task, of one id: the second is refused by the first."""
    child = f"{stage.id}-child"
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("completed", stage.raw.complete(task, start(child), start(child)))
    events = await stage.until_events("ChildWorkflowExecutionStarted", "StartChildWorkflowExecutionFailed")
    stage.keep("events", sorted(event.event_type for event in events))
    await stage.raw.terminate(stage.id)


@scenario
async def listed(stage: Stage) -> None:
    """Lists know parents and roots."""
    child, grandchild = f"{stage.id}-child", f"{stage.id}-grandchild"
    await begin(stage, start(child))
    task = await stage.raw.poll_workflow(child)
    await stage.raw.complete(task, start(grandchild))
    await stage.until_events("ChildWorkflowExecutionStarted", workflow_id=child)
    run = (await stage.raw.describe(stage.id)).workflow_execution_info.execution.run_id
    queries = [
        f"ParentWorkflowId = '{stage.id}'",
        f"ParentRunId = '{run}'",
        f"RootWorkflowId = '{stage.id}'",
        f"RootRunId = '{run}' AND WorkflowId != '{stage.id}'",
        f"ParentWorkflowId IS NULL AND RootWorkflowId = '{stage.id}'",
        f"ParentWorkflowId IN ('{stage.id}', '{child}')",
    ]
    for query in queries:

        async def look(query: str = query) -> Any:
            answer = await stage.raw.call("ListWorkflowExecutions", ws.ListWorkflowExecutionsRequest(namespace="default", query=query))
            expected = 3 if query.startswith("RootWorkflowId") else 2 if ("RootRunId" in query or "IN" in query and "IS" not in query) else 1
            return answer if len(answer.executions) >= expected else None

        answer = await until(look, query)
        stage.keep(query.replace(run, "RUN"), sorted(one.execution.workflow_id for one in answer.executions))
        if query == queries[0]:
            row = answer.executions[0]
            row.ClearField("search_attributes")  # Which workers it had may lag.
            stage.keep("row", row)
    await stage.raw.terminate(stage.id)


BAD: dict[str, list[Command]] = {
    "without_id": [start("")],
    "without_type": [start("x", workflow_type={"name": ""})],
    "no_type": [start("x", workflow_type=None)],
    "long_id": [start("i" * 1001)],
    "long_type": [start("x", workflow_type={"name": "t" * 1001})],
    "long_queue": [start("x", task_queue={"name": "q" * 1001})],
    "reserved_queue": [start("x", task_queue={"name": "/_sys/q/1"})],
    "sticky_queue": [start("x", task_queue={"name": "q", "kind": 2})],
    "negative_execution_timeout": [start("x", workflow_execution_timeout=timedelta(seconds=-1))],
    "negative_run_timeout": [start("x", workflow_run_timeout=timedelta(seconds=-1))],
    "negative_task_timeout": [start("x", workflow_task_timeout=timedelta(seconds=-1))],
    "bad_retry": [start("x", retry_policy={"backoff_coefficient": 0.5})],
    "bad_priority": [start("x", priority={"priority_key": -1})],
    "bad_cron": [start("x", cron_schedule="no cron")],
    "unknown_search_attribute": [start("x", search_attributes={"indexed_fields": {"Unknown": text("x")}})],
    "system_search_attribute": [start("x", search_attributes={"indexed_fields": {"WorkflowId": text("x")}})],
    "wrong_search_attribute": [start("x", search_attributes={"indexed_fields": {"BuildIds": text("x")}})],
    "huge_input": [start("x", input=texts("x" * (2 << 20)))],
    "huge_memo": [start("x", memo={"fields": {"m": text("x" * (2 << 20))}})],
    "huge_search_attribute": [start("x", search_attributes={"indexed_fields": {"BuildIds": {"metadata": {"encoding": b"json/plain", "type": b"KeywordList"}, "data": b'["' + b"x" * 3000 + b'"]'}}})],
    "huge_header": [start("x", header={"fields": {"h": text("x" * (1 << 20))}})],
    "unknown_namespace": [start("x", namespace="no-such-namespace")],
    "foreign_namespace": [start("x", namespace="temporal-system")],
    "unknown_policies": [start("x-unknown-policies", parent_close_policy=77, workflow_id_reuse_policy=77)],
    "without_attributes": [Command(command_type=11)],  # type: ignore[arg-type]
}


def refused(label: str, commands: list[Command]) -> None:
    """Registers one bad command: the answer, and what is written."""

    @named(f"children/bad_{label}")
    async def bad(stage: Stage) -> None:
        await stage.raw.start(stage.id)
        task = await stage.raw.poll_workflow(stage.queue)
        await stage.keep_call("completed", stage.raw.complete(task, *commands))
        events = await stage.raw.history(stage.id)
        stage.keep("events", [stage.scrubber.message(event) for event in events[:5]])
        if not events[-1].HasField("workflow_execution_terminated_event_attributes"):
            await stage.raw.terminate(stage.id)


for _label, _commands in BAD.items():
    refused(_label, _commands)


@scenario
async def own_namespace_named(stage: Stage) -> None:
    """The own namespace, by its name."""
    child = f"{stage.id}-child"
    await begin(stage, start(child, namespace="default"))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def timeouts_normalised(stage: Stage) -> None:
    """What the events say after defaulting and clamping."""
    cases: list[dict[str, Any]] = [
        {"workflow_execution_timeout": timedelta(hours=1)},
        {"workflow_run_timeout": timedelta(hours=5), "workflow_execution_timeout": timedelta(hours=1)},
        {"workflow_task_timeout": timedelta(minutes=10)},
        {"workflow_run_timeout": timedelta(seconds=5), "workflow_task_timeout": timedelta(seconds=60)},
        {"workflow_execution_timeout": timedelta(days=365 * 150)},
        {"retry_policy": {}},
        {"retry_policy": {"maximum_attempts": 3, "non_retryable_error_types": ["E"]}},
    ]
    children = [f"{stage.id}-{number}" for number in range(len(cases))]
    await begin(stage, *(start(child, **case) for child, case in zip(children, cases)))
    events = await stage.raw.history(stage.id)
    stage.keep("initiated", [stage.scrubber.message(event) for event in events if event.event_type == 29])
    for child in children:
        first = (await stage.raw.history(child))[0]
        stage.keep(child, first)
    await stage.raw.terminate(stage.id)


@scenario
async def search_attributes(stage: Stage) -> None:
    """Search attributes of a child: in both events, in its description."""
    child = f"{stage.id}-child"
    values = {"metadata": {"encoding": b"json/plain"}, "data": b'["one"]'}
    await begin(stage, start(child, search_attributes={"indexed_fields": {"BuildIds": values}}, memo={"fields": {"gone": {"metadata": {"encoding": b"binary/null"}}}}))
    await stage.keep_history()
    first = (await stage.raw.history(child))[0]
    stage.keep("child", first)
    await stage.keep_describe("child described", child)
    await stage.raw.terminate(stage.id)


@workflow.defn
class Child:
    @workflow.run
    async def run(self, what: str) -> str:
        match what:
            case "fail":
                raise ApplicationError("no luck", type="NoLuck", non_retryable=True)
            case "again":
                if workflow.info().attempt < 3:
                    raise ApplicationError("again", type="Again")
            case "new":
                workflow.continue_as_new("done")
            case "wait":
                await asyncio.Event().wait()
        parent, root = workflow.info().parent, workflow.info().root
        return f"{what} of {parent.workflow_id if parent else None}, {root.workflow_id if root else None}"


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, what: str) -> str:
        try:
            handle = await workflow.start_child_workflow(
                Child.run,
                what,
                id=f"{workflow.info().workflow_id}-child",
                retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1)) if what == "again" else None,
                cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            if what == "wait":
                handle.cancel()
            return await handle
        except Exception as error:
            return f"{type(error).__name__}: {error}: {type(error.__cause__).__name__}: {error.__cause__}"


for _what in ("done", "fail", "again", "new", "wait"):

    @named(f"children/sdk_{_what}")
    async def by_sdk(stage: Stage, what: str = _what) -> None:
        """The official SDK as parent and as child."""
        async with stage.worker([Parent, Child]):
            handle = await stage.start(Parent.run, what)
            stage.keep("result", await handle.result())
        if what == "wait":
            return  # Whether the request to cancel overtakes the first workflow task is anybody's guess.
        events = await stage.raw.history(stage.id)
        stage.keep("parent", {"events": [stage.scrubber.message(event) for event in events if "child" in (event.WhichOneof("attributes") or "")]})
        await stage.keep_history("child", f"{stage.id}-child")


@scenario
async def sdk_duplicate(stage: Stage) -> None:
    """The official SDK says that a child is there already."""
    async with stage.worker([Parent, Child]):
        other = await stage.start(Child.run, "wait", suffix="-child")
        handle = await stage.start(Parent.run, "done")
        stage.keep("result", await handle.result())
        await other.terminate()
