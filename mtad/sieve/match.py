"""Comparators and match types (RFC 5228 §2.7, RFC 5231, RFC 4790 §9).

`:matches` finds the literals between its stars one after the other, the first occurrence of each; it is never a
regular expression, so a hostile value costs at most its length times the pattern's.
"""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtad.sieve.language import ArgumentType, Bound, Tag
from mtad.sieve.run import Run

_RELATIONAL = "relational"
MATCH_TAGS = (
    Tag(":is", "match"),
    Tag(":contains", "match"),
    Tag(":matches", "match"),
    Tag(":count", "match", ArgumentType.STRING, _RELATIONAL),
    Tag(":value", "match", ArgumentType.STRING, _RELATIONAL),
    Tag(":comparator", value=ArgumentType.STRING),
)

Found = Callable[[str], bool]
Matcher = Callable[[Run, Sequence[str]], bool]

_UPPER = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}
_PIECE = re.compile(r"\\(.)|([*?])|([^\\*?]+|\\)", re.DOTALL)
_DIGITS = re.compile(r"0*([0-9]*)")


def ascii_casemap(text: str) -> str:
    """Fold A to Z and nothing else (RFC 4790 §9.2): no other letter may become an ASCII one."""
    return text.lower() if text.isascii() else text.translate(_UPPER)


def octet(text: str) -> str:
    """Fold nothing (RFC 4790 §9.3)."""
    return text


def ascii_numeric(text: str) -> tuple[int, str]:
    """Order by the leading number, whatever its length; without one it is infinite (RFC 4790 §9.1)."""
    if not "0" <= text[:1] <= "9":
        return sys.maxsize, ""
    found = _DIGITS.match(text)
    digits = found[1] if found is not None else ""
    return len(digits), digits


@dataclass(frozen=True, slots=True)
class Comparator:
    """How values are made comparable; what `fold` returns is equal or in order as the values are."""

    fold: Callable[[str], Any]
    has_substrings: bool = True
    capability: str = ""


COMPARATORS: Mapping[str, Comparator] = {
    "i;ascii-casemap": Comparator(ascii_casemap),
    "i;octet": Comparator(octet),
    "i;ascii-numeric": Comparator(ascii_numeric, False, "comparator-i;ascii-numeric"),
}
_RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def is_count(bound: Bound) -> bool:
    """Tell whether a test asks how many values there are; it wants all of them in one list then."""
    return bound.chosen.get("match") == ":count"


def matcher(bound: Bound, keys: Sequence[str]) -> Matcher:
    """Make the question that a test's match type, comparator and keys ask of a list of values."""
    comparator = _comparator(bound)
    match_type = bound.chosen.get("match", ":is")
    folded = [comparator.fold(key) for key in keys]
    if match_type in _SUBSTRINGS and not comparator.has_substrings:
        bound.fail(bound.at, f"this comparator cannot be used with {match_type}")
        return lambda run, values: False
    if match_type in _WITH_RELATION:
        is_related = _related(bound, match_type, folded)
        return _counted(is_related, comparator) if is_count(bound) else _any(is_related, comparator, len(keys))
    return _any(_MATCH_TYPES[match_type](folded), comparator, len(keys))


def _comparator(bound: Bound) -> Comparator:
    given = bound.tag_strings(":comparator")
    if given is None:
        return COMPARATORS["i;ascii-casemap"]
    name = given.items[0].value
    comparator = COMPARATORS.get(name)
    if comparator is None:
        bound.fail(given.at, f'unknown comparator "{name}"')
        return COMPARATORS["i;octet"]
    if comparator.capability and comparator.capability not in bound.required:
        bound.fail(given.at, f'comparator "{name}" needs require "{comparator.capability}"')
    return comparator


def _any(is_found: Found, comparator: Comparator, cost: int) -> Matcher:
    fold = comparator.fold

    def ask(run: Run, values: Sequence[str]) -> bool:
        run.spend(cost * len(values))
        for value in values:  # noqa: SIM110 - any() with a generator costs as much as the comparison
            if is_found(fold(value)):
                return True
        return False

    return ask


def _counted(is_related: Found, comparator: Comparator) -> Matcher:
    fold = comparator.fold
    return lambda run, values: is_related(fold(str(len(values))))


def _related(bound: Bound, match_type: str, keys: Sequence[Any]) -> Found:
    given = bound.tag_strings(match_type)
    name = given.items[0].value if given is not None else ""
    relation = _RELATIONS.get(name.lower())
    if relation is None:
        bound.fail(given.at if given is not None else bound.at, f'"{name}" is none of {", ".join(_RELATIONS)}')
        return lambda value: False
    return lambda value: any(relation(value, key) for key in keys)


def _is(keys: Sequence[Any]) -> Found:
    return frozenset(keys).__contains__


def _contains(keys: Sequence[str]) -> Found:
    return lambda value: any(key in value for key in keys)


def _matches(keys: Sequence[str]) -> Found:
    patterns = [wildcard(key) for key in keys]
    return lambda value: any(is_match(value) for is_match in patterns)


_MATCH_TYPES: Mapping[str, Callable[[Sequence[Any]], Found]] = {
    ":is": _is,
    ":contains": _contains,
    ":matches": _matches,
}
_SUBSTRINGS = (":contains", ":matches")
_WITH_RELATION = (":count", ":value")


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
