"""What a line to a site holds back: an item that is damaged here, until it is whole again or known to be lost.

Shipped meanwhile it would go as VOID, which the site takes for its end, and nobody would send it once it is healed. So
what follows it in its branch waits; other branches go on. Nobody waits for ever: of what may come back only with a node
that is away, the site would lack more and more.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from replicator.core.values import SECOND, Branch, Vector

HELD_SECONDS_MAX = 600  # on one link, in a row
SAID_AFTER_SECONDS = 10


class Healing(Protocol):
    """Knows what is damaged here."""

    def may_heal(self, key: bytes) -> bool:
        """Tell whether a damaged item may come back."""

    def is_kept_from(self, key: bytes, vector: Vector) -> bool:
        """Tell whether a node of that vector lacks a damaged item, which may come back."""

    def first_kept_from(self, vector: Vector) -> bytes:
        """Return the first of these items that is known; b"": there is none."""


class _Nobody:
    """Has nothing that may come back."""

    def may_heal(self, key: bytes) -> bool:
        return False

    def is_kept_from(self, key: bytes, vector: Vector) -> bool:
        return False

    def first_kept_from(self, vector: Vector) -> bytes:
        return b""


class Held(Enum):
    """For how long something was held back, where that is worth saying."""

    LONG = auto()
    TOO_LONG = auto()  # nothing is held on this link any more


class Hold:
    """What one link holds back. healing: None on a link that holds nothing back."""

    __slots__ = ("_healing", "_is_said", "_since", "branches", "is_holding", "snapshot")

    def __init__(self, healing: Healing | None = None) -> None:
        self.is_holding = healing is not None  # reads end before what is damaged
        self._healing = healing or _Nobody()
        self.branches: dict[Branch, bytes] = {}  # by branch, the item that it stops before
        self.snapshot = b""  # the item for which none may end
        self._since = -1  # that something is held without a break
        self._is_said = False

    @property
    def key(self) -> bytes:
        """An item that is held back; b"": nothing is."""
        return self.snapshot or next(iter(self.branches.values()), b"")

    def stops(self, branch: Branch, key: bytes, now: int) -> bool:
        """Stop a branch before an item, if that may come back: tell whether it does."""
        is_stopped = self.is_holding and self._healing.may_heal(key)
        if is_stopped:
            self.branches[branch] = key
            self._begin(now)
        return is_stopped

    def delays_snapshot(self, vector: Vector, now: int) -> bool:
        """Tell whether a snapshot for a node of that vector has to wait for an item."""
        return self.is_holding and self._waits_for(self._healing.first_kept_from(vector), now)

    def forbids_end(self, away: tuple[bytes, ...], vector: Vector, now: int) -> bool:
        """Tell whether a snapshot may not end that lacks these items."""
        lacking = (key for key in away if self.is_holding and self._healing.is_kept_from(key, vector))
        return self._waits_for(next(lacking, b""), now)

    def _waits_for(self, key: bytes, now: int) -> bool:
        if key:
            self.snapshot = key
            self._begin(now)
        return bool(key)

    def _begin(self, now: int) -> None:
        if self._since < 0:
            self._since = now

    def let_go(self, now: int) -> Held | None:
        """Let everything be tried again. Return how long it has lasted, when that is to be told; None: it is not."""
        if not self.key:
            self._since, self._is_said = -1, False
            return None
        self.branches.clear()
        self.snapshot = b""
        seconds = (now - self._since) // SECOND
        if seconds >= HELD_SECONDS_MAX:
            self.is_holding = False
            return Held.TOO_LONG
        if self._is_said or seconds < SAID_AFTER_SECONDS:
            return None
        self._is_said = True
        return Held.LONG
