"""An authoritative DNS server for the laboratory's zones (RFC 1034 §4.3.2, RFC 2308, RFC 6891).

It answers from zones that dnspython parses, over UDP and TCP on one port of loopback; what it is not asked to hold it
refuses. It never recurses. A signed zone is a zone with more records: `respond` is the one place that would add them.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

UDP_OCTETS_MAX = 1232  # the size that never fragments; larger answers are fetched over TCP
UDP_OCTETS_PLAIN = 512  # RFC 1035 §2.3.4, for a query without EDNS
ALIASES_MAX = 8
TCP_SESSIONS_MAX = 64
TCP_IDLE_SECONDS_MAX = 10.0
PORT_ATTEMPTS_MAX = 32

Zone = dns.zone.Zone


def zone_from_text(origin: str, text: str) -> Zone:
    """Parse a zone file; it needs an SOA and an NS record. Errors: dns.exception.DNSException."""
    return dns.zone.from_text(text, origin=origin, relativize=False)


def respond(zones: Sequence[Zone], query: dns.message.Message) -> dns.message.Message:
    """Return the authoritative response to a query."""
    response = dns.message.make_response(query, our_payload=UDP_OCTETS_MAX)
    if query.opcode() != dns.opcode.QUERY:
        response.set_rcode(dns.rcode.NOTIMP)
        return response
    if len(query.question) != 1 or query.question[0].rdclass != dns.rdataclass.IN:
        response.set_rcode(dns.rcode.FORMERR)
        return response
    question = query.question[0]
    if _zone_of(zones, question.name) is None:
        response.set_rcode(dns.rcode.REFUSED)
        return response
    response.flags |= dns.flags.AA
    _fill(response, zones, question.name, question.rdtype)
    return response


def _fill(
    response: dns.message.Message, zones: Sequence[Zone], name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> None:
    """Add the answer, following aliases inside our zones (RFC 1034 §4.3.2), or the SOA that says there is none."""
    for _ in range(ALIASES_MAX):
        zone = _zone_of(zones, name)
        if zone is None:
            return
        node = zone.get_node(name)
        if node is None and not _has_names_below(zone, name):
            response.set_rcode(dns.rcode.NXDOMAIN)
            _add_soa(response, zone)
            return
        found = node.get_rdataset(dns.rdataclass.IN, rdtype) if node is not None else None
        if found is not None:
            _add(response.answer, name, found)
            return
        alias = node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.CNAME) if node is not None else None
        if alias is None:
            _add_soa(response, zone)
            return
        _add(response.answer, name, alias)
        name = alias[0].target


def _zone_of(zones: Sequence[Zone], name: dns.name.Name) -> Zone | None:
    """Return the zone with the longest origin that holds the name."""
    holding = [zone for zone in zones if zone.origin is not None and name.is_subdomain(zone.origin)]
    return max(holding, key=lambda zone: len(zone.origin or ()), default=None)


def _has_names_below(zone: Zone, name: dns.name.Name) -> bool:
    """Tell whether the name exists only because longer ones do: then there is no data, but the name is there."""
    return any(held.is_subdomain(name) for held in zone.nodes)


def _add(section: list[dns.rrset.RRset], name: dns.name.Name, found: dns.rdataset.Rdataset) -> None:
    section.append(dns.rrset.from_rdata_list(name, found.ttl, list(found)))


def _add_soa(response: dns.message.Message, zone: Zone) -> None:
    """Add the zone's SOA with the negative answer's time to live (RFC 2308 §3)."""
    origin = zone.origin
    soa = zone.get_rdataset(origin, dns.rdatatype.SOA) if origin is not None else None
    if origin is not None and soa is not None:
        response.authority.append(dns.rrset.from_rdata_list(origin, min(soa.ttl, soa[0].minimum), list(soa)))


def _reply_octets(zones: Sequence[Zone], octets: bytes, size_max: int | None) -> bytes | None:
    """Return the reply on the wire, or None for what is no query; `size_max` None means TCP."""
    try:
        query = dns.message.from_wire(octets)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR:
        return None
    response = respond(zones, query)
    if size_max is None:
        return response.to_wire(max_size=65535)
    limit = min(max(query.payload, UDP_OCTETS_PLAIN), size_max) if query.edns >= 0 else UDP_OCTETS_PLAIN
    try:
        return response.to_wire(max_size=limit)
    except dns.exception.TooBig:
        return _truncated(query, response).to_wire(max_size=limit)


def _truncated(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
    """Return the response without its records and with TC, so that the resolver comes back over TCP."""
    short = dns.message.make_response(query, our_payload=UDP_OCTETS_MAX)
    short.flags = response.flags | dns.flags.TC
    return short


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = zones
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = _reply_octets(self._zones, data, UDP_OCTETS_MAX)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


@dataclass(slots=True)
class DnsServer:
    """A running server; `address` and `port` are where it answers."""

    address: str
    port: int
    _datagrams: asyncio.DatagramTransport
    _streams: asyncio.Server
    _sessions: set[asyncio.StreamWriter]

    async def close(self) -> None:
        """Stop answering."""
        self._datagrams.close()
        self._streams.close()
        for session in self._sessions:
            session.close()
        await self._streams.wait_closed()


async def serve_zones(zones: Sequence[Zone], address: str = "127.0.0.1", port: int = 0) -> DnsServer:
    """Start answering for the zones over UDP and TCP, on one port of both; 0 takes a free one."""
    loop = asyncio.get_running_loop()
    held = tuple(zones)
    sessions: set[asyncio.StreamWriter] = set()

    async def on_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(sessions) >= TCP_SESSIONS_MAX:
            writer.close()
            return
        sessions.add(writer)
        try:
            await _serve_stream(held, reader, writer)
        finally:
            sessions.discard(writer)
            writer.close()

    for _ in range(PORT_ATTEMPTS_MAX):
        streams = await asyncio.start_server(on_stream, address, port)
        chosen = int(streams.sockets[0].getsockname()[1])
        try:
            datagrams, _protocol = await loop.create_datagram_endpoint(
                lambda: _Datagrams(held), local_addr=(address, chosen)
            )
        except OSError as error:  # the port is free for TCP and taken for UDP: try another
            streams.close()
            await streams.wait_closed()
            if port or error.errno != errno.EADDRINUSE:
                raise
            continue
        return DnsServer(address, chosen, datagrams, streams, sessions)
    raise OSError(errno.EADDRINUSE, "no port is free for both UDP and TCP")


async def _serve_stream(zones: Sequence[Zone], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the queries of one TCP connection (RFC 7766 §6.2), each preceded by its length."""
    try:
        while True:
            async with asyncio.timeout(TCP_IDLE_SECONDS_MAX):
                length = int.from_bytes(await reader.readexactly(2), "big")
                reply = _reply_octets(zones, await reader.readexactly(length), None)
            if reply is None:
                return
            writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
        return
