"""What a policy measures while it is played: nobody counts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mtad.telemetry.metrics import Family, Metric, Sample, exposed


@dataclass(slots=True)
class Measured:
    """Keeps a line for each thing that is measured, as Prometheus would be told if nothing had been before."""

    lines: list[str] = field(default_factory=list)

    def tell(self, metric: Metric, values: Sequence[str], number: int) -> None:
        """Keep it."""
        told = exposed([Family(metric, [Sample(tuple(values), number)])])
        self.lines.append(told.splitlines()[-1])
