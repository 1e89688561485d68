"""An HTTP server for what a server of ours calls by itself: it answers as it is told, and keeps what came.

One request per connection: what is tested is the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.server import HOST


@dataclass
class Heard:
    """One request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """Answers the first requests with `statuses`, all others with 200."""

    statuses: list[int] = field(default_factory=list)
    said: str = ""
    """JSON, the body of every answer."""
    heard: list[Heard] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/done") -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            method, path, _ = (await reader.readline()).decode().split(" ", 2)
            headers: dict[str, str] = {}
            while line := (await reader.readline()).decode().strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = await chunks(reader) if "chunked" in headers.get("transfer-encoding", "") else await reader.readexactly(int(headers.get("content-length", "0")))
            status = self.statuses.pop(0) if self.statuses else 200
            self.heard.append(Heard(method, path, headers, body))
            head = f"HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {len(self.said)}\r\nconnection: close\r\n\r\n"
            writer.write((head + self.said).encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ValueError):
            pass  # Somebody who hangs up has said nothing.
        finally:
            writer.close()


async def chunks(reader: asyncio.StreamReader) -> bytes:
    """A body that comes in pieces, each with its length in front."""
    body = b""
    while length := int(await reader.readline(), 16):
        body += await reader.readexactly(length)
        await reader.readline()
    await reader.readline()
    return body


@asynccontextmanager
async def listening(*statuses: int, said: str = "") -> AsyncIterator[Listener]:
    """A listener on a port of its own."""
    listener = Listener(list(statuses), said)
    server = await asyncio.start_server(listener.serve, HOST, 0)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener
