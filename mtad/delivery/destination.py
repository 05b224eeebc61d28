"""From a recipient's route to the addresses to connect to, in the order to try them (RFC 5321 §5.1)."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from mtad.delivery.connection import Hop
from mtad.delivery.families import Families, family_of
from mtad.dns import mx
from mtad.dns.mx import MxAnswer, MxHost, MxHosts, MxUnknown, NoDomain, NullMx
from mtad.dns.resolver import Found, Resolver, Unknown
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route, TlsLevel, Transport
from mtad.mail.utf8 import ascii_domain

SMTP_PORT = 25
HOPS_TRIED_MAX = 8  # addresses tried in one attempt


@dataclass(frozen=True, slots=True)
class Destination:
    """What recipients must share to share a transaction. Hosts of equal preference are tried by chance."""

    hosts: tuple[MxHost, ...]
    port: int
    transport: Transport
    tls: TlsLevel
    sources: tuple[str, ...] = ()  # our addresses, as `Route` has them
    helo: str = ""
    pool: str = ""
    credentials: str = ""
    is_configured: bool = field(default=False, compare=False)  # the route names its hosts: what they lack is our fault


_UNROUTABLE: Mapping[type[MxAnswer], tuple[Result, Reply]] = {
    MxUnknown: (Result.DELAYED, Reply.of(450, "4.4.3", "The recipient's domain cannot be looked up now")),
    NoDomain: (Result.FAILED, Reply.of(550, "5.4.4", "The recipient's domain does not exist")),
    NullMx: (Result.FAILED, Reply.of(556, "5.1.10", "The recipient's domain takes no mail")),  # RFC 7505 §4.2
}
_LOOP = Outcome(Result.FAILED, Reply.of(554, "5.4.6", "Mail for the recipient's domain loops back to us"))
_NO_ADDRESS = Reply.of(550, "5.4.4", "No host of the recipient's domain has an address")
_NO_SOURCE = Outcome(
    Result.DELAYED, Reply.of(451, "4.3.5", "The route names no source address for those of the next hop")
)
_NO_ADDRESS_NOW = Reply.of(450, "4.4.3", "The next hop's address cannot be looked up now")
_NO_DOMAIN_PART = Outcome(Result.FAILED, Reply.of(550, "5.1.3", "The recipient's address has no domain"))
_BAD_DOMAIN = Outcome(Result.FAILED, Reply.of(550, "5.1.2", "The recipient's domain can be no domain name"))
_BAD_LITERAL = Outcome(Result.FAILED, Reply.of(550, "5.1.2", "The recipient's address literal is not understood"))
_NO_PORT = Outcome(Result.DELAYED, Reply.of(451, "4.3.5", "The route names no port"))


class Destinations:
    """Looks up where mail goes.

    own_names   our names as MX records may give them, folded
    """

    def __init__(
        self,
        resolver: Resolver,
        own_names: frozenset[str],
        families: Families,
        shuffle: Callable[[list[MxHost]], None] = random.shuffle,
    ) -> None:
        self._resolver = resolver
        self._own_names = own_names
        self._families = families
        self._shuffle = shuffle

    def forget(self) -> None:
        """Look everything up anew: an operator has mended something."""
        self._resolver.forget()

    async def of(self, address: str, route: Route) -> Destination | Outcome:
        """Return the destination of a recipient, or why there is none."""
        if route.hosts:
            is_unix = route.hosts[0].startswith("unix:")
            port = 0 if is_unix else route.port or (SMTP_PORT if route.transport is Transport.SMTP else None)
            if port is None:
                return _NO_PORT
            hosts = tuple(MxHost(preference, host) for preference, host in enumerate(route.hosts))
            return Destination(hosts, port, *_ways(route), is_configured=True)
        _, at, written = address.rpartition("@")
        domain = ascii_domain(written)  # before it is folded: a letter that only looks like one of ASCII is not it
        if not at or domain is None:
            return _BAD_DOMAIN if at else _NO_DOMAIN_PART
        domain = domain.lower()
        hosts_or_outcome = self._literal(domain) if domain.startswith("[") else await self._mx_hosts(domain)
        if isinstance(hosts_or_outcome, Outcome):
            return hosts_or_outcome
        return Destination(hosts_or_outcome, route.port or SMTP_PORT, *_ways(route))

    async def hops(self, destination: Destination) -> AsyncGenerator[Hop | Outcome, None]:
        """Yield the hops to try; an Outcome in their place says why a host has none.

        One with very many addresses leaves one try to each host behind it.
        Close it when it is left early: the loop would do so in a task of its own.
        """
        hops_count = 0
        names = mx.in_order(destination.hosts, self._shuffle)
        for behind_count, name in zip(range(len(names) - 1, -1, -1), names, strict=True):
            addresses = await self._addresses(name)
            if not isinstance(addresses, tuple):
                yield self._without_address(destination, is_unknown=isinstance(addresses, Unknown))
                continue
            usable = [address for address in addresses if _source(destination, address) is not None]
            if not usable:
                yield _NO_SOURCE
            for address in usable[: max(1, HOPS_TRIED_MAX - hops_count - behind_count)]:
                if hops_count == HOPS_TRIED_MAX:
                    return
                hops_count += 1
                yield _hop(destination, name, address)

    async def _mx_hosts(self, domain: str) -> tuple[MxHost, ...] | Outcome:
        answer = await mx.lookup(self._resolver, domain)
        if not isinstance(answer, MxHosts):
            return Outcome(*_UNROUTABLE[type(answer)])
        return mx.without_us(answer.hosts, self._own_names) or _LOOP

    async def _addresses(self, name: str) -> tuple[str, ...] | Unknown | None:
        """Return the addresses of a host, None when it certainly has none."""
        if name.startswith("unix:"):
            return (name.removeprefix("unix:"),)
        literal = _literal_address(name)
        if literal is not None:
            return (literal,)
        answer = await self._resolver.addresses(ascii_domain(name) or name)
        if isinstance(answer, Found):
            return self._families.ordered(answer.records, asyncio.get_running_loop().time())
        return answer if isinstance(answer, Unknown) else None

    def _without_address(self, destination: Destination, *, is_unknown: bool) -> Outcome:
        if is_unknown or destination.is_configured:
            return Outcome(Result.DELAYED, _NO_ADDRESS_NOW)
        return Outcome(Result.FAILED, _NO_ADDRESS)

    def _literal(self, domain: str) -> tuple[MxHost, ...] | Outcome:
        """Return the host that an address literal names (RFC 5321 §4.1.3)."""
        text = domain[1:-1] if domain.endswith("]") else ""
        address = _literal_address(text.removeprefix("ipv6:"))
        return _BAD_LITERAL if address is None else (MxHost(0, address),)


def _ways(route: Route) -> tuple[Transport, TlsLevel, tuple[str, ...], str, str, str]:
    return route.transport, route.tls, route.sources, route.helo, route.pool, route.credentials


def _source(destination: Destination, address: str) -> str | None:
    """Return our address for a connection to this one; '' where it does not matter, None where there is none."""
    if not destination.sources or not destination.port:
        return ""
    family = family_of(address)
    return next((source for source in destination.sources if family_of(source) == family), None)


def _hop(destination: Destination, name: str, address: str) -> Hop:
    may_be_us = destination.transport is Transport.SMTP and (
        destination.port == SMTP_PORT or not destination.is_configured
    )
    return Hop(
        address,
        destination.port,
        name,
        destination.transport,
        destination.tls,
        source=_source(destination, address) or "",
        helo=destination.helo,
        pool=destination.pool,
        credentials=destination.credentials,
        may_be_us=may_be_us,
    )


@lru_cache(maxsize=1024)
def _literal_address(text: str) -> str | None:
    """Return an IP address in its usual form; None when the text is none."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
