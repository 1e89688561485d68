"""Updates by hand: delivered, accepted, rejected, completed; speculative tasks with exact ids; bad messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage as Lifecycle
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.protocol.v1 import Message as Carried
from temporalio.api.update.v1 import Acceptance, Input, Meta, Outcome, Rejection, Request, Response, UpdateRef, WaitPolicy
from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, named, scenario
from tests.support.rpc import Refused, command, texts
from tests.support.wait import until

ADMITTED = Lifecycle.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
ACCEPTED = Lifecycle.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
COMPLETED = Lifecycle.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED


def request(stage: Stage, update_id: str = "u", until_stage: Any = COMPLETED, **fields: Any) -> ws.UpdateWorkflowExecutionRequest:
    """An update of the scenario's current run."""
    base: dict[str, Any] = {
        "namespace": "default",
        "workflow_execution": WorkflowExecution(workflow_id=stage.id),
        "wait_policy": WaitPolicy(lifecycle_stage=until_stage),
        "request": Request(meta=Meta(update_id=update_id, identity="client"), input=Input(name="change", args=texts("argument"))),
    }
    return ws.UpdateWorkflowExecutionRequest(**{**base, **fields})


def send(stage: Stage, update_id: str = "u", until_stage: Any = COMPLETED, **fields: Any) -> asyncio.Task[Any]:
    """Sends an update; the answer comes with the task."""
    return asyncio.create_task(outcome(stage.raw.call("UpdateWorkflowExecution", request(stage, update_id, until_stage, **fields), 40)))


async def outcome(call: Awaitable[Any]) -> Any:
    """The answer or the refusal, so that nothing is raised where nobody waits."""
    try:
        return await call
    except Refused as refusal:
        return refusal


async def keep_sent(stage: Stage, label: str, sent: asyncio.Task[Any]) -> Any:
    """Keeps how an update ended."""

    async def ended() -> Any:
        answer = await sent
        if isinstance(answer, Refused):
            raise answer
        return answer

    return await stage.keep_call(label, ended())


def poll_request(stage: Stage, update_id: str = "u", until_stage: Any = 0, run_id: str = "") -> ws.PollWorkflowExecutionUpdateRequest:
    """A look at an update."""
    execution = WorkflowExecution(workflow_id=stage.id, run_id=run_id)
    policy = WaitPolicy(lifecycle_stage=until_stage)
    return ws.PollWorkflowExecutionUpdateRequest(namespace="default", update_ref=UpdateRef(workflow_execution=execution, update_id=update_id), identity="client", wait_policy=policy)


async def look(stage: Stage, update_id: str = "u", until_stage: Any = 0, run_id: str = "", seconds: float = 15) -> Any:
    """Polls an update."""
    return await stage.raw.call("PollWorkflowExecutionUpdate", poll_request(stage, update_id, until_stage, run_id), seconds)


async def until_admitted(stage: Stage, *update_ids: str) -> None:
    """Waits until the server knows the updates."""
    for update_id in update_ids or ("u",):

        async def known(update_id: str = update_id) -> bool:
            try:
                await look(stage, update_id)
            except Refused:
                return False
            return True

        await until(known, f"{stage.name}: {update_id} is admitted")


def packed(body: Message) -> Packed:
    """A body as it travels in a message."""
    any_body = Packed()
    any_body.Pack(body)
    return any_body


def accept(message: Carried, identity: str = "accept", **fields: Any) -> Carried:
    """The acceptance of a delivered update."""
    asked = Request.FromString(message.body.value)
    body = Acceptance(accepted_request_message_id=message.id, accepted_request_sequencing_event_id=message.event_id, accepted_request=asked)
    base: dict[str, Any] = {"id": f"{message.protocol_instance_id}/{identity}", "protocol_instance_id": message.protocol_instance_id, "body": packed(body)}
    return Carried(**{**base, **fields})


def respond(message: Carried, word: str = "result", failure: str = "", identity: str = "complete", **fields: Any) -> Carried:
    """The outcome of an update."""
    asked = Request.FromString(message.body.value)
    result = Outcome(failure=refusal(failure)) if failure else Outcome(success=texts(word))
    base: dict[str, Any] = {"id": f"{message.protocol_instance_id}/{identity}", "protocol_instance_id": message.protocol_instance_id, "body": packed(Response(meta=asked.meta, outcome=result))}
    return Carried(**{**base, **fields})


def reject(message: Carried, text: str = "no", identity: str = "reject", **fields: Any) -> Carried:
    """The rejection of a delivered update."""
    asked = Request.FromString(message.body.value)
    body = Rejection(rejected_request_message_id=message.id, rejected_request_sequencing_event_id=message.event_id, rejected_request=asked, failure=refusal(text))
    base: dict[str, Any] = {"id": f"{message.protocol_instance_id}/{identity}", "protocol_instance_id": message.protocol_instance_id, "body": packed(body)}
    return Carried(**{**base, **fields})


def refusal(text: str) -> Failure:
    """A failure of a worker."""
    return Failure(message=text, source="raw", application_failure_info=ApplicationFailureInfo(type="Refused", non_retryable=True))


def carry(*messages: Carried) -> list[Any]:
    """The commands that point to messages, in order."""
    return [command("protocol_message", message_id=message.id) for message in messages]


async def complete(stage: Stage, task: Any, *messages: Carried, before: Any = (), after: Any = (), **fields: Any) -> Any:
    """Completes a task with messages; acceptances and responses are pointed to in order, rejections are not."""
    pointed = [message for message in messages if not message.body.type_url.endswith("Rejection")]
    return await stage.raw.complete(task, *before, *carry(*pointed), *after, messages=messages, **fields)


async def idle(stage: Stage, sticky: str = "", **fields: Any) -> Any:
    """A run whose first task is completed."""
    started = await stage.raw.start(stage.id, **fields)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), sticky=sticky, sticky_seconds=10)
    return started


async def polled(stage: Stage, **fields: Any) -> Any:
    """The next task of the scenario's queue."""
    return await stage.raw.poll_workflow(stage.queue, **fields)


@scenario
async def accepted_and_completed(stage: Stage) -> None:
    """One speculative task: its events are written when the update is accepted."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    stage.keep("task", task)
    await stage.keep_describe("described while started")
    await stage.keep_history("while started")
    message = task.messages[0]
    await stage.keep_call("complete", complete(stage, task, accept(message), respond(message)))
    await keep_sent(stage, "update", sent)
    await stage.keep_call("poll", look(stage))
    await stage.keep_call("poll, completed", look(stage, "u", COMPLETED))
    await stage.keep_describe("idle")
    await stage.raw.terminate(stage.id)
    await stage.keep_call("poll, closed", look(stage, "u", COMPLETED))
    await stage.keep_history()


@scenario
async def with_the_first_task(stage: Stage) -> None:
    """A task that waits anyway takes the update along, and is a normal one."""
    await stage.raw.start(stage.id)
    sent = send(stage)
    await until_admitted(stage)
    await stage.keep_call("poll, admitted", look(stage))
    task = await polled(stage)
    stage.keep("task", task)
    message = task.messages[0]
    await stage.keep_call("complete", complete(stage, task, accept(message), respond(message), after=[command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(hours=1))]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def accepted_then_completed_later(stage: Stage) -> None:
    """The answer to a client that waits for acceptance comes before the outcome."""
    await idle(stage)
    sent = send(stage, until_stage=ACCEPTED)
    task = await polled(stage)
    message = task.messages[0]
    await stage.keep_call("accept", complete(stage, task, accept(message)))
    await keep_sent(stage, "update", sent)
    await stage.keep_call("poll", look(stage))
    await stage.keep_call("poll, accepted", look(stage, "u", ACCEPTED))
    waiting = asyncio.create_task(outcome(look(stage, "u", COMPLETED, seconds=40)))
    again = send(stage)
    await stage.raw.signal(stage.id, "go on")
    task = await polled(stage)
    stage.keep("second task", task)
    await stage.keep_call("respond", complete(stage, task, respond(message)))
    await keep_sent(stage, "poll, completed", waiting)
    await keep_sent(stage, "sent again", again)
    await keep_sent(stage, "sent once more", send(stage, until_stage=ACCEPTED))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def failed_update(stage: Stage) -> None:
    """Accepted, with a failure as its outcome."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    message = task.messages[0]
    await complete(stage, task, accept(message), respond(message, failure="it went wrong"))
    await keep_sent(stage, "update", sent)
    await stage.keep_call("poll", look(stage))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def rejected_leaves_nothing(stage: Stage) -> None:
    """A speculative task that only rejects is dropped, and the worker goes back to where it was."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    stage.keep("task", task)
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "update", sent)
    await stage.keep_history("after the rejection")
    await stage.keep_describe()
    await stage.keep_call("poll", look(stage))
    await stage.keep_call("completed again", stage.raw.complete(task))
    again = send(stage)
    task = await polled(stage)
    stage.keep("the same id again", [task.started_event_id, task.previous_started_event_id, len(task.messages)])
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "accepted now", again)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def rejected_for_an_accepting_client(stage: Stage) -> None:
    await idle(stage)
    sent = send(stage, until_stage=ACCEPTED)
    task = await polled(stage)
    await complete(stage, task, reject(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def rejected_in_a_normal_task(stage: Stage) -> None:
    """A task that others need too stays in history."""
    await idle(stage)
    await stage.raw.signal(stage.id)
    sent = send(stage)
    await until_admitted(stage)
    task = await polled(stage)
    stage.keep("task", task)
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def rejected_behind_events(stage: Stage) -> None:
    """Events came with the speculative task: it may be dropped only if the worker says that it can do that."""
    await idle(stage)
    task = None
    for capable in (False, True):
        await stage.raw.signal(stage.id, f"{capable}")
        task = await polled(stage)
        await stage.raw.complete(task, command("record_marker", marker_name="m"))
        sent = send(stage, f"u{capable}")
        task = await polled(stage)
        stage.keep(f"task, {capable}", [task.previous_started_event_id, task.started_event_id])
        capabilities = ws.RespondWorkflowTaskCompletedRequest.Capabilities(discard_speculative_workflow_task_with_events=capable)
        await stage.keep_call(f"reject, {capable}", complete(stage, task, reject(task.messages[0]), capabilities=capabilities))
        await keep_sent(stage, f"update, {capable}", sent)
        await stage.keep_history(f"rejected, {capable}")
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def rejected_with_a_command(stage: Stage) -> None:
    """A rejection beside a command: the task is written."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0]), before=[command("record_marker", marker_name="m")]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def unprocessed(stage: Stage) -> None:
    """A worker that does not know of updates: the server rejects for it."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    await stage.keep_call("complete", stage.raw.complete(task))
    await keep_sent(stage, "update", sent)
    await stage.raw.signal(stage.id)
    sent = send(stage, "u2")
    await until_admitted(stage, "u2")
    task = await polled(stage)
    await stage.keep_call("complete a normal one", stage.raw.complete(task, command("record_marker", marker_name="m")))
    await keep_sent(stage, "second update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def during_a_started_task(stage: Stage) -> None:
    """The update waits, and then has a speculative task of its own."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    sent = send(stage)
    await until_admitted(stage)
    await stage.keep_call("complete", stage.raw.complete(task, command("record_marker", marker_name="m")))
    await stage.keep_describe("scheduled")
    task = await polled(stage)
    stage.keep("task", task)
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def handed_back_at_once(stage: Stage) -> None:
    """The next task goes back with the answer, with the update in it."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    sent = send(stage)
    await until_admitted(stage)
    answer = await stage.keep_call("complete", stage.raw.complete(task, sticky=stage.queue + "-sticky", sticky_seconds=10, return_new_workflow_task=True))
    await stage.keep_history("while it is started")
    task = answer.workflow_task
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0]), sticky=stage.queue + "-sticky", sticky_seconds=10))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def handed_back_behind_a_signal(stage: Stage) -> None:
    """The same with a buffered signal: the next task is a normal one."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    sent = send(stage)
    await until_admitted(stage)
    await stage.raw.signal(stage.id)
    answer = await stage.keep_call("complete", stage.raw.complete(task, sticky=stage.queue + "-sticky", sticky_seconds=10, return_new_workflow_task=True))
    task = answer.workflow_task
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def two_in_one_task(stage: Stage) -> None:
    """Delivered in the order of admission, accepted in the order of the commands."""
    await stage.raw.start(stage.id)
    first = send(stage, "first")
    await until_admitted(stage, "first")
    second = send(stage, "second")
    await until_admitted(stage, "second")
    task = await polled(stage)
    stage.keep("messages", [message.id for message in task.messages])
    one, two = task.messages
    messages = [accept(one), respond(one, "one"), accept(two), respond(two, "two")]
    marker = {name: command("record_marker", marker_name=name) for name in ("before", "between")}
    commands = [marker["before"], *carry(*messages[2:]), marker["between"], *carry(*messages[:2])]
    await stage.keep_call("complete", stage.raw.complete(task, *commands, messages=messages))
    await keep_sent(stage, "first", first)
    await keep_sent(stage, "second", second)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def one_accepted_one_rejected(stage: Stage) -> None:
    await idle(stage)
    first = send(stage, "first")
    task = await polled(stage)
    second = send(stage, "second")
    await until_admitted(stage, "second")
    one = task.messages[0]
    answer = await stage.keep_call("first task", complete(stage, task, accept(one), respond(one)))
    stage.keep("inline", answer.HasField("workflow_task"))
    task = await polled(stage)
    stage.keep("second task", [task.previous_started_event_id, task.started_event_id, [message.id for message in task.messages]])
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "first", first)
    await keep_sent(stage, "second", second)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def signal_while_scheduled(stage: Stage) -> None:
    """An event that comes makes a speculative task a normal one."""
    await idle(stage)
    sent = send(stage)
    await until_admitted(stage)
    await stage.keep_history("scheduled")
    await stage.raw.signal(stage.id)
    await stage.keep_history("signaled")
    task = await polled(stage)
    stage.keep("task", task)
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def signal_while_started(stage: Stage) -> None:
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    await stage.raw.signal(stage.id)
    await stage.keep_history("signaled")
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "update", sent)
    await stage.keep_history("rejected")
    task = await polled(stage)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def close_over_a_signal(stage: Stage) -> None:
    """A close that meets a buffered event fails the task; what was accepted with it is undone."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    await stage.raw.signal(stage.id)
    message = task.messages[0]
    await stage.keep_call("complete", complete(stage, task, accept(message), respond(message), after=[command("complete_workflow_execution")]))
    await keep_sent(stage, "update", sent)
    await stage.keep_history("failed")
    task = await polled(stage)
    await stage.keep_call("while it closes", stage.raw.call("UpdateWorkflowExecution", request(stage, "late"), 5))
    stage.keep("messages", [message.id for message in task.messages])
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def activity_done_while_scheduled(stage: Stage) -> None:
    """An activity that starts or ends meanwhile."""
    await stage.raw.start(stage.id)
    scheduled = command("schedule_activity_task", activity_id="a", activity_type={"name": "act"}, task_queue={"name": stage.queue}, start_to_close_timeout=timedelta(seconds=60))
    await stage.raw.complete(await polled(stage), scheduled)
    sent = send(stage)
    await until_admitted(stage)
    activity = await stage.raw.poll_activity(stage.queue)
    await stage.keep_history("started")
    await stage.raw.call("RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=activity.task_token, identity="raw"))
    task = await polled(stage)
    stage.keep("task", task)
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def activity_started_while_started(stage: Stage) -> None:
    """Starting an activity writes no event, but the task is written."""
    await stage.raw.start(stage.id)
    scheduled = command("schedule_activity_task", activity_id="a", activity_type={"name": "act"}, task_queue={"name": stage.queue}, start_to_close_timeout=timedelta(seconds=60))
    await stage.raw.complete(await polled(stage), scheduled)
    sent = send(stage)
    task = await polled(stage)
    await stage.raw.poll_activity(stage.queue)
    await stage.keep_history("started")
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def sticky(stage: Stage) -> None:
    """On the sticky queue the task brings what came behind the last one."""
    queue = stage.queue + "-sticky"
    poll = asyncio.create_task(stage.raw.poll_workflow(queue, stage.queue))
    await idle(stage, sticky=queue)
    sent = send(stage)
    task = await poll
    stage.keep("task", task)
    poll = asyncio.create_task(stage.raw.poll_workflow(queue, stage.queue))
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0]), sticky=queue, sticky_seconds=10))
    await keep_sent(stage, "update", sent)
    sent = send(stage, "u2")
    task = await poll
    stage.keep("second task", task)
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]), sticky=queue, sticky_seconds=10)
    await keep_sent(stage, "second update", sent)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def sticky_worker_gone(stage: Stage) -> None:
    """Nobody polls the sticky queue for a while: the task goes to the normal one."""
    await idle(stage, sticky=stage.queue + "-sticky")
    sent = send(stage)
    task = await polled(stage)
    stage.keep("task", task)
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def nobody_polls(stage: Stage) -> None:
    """The speculative task on a normal queue is made a normal one after a while."""
    await idle(stage)
    sent = send(stage)
    await until_admitted(stage)
    await stage.until_pending(lambda described: described.workflow_execution_info.history_length > 4, "the task is written")
    await stage.keep_history("written")
    await stage.keep_describe()
    task = await polled(stage)
    stage.keep("task", task)
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def speculative_times_out(stage: Stage) -> None:
    """The worker is gone: history hears of the task now."""
    await idle(stage, workflow_task_timeout=timedelta(seconds=1))
    sent = send(stage)
    task = await polled(stage)
    await stage.until_events("WorkflowTaskTimedOut")
    await stage.keep_call("too late", complete(stage, task, reject(task.messages[0])))
    task = await polled(stage)
    stage.keep("second attempt", task)
    await stage.keep_history("second attempt, history")
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def speculative_fails(stage: Stage) -> None:
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    await stage.keep_call("fail", stage.raw.fail(task, 14, "failed"))
    await keep_sent(stage, "update", sent)
    await stage.keep_history("failed")
    task = await polled(stage)
    stage.keep("second attempt", [task.attempt, task.started_event_id, len(task.messages)])
    sent = send(stage, "u2", ACCEPTED)
    await until_admitted(stage, "u2")
    await stage.raw.complete(task)
    task = await polled(stage)
    stage.keep("next", [task.attempt, task.started_event_id, len(task.messages)])
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "second update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def normal_fails(stage: Stage) -> None:
    """A normal task with an update fails, and then its transient attempt."""
    await stage.raw.start(stage.id)
    sent = send(stage)
    await until_admitted(stage)
    task = await polled(stage)
    await stage.keep_call("fail", stage.raw.fail(task, 14, "failed"))
    await keep_sent(stage, "update", sent)
    sent = send(stage, "u2")
    await until_admitted(stage, "u2")
    task = await polled(stage)
    stage.keep("second attempt", task)
    await stage.keep_call("fail again", stage.raw.fail(task, 14, "failed"))
    await keep_sent(stage, "second update", sent)
    task = await polled(stage)
    stage.keep("third attempt", [task.attempt, [message.id for message in task.messages]])
    await stage.keep_call("third", stage.raw.call("UpdateWorkflowExecution", request(stage, "u3"), 5))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def normal_times_out(stage: Stage) -> None:
    """The update is delivered again with the next attempt."""
    await stage.raw.start(stage.id, workflow_task_timeout=timedelta(seconds=1))
    sent = send(stage)
    await until_admitted(stage)
    await polled(stage)
    await stage.until_events("WorkflowTaskTimedOut")
    task = await polled(stage)
    stage.keep("second attempt", task)
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def closed_before_acceptance(stage: Stage) -> None:
    """Updates that nobody has seen, at each kind of end."""
    await stage.raw.start(stage.id)
    sent = send(stage)
    await until_admitted(stage)
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "terminated", sent)
    await stage.raw.start(stage.id, request_id="second")
    task = await polled(stage)
    sent = send(stage)
    await until_admitted(stage)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await keep_sent(stage, "completed", sent)
    await stage.keep_history("completed, history")
    await stage.raw.start(stage.id, request_id="third")
    task = await polled(stage)
    sent = send(stage, until_stage=ACCEPTED)
    await until_admitted(stage)
    await stage.raw.complete(task, command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": stage.queue}))
    await keep_sent(stage, "continued as new", sent)
    await stage.raw.terminate(stage.id)
    await stage.raw.start(stage.id, request_id="fourth", workflow_run_timeout=timedelta(seconds=1))
    sent = send(stage)
    await keep_sent(stage, "timed out", sent)


@scenario
async def delivered_and_closed(stage: Stage) -> None:
    """The worker closes the run with the update unanswered in its hands."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    await stage.keep_call("complete", stage.raw.complete(task, command("complete_workflow_execution")))
    await keep_sent(stage, "update", sent)
    await stage.keep_history()


@scenario
async def terminated_with_a_speculative_task(stage: Stage) -> None:
    await idle(stage)
    sent = send(stage)
    await until_admitted(stage)
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "scheduled", sent)
    await stage.keep_history("scheduled, history")
    await stage.raw.start(stage.id, request_id="second")
    await stage.raw.complete(await polled(stage))
    sent = send(stage)
    task = await polled(stage)
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "started", sent)
    await stage.keep_call("complete", complete(stage, task, reject(task.messages[0])))
    await stage.keep_history("started, history")


@scenario
async def cancel_requested_meanwhile(stage: Stage) -> None:
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    await stage.raw.cancel(stage.id)
    await stage.keep_call("accept", complete(stage, task, accept(task.messages[0]), respond(task.messages[0])))
    await keep_sent(stage, "update", sent)
    task = await polled(stage)
    await stage.raw.complete(task, command("cancel_workflow_execution"))
    await stage.keep_history()


@scenario
async def accepted_and_closed(stage: Stage) -> None:
    """An accepted update of a run that ends has an outcome: that it never had one."""
    for label, close in (
        ("completed", command("complete_workflow_execution")),
        ("failed", command("fail_workflow_execution", failure={"message": "failed"})),
        ("continued", command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": stage.queue})),
        ("terminated", None),
    ):
        started = await stage.raw.start(stage.id, request_id=label)
        await stage.raw.complete(await polled(stage))
        accepting = send(stage, until_stage=ACCEPTED)
        waiting = None
        task = await polled(stage)
        message = task.messages[0]
        await complete(stage, task, accept(message))
        await keep_sent(stage, f"{label}: accepted", accepting)
        waiting = send(stage)
        await stage.raw.signal(stage.id)
        task = await polled(stage)
        if close is None:
            await stage.raw.terminate(stage.id)
        else:
            await stage.raw.complete(task, close)
        await keep_sent(stage, f"{label}: waiting", waiting)
        await stage.keep_call(f"{label}: poll", look(stage, "u", COMPLETED, started.run_id))
        await stage.keep_call(f"{label}: poll, no stage", look(stage, "u", 0, started.run_id))
        again = request(stage, workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id=started.run_id))
        await stage.keep_call(f"{label}: update", stage.raw.call("UpdateWorkflowExecution", again))
        await stage.keep_call(f"{label}: update until accepted", stage.raw.call("UpdateWorkflowExecution", request(stage, until_stage=ACCEPTED, workflow_execution=WorkflowExecution(workflow_id=stage.id, run_id=started.run_id))))
        await stage.keep_history(f"{label}: history", run_id=started.run_id)
        if label == "continued":
            await stage.raw.terminate(stage.id)


@scenario
async def accepted_and_closed_in_one(stage: Stage) -> None:
    """Accepted and closed by one answer, with and without an outcome."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    message = task.messages[0]
    await stage.keep_call("complete", complete(stage, task, accept(message), after=[command("complete_workflow_execution")]))
    await keep_sent(stage, "update", sent)
    await stage.keep_history("accepted")
    await stage.raw.start(stage.id, request_id="second")
    await stage.raw.complete(await polled(stage))
    sent = send(stage)
    task = await polled(stage)
    message = task.messages[0]
    await stage.keep_call("complete with outcome", complete(stage, task, accept(message), respond(message), after=[command("complete_workflow_execution")]))
    await keep_sent(stage, "second update", sent)
    await stage.keep_call("poll", look(stage))
    await stage.keep_call("update again", stage.raw.call("UpdateWorkflowExecution", request(stage)))
    await stage.keep_call("another update", stage.raw.call("UpdateWorkflowExecution", request(stage, "other")))
    await stage.keep_history("completed")


@scenario
async def closed_and_unknown(stage: Stage) -> None:
    await stage.keep_call("unknown workflow", stage.raw.call("UpdateWorkflowExecution", request(stage)))
    await stage.keep_call("poll, unknown workflow", look(stage))
    nobody = WorkflowExecution(workflow_id=stage.id, run_id="00000000-0000-0000-0000-000000000001")
    started = await stage.raw.start(stage.id)
    await stage.keep_call("unknown run", stage.raw.call("UpdateWorkflowExecution", request(stage, workflow_execution=nobody)))
    await stage.keep_call("poll, unknown update", look(stage))
    await stage.keep_call("poll, unknown update, completed", look(stage, "u", COMPLETED))
    await stage.keep_call("first run wrong", stage.raw.call("UpdateWorkflowExecution", request(stage, first_execution_run_id="00000000-0000-0000-0000-000000000001")))
    await stage.raw.terminate(stage.id)
    await stage.keep_call("closed", stage.raw.call("UpdateWorkflowExecution", request(stage)))
    named = WorkflowExecution(workflow_id=stage.id, run_id=started.run_id)
    await stage.keep_call("closed, by run", stage.raw.call("UpdateWorkflowExecution", request(stage, workflow_execution=named)))
    await stage.keep_call("closed, poll", look(stage))
    await stage.keep_call("closed, poll completed", look(stage, "u", COMPLETED))


@scenario
async def bad_requests(stage: Stage) -> None:
    """What the matrix of bad input does not reach."""
    await stage.raw.start(stage.id)
    call = stage.raw.call
    good = request(stage).request
    await stage.keep_call("wait for admitted", call("UpdateWorkflowExecution", request(stage, until_stage=ADMITTED)))
    await stage.keep_call("unknown stage", call("UpdateWorkflowExecution", request(stage, until_stage=9), 5))
    for label, broken in (
        ("no request", None),
        ("no meta", Request(input=good.input)),
        ("no input", Request(meta=good.meta)),
        ("no name", Request(meta=good.meta, input=Input(args=texts("x")))),
        ("long id", Request(meta=Meta(update_id="x" * 1001), input=good.input)),
        ("long name", Request(meta=Meta(update_id="long name"), input=Input(name="x" * 1001))),
        ("long identity", Request(meta=Meta(update_id="long identity", identity="x" * 1001), input=good.input)),
        ("large", Request(meta=Meta(update_id="large"), input=Input(name="n", args=texts("x" * (2 * 1024 * 1024))))),
        ("as large as may be", Request(meta=Meta(update_id="largest"), input=Input(name="n", args=texts("x" * (2 * 1024 * 1024 - 100))))),
    ):
        await stage.keep_call(label, call("UpdateWorkflowExecution", request(stage, until_stage=9, request=broken), 10))
    await stage.keep_call("poll, wait for admitted", look(stage, "u", ADMITTED))
    await stage.keep_call("poll, unknown stage", look(stage, "u", 9))
    await stage.keep_call("poll, no ref", call("PollWorkflowExecutionUpdate", ws.PollWorkflowExecutionUpdateRequest(namespace="default")))
    await stage.keep_call("poll, no execution", call("PollWorkflowExecutionUpdate", ws.PollWorkflowExecutionUpdateRequest(namespace="default", update_ref=UpdateRef(update_id="u"))))
    await stage.keep_call("poll, no id", look(stage, ""))
    await stage.keep_call("poll, long id", look(stage, "x" * 1001))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def without_an_id(stage: Stage) -> None:
    """The server gives it one, and a wait policy."""
    await idle(stage)
    sent = asyncio.create_task(outcome(stage.raw.call("UpdateWorkflowExecution", request(stage, request=Request(meta=Meta(identity="client"), input=Input(name="change")), wait_policy=None), 30)))
    task = await polled(stage)
    stage.keep("task", task)
    message = task.messages[0]
    await complete(stage, task, accept(message), respond(message))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def too_many(stage: Stage) -> None:
    """Ten are in flight at most."""
    await stage.raw.start(stage.id)
    sent = [send(stage, f"u{number}") for number in range(10)]
    await until_admitted(stage, *(f"u{number}" for number in range(10)))
    await stage.keep_call("eleventh", stage.raw.call("UpdateWorkflowExecution", request(stage, "u10"), 5))
    await stage.raw.terminate(stage.id)
    await asyncio.gather(*sent)


@scenario
async def the_wait_ends(stage: Stage) -> None:
    """After a while the answer is the stage that was reached."""
    await stage.raw.start(stage.id)
    await stage.keep_call("admitted", stage.raw.call("UpdateWorkflowExecution", request(stage, until_stage=ACCEPTED), 40))
    task = await polled(stage)
    await complete(stage, task, accept(task.messages[0]))
    await stage.keep_call("accepted", look(stage, "u", COMPLETED, seconds=40))
    await stage.raw.terminate(stage.id)


@scenario
async def query_beside(stage: Stage) -> None:
    """A query goes along with a speculative task."""
    from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult

    await idle(stage)
    sent = send(stage)
    await until_admitted(stage)
    asked = asyncio.create_task(outcome(stage.raw.call("QueryWorkflow", ws.QueryWorkflowRequest(namespace="default", execution=WorkflowExecution(workflow_id=stage.id), query=WorkflowQuery(query_type="q")), 30)))
    await asyncio.sleep(0.5)
    task = await polled(stage)
    stage.keep("task", [bool(task.query.query_type), sorted(one.query_type for one in task.queries.values()), [one.id for one in task.messages]])
    results = {name: WorkflowQueryResult(result_type=1, answer=texts("answer")) for name in task.queries}
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0]), query_results=results))
    await keep_sent(stage, "update", sent)
    await keep_sent(stage, "query", asked)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def heartbeat(stage: Stage) -> None:
    """A worker that only wants more time keeps the update."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    answer = await stage.keep_call("heartbeat", stage.raw.complete(task, force_create_new_workflow_task=True, return_new_workflow_task=True))
    message = task.messages[0]
    await stage.keep_call("accept", complete(stage, answer.workflow_task, accept(message), respond(message)))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def before_the_first_task_may_be(stage: Stage) -> None:
    """A start delay holds the update back."""
    await stage.raw.start(stage.id, workflow_start_delay=timedelta(seconds=3))
    sent = send(stage)
    await until_admitted(stage)
    await stage.keep_history("waiting")
    task = await polled(stage)
    stage.keep("task", [task.started_event_id, [one.id for one in task.messages]])
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def continued_as_new(stage: Stage) -> None:
    """The updates of a run are not those of the next."""
    await idle(stage)
    sent = send(stage)
    task = await polled(stage)
    message = task.messages[0]
    again = command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": stage.queue})
    await complete(stage, task, accept(message), respond(message), after=[again])
    await keep_sent(stage, "update", sent)
    await stage.keep_call("poll", look(stage))
    sent = send(stage)
    await until_admitted(stage)
    task = await polled(stage)
    stage.keep("next run", [task.started_event_id, [one.id for one in task.messages]])
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0], "other"))
    await keep_sent(stage, "update of the next", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


def bad(name: str, make: Any, refused: bool = False, speculative: bool = True) -> None:
    """Registers scenarios in which a worker answers a delivered update badly, in a normal and in a speculative task.

    `refused`: the request is refused as a whole, and the reference begins anew with the update."""

    async def play(stage: Stage, sent: asyncio.Task[Any], task: Any) -> None:
        await stage.keep_call("answer", make(stage, task, task.messages[0]))
        if refused:
            await until_admitted(stage)
        else:
            await stage.keep_history("answered")
        await outcome(stage.raw.terminate(stage.id))
        await keep_sent(stage, "update", sent)
        if not refused:
            await stage.keep_history()

    @named(f"updates/bad_{name}")
    async def answered_badly(stage: Stage) -> None:
        await stage.raw.start(stage.id)
        sent = send(stage)
        await until_admitted(stage)
        await play(stage, sent, await polled(stage))

    if speculative:

        @named(f"updates/bad_speculative_{name}")
        async def speculative_answered_badly(stage: Stage) -> None:
            await idle(stage)
            sent = send(stage)
            await play(stage, sent, await polled(stage))


def with_body(message: Carried, body: Message, identity: str = "odd", **fields: Any) -> Carried:
    """A message of any body."""
    return Carried(**{"id": f"{message.protocol_instance_id}/{identity}", "protocol_instance_id": message.protocol_instance_id, "body": packed(body), **fields})


UNKNOWN = Carried(id="x/request", protocol_instance_id="x", event_id=1, body=packed(Request(meta=Meta(update_id="x"), input=Input(name="change"))))
UNPARSABLE = Packed(type_url="type.googleapis.com/temporal.api.update.v1.Acceptance", value=b"\xff\xff")

bad("response_without_acceptance", lambda stage, task, message: complete(stage, task, respond(message)))
bad("accepted_twice", lambda stage, task, message: complete(stage, task, accept(message), accept(message, "again")))
bad("completed_twice", lambda stage, task, message: complete(stage, task, accept(message), respond(message), respond(message, identity="again")))
bad("rejected_and_accepted", lambda stage, task, message: complete(stage, task, accept(message), reject(message)))
bad("rejected_twice", lambda stage, task, message: complete(stage, task, reject(message), reject(message, identity="again")))
bad("no_such_message", lambda stage, task, message: stage.raw.complete(task, command("protocol_message", message_id="nothing")))
bad("no_message_id", lambda stage, task, message: stage.raw.complete(task, command("protocol_message", message_id="")))
bad("message_used_twice", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message), accept(message)), messages=[accept(message)]))
bad("same_id_twice", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message)), messages=[accept(message), respond(message, identity="accept")]))
bad("acceptance_without_command", lambda stage, task, message: stage.raw.complete(task, messages=[accept(message), respond(message)]))
bad("unknown_instance", lambda stage, task, message: complete(stage, task, respond(UNKNOWN)))
bad("resurrected", lambda stage, task, message: complete(stage, task, accept(UNKNOWN), respond(UNKNOWN)))
bad("resurrected_empty", lambda stage, task, message: stage.raw.complete(task, *carry(accept(UNKNOWN)), messages=[with_body(UNKNOWN, Acceptance(), "accept")]))
bad("rejection_of_unknown", lambda stage, task, message: complete(stage, task, reject(UNKNOWN)))
bad("no_instance", lambda stage, task, message: complete(stage, task, accept(message, protocol_instance_id="")))
bad("no_body", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message)), messages=[accept(message, body=None)]), refused=True)
bad("foreign_body", lambda stage, task, message: complete(stage, task, with_body(message, texts("foreign"))))
bad("request_as_body", lambda stage, task, message: complete(stage, task, with_body(message, Request(meta=Meta(update_id="u")))))
bad("unparsable_body", lambda stage, task, message: complete(stage, task, accept(message, body=UNPARSABLE)))
bad("empty_type_url", lambda stage, task, message: complete(stage, task, accept(message, body=Packed(value=b"x"))), refused=True)
bad("empty_acceptance", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message)), messages=[with_body(message, Acceptance(), "accept")]))
bad("empty_response", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message), respond(message)), messages=[accept(message), with_body(message, Response(), "complete")]))
bad("response_without_meta", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message), respond(message)), messages=[accept(message), with_body(message, Response(outcome=Outcome(success=texts("x"))), "complete")]))
bad("response_without_outcome", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message), respond(message)), messages=[accept(message), with_body(message, Response(meta=Meta(update_id="u")), "complete")]))
bad("response_of_other_id", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message), respond(message)), messages=[accept(message), with_body(message, Response(meta=Meta(update_id="other"), outcome=Outcome(success=texts("x"))), "complete")]))
bad("empty_rejection", lambda stage, task, message: stage.raw.complete(task, messages=[with_body(message, Rejection(), "reject")]))
bad("no_sequencing_id", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message)), messages=[accept(message, body=packed(Acceptance(accepted_request_message_id=message.id, accepted_request=Request.FromString(message.body.value))))]))
bad("wrong_sequencing_id", lambda stage, task, message: stage.raw.complete(task, *carry(accept(message)), messages=[accept(message, body=packed(Acceptance(accepted_request_message_id="y", accepted_request_sequencing_event_id=77)))]))
bad("large_response", lambda stage, task, message: complete(stage, task, accept(message), respond(message, "x" * (2 * 1024 * 1024))))
bad("large_rejection", lambda stage, task, message: complete(stage, task, reject(message, "x" * (2 * 1024 * 1024))), speculative=False)
bad("close_before_acceptance", lambda stage, task, message: complete(stage, task, accept(message), before=[command("complete_workflow_execution")]), refused=True)
bad("bad_command_behind", lambda stage, task, message: complete(stage, task, accept(message), respond(message), after=[command("cancel_timer", timer_id="nothing")]))
bad("empty_message", lambda stage, task, message: stage.raw.complete(task, messages=[Carried()]), refused=True)
bad("rejection_of_unknown_without_request", lambda stage, task, message: stage.raw.complete(task, messages=[with_body(UNKNOWN, Rejection(failure=refusal("no")), "reject")]))
bad("unqualified_type", lambda stage, task, message: complete(stage, task, accept(message, body=Packed(type_url="type.googleapis.com/Odd", value=b"x"))), refused=True)
bad("unknown_type", lambda stage, task, message: complete(stage, task, accept(message, body=Packed(type_url="type.googleapis.com/temporal.api.update.v1.Odd", value=b"x"))))
bad("unknown_protocol", lambda stage, task, message: complete(stage, task, accept(message, body=Packed(type_url="type.googleapis.com/temporal.api.odd.v1.Request", value=b"x"))))
bad("bare_type", lambda stage, task, message: complete(stage, task, accept(message, body=Packed(type_url="temporal.api.update.v1.Acceptance", value=accept(message).body.value))))
bad("rejection_in_order", lambda stage, task, message: stage.raw.complete(task, command("record_marker", marker_name="m"), *carry(reject(message)), messages=[reject(message)]))


@scenario
async def accepted_again_later(stage: Stage) -> None:
    """What a worker says of an update that it accepted or completed before."""
    await idle(stage)
    sent = send(stage, until_stage=ACCEPTED)
    task = await polled(stage)
    message = task.messages[0]
    await complete(stage, task, accept(message))
    await keep_sent(stage, "update", sent)
    for label, odd in (("accepted again", accept(message)), ("rejected", reject(message))):
        await stage.raw.signal(stage.id, label)
        await stage.keep_call(label, complete(stage, await polled(stage), odd))
        task = await polled(stage)
        await stage.raw.complete(task)
    await stage.raw.signal(stage.id, "respond")
    await stage.keep_call("respond", complete(stage, await polled(stage), respond(message)))
    for label, odd in (("accepted when completed", accept(message)), ("completed again", respond(message)), ("rejected when completed", reject(message))):
        await stage.raw.signal(stage.id, label)
        await stage.keep_call(label, complete(stage, await polled(stage), odd))
        task = await polled(stage)
        await stage.raw.complete(task)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def answered_before_it_was_sent(stage: Stage) -> None:
    """An update that came while the task was started is accepted by guess."""
    await stage.raw.start(stage.id)
    task = await polled(stage)
    sent = send(stage)
    await until_admitted(stage)
    guess = Carried(id="u/request", protocol_instance_id="u", event_id=2, body=packed(request(stage).request))
    await stage.keep_call("accept", complete(stage, task, accept(guess)))
    await stage.keep_history("answered")
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "update", sent)
    await stage.keep_history()


@scenario
async def all_kinds_when_a_task_fails(stage: Stage) -> None:
    """A bad command fails the task: what becomes of accepted and delivered updates? Of one that still waits the reference says now this, now that."""
    await idle(stage)
    accepting = send(stage, "accepted", ACCEPTED)
    task = await polled(stage)
    message = task.messages[0]
    await complete(stage, task, accept(message))
    await keep_sent(stage, "accepted", accepting)
    waits = send(stage, "accepted")
    delivered = send(stage, "delivered")
    task = await polled(stage)
    await stage.keep_call("bad command", stage.raw.complete(task, command("cancel_timer", timer_id="nothing")))
    await keep_sent(stage, "delivered", delivered)
    for update_id in ("accepted", "delivered"):
        await stage.keep_call(f"poll {update_id}", look(stage, update_id))
    task = await polled(stage)
    stage.keep("second attempt", [task.attempt, task.started_event_id, [one.id for one in task.messages]])
    await stage.keep_call("respond", complete(stage, task, respond(message)))
    await keep_sent(stage, "waits", waits)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def fails_on_a_sticky_queue(stage: Stage) -> None:
    """The next task is a first attempt again, on the normal queue."""
    queue = stage.queue + "-sticky"
    poll = asyncio.create_task(stage.raw.poll_workflow(queue, stage.queue))
    await idle(stage, sticky=queue)
    sent = send(stage, until_stage=ACCEPTED)
    task = await poll
    await stage.keep_call("fail", stage.raw.fail(task, 14, "failed"))
    await stage.keep_history("failed")
    task = await polled(stage)
    stage.keep("next", task)
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "update", sent)
    await stage.keep_history()


@scenario
async def times_out_on_a_sticky_queue(stage: Stage) -> None:
    queue = stage.queue + "-sticky"
    poll = asyncio.create_task(stage.raw.poll_workflow(queue, stage.queue))
    await idle(stage, sticky=queue, workflow_task_timeout=timedelta(seconds=1))
    sent = send(stage, until_stage=ACCEPTED)
    await poll
    await stage.until_events("WorkflowTaskTimedOut")
    task = await polled(stage)
    stage.keep("next", task)
    await stage.raw.terminate(stage.id)
    await keep_sent(stage, "update", sent)
    await stage.keep_history()


@scenario
async def sticky_worker_is_slow(stage: Stage) -> None:
    """The sticky queue was polled lately, but nobody takes the task in time."""
    queue = stage.queue + "-sticky"
    poll = asyncio.create_task(stage.raw.poll_workflow(queue, stage.queue))
    await idle(stage, sticky=queue)
    await stage.raw.signal(stage.id)
    await stage.raw.complete(await poll, sticky=queue, sticky_seconds=1)
    sent = send(stage)
    task = await polled(stage)
    stage.keep("task", task)
    await stage.keep_history("started")
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def rejected_before_the_first_task_may_be(stage: Stage) -> None:
    await stage.raw.start(stage.id, workflow_start_delay=timedelta(seconds=3))
    sent = send(stage)
    task = await polled(stage)
    stage.keep("task", [task.started_event_id, task.previous_started_event_id, [one.id for one in task.messages]])
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "update", sent)
    await stage.keep_history("rejected")
    task = await polled(stage)
    stage.keep("first task", [task.started_event_id, task.previous_started_event_id])
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def run_times_out_with_a_speculative_task(stage: Stage) -> None:
    await idle(stage, workflow_run_timeout=timedelta(seconds=2))
    sent = send(stage)
    await until_admitted(stage)
    await keep_sent(stage, "scheduled", sent)
    await stage.keep_history("scheduled, history")
    await stage.raw.start(stage.id, request_id="second", workflow_run_timeout=timedelta(seconds=2))
    await stage.raw.complete(await polled(stage))
    sent = send(stage)
    await polled(stage)
    await keep_sent(stage, "started", sent)
    await stage.keep_history("started, history")


@scenario
async def timer_while_scheduled(stage: Stage) -> None:
    """A timer that fires is written behind the task, and the task is a normal one."""
    await stage.raw.start(stage.id)
    await stage.raw.complete(await polled(stage), command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(seconds=1)))
    sent = send(stage)
    await until_admitted(stage)
    await stage.until_events("TimerFired")
    await stage.keep_history("fired")
    task = await polled(stage)
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def asked_twice(stage: Stage) -> None:
    """Two clients with one id wait for different stages."""
    await idle(stage)
    first = send(stage, until_stage=ACCEPTED)
    await until_admitted(stage)
    second = send(stage)
    polling = asyncio.create_task(outcome(look(stage, "u", ACCEPTED, seconds=40)))
    task = await polled(stage)
    stage.keep("messages", [one.id for one in task.messages])
    message = task.messages[0]
    await complete(stage, task, accept(message))
    await keep_sent(stage, "first", first)
    await keep_sent(stage, "polling", polling)
    await stage.raw.signal(stage.id)
    await complete(stage, await polled(stage), respond(message))
    await keep_sent(stage, "second", second)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def the_whole_chain_by_first_run(stage: Stage) -> None:
    """The first run names the chain."""
    started = await idle(stage)
    sent = send(stage, first_execution_run_id=started.run_id)
    task = await polled(stage)
    again = command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": stage.queue})
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]), after=[again])
    await keep_sent(stage, "first", sent)
    sent = send(stage, first_execution_run_id=started.run_id)
    await until_admitted(stage)
    task = await polled(stage)
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "second", sent)
    await stage.raw.terminate(stage.id)


@scenario
async def with_a_header(stage: Stage) -> None:
    await idle(stage)
    sent = send(stage, request=Request(meta=Meta(update_id="u"), input=Input(name="change", header={"fields": {"h": texts("v").payloads[0]}})))
    task = await polled(stage)
    stage.keep("messages", [stage.scrubber.message(one) for one in task.messages])
    await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def another_came_while_one_was_rejected(stage: Stage) -> None:
    """The dropped task is followed by another at the same place."""
    for inline in (False, True):
        await stage.raw.start(stage.id, request_id=f"{inline}")
        await stage.raw.complete(await polled(stage))
        first = send(stage, "first")
        task = await polled(stage)
        second = send(stage, "second")
        await until_admitted(stage, "second")
        answer = await stage.keep_call(f"reject, {inline}", complete(stage, task, reject(task.messages[0]), return_new_workflow_task=inline))
        await keep_sent(stage, f"first, {inline}", first)
        await stage.keep_describe(f"described, {inline}")
        task = answer.workflow_task if inline else await polled(stage)
        stage.keep(f"second task, {inline}", [task.previous_started_event_id, task.started_event_id, [message.id for message in task.messages]])
        await complete(stage, task, accept(task.messages[0]), respond(task.messages[0]))
        await keep_sent(stage, f"second, {inline}", second)
        await stage.raw.terminate(stage.id)
        await stage.keep_history(f"history, {inline}")


@scenario
async def behind_a_completion_with_a_sticky_queue(stage: Stage) -> None:
    """An update that waited has a normal task, if the worker does not want it at once."""
    queue = stage.queue + "-sticky"
    poll = asyncio.create_task(stage.raw.poll_workflow(queue, stage.queue))
    await stage.raw.start(stage.id)
    task = await polled(stage)
    sent = send(stage)
    await until_admitted(stage)
    await stage.keep_call("complete", stage.raw.complete(task, sticky=queue, sticky_seconds=10))
    task = await poll
    stage.keep("task", task)
    await stage.keep_call("reject", complete(stage, task, reject(task.messages[0])))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def several_at_once(stage: Stage) -> None:
    """Accepted, rejected and ignored in one answer, beside a timer and a query of a signal's making."""
    await stage.raw.start(stage.id)
    sent = {}
    for name in ("a", "b", "c"):
        sent[name] = send(stage, name)
        await until_admitted(stage, name)
    task = await polled(stage)
    await stage.raw.signal(stage.id)
    a, b, _ = task.messages
    timer = command("start_timer", timer_id="t", start_to_fire_timeout=timedelta(hours=1))
    await stage.keep_call("complete", stage.raw.complete(task, timer, *carry(accept(a), respond(a)), messages=[reject(b), accept(a), respond(a)]))
    for name, one in sent.items():
        await keep_sent(stage, name, one)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def leftovers_behind_a_close(stage: Stage) -> None:
    """Rejections count, acceptances that no command places do not."""
    for label, make in (("rejected", lambda one: [reject(one)]), ("accepted", lambda one: [accept(one), respond(one)])):
        await stage.raw.start(stage.id, request_id=label)
        await stage.raw.complete(await polled(stage))
        sent = send(stage)
        task = await polled(stage)
        await stage.keep_call(label, stage.raw.complete(task, command("complete_workflow_execution"), messages=make(task.messages[0])))
        await keep_sent(stage, f"update, {label}", sent)
        await stage.keep_history(f"history, {label}")


@scenario
async def failed_with_another_run_behind(stage: Stage) -> None:
    """Another run follows, and may be asked."""
    await stage.raw.start(stage.id, retry_policy={"maximum_attempts": 3, "initial_interval": timedelta(seconds=1)})
    task = await polled(stage)
    sent = send(stage)
    await until_admitted(stage)
    await stage.raw.complete(task, command("fail_workflow_execution", failure={"message": "failed"}))
    await keep_sent(stage, "update", sent)
    await stage.raw.terminate(stage.id)


@scenario
async def answered_badly_again(stage: Stage) -> None:
    """A transient attempt that is answered badly is still the worker's; the update is not."""
    await stage.raw.start(stage.id)
    await stage.raw.fail(await polled(stage), 14, "failed")
    sent = send(stage)
    await until_admitted(stage)
    task = await polled(stage)
    message = task.messages[0]
    await stage.keep_call("bad", complete(stage, task, respond(message)))
    await keep_sent(stage, "update", sent)
    await stage.keep_call("good", complete(stage, task, accept(message), respond(message)))
    await stage.keep_call("poll", look(stage))
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def with_a_request_id(stage: Stage) -> None:
    """Links and Describe name the request."""
    await idle(stage)
    sent = send(stage, request=Request(meta=Meta(update_id="u", identity="client"), input=Input(name="change"), request_id="the request"))
    task = await polled(stage)
    message = task.messages[0]
    await complete(stage, task, accept(message), respond(message))
    await keep_sent(stage, "update", sent)
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


async def beating(stage: Stage) -> Any:
    """An idle run with an activity that a worker has."""
    await stage.raw.start(stage.id)
    act = command(
        "schedule_activity_task",
        activity_id="a",
        activity_type={"name": "act"},
        task_queue={"name": stage.queue},
        start_to_close_timeout=timedelta(hours=1),
        retry_policy={"non_retryable_error_types": ["Bad"]},
    )
    await stage.raw.complete(await polled(stage), act)
    return await stage.raw.poll_activity(stage.queue)


async def beat(stage: Stage, task: Any, *details: str) -> None:
    asked = ws.RecordActivityTaskHeartbeatRequest(namespace="default", task_token=task.task_token, identity="raw", details=texts(*details) if details else None)
    await stage.raw.call("RecordActivityTaskHeartbeat", asked)


@scenario
async def heartbeat_while_one_waits(stage: Stage) -> None:
    """The heartbeat of an activity writes the task that was there for the update alone."""
    act = await beating(stage)
    sent = send(stage)
    await until_admitted(stage)
    await beat(stage, act, "half")
    await stage.keep_history("beaten")
    task = await polled(stage)
    await complete(stage, task, *map(reject, task.messages))
    await keep_sent(stage, "update", sent)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def heartbeat_without_details_while_one_waits(stage: Stage) -> None:
    act = await beating(stage)
    sent = send(stage)
    await until_admitted(stage)
    await beat(stage, act)
    await stage.keep_history("beaten")
    task = await polled(stage)
    await complete(stage, task, *map(reject, task.messages))
    await keep_sent(stage, "update", sent)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def heartbeat_while_a_worker_has_one(stage: Stage) -> None:
    act = await beating(stage)
    sent = send(stage)
    await until_admitted(stage)
    task = await polled(stage)
    await beat(stage, act, "half")
    await stage.keep_history("beaten")
    await complete(stage, task, *map(reject, task.messages))
    await keep_sent(stage, "update", sent)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


async def ignored(stage: Stage, *, behind: str = "", **fields: Any) -> None:
    """A worker has two updates, and speaks of one; `behind`: what comes while it has them."""
    await idle(stage)
    first = send(stage, "first")
    await until_admitted(stage, "first")
    second = send(stage, "second")
    await until_admitted(stage, "second")
    task = await polled(stage)
    third = None
    if behind == "signal":
        await stage.raw.signal(stage.id)
    if behind == "update":
        third = send(stage, "third")
        await until_admitted(stage, "third")
    spoken = [message for message in task.messages if message.protocol_instance_id == "second"]
    await complete(stage, task, *(one for message in spoken for one in (accept(message), respond(message))), **fields)
    await keep_sent(stage, "second", second)
    if behind or fields:
        task = await polled(stage)
        keep_task(stage, "next", task)
        await complete(stage, task, *(one for message in task.messages for one in (accept(message), respond(message))))
    await keep_sent(stage, "first", first)
    if third:
        await keep_sent(stage, "third", third)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


def keep_task(stage: Stage, label: str, task: Any) -> None:
    """Keeps what a worker was told of updates."""
    stage.keep(label, {"messages": [stage.scrubber.message(message) for message in task.messages]})


@scenario
async def ignored_beside_another(stage: Stage) -> None:
    """The worker seems to know no updates of this kind: it is rejected."""
    await ignored(stage)


@scenario
async def ignored_and_a_signal_came(stage: Stage) -> None:
    """There is another task at once: it is sent again."""
    await ignored(stage, behind="signal")


@scenario
async def ignored_and_another_came(stage: Stage) -> None:
    await ignored(stage, behind="update")


@scenario
async def ignored_and_another_task_wanted(stage: Stage) -> None:
    await ignored(stage, force_create_new_workflow_task=True)


async def asked_for_time(stage: Stage, *commands: Any, **fields: Any) -> None:
    """A worker that has an update asks for another task, and says nothing of it."""
    await idle(stage)
    sent = send(stage)
    await until_admitted(stage)
    answer = await stage.raw.complete(await polled(stage), *commands, force_create_new_workflow_task=True, **fields)
    task = answer.workflow_task if fields else await polled(stage)
    keep_task(stage, "next", task)
    await complete(stage, task, *(one for message in task.messages for one in (accept(message), respond(message))))
    await keep_sent(stage, "update", sent)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def asked_for_another_task(stage: Stage) -> None:
    await asked_for_time(stage)


@scenario
async def asked_for_another_task_with_a_command(stage: Stage) -> None:
    await asked_for_time(stage, command("record_marker", marker_name="m"))


@scenario
async def asked_for_another_task_at_once(stage: Stage) -> None:
    await asked_for_time(stage, return_new_workflow_task=True)


@scenario
async def asked_for_another_task_at_once_with_a_command(stage: Stage) -> None:
    await asked_for_time(stage, command("record_marker", marker_name="m"), return_new_workflow_task=True)
