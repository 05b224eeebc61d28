"""A name server on loopback UDP that answers from a table: the resolver under test asks it for real."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

SERVFAIL = "servfail"  # in place of records
SILENCE = "silence"

Zone = Mapping[str, Mapping[str, tuple[str, ...] | str]]


class NameServer(asyncio.DatagramProtocol):
    """Names in `zone` exist with the records listed; all others do not exist. `async with` starts and stops it.

    zone   name without final dot -> record type -> records as text, or SERVFAIL, or SILENCE; an alias has a CNAME alone
    """

    def __init__(self, zone: Zone, *, ttl_seconds: int = 300, is_secure: bool = False) -> None:
        self.zone = zone
        self.port = 0
        self.asked: list[tuple[str, str]] = []
        self._ttl_seconds = ttl_seconds
        self._is_secure = is_secure
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        record_type = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, record_type))
        response = self._answer(query, question.name, name, record_type)
        if response is not None and self._transport is not None:
            self._transport.sendto(response.to_wire(), addr)

    def _answer(
        self, query: dns.message.Message, qname: dns.name.Name, name: str, record_type: str
    ) -> dns.message.Message | None:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self._is_secure:
            response.flags |= dns.flags.AD
        if "CNAME" in self.zone.get(name, {}):
            (alias,) = self.zone[name]["CNAME"]
            response.answer.append(dns.rrset.from_text(qname, self._ttl_seconds, "IN", "CNAME", alias))
            qname = dns.name.from_text(alias)
            name = qname.to_text(omit_final_dot=True)
        records = self.zone[name].get(record_type, ()) if name in self.zone else None
        if records == SILENCE:
            return None
        if records == SERVFAIL:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            response.answer.append(
                dns.rrset.from_text(qname, self._ttl_seconds, dns.rdataclass.IN, record_type, *records)
            )
        else:
            if records is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
            soa = f"ns.test. hostmaster.test. 1 3600 600 86400 {self._ttl_seconds}"
            response.authority.append(dns.rrset.from_text("test.", self._ttl_seconds, "IN", "SOA", soa))
        return response
