"""The Received field, and what is read of a header section."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.mail.envelope import Client, Envelope, Recipient
from mtad.mail.route import Route
from mtad.server.received import author_domain, header_of, received_count, received_field

WALL = 1_800_000_000.0


def field(client: Client, *recipients: str, is_utf8: bool = False) -> str:
    envelope = Envelope(
        "a@client.example", client, tuple(Recipient(address, Route()) for address in recipients), is_utf8=is_utf8
    )
    return received_field(envelope, hostname="mx.here.example", queue_id="01J", wall=WALL).decode()


def test_names_the_one_recipient() -> None:
    assert field(Client("192.0.2.1", 25, "client.example", is_esmtp=True), "b@example.net") == (
        "Received: from client.example ([192.0.2.1])\r\n"
        "\tby mx.here.example (mtad) with ESMTP id 01J\r\n"
        "\tfor <b@example.net>;\r\n"
        "\tFri, 15 Jan 2027 08:00:00 +0000\r\n"
    )


def test_needs_no_utf8_for_a_domain() -> None:
    client = Client("192.0.2.1", 25, "client.example", is_esmtp=True)
    assert "for <b@xn--bcher-kva.example>" in field(client, "b@bücher.example", is_utf8=True)
    assert "for <jörg@bücher.example>" in field(client, "jörg@bücher.example", is_utf8=True)


def test_does_not_tell_recipients_of_each_other() -> None:
    assert "for <" not in field(Client("192.0.2.1", 25, "client.example"), "b@example.net", "c@example.net")


@pytest.mark.parametrize(
    ("client", "protocol"),
    [
        (Client("192.0.2.1", 25, "x"), "with SMTP id"),
        (Client("192.0.2.1", 25, "x", is_esmtp=True), "with ESMTP id"),
        (Client("192.0.2.1", 25, "x", is_esmtp=True, is_tls=True), "with ESMTPS id"),
        (Client("192.0.2.1", 25, "x", is_esmtp=True, is_tls=True, identity="a"), "with ESMTPSA id"),
        (Client("192.0.2.1", 25, "x", is_esmtp=True, identity="a"), "with ESMTPA id"),
        (Client("", 0, "x", is_esmtp=True, listener="lmtp"), "with LMTP id"),
        (Client("192.0.2.1", 25, "x", is_esmtp=True, is_tls=True, listener="lmtp"), "with LMTPS id"),
    ],
)
def test_names_the_protocol(client: Client, protocol: str) -> None:
    assert protocol in field(client)


def test_names_the_protocol_of_international_mail() -> None:
    client = Client("192.0.2.1", 25, "x", is_esmtp=True, is_tls=True)
    assert "with UTF8SMTPS id" in field(client, is_utf8=True)
    assert "with UTF8LMTPS id" in field(replace(client, listener="lmtp"), is_utf8=True)


@pytest.mark.parametrize(
    ("client", "clause"),
    [
        (Client("2001:db8::1", 25, "x"), "from x ([IPv6:2001:db8::1])\r\n"),
        (Client("", 0, "x"), "from x (local)\r\n"),
        (Client("192.0.2.1", 25, ""), "from unknown ([192.0.2.1])\r\n"),
        (Client("192.0.2.1", 25, "a b)\r\nX: y"), "from a?b???X:?y ([192.0.2.1])\r\n"),
        (Client("192.0.2.1", 25, "[192.0.2.9]"), "from [192.0.2.9] ([192.0.2.1])\r\n"),
    ],
)
def test_names_the_client(client: Client, clause: str) -> None:
    assert clause in field(client)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (b"", b""),
        (b"\r\nbody\r\n", b""),
        (b"a: b\r\n\r\nbody\r\n", b"a: b\r\n"),
        (b"a: b\r\n", b"a: b\r\n"),
        (b"a: b\r\n\r\n", b"a: b\r\n"),
    ],
)
def test_finds_the_header_section(content: bytes, header: bytes) -> None:
    assert header_of(content) == header


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 0),
        (b"Received: a\r\nrEcEiVeD: b\r\nX-Received: c\r\n\r\nReceived: d\r\n", 2),
        (b"Subject: Received:\r\nReceived: a\r\n\tReceived: folded\r\n\r\n", 1),
        (b"\r\nReceived: a\r\n", 0),
    ],
)
def test_counts_received_fields(content: bytes, count: int) -> None:
    assert received_count(content) == count


@pytest.mark.parametrize(
    ("content", "domain"),
    [
        (b"From: Alice <alice@Author.example>\r\n\r\n", "author.example"),
        (b"Subject: x\r\nfrom :\r\n alice@author.example\r\n\r\n", "author.example"),
        (b'From: "x@evil.example" <alice@author.example>, bob@other.example\r\n\r\n', "author.example"),
        (b"From: nobody\r\n\r\n", ""),
        (b"From:\r\n\r\n", ""),
        (b"Subject: x\r\n\r\nFrom: a@body.example\r\n", ""),
        (b"From: \xff\xfe <a@author.example>\r\n\r\n", "author.example"),
    ],
)
def test_finds_the_authors_domain(content: bytes, domain: str) -> None:
    assert author_domain(content) == domain
