"""Where a running node sends mail by what DNS says, and what its client hears where that is nowhere (RFC 5321 §5.1)."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.name_server import SERVFAIL, NameServer, Zone
from tests.integration.sending import HEADER, NextHop, next_hop
from tests.peers.mtad import MtadNode, single

HERE = {"A": ("127.0.0.1",)}
ZONE: Zone = {
    "plain.test": {"MX": ("10 here.test.",)},
    "implicit.test": HERE,
    "second.test": {"MX": ("20 here.test.", "10 down.test.")},
    "both.test": {"MX": ("10 both-hosts.test.",)},
    "half.test": {"MX": ("10 gone.test.", "20 here.test.")},
    "alias.test": {"CNAME": ("plain.test.",)},
    "xn--bcher-kva.test": {"MX": ("10 here.test.",)},
    "null.test": {"MX": ("0 .",)},
    "addressless.test": {"MX": ("10 gone.test.",)},
    "unsure.test": {"MX": ("10 gone.test.", "20 down.test.")},
    "broken.test": {"MX": SERVFAIL},
    "best.test": {"MX": ("10 one.mtad.test.", "20 here.test.")},
    "circle.test": {"MX": ("10 us-too.test.",)},
    "here.test": HERE,
    "both-hosts.test": {"AAAA": ("::1",), "A": ("127.0.0.1",)},
    "down.test": {"A": ("127.0.0.9",)},
    "us-too.test": {"A": ("127.0.0.2",)},  # the node itself, under a name that it does not know
}
DOMAINS = ["nowhere.test", *ZONE]
DELIVERED = {
    "u@plain.test": "the host of the MX record",
    "u@implicit.test": "no MX record: the domain itself",
    "u@second.test": "the next host, where the first is down",
    "u@both.test": "the IPv4 address, where nobody listens on the IPv6 one",
    "u@half.test": "the next host, where the first has no address",
    "u@alias.test": "the target of an alias",
    "u@Plain.TEST": "whatever its case",
    "u@bücher.test": "a domain in UTF-8 by its ASCII form",
}
REFUSED = {
    "u@nowhere.test": "550 5.4.4",
    "u@null.test": "556 5.1.10",
    "u@addressless.test": "550 5.4.4",
    "u@best.test": "554 5.4.6",
    "u@circle.test": "554 5.4.6",
    "u@broken.test": "450 4.4.3",
    "u@unsure.test": "450 4.4.1",
    "u@plain.test.": "501 5.1.3",
}
POLICY = 'require ["vnd.mtad.stage", "vnd.mtad.route"];\nstage "deliver" { route :port %d :tls "none" "smtp"; }\n'


@contextmanager
def name_server() -> Iterator[int]:
    """Run a name server in a loop of its own; give its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    names = NameServer(ZONE)

    async def start() -> int:
        await names.__aenter__()
        return names.port

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(names.__aexit__(None, None, None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[MtadNode, NextHop]]:
    """Run a node that is MX for the zone, and listens where `us-too.test` leads."""
    with name_server() as port, next_hop() as hop:
        extra = {
            "node": {"domains": DOMAINS},
            "dns": {"servers": [f"127.0.0.1:{port}"]},
            "smtp": {"listen": [f"127.0.0.2:{hop.port}"]},
        }
        with single(POLICY % hop.port, extra) as node:
            yield node, hop
            assert node.queue() == []


def heard(node: MtadNode, recipient: str) -> str:
    """Send a message to one recipient; return the first refusal, or the final reply."""
    with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=60) as client:
        client.ehlo("client.test")
        client.command_encoding = "utf-8"
        client.mail("sender@client.test", ["SMTPUTF8"])
        code, text = client.rcpt(recipient)
        if code == 250:
            code, text = client.data(HEADER + b"\r\nx\r\n")
        return f"{code} {text.decode()}"


@pytest.mark.parametrize("recipient", DELIVERED)
def test_mail_goes_where_dns_says(world: tuple[MtadNode, NextHop], recipient: str) -> None:
    node, hop = world
    before = len(hop.taken)
    assert heard(node, recipient).startswith("250 2.0.0 Ok: delivered (")
    assert [message.recipients for message in hop.taken[before:]] == [(recipient,)]


@pytest.mark.parametrize("recipient", REFUSED)
def test_a_client_hears_at_rcpt_why_mail_goes_nowhere(world: tuple[MtadNode, NextHop], recipient: str) -> None:
    node, hop = world
    before = len(hop.taken)
    for _ in range(2):  # what is remembered of the first time changes nothing
        assert heard(node, recipient).startswith(REFUSED[recipient])
    assert len(hop.taken) == before
