"""Mail from and to the servers of others: Postfix, Exim, OpenSMTPD and Haraka, each feature in both directions.

in    client -> theirs -> ours -> next hop
out   client -> ours -> theirs -> next hop

Each row of ROWS is played with each of them. What one of them lacks stands in LACKS, and the row then shows what
happens instead.
"""

from __future__ import annotations

import asyncio
import smtplib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mtad.lab.ports import free_port
from mtad.startup.provision import KeyPair, make_server_certificate
from tests.fakes.scripted_server import Received, Script, ScriptedServer
from tests.peers.exim import exim
from tests.peers.haraka import haraka
from tests.peers.mtad import MtadNode, single
from tests.peers.opensmtpd import opensmtpd
from tests.peers.postfix import postfix
from tests.peers.process import wait_until
from tests.peers.relay import PLAIN, TLS, Errand, Relay

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

SENDER = "sender@mtad.test"
LARGE_OCTETS = 30_000_000
LINE = b"x" * 76 + b"\r\n"
OFFERED = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 67108864", "ENHANCEDSTATUSCODES", "DSN")


@contextmanager
def postfix_relay(errand: Errand) -> Iterator[Relay]:
    """Run a Postfix that has an errand. TLS goes by the name of the next hop: `localhost` is encrypted."""
    to_us = f"smtp:[%s]:{errand.our_port}"
    settings = {
        "transport_maps": f"inline:{{ {{{PLAIN} = {to_us % '127.0.0.1'}}}, {{{TLS} = {to_us % 'localhost'}}} }}",
        "smtp_tls_policy_maps": f"inline:{{ {{[localhost]:{errand.our_port} = encrypt}} }}",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": str(errand.certificate),
        "smtpd_tls_key_file": str(errand.key),
        "message_size_limit": "67108864",
        "smtputf8_enable": "yes",
    }
    with postfix(errand.onward_port, settings=settings, port=errand.port) as running:
        yield Relay(running.port, running.folder / "log")


PEERS: Mapping[str, Callable[[Errand], AbstractContextManager[Relay]]] = {
    "postfix": postfix_relay,
    "exim": exim,
    "opensmtpd": opensmtpd,
    "haraka": haraka,
}
POLICY = """\
require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue"];
stage "connect" {{ accept :relay; }}
stage "deliver" {{
    {routes}
    else {{ route :host "127.0.0.1" :nomx :port {onward} :tls "none" "smtp"; }}
    retry :intervals ["1"];
}}
"""


def routes_to(ports: Mapping[str, int]) -> str:
    """Return the branches that send `NAME.test` to a server, and `tls-NAME.test` over TLS."""
    branches = [
        f'if envelope :domain "to" "{prefix}{name}.test" '
        f'{{ route :host "127.0.0.1" :nomx :port {port} :tls "{level}" "smtp"; }}'
        for name, port in ports.items()
        for prefix, level in (("", "none"), ("tls-", "encrypt"))
    ]
    return "\n    els".join(branches)


@contextmanager
def next_hop() -> Iterator[ScriptedServer]:
    """Run the next hop behind everybody, in a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = ScriptedServer(Script(extensions=OFFERED))
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class Street:
    """Our node, the next hop, and those of the others that were asked for."""

    node: MtadNode
    onward: ScriptedServer
    pair: KeyPair
    ports: Mapping[str, int]
    ends: ExitStack
    relays: dict[str, Relay] = field(default_factory=dict)

    def relay(self, name: str) -> Relay:
        """Return a server, started when it is first asked for."""
        if name not in self.relays:
            errand = Errand(
                self.ports[name], self.node.smtp_port, self.onward.port, self.pair.certificate, self.pair.key
            )
            self.relays[name] = self.ends.enter_context(PEERS[name](errand))
        return self.relays[name]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder: Path = tmp_path_factory.mktemp("keys")
    pair = make_server_certificate("lab.test", folder)
    ports = {name: free_port() for name in PEERS}
    with ExitStack() as ends:
        onward = ends.enter_context(next_hop())
        policy = POLICY.format(routes=routes_to(ports), onward=onward.port)
        tls = {"smtp": {"tls_cert": str(pair.certificate), "tls_key": str(pair.key)}}
        node = ends.enter_context(single(policy, tls))
        yield Street(node, onward, pair, ports, ends)


@dataclass
class Way:
    """One of the directions with one of the others."""

    street: Street
    name: str
    is_in: bool

    @property
    def port(self) -> int:
        """Where the client goes."""
        relay = self.street.relay(self.name)
        return relay.port if self.is_in else self.street.node.smtp_port

    def address(self, local_part: str, *, is_tls: bool = False) -> str:
        """Return a recipient of this way, over TLS or in clear text between theirs and ours."""
        there = (TLS if is_tls else PLAIN) if self.is_in else f"{'tls-' if is_tls else ''}{self.name}.test"
        return f"{local_part}-{self.name}-{'in' if self.is_in else 'out'}@{there}"

    def lacks(self, feature: str) -> bool:
        """Tell whether they lack it, as LACKS says."""
        return feature in LACKS.get(self.name, {})

    def client(self) -> smtplib.SMTP:
        """Return a client that has said EHLO."""
        client = smtplib.SMTP("127.0.0.1", self.port, timeout=60)
        client.ehlo("client.test")
        return client

    def arrived(self, address: str) -> Received:
        """Return the message at the next hop that this recipient has got."""
        found: list[Received] = []

        def is_there() -> bool:
            found[:] = [message for message in self.street.onward.messages if address in message.recipients]
            return bool(found)

        wait_until(is_there, f"mail for {address} has arrived", self.street.relay(self.name).log_path)
        assert len(found) == 1, "it arrived twice"
        return found[0]

    def received_by_us(self, message: Received) -> str:
        """Return the Received field of ours, and theirs where the message comes to them from us."""
        header = message.content.partition(b"\r\n\r\n")[0].decode().replace("\r\n\t", " ").replace("\r\n ", " ")
        ours = next(line for line in header.split("\r\n") if "(mtad)" in line)
        theirs = next(line for line in header.split("\r\n") if line.startswith("Received:") and "(mtad)" not in line)
        return ours if self.is_in else theirs


def content(subject: str, body: bytes = b"text\r\n.\r\n..\r\n") -> bytes:
    return f"From: <{SENDER}>\r\nTo: <x@example.test>\r\nSubject: {subject}\r\n\r\n".encode() + body


def plain(way: Way) -> None:
    to = way.address("plain")
    with way.client() as client:
        assert client.sendmail(SENDER, [to], content("plain")) == {}
    message = way.arrived(to)
    assert b"\r\nSubject: plain\r\n" in message.content
    assert message.content.endswith(b"\r\n\r\ntext\r\n.\r\n..\r\n")
    assert "ESMTPS" not in way.received_by_us(message).upper()


def starttls(way: Way) -> None:
    to = way.address("starttls", is_tls=True)
    with way.client() as client:
        assert client.sendmail(SENDER, [to], content("starttls")) == {}
    if way.lacks("tls server") and not way.is_in:
        ours = way.street.node
        assert len(ours.queue()) == 1, "nothing went on in clear text"
        assert "EVP lib" in way.street.relay(way.name).log, "it offers STARTTLS, and ends every handshake itself"
        ours.mtactl("queue", "delete", "--all", "--yes")
        return
    assert "ESMTPS" in way.received_by_us(way.arrived(to)).upper()


def chunking(way: Way) -> None:
    """Of these Exim alone sends chunks to us; to others we send DATA, whatever brought the message."""
    to = way.address("chunking")
    text = content("chunking", b".\r\n" + LINE * 2000)
    with way.client() as client:
        client.mail(SENDER)
        client.rcpt(to)
        if client.has_extn("chunking"):
            for start in range(0, len(text), 50_000):
                piece = text[start : start + 50_000]
                last = b" LAST" if start + 50_000 >= len(text) else b""
                client.send(b"BDAT %d%b\r\n%b" % (len(piece), last, piece))
                assert client.getreply()[0] == 250
        else:
            assert way.is_in
            assert way.lacks("chunking")
            assert client.data(text)[0] == 250
    assert way.arrived(to).content.endswith(b"\r\n\r\n.\r\n" + LINE * 2000)
    if way.is_in and way.name == "exim":
        line = next(line for line in way.street.relay("exim").log.splitlines() if f"=> {to}" in line)
        assert " K " in line, "Exim marks so what it has sent in chunks"


def smtputf8(way: Way) -> None:
    to = way.address("grüße")
    with way.client() as client:
        if way.lacks("smtputf8") and way.is_in:
            assert not client.has_extn("smtputf8")
            return
        assert client.mail("größe@mtad.test", ["SMTPUTF8"])[0] == 250
        code, text = client.rcpt(to)
        if way.lacks("smtputf8"):
            assert (code, text[:5]) == (553, b"5.6.7"), "refused while the client still asks"
            return
        assert code == 250, text
        code, text = client.data("Subject: grüße\r\n\r\n".encode() + b"text\r\n")
        if way.lacks("passes smtputf8") and way.is_in:
            assert code == 550, "ours refuses at MAIL what comes without SMTPUTF8, and Haraka passes that on"
            return
        assert code == 250, text
    message = way.arrived(to)
    assert "größe@mtad.test" in message.mail
    assert ("SMTPUTF8" in message.mail) == (not way.lacks("passes smtputf8"))


def dsn(way: Way) -> None:
    """What the sender asks goes through all of them; where it ends with one of them, the one before says so."""
    to = way.address("dsn")
    sender = f"dsn-{way.name}-{'in' if way.is_in else 'out'}@mtad.test"
    asked = ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first+2B" + to]
    with way.client() as client:
        if way.lacks("dsn") and way.is_in:
            assert not client.has_extn("dsn")
            return
        assert client.sendmail(sender, [to], content("dsn"), ["RET=HDRS", "ENVID=id-1"], asked) == {}
    message = way.arrived(to)
    if way.lacks("dsn"):
        report = way.arrived(sender)
        assert b"\r\nAction: relayed\r\n" in report.content
        assert b"\r\nOriginal-Envelope-Id: id-1\r\n" in report.content
        return
    assert {"RET=HDRS", "ENVID=id-1"} <= set(message.mail.split()), message.mail
    told = next(line for line in way.street.onward.commands if line.startswith(f"RCPT TO:<{to}>"))
    assert {"NOTIFY=SUCCESS,FAILURE", asked[1]} <= set(told.split()), told


def large(way: Way) -> None:
    to = way.address("large")
    body = LINE * (LARGE_OCTETS // len(LINE))
    with way.client() as client:
        assert client.sendmail(SENDER, [to], content("large", body)) == {}
    assert way.arrived(to).content.endswith(b"\r\n\r\n" + body)


def hundred(way: Way) -> None:
    recipients = [way.address(f"hundred-{number}") for number in range(100)]
    with way.client() as client:
        assert client.sendmail(SENDER, recipients, content("hundred")) == {}
    for recipient in recipients:
        way.arrived(recipient)


ROWS: Mapping[str, Callable[[Way], None]] = {
    "plain": plain,
    "starttls": starttls,
    "chunking": chunking,
    "smtputf8": smtputf8,
    "dsn": dsn,
    "large": large,
    "hundred": hundred,
}
LACKS: Mapping[str, Mapping[str, str]] = {
    "opensmtpd": {
        "smtputf8": "offers no SMTPUTF8",
        "chunking": "offers no CHUNKING",
        "tls server": "6.8.0p2 with OpenSSL 3 cannot sign a handshake, whoever its client is",
    },
    "haraka": {"chunking": "offers no CHUNKING", "dsn": "offers no DSN", "passes smtputf8": "forwards without it"},
}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("name", PEERS)
def test_row(name: str, direction: str, row: str, street: Street) -> None:
    ROWS[row](Way(street, name, direction == "in"))
