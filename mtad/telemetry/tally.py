"""What was counted and measured since a process began, within limits.

A metric has SERIES_MAX series: what comes under other labels counts as OTHER, so that no stranger, whose words may be
labels, makes it larger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mtad.telemetry.events import Events
from mtad.telemetry.metrics import Family, Kind, Metric, Sample

METRICS_MAX = 128  # a policy has half as many; those that it had before it was loaded anew stay
SERIES_MAX = 100  # of a metric, beside the one for all others
LABEL_LENGTH_MAX = 64  # of a value
OTHER = "other"


class Meter(Protocol):
    """Where a room tells what it has counted or measured."""

    def tell(self, metric: Metric, values: Sequence[str], number: int) -> None:
        """Add to a counter, or set a gauge. Never raises."""
        ...


class NobodyMeasures:
    """Forgets everything: where no metrics are asked for."""

    def tell(self, metric: Metric, values: Sequence[str], number: int) -> None:
        """Forget it."""


@dataclass(slots=True)
class _Held:
    """A metric's series by the values of their labels; `changed` are those that were told of since the last drain."""

    metric: Metric
    numbers: dict[tuple[str, ...], int] = field(default_factory=dict)
    changed: set[tuple[str, ...]] = field(default_factory=set)
    is_full: bool = False  # and somebody was told


class Tally:
    """Holds the numbers of one process, or of a node, which is told by its workers what they drain."""

    def __init__(self, events: Events, *, metrics_max: int = METRICS_MAX, series_max: int = SERIES_MAX) -> None:
        self._events = events
        self._metrics_max = metrics_max
        self._series_max = series_max
        self._held: dict[str, _Held] = {}
        self._is_full = False

    def expect(self, metric: Metric) -> None:
        """Have a place for a metric before it is told of, that no other takes."""
        if metric.name not in self._held:
            self._begun(metric)

    def tell(self, metric: Metric, values: Sequence[str], number: int) -> None:
        """Add to a counter, or set a gauge. A metric of another kind, or with other labels, takes the old one's place:
        a policy that was loaded anew means another thing by the name."""
        held = self._held.get(metric.name)
        if held is None or held.metric != metric:
            held = self._begun(metric)
            if held is None:
                return
        key = self._series(held, tuple(map(_label, values)))
        is_sum = metric.kind is Kind.COUNTER
        held.numbers[key] = held.numbers.get(key, 0) + number if is_sum else number
        held.changed.add(key)

    def take(self, family: Family) -> None:
        """Add what a worker has drained."""
        for sample in family.samples:
            self.tell(family.metric, sample.values, int(sample.number))

    def families(self) -> list[Family]:
        """Return all metrics that were told of."""
        return [_family(held, held.numbers) for held in self._held.values() if held.numbers]

    def drain(self) -> list[Family]:
        """Return what has changed since this was last asked: of counters how much more, of gauges what they are.

        The series stay known, so that the same ones have labels of their own for as long as the process runs.
        """
        drained = []
        for held in self._held.values():
            if held.changed:
                drained.append(_family(held, held.changed))
                if held.metric.kind is Kind.COUNTER:
                    held.numbers.update(dict.fromkeys(held.changed, 0))
                held.changed.clear()
        return drained

    def _begun(self, metric: Metric) -> _Held | None:
        if metric.name not in self._held and len(self._held) >= self._metrics_max:
            if not self._is_full:
                self._events.emit("metrics.full", "warning", metric=metric.name, metrics=len(self._held))
            self._is_full = True
            return None
        held = self._held[metric.name] = _Held(metric)
        return held

    def _series(self, held: _Held, values: tuple[str, ...]) -> tuple[str, ...]:
        other = (OTHER,) * len(values)
        kept_count = len(held.numbers) - (other in held.numbers)
        if values in held.numbers or kept_count < self._series_max:
            return values
        if not held.is_full:
            held.is_full = True
            self._events.emit("metrics.other", "warning", metric=held.metric.name, series=kept_count)
        return other


def _family(held: _Held, keys: Iterable[tuple[str, ...]]) -> Family:
    return Family(held.metric, [Sample(key, held.numbers[key]) for key in keys])


def _label(value: str) -> str:
    """Return a label's value as it is kept: short, and in characters that UTF-8 has."""
    return value[:LABEL_LENGTH_MAX].encode("utf-8", "replace").decode("utf-8")
