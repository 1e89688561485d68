"""Bounded waiting on conditions.

The only place where tests pass time; nothing waits for a fixed moment and hopes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS_MIN = 0.02
PAUSE_SECONDS_MAX = 0.25


class TimedOut(Exception):
    """The condition did not become true within its bound."""


async def until(look: Callable[[], Awaitable[T | None]], what: str, seconds: float = 30.0) -> T:
    """Asks `look` until it answers something true, at most `seconds` long."""
    deadline = time.monotonic() + seconds
    pause = PAUSE_SECONDS_MIN
    while True:
        found = await look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimedOut(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, PAUSE_SECONDS_MAX)
