"""What the other end says on one stream: packets put together, of one session alone, and understood."""

from __future__ import annotations

from typing import Any, Protocol

import grpc.aio

from replicator.codec import DamagedError
from replicator.core import messages as core
from replicator.transport import wire
from replicator.transport.packets import Incoming


class Readable(Protocol):
    """The receiving half of a gRPC stream."""

    async def read(self) -> Any: ...


class Speech:
    """Messages in their order. A stream that was recorded and is played again betrays itself by its session."""

    def __init__(self, stream: Readable, message_octets_max: int) -> None:
        self._stream = stream
        self._incoming = Incoming(message_octets_max)
        self._session: int | None = None  # of the sender, as its first message names it
        self._kept: list[core.Message] = []  # looked at, and not taken

    async def first(self) -> core.Message | None:
        """Return the first message without taking it; None when the stream ends before. Errors: DamagedError."""
        while not self._kept:
            messages = await self.next()
            if messages is None:
                return None
            self._kept = messages
        return self._kept[0]

    async def next(self) -> list[core.Message] | None:
        """Return the messages that came at once, none or more; None at the end of the stream. Errors: DamagedError."""
        if self._kept:
            kept, self._kept = self._kept, []
            return kept
        packet = await self._stream.read()
        if packet is grpc.aio.EOF:
            return None
        return [self._understood(octets) for octets in self._incoming.messages(packet)]

    def _understood(self, octets: bytes) -> core.Message:
        session, message = wire.decode_with_session(octets)
        if self._session is None:
            self._session = session
        elif session != self._session:
            raise DamagedError(f"session: expected {self._session}, came {session}")
        return message
