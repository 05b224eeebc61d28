"""How much of a message is read for tests, over all of its entities; what is behind is not seen.

All other sessions wait meanwhile, so how long it takes must not grow with the message: each share is worth about 20 ms
at worst.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Share(StrEnum):
    """What is counted."""

    HEADER_OCTETS = "octets of header sections"
    FIELDS = "fields"
    ENCODED_LENGTH = "characters of fields with encoded words"
    ADDRESSES_LENGTH = "characters of fields with addresses"
    MARKS = "what looks like a boundary between parts"
    TEXT_OCTETS = "octets of bodies"
    WIDE_OCTETS = "octets of bodies in UTF-16 and UTF-32"
    PAGES_LENGTH = "characters of pages of HTML"


SHARES_MAX: Mapping[Share, int] = {
    Share.HEADER_OCTETS: 1 << 18,
    Share.FIELDS: 10_000,
    Share.ENCODED_LENGTH: 1 << 16,
    Share.ADDRESSES_LENGTH: 1 << 16,
    Share.MARKS: 10_000,
    Share.TEXT_OCTETS: 1 << 20,
    Share.WIDE_OCTETS: 1 << 18,
    Share.PAGES_LENGTH: 1 << 18,
}


class Allowance:
    """What is left of it; the entities of a message share it."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = dict(SHARES_MAX)

    def left(self, share: Share) -> int:
        """Return how much may still be read."""
        return self._left[share]

    def take(self, share: Share, wanted: int) -> int:
        """Count what is read; return how much of it may be."""
        left = self._left[share]
        granted = wanted if wanted < left else left
        self._left[share] = left - granted
        return granted
