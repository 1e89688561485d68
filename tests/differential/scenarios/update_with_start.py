"""Update with start (`ExecuteMultiOperation`): a new run or the one that runs, and what each bad request is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.differential.scenarios.updates import ACCEPTED, ADMITTED, accept, complete, idle, keep_sent, look, outcome, polled, reject, request, respond, until_admitted
from tests.support.rpc import command, texts

FAIL, USE_EXISTING, TERMINATE_EXISTING = 1, 2, 3
ALLOW_DUPLICATE, FAILED_ONLY, REJECT_DUPLICATE = 1, 2, 3

Operation = ws.ExecuteMultiOperationRequest.Operation


def both(stage: Stage, update_id: str = "u", start: dict[str, Any] | None = None, **update: Any) -> ws.ExecuteMultiOperationRequest:
    """A start and an update of the scenario's workflow."""
    fields = {"request_id": update_id, **(start or {})}
    started = stage.raw.start_request(fields.pop("workflow_id", stage.id), stage.queue, **fields)
    operations = [Operation(start_workflow=started), Operation(update_workflow=request(stage, update_id, **update))]
    return ws.ExecuteMultiOperationRequest(namespace="default", operations=operations)


def send(stage: Stage, update_id: str = "u", start: dict[str, Any] | None = None, **update: Any) -> asyncio.Task[Any]:
    """Sends both; the answer comes with the task."""
    return asyncio.create_task(outcome(stage.raw.call("ExecuteMultiOperation", both(stage, update_id, start, **update), 40)))


async def settle(stage: Stage, label: str, sent: asyncio.Task[Any]) -> Any:
    """Accepts and completes what was sent, and keeps how it ended."""
    task = await polled(stage)
    stage.keep(f"{label}: task", [task.previous_started_event_id, task.started_event_id, [one.id for one in task.messages]])
    await complete(stage, task, *(made for one in task.messages for made in (accept(one), respond(one))))
    return await keep_sent(stage, label, sent)


@scenario
async def new_run(stage: Stage) -> None:
    """The first workflow task brings the update."""
    await settle(stage, "answer", send(stage, start={"input": texts("in")}))
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def rejected(stage: Stage) -> None:
    """The workflow was started all the same."""
    sent = send(stage)
    task = await polled(stage)
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "answer", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def until_accepted(stage: Stage) -> None:
    sent = send(stage, until_stage=ACCEPTED)
    task = await polled(stage)
    await complete(stage, task, accept(task.messages[0]))
    await keep_sent(stage, "answer", sent)
    await stage.raw.terminate(stage.id)


@scenario
async def the_wait_ends(stage: Stage) -> None:
    await keep_sent(stage, "answer", send(stage))
    await settle(stage, "again", send(stage))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def running(stage: Stage) -> None:
    """By conflict policy: refused, used, terminated."""
    await idle(stage)
    await keep_sent(stage, "fail", send(stage, "u1"))
    await settle(stage, "use existing", send(stage, "u2", {"workflow_id_conflict_policy": USE_EXISTING}))
    await keep_sent(stage, "known update, fail", send(stage, "u2", {"request_id": "other"}))
    await keep_sent(stage, "known update, use existing", send(stage, "u2", {"request_id": "other", "workflow_id_conflict_policy": USE_EXISTING}))
    await stage.keep_history("used")
    await settle(stage, "terminate existing", send(stage, "u3", {"workflow_id_conflict_policy": TERMINATE_EXISTING}))
    await keep_sent(stage, "reject duplicate", send(stage, "u4", {"workflow_id_reuse_policy": REJECT_DUPLICATE}))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def sent_again(stage: Stage) -> None:
    """The same start request again, with the same update and with another."""
    await settle(stage, "first", send(stage))
    await keep_sent(stage, "same", send(stage))
    await settle(stage, "another update", send(stage, "u2", {"request_id": "u"}))
    await keep_sent(stage, "another start", send(stage, "u", {"request_id": "other"}))
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "same, closed", send(stage))
    await keep_sent(stage, "another update, closed", send(stage, "u3", {"request_id": "u"}))
    await keep_sent(stage, "another start, known update, closed", send(stage, "u", {"request_id": "other"}))
    await stage.keep_history()


@scenario
async def waiting_again(stage: Stage) -> None:
    """The same request while its update waits, and while it is accepted."""
    first = send(stage)
    await until_admitted(stage)
    second = send(stage)
    third = send(stage, start={"request_id": "other"})
    task = await polled(stage)
    stage.keep("messages", [one.id for one in task.messages])
    await complete(stage, task, accept(task.messages[0]))
    message = task.messages[0]
    fourth = send(stage)
    await stage.raw.signal(stage.id)
    await complete(stage, await polled(stage), respond(message))
    for label, sent in (("first", first), ("second", second), ("third", third), ("fourth", fourth)):
        await keep_sent(stage, label, sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def closed(stage: Stage) -> None:
    """By reuse policy, over a run that completed."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), command("complete_workflow_execution"))
    await keep_sent(stage, "reject duplicate", send(stage, "u1", {"workflow_id_reuse_policy": REJECT_DUPLICATE}))
    await keep_sent(stage, "failed only", send(stage, "u2", {"workflow_id_reuse_policy": FAILED_ONLY}))
    await settle(stage, "allow duplicate", send(stage, "u3", {"workflow_id_reuse_policy": ALLOW_DUPLICATE}))
    await stage.raw.terminate(stage.id)
    await settle(stage, "failed only, terminated", send(stage, "u4", {"workflow_id_reuse_policy": FAILED_ONLY}))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def closed_with_accepted_update(stage: Stage) -> None:
    """The run ended under the update: that is its outcome, and no reason for another run."""
    sent = send(stage, until_stage=ACCEPTED)
    task = await polled(stage)
    await complete(stage, task, accept(task.messages[0]), after=[command("complete_workflow_execution")])
    await keep_sent(stage, "first", sent)
    await keep_sent(stage, "again", send(stage))
    await keep_sent(stage, "another start", send(stage, start={"request_id": "other"}))
    await stage.keep_history()


@scenario
async def closed_before_acceptance(stage: Stage) -> None:
    sent = send(stage)
    await until_admitted(stage)
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "terminated", sent)
    sent = send(stage, "u2")
    task = await polled(stage)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await keep_sent(stage, "completed", sent)


@scenario
async def on_a_run_that_refuses(stage: Stage) -> None:
    """The run that is used takes no update now."""
    await stage.raw.start(stage.id)
    for _ in range(2):
        await stage.raw.fail(await polled(stage), 14, "failed")
    await polled(stage)
    await keep_sent(stage, "task fails", send(stage, "u", {"workflow_id_conflict_policy": USE_EXISTING}))
    await stage.raw.terminate(stage.id)
    await stage.raw.start(stage.id, request_id="second")
    task = await polled(stage)
    await stage.raw.signal(stage.id)
    await outcome(stage.raw.complete(task, command("complete_workflow_execution")))
    await polled(stage)
    await keep_sent(stage, "closing", send(stage, "u", {"workflow_id_conflict_policy": USE_EXISTING}))
    await stage.raw.terminate(stage.id)
    await stage.raw.start(stage.id, request_id="third")
    sent = [send(stage, f"u{number}", {"workflow_id_conflict_policy": USE_EXISTING}) for number in range(10)]
    await until_admitted(stage, *(f"u{number}" for number in range(10)))
    await keep_sent(stage, "too many", send(stage, "u10", {"workflow_id_conflict_policy": USE_EXISTING}))
    await stage.raw.terminate(stage.id)
    await asyncio.gather(*sent)


@scenario
async def bad_requests(stage: Stage) -> None:
    """Each is told what is wrong, and of which operation; nothing is started."""
    good = both(stage)
    start, update = good.operations
    other = request(stage, workflow_execution=WorkflowExecution(workflow_id="other"))
    cases: list[tuple[str, ws.ExecuteMultiOperationRequest]] = [
        ("empty", ws.ExecuteMultiOperationRequest()),
        ("no namespace", ws.ExecuteMultiOperationRequest(operations=[start, update])),
        ("unknown namespace", ws.ExecuteMultiOperationRequest(namespace="nobody", operations=[start, update])),
        *(
            (label, ws.ExecuteMultiOperationRequest(namespace="default", operations=operations))
            for label, operations in (
                ("none", []),
                ("start only", [start]),
                ("update only", [update]),
                ("other order", [update, start]),
                ("two starts", [start, start]),
                ("two updates", [update, update]),
                ("three", [start, update, update]),
                ("nothing and update", [Operation(), update]),
                ("start and nothing", [start, Operation()]),
                ("two workflows", [start, Operation(update_workflow=other)]),
            )
        ),
        ("other namespace in start", both(stage, start={"namespace": "nobody"})),
        ("no namespace in start", both(stage, start={"namespace": ""})),
        ("other namespace in update", both(stage, namespace="nobody")),
        ("cron", both(stage, start={"cron_schedule": "* * * * *"})),
        ("eager", both(stage, start={"request_eager_execution": True})),
        ("start delay", both(stage, start={"workflow_start_delay": timedelta(seconds=1)})),
        ("no workflow type", both(stage, start={"workflow_type": None})),
        ("no task queue", both(stage, start={"task_queue": None})),
        ("long request id", both(stage, start={"request_id": "x" * 1001})),
        ("policies that contradict", both(stage, start={"workflow_id_conflict_policy": TERMINATE_EXISTING, "workflow_id_reuse_policy": REJECT_DUPLICATE})),
        ("terminate if running", both(stage, start={"workflow_id_reuse_policy": 4, "workflow_id_conflict_policy": FAIL})),
        ("large input", both(stage, start={"input": texts("x" * (2 * 1024 * 1024))})),
        ("negative timeout", both(stage, start={"workflow_run_timeout": timedelta(seconds=-1)})),
        ("no workflow id in start", both(stage, start={"workflow_id": ""})),
        ("no execution in update", both(stage, workflow_execution=None)),
        ("no workflow id in update", both(stage, workflow_execution=WorkflowExecution())),
        ("run id", both(stage, workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id="00000000-0000-0000-0000-000000000001"))),
        ("first run id", both(stage, first_execution_run_id="00000000-0000-0000-0000-000000000001")),
        ("no meta", both(stage, request=Request(input=Input(name="n")))),
        ("no input", both(stage, request=Request(meta=Meta(update_id="u")))),
        ("no name", both(stage, request=Request(meta=Meta(update_id="u"), input=Input()))),
        ("long update id", both(stage, request=Request(meta=Meta(update_id="x" * 1001), input=Input(name="n")))),
        ("wait for admitted", both(stage, until_stage=ADMITTED)),
        ("both are bad", both(stage, start={"workflow_type": None}, request=Request(meta=Meta(update_id="u"), input=Input()))),
    ]
    for label, bad in cases:
        await stage.keep_call(label, stage.raw.call("ExecuteMultiOperation", bad, 10))
    await stage.keep_call("not started", stage.raw.describe(stage.id))


@scenario
async def without_ids(stage: Stage) -> None:
    """The server gives the start and the update theirs."""
    bare = both(stage, start={"request_id": ""}, request=Request(meta=Meta(identity="client"), input=Input(name="change")), wait_policy=WaitPolicy())
    sent = asyncio.create_task(outcome(stage.raw.call("ExecuteMultiOperation", bare, 30)))
    await settle(stage, "answer", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def polled_afterwards(stage: Stage) -> None:
    """The update is one like any other."""
    await settle(stage, "answer", send(stage))
    await stage.keep_call("poll", look(stage))
    await stage.keep_call("update", stage.raw.call("UpdateWorkflowExecution", request(stage)))
    await stage.raw.terminate(stage.id)


@scenario
async def existing_run_closes(stage: Stage) -> None:
    """The run that is used ends before it accepts: another one is used, or begun."""
    await idle(stage)
    sent = send(stage, start={"workflow_id_conflict_policy": USE_EXISTING})
    await until_admitted(stage)
    await stage.raw.terminate(stage.id)
    await settle(stage, "terminated", sent)
    await stage.raw.signal(stage.id)
    task = await polled(stage)
    sent = send(stage, "u2", {"workflow_id_conflict_policy": USE_EXISTING})
    await until_admitted(stage, "u2")
    await stage.raw.complete(task, command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": stage.queue}))
    await settle(stage, "continued as new", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def existing_run_closes_for_good(stage: Stage) -> None:
    """The same where the start may not follow a run."""
    await idle(stage)
    sent = send(stage, start={"workflow_id_conflict_policy": USE_EXISTING, "workflow_id_reuse_policy": REJECT_DUPLICATE})
    await until_admitted(stage)
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "terminated", sent)


@scenario
async def task_fails(stage: Stage) -> None:
    """The worker of the new run answers badly."""
    sent = send(stage)
    task = await polled(stage)
    await stage.keep_call("bad", complete(stage, task, respond(task.messages[0])))
    await keep_sent(stage, "answer", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()
