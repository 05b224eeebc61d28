"""In which order the addresses of one host are tried: both families in turn, one that does not work last (pure).

Like RFC 8305, without its race: a family that leads nowhere costs a time-out now and then, not at every host.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, zip_longest

V6, V4 = 6, 4
FAILURES_MAX = 2  # one after another, at addresses of any host
DOUBT_SECONDS = 60.0
DOUBT_SECONDS_MAX = 3600.0


def family_of(address: str) -> int:
    """Return the family of an IP address."""
    return V6 if ":" in address else V4


class Families:
    """What is known of both families. Times are seconds of one clock that never goes back."""

    def __init__(self) -> None:
        self._failures = {V6: 0, V4: 0}
        self._doubted_until = {V6: 0.0, V4: 0.0}
        self._doubt_seconds = {V6: DOUBT_SECONDS, V4: DOUBT_SECONDS}

    def ordered(self, addresses: Iterable[str], now: float) -> tuple[str, ...]:
        """Return the addresses in the order to try them: IPv6 first, then in turn; all of a doubtful family last."""
        of: dict[int, list[str]] = {V6: [], V4: []}
        for address in addresses:
            of[family_of(address)].append(address)
        is_v6_doubtful, is_v4_doubtful = (now < self._doubted_until[family] for family in (V6, V4))
        if is_v6_doubtful == is_v4_doubtful:
            pairs = zip_longest(of[V6], of[V4])
            return tuple(address for address in chain.from_iterable(pairs) if address is not None)
        first, last = (V4, V6) if is_v6_doubtful else (V6, V4)
        return (*of[first], *of[last])

    def reached(self, address: str) -> None:
        """Note that somebody answered."""
        family = family_of(address)
        self._failures[family] = 0
        self._doubted_until[family] = 0.0
        self._doubt_seconds[family] = DOUBT_SECONDS

    def unreached(self, address: str, now: float) -> None:
        """Note that nobody answered, not even to refuse."""
        family = family_of(address)
        self._failures[family] += 1
        if self._failures[family] >= FAILURES_MAX and now >= self._doubted_until[family]:
            self._doubted_until[family] = now + self._doubt_seconds[family]
            self._doubt_seconds[family] = min(2 * self._doubt_seconds[family], DOUBT_SECONDS_MAX)
