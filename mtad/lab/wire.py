"""A cable between the two nodes with which everything can go wrong: a TCP forwarder that can be pulled, slowed, torn.

A process that is killed leaves what it has sent in the kernel, and it still arrives; a machine that loses its power
does not. Pull the cable, then kill: that is the loss of a machine.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

READ_OCTETS_MAX = 65536
CONNECTIONS_MAX = 64


@dataclass(slots=True)
class Way:
    """One direction of a wire, and how it is now."""

    is_in: asyncio.Event = field(default_factory=asyncio.Event)
    delay_seconds: float = 0.0  # before whatever was read is passed on
    octets_per_second: float = 0.0  # 0: as fast as it comes

    async def hold(self, octets_count: int) -> None:
        """Wait as long as these octets take."""
        seconds = self.delay_seconds + (octets_count / self.octets_per_second if self.octets_per_second else 0.0)
        if seconds:
            await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class _Ends:
    """The two ends of one connection."""

    here: asyncio.StreamWriter
    there: asyncio.StreamWriter


class Wire:
    """Forwards connections on one port to another, both of loopback."""

    def __init__(self, server: asyncio.Server, port: int, connections: set[_Ends], there: Way, back: Way) -> None:
        self.port = port
        self._server = server
        self._connections = connections
        self._there = there
        self._back = back

    @classmethod
    async def lay(cls, address: str, target_port: int, port: int = 0) -> Wire:
        """Start to forward; 0 takes a free port."""
        connections: set[_Ends] = set()
        there, back = Way(), Way()
        for way in (there, back):
            way.is_in.set()

        async def on_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not (there.is_in.is_set() and back.is_in.is_set()) or len(connections) >= CONNECTIONS_MAX:
                writer.close()
                return
            try:
                there_reader, there_writer = await asyncio.open_connection(address, target_port)
            except OSError:
                writer.close()
                return
            ends = _Ends(writer, there_writer)
            connections.add(ends)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_forward(reader, there_writer, there))
                    group.create_task(_forward(there_reader, writer, back))
            finally:
                connections.discard(ends)
                writer.close()
                there_writer.close()

        server = await asyncio.start_server(on_stream, address, port)
        return cls(server, int(server.sockets[0].getsockname()[1]), connections, there, back)

    def pull(self, *, is_there: bool = True, is_back: bool = True) -> None:
        """Swallow everything from now on; connections stay open, as when a cable is out.

        is_there, is_back   one way alone: from who connects to who listens, or back
        """
        if is_there:
            self._there.is_in.clear()
        if is_back:
            self._back.is_in.clear()

    def slow(self, delay_seconds: float, octets_per_second: float = 0.0) -> None:
        """Pass everything on late, and no faster than this (0: no limit); (0.0) is as it was."""
        for way in (self._there, self._back):
            way.delay_seconds, way.octets_per_second = delay_seconds, octets_per_second

    def tear(self) -> None:
        """Pull, and break off the ends of those who connected: the other ends hear nothing of it."""
        self.pull()
        for ends in self._connections:
            ends.here.transport.abort()

    def plug(self) -> None:
        """Forward again; connections that have lost octets are broken off."""
        for ends in self._connections:
            ends.here.transport.abort()
            ends.there.transport.abort()
        for way in (self._there, self._back):
            way.is_in.set()

    async def close(self) -> None:
        """Stop, and end all connections."""
        self._server.close()
        self.plug()
        await self._server.wait_closed()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
    """Copy one direction until its end; while the cable is out, its end does not arrive either."""
    with contextlib.suppress(ConnectionError):
        while octets := await reader.read(READ_OCTETS_MAX):
            await way.hold(len(octets))
            if way.is_in.is_set():
                writer.write(octets)
                await writer.drain()
        await way.is_in.wait()
        writer.close()
