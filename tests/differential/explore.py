"""`python -m tests.differential.explore`: scripts that nobody thought of, on both servers.

A seed makes a script: calls to one workflow, and what raw workers do with its tasks, some of it wrong. What both servers answered and the histories
that came of it are compared like any scenario. What is found becomes a scenario of its own: nothing of this is recorded. Deliberately absent: time
(nothing runs out within a script), queries beside a workflow task (nobody sees when one has come), a start that ends the run (not twice within a second).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Priority, RetryPolicy, WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState, TaskQueueKind
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice import v1 as ws

from tests.differential.__main__ import dump
from tests.differential.compare import differences
from tests.differential.deliberate import reason_for
from tests.differential.run import Outcome, play_all
from tests.differential.scenario import Stage, named
from tests.differential.scenarios.queries import query
from tests.differential.scenarios.reset import request as reset_request
from tests.differential.scenarios.updates import ACCEPTED, accept, complete, keep_sent, reject, respond, send, until_admitted
from tests.support import sdk
from tests.support.rpc import Refused, attributes, command, event_name, text, texts
from tests.support.server import cairn_binary, reference_binary
from tests.support.wait import until

STEPS = (8, 24)
LONG = timedelta(hours=1)
ASKED = {
    "StartChildWorkflowExecutionInitiated": ("ChildWorkflowExecutionStarted", "StartChildWorkflowExecutionFailed"),
    "SignalExternalWorkflowExecutionInitiated": ("ExternalWorkflowExecutionSignaled", "SignalExternalWorkflowExecutionFailed"),
    "RequestCancelExternalWorkflowExecutionInitiated": ("ExternalWorkflowExecutionCancelRequested", "RequestCancelExternalWorkflowExecutionFailed"),
}
"""What the server does on its own, and how it says that it is done."""


class Script:
    """One seed on one stage: what is in the workers' hands, and what was asked so far."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.raw = stage.raw
        self.random = random.Random(seed)
        self.count = 0
        self.task: Any = None
        self.activities: list[Any] = []
        self.accepted: list[Any] = []
        self.sent: list[tuple[str, asyncio.Task[Any]]] = []
        self.runs: list[str] = []
        self.seen: list[Any] = []
        self.alone = False
        self.sticky = False
        self.sticky_poll: asyncio.Task[Any] | None = None

    async def play(self) -> None:
        """The whole script, and what it left."""
        self.runs.append((await self.raw.start(self.stage.id, **self.started())).run_id)
        for _ in range(self.random.randint(*STEPS)):
            found = await self.raw.describe(self.stage.id)
            run = found.workflow_execution_info.execution.run_id
            if run not in self.runs:
                self.runs.append(run)
                self.sticky = False
            if await self.taken(found):
                continue
            choices = self.choices(found)
            step, weight = zip(*choices, strict=True)
            await self.random.choices(step, weight)[0](found)
        await self.left()
        if self.sticky_poll:
            self.sticky_poll.cancel()

    def started(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"workflow_task_timeout": timedelta(seconds=60)}
        if self.random.random() < 0.2:
            fields["retry_policy"] = RetryPolicy(initial_interval=LONG, maximum_attempts=3)
        if self.random.random() < 0.2:
            fields["memo"] = {"fields": {"a": text("b")}}
        if self.random.random() < 0.2:
            fields["workflow_execution_timeout"] = LONG
        return fields

    def choices(self, found: Any) -> list[tuple[Callable[[Any], Awaitable[None]], int]]:
        """What can be done now, and how likely it is."""
        choices: list[tuple[Callable[[Any], Awaitable[None]], int]] = [(self.signal, 4), (self.cancel, 1), (self.update, 3)]
        choices += [(self.described, 1)]
        if not self.waiting:
            choices += [(self.again, 1), (self.signal_with_start, 1), (self.reset, 1), (self.terminate, 1), (self.options, 1), (self.reset_sticky, 1)]
        # What was pending when a run ended is still described.
        pending = found.HasField("pending_workflow_task") and found.workflow_execution_info.status == 1
        scheduled = pending and found.pending_workflow_task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED
        if self.task:
            choices += [(self.complete, 10)] + ([] if self.waiting else [(self.fail, 2)])
        elif scheduled:
            choices += [(self.poll, 14)]
        elif not self.waiting:
            choices += [(self.query, 3)]
        if self.offered(found):
            choices += [(self.poll_activity, 6)]
        if self.activities:
            choices += [(self.end_activity, 6), (self.heartbeat, 2)]
        if found.pending_activities and not self.waiting:
            choices += [(self.operate, 3)]
        return choices

    def fresh(self, letter: str) -> str:
        """An id that may be taken; while an update waits it is not."""
        return f"{letter}{self.random.randrange(1000)}" if self.waiting else f"{letter}{self.random.choice([1, 2])}"

    def offered(self, found: Any) -> list[str]:
        """Activities that a worker can have."""
        scheduled = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
        return sorted(one.activity_id for one in found.pending_activities if one.state == scheduled and not one.paused and not one.HasField("next_attempt_schedule_time"))

    def queue_of(self, activity: str) -> str:
        return f"{self.stage.queue}-{activity}"

    def name(self, kind: str) -> str:
        self.count += 1
        return f"{self.count} {kind}"

    async def call(self, kind: str, method: str, request: Any) -> Any:
        return await self.stage.keep_call(self.name(kind), self.raw.call(method, request))

    async def signal(self, _: Any) -> None:
        # A request is known again behind a reset, which the reference's is not: on purpose.
        request_id = self.random.choice(["", f"one of {len(self.runs)}", f"two of {len(self.runs)}"])
        request = self.raw.signal_request(self.stage.id, self.random.choice("ab"), input=texts(str(self.count)), request_id=request_id)
        await self.call("signal", "SignalWorkflowExecution", request)

    async def cancel(self, _: Any) -> None:
        request_id = self.random.choice(["", "c"])
        await self.stage.keep_call(self.name("cancel"), self.raw.cancel(self.stage.id, request_id=request_id, reason="please"))

    async def terminate(self, _: Any) -> None:
        if self.random.random() < 0.3:
            await self.stage.keep_call(self.name("terminate"), self.raw.terminate(self.stage.id))

    async def described(self, _: Any) -> None:
        await self.stage.keep_describe(self.name("described"))

    def begun(self) -> dict[str, Any]:
        """What another start says of the id."""
        pick = self.random.choice
        return {"request_id": f"start {self.count}", "workflow_id_reuse_policy": pick([0, 1, 2, 3]), "workflow_id_conflict_policy": pick([0, 0, 1, 2]), "workflow_task_timeout": timedelta(seconds=60)}

    async def again(self, _: Any) -> None:
        await self.call("start", "StartWorkflowExecution", self.raw.start_request(self.stage.id, **self.begun()))

    async def signal_with_start(self, _: Any) -> None:
        request = ws.SignalWithStartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=self.stage.id,
            workflow_type={"name": "raw"},
            task_queue={"name": self.stage.queue},
            identity="raw",
            signal_name="a",
            signal_input=texts(str(self.count)),
            **self.begun(),
        )
        await self.call("signal with start", "SignalWithStartWorkflowExecution", request)

    async def reset_sticky(self, _: Any) -> None:
        request = ws.ResetStickyTaskQueueRequest(namespace="default", execution=WorkflowExecution(workflow_id=self.stage.id))
        await self.call("reset sticky", "ResetStickyTaskQueue", request)
        self.sticky = False

    async def query(self, found: Any) -> None:
        """A query that has a task of its own, as nothing else is due."""
        names = [event_name(event) for event in await self.raw.history(self.stage.id)]
        if "WorkflowTaskCompleted" not in names:
            return
        if found.workflow_execution_info.status != 1 and self.random.random() < 0.5:
            request = query(self.stage, query_reject_condition=self.random.choice([2, 3]))
            if request.query_reject_condition == 2:
                await self.call("query", "QueryWorkflow", request)
            return
        label = self.name("query")
        asked = asyncio.create_task(self.raw.call("QueryWorkflow", query(self.stage)))
        task = await self.polled(self.sticky)
        self.kept("query task", task)
        if self.sticky:
            await self.poll_sticky()
        answers: list[dict[str, Any]] = [{"completed_type": 1, "query_result": texts("r")}, {"completed_type": 2, "error_message": "no"}]
        answer = ws.RespondQueryTaskCompletedRequest(namespace="default", task_token=task.task_token, **self.random.choice(answers))
        await self.call("answer", "RespondQueryTaskCompleted", answer)
        await self.stage.keep_call(label, asked)

    async def update(self, found: Any) -> None:
        if found.workflow_execution_info.status != 1:
            return
        label = self.name("update")
        update_id = self.random.choice(["u", "v", f"w{self.count}"])
        self.sent.append((label, send(self.stage, update_id, ACCEPTED)))
        done = self.sent[-1][1]

        async def known() -> bool:
            return done.done() or await admitted(self.stage, update_id)

        await until(known, f"{label} is admitted")

    async def reset(self, found: Any) -> None:
        last = found.workflow_execution_info.history_length
        finish = self.random.randint(1, last + 1)
        asked = reset_request(self.stage, finish, request_id=f"reset {self.count}")
        if await self.call(f"reset to {finish}", "ResetWorkflowExecution", asked):
            await self.settled()

    async def options(self, _: Any) -> None:
        request = ws.UpdateWorkflowExecutionOptionsRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=self.stage.id),
            workflow_execution_options=WorkflowExecutionOptions(priority=Priority(priority_key=self.random.randint(0, 6))),
            update_mask=FieldMask(paths=["priority"]),
        )
        await self.call("options", "UpdateWorkflowExecutionOptions", request)

    async def poll(self, _: Any) -> None:
        self.task = await self.polled(await self.on_sticky())
        self.kept("task", self.task)

    async def taken(self, found: Any) -> bool:
        """Whoever waits at the sticky queue has what comes there at once."""
        pending = found.HasField("pending_workflow_task") and found.workflow_execution_info.status == 1
        taken = bool(self.sticky_poll and not self.task and pending and await self.on_sticky())
        if taken:
            await self.poll(found)
        return taken

    async def on_sticky(self) -> bool:
        """Whether the task that is due waits on the sticky queue."""
        for event in reversed(await self.raw.history(self.stage.id)):
            match event_name(event):
                case "WorkflowTaskScheduled":
                    return attributes(event).task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY
                case "WorkflowTaskFailed" | "WorkflowTaskTimedOut":
                    return False
                case "WorkflowTaskCompleted":
                    # It is there for updates alone, and in no history.
                    return self.sticky
        return False

    async def polled(self, sticky: bool) -> Any:
        if not (sticky and self.sticky_poll):
            return await self.raw.poll_workflow(self.stage.queue)
        poll, self.sticky_poll = self.sticky_poll, None
        return await poll

    async def poll_sticky(self) -> None:
        """Somebody waits at the sticky queue, and the server knows."""
        if self.sticky_poll:
            return
        queue = f"{self.stage.queue}-sticky"
        self.sticky_poll = asyncio.create_task(self.raw.poll_workflow(queue, self.stage.queue))

        async def known() -> bool:
            request = ws.DescribeTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue, kind=2, normal_name=self.stage.queue), task_queue_type=1)
            return bool((await self.raw.call("DescribeTaskQueue", request)).pollers)

        await until(known, f"{queue} has a poller")

    def kept(self, kind: str, task: Any) -> None:
        kept = type(task)()
        kept.CopyFrom(task)
        for field in ("task_token", "poller_scaling_decision", "backlog_count_hint"):
            if field in kept.DESCRIPTOR.fields_by_name:
                kept.ClearField(field)
        self.stage.keep(self.name(kind), kept)

    async def fail(self, _: Any) -> None:
        task, self.task = self.task, None
        self.sticky = False
        cause = self.random.choice([1, 2, 23, 24, 28, 30, 31])
        await self.stage.keep_call(self.name("fail"), self.raw.fail(task, cause, "no"))

    async def complete(self, found: Any) -> None:
        task, self.task = self.task, None
        self.seen = await self.raw.history(self.stage.id)
        self.alone = False
        commands = [self.command(found) for _ in range(self.random.choice([0, 0, 1, 1, 2, 3]))]
        closing = self.random.random() < 0.12
        if closing:
            commands.append(self.closing())
        messages = []
        for message in task.messages:
            how = self.random.choice(["accept", "accept", "respond", "reject", "nothing"])
            if how in ("accept", "respond"):
                messages.append(accept(message))
                self.accepted += [message] if how == "accept" else []
            if how == "respond":
                messages.append(respond(message))
            if how == "reject":
                messages.append(reject(message))
        if self.accepted and self.random.random() < 0.4:
            messages.append(respond(self.accepted.pop(0)))
        fields = {"force_create_new_workflow_task": True} if self.random.random() < 0.08 else {}
        # Who waits at the sticky queue has the next task before or behind the answer of another workflow.
        sticky = "" if closing or self.alone or self.random.random() < 0.6 else f"{self.stage.queue}-sticky"
        if sticky:
            await self.poll_sticky()
        before, after = (commands, []) if self.random.random() < 0.5 else ([], commands)
        done = await self.stage.keep_call(self.name("complete"), complete(self.stage, task, *messages, before=before, after=after, sticky=sticky, sticky_seconds=60, **fields))
        self.sticky = bool(done and sticky)
        await self.settled()

    async def settled(self) -> None:
        """What the server does on its own is done."""

        async def look() -> bool:
            names = [event_name(event) for event in await self.raw.history(self.stage.id)]
            over = names[-1] in {"WorkflowExecutionCompleted", "WorkflowExecutionFailed", "WorkflowExecutionCanceled", "WorkflowExecutionTerminated", "WorkflowExecutionContinuedAsNew"}
            return over or all(names.count(asked) <= sum(map(names.count, answers)) for asked, answers in ASKED.items())

        await until(look, f"{self.stage.name}: what was asked of others is answered")

    @property
    def waiting(self) -> bool:
        """Whether an update has no answer: a call that is refused makes the reference forget it, and take it in again a moment later."""
        return any(not sent.done() for _, sent in self.sent)

    def command(self, found: Any) -> Command:
        """Something a workflow may want, now and then badly."""
        pick = self.random.choice
        timers = self.pending("TimerStarted", "TimerFired", "TimerCanceled")
        activities = {one.activity_id for one in found.pending_activities}
        scheduled = [event.event_id for event in self.seen if event_name(event) == "ActivityTaskScheduled" and attributes(event).activity_id in activities]
        kind = pick(["activity", "activity", "timer", "cancel timer", "cancel activity", "marker", "memo", "child", "signal", "cancel", "bad"])
        if kind in ("child", "signal", "cancel"):
            # Two at once are answered in any order.
            kind, self.alone = ("marker" if self.alone else kind), True
        if self.waiting and (kind == "bad" or (kind == "cancel timer" and not timers) or (kind == "cancel activity" and not scheduled)):
            kind = "memo"
        match kind:
            case "activity":
                fields: dict[str, Any] = {"retry_policy": RetryPolicy(initial_interval=LONG, maximum_attempts=pick([0, 1, 2]), non_retryable_error_types=["Bad"])}
                fields |= pick([{}, {"heartbeat_timeout": LONG}, {"schedule_to_close_timeout": LONG}, {"schedule_to_start_timeout": LONG}])
                # A queue for each: two of one queue are given out in any order.
                name = self.fresh("a")
                queue = {"name": self.queue_of(name)}
                return command("schedule_activity_task", activity_id=name, activity_type={"name": "act"}, task_queue=queue, start_to_close_timeout=LONG, **fields)
            case "timer":
                return command("start_timer", timer_id=self.fresh("t"), start_to_fire_timeout=LONG)
            case "cancel timer":
                return command("cancel_timer", timer_id=pick(timers or ["t1"]))
            case "cancel activity":
                return command("request_cancel_activity_task", scheduled_event_id=pick(scheduled or [5]))
            case "marker":
                return command("record_marker", marker_name="m", details={"d": texts("x")})
            case "memo":
                return command("modify_workflow_properties", upserted_memo={"fields": {pick("ab"): pick([text("c"), Payload()])}})
            case "child":
                suffix = pick(["x", "y"])
                policy = pick([1, 2, 3])
                return command(
                    "start_child_workflow_execution",
                    workflow_id=f"{self.stage.id}-{suffix}",
                    workflow_type={"name": "raw"},
                    task_queue={"name": f"{self.stage.id}-{suffix}"},
                    parent_close_policy=policy,
                    workflow_id_reuse_policy=pick([1, 2, 3]),
                )
            case "signal":
                return command("signal_external_workflow_execution", execution={"workflow_id": f"{self.stage.id}-{pick(['x', 'z'])}"}, signal_name="s", control="c")
            case "cancel":
                return command("request_cancel_external_workflow_execution", workflow_id=f"{self.stage.id}-{pick(['y', 'z'])}", child_workflow_only=pick([True, False]))
            case _:
                return pick(
                    [
                        command("start_timer", timer_id="", start_to_fire_timeout=LONG),
                        command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"Nowhere": text("x")}}),
                        command("record_marker"),
                        command("schedule_activity_task", activity_id="b", activity_type={"name": ""}, start_to_close_timeout=LONG),
                        command("request_cancel_activity_task", scheduled_event_id=1),
                        command("signal_external_workflow_execution", execution={"workflow_id": ""}, signal_name="s"),
                        command("protocol_message", message_id="nobody"),
                    ]
                )

    def pending(self, begun: str, *over: str) -> list[str]:
        """The ids of timers that run."""
        ids: list[str] = []
        for event in self.seen:
            if event_name(event) == begun:
                ids.append(attributes(event).timer_id)
            elif event_name(event) in over and attributes(event).timer_id in ids:
                ids.remove(attributes(event).timer_id)
        return ids

    def closing(self) -> Command:
        return self.random.choice(
            [
                command("complete_workflow_execution", result=texts("done")),
                command("fail_workflow_execution", failure=failure("Broken")),
                command("cancel_workflow_execution", details=texts("gone")),
                command("continue_as_new_workflow_execution", workflow_type={"name": "raw"}, task_queue={"name": self.stage.queue}),
            ]
        )

    async def poll_activity(self, found: Any) -> None:
        task = await self.raw.poll_activity(self.queue_of(self.random.choice(self.offered(found))))
        self.activities.append(task)
        self.kept("activity task", task)

    async def end_activity(self, _: Any) -> None:
        task = self.activities.pop(self.random.randrange(len(self.activities)))
        who = {"namespace": "default", "task_token": task.task_token, "identity": "raw"}
        how = self.random.choice(["completed", "completed", "failed", "failed for good", "canceled"])
        match how:
            case "completed":
                await self.call(how, "RespondActivityTaskCompleted", ws.RespondActivityTaskCompletedRequest(result=texts("r"), **who))
            case "canceled":
                await self.call(how, "RespondActivityTaskCanceled", ws.RespondActivityTaskCanceledRequest(details=texts("d"), **who))
            case _:
                kind = "Bad" if how == "failed for good" else "Transient"
                await self.call(how, "RespondActivityTaskFailed", ws.RespondActivityTaskFailedRequest(failure=failure(kind), last_heartbeat_details=texts("h"), **who))

    async def heartbeat(self, _: Any) -> None:
        task = self.random.choice(self.activities)
        request = ws.RecordActivityTaskHeartbeatRequest(namespace="default", task_token=task.task_token, identity="raw", details=texts(str(self.count)))
        await self.call("heartbeat", "RecordActivityTaskHeartbeat", request)

    async def operate(self, found: Any) -> None:
        """An operator and an activity."""
        activity = self.random.choice(sorted(one.activity_id for one in found.pending_activities))
        who: dict[str, Any] = {"namespace": "default", "execution": WorkflowExecution(workflow_id=self.stage.id), "identity": "op", "id": activity}
        match self.random.choice(["pause", "unpause", "reset", "options"]):
            case "pause":
                await self.call("pause", "PauseActivity", ws.PauseActivityRequest(reason="because", **who))
            case "unpause":
                await self.call("unpause", "UnpauseActivity", ws.UnpauseActivityRequest(reset_attempts=self.random.random() < 0.5, **who))
            case "reset":
                await self.call("reset activity", "ResetActivity", ws.ResetActivityRequest(keep_paused=self.random.random() < 0.5, reset_heartbeat=self.random.random() < 0.5, **who))
            case _:
                changed = ActivityOptions(heartbeat_timeout=timedelta(minutes=self.random.randint(1, 50)))
                await self.call("activity options", "UpdateActivityOptions", ws.UpdateActivityOptionsRequest(activity_options=changed, update_mask=FieldMask(paths=["heartbeat_timeout"]), **who))

    async def left(self) -> None:
        """What every run came to."""
        await self.taken(await self.raw.describe(self.stage.id))
        await self.stage.keep_describe("left")
        try:
            await self.raw.terminate(self.stage.id)
        except Refused:
            pass  # It is over.
        for label, sent in self.sent:
            await keep_sent(self.stage, label, sent)
        for number, run in enumerate(self.runs):
            await self.stage.keep_history(f"run {number}", run_id=run)


async def admitted(stage: Stage, update_id: str) -> bool:
    try:
        await asyncio.wait_for(until_admitted(stage, update_id), 0.05)
    except TimeoutError:
        return False
    return True


def failure(kind: str) -> Failure:
    return Failure(message="no", source="raw", application_failure_info=ApplicationFailureInfo(type=kind))


def register(seed: int) -> str:
    name = f"explore/{seed}"

    @named(name)
    async def play(stage: Stage) -> None:
        await Script(stage, seed).play()

    return name


def differs(ours: Outcome, theirs: Outcome, name: str) -> list[Any]:
    """Where the two part."""
    found: list[Any] = [one for one in differences(ours.documents, theirs.documents) if not reason_for(name, one.path)]
    return found or ([f"{ours.error or 'played'}, on the reference {theirs.error or 'played'}"] if ours.error != theirs.error else [])


async def both(chosen: argparse.Namespace, names: list[str]) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """The outcomes on fresh servers."""
    return await play_all(chosen.ours.resolve(), names, chosen.at_once), await play_all(chosen.reference.resolve(), names, chosen.at_once)


async def run(chosen: argparse.Namespace) -> int:
    """Plays, and plays again what differs: what comes out otherwise the second time says nothing."""
    names = [register(seed) for seed in range(chosen.first, chosen.first + chosen.seeds)]
    ours, theirs = await both(chosen, names)
    different = [name for name in names if differs(ours[name], theirs[name], name)]
    again, again_there = await both(chosen, different)
    if chosen.dump:
        dump(chosen.dump, {"ours": ours | again, "reference": theirs | again_there})
    steady = [name for name in different if differs(again[name], again_there[name], name) and not differs(theirs[name], again_there[name], name)]
    for name in steady:
        for one in differs(again[name], again_there[name], name)[: chosen.show]:
            print(f"{name}: {one}")
    errors = sum(bool(outcome.error) for outcome in theirs.values())
    for name in names:
        if theirs[name].error or ours[name].error:
            print(f"{name}: ours {ours[name].error or 'played'}; reference {theirs[name].error or 'played'}")
    print(f"{len(names) - len(different)} of {len(names)} scripts equal, {len(steady)} different twice; {errors} not played to the end on the reference")
    return 1 if steady else 0


def main() -> int:
    """Exit code 0 if no script differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.explore", description=__doc__)
    parser.add_argument("--ours", type=Path, default=cairn_binary())
    parser.add_argument("--reference", type=Path, default=reference_binary())
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--dump", type=Path)
    chosen = parser.parse_args()
    sdk.quiet()
    return asyncio.run(run(chosen))


if __name__ == "__main__":
    sys.exit(main())
