"""What is known of a client before it speaks."""

from __future__ import annotations

import asyncio

import pytest

from mtad.server.smtp import client_of

V6 = ("2001:db8::9%eth0", 25, 0, 3)


@pytest.mark.parametrize(
    ("peer", "own", "address", "came_to"),
    [
        (("192.0.2.9", 4711), ("192.0.2.1", 587), "192.0.2.9", ("192.0.2.1", 587)),
        (("::ffff:192.0.2.9", 4711, 0, 0), ("::ffff:192.0.2.1", 25, 0, 0), "192.0.2.9", ("192.0.2.1", 25)),
        (("2001:db8::9", 4711, 0, 0), V6, "2001:db8::9", ("2001:db8::9", 25)),
        (("192.0.2.9", 4711), None, "192.0.2.9", ("", 0)),
        ("", "/run/lmtp", "", ("", 0)),
    ],
)
def test_both_ends_of_its_connection(peer: object, own: object, address: str, came_to: tuple[str, int]) -> None:
    client = client_of(asyncio.BaseTransport({"peername": peer, "sockname": own}), "smtp")
    assert (client.address, client.came_to, client.listener) == (address, came_to, "smtp")
