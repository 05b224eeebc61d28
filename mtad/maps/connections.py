"""Connections to another program's map: a few that are kept, each for one question at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from mtad.config.forms import Address
from mtad.maps.answer import Answer, Unavailable

T = TypeVar("T")


class BadAnswer(ValueError):  # noqa: N818 - the name of the event
    """What came is no answer of the protocol."""


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of one map, in one process."""

    connections_max: int = 8  # who finds all of them busy waits
    answer_seconds_max: float = 10.0  # for one answer, with the wait for a connection and its making
    idle_seconds_max: float = 10.0
    prefix_octets_max: int = 1024  # of an answer, before what tells its length or its end


@dataclass(slots=True, eq=False)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle: asyncio.TimerHandle | None = None


class Connections:
    """Opens them as they are needed, and closes them when nobody has needed them for a while."""

    def __init__(self, address: Address, limits: ConnectionLimits | None = None) -> None:
        self._address = address
        self._limits = limits or ConnectionLimits()
        self._slots = asyncio.Semaphore(self._limits.connections_max)
        self._kept: list[_Connection] = []

    async def exchange(self, talk: Talk[T]) -> T:
        """Ask by one connection and return the answer.

        A question that a kept connection does not answer is asked again by a new one: the program may have closed it.
        Errors: OSError, EOFError, BadAnswer; a connection that failed is not used again.
        """
        async with asyncio.timeout(self._limits.answer_seconds_max), self._slots:
            while self._kept:
                connection = self._taken()
                try:
                    return await self._talk(connection, talk)
                except (OSError, EOFError):
                    continue
            return await self._talk(await self._open(), talk)

    async def question(self, talk: Talk[Answer]) -> Answer:
        """Ask, and make it known when there is no answer."""
        try:
            return await self.exchange(talk)
        except (OSError, EOFError, BadAnswer) as error:
            return Unavailable(f"{type(error).__name__}: {error}"[:200])

    def close(self) -> None:
        """Close those that are kept."""
        while self._kept:
            self._taken().writer.close()

    async def _open(self) -> _Connection:
        limit = self._limits.prefix_octets_max
        if self._address.is_unix:
            return _Connection(*await asyncio.open_unix_connection(self._address.host, limit=limit))
        return _Connection(*await asyncio.open_connection(self._address.host, self._address.port, limit=limit))

    async def _talk(self, connection: _Connection, talk: Talk[T]) -> T:
        try:
            answer = await talk(connection.reader, connection.writer)
        except BaseException:  # whatever it was, the next answer on it could be the one to this question
            connection.writer.transport.abort()
            raise
        self._kept.append(connection)
        later = asyncio.get_running_loop().call_later
        connection.idle = later(self._limits.idle_seconds_max, self._end, connection)
        return answer

    def _taken(self) -> _Connection:
        connection = self._kept.pop()
        if connection.idle is not None:
            connection.idle.cancel()
        return connection

    def _end(self, connection: _Connection) -> None:
        self._kept.remove(connection)
        connection.writer.close()
