"""Maps of other programs by lines over TCP (Postfix's tcp_table(5)): "get KEY", and 200, 500 (no such key) or 400."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import unquote_to_bytes

from mtad.config.forms import Address
from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded
from mtad.maps.connections import BadAnswer, ConnectionLimits, Connections

LINE_OCTETS_MAX = 4096
_UNSAFE = re.compile(rb"[^!-$&-~]")


class TcpTable:
    """The map of such a program."""

    def __init__(self, address: Address, limits: ConnectionLimits | None = None) -> None:
        self._connections = Connections(address, limits or ConnectionLimits(prefix_octets_max=LINE_OCTETS_MAX))

    async def ask(self, key: str) -> Answer:
        """Return what the program has for a key."""
        octets = folded(key).encode("utf-8", "surrogateescape")
        question = b"get %b\n" % _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], octets)
        if len(question) > LINE_OCTETS_MAX:
            return Unavailable("the key is too long")

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
            writer.write(question)
            await writer.drain()
            try:
                return _answer(await reader.readuntil(b"\n"))
            except asyncio.LimitOverrunError:
                raise BadAnswer("a line that is too long") from None

        return await self._connections.question(talk)

    def close(self) -> None:
        """Close its connections."""
        self._connections.close()


def _answer(line: bytes) -> Answer:
    status, _, rest = line.rstrip(b"\r\n").partition(b" ")
    value = unquote_to_bytes(rest).decode("utf-8", "surrogateescape")
    if status == b"200":
        return Found(value)
    if status == b"500":
        return ABSENT
    return Unavailable(f"{status.decode('ascii', 'replace')} {value}"[:200])
