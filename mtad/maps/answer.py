"""What a map says of a key. That it cannot be asked is never the same as that it has no such key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Found:
    """The map has the key; '' where it says nothing more of it."""

    value: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The map has no such key."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The map could not be asked; the text is for our log."""

    why: str


Answer = Found | Absent | Unavailable
ABSENT = Absent()


@runtime_checkable
class AtOnce(Protocol):
    """A map that has its answers here, and is looked into while all else waits."""

    def weight(self, key: str) -> int:
        """Return how much a look costs: as many as this into a table."""
        ...

    def get(self, key: str) -> Answer:
        """Return what it has for a key. Never raises."""
        ...


@runtime_checkable
class Asked(Protocol):
    """A map that another program has."""

    async def ask(self, key: str) -> Answer:
        """Return what it has for a key, within the time that the map is given. Never raises."""
        ...


Map = AtOnce | Asked


def folded(key: str) -> str:
    """Fold A to Z, as Postfix does before it looks a key up; no other letter may become an ASCII one."""
    return key.lower() if key.isascii() else "".join(letter.lower() if letter.isascii() else letter for letter in key)
