"""What scanners found: `spamtest` and `virustest` (RFC 5235)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtad.sieve.code import Code
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, compare, is_count
from mtad.sieve.run import Run, ScriptFailed

_PERCENT = Tag(":percent", capability="spamtestplus")
_UNTESTED = "0"


def _spamtest(bound: Bound) -> Code:
    if bound.has(_PERCENT.name):
        # not tested is no number at all: as text it would be above every number (RFC 4790 §9.1)
        return compare(bound, bound.templates(0), [lambda run: [str(found) for found in _spam(run)]])
    return compare(bound, bound.templates(0), [_scored(bound, _spam, lambda percent: 1 + percent * 9 // 100)])


def _virustest(bound: Bound) -> Code:
    return compare(bound, bound.templates(0), [_scored(bound, _virus, lambda found: found)])


def _scored(
    bound: Bound, read: Callable[[Run], Sequence[int]], score: Callable[[int], int]
) -> Callable[[Run], Sequence[str]]:
    """Give the score; where nothing was tested that is "0", of which none is counted (§2.2, §2.5)."""
    untested = [] if is_count(bound) else [_UNTESTED]
    return lambda run: [str(score(found)) for found in read(run)] or untested


def _spam(run: Run) -> Sequence[int]:
    return _found(run.doors.spam)


def _virus(run: Run) -> Sequence[int]:
    return _found(run.doors.virus)


def _found(door: Callable[[], int | None] | None) -> Sequence[int]:
    if door is None:
        raise ScriptFailed("no scanner is known here")
    found = door()
    return () if found is None else (found,)


SPAMTEST = (
    Spec(
        "spamtest",
        Kind.TEST,
        _spamtest,
        capabilities=("spamtest", "spamtestplus"),
        tags=(*MATCH_TAGS, _PERCENT),
        positional=(ArgumentType.TEXT,),
        stages=(OUTSIDE,),
    ),
    Spec(
        "virustest",
        Kind.TEST,
        _virustest,
        capabilities=("virustest",),
        tags=MATCH_TAGS,
        positional=(ArgumentType.TEXT,),
        stages=(OUTSIDE,),
    ),
)
