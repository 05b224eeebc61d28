"""The hosts that take a domain's mail, in the order to try them (RFC 5321 §5.1, RFC 7505)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from mtad.dns.resolver import Absence, Absent, Answer, Found, Resolver, Unknown

MX_HOSTS_MAX = 64


@dataclass(frozen=True, slots=True, order=True)
class MxHost:
    """One MX record."""

    preference: int
    name: str


@dataclass(frozen=True, slots=True)
class MxHosts:
    """The hosts, lowest preference first. is_implicit: there are no MX records, the domain itself is the host."""

    hosts: tuple[MxHost, ...]
    is_secure: bool = False
    is_implicit: bool = False


@dataclass(frozen=True, slots=True)
class NullMx:
    """The domain says that it takes no mail (RFC 7505)."""


@dataclass(frozen=True, slots=True)
class NoDomain:
    """The domain does not exist."""


@dataclass(frozen=True, slots=True)
class MxUnknown:
    """The lookup failed."""

    why: str


MxAnswer = MxHosts | NullMx | NoDomain | MxUnknown


def mx_answer(domain: str, answer: Answer) -> MxAnswer:
    """Return what an answer to the MX question means for the domain."""
    if isinstance(answer, Unknown):
        return MxUnknown(answer.why)
    if isinstance(answer, Absent):
        if answer.kind is Absence.NXDOMAIN:
            return NoDomain()
        return MxHosts((MxHost(0, domain.lower()),), answer.is_secure, is_implicit=True)
    return _hosts(answer)


def _hosts(answer: Found) -> MxAnswer:
    pairs = (record.split(" ", 1) for record in answer.records)
    hosts = sorted({MxHost(int(preference), name) for preference, name in pairs if name != "."})
    if not hosts:
        return NullMx()
    return MxHosts(tuple(hosts[:MX_HOSTS_MAX]), answer.is_secure)


def without_us(hosts: Sequence[MxHost], own_names: Collection[str]) -> tuple[MxHost, ...]:
    """Return the hosts that stand before us (RFC 5321 §5.1): none when we are the best, all when we are not there."""
    ours = [host.preference for host in hosts if host.name in own_names]
    return tuple(host for host in hosts if not ours or host.preference < min(ours))


def in_order(hosts: Sequence[MxHost], shuffle: Callable[[list[MxHost]], None]) -> tuple[str, ...]:
    """Return the names in the order to try them: by preference, by chance among equals."""
    if len(hosts) == 1:
        return (hosts[0].name,)
    shuffled = list(hosts)
    shuffle(shuffled)
    return tuple(host.name for host in sorted(shuffled, key=lambda host: host.preference))


async def lookup(resolver: Resolver, domain: str) -> MxAnswer:
    """Look up which hosts take the domain's mail."""
    return mx_answer(domain, await resolver.lookup(domain, "MX"))
