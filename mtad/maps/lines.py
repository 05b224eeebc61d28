"""The lines of a map's file, as Postfix writes them (postmap(1), cidr_table(5), regexp_table(5)).

A line that begins with white space continues the one before; empty lines, and those that begin with '#', are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

ERRORS_MAX = 20
_KEY = re.compile(r'(?:"[^"]*"|\S)+')


class Line(NamedTuple):
    """A logical line, and the number of its first one, counted from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a map's text, each with its line; never empty."""

    lines: tuple[Line, ...]

    @classmethod
    def whole(cls, text: str) -> Wrong:
        """Say it of a map as a whole, at its first line."""
        return cls((Line(1, text),))

    @classmethod
    def of(cls, found: Sequence[Line]) -> Wrong:
        """Keep the first ones."""
        return cls(tuple(found[:ERRORS_MAX]))


def logical_lines(text: str) -> Iterator[Line]:
    """Yield the lines that say something, without outer white space."""
    number = 0
    parts: list[str] = []
    for index, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if line[0] in " \t" and parts:
            parts.append(line)
            continue
        if parts:
            yield Line(number, "".join(parts).strip())
        number, parts = index, [line]
    if parts:
        yield Line(number, "".join(parts).strip())


def key_and_value(line: str) -> tuple[str, str]:
    """Split a line at the first white space that stands in no quotes; the quotes are part of the key."""
    found = _KEY.match(line)
    end = found.end() if found is not None else 0
    return line[:end], line[end:].strip()
