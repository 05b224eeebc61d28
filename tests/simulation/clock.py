"""Simulated time: one heap of acts, one seeded source of chance, integer nanoseconds."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

MS = 1_000_000
SECOND = 1_000 * MS
EVENTS_MAX = 120_000  # of one history; more is a storm, and a storm is a fault of the members


class Violation(AssertionError):  # noqa: N818 - it is the word of the design
    """An invariant did not hold; `name` is its number in the design."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


class Chance(random.Random):
    """One seeded source of chance."""

    def between(self, low: int, high: int) -> int:
        """Return a time between two, evenly."""
        return low + int((high - low) * self.random())

    def happens(self, probability: float) -> bool:
        return self.random() < probability


class Clock:
    """What happens when; equal times keep the order of their scheduling."""

    def __init__(self, seed: int) -> None:
        self.now = 0
        self.chance = Chance(seed)
        self.between = self.chance.between
        self.happens = self.chance.happens
        self.counts: Counter[str] = Counter()
        self.log: list[tuple[Any, ...]] = []
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._numbers = 0

    def after(self, delay: int, act: Callable[..., None], *arguments: Any) -> None:
        self._order += 1
        heapq.heappush(self._heap, (self.now + delay, self._order, act, arguments))

    def at(self, when: int, act: Callable[..., None], *arguments: Any) -> None:
        self.after(max(0, when - self.now), act, *arguments)

    def number(self) -> int:
        """Return a number never given before in this history."""
        self._numbers += 1
        return self._numbers

    def note(self, *words: Any) -> None:
        """Put into the history's log what a reader of a failure wants to see."""
        self.log.append((self.now, *words))

    def run(self, until: Callable[[], bool]) -> None:
        """Let acts happen in order of time until one makes `until` true."""
        heap, pop = self._heap, heapq.heappop
        while heap and not until():
            self.now, order, act, arguments = pop(heap)
            act(*arguments)
            if order > EVENTS_MAX:
                raise Violation("L3", f"more than {EVENTS_MAX} events: the members do not come to rest")
