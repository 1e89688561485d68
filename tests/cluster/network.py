"""A network of our own: the test process in one namespace, each node in another, a bridge between them, and cuts.

Everything is held by processes: it is gone when they are, however they end, and several tests do not meet. Needs root and
iptables, and says so. Cuts lose packets in silence, both ways, as a broken cable does; nobody is told of a reset.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.server import die_with_parent
from tests.support.wait import until

PREFIX = "10.77.0"
HERE = f"{PREFIX}.1"
"""Where the database and the clients are."""
CABLE = "cable"
"""The one way out of a node's namespace."""
INSIDE = "CAIRN_TESTS_IN_A_NETWORK"
TOOLS = ("ip", "iptables", "nsenter", "unshare")


class NoNetwork(Exception):
    """What this machine or user cannot do."""


def enter(module: str) -> None:
    """Goes on in a network namespace of its own: this process runs its module again, there."""
    if os.environ.get(INSIDE):
        return
    if os.geteuid() != 0:
        raise NoNetwork("network namespaces need root")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise NoNetwork(f"{', '.join(missing)} not found (Debian packages iproute2, iptables, util-linux)")
    os.environ[INSIDE] = "1"
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # connections that end are what these tests are about
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", module, *sys.argv[1:]])


def do(*line: str) -> None:
    """A command that must succeed."""
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNetwork(f"{' '.join(line)}: {done.stderr.strip()}")


@dataclass
class Place:
    """The namespace of one node."""

    number: int
    holder: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """Of the node."""
        return f"{PREFIX}.{10 + self.number}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """Runs a command there."""
        return ("nsenter", f"--net=/proc/{self.holder.pid}/ns/net")

    def drop(self, *match: str) -> None:
        """Loses what matches."""
        do(*self.prefix, "iptables", "-w", "-A", *match, "-j", "DROP")

    def cut_from_peers(self) -> None:
        """From every other node."""
        self.drop("INPUT", "--in-interface", CABLE, "!", "--source", HERE)
        self.drop("OUTPUT", "--out-interface", CABLE, "!", "--destination", HERE)

    def cut_from_database(self, port: int) -> None:
        """From the database at a port."""
        self.drop("OUTPUT", "--destination", HERE, "--protocol", "tcp", "--dport", str(port))
        self.drop("INPUT", "--source", HERE, "--protocol", "tcp", "--sport", str(port))

    def cut_from_clients(self, port: int) -> None:
        """From those who call its port; its metrics are still to be read."""
        self.drop("INPUT", "--source", HERE, "--protocol", "tcp", "--dport", str(port))
        self.drop("OUTPUT", "--destination", HERE, "--protocol", "tcp", "--sport", str(port))

    def mend(self) -> None:
        """Nothing is cut."""
        do(*self.prefix, "iptables", "-w", "-F")


@dataclass
class Network:
    """The bridge and what hangs on it."""

    places: list[Place] = field(default_factory=list)

    async def create(self, nodes: int) -> None:
        """Makes everything; only inside a namespace of its own, see `enter`."""
        do("ip", "link", "set", "lo", "up")
        do("ip", "link", "add", "bridge", "type", "bridge")
        do("ip", "address", "add", f"{HERE}/24", "dev", "bridge")
        do("ip", "link", "set", "bridge", "up")
        for number in range(1, nodes + 1):
            self.places.append(await self.place(number))

    async def place(self, number: int) -> Place:
        """A namespace with one cable to the bridge."""
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        ours, theirs = Path("/proc/self/ns/net"), Path(f"/proc/{holder.pid}/ns/net")

        async def moved() -> bool:
            return ours.readlink() != theirs.readlink()

        await until(moved, f"a namespace for node {number}", 10)
        place = Place(number, holder)
        socket = f"node{number}"
        do("ip", "link", "add", socket, "type", "veth", "peer", "name", CABLE, "netns", str(holder.pid))
        do("ip", "link", "set", socket, "master", "bridge", "up")
        for line in (("address", "add", f"{place.address}/24", "dev", CABLE), ("link", "set", CABLE, "up"), ("link", "set", "lo", "up")):
            do(*place.prefix, "ip", *line)
        place.mend()
        return place

    def remove(self) -> None:
        """Lets go of the namespaces."""
        for place in self.places:
            place.holder.kill()
            place.holder.wait()
