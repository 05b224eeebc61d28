"""The checker sees what it is there to see, and the plan draws what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.lab.load import Accepted, Failed
from mtad.lab.sink import Delivery
from tests.chaos.checker import TAKEOVER_MS, Evidence, SetBack, Sighting, Wipe, check, two_owners
from tests.chaos.plan import (
    NEEDS_FORWARDER,
    NEEDS_WITNESS,
    NEEDS_WORKERS,
    NEVER_TOGETHER,
    STOPS_DELIVERY,
    TAKEOVER_LASTS_SECONDS,
    Kind,
    draw,
    era_of,
)
from tests.chaos.report import Bound, bounds
from tests.chaos.rounds import Outcome

ONE, TWO = ("127.0.0.1", 2501), ("127.0.0.1", 2502)
DSN = "you+{id}@lab.test"


def accepted(lab_id: str, reply: str = "250 Ok: queued as 01ABC (2 copies)", recipient: str = "a@x.test") -> Accepted:
    return Accepted(lab_id, recipient, ONE, reply, 1_000, 0.1, 1)


def arrival(lab_id: str, at_ms: int = 2_000, recipient: str = "a@x.test") -> Delivery:
    return Delivery(at_ms, lab_id, recipient)


EVIDENCE = Evidence((accepted("m1"), accepted("m2")), (arrival("m1"), arrival("m2")), frozenset({"no@x.test"}), DSN)


def test_all_that_arrived_is_well() -> None:
    found = check(EVIDENCE)
    assert (found.lost, found.excused, found.waiting, found.false_bounces) == ((), (), (), ())
    assert found.duplicates == {}


def test_what_arrived_nowhere_is_lost() -> None:
    assert check(replace(EVIDENCE, deliveries=(arrival("m2"),))).lost == ("m1",)
    elsewhere = (arrival("m2"), arrival("m1", recipient="b@x.test"))
    assert check(replace(EVIDENCE, deliveries=elsewhere)).lost == ("m1",)


def test_what_is_in_a_queue_waits() -> None:
    found = check(replace(EVIDENCE, deliveries=(arrival("m2"),), in_queue=frozenset({"m1"})))
    assert (found.lost, found.waiting) == ((), ("m1",))


def test_a_dsn_stands_for_what_was_to_bounce_and_for_nothing_else() -> None:
    dsn = arrival("<dsn@x>", recipient="you+m1@lab.test")
    to_bounce = accepted("m1", recipient="no@x.test")
    assert check(replace(EVIDENCE, accepted=(to_bounce,), deliveries=())).lost == ("m1",)
    assert check(replace(EVIDENCE, accepted=(to_bounce,), deliveries=(dsn,))).lost == ()
    wrong = check(replace(EVIDENCE, accepted=(accepted("m1"),), deliveries=(dsn,)))
    assert (wrong.lost, wrong.false_bounces) == (("m1",), ("m1",))


@pytest.mark.parametrize(
    ("reply", "wipe", "is_excused"),
    [
        ("250 Ok: queued as 01ABC (1 copy)", Wipe(ONE[1], 2_000), True),
        ("250 Ok: queued as 01ABC (2 copies)", Wipe(ONE[1], 2_000), False),
        ("250 Ok: delivered (sink: 250)", Wipe(ONE[1], 2_000), False),
        ("250 Ok: queued as 01ABC (1 copy)", Wipe(TWO[1], 2_000), False),
        ("250 Ok: queued as 01ABC (1 copy)", Wipe(ONE[1], -5_000), False),
    ],
)
def test_one_copy_on_a_disk_that_was_wiped_then_is_excused_alone(reply: str, wipe: Wipe, is_excused: bool) -> None:
    found = check(replace(EVIDENCE, accepted=(accepted("m3", reply),), wipes=(wipe,)))
    assert (found.excused, found.lost) == ((("m3",), ()) if is_excused else ((), ("m3",)))


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        (replace(EVIDENCE, closing=((1_900, 2_100),)), "the next hop closed after the dot"),
        (replace(EVIDENCE, failed=(Failed("m1", ONE, "", True, 1),)), "the client heard no reply and sent again"),
        (replace(EVIDENCE, failed=(Failed("m1", ONE, "451", False, 1),)), "sent again after a 4xx"),
        (replace(EVIDENCE, failed=(Failed("m2", ONE, "451", False, 1),)), "unexplained"),
        (replace(EVIDENCE, deaths=(2_500,)), "a node died after the dot"),
        (replace(EVIDENCE, deaths=(1_000,)), "unexplained"),
        (replace(EVIDENCE, stops=(2_500,)), "a node stood still after the dot"),
        (replace(EVIDENCE, stops=(9_000,)), "unexplained"),
        (replace(EVIDENCE, unheard=((1_000, 3_000),)), "nobody heard its owner"),
        (replace(EVIDENCE, unheard=((3_000, 9_000),)), "unexplained"),
        (replace(EVIDENCE, split=((1_000, 9_000),)), "two owners"),
        (replace(EVIDENCE, split=((90_000, 99_000),)), "unexplained"),
        (replace(EVIDENCE, set_back=(SetBack(ONE[1], 500, 1_500),)), "a claim was dated by a clock that was behind"),
        (replace(EVIDENCE, set_back=(SetBack(TWO[1], 500, 1_500),)), "unexplained"),
        (replace(EVIDENCE, set_back=(SetBack(ONE[1], 1_500, 9_000),)), "unexplained"),
        (EVIDENCE, "unexplained"),
    ],
)
def test_what_came_twice_is_counted_by_its_cause(evidence: Evidence, cause: str) -> None:
    found = check(replace(evidence, deliveries=(*evidence.deliveries, arrival("m1", 4_000))))
    assert found.duplicates == {cause: 1}
    assert bool(found.unexplained) == (cause == "unexplained")


@pytest.mark.parametrize(
    ("reply", "later_ms"), [("250 Ok: delivered (sink: 250)", 4_000), ("250 Ok: queued as 01ABC (2 copies)", 70_000)]
)
def test_a_clock_that_was_behind_explains_nothing_where_no_claim_ran(reply: str, later_ms: int) -> None:
    evidence = replace(EVIDENCE, accepted=(accepted("m1", reply),), set_back=(SetBack(ONE[1], 500, 1_500),))
    found = check(replace(evidence, deliveries=(arrival("m1"), arrival("m1", later_ms))))
    assert found.duplicates == {"unexplained": 1}


def test_a_client_that_sent_again_once_explains_one_copy() -> None:
    thrice = (*EVIDENCE.deliveries, arrival("m1", 3_000), arrival("m1", 4_000))
    found = check(replace(EVIDENCE, deliveries=thrice, failed=(Failed("m1", ONE, "", True, 1),)))
    assert found.duplicates == {"the client heard no reply and sent again": 1, "unexplained": 1}


def test_a_round_is_drawn_from_its_seed_and_number_alone() -> None:
    rounds = [draw(7, number, list(Kind)) for number in range(60)]
    assert rounds == [draw(7, number, list(Kind)) for number in range(60)]
    assert rounds != [draw(8, number, list(Kind)) for number in range(60)]
    assert {each.faults[0].kind for each in rounds} == set(Kind), "all faults come"
    assert {len(each.faults) for each in rounds} == {1, 2}
    for each in rounds:
        kinds = {fault.kind for fault in each.faults}
        assert not any(len(kinds & group) > 1 for group in NEVER_TOGETHER)
        assert each.load_seconds < 25


def test_only_the_faults_asked_for_are_drawn() -> None:
    kinds = {fault.kind for n in range(30) for fault in draw(1, n, [Kind.CUT, Kind.PAUSE]).faults}
    assert kinds == {Kind.CUT, Kind.PAUSE}


def test_two_owners_are_seen_from_the_second_to_the_first_that_steps_down() -> None:
    roles = [(0, "a", "active"), (0, "b", "passive"), (5_000, "b", "active"), (6_000, "a", ""), (7_000, "a", "active")]
    seen = [Sighting(at_ms, node, role, 1) for at_ms, node, role in roles]
    assert two_owners(seen[:3]) == [(5_000 - TAKEOVER_MS, 5_000 + TAKEOVER_MS)]
    assert two_owners(seen[:4]) == [(5_000 - TAKEOVER_MS, 6_000)]
    assert len(two_owners(seen)) == 2
    assert two_owners(seen[:2]) == []


def outcome_of(number: int, seconds: list[float]) -> Outcome:
    return Outcome(draw(1, number, list(Kind)), redelivery_seconds=seconds)


def test_modes_are_judged_apart_by_the_median_and_not_by_too_few() -> None:
    pair, witness = (next(n for n in range(99) if era_of(n).authority == mode) for mode in ("pair", "witness"))
    told = bounds([outcome_of(pair, [3.0, 3.1, 3.4, 9.0, 3.2]), outcome_of(witness, [3.0, 3.1, 3.4, 9.0])])
    assert told == {"pair": Bound.HELD, "witness": Bound.UNTOLD}
    told = bounds([outcome_of(pair, [3.6, 3.1, 3.4, 9.0]), outcome_of(pair, [3.6]), outcome_of(witness, [1.0] * 5)])
    assert told == {"pair": Bound.MISSED, "witness": Bound.HELD}


def test_every_other_round_takes_the_active_node_away_and_does_nothing_else() -> None:
    for number in range(0, 60, 2):
        (fault,) = draw(3, number, list(Kind)).faults
        assert (fault.kind in STOPS_DELIVERY, fault.victim) == (True, "active")
        assert fault.lasts_seconds >= TAKEOVER_LASTS_SECONDS[0]
        assert draw(3, number, list(Kind)).moods == ()


def test_no_fault_is_drawn_where_it_cannot_be_done() -> None:
    for number in range(200):
        era, kinds = era_of(number), {fault.kind for fault in draw(5, number, list(Kind)).faults}
        assert era.authority == "witness" or not kinds & NEEDS_WITNESS
        assert not (era.has_namespaces and kinds & NEEDS_FORWARDER)
        assert era.workers or not kinds & NEEDS_WORKERS
