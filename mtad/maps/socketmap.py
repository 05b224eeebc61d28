"""Maps of other programs by the socketmap protocol (Postfix's socketmap_table(5), Sendmail's).

A question is the netstring "NAME KEY", an answer "OK VALUE", "NOTFOUND ", or TEMP, TIMEOUT or PERM with a reason.
"""

from __future__ import annotations

import asyncio

from mtad.config.forms import Address
from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded
from mtad.maps.connections import BadAnswer, ConnectionLimits, Connections

QUESTION_OCTETS_MAX = 10_000
ANSWER_OCTETS_MAX = 100_000


class Socketmap:
    """One map of a program that has several, by its name there."""

    def __init__(self, address: Address, name: str, limits: ConnectionLimits | None = None) -> None:
        self._name = name
        self._connections = Connections(address, limits)

    async def ask(self, key: str) -> Answer:
        """Return what the program has for a key."""
        question = f"{self._name} {folded(key)}".encode("utf-8", "surrogateescape")
        if len(question) > QUESTION_OCTETS_MAX:
            return Unavailable("the key is too long")

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
            writer.write(b"%d:%b," % (len(question), question))
            await writer.drain()
            return _answer(await _netstring(reader))

        return await self._connections.question(talk)

    def close(self) -> None:
        """Close its connections."""
        self._connections.close()


async def _netstring(reader: asyncio.StreamReader) -> bytes:
    try:
        length = (await reader.readuntil(b":"))[:-1]
    except asyncio.LimitOverrunError:
        raise BadAnswer("no netstring") from None
    if not (length.isdigit() and len(length) <= len(str(ANSWER_OCTETS_MAX)) and int(length) <= ANSWER_OCTETS_MAX):
        raise BadAnswer("no length of a netstring, or one that is too long")
    octets = await reader.readexactly(int(length) + 1)
    if not octets.endswith(b","):
        raise BadAnswer("a netstring without its comma")
    return octets[:-1]


def _answer(octets: bytes) -> Answer:
    status, _, rest = octets.decode("utf-8", "surrogateescape").partition(" ")
    if status == "OK":
        return Found(rest)
    if status == "NOTFOUND":
        return ABSENT
    return Unavailable(f"{status} {rest}"[:200])  # TEMP, TIMEOUT and PERM; and what no program should say
