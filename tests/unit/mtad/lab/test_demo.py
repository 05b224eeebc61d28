"""The demonstration's count: what the clients were told against what the sinks have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.lab.demo import Summary, summarise
from mtad.lab.load import Abandoned, Accepted, LoadResult
from mtad.lab.sink import Delivery

KILLED = 10_000
THROUGH = "250 2.0.0 Ok: delivered (sink.example.test: 250 2.0.0 Ok)"
QUEUED = "250 2.0.0 Ok: queued as 01JD4Z8Q6K (2 copies)"


def told(lab_id: str, reply: str, at_ms: int) -> Accepted:
    return Accepted(lab_id, "a@example.test", ("127.0.0.1", 25), reply, at_ms, 0.1, 1)


def at_sink(lab_id: str, at_ms: int) -> Delivery:
    return Delivery(at_ms, lab_id, "a@example.test")


TOLD = [told("1", THROUGH, 5_000), told("2", QUEUED, 9_000), told("3", QUEUED, 12_000), told("4", THROUGH, 13_000)]
THERE = [at_sink("1", 4_999), at_sink("4", 12_999), at_sink("2", 13_500), at_sink("3", 12_500)]


def test_a_run_in_which_everything_arrives() -> None:
    summary = summarise(LoadResult(accepted=TOLD), THERE, KILLED)
    assert summary == Summary(
        accepted=4,
        through=2,
        queued=2,
        taken_over=1,
        duplicates=0,
        resent=0,
        lost=0,
        abandoned=0,
        redelivery_seconds=3.5,
    )
    assert summary.is_good
    assert ("lost", "0") in summary.lines()


def test_a_message_that_did_not_arrive_is_lost() -> None:
    summary = summarise(LoadResult(accepted=TOLD), THERE[1:], KILLED)
    assert (summary.lost, summary.is_good) == (1, False)


def test_a_message_at_the_wrong_recipient_is_lost() -> None:
    elsewhere = [replace(THERE[0], recipient="b@example.test"), *THERE[1:]]
    assert summarise(LoadResult(accepted=TOLD), elsewhere, KILLED).lost == 1


def test_what_arrives_twice_is_counted_and_no_loss() -> None:
    result = LoadResult(accepted=TOLD, lost_replies_count=1)
    summary = summarise(result, [*THERE, at_sink("2", 14_000)], KILLED)
    assert (summary.duplicates, summary.resent, summary.lost, summary.is_good) == (1, 1, 0, True)


@pytest.mark.parametrize(
    ("result", "there"),
    [
        (LoadResult(accepted=TOLD, abandoned=[Abandoned("5", "451 4.3.0")]), THERE),
        (LoadResult(accepted=[TOLD[0]]), [THERE[0]]),  # nothing was queued: the demonstration showed nothing
    ],
)
def test_a_run_that_shows_too_little_is_not_good(result: LoadResult, there: list[Delivery]) -> None:
    assert not summarise(result, there, KILLED).is_good
