"""The server's side of SCRAM against the example of RFC 7677 §3, and against messages that are wrong."""

from __future__ import annotations

import base64

import pytest

from mtad.users.scram import NONCE_LENGTH_MAX, BadMessage, Begun, ClientFirst
from mtad.users.verifier import ScramVerifier

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
CHALLENGE = f"r=rOprNGfwEbeRWgbNEkqO{NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = f"c=biws,r=rOprNGfwEbeRWgbNEkqO{NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()


def begun(password: str = "pencil") -> Begun:
    first = ClientFirst.parse(FIRST)
    assert isinstance(first, ClientFirst)
    return Begun(first, ScramVerifier.of(password, SALT, 4096), NONCE)


def test_the_example_of_the_rfc() -> None:
    exchange = begun()
    assert exchange.challenge == CHALLENGE
    assert exchange.end(FINAL) == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_another_password_does_not_hold() -> None:
    assert begun("pencils").end(FINAL) is None


@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"\xff",
        FINAL.replace(b"biws", b"eSws"),  # another header: y,,
        FINAL.replace(b"biws", b"biw"),
        FINAL.replace(b"k0,", b"k1,"),
        FINAL.replace(b"c=", b"d="),
        FINAL.rpartition(b",")[0],
    ],
)
def test_a_final_message_that_is_wrong(final: bytes) -> None:
    assert isinstance(begun().end(final), BadMessage)


def test_a_proof_of_another_length_does_not_hold() -> None:
    assert begun().end(FINAL.replace(b"dHzb", b"")) is None


@pytest.mark.parametrize(
    ("octets", "name", "authorization", "header"),
    [
        (FIRST, "user", "", "n,,"),
        (FIRST.replace(b"n,,", b"y,,"), "user", "", "y,,"),
        (b"n,a=other=2C,n=us=3Der=2C,r=abc", "us=er,", "other,", "n,a=other=2C,"),
        (b"n,,n=us\xc3\xa9r,r=abc,x=more,y=still", "us\u00e9r", "", "n,,"),
    ],
)
def test_a_first_message(octets: bytes, name: str, authorization: str, header: str) -> None:
    first = ClientFirst.parse(octets)
    assert isinstance(first, ClientFirst)
    assert (first.name, first.authorization, first.header) == (name, authorization, header)
    assert first.header + first.bare == octets.decode()


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff\xfe",
        FIRST.replace(b"n,,", b"p=tls-exporter,,"),
        FIRST.replace(b"n=user", b"m=ext,n=user"),
        FIRST.replace(b"n=user", b"n=us=er"),
        FIRST.replace(b"n=user", b"n="),
        b"n,a=x=,n=user,r=abc",
        b"n,,n=user,r=",
        b"n,,n=user,r=" + b"x" * (NONCE_LENGTH_MAX + 1),
        b"n,,n=us\0er,r=abc",
    ],
)
def test_a_first_message_that_is_wrong(octets: bytes) -> None:
    assert isinstance(ClientFirst.parse(octets), BadMessage)
