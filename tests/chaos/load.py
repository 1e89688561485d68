"""The raw client under load: drivers that each live through one workflow, and a hand that does external activities.

Everything asked is in the log first. A doubtful answer is asked again with the same request id until it is certain.
Kills nobody and judges nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice import v1 as ws

from tests.chaos.histories import CLOSES, finished, prefix_hashes
from tests.chaos.oplog import DOUBTFUL, OpLog
from tests.chaos.shapes import CHILDREN, EXTERNAL_QUEUE, QUEUE, TASK_TIMEOUT
from tests.support.rpc import Raw, Refused, event_name
from tests.support.wait import until

CALL_SECONDS = 10.0
LONG_POLL_SECONDS = 30.0
EXTERNAL_HANDS = 8
LIST_PAGE = 1000
WATCH_SECONDS = 0.3
FOREVER_SECONDS = 1e9
UNATTENDED = 0.5
AGAIN_SECONDS = 0.05
SHAPES = ("Pipeline", "Timers", "Collect", "Collect", "Stop", "Wait", "Continued", "External", "Counter", "Family", "Rewound", "Operated")


def number_payload(value: Any) -> Payloads:
    """One JSON value."""
    return Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())])


@dataclass
class Load:
    """Keeps a number of workflows open until told to stop."""

    raws: list[Raw]
    """One for each server that is asked; an answer of any must be as good as that of another."""
    log: OpLog
    seed: int
    concurrency: int = 200
    long_poll_seconds: float = LONG_POLL_SECONDS
    stopping: bool = False
    finished: int = 0
    open: dict[str, str] = field(default_factory=dict)
    """Workflow id → what its driver is doing."""
    running: set[str] = field(default_factory=set)
    """The workflow ids that List says are running."""
    listings: int = 0
    rng: random.Random = field(default_factory=random.Random)

    @property
    def raw(self) -> Raw:
        """Any of the servers."""
        return self.rng.choice(self.raws)

    async def list(self, query: str) -> Any:
        """One page of List."""
        request = ws.ListWorkflowExecutionsRequest(namespace="default", query=query, page_size=LIST_PAGE)
        return await self.raw.call("ListWorkflowExecutions", request, CALL_SECONDS, wait=True)

    async def watch(self) -> None:
        """Looks at List again and again, for drivers that do not look at their runs: looking would wake them."""
        while True:
            try:
                self.running = {row.execution.workflow_id for row in (await self.list("ExecutionStatus = 'Running'")).executions}
                self.listings += 1
            except Refused:
                pass
            await asyncio.sleep(WATCH_SECONDS)

    async def unseen_close(self, workflow_id: str) -> None:
        """Returns when List no longer has the id among the running."""
        after = self.listings + 2
        await until(lambda: self.is_over(workflow_id, after), f"{workflow_id} to be over", FOREVER_SECONDS)

    async def is_over(self, workflow_id: str, after: int) -> bool:
        """Whether a look that began later did not see it."""
        return self.listings >= after and workflow_id not in self.running

    async def certain(self, kind: str, fields: dict[str, Any], method: str, request: Any) -> Any:
        """Asks until the answer is certain, logging each attempt; None if the answer is no."""
        while True:
            number = await self.log.invoke(kind, **fields)
            try:
                answer = await self.raw.call(method, request, CALL_SECONDS, wait=True)
            except Refused as refusal:
                if refusal.code in DOUBTFUL or refusal.code == "RESOURCE_EXHAUSTED":
                    await self.log.answer(number, "doubt" if refusal.code in DOUBTFUL else "fail", code=refusal.code)
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                await self.log.answer(number, "fail", code=refusal.code, message=refusal.message)
                return None
            result = told(kind, answer)
            await self.log.answer(number, "ok", **result)
            return answer

    async def run(self) -> None:
        """Drives `concurrency` workflows at a time, new ones as old ones end."""
        numbers = iter(range(1, 1_000_000_000))
        self.rng.seed(f"{self.seed} servers")
        hands = [asyncio.create_task(self.external(index)) for index in range(EXTERNAL_HANDS)]
        hands.append(asyncio.create_task(self.watch()))
        try:
            await asyncio.gather(*(self.lane(numbers, lane) for lane in range(self.concurrency)))
        finally:
            for hand in hands:
                hand.cancel()
            await asyncio.gather(*hands, return_exceptions=True)

    async def lane(self, numbers: Any, lane: int) -> None:
        """One workflow after the other."""
        rng = random.Random(f"{self.seed} lane {lane}")
        while not self.stopping:
            number = next(numbers)
            driver = Driver(self, f"{number}-{rng.choice(SHAPES)}", rng)
            self.open[driver.workflow_id] = "starting"
            await driver.live()
            del self.open[driver.workflow_id]
            self.finished += 1

    async def external(self, index: int) -> None:
        """A worker for external activities: heartbeats, completes, and sometimes just dies."""
        rng = random.Random(f"{self.seed} hand {index}")
        while True:
            began = self.log.number
            try:
                task = await self.raw.call("PollActivityTaskQueue", poll_request(), self.long_poll_seconds, wait=True)
            except Refused:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if task.task_token:
                await self.handle(task, rng, began)

    async def handle(self, task: Any, rng: random.Random, began: int) -> None:
        """One external task. It was given out, so it is logged as an acknowledged start of its attempt."""
        details = int(task.heartbeat_details.payloads[0].data) if task.heartbeat_details.payloads else 0
        fields = {"run_id": task.workflow_execution.run_id, "activity_id": task.activity_id, "attempt": task.attempt}
        await self.log.answer(await self.log.invoke("task", **fields, details=details, began=began), "ok")
        for value in range(details + 1, details + 1 + rng.randrange(3)):
            beat = ws.RecordActivityTaskHeartbeatRequest(namespace="default", task_token=task.task_token, details=number_payload(value))
            if await self.once("heartbeat", {**fields, "value": value}, "RecordActivityTaskHeartbeat", beat) is None:
                return
        if rng.random() < 0.25:
            return
        result = f"{fields['run_id']} {fields['attempt']}"
        request = ws.RespondActivityTaskCompletedRequest(namespace="default", task_token=task.task_token, result=number_payload(result))
        await self.once("complete", {**fields, "value": json.dumps(result)}, "RespondActivityTaskCompleted", request)

    async def once(self, kind: str, fields: dict[str, Any], method: str, request: Any) -> Any:
        """Asks once; None if the answer is anything but yes."""
        number = await self.log.invoke(kind, **fields)
        try:
            answer = await self.raw.call(method, request, CALL_SECONDS)
        except Refused as refusal:
            await self.log.answer(number, "doubt" if refusal.code in DOUBTFUL else "fail", code=refusal.code)
            return None
        await self.log.answer(number, "ok")
        return answer


def told(kind: str, answer: Any) -> dict[str, Any]:
    """What an answer said that the judge must know."""
    match kind:
        case "start":
            return {"run_id": answer.run_id, "started": answer.started}
        case "update":
            result = answer.outcome.success.payloads[0].data.decode() if answer.outcome.HasField("success") else ""
            return {"stage": answer.stage, "result": result, "rejected": answer.outcome.HasField("failure")}
        case "reset":
            return {"new_run_id": answer.run_id}
        case _:
            return {}


def poll_request() -> ws.PollActivityTaskQueueRequest:
    """A poll for external activities."""
    request = ws.PollActivityTaskQueueRequest(namespace="default", identity="hand")
    request.task_queue.name = EXTERNAL_QUEUE
    return request


class Driver:
    """One workflow from its start to its close."""

    def __init__(self, load: Load, name: str, rng: random.Random) -> None:
        self.load = load
        self.rng = rng
        self.workflow_id = name
        self.shape = name.split("-")[1]
        self.run_id = ""

    async def live(self) -> None:
        """Start, poke, read, wait for the end."""
        signals = self.rng.randrange(1, 8)
        if not await self.start(signals):
            return
        await (self.read() if self.rng.random() < 0.7 else self.listed())
        match self.shape:
            case "Collect":
                for number in range(1, signals + 1):
                    await self.signal(number)
                    if self.rng.random() < 0.2:
                        await self.read()
                    if self.rng.random() < 0.2 and number < signals:
                        await self.query()
            case "Counter":
                for number in range(1, signals + 1):
                    if self.rng.random() < 0.3:
                        await self.update(-number)
                    await self.update(number)
                    if self.rng.random() < 0.2:
                        await self.read()
            case "Rewound":
                half = signals // 2
                for number in range(1, half + 1):
                    await self.signal(number)
                if not await self.reset():
                    return
                for number in range(half + 1, signals + 1):
                    await self.signal(number)
            case "Operated":
                await self.pause()
            case "Stop":
                await self.cancel()
                await self.read()
            case "Wait":
                await self.terminate()
                await self.read()
        if self.rng.random() < UNATTENDED:
            self.say("unattended")
            await self.load.unseen_close(self.workflow_id)
        else:
            await self.closed(self.workflow_id, self.run_id)
        if self.shape == "Family":
            # Both have begun before their parent's end; one ends because of it.
            for child in CHILDREN:
                await self.closed(f"{self.workflow_id}-{child}", "")
        if self.rng.random() < 0.3:
            await self.again(signals)
        if self.rng.random() < 0.3:
            await self.listed()

    def say(self, what: str) -> None:
        """What a stuck driver was doing."""
        self.load.open[self.workflow_id] = f"{self.workflow_id} ({self.run_id}): {what}"

    def request(self, signals: int) -> ws.StartWorkflowExecutionRequest:
        """The same start request whenever asked: its id is derived from the workflow's."""
        match self.shape:
            case "Pipeline":
                argument: Any = 3
            case "Timers":
                argument = [10, 100, 700, 1500]
            case "Collect" | "Counter" | "Family" | "Rewound":
                argument = signals
            case "Continued":
                argument = 2
            case _:
                argument = None
        request = self.load.raw.start_request(self.workflow_id, QUEUE, workflow_type=WorkflowType(name=self.shape), workflow_task_timeout=TASK_TIMEOUT)
        request.workflow_execution_timeout.FromTimedelta(timedelta(minutes=30))
        if argument is not None:
            request.input.CopyFrom(number_payload(argument))
        return request

    async def start(self, signals: int) -> bool:
        """Starts; sometimes the same request comes twice at once, sometimes a rival with another id."""
        self.say("start")
        asked: list[Awaitable[Any]] = [self.certain("start", {"request_id": f"request of {self.workflow_id}"}, "StartWorkflowExecution", self.request(signals))]
        luck = self.rng.random()
        if luck < 0.2:
            asked.append(self.certain("start", {"request_id": f"request of {self.workflow_id}"}, "StartWorkflowExecution", self.request(signals)))
        elif luck < 0.3:
            rival = self.request(signals)
            rival.request_id = "rival"
            asked.append(self.certain("start", {"request_id": "rival"}, "StartWorkflowExecution", rival))
        answers = [answer for answer in await asyncio.gather(*asked) if answer is not None]
        if not answers:
            return False
        self.run_id = answers[-1].run_id if luck >= 0.2 else answers[0].run_id
        return True

    async def again(self, signals: int) -> None:
        """The same start request after the close: must find the run, not make one. Not where the current run is another."""
        if self.shape not in ("Continued", "Rewound"):
            self.say("repeated start")
            await self.certain("start", {"request_id": f"request of {self.workflow_id}"}, "StartWorkflowExecution", self.rejecting(signals))

    def rejecting(self, signals: int) -> ws.StartWorkflowExecutionRequest:
        """The start request, unable to start a second run."""
        request = self.request(signals)
        request.workflow_id_reuse_policy = 3  # type: ignore[assignment]
        return request

    async def certain(self, kind: str, fields: dict[str, Any], method: str, request: Any) -> Any:
        """Asks until certain, about this workflow."""
        return await self.load.certain(kind, {"workflow_id": self.workflow_id, "run_id": self.run_id, **fields}, method, request)

    def execution(self) -> WorkflowExecution:
        """This run."""
        return WorkflowExecution(workflow_id=self.workflow_id, run_id=self.run_id)

    async def watched(self, asked: Awaitable[Any]) -> None:
        """Waits for an answer, and sometimes reads while it is on its way: what is read then must stay."""
        if self.rng.random() < 0.5:
            await asyncio.gather(asked, self.read_soon())
        else:
            await asked

    async def read_soon(self) -> None:
        """Reads when the question before it has arrived, or nearly."""
        await asyncio.sleep(self.rng.uniform(0.0, 0.02))
        await self.read()

    async def signal(self, number: int) -> None:
        """The next signal, with a request id of its own."""
        self.say(f"signal {number}")
        request = self.load.raw.signal_request(self.workflow_id, "number", workflow_execution=self.execution(), request_id=f"{self.workflow_id} {number}", input=number_payload(number))
        if self.rng.random() < 0.3:
            # The same twice at once: a yes to either is a promise, whatever becomes of the other.
            fields = {"workflow_id": self.workflow_id, "run_id": self.run_id, "number": number}
            answers = await asyncio.gather(*(self.load.once("signal", fields, "SignalWorkflowExecution", request) for _ in range(2)))
            if any(answer is not None for answer in answers):
                return
        await self.watched(self.certain("signal", {"number": number}, "SignalWorkflowExecution", request))

    async def update(self, number: int) -> None:
        """An update, asked until its outcome is known; sometimes the same twice at once."""
        self.say(f"update {number}")
        meta = Meta(update_id=f"u{number}", identity="chaos")
        request = ws.UpdateWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=self.execution(),
            wait_policy=WaitPolicy(lifecycle_stage=3),  # type: ignore[arg-type]
            request=Request(meta=meta, input=Input(name="add", args=number_payload(number))),
        )
        asked = 2 if self.rng.random() < 0.3 else 1
        await asyncio.gather(*(self.watched(self.outcome(number, request)) for _ in range(asked)))

    async def outcome(self, number: int, request: ws.UpdateWorkflowExecutionRequest) -> None:
        """Asks one update until it has an outcome: the server lets go of who waits long, and refuses while workflow tasks keep failing."""
        while True:
            answer = await self.certain("update", {"number": number}, "UpdateWorkflowExecution", request)
            if answer is not None and answer.HasField("outcome"):
                return
            await asyncio.sleep(AGAIN_SECONDS)

    async def cancel(self) -> None:
        """A cancel request."""
        self.say("cancel")
        request = ws.RequestCancelWorkflowExecutionRequest(namespace="default", workflow_execution=self.execution(), request_id=f"{self.workflow_id} cancel")
        await self.watched(self.certain("cancel", {}, "RequestCancelWorkflowExecution", request))

    async def terminate(self) -> None:
        """A termination; after a doubtful one the run may already be closed."""
        self.say("terminate")
        request = ws.TerminateWorkflowExecutionRequest(namespace="default", workflow_execution=self.execution(), reason="chaos")
        await self.watched(self.certain("terminate", {}, "TerminateWorkflowExecution", request))

    async def reset(self) -> bool:
        """Goes back to the end of the first workflow task; sometimes the same is asked twice at once. From then on the new run is meant."""
        self.say("reset")
        point = await until(self.first_task, f"{self.workflow_id} to have done a workflow task", FOREVER_SECONDS)
        fields = {"request_id": f"{self.workflow_id} reset", "point": point}
        request = ws.ResetWorkflowExecutionRequest(
            namespace="default", workflow_execution=self.execution(), reason="chaos", workflow_task_finish_event_id=point, request_id=fields["request_id"]
        )
        asked = 2 if self.rng.random() < 0.3 else 1
        answers = await asyncio.gather(*(self.certain("reset", fields, "ResetWorkflowExecution", request) for _ in range(asked)))
        told = [answer.run_id for answer in answers if answer is not None]
        self.run_id = told[0] if told else self.run_id
        return bool(told)

    async def first_task(self) -> int:
        """Where the first workflow task was completed; 0 if none was."""
        try:
            shown = await self.load.raw.history(self.workflow_id, self.run_id)
        except Refused:
            return 0
        return next((event.event_id for event in shown if event_name(event) == "WorkflowTaskCompleted"), 0)

    async def pause(self) -> None:
        """Pauses the activity, and lets it go on after a while: neither may be lost."""
        self.say("pause")
        fields = {"activity_id": "1"}
        request = ws.PauseActivityRequest(namespace="default", execution=self.execution(), id="1", request_id=f"{self.workflow_id} pause")
        await self.certain("pause", fields, "PauseActivity", request)
        await asyncio.sleep(self.rng.uniform(0.0, 2.0))
        self.say("unpause")
        await self.certain("unpause", fields, "UnpauseActivity", ws.UnpauseActivityRequest(namespace="default", execution=self.execution(), id="1"))

    async def query(self) -> None:
        """A query: must have seen every signal acknowledged before it."""
        self.say("query")
        number = await self.load.log.invoke("query", workflow_id=self.workflow_id, run_id=self.run_id)
        try:
            answer = await self.load.raw.call("QueryWorkflow", ws.QueryWorkflowRequest(namespace="default", execution=self.execution(), query=WorkflowQuery(query_type="count")), CALL_SECONDS, wait=True)
        except Refused as refusal:
            await self.load.log.answer(number, "doubt" if refusal.code != "NOT_FOUND" else "fail", code=refusal.code)
            return
        await self.load.log.answer(number, "ok", signals=int(answer.query_result.payloads[0].data))

    async def listed(self) -> None:
        """Asks List about this id and logs the status of each run."""
        self.say("list")
        number = await self.load.log.invoke("list", workflow_id=self.workflow_id, run_id=self.run_id)
        try:
            found = await self.load.list(f"WorkflowId = '{self.workflow_id}'")
        except Refused as refusal:
            await self.load.log.answer(number, "doubt", code=refusal.code)
            return
        await self.load.log.answer(number, "ok", runs={row.execution.run_id: row.status for row in found.executions})

    async def read(self) -> bool:
        """Reads the whole history and logs what it held; says whether the run is closed."""
        self.say("read")
        number = await self.load.log.invoke("read", workflow_id=self.workflow_id, run_id=self.run_id)
        try:
            shown = await self.load.raw.history(self.workflow_id, self.run_id)
        except Refused as refusal:
            await self.load.log.answer(number, "doubt" if refusal.code in DOUBTFUL else "fail", code=refusal.code)
            return False
        events = finished(shown)
        names = [event_name(event) for event in events]
        closed = bool(names) and names[-1] in CLOSES
        await self.load.log.answer(
            number,
            "ok",
            events=len(events),
            hash=prefix_hashes(events)[-1],
            signals=names.count("WorkflowExecutionSignaled"),
            cancel="WorkflowExecutionCancelRequested" in names,
            closed=closed,
            buffering=event_name(shown[-1]) == "WorkflowTaskStarted",
        )
        return closed

    async def closed(self, workflow_id: str, run_id: str) -> None:
        """Waits for the close of a run and of every run that continues it."""
        token = b""
        while True:
            self.say(f"waiting for the close of {workflow_id}")
            request = ws.GetWorkflowExecutionHistoryRequest(
                namespace="default", execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id), wait_new_event=True, history_event_filter_type=2, next_page_token=token  # type: ignore[arg-type]
            )
            try:
                answer = await self.load.raw.call("GetWorkflowExecutionHistory", request, self.load.long_poll_seconds, wait=True)
            except Refused:
                token = b""
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            token = answer.next_page_token
            if not answer.history.events:
                continue
            close = answer.history.events[-1]
            if not close.HasField("workflow_execution_continued_as_new_event_attributes"):
                return
            token, run_id = b"", close.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
