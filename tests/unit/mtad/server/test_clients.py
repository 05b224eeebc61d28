"""Who is counted together, who is not counted, and what who is one too many hears."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from mtad.server.clients import Clients
from mtad.server.limits import Limits
from mtad.server.rates import Act, Rate

NOW = 1000.0


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::3", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::3", "2001:db8:1:3::3", False),
    ],
)
def test_a_network_is_what_one_customer_has(one: str, other: str, is_same: bool) -> None:
    clients = Clients(Limits(sessions_per_client_max=1))
    assert clients.come(one, NOW) is None
    assert (clients.come(other, NOW) is not None) is is_same


def test_sessions_are_counted_off() -> None:
    clients = Clients(Limits(sessions_per_client_max=1))
    for _ in range(10):
        assert clients.come("192.0.2.1", NOW) is None
        clients.leave("192.0.2.1")
    assert (clients.sessions_count, clients.networks_count) == (0, 0)


def test_who_is_refused_is_not_counted() -> None:
    clients = Clients(Limits(sessions_max=5, sessions_per_client_max=1))
    clients.come("192.0.2.1", NOW)
    for _ in range(10):
        assert str(clients.come("192.0.2.1", NOW)).startswith("421 4.7.0 Too many sessions from your network")
    assert clients.sessions_count == 1
    for number in range(2, 6):
        assert clients.come(f"192.0.2.{number}", NOW) is None
    assert str(clients.come("192.0.2.6", NOW)).startswith("421 4.3.2 Too many sessions")


def test_too_many_connections() -> None:
    clients = Clients(Limits(rates={Act.CONNECTION: Rate(2, 60)}))
    for _ in range(2):
        assert clients.come("192.0.2.1", NOW) is None
        clients.leave("192.0.2.1")
    assert str(clients.come("192.0.2.1", NOW)).startswith("421 4.7.0 Too many connections from your network")
    assert clients.come("192.0.2.1", NOW + 30) is None


def test_who_made_too_many_errors_comes_back_later() -> None:
    clients = Clients(Limits(rates={Act.ERROR: Rate(2, 60)}))
    assert [clients.may(Act.ERROR, "192.0.2.1", NOW) for _ in range(3)] == [True, True, False]
    assert str(clients.come("192.0.2.1", NOW)).startswith("421 4.7.0 Too many errors from your network")
    assert clients.come("192.0.2.1", NOW + 30) is None


@pytest.mark.parametrize("address", ["127.0.0.9", "2001:db8::1", ""])
def test_exempt_networks_and_unix_sockets_are_not_counted(address: str) -> None:
    exempt = (ip_network("127.0.0.0/8"), ip_network("2001:db8::/32"))
    rates = {Act.CONNECTION: Rate(1, 60), Act.MESSAGE: Rate(1, 60)}
    clients = Clients(Limits(sessions_max=5, sessions_per_client_max=1, rates=rates, exempt=exempt))
    assert [clients.come(address, NOW) for _ in range(5)] == [None] * 5
    assert clients.come(address, NOW) is not None
    assert all(clients.may(Act.MESSAGE, address, NOW) for _ in range(10))
    clients.leave(address)
    assert clients.come(address, NOW) is None
