"""Who comes for the first time, and is asked to come again (RFC 6647 §2.1; pure).

Strangers choose how many come. So those that wait have room of their own, and never take that of those that have
passed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mtad.limits.questions import Counted, Greylisting

RENEWED_PART = 16  # of its lifetime must have gone before it is renewed: each renewal is written


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one.

    until_ms   when it is forgotten; one that waits must have come again by then
    """

    since_ms: int
    until_ms: int
    is_passed: bool = False

    def joined(self, other: Known) -> Known:
        """Return what both nodes know together."""
        first, second = sorted((self, other), key=lambda known: (known.since_ms, known.until_ms, known.is_passed))
        if first.until_ms <= second.since_ms:
            return second  # it came again too late, and began anew
        if first.is_passed is not second.is_passed:
            return first if first.is_passed else second
        return max(first, second, key=lambda known: known.until_ms) if first.is_passed else first


class Greylist:
    """All that wait, and all that have passed; of each the one that was quiet for the longest time goes first."""

    def __init__(self, known_max: int, on_drop: Callable[[bytes], None]) -> None:
        self._known_max = known_max
        self._on_drop = on_drop
        self._waiting: OrderedDict[bytes, Known] = OrderedDict()
        self._passed: OrderedDict[bytes, Known] = OrderedDict()
        self.crowded_out_count = 0  # that were forgotten for want of room

    def __len__(self) -> int:
        return len(self._waiting) + len(self._passed)

    def known(self, counter: bytes) -> Known | None:
        """Return what is known of one."""
        return self._passed.get(counter) or self._waiting.get(counter)

    def ask(self, asked: Greylisting, now_ms: int) -> tuple[Counted, bool]:
        """Tell whether it must come again, and in how many seconds; tell also whether anything has changed."""
        known = self.known(asked.counter)
        if known is not None and known.until_ms > now_ms:
            if known.is_passed:
                return Counted(False, 0), self._renew(asked, known, now_ms)
            left_ms = known.since_ms + asked.delay_seconds * 1000 - now_ms
            if left_ms <= 0:
                self._keep(asked.counter, Known(known.since_ms, now_ms + asked.lifetime_seconds * 1000, True))
                return Counted(False, 0), True
            if known.since_ms <= now_ms:  # else the clock was ahead, and it begins anew
                return Counted(True, -(-left_ms // 1000)), False
        self._keep(asked.counter, Known(now_ms, now_ms + asked.window_seconds * 1000))
        return Counted(True, asked.delay_seconds), True

    def _renew(self, asked: Greylisting, known: Known, now_ms: int) -> bool:
        """Have one that comes again remembered from now on; tell whether that is to be kept."""
        lifetime_ms = asked.lifetime_seconds * 1000
        self._passed.move_to_end(asked.counter)
        if now_ms + lifetime_ms - known.until_ms < lifetime_ms // RENEWED_PART:
            return False
        self._passed[asked.counter] = Known(known.since_ms, now_ms + lifetime_ms, True)
        return True

    def learn(self, counter: bytes, known: Known) -> None:
        """Take in what another node knows, or this one has known before."""
        here = self.known(counter)
        self._keep(counter, known if here is None else here.joined(known))

    def expired(self, now_ms: int) -> Iterator[bytes]:
        """Yield those that are over; the one just given may be forgotten."""
        for counter in [*self._waiting, *self._passed]:
            known = self.known(counter)
            if known is not None and known.until_ms <= now_ms:
                yield counter

    def forget(self, counter: bytes) -> None:
        """Drop one."""
        self._waiting.pop(counter, None)
        self._passed.pop(counter, None)
        self._on_drop(counter)

    def _keep(self, counter: bytes, known: Known) -> None:
        pool, other = (self._passed, self._waiting) if known.is_passed else (self._waiting, self._passed)
        other.pop(counter, None)
        if counter not in pool and len(pool) >= self._known_max:
            self.crowded_out_count += 1
            self.forget(next(iter(pool)))
        pool[counter] = known
        pool.move_to_end(counter)
