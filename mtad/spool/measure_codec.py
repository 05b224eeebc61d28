"""Metrics on their way from a session worker to the spool process."""

from __future__ import annotations

from mtad.pb import queue_pb2
from mtad.telemetry.metrics import Family, Kind, Metric, Sample

_NUMBER_MAX = (1 << 64) - 1


def measured_message(family: Family) -> queue_pb2.FromWorker:
    """Return what tells of a metric."""
    metric = family.metric
    return queue_pb2.FromWorker(
        measured=queue_pb2.Measured(
            name=metric.name,
            is_gauge=metric.kind is Kind.GAUGE,
            labels=metric.labels,
            samples=[
                queue_pb2.Sample(values=one.values, number=min(int(one.number), _NUMBER_MAX)) for one in family.samples
            ],
        )
    )


def read_measured(measured: queue_pb2.Measured) -> Family:
    """Return the metric that is told of."""
    kind = Kind.GAUGE if measured.is_gauge else Kind.COUNTER
    metric = Metric(measured.name, kind, tuple(measured.labels))
    return Family(metric, [Sample(tuple(one.values), one.number) for one in measured.samples])
