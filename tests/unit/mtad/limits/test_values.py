"""What policies have noted: for how long it counts, which of two counts, how much is held."""

from __future__ import annotations

import pytest

from mtad.limits.questions import Stored, Storing
from mtad.limits.values import Value, Values

NOW_MS = 1_700_000_000_000
A, B, C = (bytes([number]) * 16 for number in range(3))


def value(since_ms: int, seconds: int, text: str) -> Value:
    return Value(since_ms, NOW_MS + seconds * 1000, text, NOW_MS + seconds * 1000)


def values(values_max: int = 9) -> tuple[Values, list[bytes]]:
    dropped: list[bytes] = []
    return Values(values_max, dropped.append), dropped


def test_a_value_counts_for_so_long() -> None:
    found, _ = values()
    assert found.store(Storing(A), NOW_MS) == (Stored(None), False)
    assert found.store(Storing(A, "", 60), NOW_MS) == (Stored(""), True)
    assert found.store(Storing(A), NOW_MS + 59_999) == (Stored(""), False)
    assert found.store(Storing(A), NOW_MS + 60_000) == (Stored(None), False)
    assert list(found.expired(NOW_MS + 59_999)) == []
    assert list(found.expired(NOW_MS + 60_000)) == [A]


def test_the_later_one_counts() -> None:
    found, _ = values()
    found.store(Storing(A, "first", 60), NOW_MS)
    found.store(Storing(A, "second", 30), NOW_MS + 1)
    assert found.store(Storing(A), NOW_MS + 2) == (Stored("second"), False)
    found.learn(A, value(NOW_MS, 90, "older"))
    assert found.store(Storing(A), NOW_MS + 2)[0] == Stored("second")
    found.learn(A, value(NOW_MS + 2, 90, "newer"))
    assert found.store(Storing(A), NOW_MS + 2)[0] == Stored("newer")


def test_what_is_set_counts_whatever_the_clock_of_the_other_node_says() -> None:
    found, _ = values()
    found.learn(A, value(NOW_MS + 5000, 90, "theirs"))
    found.store(Storing(A, "ours", 60), NOW_MS)
    assert found.value(A) == Value(NOW_MS + 5001, NOW_MS + 90_000, "ours", NOW_MS + 60_000)


def test_what_is_set_for_less_than_before_is_held_until_what_was_before_would_be_over() -> None:
    found, _ = values()
    found.store(Storing(A, "first", 60), NOW_MS)
    found.store(Storing(A, "second", 30), NOW_MS)
    assert found.store(Storing(A), NOW_MS + 30_000) == (Stored(None), False)
    assert list(found.expired(NOW_MS + 59_999)) == []
    assert list(found.expired(NOW_MS + 60_000)) == [A]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_nor_is_it_forgotten_sooner_where_the_one_before_is_another_nodes(order: tuple[int, int]) -> None:
    both = [value(NOW_MS, 60, "first"), value(NOW_MS + 1, 30, "second")]
    found, _ = values()
    assert [found.learn(A, both[place]) for place in order] == [False, True], "and it is told"
    assert found.value(A) == Value(NOW_MS + 1, NOW_MS + 60_000, "second", NOW_MS + 30_000)
    assert not found.learn(A, Value(NOW_MS + 1, NOW_MS + 60_000, "second", NOW_MS + 30_000))
    assert not found.learn(A, both[0])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_nodes_that_learn_of_each_other_hold_the_same(order: tuple[int, int]) -> None:
    both = [value(NOW_MS, 1, "b"), value(NOW_MS, 1, "a")]
    found, _ = values()
    for place in order:
        found.learn(A, both[place])
    assert found.value(A) == both[0]


def test_the_one_that_was_set_the_longest_time_ago_goes() -> None:
    found, dropped = values(2)
    for counter in (A, B, A, C):
        found.store(Storing(counter, "x", 60), NOW_MS)
    assert dropped == [B]
    assert found.crowded_out_count == 1
    assert len(found) == 2
    found.forget(A)
    assert dropped == [B, A]
    assert found.value(A) is None


def test_what_is_set_anew_while_others_are_forgotten_stays() -> None:
    found, _ = values()
    for counter in (A, B):
        found.store(Storing(counter, "x", 60), NOW_MS)
    expired = found.expired(NOW_MS + 60_000)
    assert next(expired) == A
    found.store(Storing(B, "y", 60), NOW_MS + 60_000)
    assert list(expired) == []
