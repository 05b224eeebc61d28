"""A cable between the two nodes that can be pulled: a TCP forwarder that swallows octets while it is out.

A process that is killed leaves what it has sent in the kernel, and it still arrives; a machine that loses its power
does not. Pull the cable, then kill: that is the loss of a machine.
"""

from __future__ import annotations

import asyncio
import contextlib

READ_OCTETS_MAX = 65536
CONNECTIONS_MAX = 64


class Wire:
    """Forwards connections on one port to another, both of loopback."""

    def __init__(
        self, server: asyncio.Server, port: int, ends: set[asyncio.StreamWriter], is_in: asyncio.Event
    ) -> None:
        self.port = port
        self._server = server
        self._ends = ends
        self._is_in = is_in

    @classmethod
    async def lay(cls, address: str, target_port: int, port: int = 0) -> Wire:
        """Start to forward; 0 takes a free port."""
        ends: set[asyncio.StreamWriter] = set()
        is_in = asyncio.Event()
        is_in.set()

        async def on_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not is_in.is_set() or len(ends) >= 2 * CONNECTIONS_MAX:
                writer.close()
                return
            try:
                there_reader, there_writer = await asyncio.open_connection(address, target_port)
            except OSError:
                writer.close()
                return
            both = (writer, there_writer)
            ends.update(both)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_forward(reader, there_writer, is_in))
                    group.create_task(_forward(there_reader, writer, is_in))
            finally:
                ends.difference_update(both)
                for end in both:
                    end.close()

        server = await asyncio.start_server(on_stream, address, port)
        return cls(server, int(server.sockets[0].getsockname()[1]), ends, is_in)

    def pull(self) -> None:
        """Swallow everything from now on; connections stay open, as when a cable is out."""
        self._is_in.clear()

    def plug(self) -> None:
        """Forward again; connections that have lost octets are broken off."""
        for end in self._ends:
            end.transport.abort()
        self._is_in.set()

    async def close(self) -> None:
        """Stop, and end all connections."""
        self._server.close()
        self.plug()
        await self._server.wait_closed()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_in: asyncio.Event) -> None:
    """Copy one direction until its end; while the cable is out, its end does not arrive either."""
    with contextlib.suppress(ConnectionError):
        while octets := await reader.read(READ_OCTETS_MAX):
            if is_in.is_set():
                writer.write(octets)
                await writer.drain()
        await is_in.wait()
        writer.close()
