"""Two ways to talk to a server: without a network, and over a loopback socket."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Protocol

from mtad.server.entrance import MX, Entrance
from mtad.server.listener import Server

REPLY_SECONDS = 10.0


class Wire(Protocol):
    """The client's end."""

    async def send(self, octets: bytes) -> None: ...

    async def line(self) -> bytes:
        """Return the next line of the server with its CRLF; b'' when it has closed."""
        ...

    async def close(self) -> None: ...


class MemoryTransport(asyncio.Transport):
    """The server's end of a wire in memory."""

    def __init__(self, peer: MemoryWire, address: tuple[str, int]) -> None:
        super().__init__({"peername": address})
        self._peer = peer
        self._is_closing = False
        self.is_paused = False

    def write(self, data: Any) -> None:
        if not self._is_closing:
            self._peer.replies.feed_data(bytes(data))

    def is_closing(self) -> bool:
        return self._is_closing

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False
        self._peer.resumed.set()

    def close(self) -> None:
        self.lose(None)

    def abort(self) -> None:
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """End the connection, as the network does it."""
        if not self._is_closing:
            self._is_closing = True
            self._peer.replies.feed_eof()
            asyncio.get_running_loop().call_soon(self._peer.connection.connection_lost, error)


class MemoryWire:
    """A client that is connected without a network."""

    def __init__(
        self, server: Server, address: tuple[str, int] = ("192.0.2.1", 40000), entrance: Entrance = MX
    ) -> None:
        self.replies = asyncio.StreamReader(limit=1 << 20)
        self.resumed = asyncio.Event()
        self.connection = server.connection(entrance)
        self.transport = MemoryTransport(self, address)
        self.connection.connection_made(self.transport)

    async def send(self, octets: bytes) -> None:
        while self.transport.is_paused:
            self.resumed.clear()
            await self.resumed.wait()
        if not self.transport.is_closing():
            self.connection.data_received(octets)
        for _ in range(3):
            await asyncio.sleep(0)

    async def line(self) -> bytes:
        return await asyncio.wait_for(self.replies.readline(), REPLY_SECONDS)

    def end(self) -> None:
        """Close the client's side, as one does that has gone: the server is still to find out."""
        self.connection.eof_received()

    async def close(self) -> None:
        if not self.transport.is_closing():
            self.connection.eof_received()
            self.transport.lose(None)
        await self.connection.ended(is_cancelled=False)


class SocketWire:
    """A client that is connected over the loopback interface."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> SocketWire:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def line(self) -> bytes:
        try:
            return await asyncio.wait_for(self.reader.readline(), REPLY_SECONDS)
        except ConnectionError:
            return b""

    def reset(self) -> None:
        """End the connection as a system does whose program has not read all of it."""
        end = self.writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()  # and no waiting for it: uvloop never tells of the end after a failed handshake
        await asyncio.sleep(0)


def listening_socket() -> socket.socket:
    """Return a listening socket on a free port of the loopback interface."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(("127.0.0.1", 0))
    made.listen(1024)
    made.setblocking(False)
    return made


async def reply(wire: Wire) -> list[str]:
    """Return the lines of the next reply; [] when the server has closed."""
    lines: list[str] = []
    while not lines or lines[-1][3:4] == "-":
        line = await wire.line()
        if not line:
            return lines
        lines.append(line.decode("utf-8").removesuffix("\r\n"))
    return lines


async def say(wire: Wire, *commands: str) -> list[str]:
    """Send commands one after the other, each after the reply to the one before; return the first lines."""
    first_lines = []
    for command in commands:
        await wire.send(command.encode() + b"\r\n")
        first_lines.append((await reply(wire) or [""])[0])
    return first_lines


async def greeted(wire: Wire, helo: str = "client.example") -> Wire:
    """Pass the greeting and EHLO."""
    assert (await reply(wire))[0].startswith("220 ")
    assert (await say(wire, f"EHLO {helo}"))[0].startswith("250")
    return wire


async def send_message(wire: Wire, content: bytes, *recipients: str) -> str:
    """Send a message, its end included; return the final reply."""
    assert (await say(wire, "MAIL FROM:<sender@client.example>"))[0].startswith("250")
    for recipient in recipients or ("one@example.net",):
        assert (await say(wire, f"RCPT TO:<{recipient}>"))[0].startswith("250")
    assert (await say(wire, "DATA"))[0].startswith("354")
    await wire.send(content + b"\r\n.\r\n")
    return "\n".join(await reply(wire))
