"""Runs contestants in turn, A B A B, and prints medians and ratios: never one absolute figure alone."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Row:
    """One scenario: the rates of each contestant, one a round, in messages a second."""

    scenario: str
    rates: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def median(self, contestant: str) -> float:
        """Return the median rate."""
        return statistics.median(self.rates[contestant])

    def ratio(self, ours: str, other: str) -> float:
        """Return the median of the ratios, round by round: the machine's speed drifts, both drift with it."""
        return statistics.median(a / b for a, b in zip(self.rates[ours], self.rates[other], strict=True))


def in_turn(scenario: str, contestants: Mapping[str, Callable[[], float]], rounds: int) -> Row:
    """Run every contestant once a round; the first round only warms up."""
    row = Row(scenario, {name: [] for name in contestants})
    for number in range(rounds + 1):
        for name, run in contestants.items():
            rate = run()
            if number > 0:
                row.rates[name].append(rate)
            print(f"  {scenario}: {name} {rate:.0f}/s{' (warm-up)' if number == 0 else ''}", flush=True)
    return row


def table(rows: Sequence[Row], ours: str) -> str:
    """Return the rows as Markdown: medians with their range, and the ratios of the first contestant to each other."""
    lines = ["| scenario | contestant | median /s | min-max | ratio |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        for name, rates in row.rates.items():
            against = "" if name == ours else f"{ours} is {row.ratio(ours, name):.2f} x"
            lines.append(
                f"| {row.scenario} | {name} | {row.median(name):.0f} | {min(rates):.0f}-{max(rates):.0f} | {against} |"
            )
    return "\n".join(lines)


def save(rows: Sequence[Row], ours: str, path: Path) -> None:
    """Write the same as JSON, with what is known of the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "rows": [
            {
                "scenario": row.scenario,
                "messages_per_second": row.rates,
                "median": {name: row.median(name) for name in row.rates},
                "ratio": {name: row.ratio(ours, name) for name in row.rates if name != ours},
                "notes": row.notes,
            }
            for row in rows
        ],
    }
    path.write_text(json.dumps(found, indent=2) + "\n")
