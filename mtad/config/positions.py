"""Finds the line of every key and list element of a TOML text, which tomllib does not tell (TOML 1.0).

The text must have passed tomllib: nothing is validated here, and a text that tomllib refuses gives nonsense.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Place = tuple[str | int, ...]
"""The way to a value: keys of tables, indexes of lists."""

_SPACE = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = (
    re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


def positions(text: str) -> dict[Place, int]:
    """Return the line, counted from 1, where each key, table header and list element stands."""
    return _Scan(text).run()


class _Scan:
    """One pass over one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_ends = [found.end() for found in re.finditer("\n", text)]
        self._lines: dict[Place, int] = {}
        self._tables_count: dict[Place, int] = {}  # of each array of tables so far

    def run(self) -> dict[Place, int]:
        table: Place = ()
        self._skip(_GAP)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_GAP)
        return self._lines

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"not TOML at character {self._at}")
        self._at = found.end()
        return found[0]

    def _note(self, place: Place, at: int) -> None:
        self._lines.setdefault(place, bisect_right(self._line_ends, at) + 1)

    def _header(self) -> Place:
        """Read `[a.b]` or `[[a.b]]` and return the table that the next keys belong to."""
        start = self._at
        brackets = 2 if self._text.startswith("[[", start) else 1
        self._at += brackets
        keys = self._keys()
        self._at += brackets
        place: Place = ()
        for index, key in enumerate(keys):
            place = (*place, key)
            self._note(place, start)
            is_new = brackets == 2 and index == len(keys) - 1
            if is_new:
                self._tables_count[place] = self._tables_count.get(place, 0) + 1
            if place in self._tables_count:  # a table inside an array of tables is in its last element
                place = (*place, self._tables_count[place] - 1)
                self._note(place, start)
        return place

    def _pair(self, table: Place) -> None:
        """Read `key.key = value`."""
        start = self._at
        place = table
        for key in self._keys():
            place = (*place, key)
            self._note(place, start)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(place)

    def _keys(self) -> list[str]:
        """Read a dotted key, with the space around it."""
        keys = []
        while True:
            self._skip(_SPACE)
            quoted = self._string()
            keys.append(self._skip(_BARE_KEY) if quoted is None else next(iter(tomllib.loads(f"{quoted} = 0"))))
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _string(self) -> str | None:
        for pattern in _STRINGS:
            found = pattern.match(self._text, self._at)
            if found is not None:
                self._at = found.end()
                return found[0]
        return None

    def _value(self, place: Place) -> None:
        match self._text[self._at]:
            case "[":
                self._list(place)
            case "{":
                self._inline_table(place)
            case _:
                if self._string() is None:
                    self._skip(_SCALAR)

    def _list(self, place: Place) -> None:
        self._at += 1
        index = 0
        self._skip(_GAP)
        while self._text[self._at] != "]":
            self._note((*place, index), self._at)
            self._value((*place, index))
            self._skip(_GAP)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_GAP)
            index += 1
        self._at += 1

    def _inline_table(self, place: Place) -> None:
        self._at += 1
        self._skip(_GAP)
        while self._text[self._at] != "}":
            self._pair(place)
            self._skip(_GAP)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip(_GAP)
        self._at += 1
