from __future__ import annotations

import ssl
from dataclasses import replace

import pytest

from mtad.delivery.login import HIDDEN, Login

LOGIN = Login("alice", "pencil", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.mark.parametrize(
    ("offered", "only", "mechanism"),
    [
        ("PLAIN LOGIN SCRAM-SHA-256", "", "SCRAM-SHA-256"),
        ("login plain", "", "PLAIN"),
        ("LOGIN", "", "LOGIN"),
        ("PLAIN LOGIN SCRAM-SHA-256", "LOGIN", "LOGIN"),
        ("SCRAM-SHA-256", "PLAIN", None),
        ("GSSAPI XOAUTH2 PLAINTEXT", "", None),
        ("", "", None),
    ],
)
def test_the_best_mechanism_is_taken(offered: str, only: str, mechanism: str | None) -> None:
    exchange = replace(LOGIN, mechanism=only).begin(offered)
    assert (exchange and exchange.mechanism) == mechanism


@pytest.mark.parametrize(("mechanism", "answers"), [("PLAIN", [b"\0alice\0pencil"]), ("LOGIN", [b"alice", b"pencil"])])
def test_what_is_said_in_clear(mechanism: str, answers: list[bytes]) -> None:
    exchange = LOGIN.begin(mechanism)
    assert exchange is not None
    for answer in answers:
        assert not exchange.is_complete
        assert exchange.answer(b"whatever") == answer
    assert exchange.is_complete
    assert exchange.answer(b"") is None


def test_each_exchange_has_its_own_nonce_and_names_are_prepared() -> None:
    login = replace(LOGIN, user="\u2168")  # which SASLprep makes IX (RFC 4013 §3)
    firsts = set()
    for _ in range(3):
        exchange = login.begin("SCRAM-SHA-256")
        assert exchange is not None
        firsts.add(exchange.answer(b""))
    assert len(firsts) == 3
    assert all(first is not None and first.startswith(b"n,,n=IX,r=") for first in firsts)


def test_the_password_is_not_told_to_our_log() -> None:
    assert "pencil" not in repr(LOGIN)
    assert LOGIN.hidden("535 5.7.8 Who are you, alice?") == "535 5.7.8 Who are you, alice?"
    for told in ("535 pencil is wrong", "535 cGVuY2ls", "535 AGFsaWNlAHBlbmNpbA=="):
        assert LOGIN.hidden(told) == HIDDEN
