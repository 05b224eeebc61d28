"""mtad between real programs: Postfix's load client in front, a real Postfix and a real Dovecot behind."""

from __future__ import annotations

import asyncio
import re
import smtplib
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import NamedTuple

import dkim
import dns.exception
import dns.message
import dns.query
import pytest

from mtad.lab.conversation import Taken
from mtad.lab.pair import Laboratory, running_laboratory
from mtad.lab.sink import Sink
from tests.peers.dovecot import Dovecot, dovecot
from tests.peers.postfix import Postfix, postfix, smtp_source
from tests.peers.process import open_folder, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

POLICY = """\
require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue"];

stage "connect" {{
    if ip :remote "127.0.0.0/8" {{ accept :relay; }}
}}

stage "deliver" {{
    queue :transient;
    retry :intervals ["1", "2"];
    if envelope :domain "to" "local.test" {{
        route :host "127.0.0.1" :nomx :port {lmtp} "lmtp";
    }} elsif envelope :domain "to" "example.test" {{
        route :host "127.0.0.1" :nomx :port {smtp} "smtp";
    }}
}}
"""


class Street(NamedTuple):
    """A laboratory whose next hops are real, and what stands behind its Postfix."""

    laboratory: Laboratory
    postfix: Postfix
    dovecot: Dovecot
    taken: list[Taken]

    @property
    def port(self) -> int:
        return self.laboratory.nodes[0].files.smtp_port


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    taken: list[Taken] = []
    behind = Sink(taken.append)
    behind_port = await behind.listen()
    with ExitStack() as stack:
        relay = await asyncio.to_thread(stack.enter_context, postfix(behind_port))
        mailboxes = await asyncio.to_thread(stack.enter_context, dovecot(("alice", "bob")))
        folder = stack.enter_context(open_folder("lab"))
        policy = POLICY.format(lmtp=mailboxes.port, smtp=relay.port)
        async with running_laboratory(folder, policy=policy) as laboratory:
            await laboratory.wait_protected()
            yield Street(laboratory, relay, mailboxes, taken)
    await behind.close()


def verified(content: bytes, laboratory: Laboratory) -> bool:
    """Check a DKIM signature with the key that the laboratory's DNS publishes."""

    def txt(name: bytes, timeout: int = 5) -> bytes | None:
        query = dns.message.make_query(name.decode(), "TXT")
        try:
            response = dns.query.udp(query, "127.0.0.1", port=laboratory.dns.port, timeout=timeout)
        except dns.exception.DNSException:
            return None
        return b"".join(response.answer[0][0].strings) if response.answer else None

    return bool(dkim.verify(content, dnsfunc=txt))


async def test_smtp_source_through_mtad_to_postfix(street: Street) -> None:
    def load() -> None:
        smtp_source(street.port, messages=200, sessions=10, sender="you@lab.test", recipient="friend@example.test")
        wait_until(lambda: len(street.taken) >= 200, "all has arrived behind Postfix", street.postfix.folder / "log")

    await asyncio.to_thread(load)
    assert len(street.taken) == 200
    assert {message.recipients for message in street.taken} == {("friend@example.test",)}
    assert {message.reverse_path for message in street.taken} == {"you@lab.test"}
    content = street.taken[0].content
    assert b"\r\nReceived: " in b"\r\n" + content
    assert await asyncio.to_thread(verified, content, street.laboratory)
    assert not await asyncio.to_thread(verified, content + b"more\r\n", street.laboratory)


async def test_one_message_to_a_mailbox_and_to_an_mx_host(street: Street) -> None:
    content = b"From: you@lab.test\r\nSubject: both\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n.dot\r\nHello\r\n"

    def send() -> tuple[list[int], tuple[int, bytes]]:
        with smtplib.SMTP("127.0.0.1", street.port, timeout=60) as client:
            client.ehlo()
            client.mail("you@lab.test")
            names = ("alice@local.test", "nobody@local.test", "friend@example.test", "bob@local.test")
            return [client.rcpt(name)[0] for name in names], client.data(content)

    codes, reply = await asyncio.to_thread(send)
    assert codes == [250, 550, 250, 250], "the next hop's own refusal, while the client asks"
    assert reply[0] == 250
    await asyncio.to_thread(wait_until, lambda: len(street.taken) == 1, "it has arrived behind Postfix")
    delivered = [*street.dovecot.messages("alice"), *street.dovecot.messages("bob")]
    assert len(delivered) == 2
    for message in (*delivered, street.taken[0].content):
        content = re.sub(rb"\r?\n", b"\r\n", message)  # a maildir's lines end as its server likes
        assert content.endswith(b"\r\n\r\n.dot\r\nHello\r\n")
        assert await asyncio.to_thread(verified, content, street.laboratory)
