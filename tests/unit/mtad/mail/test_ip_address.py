"""One address has many texts, and is one value."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from mtad.mail.ip_address import IpAddress, parse_ip


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.9", IPv4Address("192.0.2.9")),
        ("::ffff:192.0.2.9", IPv4Address("192.0.2.9")),
        ("::FFFF:c000:209", IPv4Address("192.0.2.9")),
        ("::ffff:192.0.2.9%eth0", IPv4Address("192.0.2.9")),
        ("2001:DB8::0:1", IPv6Address("2001:db8::1")),
        ("fe80::1%eth0", IPv6Address("fe80::1")),
        ("192.0.2.9%eth0", None),
        ("192.0.2.9/32", None),
        ("example.org", None),
        ("", None),
    ],
)
def test_an_address_is_read_however_it_is_written(text: str, address: IpAddress | None) -> None:
    assert parse_ip(text) == address


def test_an_address_with_a_zone_has_a_reverse_name() -> None:
    address = parse_ip("fe80::1%eth0")
    assert address is not None
    assert address.reverse_pointer.endswith(".8.e.f.ip6.arpa")
