"""A client that is connected to a server without a network."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from mtad.server.entrance import MX, Entrance
from mtad.server.listener import Server

REPLY_SECONDS = 10.0
_LINE_OCTETS_MAX = 1 << 20
_TLS = object()
_OWN_ADDRESS = ("192.0.2.25", 25)  # where a played client has come to
_TURNS = 3  # of the loop, for a server that needs no more to see what came


class Wire(Protocol):
    """The client's end of a connection."""

    async def send(self, octets: bytes) -> None:
        """Send octets; what the server has closed takes them without a word."""
        ...

    async def line(self) -> bytes:
        """Return the next line of the server with its CRLF; b'' when it has closed."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...


class MemoryTransport(asyncio.Transport):
    """The server's end of a wire in memory."""

    def __init__(self, peer: MemoryWire, address: tuple[str, int], *, is_over_tls: bool) -> None:
        known = {"peername": address, "sockname": _OWN_ADDRESS, "sslcontext": _TLS if is_over_tls else None}
        super().__init__(known)
        self._peer = peer
        self._is_closing = False
        self.is_paused = False

    def write(self, data: Any) -> None:
        """Give the client what the server says."""
        if not self._is_closing:
            self._peer.replies.feed_data(bytes(data))

    def is_closing(self) -> bool:
        """Tell whether it has been closed."""
        return self._is_closing

    def get_write_buffer_size(self) -> int:
        """Return how much waits to be sent: nothing ever does."""
        return 0

    def pause_reading(self) -> None:
        """Let the client wait."""
        self.is_paused = True

    def resume_reading(self) -> None:
        """Let the client go on."""
        self.is_paused = False
        self._peer.resumed.set()

    def close(self) -> None:
        """End the connection."""
        self.lose(None)

    def abort(self) -> None:
        """End the connection."""
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """End the connection, as the network does it."""
        if not self._is_closing:
            self._is_closing = True
            self._peer.replies.feed_eof()
            asyncio.get_running_loop().call_soon(self._peer.connection.connection_lost, error)


class MemoryWire:
    """A client that is connected without a network.

    is_over_tls   the server is to take it for one that speaks TLS; nothing is encrypted
    """

    def __init__(
        self,
        server: Server,
        address: tuple[str, int] = ("192.0.2.1", 40000),
        entrance: Entrance = MX,
        *,
        is_over_tls: bool = False,
    ) -> None:
        self.replies = asyncio.StreamReader(limit=_LINE_OCTETS_MAX)
        self.resumed = asyncio.Event()
        self.connection = server.connection(entrance)
        self.transport = MemoryTransport(self, address, is_over_tls=is_over_tls)
        self.connection.connection_made(self.transport)

    async def send(self, octets: bytes) -> None:
        """Send octets when the server takes them."""
        while self.transport.is_paused:
            self.resumed.clear()
            await self.resumed.wait()
        if not self.transport.is_closing():
            self.connection.data_received(octets)
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def line(self) -> bytes:
        """Return the next line of the server with its CRLF; b'' when it has closed. Errors: TimeoutError."""
        return await asyncio.wait_for(self.replies.readline(), REPLY_SECONDS)

    def end(self) -> None:
        """Close the client's side, as one does that has gone: the server is still to find out."""
        self.connection.eof_received()

    async def close(self) -> None:
        """End the connection, and wait for what the server does then."""
        if not self.transport.is_closing():
            self.connection.eof_received()
            self.transport.lose(None)
        await self.connection.ended(is_cancelled=False)
