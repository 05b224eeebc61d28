"""A route that policy has chosen survives the way into the store and out of it."""

from __future__ import annotations

import pytest

from mtad.mail.route import Route, TlsLevel, Transport
from mtad.pb import queue_pb2
from mtad.spool.route_codec import read_route, route_message

ROUTE = Route(
    Transport.LMTP, ("a.test", "b.test"), 24, TlsLevel.ENCRYPT, ("192.0.2.7", "2001:db8::7"), "mx.test", "bulk", "relay"
)


@pytest.mark.parametrize("route", [ROUTE, Route(), Route(hosts=("unix:/run/mda",))])
def test_a_route_comes_back_as_it_was(route: Route) -> None:
    assert read_route(queue_pb2.RecipientState(route=route_message(route))) == route


@pytest.mark.parametrize(("field", "word"), [("tls", "dane"), ("transport", "quic")])
def test_a_route_of_a_newer_program_is_none(field: str, word: str) -> None:
    stored = queue_pb2.RecipientState(route=route_message(ROUTE))
    setattr(stored.route, field, word)
    assert read_route(stored) is None
    assert read_route(queue_pb2.RecipientState()) is None
