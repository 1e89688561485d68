"""A private PostgreSQL cluster in a directory of its own, on a free port, run by the user `postgres` when we are root.

Starts, stops, breaks and mends it. Settings are the package's defaults: durable ones.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.server import HOST, free_port

BIN = Path("/usr/lib/postgresql/15/bin")
USER = "postgres"
DATABASE = "cairn"
UP_SECONDS_MAX = 60.0


@dataclass
class Cluster:
    """One database server."""

    directory: Path
    port: int = field(default_factory=free_port)
    host: str = HOST
    """The one address it listens on; whoever is on the same network is trusted."""

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "postgres"

    @property
    def url(self) -> str:
        """What a server is told to connect to."""
        return f"postgres://{USER}@{self.host}:{self.port}/{DATABASE}"

    def run(self, *line: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command as the database's user, its output kept in the log."""
        words = [str(word) for word in line]
        if os.getuid() == 0:
            words = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *words]
        with (self.directory / "postgres-commands.log").open("ab") as log:
            return subprocess.run(words, check=check, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True)

    def create(self) -> None:
        """Makes the cluster and its database, and starts it."""
        self.data.mkdir(parents=True)
        if os.getuid() == 0:
            account = pwd.getpwnam(USER)
            os.chown(self.data, account.pw_uid, account.pw_gid)
            for parent in (self.directory, *self.directory.parents):
                if parent.stat().st_mode & 0o001 == 0:
                    parent.chmod(parent.stat().st_mode | 0o011)
        self.data.chmod(0o700)
        self.run(BIN / "initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C")
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(f"listen_addresses = '{self.host}'\nport = {self.port}\nunix_socket_directories = ''\nmax_connections = 200\n")
        with (self.data / "pg_hba.conf").open("a") as access:
            access.write("host all all samenet trust\n")
        self.start()
        self.run(BIN / "createdb", "-h", self.host, "-p", str(self.port), "-U", USER, DATABASE)

    def start(self) -> None:
        """Starts, and waits until it takes connections. A dead postmaster may be in the process table for a while: tried again."""
        deadline = time.monotonic() + UP_SECONDS_MAX
        while True:
            try:
                self.run(BIN / "pg_ctl", "-D", self.data, "-l", self.data / "server.log", "-w", "-t", "60", "start")
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def stop(self, mode: str = "fast") -> None:
        """Stops in a mode of pg_ctl: smart, fast or immediate."""
        self.run(BIN / "pg_ctl", "-D", self.data, "-w", "-m", mode, "stop", check=False)

    def restart(self, mode: str) -> None:
        """Stops and starts."""
        self.stop(mode)
        self.start()

    def postmaster(self) -> int | None:
        """The first process of the cluster, if it runs."""
        file = self.data / "postmaster.pid"
        return int(file.read_text().split()[0]) if file.exists() else None

    def kill_and_restart(self) -> None:
        """SIGKILL to the postmaster. Its children notice and end; only then may another start."""
        leader = self.postmaster()
        if leader is not None:
            os.kill(leader, signal.SIGKILL)
        self.start()

    def terminate_backends(self) -> None:
        """Cuts every connection but our own."""
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")

    def sql(self, statement: str) -> None:
        """Runs one statement."""
        self.run(BIN / "psql", "-h", self.host, "-p", str(self.port), "-U", USER, "-d", DATABASE, "-c", statement)

    def remove(self) -> None:
        """Stops and deletes it."""
        self.stop("immediate")
        shutil.rmtree(self.data, ignore_errors=True)
