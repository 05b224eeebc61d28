"""What all rounds showed together: for people, and as JSON; and whether takeovers were as fast as they must be."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, get_args

from tests.chaos.plan import Authority
from tests.chaos.rounds import SERIES_SECONDS, Outcome

FAILOVERS_MIN = 5  # fewer have no median worth a judgement
REDELIVERY_SECONDS_MAX: dict[Authority, float] = {"pair": 3.5, "witness": 3.5}  # T_p, or the lease, and half a second


class Bound(StrEnum):
    """Whether the median time to the first redelivery is as short as it must be."""

    HELD = "held"
    MISSED = "missed"
    UNTOLD = "not told: too few failovers"


def bounds(outcomes: Sequence[Outcome]) -> dict[Authority, Bound]:
    """Return how each mode did."""
    return {mode: _bound(mode, _times(outcomes, mode)) for mode in get_args(Authority)}


def _bound(mode: Authority, times: Sequence[float]) -> Bound:
    if len(times) < FAILOVERS_MIN:
        return Bound.UNTOLD
    return Bound.HELD if statistics.median(times) <= REDELIVERY_SECONDS_MAX[mode] else Bound.MISSED


def _times(outcomes: Iterable[Outcome], mode: Authority) -> list[float]:
    return [each for outcome in outcomes if outcome.round.authority == mode for each in outcome.redelivery_seconds]


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures over all rounds."""
    faults = Counter(str(done.fault.kind) for outcome in outcomes for done in outcome.marks.done)
    gaps: dict[str, list[float]] = {}
    for outcome in outcomes:
        for name, seconds in outcome.gap_seconds.items():
            gaps.setdefault(name, []).append(seconds)
    return {
        "rounds": len(outcomes),
        "failed_rounds": [outcome.round.number for outcome in outcomes if outcome.failures],
        "faults": dict(sorted(faults.items())),
        "accepted": sum(outcome.accepted_count for outcome in outcomes),
        "lost": sum(len(outcome.findings.lost) for outcome in outcomes),
        "one_copy_wiped": sum(len(outcome.findings.excused) for outcome in outcomes),
        "without_second_copy": sum(len(outcome.marks.absent) for outcome in outcomes),
        "never_accepted": sum(outcome.abandoned_count for outcome in outcomes),
        "modes": {mode: _mode(outcomes, mode) for mode in get_args(Authority)},
        "converge_seconds": _spread(outcome.converge_seconds for outcome in outcomes),
        "drain_seconds": _spread(outcome.drain_seconds for outcome in outcomes),
        "gap_seconds": {name: _spread(found) for name, found in sorted(gaps.items())},
        "tracebacks": sum(outcome.tracebacks for outcome in outcomes),
    }


def _mode(outcomes: Sequence[Outcome], mode: Authority) -> dict[str, Any]:
    """Return what depends on by whose word the nodes own."""
    ours = [outcome for outcome in outcomes if outcome.round.authority == mode]
    duplicates: Counter[str] = Counter()
    for outcome in ours:
        duplicates.update(outcome.findings.duplicates)
    times = _times(ours, mode)
    return {
        "rounds": len(ours),
        "promotions": sum(outcome.promotions for outcome in ours),
        "duplicates": dict(duplicates.most_common()),
        "redelivery_seconds": _spread(times),
        "redelivery_seconds_max": REDELIVERY_SECONDS_MAX[mode],
        "redelivery_bound": str(_bound(mode, times)),
    }


def _spread(values: Iterable[float]) -> dict[str, float]:
    found = sorted(values)
    if not found:
        return {"count": 0}
    return {"count": len(found), "median": round(statistics.median(found), 2), "max": round(found[-1], 2)}


def document(outcomes: Sequence[Outcome], notes: Sequence[str]) -> dict[str, Any]:
    """Return all of it as JSON."""
    return {
        "summary": summary(outcomes),
        "notes": list(notes),
        "series_seconds": [SERIES_SECONDS.start, SERIES_SECONDS.stop - 1],
        "rounds": [_round(outcome) for outcome in outcomes],
    }


def _round(outcome: Outcome) -> dict[str, Any]:
    found = outcome.findings
    return {
        "seed": outcome.round.seed,
        "round": outcome.round.number,
        "authority": outcome.round.authority,
        "plan": str(outcome.round),
        "failures": outcome.failures,
        "accepted": outcome.accepted_count,
        "never_accepted": outcome.abandoned_count,
        "lost": found.lost,
        "one_copy_wiped": found.excused,
        "duplicates": dict(found.duplicates),
        "unexplained": found.unexplained,
        "promotions": outcome.promotions,
        "redelivery_seconds": outcome.redelivery_seconds,
        "converge_seconds": round(outcome.converge_seconds, 2),
        "drain_seconds": round(outcome.drain_seconds, 2),
        "accepted_a_second": outcome.series,
        "gap_seconds": outcome.gap_seconds,
        "notes": outcome.marks.notes,
        "tracebacks": outcome.tracebacks,
    }


def lines(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the summary for people."""
    told = summary(outcomes)
    rows = [
        ("rounds", f"{told['rounds']}, failed: {told['failed_rounds'] or 'none'}"),
        ("faults", _counted(told["faults"])),
        ("accepted (250)", str(told["accepted"])),
        ("lost", str(told["lost"])),
        ("one copy, on a disk that was wiped", str(told["one_copy_wiped"])),
        ("second copy promised and not found", str(told["without_second_copy"])),
        ("never accepted (clients gave up)", str(told["never_accepted"])),
        ("convergence", _seconds(told["converge_seconds"])),
        ("queues empty after that", _seconds(told["drain_seconds"])),
        ("tracebacks in the logs", str(told["tracebacks"])),
    ]
    for mode, found in told["modes"].items():
        bound = f"median at most {found['redelivery_seconds_max']:g} s: {found['redelivery_bound']}"
        rows += [
            (f"{mode}: rounds, promotions", f"{found['rounds']}, {found['promotions']}"),
            (f"{mode}: failover, fault to first redelivery", f"{_seconds(found['redelivery_seconds'])}; {bound}"),
            (f"{mode}: duplicates", f"{sum(found['duplicates'].values())}: {_counted(found['duplicates'])}"),
        ]
    rows += [(f"longest time without a 250: {name}", _seconds(found)) for name, found in told["gap_seconds"].items()]
    return [f"{name:<44} {value}" for name, value in rows]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _seconds(found: dict[str, float]) -> str:
    if not found["count"]:
        return "none"
    return f"median {found['median']:.1f} s, at most {found['max']:.1f} s ({found['count']:g})"
