from __future__ import annotations

import pytest

from mtad.maps.answer import ABSENT, Answer, Found
from mtad.maps.cidr import Networks, read_networks
from mtad.maps.lines import Line, Wrong

TEXT = """
192.0.2.7      itself
192.0.2.0/24   net
192.0.2.128/25 never reached
192.0.2.0/24   never either
198.51.100.128/25 half
198.51.100.0/24 rest
2001:db8:1::/48 six
0.0.0.0/0      all
"""


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("192.0.2.7", Found("itself")),
        ("192.0.2.8", Found("net")),
        ("192.0.2.200", Found("net")),
        ("198.51.100.200", Found("half")),
        ("198.51.100.1", Found("rest")),
        ("203.0.113.1", Found("all")),
        ("::ffff:192.0.2.7", Found("itself")),
        ("2001:db8:1:2::3", Found("six")),
        ("2001:db8:2::", ABSENT),
        ("::", ABSENT),
        ("mx.example", ABSENT),
        ("", ABSENT),
    ],
)
def test_the_first_network_that_fits(key: str, answer: Answer) -> None:
    networks = read_networks(TEXT)
    assert isinstance(networks, Networks)
    assert networks.get(key) == answer


def test_every_network_in_front_of_all_hides_the_others() -> None:
    networks = read_networks("0.0.0.0/0 all\n192.0.2.7 itself\n")
    assert isinstance(networks, Networks)
    assert networks.get("192.0.2.7") == Found("all")


@pytest.mark.parametrize("pattern", ["192.0.2.1/24", "192.0.2.0/33", "mx.example", "if"])
def test_what_is_no_network(pattern: str) -> None:
    found = read_networks(f"192.0.2.0/24 x\n{pattern} y\n")
    assert found == Wrong((Line(2, f'"{pattern}" is no network, or has bits set behind its prefix'),))
