"""What compiling may cost: counted, not timed, so that a script that compiles on one machine does on every other.

A unit is worth about a microsecond of a machine that has nothing else to do.
"""

from __future__ import annotations

EFFORT_MAX = 30_000  # of a script and all that it includes: some two thousand lines, or a list of 6,000 keys
NODE = 14  # a command or test, checked and made a closure
_LENGTH = 64  # characters that are read for a unit
_STRING_LENGTH = 16  # of strings, which are read more than once
_REFERENCE = 2  # what may be a variable, or an encoded character


class Effort:
    """What is left of it."""

    __slots__ = ("_left",)

    def __init__(self, units: int = EFFORT_MAX) -> None:
        self._left = units

    @property
    def left(self) -> int:
        """How much may still be spent."""
        return self._left

    def spend(self, units: int) -> bool:
        """Count work; tell whether it may be done."""
        self._left -= units
        return self._left >= 0


def of_script(text: str) -> int:
    """Return what it costs to look at a script's characters."""
    return len(text) // _LENGTH


def of_string(text: str) -> int:
    """Return what it costs to read a string, beside its being a token."""
    return len(text) // _STRING_LENGTH + _REFERENCE * text.count("${")
