"""How spam and viruses are read from a message or from the score: the scales that a policy defines (RFC 5235)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mtad.sieve.message import Message

VIRUS_SCALES_MAX = 50
_NUMBER = re.compile(r"(?<![\w.])([+-]?)([0-9]{1,6})(?:\.([0-9]{1,3}))?")
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class SpamScale:
    """Where the points stand, in the field of this name (folded) or '' in the score, and how many are 100 percent."""

    field: str
    most_thousandths: int

    def percent(self, thousandths: int) -> int:
        """Return what so many points are."""
        return max(0, min(100, thousandths * 100 // self.most_thousandths))


@dataclass(frozen=True, slots=True)
class VirusScale:
    """A field (its name folded) that says one of these texts (folded) in a message of this level (RFC 5235 §2.5)."""

    field: str
    level: int
    texts: tuple[str, ...]


def points_in(message: Message, field: str) -> int | None:
    """Return the thousandths in the topmost field of this name, the last to be written; None where it has no number."""
    found = _NUMBER.search(next(iter(message.values(field)), ""))
    if found is None:
        return None
    value = int(found[2]) * _THOUSAND + int((found[3] or "").ljust(3, "0"))
    return -value if found[1] == "-" else value


def level_of(message: Message, scales: Iterable[VirusScale]) -> int | None:
    """Return the worst level that a field tells of; None where none tells of any."""
    levels = [one.level for one in scales if _says(message, one)]
    return max(levels, default=None)


def _says(message: Message, scale: VirusScale) -> bool:
    values = [value.lower() for value in message.values(scale.field)]
    return any(text in value for value in values for text in scale.texts)
