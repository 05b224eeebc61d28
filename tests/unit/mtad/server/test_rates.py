"""Buckets fill and empty with the clock, and few networks are remembered whoever comes."""

from __future__ import annotations

from mtad.server.rates import Act, Rate, Rates

ONE, OTHER = "192.0.2.1", "192.0.2.2"
FOUR_A_MINUTE = {Act.MESSAGE: Rate(4, 60)}


def taken(rates: Rates, network: str, now: float, times: int, act: Act = Act.MESSAGE) -> list[bool]:
    return [rates.take(network, act, now) for _ in range(times)]


def test_all_may_come_at_once_and_no_more() -> None:
    rates = Rates(FOUR_A_MINUTE)
    assert taken(rates, ONE, 100.0, 6) == [True] * 4 + [False] * 2


def test_what_was_refused_is_not_counted() -> None:
    rates = Rates(FOUR_A_MINUTE)
    taken(rates, ONE, 100.0, 100)
    assert taken(rates, ONE, 115.0, 2) == [True, False]


def test_after_the_period_all_may_come_again() -> None:
    rates = Rates(FOUR_A_MINUTE)
    taken(rates, ONE, 100.0, 4)
    assert taken(rates, ONE, 160.0, 5) == [True] * 4 + [False]


def test_what_is_spread_over_the_period_goes_on_for_ever() -> None:
    rates = Rates(FOUR_A_MINUTE)
    assert all(rates.take(ONE, Act.MESSAGE, 15.0 * number) for number in range(100))


def test_networks_and_acts_are_counted_apart() -> None:
    rates = Rates({**FOUR_A_MINUTE, Act.ERROR: Rate(1, 60)})
    taken(rates, ONE, 100.0, 4)
    assert taken(rates, OTHER, 100.0, 1) == [True]
    assert taken(rates, ONE, 100.0, 2, Act.ERROR) == [True, False]
    assert taken(rates, ONE, 100.0, 100, Act.RECIPIENT) == [True] * 100


def test_to_ask_counts_nothing() -> None:
    rates = Rates(FOUR_A_MINUTE)
    assert all(rates.has(ONE, Act.MESSAGE, 100.0) for _ in range(10))
    assert rates.networks_count == 0
    taken(rates, ONE, 100.0, 4)
    assert not rates.has(ONE, Act.MESSAGE, 100.0)
    assert rates.has(ONE, Act.MESSAGE, 115.0)


def test_the_network_that_was_quiet_for_the_longest_time_is_forgotten() -> None:
    rates = Rates(FOUR_A_MINUTE, networks_max=2)
    taken(rates, ONE, 100.0, 4)
    taken(rates, OTHER, 100.0, 3)
    taken(rates, ONE, 115.0, 1)
    taken(rates, b"third", 115.0, 1)
    assert rates.networks_count == 2
    assert not rates.has(ONE, Act.MESSAGE, 115.0)
    assert taken(rates, OTHER, 115.0, 5) == [True] * 4 + [False]


def test_however_many_networks_come_few_are_remembered() -> None:
    rates = Rates(FOUR_A_MINUTE, networks_max=100)
    for number in range(10_000):
        rates.take(str(number), Act.MESSAGE, float(number))
    assert rates.networks_count == 100
