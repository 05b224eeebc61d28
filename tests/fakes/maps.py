"""Maps that answer as a test says, at once or when they have been waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mtad.maps.answer import ABSENT, Answer, Found, Unavailable

DOWN = Unavailable("connection refused")


class FakeMap:
    """Answers at once from a table; a value that is an answer is that answer."""

    def __init__(self, values: Mapping[str, str | Answer] | None = None, cost: int = 1) -> None:
        self.values = dict(values or {})
        self.cost = cost
        self.keys: list[str] = []

    def weight(self, key: str) -> int:
        return self.cost

    def get(self, key: str) -> Answer:
        self.keys.append(key)
        value = self.values.get(key, ABSENT)
        return Found(value) if isinstance(value, str) else value


class FakeAskedMap:
    """The same, after a wait."""

    def __init__(self, values: Mapping[str, str | Answer] | None = None) -> None:
        self._map = FakeMap(values)
        self.keys = self._map.keys

    async def ask(self, key: str) -> Answer:
        await asyncio.sleep(0)
        return self._map.get(key)


class DownMap:
    """A map whose program does not answer."""

    async def ask(self, key: str) -> Answer:
        await asyncio.sleep(0)
        return DOWN
