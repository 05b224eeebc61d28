"""The laboratory's DNS server, asked over the wire by dnspython's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from mtad.lab.dns import DnsServer, respond, serve_zones, zone_from_text

EXAMPLE = """
$TTL 60
@            IN SOA ns hostmaster 1 3600 600 86400 7
@            IN NS  ns
ns           IN A    127.0.0.1
@            IN MX   10 sink
sink         IN A    127.0.0.1
sink         IN AAAA ::1
alias        IN CNAME sink
loop1        IN CNAME loop2
loop2        IN CNAME loop1
away         IN CNAME elsewhere.invalid.
deep.er      IN A    127.0.0.9
s1._domainkey IN TXT "v=DKIM1; k=rsa; " "p=MIIB"
big          IN TXT "{0}" "{0}" "{0}" "{0}" "{0}" "{0}" "{0}" "{0}"
""".format("x" * 250)
INNER = "$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 7\n@ IN NS ns\nns IN A 127.0.0.1\n@ IN MX 5 inner\n"

ZONES = (zone_from_text("example.test.", EXAMPLE), zone_from_text("inner.example.test.", INNER))


def ask(name: str, rdtype: str) -> dns.message.Message:
    return respond(ZONES, dns.message.make_query(name, rdtype))


def texts(response: dns.message.Message) -> list[str]:
    return [str(rdata) for rrset in response.answer for rdata in rrset]


@pytest.mark.parametrize(
    ("name", "rdtype", "expected"),
    [
        ("example.test.", "MX", ["10 sink.example.test."]),
        ("EXAMPLE.test.", "MX", ["10 sink.example.test."]),
        ("sink.example.test.", "A", ["127.0.0.1"]),
        ("sink.example.test.", "AAAA", ["::1"]),
        ("s1._domainkey.example.test.", "TXT", ['"v=DKIM1; k=rsa; " "p=MIIB"']),
        ("alias.example.test.", "A", ["sink.example.test.", "127.0.0.1"]),
        ("alias.example.test.", "CNAME", ["sink.example.test."]),
        ("away.example.test.", "A", ["elsewhere.invalid."]),
        ("inner.example.test.", "MX", ["5 inner.inner.example.test."]),
    ],
)
def test_answers_with_authority(name: str, rdtype: str, expected: list[str]) -> None:
    response = ask(name, rdtype)
    assert response.rcode() == dns.rcode.NOERROR
    assert response.flags & dns.flags.AA
    assert not response.flags & dns.flags.RA
    assert texts(response) == expected


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode"),
    [
        ("nobody.example.test.", "A", dns.rcode.NXDOMAIN),
        ("sink.example.test.", "MX", dns.rcode.NOERROR),
        ("er.example.test.", "A", dns.rcode.NOERROR),
    ],
)
def test_a_negative_answer_carries_the_soa(name: str, rdtype: str, rcode: dns.rcode.Rcode) -> None:
    response = ask(name, rdtype)
    assert response.rcode() == rcode
    assert not response.answer
    assert [(rrset.rdtype, rrset.ttl) for rrset in response.authority] == [(dns.rdatatype.SOA, 7)]


def test_refuses_what_it_does_not_hold() -> None:
    response = ask("example.org.", "A")
    assert response.rcode() == dns.rcode.REFUSED
    assert not response.flags & dns.flags.AA


def test_says_that_it_knows_no_other_operation() -> None:
    query = dns.message.make_query("example.test.", "MX")
    query.set_opcode(dns.opcode.STATUS)
    assert respond(ZONES, query).rcode() == dns.rcode.NOTIMP


def test_a_question_of_another_class_is_an_error() -> None:
    assert respond(ZONES, dns.message.make_query("example.test.", "MX", "CH")).rcode() == dns.rcode.FORMERR


def test_aliases_that_loop_end() -> None:
    assert 0 < len(ask("loop1.example.test.", "A").answer) <= 8


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    running = await serve_zones(ZONES)
    yield running
    await running.close()


async def test_answers_over_udp_with_edns(server: DnsServer) -> None:
    query = dns.message.make_query("example.test.", "MX", use_edns=0, payload=1232)
    response = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
    assert texts(response) == ["10 sink.example.test."]
    assert response.edns == 0


async def test_a_query_without_edns_gets_none(server: DnsServer) -> None:
    query = dns.message.make_query("example.test.", "MX", use_edns=False)
    response = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
    assert response.edns == -1


@pytest.mark.parametrize("payload", [None, 1232])
async def test_what_is_too_long_for_udp_is_fetched_over_tcp(server: DnsServer, payload: int | None) -> None:
    use_edns, size = (False, 0) if payload is None else (0, payload)
    query = dns.message.make_query("big.example.test.", "TXT", use_edns=use_edns, payload=size)
    short = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=5)
    assert short.flags & dns.flags.TC
    assert not short.answer
    response, is_tcp = await dns.asyncquery.udp_with_fallback(query, server.address, port=server.port, timeout=5)
    assert is_tcp
    assert len(texts(response)[0]) > 2000


async def test_one_tcp_connection_carries_several_queries(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    for name, expected in (("example.test.", "10 sink.example.test."), ("inner.example.test.", "5 inner.inner")):
        wire = dns.message.make_query(name, "MX").to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await reader.readexactly(2), "big")
        assert texts(dns.message.from_wire(await reader.readexactly(length)))[0].startswith(expected)
    writer.write((3).to_bytes(2, "big") + b"???")
    assert await reader.read() == b""  # what is no query ends the connection
    writer.close()
    await writer.wait_closed()


async def test_no_reply_to_what_is_no_query(server: DnsServer) -> None:
    reply = dns.message.make_response(dns.message.make_query("example.test.", "MX"))
    received: asyncio.Queue[bytes] = asyncio.Queue()

    class Peer(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            received.put_nowait(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Peer, remote_addr=(server.address, server.port)
    )
    transport.sendto(b"no message")
    transport.sendto(reply.to_wire())  # a loop of two servers that answer answers would never end
    query = dns.message.make_query("example.test.", "MX")
    transport.sendto(query.to_wire())
    assert dns.message.from_wire(await asyncio.wait_for(received.get(), 5)).id == query.id
    assert received.empty()
    transport.close()
