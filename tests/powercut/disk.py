"""A disk whose power can be cut: ext4 on a loop device, and the ioctl that throws away all that was not synced.

The cut is honest only if nobody writes during it: whoever writes is stopped first, all of its threads.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.wait import until

EXT4_IOC_SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125
NO_LOG_FLUSH = 2
IMAGE_BYTES = 1024 * 1024 * 1024


@dataclass
class Disk:
    """An image file and where it is mounted."""

    image: Path
    at: Path
    mounted: bool = False

    def create(self) -> None:
        """A new empty file system, mounted."""
        with self.image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True)
        self.at.mkdir(parents=True, exist_ok=True)
        self.mount()

    def mount(self) -> None:
        """Mounts, which recovers the journal."""
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.at)], check=True)
        self.mounted = True

    def unmount(self) -> None:
        """Unmounts."""
        if self.mounted:
            subprocess.run(["umount", str(self.at)], check=True)
            self.mounted = False

    def cut(self) -> None:
        """From here on nothing reaches the disk, and what was not synced never will."""
        handle = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)


def descendants(leader: int) -> list[int]:
    """A process and all processes below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [leader]
    for one in found:
        found += children.get(one, [])
    return found


def stopped(process: int) -> bool:
    """Whether every thread of a process has stopped: one inside an fsync stops only after it."""
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            if (task / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "TtZX":
                return False
        except OSError:
            continue
    return True


async def freeze(processes: Iterable[int]) -> None:
    """SIGSTOP, and waits until it has worked on all."""
    listed = list(processes)
    for process in listed:
        os.kill(process, signal.SIGSTOP)

    async def all_stopped() -> bool:
        return all(stopped(process) for process in listed)

    await until(all_stopped, "all writers stopped", 30)


async def kill(processes: Iterable[int]) -> None:
    """SIGKILL, and waits until they are gone."""
    listed = list(processes)
    for process in listed:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue

    async def gone() -> bool:
        await asyncio.sleep(0)
        return all(not Path(f"/proc/{process}").exists() or zombie(process) for process in listed)

    await until(gone, "all writers gone", 30)


def zombie(process: int) -> bool:
    """Whether only its exit status is left."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True
