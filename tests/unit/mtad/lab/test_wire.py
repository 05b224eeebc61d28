"""The cable between the nodes: forwards, swallows while it is out, and breaks what has lost octets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mtad.lab.wire import Wire
from tests.fakes.waiting import WAIT_SECONDS, until


class Echo:
    """A server behind a wire that sends back what it gets, and keeps it."""

    def __init__(self) -> None:
        self.received = b""
        self.ends_count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while octets := await reader.read(1024):
                self.received += octets
                writer.write(octets)
        except ConnectionError:
            return
        finally:
            self.ends_count += 1
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
    assert await asyncio.wait_for(reader.readexactly(5), WAIT_SECONDS) == b"hello"
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), WAIT_SECONDS) == b""
    writer.close()
    await writer.wait_closed()


async def test_a_pulled_wire_swallows_and_says_nothing(echo: tuple[Echo, Wire]) -> None:
    server, wire = echo
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"before")
    await asyncio.wait_for(reader.readexactly(6), WAIT_SECONDS)
    wire.pull()
    writer.write(b"lost")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    late_reader, late_writer = await asyncio.open_connection("127.0.0.1", wire.port)
    assert await asyncio.wait_for(late_reader.read(), WAIT_SECONDS) == b"", "no new connection while it is out"
    wire.plug()
    with pytest.raises(ConnectionError):
        raise_at_end(await asyncio.wait_for(reader.read(1), WAIT_SECONDS))
    assert server.received == b"before"
    again_reader, again_writer = await asyncio.open_connection("127.0.0.1", wire.port)
    again_writer.write(b"again")
    assert await asyncio.wait_for(again_reader.readexactly(5), WAIT_SECONDS) == b"again"
    for each in (writer, late_writer, again_writer):
        each.close()


def raise_at_end(octets: bytes) -> None:
    """A broken connection ends by a reset or by its end: both will do."""
    if not octets:
        raise ConnectionResetError


async def test_one_way_alone_can_be_out(echo: tuple[Echo, Wire]) -> None:
    server, wire = echo
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    wire.pull(is_there=False)
    writer.write(b"heard")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    assert server.received == b"heard"
    wire.plug()
    reader, other = await asyncio.open_connection("127.0.0.1", wire.port)
    wire.pull(is_back=False)
    other.write(b"not heard")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    assert server.received == b"heard"
    for each in (writer, other):
        each.close()


async def test_a_torn_wire_ends_for_one_side_alone(echo: tuple[Echo, Wire]) -> None:
    server, wire = echo
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"x")
    await asyncio.wait_for(reader.readexactly(1), WAIT_SECONDS)
    wire.tear()
    with pytest.raises(ConnectionError):
        raise_at_end(await asyncio.wait_for(reader.read(1), WAIT_SECONDS))
    await asyncio.sleep(0.05)
    assert server.ends_count == 0
    wire.plug()
    await until(lambda: server.ends_count)
    writer.close()


@pytest.mark.parametrize(("delay_seconds", "octets_per_second"), [(0.1, 0.0), (0.0, 50.0)])
async def test_a_slow_wire_is_late_and_loses_nothing(
    echo: tuple[Echo, Wire], delay_seconds: float, octets_per_second: float
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", echo[1].port)
    began = asyncio.get_running_loop().time()
    echo[1].slow(delay_seconds, octets_per_second)
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), WAIT_SECONDS) == b"hello"
    assert asyncio.get_running_loop().time() - began >= 0.2
    echo[1].slow(0.0)
    async with asyncio.timeout(WAIT_SECONDS):
        while True:  # a machine that is busy may be late itself, but not always
            began = asyncio.get_running_loop().time()
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            if asyncio.get_running_loop().time() - began < 0.2:
                break
    writer.close()


async def test_nothing_behind_the_wire_ends_the_connection() -> None:
    server = await asyncio.start_server(Echo().serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    wire = await Wire.lay("127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    assert await asyncio.wait_for(reader.read(), WAIT_SECONDS) == b""
    writer.close()
    await wire.close()
