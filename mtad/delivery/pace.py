"""How many connections a next hop gets, and how long it is left alone after a failure (pure).

A hop begins with all its places, for clients wait. A failure (no connection, no or a negative greeting, 421, a
time-out, a connection lost amid a transaction) leaves it one place less than it had in use, and no new connection is
opened to it for a while, which doubles as long as failures follow one another. One transaction that was lost, or not
answered in time, may be the message's fault: the second in a row counts. A place comes back when as many transactions
have ended well as there are places.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

WHY_LENGTH_MAX = 200  # of what is remembered of a failure, in characters


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """Bounds of one process."""

    connections_max: int = 20  # to one hop
    rest_seconds: float = 5.0  # after the first failure
    rest_seconds_max: float = 300.0
    hops_max: int = 1000  # that are remembered for a failure


@dataclass(slots=True)
class _Pace:
    """What is remembered of a hop that has failed."""

    places: int
    successes: int = 0  # since it got its last place
    failures: int = 0  # one after another, without a transaction that ended well
    until: float = 0.0
    is_suspect: bool = False  # one transaction was lost
    why: str = ""


class Paces:
    """What is remembered of all hops that have failed. Times are seconds of one clock that never goes back."""

    def __init__(self, limits: PaceLimits) -> None:
        self._limits = limits
        self._paces: dict[Hashable, _Pace] = {}  # the one that failed longest ago first

    def places(self, hop: Hashable) -> int:
        """Return how many connections may be in use; at least one."""
        pace = self._paces.get(hop)
        return self._limits.connections_max if pace is None else pace.places

    def is_resting(self, hop: Hashable, now: float) -> bool:
        """Tell whether no new connection may be opened yet."""
        pace = self._paces.get(hop)
        return pace is not None and now < pace.until

    def is_doubtful(self, hop: Hashable) -> bool:
        """Tell whether nothing has ended well since the last failure."""
        pace = self._paces.get(hop)
        return pace is not None and pace.failures > 0

    def why(self, hop: Hashable) -> str:
        """Return what was last said of a failure; '' where nothing was."""
        pace = self._paces.get(hop)
        return "" if pace is None else pace.why

    def failed(self, hop: Hashable, now: float, in_use: int, *, is_certain: bool = True, why: str = "") -> None:
        """Note a failure.

        in_use       connections at that moment, this one among them
        is_certain   it is the hop's: the first one of others counts only when another one follows
        What fails while the hop rests was begun before, and says nothing new: it makes the rest no longer.
        """
        pace = self._paces.pop(hop, None)
        if pace is None:
            if len(self._paces) >= self._limits.hops_max:
                del self._paces[next(iter(self._paces))]
            pace = _Pace(self._limits.connections_max)
        self._paces[hop] = pace
        pace.places, pace.successes = max(1, min(pace.places, in_use) - 1), 0
        pace.why = why[:WHY_LENGTH_MAX] or pace.why
        is_counted, pace.is_suspect = is_certain or pace.is_suspect, True
        if is_counted and now >= pace.until:
            pace.failures += 1
            doubled = self._limits.rest_seconds * 2.0 ** min(pace.failures - 1, 30)
            pace.until = now + min(doubled, self._limits.rest_seconds_max)

    def succeeded(self, hop: Hashable) -> None:
        """Note a transaction that ended well."""
        pace = self._paces.get(hop)
        if pace is None:
            return
        pace.failures, pace.is_suspect = 0, False
        pace.successes += 1
        if pace.successes >= pace.places:
            pace.places, pace.successes = pace.places + 1, 0
        if pace.places >= self._limits.connections_max:
            del self._paces[hop]

    def forget(self) -> None:
        """Forget all failures: an operator has mended something."""
        self._paces.clear()
