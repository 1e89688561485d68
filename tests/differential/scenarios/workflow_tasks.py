"""Workflow tasks by hand: timeouts, failures, stickiness, buffered events, inline next tasks, shapes of polls."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest, ResetStickyTaskQueueRequest, RespondActivityTaskCompletedRequest

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import command, texts

UNHANDLED_FAILURE = 14
NON_DETERMINISTIC = 24


async def started(stage: Stage, **fields: object):  # type: ignore[no-untyped-def]
    """A run with its first task polled."""
    await stage.raw.start(stage.id, **fields)
    return await stage.raw.poll_workflow(stage.queue)


@scenario
async def first_poll(stage: Stage) -> None:
    """Every field of a workflow task."""
    task = await started(stage, input=texts("in"), header={"fields": {"h": texts("v").payloads[0]}})
    stage.keep("task", task)
    await stage.keep_describe()
    await stage.keep_call("complete", stage.raw.complete(task, sdk_metadata={"core_used_flags": [1], "sdk_name": "none", "sdk_version": "0"}, metering_metadata={"nonfirst_local_activity_execution_attempts": 2}))
    await stage.keep_describe("idle")
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def start_to_close_timeout(stage: Stage) -> None:
    """Attempt 1 leaves an event, attempt 2 is transient."""
    await started(stage, workflow_task_timeout=timedelta(seconds=1))
    await stage.until_events("WorkflowTaskTimedOut")
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("second attempt", task)
    await stage.keep_describe("second attempt, described")
    await stage.keep_history("with the transient task")
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def failed_then_transient(stage: Stage) -> None:
    task = await started(stage)
    await stage.keep_call("first", stage.raw.fail(task, UNHANDLED_FAILURE, "first"))
    await stage.keep_call("stale token", stage.raw.fail(task, UNHANDLED_FAILURE, "stale"))
    second = await stage.raw.poll_workflow(stage.queue)
    stage.keep("second attempt", second)
    await stage.keep_call("second", stage.raw.fail(second, UNHANDLED_FAILURE, "second"))
    await stage.keep_history("after two failures")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_describe("third attempt")
    await stage.keep_call("stale attempt", stage.raw.complete(second))
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def failed_with_buffered_signal(stage: Stage) -> None:
    """New events end the transient state: the next task is attempt 1 again."""
    task = await started(stage)
    await stage.raw.signal(stage.id, "buffered")
    await stage.raw.fail(task, UNHANDLED_FAILURE, "with a signal waiting")
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("attempt", task.attempt)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def signal_between_transient_attempts(stage: Stage) -> None:
    """A transient task that was overtaken by an event becomes a normal one."""
    task = await started(stage)
    await stage.raw.fail(task, UNHANDLED_FAILURE, "first")
    await stage.raw.signal(stage.id, "between")
    await stage.keep_history("overtaken")
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("task", task)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def signal_during_transient_attempt(stage: Stage) -> None:
    task = await started(stage)
    await stage.raw.fail(task, UNHANDLED_FAILURE, "first")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "during")
    await stage.keep_history("during")
    await stage.raw.complete(task, command("record_marker", marker_name="m"))
    await stage.keep_history("completed")
    await stage.raw.terminate(stage.id)


@scenario
async def terminated_in_transient_attempt(stage: Stage) -> None:
    task = await started(stage)
    await stage.raw.fail(task, UNHANDLED_FAILURE, "first")
    await stage.raw.poll_workflow(stage.queue)
    await stage.raw.terminate(stage.id)
    await stage.keep_history()


@scenario
async def failed_for_size(stage: Stage) -> None:
    """The one cause of a worker that ends the run."""
    task = await started(stage)
    await stage.keep_call("fail", stage.raw.fail(task, 36, "too large"))
    await stage.keep_history()


@scenario
async def failed_with_any_cause(stage: Stage) -> None:
    for cause in (0, NON_DETERMINISTIC, 37, 99):
        await stage.raw.start(f"{stage.id}-{cause}", stage.queue)
        task = await stage.raw.poll_workflow(stage.queue)
        await stage.keep_call(f"cause {cause}", stage.raw.fail(task, cause, "a message"))
        await stage.keep_history(f"history {cause}", f"{stage.id}-{cause}")
        await stage.raw.terminate(f"{stage.id}-{cause}")


@scenario
async def sticky(stage: Stage) -> None:
    """A sticky task carries only what is new."""
    sticky_queue = stage.queue + "-sticky"
    task = await started(stage)
    poll = asyncio.create_task(stage.raw.poll_workflow(sticky_queue, stage.queue))
    await stage.raw.complete(task, sticky=sticky_queue, sticky_seconds=10)
    await stage.raw.signal(stage.id, "one")
    task = await poll
    stage.keep("sticky task", task)
    await stage.keep_call("complete without stickiness", stage.raw.complete(task))
    await stage.raw.signal(stage.id, "two")
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("normal task", task)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def sticky_worker_died(stage: Stage) -> None:
    """Nobody takes the sticky task: it times out and goes to the normal queue."""
    sticky_queue = stage.queue + "-sticky"
    task = await started(stage)
    poll = asyncio.create_task(stage.raw.poll_workflow(sticky_queue, stage.queue))
    await stage.raw.complete(task, sticky=sticky_queue, sticky_seconds=1)
    await stage.raw.signal(stage.id, "seen by the sticky worker")
    await stage.raw.complete(await poll, sticky=sticky_queue, sticky_seconds=1)
    await stage.raw.signal(stage.id, "seen by nobody")
    await stage.until_events("WorkflowTaskTimedOut")
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("task", task)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def sticky_task_failed(stage: Stage) -> None:
    """The first failure of a sticky worker costs no attempt."""
    sticky_queue = stage.queue + "-sticky"
    task = await started(stage)
    poll = asyncio.create_task(stage.raw.poll_workflow(sticky_queue, stage.queue))
    await stage.raw.complete(task, sticky=sticky_queue, sticky_seconds=10)
    await stage.raw.signal(stage.id, "one")
    await stage.raw.fail(await poll, UNHANDLED_FAILURE, "sticky")
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("task", task)
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def sticky_reset(stage: Stage) -> None:
    request = ResetStickyTaskQueueRequest(namespace="default", execution=WorkflowExecution(workflow_id=stage.id))
    await stage.keep_call("unknown", stage.raw.call("ResetStickyTaskQueue", request))
    task = await started(stage)
    await stage.raw.complete(task, sticky=stage.queue + "-sticky", sticky_seconds=10)
    await stage.keep_call("reset", stage.raw.call("ResetStickyTaskQueue", request))
    await stage.raw.signal(stage.id, "one")
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("task", task)
    await stage.raw.terminate(stage.id)
    await stage.keep_call("closed", stage.raw.call("ResetStickyTaskQueue", request))
    await stage.keep_history()


@scenario
async def forced_new_task(stage: Stage) -> None:
    task = await started(stage)
    await stage.keep_call("not inline", stage.raw.complete(task, force_create_new_workflow_task=True))
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("inline", stage.raw.complete(task, force_create_new_workflow_task=True, return_new_workflow_task=True))
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


@scenario
async def heartbeats_inline(stage: Stage) -> None:
    """What a worker with a long local activity does: complete, go on, with stickiness."""
    task = await started(stage)
    for number in range(3):
        commands = [command("record_marker", marker_name=f"marker {number}")] if number == 1 else []
        answer = await stage.keep_call(f"heartbeat {number}", stage.raw.complete(task, *commands, sticky=stage.queue + "-sticky", sticky_seconds=10, force_create_new_workflow_task=True, return_new_workflow_task=True))
        task = answer.workflow_task
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def inline_task_for_buffered_signal(stage: Stage) -> None:
    task = await started(stage)
    await stage.raw.signal(stage.id, "buffered")
    answer = await stage.keep_call("complete", stage.raw.complete(task, command("record_marker", marker_name="m"), return_new_workflow_task=True))
    await stage.raw.complete(answer.workflow_task, command("complete_workflow_execution"))
    await stage.keep_history()


@scenario
async def inline_task_not_needed(stage: Stage) -> None:
    task = await started(stage)
    await stage.keep_call("complete", stage.raw.complete(task, return_new_workflow_task=True))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def buffered_activity_and_signals(stage: Stage) -> None:
    """Flushed in arrival order, but what closes an activity goes last."""
    task = await started(stage)
    await stage.raw.complete(
        task,
        command("schedule_activity_task", activity_id="a", activity_type={"name": "a"}, task_queue={"name": stage.queue}, start_to_close_timeout=timedelta(seconds=30)),
        force_create_new_workflow_task=True,
    )
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.signal(stage.id, "before")
    work = await stage.raw.poll_activity(stage.queue)
    await stage.raw.call("RespondActivityTaskCompleted", RespondActivityTaskCompletedRequest(namespace="default", task_token=work.task_token, result=texts("done"), identity="raw"))
    await stage.raw.signal(stage.id, "after")
    await stage.raw.cancel(stage.id)
    await stage.keep_describe("buffered")
    await stage.raw.complete(task, command("record_marker", marker_name="m"))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def unhandled_command(stage: Stage) -> None:
    """A close that has not seen everything is refused, then tried again."""
    task = await started(stage)
    await stage.raw.signal(stage.id, "unseen")
    await stage.keep_call("complete", stage.raw.complete(task, command("complete_workflow_execution")))
    await stage.keep_history("refused")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("signal while closing", stage.raw.signal(stage.id, "late"))
    await stage.keep_call("complete again", stage.raw.complete(task, command("complete_workflow_execution")))
    await stage.keep_history()


@scenario
async def failed_behind_a_close_that_was_refused(stage: Stage) -> None:
    """Another failure, and the run is not closing any more: signals are taken while a worker has the next attempt."""
    task = await started(stage)
    await stage.raw.signal(stage.id, "unseen")
    await stage.keep_call("complete", stage.raw.complete(task, command("complete_workflow_execution")))
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("signal while closing", stage.raw.signal(stage.id, "late"))
    await stage.raw.fail(task, UNHANDLED_FAILURE, "no")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("signal", stage.raw.signal(stage.id, "in time"))
    await stage.raw.complete(task)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def timed_out_behind_a_close_that_was_refused(stage: Stage) -> None:
    """So it is behind a timeout."""
    task = await started(stage, workflow_task_timeout=timedelta(seconds=2))
    await stage.raw.signal(stage.id, "unseen")
    await stage.keep_call("complete", stage.raw.complete(task, command("complete_workflow_execution")))
    await stage.raw.poll_workflow(stage.queue)
    await stage.until_events("WorkflowTaskTimedOut")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("signal", stage.raw.signal(stage.id, "in time"))
    await stage.raw.complete(task)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def worker_lost_and_signals(stage: Stage) -> None:
    """A timed-out task with signals in the buffer."""
    await started(stage, workflow_task_timeout=timedelta(seconds=1))
    await stage.raw.signal(stage.id, "one")
    await stage.raw.signal(stage.id, "two")
    await stage.until_events("WorkflowTaskTimedOut")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def many_buffered(stage: Stage) -> None:
    """The buffer has a limit: reaching it fails the task."""
    task = await started(stage)
    for number in range(101):
        await stage.raw.signal(stage.id, f"signal {number}")
    await stage.keep_call("complete", stage.raw.complete(task))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def polls_end_empty(stage: Stage) -> None:
    """A poll that finds nothing answers with the default message before its deadline."""
    stage.keep("workflow", await stage.raw.poll_workflow(stage.queue, seconds=4, empty=True))
    stage.keep("activity", await stage.raw.poll_activity(stage.queue, seconds=4, empty=True))
    await stage.keep_call("too short", stage.raw.poll_workflow(stage.queue, seconds=1))
    await stage.keep_call("too short for activities", stage.raw.poll_activity(stage.queue, seconds=1))


@scenario
async def dropped_poll_loses_nothing(stage: Stage) -> None:
    """A client that goes away gives its poll back: the next start is not lost on it."""
    for _ in range(3):
        poll = asyncio.create_task(stage.raw.poll_workflow(stage.queue, seconds=30))
        await asyncio.wait({poll}, timeout=0.3)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
    for _ in range(3):  # a hang-up is a frame like any other: calls behind it on the same connection are answered when it has been read
        await stage.raw.call("GetSystemInfo", GetSystemInfoRequest())
    task = await started(stage)
    stage.keep("started", task.started_event_id)
    await stage.raw.terminate(stage.id)
