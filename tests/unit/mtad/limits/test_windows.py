"""What was counted of late: never more than the limit in any of its seconds, whoever else counts, in bounded room."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from mtad.limits.questions import Counted, Rate
from mtad.limits.windows import SLOTS, Window, Windows

NOW_MS = 1_700_000_000_000
A, B = b"a" * 16, b"b" * 16


def windows(windows_max: int = 100, node: int = 1) -> Windows:
    return Windows(node, windows_max, lambda _counter: None)


def over(counters: Windows, rate: Rate, now_ms: int) -> bool:
    return counters.ask(rate, now_ms)[0].is_over


def test_so_many_in_so_long() -> None:
    counters, rate = windows(), Rate(A, limit=3, seconds=60)
    answers = [counters.ask(rate, NOW_MS + at) for at in (0, 10_000, 20_000, 30_000)]
    assert answers == [
        (Counted(False, 1), True),
        (Counted(False, 2), True),
        (Counted(False, 3), True),
        (Counted(True, 3), False),
    ]
    assert over(counters, rate, NOW_MS + 59_999)
    assert not over(counters, rate, NOW_MS + 67_500), "the first has left the window, an eighth later at the latest"


def test_what_is_over_is_not_counted() -> None:
    counters, rate = windows(), Rate(A, limit=1, seconds=8)
    assert not over(counters, rate, NOW_MS)
    assert all(over(counters, rate, NOW_MS + at) for at in range(0, 8000, 100))
    assert not over(counters, rate, NOW_MS + 9000)


def test_counters_do_not_know_of_each_other() -> None:
    counters = windows()
    assert not over(counters, Rate(A, 1, 60), NOW_MS)
    assert not over(counters, Rate(B, 1, 60), NOW_MS)
    assert over(counters, Rate(A, 1, 60), NOW_MS)


def test_a_look_counts_nothing_and_may_ask_for_another_limit() -> None:
    counters = windows()
    assert counters.ask(Rate(A, 2, 60, is_peek=True), NOW_MS) == (Counted(False, 0), False)
    assert len(counters) == 0
    for _ in range(2):
        assert not over(counters, Rate(A, 2, 60, is_peek=True), NOW_MS)
        assert not over(counters, Rate(A, 2, 60), NOW_MS)
    assert over(counters, Rate(A, 2, 60, is_peek=True), NOW_MS)
    assert not over(counters, Rate(A, 3, 60, is_peek=True), NOW_MS)


def test_what_costs_more_fills_it_sooner() -> None:
    counters = windows()
    assert not over(counters, Rate(A, 10, 60, cost=8), NOW_MS)
    assert over(counters, Rate(A, 10, 60, cost=3), NOW_MS)
    assert not over(counters, Rate(A, 10, 60, cost=2), NOW_MS)


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 4)), min_size=1, max_size=120),
    st.integers(4, 12),
    st.integers(1, 3),
)
def test_never_more_than_the_limit_in_any_of_its_seconds(
    asked: Sequence[tuple[int, int]], limit: int, seconds: int
) -> None:
    counters, now_ms, taken, refused = windows(), NOW_MS, list[tuple[int, int]](), 0
    for pause_ms, cost in asked:
        now_ms += pause_ms // 8
        if over(counters, Rate(A, limit, seconds, cost), now_ms):
            refused += 1
            longest_ms = seconds * 1000 * (SLOTS + 1) // SLOTS
            recent = sum(cost for at, cost in taken if at > now_ms - longest_ms)
            assert recent + cost > limit, "nobody is refused for what was longer ago than an eighth more"
        else:
            taken.append((now_ms, cost))
    for at, _ in taken:
        assert sum(cost for other, cost in taken if at <= other <= at + seconds * 1000) <= limit
    assert taken or refused


def test_nodes_are_added_up() -> None:
    counters, slot = windows(), NOW_MS // 7500
    counters.learn(2, A, Window(60, {slot: 2}))
    counters.learn(2, A, Window(60, {slot: 2}))  # told again
    counters.learn(2, A, Window(60, {slot: 1}))  # told late
    assert not over(counters, Rate(A, 3, 60), NOW_MS)
    assert over(counters, Rate(A, 3, 60), NOW_MS)
    window = counters.own(A)
    assert window is not None
    assert window.taken == {slot: 1}, "each tells of its own alone"


def test_what_another_node_goes_on_to_tell_takes_no_more_room() -> None:
    counters = windows()
    for slot in range(1000):
        counters.learn(2, A, Window(8, {slot: 1}))
    assert len(counters._windows[2, A].taken) == SLOTS + 1


def test_a_clock_that_was_ahead_holds_nobody_up() -> None:
    counters, rate = windows(), Rate(A, 1, 60)
    assert not over(counters, rate, NOW_MS + 86_400_000)
    assert not over(counters, rate, NOW_MS)
    assert over(counters, rate, NOW_MS)


def test_what_is_too_many_goes_and_what_holds_much_stays() -> None:
    gone: list[bytes] = []
    counters = Windows(1, 10, gone.append)
    for _ in range(5):
        assert not over(counters, Rate(A, 5, 60), NOW_MS)
    for number in range(1000):  # a flood of strangers
        over(counters, Rate(number.to_bytes(16, "big"), 5, 60), NOW_MS)
    assert len(counters) == 10
    assert len(gone) == 991
    assert counters.crowded_out_count == 991
    assert over(counters, Rate(A, 5, 60), NOW_MS), "who is at the limit is not forgotten for the sake of the flood"


def test_what_is_over_is_found() -> None:
    counters = windows()
    over(counters, Rate(A, 5, 8), NOW_MS)
    over(counters, Rate(B, 5, 80), NOW_MS)
    window = counters.own(A)
    assert window is not None
    assert list(counters.expired(window.until_ms - 1)) == []
    for key in counters.expired(window.until_ms):
        counters.forget(key)
    assert counters.own(A) is None
    assert counters.own(B) is not None
