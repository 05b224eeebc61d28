"""What policies ask of the counters, what they hear, and who can be asked.

A counter is named by a digest: strangers choose what is counted, and what they choose may be long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

COUNTER_OCTETS = 16


@dataclass(frozen=True, slots=True)
class Rate:
    """Whether there was so much in the last seconds that this would be too much; what is not too much is counted.

    is_peek   nothing is counted
    """

    counter: bytes
    limit: int
    seconds: int
    cost: int = 1
    is_peek: bool = False


@dataclass(frozen=True, slots=True)
class Greylisting:
    """Whether it must come again, because it is not known: not before the delay, and within the window.

    lifetime_seconds   for which it is known then, from the last time on that it came
    """

    counter: bytes
    delay_seconds: int
    window_seconds: int
    lifetime_seconds: int


Question = Rate | Greylisting


@dataclass(frozen=True, slots=True)
class Storing:
    """A value to be held under a name, for so long; without one, what is held is asked for."""

    counter: bytes
    value: str | None = None
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """What is held; None is nothing."""

    value: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """The answer.

    count   what the counter holds now; of a greylist the seconds that are left to wait
    """

    is_over: bool
    count: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """The counters could not be asked; the text is for our log."""

    why: str


Answer = Counted | Unknown


@dataclass(frozen=True, slots=True)
class Held:
    """A place that was taken.

    count   how many are taken of its counter, this one included
    leave   gives it back, and must be called once
    """

    count: int
    leave: Callable[[], None]


class Limits(Protocol):
    """Who has the counters."""

    async def ask(self, question: Question) -> Answer:
        """Answer, and count. Never raises, and takes a second at most."""
        ...

    async def take(self, counter: bytes, limit: int) -> Held | Answer:
        """Take one of so many places, or say that all are taken. Never raises, and takes a second at most."""
        ...

    async def store(self, storing: Storing) -> Stored | Unknown:
        """Hold a value, or return the one that is held. Never raises, and takes a second at most."""
        ...


class NobodyCounts:
    """Stands where no counters are: nothing can be known."""

    async def ask(self, question: Question) -> Answer:
        """Say that it is not known."""
        return Unknown("nobody counts here")

    async def take(self, counter: bytes, limit: int) -> Held | Answer:
        """Say that it is not known."""
        return Unknown("nobody counts here")

    async def store(self, storing: Storing) -> Stored | Unknown:
        """Say that it is not known."""
        return Unknown("nobody counts here")


def counter_of(*words: str) -> bytes:
    """Return the name of what is counted under these words, of which none can pass for two."""
    taken = blake2b(digest_size=COUNTER_OCTETS)
    for word in words:
        octets = word.encode("utf-8", "surrogateescape")
        taken.update(len(octets).to_bytes(8, "big") + octets)
    return taken.digest()
