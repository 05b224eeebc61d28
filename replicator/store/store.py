"""The durable state of one member."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from replicator.core.values import Item


class Due(NamedTuple):
    """One part that is not terminal, and when it should be looked at."""

    due_ms: int
    key: bytes
    part: bytes


class Store(Protocol):
    """What a node reads."""

    def item(self, key: bytes) -> Item | None: ...
    def items(self, after: bytes, limit: int) -> list[Item]: ...
    def due(self, before_ms: int, limit: int) -> list[Due]: ...
