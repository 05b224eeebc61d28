"""What scanners found: `spamtest` and `virustest` (RFC 5235)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtad.sieve.code import Code
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, compare, is_count
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.scales import level_of, points_in

_PERCENT = Tag(":percent", capability="spamtestplus")
_UNTESTED = "0"

Read = Callable[[Run], Sequence[int]]  # one number, or none where nothing was tested


def _spamtest(bound: Bound) -> Code:
    if bound.has(_PERCENT.name):
        # not tested is no number at all: as text it would be above every number (RFC 4790 §9.1)
        read = _spam(bound)
        return compare(bound, bound.templates(0), [lambda run: [str(found) for found in read(run)]])
    return compare(bound, bound.templates(0), [_scored(bound, _spam(bound), lambda percent: 1 + percent * 9 // 100)])


def _virustest(bound: Bound) -> Code:
    return compare(bound, bound.templates(0), [_scored(bound, _virus(bound), lambda found: found)])


def _scored(bound: Bound, read: Read, score: Callable[[int], int]) -> Callable[[Run], Sequence[str]]:
    """Give the score; where nothing was tested that is "0", of which none is counted (§2.2, §2.5)."""
    untested = [] if is_count(bound) else [_UNTESTED]
    return lambda run: [str(score(found)) for found in read(run)] or untested


def _spam(bound: Bound) -> Read:
    """Make what reads percents: from a door, or in a policy from what was scanned, or else by its scale."""
    if bound.stage == OUTSIDE:
        return lambda run: _at_door(run.doors.spam)
    defined = bound.unit.defined

    def read(run: Run) -> Sequence[int]:
        scale = defined.spam_scale
        if run.scanned.spam_percent is not None or scale is None:
            return _if_any(run.scanned.spam_percent)
        points = points_in(run.message(), scale.field) if scale.field else sum(run.points.values())
        return () if points is None else (scale.percent(points),)

    return read


def _virus(bound: Bound) -> Read:
    """Make what reads levels from the same places."""
    if bound.stage == OUTSIDE:
        return lambda run: _at_door(run.doors.virus)
    defined = bound.unit.defined

    def read(run: Run) -> Sequence[int]:
        if run.scanned.virus is not None:
            return (run.scanned.virus,)
        run.spend(len(defined.virus_scales))
        return _if_any(level_of(run.message(), defined.virus_scales))

    return read


def _at_door(door: Callable[[], int | None] | None) -> Sequence[int]:
    if door is None:
        raise ScriptFailed("no scanner is known here")
    return _if_any(door())


def _if_any(found: int | None) -> Sequence[int]:
    return () if found is None else (found,)


SPAMTEST = (
    Spec(
        "spamtest",
        Kind.TEST,
        _spamtest,
        capabilities=("spamtest", "spamtestplus"),
        tags=(*MATCH_TAGS, _PERCENT),
        positional=(ArgumentType.TEXT,),
        stages=(OUTSIDE, "data"),
    ),
    Spec(
        "virustest",
        Kind.TEST,
        _virustest,
        capabilities=("virustest",),
        tags=MATCH_TAGS,
        positional=(ArgumentType.TEXT,),
        stages=(OUTSIDE, "data"),
    ),
)
