"""DNS lookups whose answers are values: found, absent, or unknown, and unknown is never the same as absent.

RFC 1035, RFC 2308 (negative answers), RFC 6891 (EDNS), RFC 7672 §2.1.1 (what a validating resolver tells).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdatatype
import dns.resolver

EDNS_OCTETS = 1232


@dataclass(frozen=True, slots=True)
class Found:
    """The records, each as text: addresses, '10 mx.example.net', the joined strings of a TXT record.

    is_secure   a validating resolver that we trust has vouched for them
    """

    records: tuple[str, ...]
    ttl_seconds: int
    is_secure: bool = False


class Absence(StrEnum):
    """Why nothing was found, for certain."""

    NXDOMAIN = "nxdomain"  # the name does not exist
    NODATA = "nodata"  # the name exists, with other records


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such record."""

    kind: Absence
    ttl_seconds: int = 0
    is_secure: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The lookup failed; the text is for our log."""

    why: str


Answer = Found | Absent | Unknown


@dataclass(frozen=True, slots=True)
class ResolverLimits:
    """Bounds of lookups and of the cache."""

    lookup_seconds_max: float = 5
    ttl_seconds_max: int = 3600
    negative_ttl_seconds_max: int = 60
    cached_max: int = 20000
    cached_length_max: int = 4096  # of an answer, in characters; a longer one is asked for each time
    running_max: int = 200  # lookups at a time; the others wait for their turn
    waiting_max: int = 2000
    turn_seconds_max: float = 5
    records_max: int = 256


_TOO_MANY = Unknown("too many lookups at a time")


def _text(rdata: Any) -> str:
    return str(rdata.to_text())


# How the records that mail needs become text; names are folded, without the final dot.
_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "A": lambda rdata: str(rdata.address),
    "AAAA": lambda rdata: str(rdata.address),
    "MX": lambda rdata: f"{rdata.preference} {_host(rdata.exchange)}",
    "CNAME": lambda rdata: _host(rdata.target),
    "PTR": lambda rdata: _host(rdata.target),
    "TXT": lambda rdata: b"".join(rdata.strings).decode("utf-8", "replace"),
}


def _host(name: dns.name.Name) -> str:
    """Return a name as text; '.' for the root (RFC 7505)."""
    return name.to_text(omit_final_dot=True).lower() or "."


class Resolver:
    """Asks the configured servers and remembers their answers for as long as they say, within bounds.

    servers   address and port of each; empty means those of the system's resolv.conf
    Errors: dns.resolver.NoResolverConfiguration when the system names none.
    """

    def __init__(self, servers: Sequence[tuple[str, int]] = (), limits: ResolverLimits | None = None) -> None:
        self._limits = limits or ResolverLimits()
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        self._resolver.search = []
        self._resolver.ndots = 0
        self._resolver.cache = None
        self._resolver.lifetime = self._limits.lookup_seconds_max
        self._resolver.timeout = self._limits.lookup_seconds_max / 2
        self._resolver.use_edns(0, dns.flags.DO, EDNS_OCTETS)
        # An unauthenticated path to the resolver makes its AD bit worthless (RFC 7672 §2.1.1).
        addresses = [host for host, _ in servers] or [str(server) for server in self._resolver.nameservers]
        self._is_trusted = all(ipaddress.ip_address(address).is_loopback for address in addresses)
        self._cached: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._running: dict[tuple[str, str], asyncio.Task[Answer]] = {}
        self._slots = asyncio.Semaphore(self._limits.running_max)

    async def lookup(self, name: str, record_type: str) -> Answer:
        """Return the records of this type at the name; aliases are followed."""
        key = (name.lower().rstrip("."), record_type)
        kept = self._cached.get(key)
        loop = asyncio.get_running_loop()
        if kept is not None:
            if loop.time() < kept[0]:
                return kept[1]
            del self._cached[key]
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= self._limits.running_max + self._limits.waiting_max:
                return _TOO_MANY
            running = self._running[key] = loop.create_task(self._ask(key))
        return await asyncio.shield(running)

    async def addresses(self, host: str) -> Answer:
        """Return the IPv6 and IPv4 addresses of a host; Unknown only when neither lookup found any."""
        if host in ("localhost", "localhost."):  # RFC 6761 §6.3: never asked
            return Found(("127.0.0.1", "::1"), self._limits.ttl_seconds_max)
        answers = [await self.lookup(host, record_type) for record_type in ("AAAA", "A")]
        found = [answer for answer in answers if isinstance(answer, Found)]
        if found:
            records = tuple(record for answer in found for record in answer.records)
            is_secure = all(answer.is_secure for answer in found)
            return Found(records, min(answer.ttl_seconds for answer in found), is_secure)
        return next((answer for answer in answers if isinstance(answer, Unknown)), answers[-1])

    def forget(self) -> None:
        """Forget all answers: what is asked from now on is asked anew."""
        self._cached.clear()

    async def _ask(self, key: tuple[str, str]) -> Answer:
        try:
            answer = await self._in_turn(key)
        finally:
            del self._running[key]
        if not isinstance(answer, Unknown) and answer.ttl_seconds > 0 and self._is_small(answer):
            if len(self._cached) >= self._limits.cached_max:
                del self._cached[next(iter(self._cached))]
            self._cached[key] = (asyncio.get_running_loop().time() + answer.ttl_seconds, answer)
        return answer

    async def _in_turn(self, key: tuple[str, str]) -> Answer:
        try:
            async with asyncio.timeout(self._limits.turn_seconds_max):
                await self._slots.acquire()
        except TimeoutError:
            return _TOO_MANY
        try:
            return await self._query(*key)
        finally:
            self._slots.release()

    async def _query(self, name: str, record_type: str) -> Answer:
        try:
            qname = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            return Absent(Absence.NXDOMAIN)  # no such name can exist
        try:
            found = await self._resolver.resolve(qname, record_type, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN as error:
            responses: dict[dns.name.Name, dns.message.Message] = error.kwargs.get("responses", {})
            return self._absent(Absence.NXDOMAIN, responses.get(qname))
        except (dns.exception.DNSException, OSError) as error:
            return Unknown(type(error).__name__)
        if found.rrset is None:
            return self._absent(Absence.NODATA, found.response)
        render = _TEXTS.get(record_type, _text)
        records = tuple(render(rdata) for rdata in list(found.rrset)[: self._limits.records_max])
        ttl = min(found.rrset.ttl, self._limits.ttl_seconds_max)
        return Found(records, ttl, self._is_secure(found.response))

    def _absent(self, kind: Absence, response: dns.message.Message | None) -> Absent:
        if response is None:
            return Absent(kind)
        # RFC 2308 §5: as long as the SOA record says, which stands in the authority section
        soa = next((rrset for rrset in response.authority if rrset.rdtype == dns.rdatatype.SOA), None)
        ttl = min(soa.ttl, soa[0].minimum, self._limits.negative_ttl_seconds_max) if soa is not None else 0
        return Absent(kind, ttl, self._is_secure(response))

    def _is_small(self, answer: Found | Absent) -> bool:
        """Tell whether it may be kept: whose domain it is says how long it is, and how many there are."""
        records = answer.records if isinstance(answer, Found) else ()
        return sum(map(len, records)) <= self._limits.cached_length_max

    def _is_secure(self, response: dns.message.Message) -> bool:
        return self._is_trusted and bool(response.flags & dns.flags.AD)
