"""A map that policies set themselves, with `mapset`: the counters hold it, and both nodes have it."""

from __future__ import annotations

from mtad.limits.questions import Limits, Storing, Unknown, counter_of
from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded


class KeptMap:
    """One of them; all that have its name are the same."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits

    async def ask(self, key: str) -> Answer:
        """Return what it has for a key, within a second. Never raises."""
        return await self._store(Storing(self._counter(key)))

    async def put(self, key: str, value: str, seconds: int) -> Answer:
        """Have it hold a value for a key, for so long; the answer is that value, or why it does not. Never raises."""
        return await self._store(Storing(self._counter(key), value, seconds))

    async def _store(self, storing: Storing) -> Answer:
        stored = await self._limits.store(storing)
        if isinstance(stored, Unknown):
            return Unavailable(stored.why)
        return ABSENT if stored.value is None else Found(stored.value)

    def _counter(self, key: str) -> bytes:
        return counter_of("map", self._name, folded(key))
