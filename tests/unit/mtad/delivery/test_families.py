"""Both families in turn; one that leads nowhere is tried last, for longer and longer."""

from __future__ import annotations

from mtad.delivery.families import DOUBT_SECONDS, DOUBT_SECONDS_MAX, Families

V6 = ("2001:db8::1", "2001:db8::2", "2001:db8::3")
V4 = ("192.0.2.1", "192.0.2.2")
IN_TURN = (V6[0], V4[0], V6[1], V4[1], V6[2])


def test_both_families_in_turn() -> None:
    assert Families().ordered(V4 + V6, 0) == IN_TURN
    assert Families().ordered(V4, 0) == V4
    assert Families().ordered((), 0) == ()


def test_a_family_that_leads_nowhere_comes_last_for_a_while() -> None:
    families = Families()
    families.unreached(V6[0], 0)
    assert families.ordered(V6 + V4, 1) == IN_TURN, "it may have been the host"
    families.unreached("2001:db8:ffff::1", 1)
    assert families.ordered(V6 + V4, 2) == V4 + V6
    assert families.ordered(V6 + V4, 1 + DOUBT_SECONDS) == IN_TURN


def test_it_is_tried_less_and_less_often_until_somebody_answers() -> None:
    families, now, tries = Families(), 0.0, []
    families.unreached(V6[0], now)
    while now < 86_400:
        if families.ordered(V6 + V4, now) == IN_TURN:
            tries.append(now)
            families.unreached(V6[0], now)
        now += 1
    assert tries[:4] == [0, 60, 180, 420]
    assert tries[-1] - tries[-2] == DOUBT_SECONDS_MAX
    assert len(tries) < 32, "of a day: each costs somebody a time-out"
    families.reached(V6[0])
    assert families.ordered(V6 + V4, now) == IN_TURN


def test_when_neither_answers_the_order_is_as_ever() -> None:
    families = Families()
    for address in (*V6, *V4):
        families.unreached(address, 0)
    assert families.ordered(V6 + V4, 1) == IN_TURN
