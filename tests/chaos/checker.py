"""The judge: given the client's log and all histories, which promises were broken?

Pure: no clock, no network. One function per promise, each yields violations; `check` runs them all. Every rule here has
a fabricated violation in `test_checker.py` that it must find.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.histories import CLOSES, RUNNING, Run, json_payload, nanoseconds, prefix_hashes
from tests.chaos.oplog import Op
from tests.support.rpc import attributes

SECOND = 1_000_000_000
TIMER_LATE_SECONDS_MAX = 6.0
"""L-2: five seconds after the server is back, and one for the backlog."""
TASK_LATE_SECONDS_MAX = 15.0
"""L-1: ten seconds with a live worker; after many outages in a row an SDK waits up to ten before it polls again."""


@dataclass(frozen=True)
class Violation:
    """A broken promise, in words."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


@dataclass
class World:
    """All that the checker may look at."""

    ops: Sequence[Op]
    runs: Mapping[str, Run]
    outages: Sequence[tuple[float, float]] = ()
    stuck: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """What Count says per status name, if asked."""
    strict: bool = True
    """Whether List must know at once (ours) or may follow later (the reference)."""

    def acked(self, *kinds: str) -> Iterator[Op]:
        """Operations of some kinds that the server said yes to."""
        return (op for op in self.ops if op.ok and op.kind in kinds)


def durability(world: World) -> Iterator[Violation]:
    """I-1: everything acknowledged is in the histories."""
    for op in world.acked("start", "signal", "cancel", "terminate", "complete", "update"):
        run_id = op.result.get("run_id") or op.fields.get("run_id", "")
        run = world.runs.get(run_id)
        if run is None or not run.events:
            yield Violation("I-1", f"{op.kind} {op.fields} was acknowledged, run {run_id} is gone")
        elif not happened(op, run) and not run.buffering:
            yield Violation("I-1", f"{op.kind} {op.fields} was acknowledged and is not in the history of {run_id}")


def happened(op: Op, run: Run) -> bool:
    """Whether a run's history shows an operation."""
    match op.kind:
        case "start":
            return run.workflow_id == op.fields["workflow_id"]
        case "signal":
            return signal_key(op) in signals(run)
        case "cancel":
            return "WorkflowExecutionCancelRequested" in run.names or run.close is not None
        case "terminate":
            return run.names[-1] == "WorkflowExecutionTerminated"
        case "update":
            return as_told(op, run)
        case _:
            return any(json_payload(found.result) == op.fields["value"] for _, found in run.named("ActivityTaskCompleted"))


ACCEPTED, COMPLETED = 2, 3
"""Stages of an update."""


def as_told(op: Op, run: Run) -> bool:
    """Whether a history shows what was said of an update: accepted, completed with this result, or no trace of a rejected one."""
    update_id = f"u{op.fields['number']}"
    accepted = [event.event_id for event, found in run.named("WorkflowExecutionUpdateAccepted") if found.protocol_instance_id == update_id]
    results = [json_payload(found.outcome.success) for _, found in run.named("WorkflowExecutionUpdateCompleted") if found.meta.update_id == update_id]
    if op.result["rejected"]:
        return not accepted and not results
    if op.result["stage"] == COMPLETED:
        return bool(accepted) and results == [op.result["result"]]
    return op.result["stage"] < ACCEPTED or bool(accepted)


def updates(world: World) -> Iterator[Violation]:
    """I-8: an update id is accepted once and completed once, whoever asks how often."""
    for run in world.runs.values():
        accepted = [found.protocol_instance_id for _, found in run.named("WorkflowExecutionUpdateAccepted")]
        completed = [found.meta.update_id for _, found in run.named("WorkflowExecutionUpdateCompleted")]
        for ids, word in ((accepted, "accepted"), (completed, "completed")):
            if len(ids) != len(set(ids)):
                yield Violation("I-8", f"{run.run_id} has {word} an update twice: {ids}")


def resets(world: World) -> Iterator[Violation]:
    """A reset that was acknowledged is there (I-1), once for its request (I-8), and begins as its base did (I-15); signals behind the point come again."""
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    asked: dict[str, set[str]] = defaultdict(set)
    for op in world.ops:
        if op.kind == "reset" and op.outcome != "fail":
            asked[op.fields["run_id"]].add(op.fields["request_id"])
    for op in world.acked("reset"):
        new = op.result["new_run_id"]
        told[op.fields["run_id"], op.fields["request_id"]].add(new)
        run = world.runs.get(new)
        if run is None or run.reset is None or run.reset[0] != op.fields["run_id"]:
            yield Violation("I-1", f"{op.fields} was acknowledged, {new} did not come of it")
    for key, runs in told.items():
        if len(runs) > 1:
            yield Violation("I-8", f"reset {key} made {sorted(runs)}")
    made: dict[str, int] = defaultdict(int)
    for run in world.runs.values():
        if run.reset is None:
            continue
        base_id, point = run.reset
        made[base_id] += 1
        base = world.runs.get(base_id)
        if base is None:
            continue
        if list(run.events[:point]) != list(base.events[:point]):
            yield Violation("I-15", f"{run.run_id} does not begin as {base_id} did")
        again = signals(Run(base.workflow_id, base_id, base.events[point:]))
        if signals(run)[: len(signals(base))] != signals(base):
            yield Violation("I-1", f"{again} came to {base_id} behind the point, and to {run.run_id} came {signals(run)}")
    for base_id, count in made.items():
        if count > len(asked[base_id]):
            yield Violation("I-8", f"{base_id} was reset {count} times for {len(asked[base_id])} requests")


def operated(world: World) -> Iterator[Violation]:
    """I-5: an activity that is paused is not given out to a poll that began since."""
    invoked = {op.number: op.invoked_at for op in world.ops}
    paused: dict[tuple[str, str], int] = {}
    for op in world.ops:
        key = (op.fields.get("run_id", ""), op.fields.get("activity_id", ""))
        if op.kind == "pause" and op.ok and op.answered_at is not None:
            paused[key] = op.answered_at
        elif op.kind == "unpause":
            paused.pop(key, None)
        elif op.kind == "task" and op.ok and key in paused and invoked.get(op.fields["began"], -1) > paused[key]:
            yield Violation("I-5", f"{key} was paused, and attempt {op.fields['attempt']} was given out")


def signal_key(op: Op) -> str:
    """What makes a signal recognizable in a history: its input."""
    return str(op.fields["number"])


def signals(run: Run) -> list[str]:
    """The inputs of a run's signals in order."""
    return [json_payload(found.input) for _, found in run.named("WorkflowExecutionSignaled")]


def contiguity(world: World) -> Iterator[Violation]:
    """I-2: ids are 1..n, the first event starts the run."""
    for run in world.runs.values():
        if [event.event_id for event in run.events] != list(range(1, len(run.events) + 1)):
            yield Violation("I-2", f"ids of {run.run_id} are {[event.event_id for event in run.events]}")
        if run.names and run.names[0] != "WorkflowExecutionStarted":
            yield Violation("I-2", f"{run.run_id} begins with {run.names[0]}")


def append_only(world: World) -> Iterator[Violation]:
    """I-3: what was once read is a prefix of what is read at the end."""
    hashes: dict[str, list[str]] = {}
    for op in world.acked("read"):
        run_id = op.fields["run_id"]
        run = world.runs.get(run_id)
        if run is None:
            yield Violation("I-3", f"{run_id} was read and is gone")
            continue
        if run_id not in hashes:
            hashes[run_id] = prefix_hashes(run.events)
        count = op.result["events"]
        if count >= len(hashes[run_id]):
            yield Violation("I-3", f"{run_id} had {count} events and has {len(run.events)}")
        elif hashes[run_id][count] != op.result["hash"]:
            yield Violation("I-3", f"the first {count} events of {run_id} have changed")


def one_close(world: World) -> Iterator[Violation]:
    """I-4: a closed run has one close event, and it is last; an open run has none."""
    for run in world.runs.values():
        closes = [name for name in run.names if name in CLOSES]
        if len(closes) > 1 or (closes and run.close is None):
            yield Violation("I-4", f"{run.run_id} closes as {closes} and ends with {run.names[-1]}")
        elif (run.status == RUNNING) == bool(closes):
            yield Violation("I-4", f"{run.run_id} has status {run.status} and close events {closes}")


ACTIVITY_ENDS = ("ActivityTaskCompleted", "ActivityTaskFailed", "ActivityTaskTimedOut", "ActivityTaskCanceled")


def activities(world: World) -> Iterator[Violation]:
    """I-5: at most one end per activity, in order, with the acknowledged result; attempts rise."""
    for run in world.runs.values():
        state: dict[int, str] = {}
        for event, name in zip(run.events, run.names, strict=True):
            if name == "ActivityTaskScheduled":
                state[event.event_id] = "scheduled"
            elif name == "ActivityTaskStarted":
                if state.get(attributes(event).scheduled_event_id) != "scheduled":
                    yield Violation("I-5", f"{run.run_id}: event {event.event_id} starts no scheduled activity")
                state[attributes(event).scheduled_event_id] = "started"
            elif name in ACTIVITY_ENDS:
                was = state.get(attributes(event).scheduled_event_id)
                if was not in ("scheduled", "started") or (was == "scheduled" and name == "ActivityTaskCompleted"):
                    yield Violation("I-5", f"{run.run_id}: event {event.event_id} ends an activity that is {was}")
                state[attributes(event).scheduled_event_id] = "ended"
    yield from attempts(world)


def attempts(world: World) -> Iterator[Violation]:
    """I-5: a poll that began when an attempt had been given out gets a later one, I-1: with the last heartbeat."""
    given: dict[tuple[str, str], list[Op]] = defaultdict(list)
    beats: dict[tuple[str, str], int] = {}
    for op in world.ops:
        key = (op.fields.get("run_id", ""), op.fields.get("activity_id", ""))
        if op.kind == "task" and op.ok:
            attempt = op.fields["attempt"]
            for other in given[key]:
                # Polls that waited at the same time may be answered in any order, but never with the same attempt.
                if other.fields["attempt"] == attempt or (other.fields["attempt"] > attempt and other.number <= op.fields["began"]):
                    yield Violation("I-5", f"attempt {attempt} of {key} after attempt {other.fields['attempt']}")
            newest = all(other.fields["attempt"] < attempt for other in given[key])
            given[key].append(op)
            if newest and op.fields["details"] < beats.get(key, 0):
                yield Violation("I-1", f"heartbeat {beats[key]} of {key} was acknowledged, the next attempt got {op.fields['details']}")
        elif op.kind == "heartbeat" and op.ok:
            beats[key] = op.fields["value"]


def timers(world: World) -> Iterator[Violation]:
    """I-6: never early, at most one end. L-2: not late either."""
    for run in world.runs.values():
        started: dict[str, tuple[int, int]] = {}
        for event, name in zip(run.events, run.names, strict=True):
            found = attributes(event)
            if name == "TimerStarted":
                started[found.timer_id] = (event.event_id, nanoseconds(event) + found.start_to_fire_timeout.ToNanoseconds())
            elif name in ("TimerFired", "TimerCanceled"):
                start_id, due = started.pop(found.timer_id, (0, 0))
                if start_id == 0 or start_id != found.started_event_id:
                    yield Violation("I-6", f"{run.run_id}: event {event.event_id} ends no running timer")
                elif name == "TimerFired" and nanoseconds(event) < due:
                    yield Violation("I-6", f"{run.run_id}: timer {found.timer_id} fired {due - nanoseconds(event)} ns early")
                elif name == "TimerFired" and lateness(world, due, nanoseconds(event)) > TIMER_LATE_SECONDS_MAX:
                    yield Violation("L-2", f"{run.run_id}: timer {found.timer_id} fired {lateness(world, due, nanoseconds(event)):.1f} s late")


def lateness(world: World, due: int, fired: int) -> float:
    """Seconds between the moment something was due with a server up, and the moment it happened.

    The server must have had the time: the last outage before the firing starts the clock anew, and in the middle of one, when
    other nodes serve, nothing is late.
    """
    if any(down <= fired / SECOND < up for down, up in world.outages):
        return 0.0
    since = max([due / SECOND, *(up for _, up in world.outages if up <= fired / SECOND)])
    return fired / SECOND - since


def uniqueness(world: World) -> Iterator[Violation]:
    """I-7: runs of one id follow each other, they do not overlap."""
    of_id: dict[str, list[Run]] = defaultdict(list)
    for run in world.runs.values():
        if run.events:
            of_id[run.workflow_id].append(run)
    for workflow_id, runs in of_id.items():
        runs.sort(key=lambda run: run.began)
        for earlier, later in zip(runs, runs[1:], strict=False):
            if earlier.close is None or nanoseconds(earlier.close) > later.began:
                yield Violation("I-7", f"{workflow_id}: {earlier.run_id} was open when {later.run_id} started")


def idempotency(world: World) -> Iterator[Violation]:
    """I-8: one request, one effect, one run id; and no run that nobody asked for."""
    run_ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    requests: dict[str, set[str]] = defaultdict(set)
    acked_at: dict[tuple[str, str], int] = {}
    """Where in the log a request was acknowledged for the first time."""
    for op in world.ops:
        if op.kind == "start":
            key = (op.fields["workflow_id"], op.fields["request_id"])
            if op.outcome != "fail":
                requests[op.fields["workflow_id"]].add(op.fields["request_id"])
            if op.ok and op.result.get("started", True):
                run_ids[key].add(op.result["run_id"])
                if op.answered_at is not None:
                    acked_at[key] = min(op.answered_at, acked_at.get(key, op.answered_at))
    for key, found in run_ids.items():
        if len(found) > 1:
            yield Violation("I-8", f"start {key} made {sorted(found)}")
    firsts: dict[str, int] = defaultdict(int)
    for run in world.runs.values():
        if run.names[:1] == ["WorkflowExecutionStarted"] and not attributes(run.events[0]).continued_execution_run_id and run.reset is None:
            firsts[run.workflow_id] += 1
        heard = signals(run)
        if len(heard) != len(set(heard)):
            yield Violation("I-8", f"{run.run_id} has a signal twice: {heard}")
        if run.names.count("WorkflowExecutionCancelRequested") > 1:
            yield Violation("I-8", f"{run.run_id} was asked to cancel twice")
    for op in world.ops:
        key = (op.fields.get("workflow_id", ""), op.fields.get("request_id", ""))
        if op.kind == "start" and op.result.get("code") == "ALREADY_EXISTS" and firsts[key[0]] == 1 and acked_at.get(key, op.invoked_at) < op.invoked_at:
            yield Violation("I-8", f"start {key} was acknowledged and then refused")
    for workflow_id, count in firsts.items():
        if workflow_id in requests and count > len(requests[workflow_id]):
            yield Violation("I-8", f"{workflow_id} has {count} first runs for {len(requests[workflow_id])} requests")


def order(world: World) -> Iterator[Violation]:
    """I-12: signals of one client, sent one after the other, are in that order."""
    for run in world.runs.values():
        numbers = [int(one) for one in signals(run) if one.lstrip("-").isdigit()]
        if any(earlier > later for earlier, later in zip(numbers, numbers[1:], strict=False)):
            yield Violation("I-12", f"{run.run_id} heard {numbers}")


def read_your_acks(world: World) -> Iterator[Violation]:
    """I-13: who was told that something happened sees it, whatever died in between."""
    acked: dict[str, list[Op]] = defaultdict(list)
    for op in world.ops:
        run_id = op.fields.get("run_id") or op.result.get("run_id", "")
        if op.kind in ("start", "signal", "cancel", "terminate"):
            if op.ok:
                acked[run_id].append(op)
        elif op.kind in ("read", "query"):
            before = [one for one in acked[run_id] if one.answered_at is not None and one.answered_at < op.invoked_at]
            if op.outcome == "fail" and op.result.get("code") == "NOT_FOUND" and before:
                yield Violation("I-13", f"{run_id} was acknowledged and then not found")
            elif op.ok:
                yield from unseen(op, run_id, before)


def unseen(op: Op, run_id: str, before: list[Op]) -> Iterator[Violation]:
    """What a read should have shown and did not. While a workflow task runs, events wait in a buffer that no history shows."""
    if op.result.get("buffering"):
        return
    count = sum(1 for number in {signal_key(one) for one in before if one.kind == "signal"} if number)
    if op.result["signals"] < count:
        yield Violation("I-13", f"{op.kind} of {run_id} saw {op.result['signals']} signals after {count} were acknowledged")
    if op.kind == "read":
        kinds = {one.kind for one in before}
        if "cancel" in kinds and not (op.result["cancel"] or op.result["closed"]):
            yield Violation("I-13", f"read of {run_id} saw no cancel request after it was acknowledged")
        if "terminate" in kinds and not op.result["closed"]:
            yield Violation("I-13", f"read of {run_id} saw an open run after its termination was acknowledged")


def visibility(world: World) -> Iterator[Violation]:
    """I-14: Describe, List and Count agree with the histories."""
    totals: dict[str, int] = defaultdict(int)
    for run in world.runs.values():
        status = CLOSES.get(run.names[-1], RUNNING) if run.names else 0
        totals[STATUS_NAMES.get(status, "?")] += 1
        if run.status != status:
            yield Violation("I-14", f"{run.run_id}: Describe says status {run.status}, the history {status}")
        if run.history_length != len(run.events):
            yield Violation("I-14", f"{run.run_id}: Describe says {run.history_length} events, there are {len(run.events)}")
        if run.listed_status != status:
            yield Violation("I-14", f"{run.run_id}: List says status {run.listed_status}, the history {status}")
    for name, count in world.counts.items():
        if count != totals.get(name, 0):
            yield Violation("I-14", f"Count says {count} {name}, the histories {totals.get(name, 0)}")


def listing(world: World) -> Iterator[Violation]:
    """I-13 for List: what was acknowledged, or was read, before List was asked is in its answer."""
    if not world.strict:
        return
    known: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for op in world.ops:
        if op.ok and op.answered_at is not None:
            run_id = op.result.get("run_id") or op.fields.get("run_id", "")
            if op.kind in ("start", "terminate", "read"):
                known[run_id].append((op.answered_at, op.kind == "terminate" or bool(op.result.get("closed"))))
    for op in world.acked("list"):
        run_id = op.fields["run_id"]
        before = [closed for answered, closed in known[run_id] if answered < op.invoked_at]
        status = op.result["runs"].get(run_id)
        if before and status is None:
            yield Violation("I-13", f"{run_id} was acknowledged and List does not have it")
        elif any(before) and status == RUNNING:
            yield Violation("I-13", f"{run_id} was closed and List says that it runs")


def dispatch(world: World) -> Iterator[Violation]:
    """L-1: a scheduled workflow task gets a worker."""
    for run in world.runs.values():
        scheduled: dict[int, int] = {}
        for event, name in zip(run.events, run.names, strict=True):
            if name == "WorkflowTaskScheduled":
                scheduled[event.event_id] = nanoseconds(event)
            elif name == "WorkflowTaskStarted":
                since = scheduled.get(attributes(event).scheduled_event_id, nanoseconds(event))
                late = lateness(world, since, nanoseconds(event))
                if late > TASK_LATE_SECONDS_MAX:
                    yield Violation("L-1", f"{run.run_id}: workflow task {event.event_id} waited {late:.1f} s for a worker")


STATUS_NAMES = {1: "Running", 2: "Completed", 3: "Failed", 4: "Canceled", 5: "Terminated", 6: "ContinuedAsNew", 7: "TimedOut"}


def chains(world: World) -> Iterator[Violation]:
    """I-15: a run that names its successor has one, and the successor names it."""
    for run in world.runs.values():
        for _, found in run.named(*CLOSES):
            successor = getattr(found, "new_execution_run_id", "")
            if successor and successor not in world.runs:
                yield Violation("I-15", f"{run.run_id} names {successor}, which does not exist")
        for _, found in run.named("WorkflowExecutionStarted"):
            before = world.runs.get(found.continued_execution_run_id)
            if found.continued_execution_run_id and (before is None or getattr(attributes(before.events[-1]), "new_execution_run_id", "") != run.run_id):
                yield Violation("I-15", f"{run.run_id} continues {found.continued_execution_run_id}, which does not say so")


CHILD_ENDS = {
    "ChildWorkflowExecutionCompleted": 2,
    "ChildWorkflowExecutionFailed": 3,
    "ChildWorkflowExecutionCanceled": 4,
    "ChildWorkflowExecutionTerminated": 5,
    "ChildWorkflowExecutionTimedOut": 7,
}
"""What a parent hears → the status of the child."""


def children(world: World) -> Iterator[Violation]:
    """I-15: a child is begun once for the event that asks for it, and its parent hears, once, of the end that it had."""
    begun: dict[tuple[str, int], list[str]] = defaultdict(list)
    for run in world.runs.values():
        for _, found in run.named("WorkflowExecutionStarted"):
            if found.parent_workflow_execution.run_id and not found.continued_execution_run_id:
                begun[found.parent_workflow_execution.run_id, found.parent_initiated_event_id].append(run.run_id)
        ended = set()
        for event, name in zip(run.events, run.names, strict=True):
            if name not in CHILD_ENDS:
                continue
            found = attributes(event)
            child = world.runs.get(found.workflow_execution.run_id)
            if child is None or child.status != CHILD_ENDS[name]:
                yield Violation("I-15", f"{run.run_id} heard {name} of {found.workflow_execution.run_id}, which has status {child and child.status}")
            if found.initiated_event_id in ended:
                yield Violation("I-15", f"{run.run_id} heard twice of the end of child {found.initiated_event_id}")
            ended.add(found.initiated_event_id)
    for (parent, initiated), run_ids in begun.items():
        asked = world.runs.get(parent)
        if len(run_ids) > 1:
            yield Violation("I-15", f"event {initiated} of {parent} began {run_ids}")
        if asked is not None and all(event.event_id != initiated for event, _ in asked.named("StartChildWorkflowExecutionInitiated")):
            yield Violation("I-15", f"event {initiated} of {parent} asks for no child, and {run_ids} is one")


def calls(world: World) -> Iterator[Violation]:
    """I-16: what one run signals to another is heard once in the chain of that one, and is heard if the sender was told so."""
    heard: dict[tuple[str, str], list[str]] = defaultdict(list)
    for run in world.runs.values():
        for _, found in run.named("WorkflowExecutionSignaled"):
            if found.external_workflow_execution.run_id:
                heard[found.external_workflow_execution.run_id, run.workflow_id].append(json_payload(found.input))
    for run in world.runs.values():
        asked = {event.event_id: found for event, found in run.named("SignalExternalWorkflowExecutionInitiated")}
        for _, found in run.named("ExternalWorkflowExecutionSignaled"):
            target = found.workflow_execution.workflow_id
            number = json_payload(asked[found.initiated_event_id].input)
            buffering = any(other.buffering for other in world.runs.values() if other.workflow_id == target)
            if number not in heard[run.run_id, target] and not buffering:
                yield Violation("I-16", f"{run.run_id} was told that {target} has heard {number}, which it has not")
    for (sender, target), numbers in heard.items():
        if len(numbers) != len(set(numbers)):
            yield Violation("I-16", f"{target} has heard a signal of {sender} twice: {numbers}")


def progress(world: World) -> Iterator[Violation]:
    """L-5: nothing is stuck."""
    for what in world.stuck:
        yield Violation("L-5", what)


RULES: tuple[Callable[[World], Iterator[Violation]], ...] = (
    durability,
    contiguity,
    append_only,
    one_close,
    activities,
    timers,
    uniqueness,
    idempotency,
    updates,
    resets,
    operated,
    order,
    read_your_acks,
    visibility,
    listing,
    dispatch,
    chains,
    children,
    calls,
    progress,
)


def check(world: World) -> list[Violation]:
    """All violations of all promises."""
    return [violation for rule in RULES for violation in rule(world)]


def rule_of_three(trials: int) -> float:
    """With no failure in so many trials, the failure rate is below this with 95 % confidence."""
    return min(1.0, 3.0 / trials) if trials else 1.0
