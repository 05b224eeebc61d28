"""The maps that a policy under test looks things up in: what a test says that they hold, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded


@dataclass(slots=True)
class PlayedMap:
    """A map that holds what it was given, or cannot be asked."""

    values: dict[str, str] = field(default_factory=dict)
    is_down: bool = False

    async def ask(self, key: str) -> Answer:
        """Return what the test has said of a key."""
        if self.is_down:
            return Unavailable("so says the test")
        value = self.values.get(folded(key))
        return ABSENT if value is None else Found(value)


@dataclass(slots=True)
class PlayedMaps:
    """All of them, by name. A policy finds those that were named before it was compiled."""

    maps: dict[str, PlayedMap] = field(default_factory=dict)

    def put(self, name: str, key: str, value: str) -> None:
        """Have a map hold a key."""
        self._named(name).values[folded(key)] = value

    def fail(self, name: str) -> None:
        """Have a map fail from now on."""
        self._named(name).is_down = True

    def _named(self, name: str) -> PlayedMap:
        return self.maps.setdefault(name, PlayedMap())
