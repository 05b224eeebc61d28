"""Regular expressions as RE2 compiles them, within a size that it runs in time linear in the value.

What RE2 cannot promise to run by its automaton alone costs a thousand times as much, so an expression's size is
limited. How much of a value it sees, who asks it limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import re2

PROGRAM_SIZE_MAX = 1_000  # steps of a compiled expression; above it RE2 may fall back to what is slow
MEMORY_OCTETS_MAX = 1 << 23
_TRIED_OCTETS = 1 << 17  # enough to compile what is not larger, and little enough to see soon that something is
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class BadExpression:
    """Why an expression cannot be used."""

    why: str


_TOO_LARGE = BadExpression(f"larger than {PROGRAM_SIZE_MAX} steps")
_OUT_OF_MEMORY = "pattern too large"  # as RE2 says it


def limited_options() -> re2.Options:
    """Return the options that all expressions have; what each asks for is added to them."""
    options = re2.Options()
    options.log_errors = False
    return options


def compiled(text: str, options: re2.Options, memory_octets_max: int = MEMORY_OCTETS_MAX) -> Any | BadExpression:
    """Compile an expression, which may keep so much of what it has found out about values."""
    if _SURROGATE.search(text):
        return BadExpression("not UTF-8")
    try:
        options.max_mem = _TRIED_OCTETS
        if re2.compile(text, options).programsize > PROGRAM_SIZE_MAX:
            return _TOO_LARGE
        options.max_mem = memory_octets_max
        return re2.compile(text, options)
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace")
        return _TOO_LARGE if why.startswith(_OUT_OF_MEMORY) else BadExpression(why)


def searchable(value: str) -> str:
    """Return a value as RE2 takes it: what is no UTF-8 has U+FFFD in its place."""
    return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
