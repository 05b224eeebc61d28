"""Match types: how values are held against keys (RFC 5228 §2.7, RFC 5229 §3.2, RFC 5231)."""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from mtad.sieve.code import Code, Plain
from mtad.sieve.comparators import COMPARATORS, DEFAULT, Comparator
from mtad.sieve.language import CAPTURES_MAX, ArgumentType, Bound, Tag
from mtad.sieve.run import Run
from mtad.sieve.template import Template
from mtad.sieve.wildcard import Span, Wildcard

_RELATIONAL = "relational"
MATCH_TAGS = (
    Tag(":is", "match"),
    Tag(":contains", "match"),
    Tag(":matches", "match"),
    Tag(":count", "match", ArgumentType.STRING, _RELATIONAL),
    Tag(":value", "match", ArgumentType.STRING, _RELATIONAL),
    Tag(":comparator", value=ArgumentType.STRING),
)

Source = Callable[[Run], Sequence[str]]  # gives values when it is asked
Found = Callable[[str], bool]  # of a folded value
Spans = Callable[[str], Sequence[Span] | None]  # of a folded value: what the wildcards stand for
T = TypeVar("T")
Question = Callable[[Run], T]

_RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


def compare(bound: Bound, keys: Sequence[Template], sources: Sequence[Source], *, is_remembered: bool = True) -> Code:
    """Make a test: whether its match type finds one of the keys in one of the values.

    The sources are asked in turn until one has it; a count is of the values of all of them (RFC 5231 §5).
    is_remembered   the script may ask what wildcards stood for
    """
    comparator = _comparator(bound)
    match_type = bound.chosen.get("match", ":is")
    fold, cost = comparator.fold, len(keys)
    if match_type in _SUBSTRINGS and not comparator.has_substrings:
        return bound.fail(bound.at, f"this comparator cannot be used with {match_type}")
    if match_type in _WITH_RELATION:
        relation = _relation(bound, match_type)
        question = _question(keys, fold, lambda folded: _related(relation, folded))
        return _counted(question, fold, sources) if is_count(bound) else _asked(question, fold, sources, cost)
    if match_type == ":matches" and is_remembered and bound.unit.has_captures:
        return _captured(_question(keys, fold, _spans), fold, sources, cost)
    return _asked(_question(keys, fold, _MATCH_TYPES[match_type]), fold, sources, cost)


def finder(bound: Bound, keys: Sequence[Template]) -> Question[Found]:
    """Make what tells of a single value, as it is, whether the match type of a command finds a key in it."""
    comparator = _comparator(bound)
    fold = comparator.fold
    match_type = bound.chosen.get("match", ":is")
    if match_type in _SUBSTRINGS and not comparator.has_substrings:
        bound.fail(bound.at, f"this comparator cannot be used with {match_type}")
    relation = _relation(bound, match_type) if match_type in _WITH_RELATION else None
    build = _MATCH_TYPES[match_type] if relation is None else lambda folded: _related(relation, folded)
    question = _question(keys, fold, build)

    def ask(run: Run) -> Found:
        is_found = question(run)
        return lambda value: is_found(fold(value))

    return ask


def is_count(bound: Bound) -> bool:
    """Tell whether a test asks how many values there are."""
    return bound.chosen.get("match") == ":count"


def _comparator(bound: Bound) -> Comparator:
    given = bound.tag_strings(":comparator")
    if given is None:
        return DEFAULT
    name = given.items[0].value
    comparator = COMPARATORS.get(name)
    if comparator is None:
        bound.fail(given.at, f'unknown comparator "{name}"')
        return DEFAULT
    if comparator.capability and comparator.capability not in bound.unit.required:
        bound.fail(given.at, f'comparator "{name}" needs require "{comparator.capability}"')
    return comparator


def _relation(bound: Bound, match_type: str) -> Callable[[Any, Any], bool]:
    given = bound.tag_strings(match_type)
    name = given.items[0].value if given is not None else ""
    relation = _RELATIONS.get(name.lower())
    if relation is None:
        bound.fail(given.at if given is not None else bound.at, f'"{name}" is none of {", ".join(_RELATIONS)}')
        return operator.eq
    return relation


def _question(keys: Sequence[Template], fold: Callable[[str], Any], build: Callable[[list[Any]], T]) -> Question[T]:
    """Make what is asked of each value: once if the keys are constant, else anew for each run."""
    constants = [key.constant for key in keys if key.constant is not None]
    if len(constants) == len(keys):
        asked = build([fold(key) for key in constants])
        return lambda run: asked
    return lambda run: build([fold(key.read(run)) for key in keys])


def _asked(question: Question[Found], fold: Callable[[str], Any], sources: Sequence[Source], cost: int) -> Code:
    def ask(run: Run) -> bool:
        is_found = question(run)
        for source in sources:
            values = source(run)
            run.spend(cost * len(values))
            for value in values:
                if is_found(fold(value)):
                    return True
        return False

    return Plain(ask)


def _counted(question: Question[Found], fold: Callable[[str], Any], sources: Sequence[Source]) -> Code:
    return Plain(lambda run: question(run)(fold(str(sum(len(source(run)) for source in sources)))))


def _captured(question: Question[Spans], fold: Callable[[str], str], sources: Sequence[Source], cost: int) -> Code:
    """Ask as `_asked` does, and remember what the wildcards of the first match stand for."""

    def ask(run: Run) -> bool:
        spans_in = question(run)
        for source in sources:
            values = source(run)
            run.spend(cost * len(values))
            for value in values:
                spans = spans_in(fold(value))
                if spans is not None:
                    run.captures = _pieces(value, spans, fold, run.limits.value_length_max)
                    return True
        return False

    return Plain(ask)


def _pieces(value: str, spans: Sequence[Span], fold: Callable[[str], str], length_max: int) -> list[str]:
    """Cut the spans of the folded value out of the value itself."""
    if len(fold(value)) != len(value):
        ends = list(accumulate(len(fold(letter)) for letter in value))
        spans = [(bisect_right(ends, start), bisect_left(ends, end) + (end > start)) for start, end in spans]
    return [value[start:end][:length_max] for start, end in ((0, len(value)), *spans[:CAPTURES_MAX])]


def _related(relation: Callable[[Any, Any], bool], keys: Sequence[Any]) -> Found:
    return lambda value: any(relation(value, key) for key in keys)


def _is(keys: Sequence[Any]) -> Found:
    return frozenset(keys).__contains__


def _contains(keys: Sequence[str]) -> Found:
    return lambda value: any(key in value for key in keys)


def _matches(keys: Sequence[str]) -> Found:
    patterns = [Wildcard(key) for key in keys]
    return lambda value: any(pattern.is_match(value) for pattern in patterns)


def _spans(keys: Sequence[str]) -> Spans:
    patterns = [Wildcard(key) for key in keys]
    return lambda value: next((spans for one in patterns if (spans := one.spans(value)) is not None), None)


_MATCH_TYPES: Mapping[str, Callable[[Sequence[Any]], Found]] = {
    ":is": _is,
    ":contains": _contains,
    ":matches": _matches,
}
_SUBSTRINGS = (":contains", ":matches")
_WITH_RELATION = (":count", ":value")
