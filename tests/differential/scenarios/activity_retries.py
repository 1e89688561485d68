"""When an activity is tried again, when not, and what the history and Describe say then: every kind of failure, every policy, every timeout."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.differential.scenarios.bad_commands import cancel_activity, schedule
from tests.differential.scenarios.updates import polled
from tests.support.rpc import texts

MINUTE = timedelta(minutes=1)
SOON = timedelta(milliseconds=200)
OTHER = {"workflow_id": "w", "run_id": "r"}

FAILURES: dict[str, dict[str, Any]] = {
    "application": {"message": "m", "application_failure_info": {"type": "T"}},
    "final": {"message": "m", "application_failure_info": {"type": "T", "non_retryable": True}},
    "listed": {"message": "m", "application_failure_info": {"type": "Listed"}},
    "listed in other letters": {"message": "m", "application_failure_info": {"type": "listed"}},
    "listed as a cause": {"message": "m", "application_failure_info": {"type": "T"}, "cause": {"message": "c", "application_failure_info": {"type": "Listed"}}},
    "no kind": {"message": "m"},
    "server": {"message": "m", "server_failure_info": {}},
    "final server": {"message": "m", "server_failure_info": {"non_retryable": True}},
    "canceled": {"message": "m", "canceled_failure_info": {}},
    "terminated": {"message": "m", "terminated_failure_info": {}},
    "start to close": {"message": "m", "timeout_failure_info": {"timeout_type": 1}},
    "schedule to start": {"message": "m", "timeout_failure_info": {"timeout_type": 2}},
    "schedule to close": {"message": "m", "timeout_failure_info": {"timeout_type": 3}},
    "heartbeat": {"message": "m", "timeout_failure_info": {"timeout_type": 4}},
    "of an activity": {"message": "m", "activity_failure_info": {"activity_type": {"name": "T"}, "activity_id": "a", "retry_state": 2}},
    "of a child": {"message": "m", "child_workflow_execution_failure_info": {"workflow_execution": OTHER, "retry_state": 2}},
    "of a reset": {"message": "m", "reset_workflow_failure_info": {}},
    "everything": {
        "message": "m",
        "source": "s",
        "stack_trace": "t",
        "encoded_attributes": texts("e").payloads[0],
        "application_failure_info": {"type": "T", "details": texts("d"), "category": 1},
        "cause": {"message": "c", "application_failure_info": {"type": "U"}, "cause": {"message": "deeper"}},
    },
}

POLICIES: dict[str, dict[str, Any]] = {
    "again": {"initial_interval": MINUTE, "non_retryable_error_types": ["Listed"]},
    "last": {"initial_interval": MINUTE, "maximum_attempts": 1},
}


async def begin(stage: Stage, label: str, **fields: Any) -> tuple[str, Any]:
    """A run with an activity, and that in hand."""
    workflow_id = f"{stage.id}-{label.replace(' ', '-')}"
    await stage.raw.start(workflow_id, stage.queue)
    base: dict[str, Any] = {"task_queue": {"name": stage.queue}, "start_to_close_timeout": MINUTE}
    await stage.raw.complete(await polled(stage), schedule(**{**base, **fields}))
    return workflow_id, await stage.raw.poll_activity(stage.queue)


async def failing(stage: Stage, task: Any, failure: Any, **fields: Any) -> Any:
    return await stage.raw.call("RespondActivityTaskFailed", ws.RespondActivityTaskFailedRequest(namespace="default", task_token=task.task_token, identity="raw", failure=failure, **fields))


async def keep(stage: Stage, label: str, workflow_id: str) -> None:
    """What is said of the activity: as pending, or by its last events."""
    described = await stage.raw.describe(workflow_id)
    stage.keep(f"{label}: pending", [stage.scrubber.message(one) for one in described.pending_activities])
    events = await stage.raw.history(workflow_id)
    stage.keep(f"{label}: events", [stage.scrubber.message(event) for event in events[5:]])
    await stage.raw.terminate(workflow_id)


@scenario
async def failures(stage: Stage) -> None:
    for name, policy in POLICIES.items():
        for label, failure in FAILURES.items():
            workflow_id, task = await begin(stage, f"{name} {label}", retry_policy=policy)
            await stage.keep_call(f"{name}, {label}", failing(stage, task, failure))
            await keep(stage, f"{name}, {label}", workflow_id)


@scenario
async def canceled_meanwhile(stage: Stage) -> None:
    """One that is to be canceled and fails is not tried again."""
    for label in ("application", "final", "canceled"):
        workflow_id, task = await begin(stage, label, retry_policy=POLICIES["again"])
        await stage.raw.signal(workflow_id, "s")
        await stage.raw.complete(await polled(stage), cancel_activity(5))
        await stage.keep_call(label, failing(stage, task, FAILURES[label]))
        await keep(stage, label, workflow_id)


@scenario
async def intervals(stage: Stage) -> None:
    """How long until the next attempt."""
    for label, policy, delay in (
        ("default", {}, None),
        ("long", {"initial_interval": MINUTE}, None),
        ("longest", {"initial_interval": MINUTE, "maximum_interval": timedelta(minutes=2), "backoff_coefficient": 10.0}, None),
        ("delay", {"initial_interval": MINUTE}, timedelta(minutes=7)),
        ("delay over the maximum", {"initial_interval": MINUTE, "maximum_interval": timedelta(minutes=2)}, timedelta(minutes=7)),
        ("flat", {"initial_interval": MINUTE, "backoff_coefficient": 1.0}, None),
    ):
        workflow_id, task = await begin(stage, label, retry_policy=policy)
        failure: dict[str, Any] = {"message": "m", "application_failure_info": {"type": "T"}}
        if delay is not None:
            failure["application_failure_info"]["next_retry_delay"] = delay
        await failing(stage, task, failure)
        await keep(stage, label, workflow_id)


@scenario
async def intervals_grow(stage: Stage) -> None:
    policy = {"initial_interval": SOON, "backoff_coefficient": 3.0, "maximum_interval": timedelta(seconds=1)}
    workflow_id, task = await begin(stage, "growing", retry_policy=policy)
    for attempt in range(1, 5):
        stage.keep(f"attempt {attempt}", {"attempt": task.attempt, "policy": stage.scrubber.message(task.retry_policy)})
        await failing(stage, task, FAILURES["application"])
        described = await stage.raw.describe(workflow_id)
        stage.keep(f"behind {attempt}", described.pending_activities[0].current_retry_interval.ToMilliseconds() // 10 * 10)
        task = await stage.raw.poll_activity(stage.queue)
    await keep(stage, "in the end", workflow_id)


@scenario
async def until_the_deadline(stage: Stage) -> None:
    """No time is left for another attempt."""
    for label, fields in {
        "schedule to close": {"schedule_to_close_timeout": timedelta(seconds=30), "retry_policy": {"initial_interval": MINUTE}},
        "delay": {"schedule_to_close_timeout": timedelta(seconds=30)},
    }.items():
        workflow_id, task = await begin(stage, label, **fields)
        failure: dict[str, Any] = {"message": "m", "application_failure_info": {"type": "T"}}
        if label == "delay":
            failure["application_failure_info"]["next_retry_delay"] = MINUTE
        await stage.keep_call(label, failing(stage, task, failure))
        await keep(stage, label, workflow_id)


@scenario
async def timeouts_that_are_listed(stage: Stage) -> None:
    """`TemporalTimeout:` and the name of a timeout."""
    cases: dict[str, dict[str, Any]] = {
        "start to close": {"start_to_close_timeout": SOON, "retry_policy": {"non_retryable_error_types": ["TemporalTimeout:StartToClose"]}},
        "start to close, but heartbeats are listed": {
            "start_to_close_timeout": SOON,
            "retry_policy": {"initial_interval": MINUTE, "non_retryable_error_types": ["TemporalTimeout:Heartbeat"]},
        },
        "heartbeat": {"heartbeat_timeout": SOON, "retry_policy": {"non_retryable_error_types": ["TemporalTimeout:Heartbeat"]}},
        "heartbeat, not listed": {"heartbeat_timeout": SOON, "retry_policy": {"initial_interval": MINUTE}},
        "by the name of its enum": {"start_to_close_timeout": SOON, "retry_policy": {"initial_interval": MINUTE, "non_retryable_error_types": ["StartToClose"]}},
    }
    for label, fields in cases.items():
        workflow_id, _ = await begin(stage, label.replace(",", ""), **fields)
        described = await stage.until_pending(lambda it: not it.pending_activities or it.pending_activities[0].attempt > 1, label, workflow_id)
        # The interval behind a timeout is odd at the reference: a time since 1970.
        stage.keep(f"{label}: pending", [[one.attempt, one.state, stage.scrubber.message(one.last_failure)] for one in described.pending_activities])
        stage.keep(f"{label}: events", [stage.scrubber.message(event) for event in (await stage.raw.history(workflow_id))[5:]])
        await stage.raw.terminate(workflow_id)
    for name in ("TemporalTimeout:Nothing", "TemporalTimeout:", "TemporalTimeout:startToClose", "TemporalTimeout:ScheduleToStart", "TemporalTimeout:ScheduleToClose"):
        workflow_id = f"{stage.id}-{name.replace(':', '-')}"
        await stage.raw.start(workflow_id, stage.queue)
        await stage.keep_call(name, stage.raw.complete(await polled(stage), schedule(retry_policy={"non_retryable_error_types": [name]})))
        await stage.keep_call(f"{name}: of a workflow", stage.raw.start(f"{workflow_id}-run", "nobody", retry_policy={"non_retryable_error_types": [name]}))
        await stage.raw.terminate(workflow_id)


@scenario
async def times_out_behind_a_failure(stage: Stage) -> None:
    """The cause of the timeout is the last failure."""
    cases = {
        "schedule to close": {"schedule_to_close_timeout": timedelta(seconds=1), "retry_policy": {"initial_interval": timedelta(milliseconds=100)}},
        "schedule to start": {"schedule_to_start_timeout": timedelta(milliseconds=500), "retry_policy": {"initial_interval": timedelta(milliseconds=100)}},
        "with a heartbeat": {"schedule_to_close_timeout": timedelta(seconds=1), "heartbeat_timeout": MINUTE, "retry_policy": {"initial_interval": timedelta(milliseconds=100)}},
    }
    for label, fields in cases.items():
        workflow_id, task = await begin(stage, label, **fields)
        if label == "with a heartbeat":
            await stage.raw.call("RecordActivityTaskHeartbeat", ws.RecordActivityTaskHeartbeatRequest(namespace="default", task_token=task.task_token, details=texts("beat"), identity="raw"))
        await failing(stage, task, FAILURES["everything"])
        await stage.until_events("ActivityTaskTimedOut", workflow_id=workflow_id, seconds=20)
        await keep(stage, label, workflow_id)


CLAMPED: dict[str, dict[str, timedelta]] = {
    "to close": {"schedule_to_close_timeout": timedelta(seconds=10)},
    "to close, with all longer": {name: timedelta(seconds=60) for name in ("schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout")} | {"schedule_to_close_timeout": timedelta(seconds=10)},
    "start to close": {"start_to_close_timeout": timedelta(seconds=10)},
    "start to close and heartbeat": {"start_to_close_timeout": timedelta(seconds=10), "heartbeat_timeout": timedelta(seconds=20)},
    "start to close and to start": {"start_to_close_timeout": timedelta(seconds=10), "schedule_to_start_timeout": timedelta(seconds=3)},
    "longer than the run": {name: timedelta(hours=2) for name in ("schedule_to_close_timeout", "schedule_to_start_timeout", "start_to_close_timeout", "heartbeat_timeout")},
    "with parts of seconds": {"start_to_close_timeout": timedelta(milliseconds=1500), "schedule_to_start_timeout": timedelta(microseconds=1)},
}


@scenario
async def timeouts_clamped(stage: Stage) -> None:
    for limit in (None, timedelta(hours=1)):
        for label, fields in CLAMPED.items():
            workflow_id = f"{stage.id}-{label.replace(' ', '-')}-{'bounded' if limit else 'free'}"
            await stage.raw.start(workflow_id, stage.queue, **({"workflow_run_timeout": limit} if limit else {}))
            one = schedule(**{key: value for key, value in fields.items() if key != "start_to_close_timeout"})
            one.schedule_activity_task_command_attributes.ClearField("start_to_close_timeout")
            if "start_to_close_timeout" in fields:
                one.schedule_activity_task_command_attributes.start_to_close_timeout.FromTimedelta(fields["start_to_close_timeout"])
            await stage.raw.complete(await polled(stage), one)
            events = await stage.raw.history(workflow_id)
            stage.keep(f"{label}, run {limit}", events[4])
            await stage.raw.terminate(workflow_id)


@scenario
async def priorities(stage: Stage) -> None:
    """Its own, else the workflow's, wherever they are shown."""
    for label, of_run, own in (
        ("none", {}, {}),
        ("of the run", {"priority_key": 2, "fairness_key": "f", "fairness_weight": 2.0}, {}),
        ("its own", {"priority_key": 2}, {"priority_key": 4}),
        ("in part", {"priority_key": 2, "fairness_key": "f"}, {"fairness_key": "g"}),
    ):
        workflow_id = f"{stage.id}-{label.replace(' ', '-')}"
        await stage.raw.start(workflow_id, stage.queue, **({"priority": of_run} if of_run else {}))
        fields: dict[str, Any] = {"priority": own} if own else {}
        await stage.raw.complete(await polled(stage), schedule(task_queue={"name": stage.queue}, **fields))
        await stage.keep_describe(f"{label}: waiting", workflow_id)
        task = await stage.raw.poll_activity(stage.queue)
        stage.keep(f"{label}: task", stage.scrubber.message(task.priority))
        await keep(stage, label, workflow_id)
