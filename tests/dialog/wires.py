"""Talking to a server: without a network, as rehearsals do, and over a loopback socket."""

from __future__ import annotations

import asyncio
import socket
import struct

from mtad.rehearsal.wire import REPLY_SECONDS, Wire
from mtad.rehearsal.wire import MemoryTransport as MemoryTransport
from mtad.rehearsal.wire import MemoryWire as MemoryWire


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


async def send_message(wire: Wire, content: bytes, *recipients: str, parameters: str = "") -> str:
    """Send a message, its end included; return the final reply."""
    assert (await say(wire, f"MAIL FROM:<sender@client.example>{parameters}"))[0].startswith("250")
    for recipient in recipients or ("one@example.net",):
        assert (await say(wire, f"RCPT TO:<{recipient}>"))[0].startswith("250")
    assert (await say(wire, "DATA"))[0].startswith("354")
    await wire.send(content + b"\r\n.\r\n")
    return "\n".join(await reply(wire))
