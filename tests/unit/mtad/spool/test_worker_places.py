"""The places of a worker, by the numbers that it gave them."""

from __future__ import annotations

from mtad.limits.places import Places
from mtad.limits.questions import Counted
from mtad.spool.worker_places import WorkerPlaces

A = b"a" * 16


def test_they_go_with_the_worker() -> None:
    places = Places()
    one, other = WorkerPlaces(places), WorkerPlaces(places)
    assert one.take(1, A, 3) == Counted(False, 1)
    assert one.take(2, A, 3) == Counted(False, 2)
    assert other.take(1, A, 3) == Counted(False, 3)
    assert other.take(2, A, 3) == Counted(True, 3)
    one.leave_all()
    assert other.take(3, A, 3) == Counted(False, 2)
    other.leave_all()
    assert len(places) == 0


def test_what_was_not_given_is_not_given_back() -> None:
    places = Places()
    worker = WorkerPlaces(places)
    worker.take(1, A, 1)
    worker.take(2, A, 1)
    worker.leave(2)
    worker.leave(7)
    assert len(places) == 1
    worker.leave(1)
    worker.leave(1)
    assert len(places) == 0


def test_what_a_new_stream_tells_counts_beyond_the_limit() -> None:
    places = Places()
    worker = WorkerPlaces(places)
    for number in range(3):
        worker.hold(number, A)
    assert worker.take(4, A, 2) == Counted(True, 3)
    worker.leave_all()
    assert len(places) == 0
