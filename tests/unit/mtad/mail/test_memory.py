"""The same message is known again, and no other is taken for it."""

from __future__ import annotations

import pytest

from mtad.mail.envelope import Client
from mtad.mail.memory import FINGERPRINT_OCTETS, Fingerprints, Memory, fingerprint_of
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply

SENDER = "sender@client.example"
HEADER = b"Received: from a\r\n\tby b\r\nFrom: x\r\n"
BODY = b"\r\nbody\r\n"
TAKEN = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok"), "mx.example.net")


def test_is_the_same_for_the_same_message() -> None:
    taken = fingerprint_of(SENDER, HEADER + BODY)
    assert len(taken) == FINGERPRINT_OCTETS
    assert fingerprint_of(SENDER, bytes(HEADER + BODY)) == taken


@pytest.mark.parametrize(
    ("sender", "content"),
    [
        ("", HEADER + BODY),
        ("Sender@client.example", HEADER + BODY),
        (SENDER + "\0", HEADER + BODY),
        (SENDER, HEADER + BODY[:-3] + b"\r\n"),
        (SENDER, HEADER.replace(b"Received: from a", b"Received: from c") + BODY),
        (SENDER, HEADER + b"X-DKIM-Signature: v=1\r\n" + BODY),
        (SENDER, HEADER + b"\tDKIM-Signature: v=1\r\n" + BODY),
        (SENDER, HEADER + b"\r\nDKIM-Signature: v=1\r\n" + BODY[2:]),
        (SENDER, HEADER),
        (SENDER, b""),
    ],
)
def test_differs_for_whatever_differs(sender: str, content: bytes) -> None:
    assert fingerprint_of(sender, content) != fingerprint_of(SENDER, HEADER + BODY)


@pytest.mark.parametrize(
    "header",
    [
        b"DKIM-Signature: v=1; t=2\r\n" + HEADER,
        b"DKIM-Signature: v=1; t=2;\r\n\tb=abc\r\n b=def\r\n" + HEADER,
        b"dkim-signature : v=1\r\n" + HEADER + b"DKIM-Signature:\r\n v=1\r\n",
        HEADER + b"DKIM-Signature: v=1\r\n\tt=2\r\n",
    ],
)
def test_a_signature_makes_no_difference(header: bytes) -> None:
    assert fingerprint_of(SENDER, header + BODY) == fingerprint_of(SENDER, HEADER + BODY)


def test_without_a_header_section_all_of_it_counts() -> None:
    content = b"DKIM-Signature: v=1\r\nno empty line follows\r\n"
    assert fingerprint_of(SENDER, content) != fingerprint_of(SENDER, b"no empty line follows\r\n")
    assert fingerprint_of(SENDER, b"\r\n" + content) != fingerprint_of(SENDER, b"\r\nno empty line follows\r\n")


def test_bounds_of_sender_and_content_are_no_part_of_either() -> None:
    assert fingerprint_of("a", b"b\r\n\r\n") != fingerprint_of("ab", b"\r\n\r\n")


def test_a_sender_that_is_no_text_is_taken_as_it_came() -> None:
    assert fingerprint_of("\udcff@x", BODY) != fingerprint_of("\udcfe@x", BODY)


def test_a_client_is_who_authenticated_wherever_it_is() -> None:
    taken = fingerprint_of(SENDER, BODY)
    first = Fingerprints.by(Client("192.0.2.1", 40000, identity="ann"), taken)
    assert first == Fingerprints.by(Client("2001:db8::1", 40001, identity="ann"), taken)
    assert first.of_anybody == taken
    assert len(first.of_client) == FINGERPRINT_OCTETS


def test_a_client_that_did_not_authenticate_is_its_address() -> None:
    taken = fingerprint_of(SENDER, BODY)
    first = Fingerprints.by(Client("192.0.2.1", 40000, "one.example"), taken)
    assert first == Fingerprints.by(Client("192.0.2.1", 40001, "two.example"), taken)
    others = [
        Fingerprints.by(Client("192.0.2.2", 40000), taken),
        Fingerprints.by(Client("192.0.2.1", 40000, identity="ann"), taken),
        Fingerprints.by(Client("192.0.2.3", 40000, identity="192.0.2.1"), taken),
        Fingerprints.by(Client("192.0.2.1", 40000), fingerprint_of(SENDER, HEADER + BODY)),
    ]
    assert len({first.of_client, *(one.of_client for one in others)}) == 5


def test_is_settled_when_every_recipient_is() -> None:
    assert Memory("q", b"", 0, {"a": TAKEN}).is_settled
    assert not Memory("q", b"", 0, {"a": TAKEN, "b": None}).is_settled
    assert Memory("q", b"", 0, {}).is_settled
