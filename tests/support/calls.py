"""Which calls of the protocol a test makes: noted for whoever runs in the same task, or in one that this one began.

Only what clients call is seen: a worker polls and responds inside the SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

noted: ContextVar[set[str] | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[set[str]]:
    """Collects the names of the calls that are made inside."""
    names: set[str] = set()
    token = noted.set(names)
    try:
        yield names
    finally:
        noted.reset(token)


def note(method: str) -> None:
    """Notes a call, if somebody wants to know."""
    names = noted.get()
    if names is not None:
        names.add(method)


def note_calls_of(service: Any) -> None:
    """Has every call of an SDK's service client noted."""
    call = service._rpc_call

    async def noting_call(rpc: str, *arguments: Any, **options: Any) -> Any:
        note("".join(part.capitalize() for part in rpc.split("_")))
        return await call(rpc, *arguments, **options)

    service._rpc_call = noting_call
