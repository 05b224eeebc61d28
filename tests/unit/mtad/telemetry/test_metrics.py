"""What Prometheus reads: the exposition format, whatever stands in a label."""

from __future__ import annotations

import pytest

from mtad.telemetry.metrics import Family, Kind, Metric, Sample, exposed


def test_families_are_written_one_line_a_series() -> None:
    seconds = Family(Metric("age_seconds", Kind.GAUGE), [Sample((), 1.5)], "How old\\it is.\nYes.")
    results = Metric("results_total", Kind.COUNTER, ("result", "stage"))
    counted = Family(results, [Sample(("a", "b"), 3), Sample(("c", "d"), 1e300)])
    assert exposed([seconds, counted]).splitlines() == [
        r"# HELP age_seconds How old\\it is.\nYes.",
        "# TYPE age_seconds gauge",
        "age_seconds 1.5",
        "# TYPE results_total counter",
        'results_total{result="a",stage="b"} 3',
        f'results_total{{result="c",stage="d"}} {int(1e300)}',
    ]


def test_no_value_of_a_label_ends_it() -> None:
    family = Family(Metric("n", Kind.GAUGE, ("l",)), [Sample(('a"} 1\nforged 2\\',), 0)])
    assert exposed([family]).splitlines()[1:] == [r'n{l="a\"} 1\nforged 2\\"} 0']


def test_labels_without_values_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        exposed([Family(Metric("n", Kind.GAUGE, ("l",)), [Sample((), 0)])])
