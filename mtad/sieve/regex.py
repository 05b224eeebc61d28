"""Regular expressions by RE2 (draft-ietf-sieve-regex): as POSIX has them, in time linear in the value.

How large an expression may be is limited where it is compiled, how much of a value it sees here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtad.maps.expression import BadExpression, compiled, limited_options, searchable

LENGTH_MAX = 1 << 16  # of a value; what is behind is not seen
GROUPED_LENGTH_MAX = 1 << 12  # of a value whose groups are remembered
_SPECIAL = str.maketrans({letter: f"\\{letter}" for letter in ".\\+*?[]^$(){}|"})


class Expression:
    """A compiled expression."""

    __slots__ = ("_is_found", "_length_max", "size")

    def __init__(self, program: Any, length_max: int) -> None:
        self._is_found = program.search
        self._length_max = length_max
        self.size: int = program.programsize

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
        return self._is_found(searchable(value[: self._length_max]))


def expression(text: str, *, is_case_folding: bool, has_groups: bool) -> Expression | BadExpression:
    """Compile an expression."""
    options = limited_options()
    options.longest_match = True
    options.dot_nl = True
    options.case_sensitive = not is_case_folding
    options.never_capture = not has_groups
    program = compiled(text, options)
    if isinstance(program, BadExpression):
        return program
    return Expression(program, GROUPED_LENGTH_MAX if has_groups else LENGTH_MAX)


def quoted(text: str) -> str:
    """Return an expression that is found where this text stands."""
    return text.translate(_SPECIAL)
