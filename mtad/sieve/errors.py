"""Where something stands in a script, and what is wrong there."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

ERRORS_MAX = 20


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
    """Collects the errors of one script, the first ERRORS_MAX of them."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._text = text
        self._lines: list[int] = []
        self._found: dict[tuple[int, str], None] = {}

    def add(self, at: int, text: str) -> None:
        """Note that the script is wrong at this offset."""
        if not self.is_full:
            self._found[at, text] = None

    @property
    def is_full(self) -> bool:
        return len(self._found) >= ERRORS_MAX

    @property
    def has_errors(self) -> bool:
        return bool(self._found)

    def line(self, at: int) -> int:
        """Return the line of an offset."""
        if not self._lines:
            self._lines = [0, *(i + 1 for i, letter in enumerate(self._text) if letter == "\n")]
        return bisect_right(self._lines, at)

    def errors(self) -> SieveErrors:
        """Return what was found, in the order of the script."""
        return SieveErrors(tuple(self._error(at, text) for at, text in sorted(self._found)))

    def _error(self, at: int, text: str) -> SieveError:
        line = self.line(at)
        return SieveError(self.file, line, at - self._lines[line - 1] + 1, text)
