"""A program that has maps, on a loopback or Unix socket: it answers each question with octets that the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

CLOSE = b""  # in place of an answer: the connection is closed
SILENCE = None

Answering = Callable[[bytes], bytes | None]


@dataclass
class MapServer:
    """What it was asked, and by how many connections."""

    port: int = 0
    questions: list[bytes] = field(default_factory=list)
    connections_count: int = 0
    open_count: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def drop_all(self) -> None:
        """Close every connection, as a program does that was started again."""
        while self.writers:
            self.writers.pop().close()


async def _netstring(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readuntil(b":"))[:-1])
    octets = await reader.readexactly(length + 1)
    assert octets.endswith(b",")
    return octets[:-1]


async def _line(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readuntil(b"\n"))[:-1]


def netstring(octets: bytes) -> bytes:
    """Frame an answer."""
    return b"%d:%b," % (len(octets), octets)


@asynccontextmanager
async def serving_socketmap(answer: Answering, path: Path | None = None) -> AsyncIterator[MapServer]:
    """Answer netstrings."""
    async with _serving(answer, _netstring, path) as server:
        yield server


@asynccontextmanager
async def serving_lines(answer: Answering) -> AsyncIterator[MapServer]:
    """Answer lines."""
    async with _serving(answer, _line, None) as server:
        yield server


@asynccontextmanager
async def _serving(
    answer: Answering, read: Callable[[asyncio.StreamReader], Awaitable[bytes]], path: Path | None
) -> AsyncIterator[MapServer]:
    server = MapServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections_count += 1
        server.open_count += 1
        server.writers.append(writer)
        try:
            while True:
                question = await read(reader)
                server.questions.append(question)
                octets = answer(question)
                if octets is SILENCE:
                    continue
                if octets == CLOSE:
                    return
                writer.write(octets)
                await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            server.open_count -= 1
            writer.close()

    if path is not None:
        listening = await asyncio.start_unix_server(serve, path)
    else:
        listening = await asyncio.start_server(serve, "127.0.0.1")
        server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.drop_all()
        listening.close()
        await listening.wait_closed()
