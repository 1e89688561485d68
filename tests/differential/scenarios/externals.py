"""What a workflow does to workflows that are not its own: signals and requests to cancel, and how each of them ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.command.v1 import Command

from tests.differential.scenario import Stage, named, scenario
from tests.support.rpc import command, text, texts

RUN = "00000000-0000-4000-8000-000000000000"


def signal(workflow_id: str, run_id: str = "", name: str = "hello", **fields: Any) -> Command:
    """A signal to another workflow."""
    return command("signal_external_workflow_execution", **{"execution": {"workflow_id": workflow_id, "run_id": run_id}, "signal_name": name, **fields})


def cancel(workflow_id: str, run_id: str = "", **fields: Any) -> Command:
    """A request to cancel another workflow."""
    return command("request_cancel_external_workflow_execution", workflow_id=workflow_id, run_id=run_id, **fields)


async def keep_ended(stage: Stage, *names: str) -> None:
    """Keeps the sender's history once it has these events, and ends it."""
    await stage.until_events(*names)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


DONE = {"signal": "ExternalWorkflowExecutionSignaled", "cancel": "ExternalWorkflowExecutionCancelRequested"}
FAILED = {"signal": "SignalExternalWorkflowExecutionFailed", "cancel": "RequestCancelExternalWorkflowExecutionFailed"}
MAKE = {"signal": signal, "cancel": cancel}


def both(label: str) -> Any:
    """Registers a scenario for signals and one for requests to cancel."""

    def register(play: Any) -> Any:
        for kind in ("signal", "cancel"):

            @named(f"externals/{kind}_{label}")
            async def one(stage: Stage, kind: str = kind) -> None:
                await play(stage, kind)

        return play

    return register


@both("running")
async def running(stage: Stage, kind: str) -> None:
    """A target that runs: by its id."""
    target = f"{stage.id}-target"
    await stage.raw.start(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](target))
    await keep_ended(stage, DONE[kind])
    await stage.keep_history("target", target)
    await stage.keep_describe("target described", target)
    await stage.raw.terminate(target)


@both("by_run")
async def by_run(stage: Stage, kind: str) -> None:
    """A target named with its run, and a workflow task that goes on."""
    target = f"{stage.id}-target"
    started = await stage.raw.start(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](target, started.run_id, control="control"))
    await stage.until_events(DONE[kind])
    task = await stage.raw.poll_workflow(stage.queue)
    stage.keep("task", [event.event_type for event in task.history.events])
    await stage.raw.complete(task, command("complete_workflow_execution"))
    await stage.keep_history()
    await stage.keep_history("target", target)
    await stage.raw.terminate(target)


@both("wrong_run")
async def wrong_run(stage: Stage, kind: str) -> None:
    """A run that there is not."""
    target = f"{stage.id}-target"
    await stage.raw.start(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](target, RUN, control="control"))
    await keep_ended(stage, FAILED[kind])
    await stage.raw.terminate(target)


@both("nobody")
async def nobody(stage: Stage, kind: str) -> None:
    """A workflow that there is not."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](f"{stage.id}-nobody"))
    await keep_ended(stage, FAILED[kind])


@both("closed")
async def closed(stage: Stage, kind: str) -> None:
    """A workflow that has ended."""
    target = f"{stage.id}-target"
    await stage.raw.start(target)
    await stage.raw.terminate(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](target))
    await keep_ended(stage, DONE[kind] if kind == "cancel" else FAILED[kind])
    await stage.keep_history("target", target)


@both("self")
async def itself(stage: Stage, kind: str) -> None:
    """A workflow cannot reach itself, by its id or by its run."""
    started = await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](stage.id), MAKE[kind](stage.id, started.run_id))
    await keep_ended(stage, FAILED[kind], FAILED[kind])


@both("own_id_other_run")
async def own_id_other_run(stage: Stage, kind: str) -> None:
    """Its own id with another run."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](stage.id, RUN))
    await keep_ended(stage, FAILED[kind])


@both("not_a_child")
async def not_a_child(stage: Stage, kind: str) -> None:
    """Only a child is meant, and the target is none."""
    target = f"{stage.id}-target"
    await stage.raw.start(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](target, child_workflow_only=True))
    await keep_ended(stage, FAILED[kind])
    await stage.keep_history("target", target)
    await stage.raw.terminate(target)


@both("other_namespace")
async def other_namespace(stage: Stage, kind: str) -> None:
    """A namespace that there is not."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("completed", stage.raw.complete(task, MAKE[kind](f"{stage.id}-nobody", namespace="no-such-namespace")))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@both("foreign_namespace")
async def foreign_namespace(stage: Stage, kind: str) -> None:
    """A namespace that there is, but another one."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("completed", stage.raw.complete(task, MAKE[kind](f"{stage.id}-nobody", namespace="temporal-system")))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@both("own_namespace_named")
async def own_namespace_named(stage: Stage, kind: str) -> None:
    """The own namespace, by its name."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.keep_call("completed", stage.raw.complete(task, MAKE[kind](f"{stage.id}-nobody", namespace="default")))
    await keep_ended(stage, FAILED[kind])


@both("many")
async def many(stage: Stage, kind: str) -> None:
    """Several in one task, while the answer to one of them waits in the buffer."""
    targets = [f"{stage.id}-{number}" for number in range(3)]
    for target in targets:
        await stage.raw.start(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    answer = await stage.raw.complete(task, *(MAKE[kind](target) for target in targets), force_create_new_workflow_task=True, return_new_workflow_task=True)
    for target in targets:
        await stage.until_events({"signal": "WorkflowExecutionSignaled", "cancel": "WorkflowExecutionCancelRequested"}[kind], workflow_id=target)
    await asyncio.sleep(0.3)  # The answers come back to the sender, whose worker has a task in hand: no event shows it.
    await stage.keep_history("meanwhile")
    await stage.raw.complete(answer.workflow_task)
    events = await stage.until_events(*[DONE[kind]] * 3)
    stage.keep("after", [event.event_type for event in events])
    await stage.raw.terminate(stage.id)
    for target in targets:
        await stage.raw.terminate(target)


@both("closes_at_once")
async def closes_at_once(stage: Stage, kind: str) -> None:
    """The sender closes in the same breath: what it asked for is not done any more."""
    target = f"{stage.id}-target"
    await stage.raw.start(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, MAKE[kind](target), command("complete_workflow_execution"))
    await asyncio.sleep(1.0)  # Nothing must happen.
    await stage.keep_history()
    await stage.keep_history("target", target)
    await stage.raw.terminate(target)


@both("without_attributes")
async def without_attributes(stage: Stage, kind: str) -> None:
    """The command without what it is about."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    number = MAKE[kind]("x").command_type
    await stage.keep_call("completed", stage.raw.complete(task, Command(command_type=number)))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


BAD: dict[str, list[Command]] = {
    "signal_without_execution": [command("signal_external_workflow_execution", signal_name="s")],
    "signal_without_id": [signal("")],
    "signal_long_id": [signal("i" * 1001)],
    "signal_bad_run": [signal("external-nobody", "no-run")],
    "signal_without_name": [signal("external-nobody", name="")],
    "signal_long_name": [signal("external-nobody", name="n" * 1001)],
    "signal_huge_input": [signal("external-nobody", input=texts("x" * (2 << 20)))],
    "signal_huge_header": [signal("external-nobody", header={"fields": {"h": text("x" * (2 << 20))}})],
    "cancel_without_id": [cancel("")],
    "cancel_long_id": [cancel("i" * 1001)],
    "cancel_bad_run": [cancel("external-nobody", "no-run")],
    "cancel_long_reason": [cancel("external-nobody", reason="r" * 3000)],
}


def refused(label: str, commands: list[Command]) -> None:
    """Registers one bad command: the answer, and what is written."""

    @named(f"externals/bad_{label}")
    async def bad(stage: Stage) -> None:
        await stage.raw.start(stage.id)
        task = await stage.raw.poll_workflow(stage.queue)
        if await stage.keep_call("completed", stage.raw.complete(task, *commands)) is not None:
            await stage.until_events(FAILED[label.partition("_")[0]])
        events = await stage.keep_history()
        if not events[-1].HasField("workflow_execution_terminated_event_attributes"):
            await stage.raw.terminate(stage.id)


for _label, _commands in BAD.items():
    refused(_label, _commands)


@scenario
async def everything(stage: Stage) -> None:
    """Every field of a signal and of a request to cancel, and where it comes out."""
    target = f"{stage.id}-target"
    await stage.raw.start(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    one = signal(target, input=texts("in"), header={"fields": {"h": text("v")}}, control="c")
    two = cancel(target, reason="enough", control="c")
    for each in (one, two):
        each.user_metadata.summary.CopyFrom(text("summary"))
        each.user_metadata.details.CopyFrom(text("details"))
    await stage.raw.complete(task, one)
    await stage.until_events(DONE["signal"])
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, two)
    await keep_ended(stage, *DONE.values())
    await stage.keep_history("target", target)
    await stage.raw.terminate(target)


@scenario
async def canceled_twice(stage: Stage) -> None:
    """A target that is asked twice hears it once; both are told that it was asked."""
    target = f"{stage.id}-target"
    await stage.raw.start(target)
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, cancel(target))
    await stage.until_events(DONE["cancel"])
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, cancel(target))
    await keep_ended(stage, DONE["cancel"], DONE["cancel"])
    await stage.keep_history("target", target)
    await stage.raw.terminate(target)


@scenario
async def follows_the_chain(stage: Stage) -> None:
    """A target that went on as new is found by its id, and not by its first run."""
    target = f"{stage.id}-target"
    first = await stage.raw.start(target)
    task = await stage.raw.poll_workflow(target)
    await stage.raw.complete(task, command("continue_as_new_workflow_execution"))
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, signal(target, first.run_id))
    await stage.until_events(FAILED["signal"])
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, signal(target))
    await stage.until_events(DONE["signal"])
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, cancel(target, first.run_id))
    await stage.until_events(DONE["cancel"])
    await keep_ended(stage)
    events = await stage.raw.history(target)
    stage.keep("target", [stage.scrubber.message(event) for event in events[:2]])  # Its first workflow task may come meanwhile.
    await stage.raw.terminate(target)


@workflow.defn
class Target:
    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        try:
            await workflow.wait_condition(lambda: len(self.got) >= 2)
        except asyncio.CancelledError:
            self.got.append("canceled")
        return self.got

    @workflow.signal
    def tell(self, what: str) -> None:
        self.got.append(what)


@workflow.defn
class Sender:
    @workflow.run
    async def run(self, what: str, target: str) -> str:
        handle = workflow.get_external_workflow_handle(target)
        try:
            if what == "signal":
                await handle.signal("tell", "one")
                await handle.signal("tell", "two")
            else:
                await handle.cancel()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "told"


@both("by_sdk")
async def by_sdk(stage: Stage, kind: str) -> None:
    """The official SDK as sender and as target."""
    async with stage.worker([Target, Sender]):
        target = await stage.start(Target.run, suffix="-target")
        sender = await stage.start(Sender.run, kind, target.id)
        stage.keep("sender", await sender.result())
        stage.keep("target", await target.result())
        nobody = await stage.start(Sender.run, kind, f"{stage.id}-nobody", suffix="-second")
        stage.keep("to nobody", await nobody.result())
    await stage.keep_history()
    await stage.keep_history("target history", target.id)


@scenario
async def sender_times_out(stage: Stage) -> None:
    """A signal that has got there has, whatever becomes of its sender."""
    target = f"{stage.id}-target"
    await stage.raw.start(target)
    await stage.raw.start(stage.id, workflow_run_timeout=timedelta(seconds=1))
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, signal(target), force_create_new_workflow_task=True)
    await stage.until_events("WorkflowExecutionSignaled", workflow_id=target)
    await stage.until_events("WorkflowExecutionTimedOut")
    await stage.keep_history("target", target)
    await stage.raw.terminate(target)
