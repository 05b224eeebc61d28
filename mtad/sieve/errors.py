"""Where something stands in a script, and what is wrong there."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from mtad.sieve.effort import EFFORT_MAX, NODE, Effort

ERRORS_MAX = 20
_TOO_LARGE = (
    f"too large: compiling a script and all that it includes may cost {EFFORT_MAX} units, one for each word, string "
    f"and mark and {NODE} for each command and test; long lists belong in maps of mtad.toml"
)
_LINE_END = re.compile("\n")


@dataclass(frozen=True, slots=True)
class SieveError:
    """One thing that is wrong with a script; line and column count from 1, in characters."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


@dataclass(frozen=True, slots=True)
class SieveErrors:
    """Why a script was not compiled: at least one error, in the order of the script."""

    errors: tuple[SieveError, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.errors))


class Report:
    """Collects the errors of one script, the first ERRORS_MAX of them, and what compiling it costs.

    effort   what is left for it, which those that it includes share
    """

    def __init__(self, file: str, text: str, effort: Effort | None = None) -> None:
        self.file = file
        self.effort = effort or Effort()
        self._text = text
        self._lines: list[int] = []
        self._found: dict[tuple[int, str], None] = {}

    def add(self, at: int, text: str) -> None:
        """Note that the script is wrong at this offset."""
        if not self.is_full:
            self._found[at, text] = None

    def spend(self, at: int, units: int) -> bool:
        """Count work, and tell whether it is of use; when it is too much the script is wrong, and full."""
        was_left = self.effort.left >= 0
        if self.effort.spend(units):
            return not self.is_full
        if was_left:
            self._found[at, _TOO_LARGE] = None
        return False

    @property
    def is_full(self) -> bool:
        """Tell whether there is no use in looking for more."""
        return len(self._found) >= ERRORS_MAX or self.effort.left < 0

    @property
    def has_errors(self) -> bool:
        return bool(self._found)

    def line(self, at: int) -> int:
        """Return the line of an offset."""
        if not self._lines:
            self._lines = [0, *(match.end() for match in _LINE_END.finditer(self._text))]
        return bisect_right(self._lines, at)

    def errors(self) -> SieveErrors:
        """Return what was found, in the order of the script."""
        return SieveErrors(tuple(self._error(at, text) for at, text in sorted(self._found)))

    def _error(self, at: int, text: str) -> SieveError:
        line = self.line(at)
        return SieveError(self.file, line, at - self._lines[line - 1] + 1, text)
