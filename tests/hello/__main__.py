"""`python -m tests.hello --cairn PATH`: the hello world of every language against one server.

Each program is built from its lock file under `target/hello/` and run unmodified; it must print the three lines that all of them print.
Needs node with npm, go, maven with a JDK, cargo with protoc and its includes; says which of them is missing and fails. NOT BUILT is what
COMPATIBILITY.md says is not, and does not fail.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.differential.deliberate import rpcs_not_built
from tests.support.languages import LANGUAGES, ROOT, NotBuilt, Program
from tests.support.server import Server, cairn_binary, scratch
from tests.support.verify import is_ours, verify

EXPECTED = ["query: English", "update: no longer English", "result: Bonjour, world!"]
RUN_SECONDS_MAX = 90.0
NOTHING_YET = "no query was answered"
UPDATE = "UpdateWorkflowExecution"


def hello(language: str) -> Program:
    """The example in one language."""
    return Program(language, ROOT / "examples" / language, "hello")


def lines_of(output: str) -> list[str]:
    """What the program itself printed: SDKs log to the same stream."""
    return [line for line in output.splitlines() if line.partition(":")[0] in ("query", "update", "result")]


def excused(language: str, code: int, lines: list[str]) -> bool:
    """A thread of the Python SDK may outlive its interpreter, which then aborts: after the last line, on any server."""
    return language == "python" and lines == EXPECTED and code in (-signal.SIGABRT, -signal.SIGSEGV)


def not_built_yet(lines: list[str]) -> str:
    """What our server lacks, if the program came exactly as far as it can without."""
    return UPDATE if lines == EXPECTED[:1] and UPDATE in rpcs_not_built() else ""


async def run(program: Program, address: str) -> tuple[str, str]:
    """How it went in a word, and why."""
    process = await asyncio.create_subprocess_exec(
        *program.command("hello"),
        cwd=program.directory,
        env={**program.environment, "TEMPORAL_ADDRESS": address},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        stdout, stderr = await asyncio.wait_for(process.communicate(), RUN_SECONDS_MAX)
    except TimeoutError:
        process.kill()
        stdout, stderr = await process.communicate()
    lines, code = lines_of(stdout.decode()), process.returncode or 0
    if lines == EXPECTED and (code == 0 or excused(program.language, code, lines)):
        return "ok", ""
    if not_built_yet(lines):
        return "NOT BUILT", not_built_yet(lines)
    said = [line for line in stderr.decode().splitlines() if line.strip()]
    return "FAILED", f"came as far as “{lines[-1] if lines else NOTHING_YET}”, exit code {code}: {' / '.join(said[-3:])[:400]}"


async def play(binary: Path, languages: list[str], directory: Path) -> int:
    """How many failed."""
    database = directory / "hello.db" if is_ours(binary) else None
    server = Server(binary, directory, db_filename=database)
    await server.start()
    failed = 0
    try:
        for language in languages:
            program = hello(language)
            try:
                built = await program.built()
                began = time.monotonic()
                word, why = await run(program, server.address)
                ran = time.monotonic() - began
            except NotBuilt as error:
                built, ran, word, why = 0.0, 0.0, "FAILED", str(error)
            failed += word == "FAILED"
            print(f"{language:<12} {word:<10} built in {built:5.1f} s, ran {ran:4.1f} s  {why}", flush=True)
    finally:
        await server.stop()
    found = await asyncio.to_thread(verify, binary, database) if database else []
    for one in found:
        print(one)
    return failed + len(found)


def main() -> int:
    """Exit code 0 if every program printed what it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.hello", description=__doc__)
    parser.add_argument("--cairn", type=Path, default=cairn_binary(), help="server binary, ours or another of the protocol (default: $CAIRN)")
    parser.add_argument("--language", action="append", choices=LANGUAGES, help="only this; may repeat")
    chosen = parser.parse_args()
    if chosen.cairn is None:
        parser.error("--cairn or $CAIRN is needed")
    os.environ.pop("TEMPORAL_ADDRESS", None)
    directory = scratch("hello")
    failed = asyncio.run(play(chosen.cairn.resolve(), chosen.language or list(LANGUAGES), directory))
    if failed:
        print(f"see {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
