from __future__ import annotations

import pytest

from mtad.spool.measure_codec import measured_message, read_measured
from mtad.telemetry.metrics import Family, Kind, Metric, Sample


@pytest.mark.parametrize("kind", list(Kind))
def test_a_metric_arrives_as_it_was(kind: Kind) -> None:
    family = Family(Metric("n", kind, ("a", "b")), [Sample(("1", "ü"), 0), Sample(("", "x"), (1 << 64) - 1)])
    assert read_measured(measured_message(family).measured) == family


def test_what_has_no_room_in_a_message_is_cut() -> None:
    family = Family(Metric("n", Kind.COUNTER), [Sample((), 1 << 70)])
    assert read_measured(measured_message(family).measured).samples == [Sample((), (1 << 64) - 1)]
