"""Comparators and match types (RFC 5228 §2.7).

`:matches` finds the literals between its stars one after the other, the first occurrence of each; it is never a
regular expression, so a hostile value costs at most its length times the pattern's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from mtad.sieve.language import ArgumentType, Bound, Tag
from mtad.sieve.run import Run

MATCH_TAGS = (
    Tag(":is", "match"),
    Tag(":contains", "match"),
    Tag(":matches", "match"),
    Tag(":comparator", value=ArgumentType.STRING),
)

Fold = Callable[[str], str]
Found = Callable[[str], bool]
Matcher = Callable[[Run, Sequence[str]], bool]

_UPPER = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}
_PIECE = re.compile(r"\\(.)|([*?])|([^\\*?]+|\\)", re.DOTALL)


def ascii_casemap(text: str) -> str:
    """Fold A to Z and nothing else (RFC 4790 §9.2): no other letter may become an ASCII one."""
    return text.lower() if text.isascii() else text.translate(_UPPER)


def octet(text: str) -> str:
    """Fold nothing (RFC 4790 §9.3)."""
    return text


COMPARATORS: Mapping[str, Fold] = {"i;ascii-casemap": ascii_casemap, "i;octet": octet}


def matcher(bound: Bound, keys: Sequence[str]) -> Matcher:
    """Make the question that a test's match type, comparator and keys ask of a list of values."""
    name = bound.tag_string(":comparator") or "i;ascii-casemap"
    fold = COMPARATORS.get(name)
    if fold is None:
        bound.fail(bound.at, f'unknown comparator "{name}"')
        fold = octet
    is_found = _MATCH_TYPES[bound.chosen.get("match", ":is")]([fold(key) for key in keys])
    cost = len(keys)

    def ask(run: Run, values: Sequence[str]) -> bool:
        run.spend(cost * len(values))
        for value in values:  # noqa: SIM110 - any() with a generator costs as much as the comparison
            if is_found(fold(value)):
                return True
        return False

    return ask


def _is(keys: Sequence[str]) -> Found:
    return frozenset(keys).__contains__


def _contains(keys: Sequence[str]) -> Found:
    return lambda value: any(key in value for key in keys)


def _matches(keys: Sequence[str]) -> Found:
    patterns = [wildcard(key) for key in keys]
    return lambda value: any(is_match(value) for is_match in patterns)


_MATCH_TYPES: Mapping[str, Callable[[Sequence[str]], Found]] = {
    ":is": _is,
    ":contains": _contains,
    ":matches": _matches,
}


def wildcard(pattern: str) -> Found:
    """Compile a `:matches` pattern: `*` is any text, `?` any one character, a backslash takes the next as it is."""
    segments = _segments(pattern)
    if len(segments) == 1:
        only = segments[0]
        return lambda value: len(value) == only.length and only.is_at(value, 0)
    first, *middle, last = segments
    least = sum(segment.length for segment in segments)

    def is_match(value: str) -> bool:
        if len(value) < least or not first.is_at(value, 0):
            return False
        end = len(value) - last.length
        if not last.is_at(value, end):
            return False
        at = first.length
        for segment in middle:
            at = segment.find(value, at, end)
            if at < 0:
                return False
            at += segment.length
        return True

    return is_match


class _Segment:
    """What stands between two stars: literals, each at its place, and any character between them."""

    __slots__ = ("_literals", "_longest", "length")

    def __init__(self, literals: Sequence[tuple[int, str]], length: int) -> None:
        self._literals = literals
        self._longest = max(literals, key=lambda literal: len(literal[1]), default=(0, ""))
        self.length = length

    def is_at(self, value: str, at: int) -> bool:
        return all(value.startswith(text, at + offset) for offset, text in self._literals)

    def find(self, value: str, start: int, end: int) -> int:
        """Return the first place from `start` on where it lies wholly before `end`; -1 when there is none."""
        offset, text = self._longest
        while start + self.length <= end:
            found = value.find(text, start + offset, end)
            if found < 0 or found - offset + self.length > end:
                return -1
            start = found - offset
            if self.is_at(value, start):
                return start
            start += 1
        return -1


def _segments(pattern: str) -> list[_Segment]:
    segments: list[_Segment] = []
    literals: list[tuple[int, str]] = []
    length = 0
    for mark, text in _pieces(pattern):
        if mark == "*":
            segments.append(_Segment(literals, length))
            literals, length = [], 0
        elif mark == "?":
            length += 1
        elif literals and literals[-1][0] + len(literals[-1][1]) == length:
            literals[-1] = (literals[-1][0], literals[-1][1] + text)
            length += len(text)
        else:
            literals.append((length, text))
            length += len(text)
    return [*segments, _Segment(literals, length)]


def _pieces(pattern: str) -> Iterator[tuple[str, str]]:
    for piece in _PIECE.finditer(pattern):
        yield piece[2] or "", piece[1] or piece[3] or ""
