"""Regular expressions by RE2 (draft-ietf-sieve-regex): as POSIX has them, in time linear in the value.

What RE2 cannot promise to run by its automaton alone costs a thousand times as much, so an expression's size is
limited, and so is how much of a value it sees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import re2

PROGRAM_SIZE_MAX = 1000  # steps of a compiled expression; above it RE2 may fall back to what is slow
LENGTH_MAX = 1 << 16  # of a value; what is behind is not seen
GROUPED_LENGTH_MAX = 1 << 12  # of a value whose groups are remembered
_MEMORY_OCTETS = 1 << 23

_SPECIAL = re.compile(r"([.\\+*?\[\]^$(){}|])")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class BadExpression:
    """Why an expression cannot be used."""

    why: str


class Expression:
    """A compiled expression."""

    __slots__ = ("_is_found", "_length_max", "size")

    def __init__(self, compiled: Any, length_max: int) -> None:
        self._is_found = compiled.search
        self._length_max = length_max
        self.size: int = compiled.programsize

    def is_match(self, value: str) -> bool:
        """Tell whether it is found anywhere in the value."""
        return self._search(value) is not None

    def spans(self, value: str) -> list[tuple[int, int]] | None:
        """Return what was found and what its groups stand for; a group that is not part of it is empty."""
        found = self._search(value)
        if found is None:
            return None
        spans: Sequence[tuple[int, int]] = [found.span(group) for group in range(found.re.groups + 1)]
        return [span if span[0] >= 0 else (0, 0) for span in spans]

    def _search(self, value: str) -> Any:
        seen = value[: self._length_max]
        return self._is_found(seen if seen.isascii() else _SURROGATE.sub("\ufffd", seen))


def expression(text: str, *, is_case_folding: bool, has_groups: bool) -> Expression | BadExpression:
    """Compile an expression."""
    if _SURROGATE.search(text):
        return BadExpression("not UTF-8")
    options = re2.Options()
    options.log_errors = False
    options.longest_match = True
    options.dot_nl = True
    options.case_sensitive = not is_case_folding
    options.never_capture = not has_groups
    options.max_mem = _MEMORY_OCTETS
    try:
        compiled = re2.compile(text, options)
    except re2.error as error:
        return BadExpression(error.args[0].decode("utf-8", "replace"))
    if compiled.programsize > PROGRAM_SIZE_MAX:
        return BadExpression(f"larger than {PROGRAM_SIZE_MAX} steps")
    return Expression(compiled, GROUPED_LENGTH_MAX if has_groups else LENGTH_MAX)


def quoted(text: str) -> str:
    """Return an expression that is found where this text stands."""
    return _SPECIAL.sub(r"\\\1", text)
