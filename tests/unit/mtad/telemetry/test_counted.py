"""Events are counted by a closed list: each series is there from the start, and no other comes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtad.admission.policy import STAGES
from mtad.mail.outcome import Result
from mtad.telemetry.counted import COUNTS, CountedEvents, with_zeros
from mtad.telemetry.events import CollectedEvents
from mtad.telemetry.metrics import Kind, Metric
from mtad.telemetry.tally import METRICS_MAX, Tally

EVENTS_PAGE = Path(__file__).parents[4] / "docs" / "reference" / "events.md"
COUNT_BY_NAME = {count.name: count for count in COUNTS}


def series(tally: Tally) -> dict[tuple[str, tuple[str, ...]], float]:
    families = with_zeros(tally.families())
    return {(family.metric.name, sample.values): sample.number for family in families for sample in family.samples}


def test_events_are_written_as_they_were_and_counted() -> None:
    events = CollectedEvents()
    tally = Tally(events)
    counted = CountedEvents(events, tally)
    before = series(tally)
    counted.emit("mail.accepted", queue_id="x")
    counted.emit("mail.refused", "warning")
    counted.emit("delivery.outcome", result="delayed")
    counted.emit("policy.refused", stage="rcpt")
    counted.emit("policy.fault", stage="deliver")
    counted.emit("replica.role", role="active")
    counted.emit("map.read")
    assert events.named("mail.accepted") == [{"queue_id": "x"}]
    assert len(events.events) == 7
    assert {key: number for key, number in series(tally).items() if number} == {
        ("mtad_messages_total", ("accepted",)): 1,
        ("mtad_messages_total", ("refused",)): 1,
        ("mtad_delivery_outcomes_total", ("delayed",)): 1,
        ("mtad_policy_refusals_total", ("rcpt",)): 1,
        ("mtad_policy_faults_total", ("deliver",)): 1,
        ("mtad_role_changes_total", ()): 1,
    }
    assert set(series(tally)) == set(before)


def test_what_policies_measure_takes_no_place_of_an_event() -> None:
    tally = Tally(CollectedEvents())
    counted = CountedEvents(CollectedEvents(), tally)
    for number in range(METRICS_MAX):
        tally.tell(Metric(f"m{number}", Kind.GAUGE), (), 1)
    counted.emit("spool.fault", "error")
    assert series(tally)["mtad_faults_total", ("spool.fault",)] == 1
    assert len(tally.families()) == METRICS_MAX - len(COUNTS) + 1


@pytest.mark.parametrize("said", ["anything", "", 5, None])
def test_what_is_not_on_the_list_is_other(said: str | int | None) -> None:
    tally = Tally(CollectedEvents())
    CountedEvents(CollectedEvents(), tally).emit("delivery.outcome", result=said)
    assert series(tally)["mtad_delivery_outcomes_total", ("other",)] == 1


def test_the_list_has_what_those_fields_may_say() -> None:
    assert COUNT_BY_NAME["mtad_delivery_outcomes_total"].values == tuple(Result)
    assert COUNT_BY_NAME["mtad_policy_faults_total"].values == STAGES


def test_every_event_of_the_list_is_one_that_is_written() -> None:
    written = set(re.findall(r"^\| `([a-z_.]+)` \|", EVENTS_PAGE.read_text(), re.MULTILINE))
    assert [event for count in COUNTS for event in count.events if event not in written] == []
