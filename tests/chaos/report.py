"""What all rounds showed together: for people, and as JSON."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.chaos.rounds import SERIES_SECONDS, Outcome


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures over all rounds."""
    faults = Counter(str(done.fault.kind) for outcome in outcomes for done in outcome.marks.done)
    duplicates: Counter[str] = Counter()
    gaps: dict[str, list[float]] = {}
    for outcome in outcomes:
        duplicates.update(outcome.findings.duplicates)
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
        "duplicates": dict(duplicates.most_common()),
        "promotions": sum(outcome.promotions for outcome in outcomes),
        "redelivery_seconds": _spread(each for outcome in outcomes for each in outcome.redelivery_seconds),
        "converge_seconds": _spread(outcome.converge_seconds for outcome in outcomes),
        "drain_seconds": _spread(outcome.drain_seconds for outcome in outcomes),
        "gap_seconds": {name: _spread(found) for name, found in sorted(gaps.items())},
        "tracebacks": sum(outcome.tracebacks for outcome in outcomes),
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
        ("duplicates", f"{sum(told['duplicates'].values())}: {_counted(told['duplicates'])}"),
        ("promotions", str(told["promotions"])),
        ("fault to first redelivery", _seconds(told["redelivery_seconds"])),
        ("convergence", _seconds(told["converge_seconds"])),
        ("queues empty after that", _seconds(told["drain_seconds"])),
        ("tracebacks in the logs", str(told["tracebacks"])),
    ]
    rows += [(f"longest time without a 250: {name}", _seconds(found)) for name, found in told["gap_seconds"].items()]
    return [f"{name:<44} {value}" for name, value in rows]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _seconds(found: dict[str, float]) -> str:
    if not found["count"]:
        return "none"
    return f"median {found['median']:.1f} s, at most {found['max']:.1f} s ({found['count']:g})"
