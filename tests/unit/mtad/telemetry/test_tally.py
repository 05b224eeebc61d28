"""What is counted stays within its limits, and goes from a worker to its node without being counted twice."""

from __future__ import annotations

from mtad.telemetry.events import CollectedEvents
from mtad.telemetry.metrics import Kind, Metric
from mtad.telemetry.tally import LABEL_LENGTH_MAX, METRICS_MAX, SERIES_MAX, NobodyMeasures, Tally

SEEN = Metric("seen_total", Kind.COUNTER, ("who",))
LEVEL = Metric("level", Kind.GAUGE)


def numbers(tally: Tally, name: str) -> dict[tuple[str, ...], float]:
    (family,) = [each for each in tally.families() if each.metric.name == name]
    return dict(family.samples)


def test_counters_are_added_to_and_gauges_set() -> None:
    tally = Tally(CollectedEvents())
    for number in (2, 3):
        tally.tell(SEEN, ("a",), number)
        tally.tell(LEVEL, (), number)
    tally.tell(SEEN, ("b",), 1)
    assert numbers(tally, "seen_total") == {("a",): 5, ("b",): 1}
    assert numbers(tally, "level") == {(): 3}


def test_further_labels_count_as_other_and_it_is_said_once() -> None:
    events = CollectedEvents()
    tally = Tally(events, series_max=2)
    for who in ("a", "b", "c", "d", "a"):
        tally.tell(SEEN, (who,), 1)
    assert numbers(tally, "seen_total") == {("a",): 2, ("b",): 1, ("other",): 2}
    assert events.events == [("metrics.other", {"metric": "seen_total", "series": 2})]


def test_what_a_worker_counts_as_other_takes_no_place_of_a_series() -> None:
    tally = Tally(CollectedEvents(), series_max=2)
    for who in ("other", "a", "b", "c"):
        tally.tell(SEEN, (who,), 1)
    assert numbers(tally, "seen_total") == {("other",): 2, ("a",): 1, ("b",): 1}


def test_there_are_only_so_many_metrics_and_it_is_said_once() -> None:
    events = CollectedEvents()
    tally = Tally(events, metrics_max=1)
    for metric in (LEVEL, SEEN, Metric("more", Kind.GAUGE), LEVEL):
        tally.tell(metric, ("a",) * len(metric.labels), 7)
    assert [family.metric for family in tally.families()] == [LEVEL]
    assert events.events == [("metrics.full", {"metric": "seen_total", "metrics": 1})]


def test_its_own_limits_hold() -> None:
    tally = Tally(CollectedEvents())
    for number in range(2 * SERIES_MAX):
        tally.tell(SEEN, (f"{number}{'x' * 1000}",), 1)
    for number in range(2 * METRICS_MAX):
        tally.tell(Metric(f"m{number}", Kind.GAUGE), (), 1)
    values = [values[0] for values in numbers(tally, "seen_total")]
    assert (len(values), max(map(len, values))) == (SERIES_MAX + 1, LABEL_LENGTH_MAX)
    assert len(tally.families()) == METRICS_MAX


def test_what_is_no_character_does_not_get_into_a_label() -> None:
    tally = Tally(CollectedEvents())
    tally.tell(SEEN, ("a\udcff",), 1)
    assert list(numbers(tally, "seen_total")) == [("a?",)]


def test_a_name_that_means_another_thing_begins_anew() -> None:
    tally = Tally(CollectedEvents())
    tally.tell(SEEN, ("a",), 5)
    tally.tell(Metric("seen_total", Kind.GAUGE, ("who",)), ("a",), 1)
    assert numbers(tally, "seen_total") == {("a",): 1}
    tally.tell(Metric("seen_total", Kind.COUNTER), (), 1)
    assert numbers(tally, "seen_total") == {(): 1}


def test_a_worker_tells_what_has_changed_and_the_node_adds_it_up() -> None:
    worker, node = Tally(CollectedEvents(), series_max=2), Tally(CollectedEvents())
    for sums in ({("a",): 1, ("b",): 1, ("other",): 1}, {("a",): 2, ("b",): 2, ("other",): 2}):
        for who in ("a", "b", "c"):
            worker.tell(SEEN, (who,), 1)
        worker.tell(LEVEL, (), 9)
        for family in worker.drain():
            node.take(family)
        assert worker.drain() == []
        assert numbers(node, "seen_total") == sums
        assert numbers(node, "level") == {(): 9}


def test_nobody_measures() -> None:
    NobodyMeasures().tell(LEVEL, (), 1)
