"""Every command of the first tier, and what is refused: the cause, the answer and the history after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.api.command.v1 import Command

from tests.differential.scenario import Stage, named, scenario
from tests.support.rpc import command, text, texts

MINUTE = timedelta(minutes=1)


def schedule(activity_id: str = "a", **fields: Any) -> Command:
    """A plain activity command, to a queue that nobody polls."""
    base: dict[str, Any] = {"activity_id": activity_id, "activity_type": {"name": "type"}, "start_to_close_timeout": MINUTE, "task_queue": {"name": "nobody"}}
    return command("schedule_activity_task", **{**base, **fields})


def timer(timer_id: str = "t", seconds: float = 60) -> Command:
    """A plain timer command."""
    return command("start_timer", timer_id=timer_id, start_to_fire_timeout=timedelta(seconds=seconds))


BAD: dict[str, list[Command]] = {
    "activity_without_id": [schedule("")],
    "activity_without_queue": [schedule(task_queue=None)],
    "activity_without_type": [schedule(activity_type={"name": ""})],
    "activity_without_timeouts": [schedule(start_to_close_timeout=None)],
    "activity_negative_timeout": [schedule(heartbeat_timeout=timedelta(seconds=-1))],
    "activity_duplicate_id": [schedule("same"), schedule("same")],
    "activity_long_id": [schedule("i" * 1001)],
    "activity_reserved_queue": [schedule(task_queue={"name": "/_sys/q/1"})],
    "activity_bad_retry": [schedule(retry_policy={"backoff_coefficient": 0.5})],
    "activity_bad_priority": [schedule(priority={"priority_key": -1})],
    "cancel_activity_unknown": [command("request_cancel_activity_task", scheduled_event_id=77)],
    "cancel_activity_zero": [command("request_cancel_activity_task", scheduled_event_id=0)],
    "timer_without_id": [timer("")],
    "timer_negative": [timer(seconds=-1)],
    "timer_duplicate_id": [timer(), timer()],
    "timer_long_id": [timer("i" * 1001)],
    "cancel_timer_without_id": [command("cancel_timer")],
    "cancel_timer_unknown": [command("cancel_timer", timer_id="unknown")],
    "marker_without_name": [command("record_marker")],
    "marker_long_name": [command("record_marker", marker_name="m" * 1001)],
    "fail_without_failure": [command("fail_workflow_execution")],
    "upsert_nothing": [command("upsert_workflow_search_attributes")],
    "upsert_unknown": [command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"Unknown": text("x")}})],
    "upsert_system": [command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"WorkflowId": text("x")}})],
    "modify_nothing": [command("modify_workflow_properties")],
    "continue_negative_timeout": [command("continue_as_new_workflow_execution", workflow_run_timeout=timedelta(seconds=-1))],
    "continue_bad_retry": [command("continue_as_new_workflow_execution", retry_policy={"maximum_attempts": -1})],
    "close_not_last": [command("complete_workflow_execution"), timer()],
    "close_twice": [command("complete_workflow_execution"), command("complete_workflow_execution")],
    "second_command_bad": [timer("good"), timer("")],
    "unknown_type": [Command(command_type=99)],  # type: ignore[arg-type]
    "unspecified_type": [Command()],
    "attributes_missing_activity": [Command(command_type=1)],
    "attributes_missing_timer": [Command(command_type=3)],
    "attributes_missing_complete": [Command(command_type=4)],
    "attributes_missing_fail": [Command(command_type=5)],
    "attributes_missing_cancel": [Command(command_type=7)],
    "attributes_missing_marker": [Command(command_type=9)],
    "attributes_missing_continue": [Command(command_type=10)],
    "attributes_of_another_type": [Command(command_type=4, start_timer_command_attributes={"timer_id": "t"})],
    "message_unknown": [command("protocol_message", message_id="nothing")],
}


def refused(label: str, commands: list[Command]) -> None:
    """Registers one refusal: attempt 1 writes an event, attempt 2 leaves the state alone."""

    @named(f"commands/bad_{label}")
    async def bad(stage: Stage) -> None:
        await stage.raw.start(stage.id, workflow_task_timeout=timedelta(seconds=2))
        task = await stage.raw.poll_workflow(stage.queue)
        await stage.keep_call("first attempt", stage.raw.complete(task, *commands))
        events = await stage.keep_history("after the first")
        if events[-1].HasField("workflow_task_scheduled_event_attributes") or events[-1].HasField("workflow_task_failed_event_attributes"):
            task = await stage.raw.poll_workflow(stage.queue)
            await stage.keep_call("second attempt", stage.raw.complete(task, *commands))
            await stage.keep_history("after the second")
        if not events[-1].HasField("workflow_execution_terminated_event_attributes"):
            await stage.raw.terminate(stage.id)


for _label, _commands in BAD.items():
    refused(_label, _commands)


@scenario
async def all_of_them(stage: Stage) -> None:
    """Many commands in one completion: events in their order, attributes as given or filled in."""
    await stage.raw.start(stage.id, memo={"fields": {"old": text("memo")}})
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(
        task,
        schedule("a", header={"fields": {"h": text("v")}}, input=texts("in"), heartbeat_timeout=timedelta(seconds=5)),
        timer("t"),
        command("record_marker", marker_name="m", details={"d": texts("x")}, header={"fields": {}}, failure={"message": "f"}),
        command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"BuildIds": list_payload("one", "two")}}),
        command("modify_workflow_properties", upserted_memo={"fields": {"new": text("value"), "old": {"metadata": {"encoding": b"binary/null"}}}}),
        command("cancel_timer", timer_id="t"),
        command("request_cancel_activity_task", scheduled_event_id=5),
        schedule("b", priority={"priority_key": 1}),
    )
    await stage.keep_history()
    await stage.keep_describe()
    await stage.raw.terminate(stage.id)


def list_payload(*values: str) -> dict[str, Any]:
    """A keyword list as SDKs send it."""
    return {"metadata": {"encoding": b"json/plain", "type": b"KeywordList"}, "data": ("[" + ",".join(f'"{one}"' for one in values) + "]").encode()}


@scenario
async def user_metadata(stage: Stage) -> None:
    """Summary and details travel with the event."""
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    commands = [timer(), schedule(), command("record_marker", marker_name="m")]
    for one in commands:
        one.user_metadata.summary.CopyFrom(text("summary"))
        one.user_metadata.details.CopyFrom(text("details"))
    await stage.raw.complete(task, *commands)
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def activity_timeouts_normalised(stage: Stage) -> None:
    """What the scheduled event says after defaulting and clamping."""
    cases: list[dict[str, timedelta]] = [
        {"start_to_close_timeout": timedelta(seconds=5)},
        {"schedule_to_close_timeout": timedelta(seconds=5)},
        {"schedule_to_close_timeout": timedelta(seconds=5), "start_to_close_timeout": timedelta(seconds=9), "schedule_to_start_timeout": timedelta(seconds=7)},
        {"start_to_close_timeout": timedelta(seconds=5), "heartbeat_timeout": timedelta(seconds=9)},
        {"start_to_close_timeout": timedelta(hours=5), "schedule_to_start_timeout": timedelta(hours=6)},
        {"start_to_close_timeout": timedelta(days=365 * 150)},
    ]
    for run_seconds in (0, 60):
        workflow_id = f"{stage.id}-{run_seconds}"
        await stage.raw.start(workflow_id, stage.queue, workflow_run_timeout=timedelta(seconds=run_seconds))
        task = await stage.raw.poll_workflow(stage.queue)
        await stage.raw.complete(task, *(schedule(f"{number}", **{"start_to_close_timeout": None, **case}) for number, case in enumerate(cases)))
        await stage.keep_history(f"run timeout {run_seconds}", workflow_id)
        await stage.keep_describe(f"run timeout {run_seconds}, described", workflow_id)
        await stage.raw.terminate(workflow_id)


@scenario
async def activity_retry_policies(stage: Stage) -> None:
    policies: list[Any] = [
        None,
        {},
        {"initial_interval": timedelta(seconds=3)},
        {"maximum_attempts": 1},
        {"initial_interval": timedelta(milliseconds=1), "backoff_coefficient": 1.5, "maximum_interval": timedelta(seconds=2), "maximum_attempts": 4, "non_retryable_error_types": ["A", "TemporalTimeout:StartToClose"]},
    ]
    await stage.raw.start(stage.id)
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, *(schedule(f"{number}", retry_policy=policy) for number, policy in enumerate(policies)))
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def memo_and_search_attributes(stage: Stage) -> None:
    """Upserts show in Describe; an empty value removes."""
    await stage.raw.start(stage.id, memo={"fields": {"a": text("1"), "b": text("2")}})
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(
        task,
        command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"BatcherUser": text("somebody"), "BuildIds": list_payload("x")}}),
        command("modify_workflow_properties", upserted_memo={"fields": {"a": {"metadata": {"encoding": b"binary/null"}}, "c": text("3")}}),
        force_create_new_workflow_task=True,
    )
    await stage.keep_describe("set")
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"BatcherUser": {"metadata": {"encoding": b"binary/null"}}}}))
    await stage.keep_describe("removed")
    await stage.keep_history()
    await stage.raw.terminate(stage.id)


@scenario
async def oversize(stage: Stage) -> None:
    """A payload beyond the limit ends the run."""
    big = {"payloads": [{"metadata": {"encoding": b"binary/plain"}, "data": b"\0" * (2 * 1024 * 1024 + 1)}]}
    cases = {
        "activity": schedule(input=big),
        "complete": command("complete_workflow_execution", result=big),
        "marker": command("record_marker", marker_name="m", details={"d": big}),
        "fail": command("fail_workflow_execution", failure={"message": "m" * (2 * 1024 * 1024 + 1)}),
    }
    for label, one in cases.items():
        await stage.raw.start(f"{stage.id}-{label}")
        task = await stage.raw.poll_workflow(f"{stage.id}-{label}")
        await stage.keep_call(label, stage.raw.complete(task, one))
        await stage.keep_history(f"{label}, history", f"{stage.id}-{label}")
