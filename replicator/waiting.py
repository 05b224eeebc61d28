"""Who waits for what the core will say, each under a token."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

Said = TypeVar("Said")


class Waiting(Generic[Said]):
    """Those who wait for answers of one kind; whoever gives up is forgotten."""

    def __init__(self) -> None:
        self._waiters: dict[int, asyncio.Future[Said]] = {}
        self._token = 0

    def begin(self) -> int:
        """Return the token of one more who waits."""
        self._token += 1
        self._waiters[self._token] = asyncio.get_running_loop().create_future()
        return self._token

    async def answer_to(self, token: int) -> Said:
        """Return the answer when it comes."""
        try:
            return await self._waiters[token]
        finally:
            self._waiters.pop(token, None)

    def answer(self, token: int, said: Said) -> None:
        """Bring an answer to whoever waits for it still."""
        waiter = self._waiters.get(token)
        if waiter is not None and not waiter.done():
            waiter.set_result(said)

    def take(self, token: int) -> asyncio.Future[Said] | None:
        """Take a waiter out: the caller answers it, whatever all others are answered."""
        return self._waiters.pop(token, None)

    def answer_all(self, said: Said) -> None:
        """Bring one answer to all who wait."""
        for token in self._waiters:
            self.answer(token, said)
