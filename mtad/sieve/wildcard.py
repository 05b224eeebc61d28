"""The patterns of `:matches` (RFC 5228 §2.7.1) and what their wildcards stand for (RFC 5229 §3.2).

The literals between the stars are found one after the other, the first occurrence of each; a pattern is never a
regular expression, so a hostile value costs at most its length times the pattern's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Span = tuple[int, int]

_PIECE = re.compile(r"\\(.)|([*?])|([^\\*?]+|\\)", re.DOTALL)


class Wildcard:
    """A compiled pattern: `*` is any text, `?` any one character, a backslash takes the next as it is."""

    __slots__ = ("_least", "_segments")

    def __init__(self, pattern: str) -> None:
        self._segments = _segments(pattern)
        self._least = sum(segment.length for segment in self._segments)

    def is_match(self, value: str) -> bool:
        """Tell whether the whole value has this form."""
        return self._places(value) is not None

    def spans(self, value: str) -> list[Span] | None:
        """Return the whole and what each wildcard stands for, each star for as little as possible; None: no match."""
        places = self._places(value)
        if places is None:
            return None
        found: list[Span] = [(0, len(value))]
        end = 0
        for index, (at, segment) in enumerate(zip(places, self._segments, strict=True)):
            if index:
                found.append((end, at))
            found += [(at + hole, at + hole + 1) for hole in segment.holes]
            end = at + segment.length
        return found

    def _places(self, value: str) -> list[int] | None:
        """Return where each segment lies."""
        segments = self._segments
        if len(value) < self._least or not segments[0].is_at(value, 0):
            return None
        if len(segments) == 1:
            return [0] if len(value) == self._least else None
        end = len(value) - segments[-1].length
        if not segments[-1].is_at(value, end):
            return None
        places = [0]
        at = segments[0].length
        for segment in segments[1:-1]:
            at = segment.find(value, at, end)
            if at < 0:
                return None
            places.append(at)
            at += segment.length
        places.append(end)
        return places


class _Segment:
    """What stands between two stars: literals, each at its place, and any character in the holes between them."""

    __slots__ = ("_literals", "_search", "holes", "length")

    def __init__(self, literals: Sequence[tuple[int, str]], holes: Sequence[int]) -> None:
        self._literals = literals
        self._search: re.Pattern[str] | None = None
        self.holes = holes
        self.length = len(holes) + sum(len(text) for _, text in literals)

    def is_at(self, value: str, at: int) -> bool:
        return all(value.startswith(text, at + offset) for offset, text in self._literals)

    def find(self, value: str, start: int, end: int) -> int:
        """Return the first place from `start` on where it lies wholly before `end`; -1 when there is none."""
        if not self.holes:
            return value.find(self._literals[0][1] if self._literals else "", start, end)
        if not self._literals:
            return start if start + self.length <= end else -1
        if self._search is None:
            self._search = re.compile(self._expression(), re.DOTALL)
        found = self._search.search(value, start, end)
        return found.start() if found is not None else -1

    def _expression(self) -> str:
        """Write it as an expression without repetition, which costs at most its length at each place."""
        pieces = [*((hole, ".") for hole in self.holes), *((at, re.escape(text)) for at, text in self._literals)]
        return "".join(text for _, text in sorted(pieces))


def _segments(pattern: str) -> list[_Segment]:
    segments: list[_Segment] = []
    literals: list[tuple[int, str]] = []
    holes: list[int] = []
    length = 0
    for mark, text in _pieces(pattern):
        if mark == "*":
            segments.append(_Segment(literals, holes))
            literals, holes, length = [], [], 0
        elif mark == "?":
            holes.append(length)
            length += 1
        elif literals and literals[-1][0] + len(literals[-1][1]) == length:
            literals[-1] = (literals[-1][0], literals[-1][1] + text)
            length += len(text)
        else:
            literals.append((length, text))
            length += len(text)
    return [*segments, _Segment(literals, holes)]


def _pieces(pattern: str) -> Iterator[tuple[str, str]]:
    for piece in _PIECE.finditer(pattern):
        yield piece[2] or "", piece[1] or piece[3] or ""
