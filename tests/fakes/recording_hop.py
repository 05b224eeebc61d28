"""A next hop that keeps every octet it was sent, and what peers with other rules than ours would have made of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

_BDAT = re.compile(rb"BDAT (\d+)( LAST)?", re.IGNORECASE)
_LINE_END = re.compile(rb"\r?\n|\r")


@dataclass(frozen=True, slots=True)
class EndRule:
    """What a peer takes for the end of the data besides CRLF.CRLF; `is_without_nul`: it drops NUL before it looks."""

    end: bytes = b"\r\n.\r\n"
    is_without_nul: bool = False


END_RULES: Mapping[str, EndRule] = {
    "strict": EndRule(),
    "without NUL": EndRule(is_without_nul=True),
    **{repr(end)[2:-1]: EndRule(end) for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r")},
    **{repr(end)[2:-1]: EndRule(end) for end in (b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n")},
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What a peer took for one message."""

    mail: bytes
    recipients: tuple[bytes, ...]
    content: bytes


def heard(stream: bytes, rule: EndRule) -> list[Heard]:
    """Return the messages that a peer with this rule reads in what one connection has sent it."""
    octets = stream
    found: list[Heard] = []
    mail, recipients, chunks, at = b"", [], b"", 0
    while at < len(octets):
        end = _LINE_END.search(octets, at)
        line, at = (octets[at:], len(octets)) if end is None else (octets[at : end.start()], end.end())
        verb = line[:4].upper()
        chunk = _BDAT.fullmatch(line)
        if verb == b"MAIL":
            mail, recipients, chunks = line, [], b""
        elif verb == b"RCPT":
            recipients.append(line)
        elif chunk is not None:
            chunks += octets[at : at + int(chunk[1])]
            at += int(chunk[1])
            if chunk[2]:
                found.append(Heard(mail, tuple(recipients), chunks))
        elif verb == b"DATA" and recipients:
            if rule.is_without_nul:
                octets = octets[:at] + octets[at:].replace(b"\0", b"")
            content, at = _content(octets, at, rule)
            found.append(Heard(mail, tuple(recipients), content))
            mail, recipients = b"", []
    return found


def _content(octets: bytes, at: int, rule: EndRule) -> tuple[bytes, int]:
    """Return a content and where it ends; it may begin with the dot that ends it."""
    start = at - 2
    ends = [(found, end) for end in {rule.end, b"\r\n.\r\n"} if (found := octets.find(end, start)) >= 0]
    if not ends:
        return octets[at:], len(octets)
    first, end = min(ends)
    return octets[at : max(first, at)], first + len(end)


@dataclass
class RecordingHop:
    """Listens on a loopback port and takes every message; `async with` starts and stops it.

    refused   by LMTP, or where PRDR is asked for: the recipient that does not get its message
    """

    extensions: tuple[str, ...] = ()
    is_lmtp: bool = False
    refused: bytes = b""
    streams: list[bytearray] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def counts(self) -> dict[str, int]:
        """Return how many messages have come, by the rule of who counts."""
        return {
            name: sum(len(heard(bytes(stream), rule)) for stream in self.streams) for name, rule in END_RULES.items()
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = bytearray()
        self.streams.append(stream)
        try:
            await self._converse(reader, writer, stream)
        except (EOFError, OSError):
            return
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: bytearray) -> None:
        writer.write(b"220 recording.example ESMTP\r\n")
        mail, recipients = b"", []
        while True:
            line = await reader.readuntil(b"\r\n")
            stream += line
            chunk = _BDAT.match(line)
            if chunk is not None:
                stream += await reader.readexactly(int(chunk[1]))
            if line.upper().startswith(b"MAIL"):
                mail, recipients = line.upper(), []
            if line.upper().startswith(b"RCPT"):
                recipients.append(line)
            if line.upper().startswith(b"LHLO" if self.is_lmtp else b"EHLO"):
                offered = ("recording.example", *self.extensions)
                writer.write("".join(f"250{'- '[word is offered[-1]]}{word}\r\n" for word in offered).encode())
            elif line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                stream += await _until_the_dot(reader)
                writer.write(b"".join(self._said(recipients, is_prdr=b" PRDR" in mail)))
            else:
                writer.write(b"250 2.0.0 ok\r\n")

    def _said(self, recipients: list[bytes], *, is_prdr: bool) -> list[bytes]:
        taken = b"250 2.0.0 taken\r\n"
        if not (self.is_lmtp or is_prdr):
            return [taken]
        each = [b"550 5.7.1 no\r\n" if self.refused and self.refused in line else taken for line in recipients]
        return [b"353 each\r\n", *each, taken] if is_prdr else each


async def _until_the_dot(reader: asyncio.StreamReader) -> bytes:
    octets = bytearray(b"\r\n")
    while not octets.endswith(b"\r\n.\r\n"):
        octets += await reader.readuntil(b"\n")
    return bytes(octets[2:])
