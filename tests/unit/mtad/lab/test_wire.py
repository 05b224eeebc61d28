"""The cable between the nodes: forwards, swallows while it is out, and breaks what has lost octets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mtad.lab.wire import Wire


class Echo:
    """A server behind a wire that sends back what it gets, and keeps it."""

    def __init__(self) -> None:
        self.received = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while octets := await reader.read(1024):
                self.received += octets
                writer.write(octets)
        except ConnectionError:
            return
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, Wire]]:
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    wire = await Wire.lay("127.0.0.1", server.sockets[0].getsockname()[1])
    yield made, wire
    await wire.close()
    server.close()
    await server.wait_closed()


async def test_forwards_both_ways_and_the_end_too(echo: tuple[Echo, Wire]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", echo[1].port)
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), 5) == b"hello"
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await writer.wait_closed()


async def test_a_pulled_wire_swallows_and_says_nothing(echo: tuple[Echo, Wire]) -> None:
    server, wire = echo
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"before")
    await asyncio.wait_for(reader.readexactly(6), 5)
    wire.pull()
    writer.write(b"lost")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    late_reader, late_writer = await asyncio.open_connection("127.0.0.1", wire.port)
    assert await asyncio.wait_for(late_reader.read(), 5) == b"", "no new connection while it is out"
    wire.plug()
    with pytest.raises(ConnectionError):
        raise_at_end(await asyncio.wait_for(reader.read(1), 5))
    assert server.received == b"before"
    again_reader, again_writer = await asyncio.open_connection("127.0.0.1", wire.port)
    again_writer.write(b"again")
    assert await asyncio.wait_for(again_reader.readexactly(5), 5) == b"again"
    for each in (writer, late_writer, again_writer):
        each.close()


def raise_at_end(octets: bytes) -> None:
    """A broken connection ends by a reset or by its end: both will do."""
    if not octets:
        raise ConnectionResetError


async def test_nothing_behind_the_wire_ends_the_connection() -> None:
    server = await asyncio.start_server(Echo().serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    wire = await Wire.lay("127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await wire.close()
