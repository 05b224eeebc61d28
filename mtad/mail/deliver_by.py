"""By when a message is to be delivered, and what is done where it is not: the parameter BY of MAIL (RFC 2852).

What clients say counts seconds from the moment they say it; what is held is the moment itself, in UTC milliseconds, so
that a queue, another node or a next hop that is told later has lost no time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

SECONDS_MIN = 60  # for mail that is to be returned: as much as through-delivery takes, and an attempt from the queue
SECONDS_MAX = 999_999_999  # RFC 2852 §4, either way
_BY = re.compile(r"([+-]?[0-9]{1,9});([NR])(T?)", re.IGNORECASE)
_LEAST = re.compile(r"([0-9]{1,9})(?:,.*)?")


class Late(StrEnum):
    """What is done with a message that is not delivered in time (by-mode)."""

    NOTIFY = "N"  # its sender is told, and it is tried on
    RETURN = "R"  # it is given up


@dataclass(frozen=True, slots=True)
class Within:
    """What BY says, in seconds from now on. is_traced: the sender wants to hear of each relay."""

    seconds: int
    late: Late
    is_traced: bool = False

    @property
    def is_possible(self) -> bool:
        """Tell whether it may be asked: what is to be returned when it is late cannot be late already."""
        return self.late is Late.NOTIFY or self.seconds > 0

    def from_now(self, now_ms: int) -> DeliverBy:
        """Return the moment that is meant; now_ms is UTC."""
        return DeliverBy(max(0, now_ms + self.seconds * 1000), self.late, self.is_traced)

    def __str__(self) -> str:
        """Return the value of BY."""
        return f"{self.seconds};{self.late}{'T' if self.is_traced else ''}"


@dataclass(frozen=True, slots=True)
class DeliverBy:
    """By when a message is to be delivered; until_ms is UTC."""

    until_ms: int
    late: Late
    is_traced: bool = False

    @property
    def is_return(self) -> bool:
        """Tell whether it is not to be delivered late."""
        return self.late is Late.RETURN

    def is_past(self, now_ms: int) -> bool:
        """Tell whether the moment has come."""
        return now_ms >= self.until_ms

    def gives_up(self, now_ms: int) -> bool:
        """Tell whether it is late, and not to be delivered so."""
        return self.is_return and self.is_past(now_ms)

    def left(self, now_ms: int) -> Within:
        """Return what is left of the time, as the next hop is told: less than a whole second is none."""
        seconds = (self.until_ms - now_ms) // 1000
        return Within(max(-SECONDS_MAX, min(seconds, SECONDS_MAX)), self.late, self.is_traced)


def read_by(value: str) -> Within | None:
    """Return what BY says; None for what is no such value (RFC 2852 §4)."""
    found = _BY.fullmatch(value)
    if found is None:
        return None
    said = Within(int(found[1]), Late(found[2].upper()), bool(found[3]))
    return said if said.is_possible else None


def least_seconds(text: str) -> int:
    """Return the min-by-time that stands behind DELIVERBY in the reply to EHLO; 0 where none is named."""
    found = _LEAST.fullmatch(text)
    return 0 if found is None else int(found[1])
