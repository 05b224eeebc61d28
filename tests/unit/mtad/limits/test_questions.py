"""The names of counters, and the networks that clients are counted by."""

from __future__ import annotations

import pytest

from mtad.limits.networks import network_of
from mtad.limits.questions import COUNTER_OCTETS, NobodyCounts, Rate, Unknown, counter_of


def test_no_two_counters_have_one_name() -> None:
    names = [("rate", "60", "a"), ("rate", "6", "0a"), ("rate", "60a"), ("rate60", "a"), ("", "rate", "60", "a")]
    assert len({counter_of(*words) for words in names}) == len(names)
    assert len(counter_of("x" * 100_000, "\udcff")) == COUNTER_OCTETS


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("::ffff:192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("", ""),
    ],
)
def test_a_client_is_counted_by_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_greylists_take_the_neighbours_of_an_ipv4_address_too() -> None:
    assert network_of("192.0.2.9", 24) == network_of("192.0.2.200", 24) == "192.0.2.0"


async def test_where_nobody_counts_nothing_is_known() -> None:
    assert isinstance(await NobodyCounts().ask(Rate(b"", 1, 1)), Unknown)
