"""What a run hands to the one behind it: by continue-as-new, by a retry, and how far apart they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload

from tests.differential.scenario import Stage, named, scenario
from tests.support.rpc import attributes, command, texts

LINK = {"workflow_event": {"namespace": "default", "workflow_id": "w", "run_id": "r", "event_ref": {"event_id": 1, "event_type": 1}}}


def keywords(*words: str) -> Payload:
    data = "[" + ",".join(f'"{word}"' for word in words) + "]"
    return Payload(metadata={"encoding": b"json/plain", "type": b"KeywordList"}, data=data.encode())


def whole() -> dict[str, Any]:
    """A start with everything."""
    return {
        "input": texts("in"),
        "memo": {"fields": {"a": texts("begun").payloads[0]}},
        "search_attributes": {"indexed_fields": {"TemporalChangeVersion": keywords("one")}},
        "header": {"fields": {"h": texts("head").payloads[0]}},
        "priority": {"priority_key": 2, "fairness_key": "me"},
        "user_metadata": {"summary": texts("sum").payloads[0], "details": texts("det").payloads[0]},
        "links": [LINK],
        "workflow_task_timeout": timedelta(seconds=7),
        "workflow_run_timeout": timedelta(minutes=7),
        "workflow_execution_timeout": timedelta(hours=1),
        "retry_policy": {"maximum_attempts": 3, "initial_interval": timedelta(milliseconds=100), "non_retryable_error_types": ["Never"]},
        "continued_failure": {"message": "of long ago"},
        "last_completion_result": texts("of long ago"),
    }


def failing(message: str = "no", **info: Any) -> Any:
    return command("fail_workflow_execution", failure={"message": message, "application_failure_info": {"type": "Mine", **info}})


async def chain(stage: Stage, run_id: str) -> None:
    """Keeps every run from this one on."""
    number = 1
    while run_id:
        events = await stage.keep_history(f"run {number}", run_id=run_id)
        await stage.keep_describe(f"run {number}, described", run_id=run_id)
        run_id = getattr(attributes(events[-1]), "new_execution_run_id", "")
        number += 1


@scenario
async def retry_carries(stage: Stage) -> None:
    started = await stage.raw.start(stage.id, **whole())
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(
        task,
        command("modify_workflow_properties", upserted_memo={"fields": {"b": texts("changed").payloads[0]}}),
        command("upsert_workflow_search_attributes", search_attributes={"indexed_fields": {"TemporalChangeVersion": keywords("two")}}),
        failing(),
    )
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing(next_retry_delay=timedelta(milliseconds=50)))
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing())
    await chain(stage, started.run_id)


@scenario
async def timeout_carries(stage: Stage) -> None:
    started = await stage.raw.start(stage.id, **{**whole(), "workflow_run_timeout": timedelta(seconds=1)})
    await stage.until_events("WorkflowExecutionTimedOut", run_id=started.run_id)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    await chain(stage, started.run_id)


@scenario
async def continued_carries(stage: Stage) -> None:
    """All that the command does not say."""
    started = await stage.raw.start(stage.id, **whole())
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("continue_as_new_workflow_execution"))
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    await chain(stage, started.run_id)


@scenario
async def continued_with_everything(stage: Stage) -> None:
    started = await stage.raw.start(stage.id, **whole())
    task = await stage.raw.poll_workflow(stage.queue)
    again = command(
        "continue_as_new_workflow_execution",
        workflow_type={"name": "another"},
        task_queue={"name": stage.queue + "-other"},
        input=texts("next"),
        workflow_run_timeout=timedelta(hours=2),
        workflow_task_timeout=timedelta(seconds=200),
        backoff_start_interval=timedelta(seconds=1),
        retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(milliseconds=100)},
        initiator=2,
        failure={"message": "why"},
        last_completion_result=texts("so far"),
        header={"fields": {"g": texts("other").payloads[0]}},
        memo={"fields": {"c": texts("new").payloads[0]}},
        search_attributes={"indexed_fields": {"TemporalChangeVersion": keywords("three")}},
    )
    again.user_metadata.summary.CopyFrom(texts("command").payloads[0])
    await stage.raw.complete(task, again)
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue + "-other"), failing("at last"))
    await chain(stage, started.run_id)


async def continued_by(stage: Stage, initiator: int) -> None:
    started = await stage.raw.start(stage.id, retry_policy={"maximum_attempts": 5, "initial_interval": timedelta(milliseconds=100)})
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing())
    task = await stage.raw.poll_workflow(stage.queue)
    await stage.raw.complete(task, command("continue_as_new_workflow_execution", initiator=initiator, backoff_start_interval=timedelta(seconds=1)))
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("complete_workflow_execution"))
    await chain(stage, started.run_id)


def register(initiator: int, name: str) -> None:
    @named(f"chains/continued_by_{name}")
    async def play(stage: Stage) -> None:
        await continued_by(stage, initiator)


for number, initiator_name in enumerate(("nobody", "the_workflow", "a_retry", "a_schedule")):
    register(number, initiator_name)


async def retried(stage: Stage, failure: dict[str, Any], **policy: Any) -> None:
    started = await stage.raw.start(stage.id, workflow_execution_timeout=timedelta(seconds=5), retry_policy={"initial_interval": timedelta(milliseconds=200), **policy})
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("fail_workflow_execution", failure=failure))
    events = await stage.raw.history(stage.id, started.run_id)
    if getattr(attributes(events[-1]), "new_execution_run_id", ""):
        await stage.raw.terminate(stage.id)
    await chain(stage, started.run_id)


RETRIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({"message": "no"}, {}),
    "type_excluded": ({"message": "no", "application_failure_info": {"type": "Never"}}, {"non_retryable_error_types": ["Never"]}),
    "cause_excluded": ({"message": "no", "application_failure_info": {"type": "Ok"}, "cause": {"message": "c", "application_failure_info": {"type": "Never"}}}, {"non_retryable_error_types": ["Never"]}),
    "activity_failure": ({"message": "no", "activity_failure_info": {"activity_id": "a"}, "cause": {"message": "c", "application_failure_info": {"type": "Never", "non_retryable": True}}}, {"non_retryable_error_types": ["Never"]}),
    "child_failure": ({"message": "no", "child_workflow_execution_failure_info": {"workflow_type": {"name": "w"}}}, {}),
    "canceled_failure": ({"message": "no", "canceled_failure_info": {}}, {}),
    "terminated_failure": ({"message": "no", "terminated_failure_info": {}}, {}),
    "timeout_start_to_close": ({"message": "no", "timeout_failure_info": {"timeout_type": 1}}, {}),
    "timeout_schedule_to_close": ({"message": "no", "timeout_failure_info": {"timeout_type": 3}}, {}),
    "timeout_excluded": ({"message": "no", "timeout_failure_info": {"timeout_type": 1}}, {"non_retryable_error_types": ["TemporalTimeout:StartToClose"]}),
    "server_final": ({"message": "no", "server_failure_info": {"non_retryable": True}}, {}),
    "server_not_final": ({"message": "no", "server_failure_info": {}}, {}),
    "delay_of_its_own": ({"message": "no", "application_failure_info": {"type": "Ok", "next_retry_delay": timedelta(seconds=2)}}, {}),
    "delay_of_its_own_capped": ({"message": "no", "application_failure_info": {"type": "Ok", "next_retry_delay": timedelta(seconds=4)}}, {"maximum_interval": timedelta(seconds=2)}),
    "delay_of_zero": ({"message": "no", "application_failure_info": {"type": "Ok", "next_retry_delay": timedelta(0)}}, {}),
    "beyond_the_execution": ({"message": "no"}, {"initial_interval": timedelta(seconds=30)}),
    "one_attempt": ({"message": "no"}, {"maximum_attempts": 1}),
}


def register_retry(name: str, failure: dict[str, Any], policy: dict[str, Any]) -> None:
    @named(f"chains/retry_{name}")
    async def play(stage: Stage) -> None:
        await retried(stage, failure, **policy)


for retry_name, (retry_failure, retry_policy) in RETRIES.items():
    register_retry(retry_name, retry_failure, retry_policy)


@scenario
async def backoff_grows(stage: Stage) -> None:
    started = await stage.raw.start(stage.id, retry_policy={"maximum_attempts": 4, "initial_interval": timedelta(milliseconds=1100), "backoff_coefficient": 1.5, "maximum_interval": timedelta(seconds=2)})
    for _ in range(4):
        await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing())
    await chain(stage, started.run_id)


@scenario
async def execution_timeout_of_a_chain(stage: Stage) -> None:
    """The clock of a chain goes on through retries and continuations."""
    started = await stage.raw.start(stage.id, workflow_execution_timeout=timedelta(seconds=4), retry_policy={"maximum_attempts": 2, "initial_interval": timedelta(seconds=1)})
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), failing())
    await stage.raw.complete(await stage.raw.poll_workflow(stage.queue), command("continue_as_new_workflow_execution"))
    events = await stage.raw.history(stage.id)
    last = events[0].workflow_execution_started_event_attributes
    stage.keep("not longer than the chain", (last.workflow_run_timeout.ToTimedelta(), last.workflow_execution_timeout.ToTimedelta()) == (timedelta(seconds=4), timedelta(seconds=4)))
    await stage.until_events("WorkflowExecutionTimedOut")
    await chain(stage, started.run_id)
