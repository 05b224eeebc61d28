"""A real Postfix that reads a lenient end of data stands behind us, and hears one message where there is one."""

from __future__ import annotations

import socket

import pytest

from tests.integration.sending import NextHop, next_hop
from tests.peers.mtad import policy_to, single
from tests.peers.postfix import postfix
from tests.peers.process import wait_until
from tests.security.forms import SECOND, SMUGGLED

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

LENIENT = {"smtpd_forbid_bare_newline": "no", "smtpd_forbid_unauth_pipelining": "no"}
END = b"\r\n.\r\n"
HELLO = (b"EHLO client.test", b"MAIL FROM:<a@mtad.test>", b"RCPT TO:<b@example.test>")
HEADER = b"From: <a@mtad.test>\r\n\r\n"


def said(port: int, *octets: bytes, more: bytes = b"") -> list[bytes]:
    """Send commands, each after the reply to the one before, and what follows the last; return all last lines."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        lines = wire.makefile("rb")
        found = [_reply(lines.readline)]
        for command in octets:
            wire.sendall(command)
            found.append(_reply(lines.readline))
        wire.sendall(more + b"QUIT\r\n")
        return found + [line for line in lines if line[3:4] == b" "]


def _reply(readline: object) -> bytes:
    assert callable(readline)
    while (line := readline())[3:4] == b"-":
        pass
    return bytes(line)


def by_data(port: int, content: bytes) -> bytes:
    return said(port, *(line + b"\r\n" for line in (*HELLO, b"DATA")), HEADER + content + END)[5]


def by_chunk(port: int, content: bytes) -> bytes:
    octets = HEADER + content
    return said(port, *(line + b"\r\n" for line in HELLO), b"BDAT %d LAST\r\n%b" % (len(octets), octets))[4]


def arrived(hop: NextHop, subject: bytes) -> bool:
    return any(subject in message.content for message in hop.taken)


def test_postfix_that_is_lenient_hears_no_more_than_we_accepted() -> None:
    with next_hop() as hop, postfix(hop.port, settings=LENIENT) as relay, single(policy_to(relay.port)) as node:
        refused = [by_data(node.smtp_port, b"first" + form + SECOND) for form in SMUGGLED]
        refused += [by_chunk(node.smtp_port, b"first" + form + SECOND) for form in SMUGGLED]
        assert {line[:4] for line in refused} == {b"550 "}
        accepted = by_chunk(node.smtp_port, b"first" + END + SECOND)
        assert accepted.startswith(b"250 2.0.0 Ok: delivered")
        assert by_data(node.smtp_port, b"the last one").startswith(b"250 2.0.0 Ok: delivered")
        wait_until(lambda: arrived(hop, b"the last one"), "what was sent last is there", relay.folder / "log")
        wait_until(lambda: not relay.queue(), "Postfix has relayed all", relay.folder / "log")
        assert len(hop.taken) == 2
        assert {message.recipients for message in hop.taken} == {("b@example.test",)}


def test_the_same_without_us_is_two_messages() -> None:
    with next_hop() as hop, postfix(hop.port, settings=LENIENT) as relay:
        content = b"first\n.\r\n" + SECOND.removesuffix(b"smuggled")
        said(relay.port, *(line + b"\r\n" for line in (*HELLO, b"DATA")), HEADER + content, more=b"smuggled" + END)
        wait_until(lambda: arrived(hop, b"smuggled"), "the smuggled message is there", relay.folder / "log")
        wait_until(lambda: len(hop.taken) == 2, "both are there", relay.folder / "log")
        assert {message.recipients for message in hop.taken} == {("b@example.test",), ("victim@here.example",)}
