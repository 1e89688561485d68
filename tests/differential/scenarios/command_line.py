"""The command line about updates: what it prints, for people and for programs, and its exit codes."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from tests.differential.scenario import Stage, scenario


@workflow.defn
class Account:
    def __init__(self) -> None:
        self.balance = 0
        self.open = False

    @workflow.update
    async def add(self, amount: int) -> int:
        self.balance += amount
        return self.balance

    @add.validator
    def add_is_positive(self, amount: int) -> None:
        if amount < 0:
            raise ApplicationError("negative", type="Negative", non_retryable=True)

    @workflow.update
    async def fail(self) -> None:
        raise ApplicationError("no good", type="Bad")

    @workflow.update
    async def until_open(self) -> str:
        await workflow.wait_condition(lambda: self.open)
        return "open"

    @workflow.signal
    async def release(self) -> None:
        self.open = True

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


async def say(stage: Stage, label: str, *words: str) -> None:
    """Keeps what `workflow update` prints, and its exit code. Errors begin with a word that each command line has its own way with."""
    line = [str(stage.binary), "workflow", "update", *words, "--address", stage.client.service_client.config.target_host]
    process = await asyncio.create_subprocess_exec(*line, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    stdout, stderr = await process.communicate()
    told = stderr.decode().strip().removeprefix("Error: ").removeprefix("error: ")
    stage.keep(label, {"stdout": stdout.decode().splitlines(), "stderr": told.splitlines(), "code": process.returncode})


@scenario
async def updates(stage: Stage) -> None:
    """Each command on updates that complete, fail, are rejected, wait, or are not there."""
    async with stage.worker([Account]):
        handle = await stage.start(Account.run)
        run = ("-w", handle.id)
        for output in ("text", "json"):
            form = ("-o", output)
            add = ("--name", "add", "--update-id", f"add {output}")
            await say(stage, f"execute {output}", "execute", *run, *add, "-i", "3", *form)
            await say(stage, f"execute again {output}", "execute", *run, *add, "-i", "3", *form)
            await say(stage, f"rejected {output}", "execute", *run, "--name", "add", "-i", "-3", "--update-id", f"rejected {output}", *form)
            await say(stage, f"failed {output}", "execute", *run, "--name", "fail", "--update-id", f"fail {output}", *form)
            wait = ("--update-id", f"wait {output}")
            await say(stage, f"start {output}", "start", *run, "--type", "until_open", *wait, "--wait-for-stage", "accepted", *form)
            await say(stage, f"describe a waiting one {output}", "describe", *run, *wait, *form)
            await say(stage, f"describe {output}", "describe", *run, "--update-id", f"add {output}", *form)
            await say(stage, f"result {output}", "result", *run, "--update-id", f"add {output}", *form)
            await say(stage, f"result of a failed one {output}", "result", *run, "--update-id", f"fail {output}", *form)
            await say(stage, f"describe an unknown one {output}", "describe", *run, "--update-id", "unknown", *form)
            await say(stage, f"result of an unknown one {output}", "result", *run, "--update-id", "unknown", *form)
        await say(stage, "describe a failed one", "describe", *run, "--update-id", "fail text")
        await say(stage, "another chain", "execute", *run, "--name", "add", "-i", "3", "--first-execution-run-id", "00000000-0000-0000-0000-000000000000")
        await say(stage, "no such workflow", "execute", "-w", f"{handle.id} of nobody", "--name", "add")
        await handle.signal(Account.release)
        await say(stage, "result of the waiting one", "result", *run, "--update-id", "wait json")
        await handle.terminate()
