"""SCRAM-SHA-256 as its RFC shows it, with our own server, and with servers that are not what they say."""

from __future__ import annotations

import base64

import pytest

from mtad.delivery.scram_client import ITERATIONS_MAX, Salted, Scram
from mtad.users.scram import Begun, ClientFirst
from mtad.users.verifier import ScramVerifier

# RFC 7677 §3
NONCE = "rOprNGfwEbeRWgbNEkqO"
FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
PROOF = b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def begun(salted: Salted | None = None) -> Scram:
    exchange = Scram("user", "pencil", NONCE, {} if salted is None else salted)
    assert exchange.answer(b"") == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    return exchange


def test_the_example_of_the_rfc() -> None:
    exchange = begun()
    said = exchange.answer(FIRST)
    assert said == b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," + PROOF
    assert not exchange.is_complete
    assert exchange.answer(FINAL) == b""
    assert exchange.is_complete
    assert exchange.answer(b"") is None, "it is over"


@pytest.mark.parametrize("password", ["pencil", "wrong"])
def test_with_our_own_server(password: str) -> None:
    exchange = Scram("a=b,c@example.org", "pencil", "abc", {})
    first = ClientFirst.parse(exchange.answer(b"") or b"")
    assert isinstance(first, ClientFirst)
    assert first.name == "a=b,c@example.org"
    server = Begun(first, ScramVerifier.of(password), "def")
    final = server.end(exchange.answer(server.challenge.encode()) or b"")
    assert isinstance(final, str) is (password == "pencil")
    if isinstance(final, str):
        assert exchange.answer(final.encode()) == b""
    assert exchange.is_complete is (password == "pencil")


def test_a_salted_password_is_made_once() -> None:
    salted: Salted = {}
    begun(salted).answer(FIRST)
    ((key, value),) = salted.items()
    assert key == (base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    salted[key] = b"another"
    assert PROOF not in (begun(salted).answer(FIRST) or b""), "it is taken from there"
    salted[key] = value
    begun(salted).answer(FIRST.replace(b"i=4096", b"i=4097"))
    assert list(salted) == [(key[0], 4097)], "one is kept"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\xff",
        FIRST.replace(b"r=r", b"r=s"),
        FIRST.replace(b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", b""),
        FIRST.replace(b"s=W22ZaJ0SNY7soEsUEjb6gQ==", b"s=W"),
        FIRST.replace(b"4096", b"0"),
        FIRST.replace(b"4096", str(ITERATIONS_MAX + 1).encode()),
        b"m=x," + FIRST,
    ],
    ids=["nothing", "no text", "another nonce", "our nonce alone", "no salt", "no work", "too much work", "unknown"],
)
def test_a_first_message_that_is_none(first: bytes) -> None:
    assert begun().answer(first) is None


@pytest.mark.parametrize("final", [b"", b"\xff", b"e=invalid-proof", FINAL.replace(b"6", b"7"), b"v=" + PROOF[2:]])
def test_a_server_that_does_not_know_the_password_is_not_trusted(final: bytes) -> None:
    exchange = begun()
    assert exchange.answer(FIRST)
    assert exchange.answer(final) is None
    assert not exchange.is_complete


def test_a_server_that_begins_with_words_is_not_understood() -> None:
    assert Scram("user", "pencil", NONCE, {}).answer(b"hello") is None
