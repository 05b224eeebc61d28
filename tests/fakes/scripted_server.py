"""A next hop that answers as a script says: refuses, hangs, drops the connection, speaks LMTP or STARTTLS."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

DROP = "drop"  # in place of a reply: close the connection
HANG = "hang"  # in place of a reply: never answer
WAIT = "wait "  # before a reply: give it when the test sets `released`
STALL = "stall"  # in place of a reply: what `ScriptedServer.stall` does
RESET = "reset"  # in place of a reply: close it with a TCP reset

Answers = str | tuple[str, ...]  # a tuple: one for each time it is asked, the last one repeats

PLAIN_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 20000000", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True)
class Script:
    """What the server answers.

    replies      by step: banner, ehlo, helo, starttls, auth (to the words of AUTH PLAIN), mail, rcpt, data, chunk, dot,
                 rset
    recipients   by address: at RCPT
    dots         by address: after the final dot of LMTP, or of PRDR where that is among the extensions
    """

    replies: Mapping[str, Answers] = field(default_factory=dict)
    recipients: Mapping[str, Answers] = field(default_factory=dict)
    dots: Mapping[str, Answers] = field(default_factory=dict)
    extensions: tuple[str, ...] = PLAIN_EXTENSIONS
    is_lmtp: bool = False
    tls_context: ssl.SSLContext | None = None


_DEFAULTS = {
    "banner": "220 scripted.example ESMTP",
    "helo": "250 scripted.example",
    "starttls": "220 2.0.0 Go ahead",
    "auth": "235 2.7.0 Hello",
    "mail": "250 2.1.0 Ok",
    "rcpt": "250 2.1.5 Ok",
    "data": "354 Go on",
    "chunk": "250 2.0.0 Ok: go on",
    "dot": "250 2.0.0 Ok: taken",
    "rset": "250 2.0.0 Ok",
}


@dataclass(frozen=True)
class Received:
    """A message whose final dot arrived."""

    mail: str  # the whole command
    recipients: tuple[str, ...]
    content: bytes  # dots undone
    is_tls: bool


class _Dropped(Exception):  # noqa: N818  # an end, not an error
    pass


class ScriptedServer:
    """Listens on a loopback port, or on a Unix socket; `async with` starts and stops it."""

    def __init__(self, script: Script | None = None, *, host: str = "127.0.0.1", path: str = "") -> None:
        self.script = script or Script()
        self.host = host
        self.path = path
        self.port = 0
        self.messages: list[Received] = []
        self.commands: list[str] = []
        self.logins: list[bytes] = []  # what was said after AUTH PLAIN
        self.connections_count = 0
        self.clients: list[str] = []  # their addresses
        self.open_count = 0
        self.open_count_max = 0
        self.is_reading_content = True
        self.released = asyncio.Event()  # set it to let those that hang go on
        self._asked: dict[tuple[str, str], int] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        if self.path:
            self._server = await asyncio.start_unix_server(self._connected, self.path)
        else:
            self._server = await asyncio.start_server(self._connected, self.host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def stall(self, writer: asyncio.StreamWriter) -> None:
        """Let the client wait that has content for us."""
        await self.released.wait()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_count += 1
        self.clients.append((writer.get_extra_info("peername") or [""])[0])
        self.open_count += 1
        self.open_count_max = max(self.open_count_max, self.open_count)
        try:
            await _Session(self, reader, writer).run()
        except (_Dropped, OSError, EOFError):
            pass
        finally:
            self.open_count -= 1
            writer.close()

    def answer(self, table: str, key: str, otherwise: str) -> str:
        """Return the script's answer, counting how often it was asked for."""
        tables: Mapping[str, Mapping[str, Answers]] = {
            "step": self.script.replies,
            "rcpt": self.script.recipients,
            "dot": self.script.dots,
        }
        answers = tables[table].get(key, otherwise)
        if isinstance(answers, str):
            return answers
        count = self._asked.get((table, key), 0)
        self._asked[table, key] = count + 1
        return answers[min(count, len(answers) - 1)]


class _Session:
    """One connection of the scripted server."""

    def __init__(self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._is_tls = False
        self._mail = ""
        self._accepted: list[str] = []
        self._chunks = b""

    async def run(self) -> None:
        await self._say(self._scripted("banner"))
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            self._server.commands.append(line)
            verb = line.partition(" ")[0].upper()
            if verb == "QUIT":
                await self._say("221 2.0.0 Bye")
                return
            act = getattr(self, f"_on_{verb.lower()}", None)
            if act is None:
                await self._say("500 5.5.2 What?")
            else:
                await act(line)

    def _scripted(self, step: str) -> str:
        return self._server.answer("step", step, _DEFAULTS[step])

    async def _say(self, reply: str) -> str:
        if reply == HANG:
            await self._hang()
            raise _Dropped
        if reply == STALL:
            await self._server.stall(self._writer)
            raise _Dropped
        if reply == RESET:
            self._writer.transport.abort()
            raise _Dropped
        if reply == DROP:
            raise _Dropped
        if reply.startswith(WAIT):
            await self._server.released.wait()
            reply = reply.removeprefix(WAIT)
        self._writer.write(reply.replace("\n", "\r\n").encode() + b"\r\n")
        await self._writer.drain()
        return reply

    async def _hang(self) -> None:
        """Wait until the test lets go, or the client does."""
        ends = [asyncio.ensure_future(self._server.released.wait()), asyncio.ensure_future(self._reader.read())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()

    async def _on_ehlo(self, line: str) -> None:
        offered = ["scripted.example", *self._server.script.extensions]
        if self._server.script.tls_context is not None and not self._is_tls:
            offered.append("STARTTLS")
        last = len(offered) - 1
        text = "\n".join(f"250{' ' if i == last else '-'}{word}" for i, word in enumerate(offered))
        await self._say(self._server.answer("step", "ehlo", text))

    _on_lhlo = _on_ehlo

    async def _on_helo(self, line: str) -> None:
        await self._say(self._scripted("helo"))

    async def _on_starttls(self, line: str) -> None:
        reply = await self._say(self._scripted("starttls"))
        if reply.startswith("220") and self._server.script.tls_context is not None:
            await self._writer.start_tls(self._server.script.tls_context)
            self._is_tls = True

    async def _on_auth(self, line: str) -> None:
        await self._say("334 ")
        words = (await self._reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
        self._server.logins.append(base64.b64decode(words))
        await self._say(self._scripted("auth"))

    async def _on_mail(self, line: str) -> None:
        reply = await self._say(self._scripted("mail"))
        if reply.startswith("2"):
            self._mail, self._accepted, self._chunks = line, [], b""

    async def _on_rcpt(self, line: str) -> None:
        address = line.partition("<")[2].rpartition(">")[0]
        if not self._mail:
            await self._say("503 5.5.1 MAIL first")
            return
        reply = await self._say(self._server.answer("rcpt", address, self._scripted("rcpt")))
        if reply.startswith("2"):
            self._accepted.append(address)

    async def _on_rset(self, line: str) -> None:
        self._mail, self._accepted = "", []
        await self._say(self._scripted("rset"))

    async def _on_data(self, line: str) -> None:
        if not self._accepted:
            await self._say("503 5.5.1 No valid recipients")
            return
        reply = await self._say(self._scripted("data"))
        if not reply.startswith("3"):
            return
        await self._take(await self._content())

    async def _on_bdat(self, line: str) -> None:
        size, _, last = line.partition(" ")[2].partition(" ")
        self._chunks += await self._reader.readexactly(int(size))
        if not self._accepted:
            await self._say("503 5.5.1 No valid recipients")
        elif last:
            await self._take(self._chunks)
        elif not (await self._say(self._scripted("chunk"))).startswith("2"):
            self._mail, self._accepted = "", []

    async def _take(self, content: bytes) -> None:
        received = Received(self._mail, tuple(self._accepted), content, self._is_tls)
        self._mail, self._accepted = "", []
        self._server.messages.append(received)
        script = self._server.script
        has_differing = "PRDR" in script.extensions and bool(script.dots)
        if has_differing:
            await self._say("353 Replies differ")
        if script.is_lmtp or has_differing:
            for address in received.recipients:
                await self._say(self._server.answer("dot", address, _DEFAULTS["dot"]))
        if not script.is_lmtp:
            await self._say(self._scripted("dot"))

    async def _content(self) -> bytes:
        if not self._server.is_reading_content:
            self._writer.transport.pause_reading()
            await self._server.stall(self._writer)
            raise _Dropped
        octets = bytearray(b"\r\n")
        end = -1
        while end < 0:
            looked = max(0, len(octets) - 4)
            more = await self._reader.read(65536)
            if not more:
                raise _Dropped
            octets += more
            end = octets.find(b"\r\n.\r\n", looked)
        self._reader._buffer[:0] = octets[end + 5 :]  # type: ignore[attr-defined]  # some send QUIT with the dot
        return bytes(octets[: end + 2]).replace(b"\r\n..", b"\r\n.")[2:]
