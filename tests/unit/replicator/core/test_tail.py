"""Our newest records in memory."""

from replicator.core.tail import Tail, octets_of
from replicator.core.values import SECOND
from tests.fakes.pair import put


def filled(octets_max: int = 1 << 20, groups: int = 4) -> Tail:
    """A tail of groups of two records."""
    tail = Tail(octets_max)
    for number in range(groups):
        records = (put(f"{number}a"), put(f"{number}b"))
        tail.add(2 * number + 1, records, octets_of(records))
    return tail


def keys(tail: Tail, first_seq: int, octets_max: int = 1 << 20) -> list[str]:
    return [record.key.decode() for record in tail.batch(first_seq, octets_max)[0]]


def test_a_batch_begins_anywhere() -> None:
    assert keys(filled(), 1) == ["0a", "0b", "1a", "1b", "2a", "2b", "3a", "3b"]
    assert keys(filled(), 6) == ["2b", "3a", "3b"]
    assert keys(filled(), 9) == []


def test_a_batch_ends_where_it_is_told_but_takes_one_group_at_least() -> None:
    one = octets_of((put("0a"), put("0b")))
    assert keys(filled(), 1, octets_max=1) == ["0a", "0b"]
    assert keys(filled(), 1, octets_max=2 * one) == ["0a", "0b", "1a", "1b"]


def test_what_was_released_or_is_too_much_is_not_in_memory() -> None:
    tail = filled()
    tail.release(3)
    assert keys(tail, 1) == []
    assert keys(tail, 3) == ["1a", "1b", "2a", "2b", "3a", "3b"]
    small = filled(octets_max=2 * octets_of((put("0a"), put("0b"))))
    assert small.first_seq == 5
    assert keys(small, 4) == []
    assert keys(small, 5) == ["2a", "2b", "3a", "3b"]
    assert small.octets <= 2 * octets_of((put("0a"), put("0b")))


def test_releasing_everything_leaves_nothing() -> None:
    tail = filled()
    tail.release(8)
    assert (tail.octets, tail.first_seq) == (0, 9)


def test_lag_is_the_age_of_the_oldest_that_is_lacking() -> None:
    tail = Tail(0)
    tail.mark(1 * SECOND, 5)
    tail.mark(2 * SECOND, 5)
    tail.mark(3 * SECOND, 9)
    assert tail.lag_seconds(4 * SECOND) == 3.0
    tail.release(5)
    assert tail.lag_seconds(4 * SECOND) == 1.0
    tail.release(9)
    tail.mark(5 * SECOND, 9)
    assert tail.lag_seconds(9 * SECOND) == 0.0


def test_marks_are_bounded_and_the_oldest_stays() -> None:
    tail = Tail(0)
    for number in range(1, 10_001):
        tail.mark(number * SECOND, number)
    assert tail.lag_seconds(10_000 * SECOND) == 9_999.0
    assert len(tail._marks) < 10_000
    tail.release(10_000)
    assert tail.lag_seconds(10_001 * SECOND) == 0.0
