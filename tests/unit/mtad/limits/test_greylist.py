"""A greylist: who is new waits, who comes again passes, and a flood drives out nobody who has passed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtad.limits.greylist import RENEWED_PART, Greylist, Known
from mtad.limits.questions import Counted, Greylisting

NOW_MS = 1_700_000_000_000
A = b"a" * 16
ASKED = Greylisting(A, delay_seconds=300, window_seconds=3600, lifetime_seconds=86_400)


def greylist(known_max: int = 10) -> Greylist:
    return Greylist(known_max, lambda _counter: None)


def answers(found: Greylist, *seconds: float) -> list[tuple[bool, int]]:
    told = [found.ask(ASKED, NOW_MS + round(at * 1000))[0] for at in seconds]
    return [(one.is_over, one.count) for one in told]


def test_who_comes_again_in_time_has_passed() -> None:
    assert answers(greylist(), 0, 10, 299.5, 300, 301, 80_000) == [
        (True, 300),
        (True, 290),
        (True, 1),
        (False, 0),
        (False, 0),
        (False, 0),
    ]


def test_who_comes_again_too_late_begins_anew() -> None:
    assert answers(greylist(), 0, 3600, 3800, 3900) == [(True, 300), (True, 300), (True, 100), (False, 0)]
    assert answers(greylist(), 0, 3599) == [(True, 300), (False, 0)]


def test_who_stays_away_for_long_is_forgotten() -> None:
    assert answers(greylist(), 0, 300, 300 + 86_399) == [(True, 300), (False, 0), (False, 0)]
    assert answers(greylist(), 0, 300, 300 + 86_400) == [(True, 300), (False, 0), (True, 300)]
    assert answers(greylist(), 0, 300, 80_000, 160_000) == [(True, 300), *[(False, 0)] * 3], "each time renews it"


def test_only_what_is_new_is_to_be_kept() -> None:
    found = greylist()
    part = 86_400 // RENEWED_PART
    seconds = (0, 10, 300, 301, 300 + part - 1, 300 + part, 301 + part)
    assert [found.ask(ASKED, NOW_MS + at * 1000)[1] for at in seconds] == [True, False, True, False, False, True, False]


def test_a_clock_that_was_ahead_holds_nobody_up() -> None:
    found = greylist()
    found.ask(ASKED, NOW_MS + 86_400_000)
    assert answers(found, 0, 300) == [(True, 300), (False, 0)]


def test_a_flood_drives_out_nobody_who_has_passed() -> None:
    gone: list[bytes] = []
    found = Greylist(10, gone.append)
    found.ask(ASKED, NOW_MS)
    found.ask(ASKED, NOW_MS + 300_000)
    for number in range(1000):
        found.ask(Greylisting(number.to_bytes(16, "big"), 300, 3600, 86_400), NOW_MS + 300_000)
    assert len(found) == 11
    assert len(gone) == found.crowded_out_count == 990
    assert found.ask(ASKED, NOW_MS + 400_000)[0] == Counted(False, 0)


def test_what_is_over_is_found() -> None:
    found = greylist()
    found.ask(ASKED, NOW_MS)
    assert list(found.expired(NOW_MS + 3_599_999)) == []
    for counter in found.expired(NOW_MS + 3_600_000):
        found.forget(counter)
    assert len(found) == 0


KNOWN = st.builds(Known, st.integers(0, 20), st.integers(5, 40), st.booleans())


@given(KNOWN, KNOWN)
def test_what_nodes_know_together_does_not_depend_on_who_is_asked(one: Known, other: Known) -> None:
    assert one.joined(other) == other.joined(one)
    assert one.joined(one) == one
    assert one.joined(other).joined(other) == one.joined(other)


def test_what_another_node_knows_counts() -> None:
    found = greylist()
    found.learn(A, Known(NOW_MS, NOW_MS + 3_600_000))
    assert answers(found, 100) == [(True, 200)]
    found.learn(A, Known(NOW_MS, NOW_MS + 86_400_000, True))
    assert answers(found, 100) == [(False, 0)]
    found.learn(A, Known(NOW_MS + 1, NOW_MS + 3_600_000))
    assert answers(found, 100) == [(False, 0)], "who has passed has passed"
    assert answers(found, 200_000) == [(True, 300)], "until that is forgotten"
    found.learn(A, Known(NOW_MS, NOW_MS + 86_400_000, True))
    assert answers(found, 200_100) == [(True, 200)], "what was over before says nothing"


def test_who_began_anew_at_another_node_does_not_begin_again_here() -> None:
    found = greylist()
    found.ask(ASKED, NOW_MS)
    found.ask(ASKED, NOW_MS + 300_000)
    over_ms = NOW_MS + 300_000 + 86_400_000
    found.learn(A, Known(over_ms, over_ms + 3_600_000))
    assert len(found) == 1
    assert answers(found, (over_ms - NOW_MS) / 1000 + 300) == [(False, 0)], "it has waited there"
